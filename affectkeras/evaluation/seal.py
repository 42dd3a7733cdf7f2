"""What a training may read: nothing of the test part, until it is over."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from affectkeras.errors import UserError
from affectkeras.evaluation.splits import Split

Kind = Literal["weights", "normalisation", "selection"]


class Leak(UserError):
    """A training read or fitted rows that it must not know yet."""


class Seal:
    """Stands between one training and the rows of a split.

    Pipelines ask it before they read rows, and whatever is fitted asks it before it is fitted, so
    that early stopping, a choice of checkpoints or a search cannot look at test rows, and no
    statistic can be taken beyond the training rows. One seal serves one training (an arm, a seed,
    a fold).

    Args:
        split: the split that the training follows.
    """

    def __init__(self, split: Split):
        self._train = np.sort(split.train)
        self._test = np.sort(split.test)
        self._open = False
        self._fitted: dict[str, dict[str, int]] = {}
        self._test_rows_read = 0

    def read(self, rows: np.ndarray) -> None:
        """Allow rows to be read, or refuse.

        Raises:
            Leak: when test rows are among them before the final evaluation.
        """
        hidden = np.count_nonzero(np.isin(rows, self._test))
        if hidden and not self._open:
            raise Leak(
                f"{hidden} test rows would be read before the final evaluation. Stop early, choose "
                "and search by validation rows, and read the test part inside "
                "`final_evaluation()`."
            )
        self._test_rows_read += hidden

    def fit(self, kind: Kind, what: str, rows: np.ndarray) -> None:
        """Allow something to be fitted on rows, or refuse.

        Args:
            kind: `weights` of a model, `normalisation` (means, scales), or `selection` (features,
                thresholds, which rows to leave out).
            what: its name, for messages and the report.
            rows: table rows whose values it is fitted on.

        Raises:
            Leak: when one of them is no training row, or test rows were read before.
        """
        if self._test_rows_read:
            raise Leak(f"{what} ({kind}) would be fitted after test rows were read.")
        beyond = np.count_nonzero(~np.isin(rows, self._train))
        if beyond:
            raise Leak(
                f"{what} ({kind}) would be fitted on {beyond} rows beyond the training part. Fit "
                "it on training rows and apply it to the others."
            )
        self._fitted.setdefault(kind, {})[what] = len(np.unique(rows))

    def fitting(self, kind: Kind, what: str, function: Callable) -> Callable:
        """Return `function(rows)` behind `fit`: what scores rows may then score training rows."""

        def sealed(rows):
            self.fit(kind, what, rows)
            return function(rows)

        return sealed

    @contextlib.contextmanager
    def final_evaluation(self) -> Iterator[None]:
        """Open the test rows for reading; from the first one on, nothing may be fitted any more."""
        self._open = True
        try:
            yield
        finally:
            self._open = False

    def get_state(self) -> dict:
        """Return what was fitted so far, for a training that is cut off and goes on later."""
        return {"fitted": self.facts()["fitted"]}

    def set_state(self, state: dict) -> None:
        """Take over a state of `get_state`: what was fitted before the training was cut off."""
        for kind, found in state["fitted"].items():
            self._fitted.setdefault(kind, {}).update(found)

    def facts(self) -> dict:
        """Return `{"fitted": {kind: {what: rows}}, "test_rows_read"}`, ready for JSON."""
        fitted = {kind: dict(found) for kind, found in self._fitted.items()}
        return {"fitted": fitted, "test_rows_read": int(self._test_rows_read)}

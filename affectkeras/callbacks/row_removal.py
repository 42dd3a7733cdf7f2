"""What every callback that takes rows out of the training shares: scoring, the log, the state."""

from collections.abc import Callable

import keras
import numpy as np

from affectkeras.errors import UserError


class RowRemoval(keras.callbacks.Callback):
    """Scores the remaining training rows at an epoch's end and removes those a subclass chooses.

    A subclass says when it wants to remove (`removal_due`) and which rows (`choose`). Removing is
    `sampler.remove(rows)`; `affectkeras.callbacks.training_loop.fit_epochs` sees that the row set
    changed and goes on with the next epoch on the smaller set. Under a plain `model.fit` the data
    would not change, so the callback refuses to run there.

    Epochs are counted from 1 in all logs and arguments: epoch 6 is the sixth epoch of training.

    Args:
        sampler: the `RowSampler` that feeds the training; it owns the row set.
        labels: `(table rows,)` int, the class of every row of the table. For soft targets, the
            class with the largest probability.
        score: `score(rows) -> (n,)` losses of a clean inference pass (no dropout, no augmentation)
            over those table rows: cross-entropy against the target, hard or soft. `None`: rows are
            removed without being scored.
        score_every_epoch: score at the end of every epoch, so that the variance of the losses per
            epoch (the paper's Figure 7) can be drawn; else only where a removal is due.

    Attributes:
        removals: one dict per removed row: `round`, `epoch`, `row`, `loss`, `class`.
        rounds: one dict per removal round, whether or not it removed anything.
    """

    def __init__(
        self,
        sampler,
        labels: np.ndarray,
        *,
        score: Callable[[np.ndarray], np.ndarray] | None,
        score_every_epoch: bool = True,
    ):
        super().__init__()
        self.sampler = sampler
        self.labels = class_labels(labels)
        self.score = score
        self.score_every_epoch = score_every_epoch
        self.removals: list[dict] = []
        self.rounds: list[dict] = []
        self._scores: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
        # The classes' sizes before anything was removed: a cap on removal is a share of these.
        self._first_counts = self.class_counts(sampler.rows)

    def removal_due(self, epoch: int) -> bool:
        """Whether rows are to be chosen at the end of this epoch (counted from 1)."""
        raise NotImplementedError

    def choose(self, epoch: int, rows: np.ndarray, losses: np.ndarray | None) -> np.ndarray:
        """Return the positions in `rows` to remove, and add one entry to `rounds` if due."""
        raise NotImplementedError

    def on_epoch_begin(self, epoch, logs=None):
        if self.params.get("sampler_version") != self.sampler.version:
            raise RuntimeError(
                f"{type(self).__name__} changes which rows are trained on, which a plain model.fit "
                "does not follow: train with affectkeras.callbacks.training_loop.fit_epochs."
            )

    def on_epoch_end(self, epoch, logs=None):
        number = epoch + 1
        rows = np.array(self.sampler.rows)
        due = self.removal_due(number)
        losses = None
        if self.score is not None and (due or self.score_every_epoch):
            losses = self._clean_losses(rows, number)
        positions = np.empty(0, dtype=np.int64)
        if due:
            positions = self.choose(number, rows, losses)
        removed = np.zeros(len(rows), dtype=bool)
        removed[positions] = True
        if losses is not None:
            self._scores.append((number, rows, losses.astype(np.float32), removed))
        if len(positions):
            self._log(number, rows, losses, positions)
            self.sampler.remove(rows[positions])

    def class_counts(self, rows: np.ndarray) -> np.ndarray:
        """Return how many of the rows each class has, `(classes,)` int."""
        return np.bincount(self.labels[rows], minlength=self.labels.max() + 1)

    def scores(self) -> dict[str, np.ndarray]:
        """Return every score as columns: `epoch`, `row`, `loss`, `removed` (at its end)."""
        epochs = [np.full(len(rows), epoch) for epoch, rows, _, _ in self._scores]
        parts = list(zip(*self._scores, strict=True))[1:] or [(), (), ()]
        return {
            "epoch": _join(epochs, np.int32),
            "row": _join(parts[0], np.int64),
            "loss": _join(parts[1], np.float32),
            "removed": _join(parts[2], bool),
        }

    def get_state(self) -> dict:
        """Return everything needed to go on in another process: arrays and JSON values."""
        state = {f"score_{name}": column for name, column in self.scores().items()}
        return state | {
            "removals": list(self.removals),
            "rounds": list(self.rounds),
            "first_counts": self._first_counts,
        }

    def set_state(self, state: dict) -> None:
        """Put back what `get_state` returned."""
        self.removals = list(state["removals"])
        self.rounds = list(state["rounds"])
        self._first_counts = np.asarray(state["first_counts"])
        epochs = np.asarray(state["score_epoch"])
        self._scores = []
        for epoch in np.unique(epochs):
            here = epochs == epoch
            columns = [np.asarray(state[f"score_{name}"])[here] for name in _SCORED]
            self._scores.append((int(epoch), *columns))

    def _clean_losses(self, rows: np.ndarray, epoch: int) -> np.ndarray:
        losses = np.asarray(self.score(rows), dtype=np.float64)
        if losses.shape != rows.shape:
            raise ValueError(
                f"`score` must return one loss per row, shape {rows.shape}. "
                f"Received: shape {losses.shape}"
            )
        broken = np.flatnonzero(~np.isfinite(losses))
        if len(broken):
            raise UserError(
                f"At the end of epoch {epoch} the loss of {len(broken)} of {len(rows)} training "
                f"rows is not a finite number (first: table row {rows[broken[0]]}). The training "
                "diverged: lower --learning-rate."
            )
        return losses

    def _log(self, epoch, rows, losses, positions) -> None:
        for position in positions:
            self.removals.append(
                {
                    "round": len(self.rounds),
                    "epoch": epoch,
                    "row": int(rows[position]),
                    "loss": float("nan") if losses is None else float(losses[position]),
                    "class": int(self.labels[rows[position]]),
                }
            )


_SCORED = ("row", "loss", "removed")


def class_labels(labels: np.ndarray) -> np.ndarray:
    """Return the labels as a one-dimensional int64 array, or raise `ValueError`."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise ValueError(
            "`labels` must be the class index of every table row: one dimension, integers, none "
            f"negative. Received: shape {labels.shape}, dtype {labels.dtype}"
        )
    return labels.astype(np.int64)


def _join(arrays, dtype) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *arrays]).astype(dtype)

"""Which rows a training run sees, and in which order."""

import numpy as np


class RowSampler:
    """A set of table rows that can shrink, and a repeatable order of it for every epoch.

    Everything downstream follows the rows that flow from here: folds, removal of noisy rows and
    resuming are a matter of indices only. The order of an epoch is a pure function of
    `(rows, seed, epoch)`, so an interrupted run continues exactly as it would have gone on.

    Args:
        rows: table rows, each at most once; their order is kept in `rows`.
        seed: a whole number, 0 or above.
        batch_size: rows per step.
        shuffle: when false, every epoch has the order of `rows`.

    Raises:
        ValueError: when an argument is out of range or a row stands twice.
    """

    def __init__(self, rows, *, seed: int, batch_size: int, shuffle: bool = True):
        rows = np.array(rows, dtype=np.int64)
        if rows.ndim != 1 or len(rows) == 0:
            raise ValueError(
                f"`rows` must be a list of at least one row. Received: shape {rows.shape}"
            )
        values, counts = np.unique(rows, return_counts=True)
        if counts.max() > 1:
            raise ValueError(
                f"`rows` must hold each row once. Received twice: {values[counts > 1][0]}"
            )
        if seed < 0:
            raise ValueError(f"`seed` must be 0 or above. Received: seed={seed}")
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
        self._rows = rows
        self.seed = int(seed)
        self.batch_size = int(batch_size)
        self.shuffle = bool(shuffle)
        self.version = 0

    @property
    def rows(self) -> np.ndarray:
        """The rows still in training, int64 `(rows,)`, in their original order."""
        return self._rows.copy()

    @property
    def steps(self) -> int:
        """Batches per epoch; the last one may be smaller."""
        return -(-len(self._rows) // self.batch_size)

    def __len__(self) -> int:
        return len(self._rows)

    def order(self, epoch: int) -> np.ndarray:
        """Return the rows in the order of that epoch (counted from 0), int64 `(rows,)`."""
        if epoch < 0:
            raise ValueError(f"`epoch` must be 0 or above. Received: epoch={epoch}")
        if not self.shuffle:
            return self.rows
        return np.random.default_rng([self.seed, int(epoch)]).permutation(self._rows)

    def remove(self, rows) -> None:
        """Take rows out for all epochs to come, and count up `version`.

        Raises:
            ValueError: when a row is not present, or nothing would be left.
        """
        rows = np.unique(np.asarray(rows, dtype=np.int64))
        absent = np.setdiff1d(rows, self._rows)
        if len(absent):
            raise ValueError(
                f"`rows` to remove must be present. Received {len(absent)} absent: {absent[:5]}"
            )
        if len(rows) == len(self._rows):
            raise ValueError(f"Removing all {len(rows)} rows would leave nothing to train on.")
        if len(rows):
            self._rows = self._rows[~np.isin(self._rows, rows)]
            self.version += 1

    def get_state(self) -> dict:
        """Return what a resumed run needs: the rows left, the version, and what orders them."""
        return {
            "rows": self.rows,
            "version": self.version,
            "seed": self.seed,
            "batch_size": self.batch_size,
            "shuffle": int(self.shuffle),
        }

    def set_state(self, state: dict) -> None:
        """Take over a state of `get_state`.

        Raises:
            ValueError: when the state was saved under other settings, whose epochs had another
                order.
        """
        for name in ("seed", "batch_size", "shuffle"):
            if int(state[name]) != int(getattr(self, name)):
                raise ValueError(
                    f"The saved state has {name}={int(state[name])}, this run has "
                    f"{name}={int(getattr(self, name))}. Resume with the saved settings."
                )
        self._rows = np.array(state["rows"], dtype=np.int64)
        self.version = int(state["version"])

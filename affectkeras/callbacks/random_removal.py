"""The control of Bimodal Distribution Removal: as many rows of the same classes, but any rows."""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from affectkeras.callbacks.row_removal import RowRemoval


def plan_from_log(removals: Iterable[dict]) -> dict[int, dict[int, int]]:
    """Return epoch (from 1) → class → number of rows removed, of a removal log's entries."""
    counts = Counter((entry["epoch"], entry["class"]) for entry in removals)
    plan: dict[int, dict[int, int]] = {}
    for (epoch, label), count in sorted(counts.items()):
        plan.setdefault(int(epoch), {})[int(label)] = count
    return plan


def draw_rows(
    rows: np.ndarray, labels: np.ndarray, counts: dict[int, int], seed: int, epoch: int
) -> np.ndarray:
    """Return positions in `rows`, drawn at random without replacement, so many of each class.

    Args:
        rows: `(n,)` table rows to draw from.
        labels: `(n,)` int, their classes.
        counts: class → how many.
        seed, epoch: the draw depends on these and on the arguments above only.

    Raises:
        ValueError: where a class has too few rows; at least one must stay.
    """
    # The third number keeps this stream apart from the sampler's order of the epoch.
    generator = np.random.default_rng((seed, epoch, 1))
    drawn = [np.empty(0, np.int64)]
    for label, count in sorted(counts.items()):
        candidates = np.flatnonzero(labels == label)
        if not 0 <= count < len(candidates):
            raise ValueError(
                f"`plan` removes {count} rows of class {label} in epoch {epoch}, but only "
                f"{len(candidates)} of its rows are left and one must stay."
            )
        drawn.append(generator.choice(candidates, size=count, replace=False))
    return np.sort(np.concatenate(drawn))


class RandomRemoval(RowRemoval):
    """Removes rows at random where another run's callback removed them for their losses.

    Without it nobody can tell whether a gain comes from which rows went or from fewer rows.

    Args:
        sampler, labels, score, score_every_epoch: see `RowRemoval`. Without `score` the losses in
            the log are NaN.
        plan: epoch (from 1) → class → number of rows, see `plan_from_log`.
        seed: of the draw.
    """

    def __init__(
        self,
        sampler,
        labels: np.ndarray,
        plan: dict[int, dict[int, int]],
        seed: int,
        *,
        score: Callable[[np.ndarray], np.ndarray] | None = None,
        score_every_epoch: bool = True,
    ):
        super().__init__(sampler, labels, score=score, score_every_epoch=score_every_epoch)
        self.plan = plan
        self.seed = seed

    def removal_due(self, epoch: int) -> bool:
        return epoch in self.plan

    def choose(self, epoch, rows, losses):
        positions = draw_rows(rows, self.labels[rows], self.plan[epoch], self.seed, epoch)
        self.rounds.append({"epoch": epoch, "rows": len(rows), "removed": len(positions)})
        return positions

"""Bimodal Distribution Removal: take the rows with outlying losses out of the training set.

Reference: "Faces Emotion Classification with Bimodal Distribution Removal based on ResNet",
sections 2.3 and 3.2.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from affectkeras.callbacks.removal_rules import RemovalStep, bimodal_removal, limit_per_class
from affectkeras.callbacks.row_removal import RowRemoval

# Section 2.3: "Repeat these steps until the new subset's standard deviation < 0.01".
STOP_DEVIATION = 0.01


class RuleRemoval(RowRemoval):
    """Applies a rule on losses under a limit per class.

    Args:
        sampler, score, labels, score_every_epoch: see `RowRemoval`.
        max_removed_per_class: see `BimodalDistributionRemoval`.
    """

    def __init__(self, sampler, score, labels, *, max_removed_per_class, score_every_epoch):
        if max_removed_per_class is not None and not 0.0 <= max_removed_per_class <= 1.0:
            raise ValueError(
                "`max_removed_per_class` must be a share in [0, 1] or None. "
                f"Received: max_removed_per_class={max_removed_per_class}"
            )
        super().__init__(sampler, labels, score=score, score_every_epoch=score_every_epoch)
        self.max_removed_per_class = max_removed_per_class

    def _take(self, epoch: int, rows: np.ndarray, values: np.ndarray, step: RemovalStep):
        """Record the round and return the positions that the classes' limits leave of it."""
        counts = self.class_counts(rows)
        # A class with no example left could no longer be learned: one always stays.
        allowance = np.maximum(counts - 1, 0)
        if self.max_removed_per_class is not None:
            whole = np.floor(self.max_removed_per_class * self._first_counts + 1e-9).astype(int)
            gone = self._first_counts - counts
            allowance = np.clip(whole - gone, 0, allowance)
        positions = limit_per_class(step.removed, values, self.labels[rows], allowance)
        self.rounds.append(
            {
                "epoch": epoch,
                "rows": len(rows),
                "mean": step.mean,
                "subset_mean": step.subset_mean,
                "subset_std": step.subset_std,
                "threshold": step.threshold,
                "chosen": len(step.removed),
                "removed": len(positions),
            }
        )
        return positions


class BimodalDistributionRemoval(RuleRemoval):
    """Removes outlying training rows by the paper's rule, `bimodal_removal`.

    The first removal happens at the end of epoch 6 counted from 1, that is after the sixth epoch's
    training, because section 3.2 says "the variance began to stabilize after epoch 6, so I chose
    to start using BDR in epoch 6". Rounds are one epoch apart, each on fresh losses: the paper's
    list of steps to repeat begins with training. The paper performs one round "to prevent
    overfitting".

    Differs from the paper: no class ever loses its last row, and a cap per class can be set.

    Args:
        sampler, score, labels, score_every_epoch: see `RowRemoval`.
        k: deviations above the mean of the upper subset (paper: 1).
        start_epoch: the epoch, counted from 1, at whose end the first round happens.
        max_rounds: how many rounds; `None`: until a round finds that the upper subset's standard
            deviation is below 0.01 (that round removes nothing).
        max_removed_per_class: the largest share of a class's first rows that may be removed over
            the whole training, the highest losses first; `None`: no such cap.
    """

    def __init__(
        self,
        sampler,
        score: Callable[[np.ndarray], np.ndarray],
        labels: np.ndarray,
        *,
        k: float = 1.0,
        start_epoch: int = 6,
        max_rounds: int | None = 1,
        max_removed_per_class: float | None = None,
        score_every_epoch: bool = True,
    ):
        if start_epoch < 1:
            raise ValueError(
                f"`start_epoch` must be at least 1 (epochs are counted from 1). "
                f"Received: start_epoch={start_epoch}"
            )
        if max_rounds is not None and max_rounds < 1:
            raise ValueError(
                f"`max_rounds` must be at least 1 or None. Received: max_rounds={max_rounds}"
            )
        if not np.isfinite(k):
            raise ValueError(f"`k` must be a finite number. Received: k={k}")
        super().__init__(
            sampler,
            score,
            labels,
            max_removed_per_class=max_removed_per_class,
            score_every_epoch=score_every_epoch,
        )
        self.k = k
        self.start_epoch = start_epoch
        self.max_rounds = max_rounds

    def removal_due(self, epoch: int) -> bool:
        if epoch < self.start_epoch or (self.rounds and _has_converged(self.rounds[-1])):
            return False
        return self.max_rounds is None or len(self.rounds) < self.max_rounds

    def choose(self, epoch, rows, losses):
        step = bimodal_removal(losses, self.k)
        if step.subset_std is None or step.subset_std < STOP_DEVIATION:
            step = dataclasses.replace(step, removed=np.empty(0, np.int64))
        return self._take(epoch, rows, losses, step)


def _has_converged(entry: dict) -> bool:
    return entry["subset_std"] is None or entry["subset_std"] < STOP_DEVIATION

"""The original of Bimodal Distribution Removal, as far as remembered.

Reference: P. Slade and T. D. Gedeon, "Bimodal Distribution Removal" (1993).
"""

from collections.abc import Callable

import numpy as np

from affectkeras.callbacks.bimodal_distribution_removal import RuleRemoval
from affectkeras.callbacks.removal_rules import slade_gedeon_removal


class SladeGedeonRemoval(RuleRemoval):
    """Removes outlying training rows as remembered of the 1993 original, `slade_gedeon_removal`.

    The error of a row is 1 - p(true class) = 1 - exp(-cross-entropy), so labels must be hard. The
    first round happens at the end of the first epoch, not before `start_epoch`, whose errors have
    a variance of at most `start_variance`; later rounds follow every `period` epochs. When a later
    round finds a variance of at most `stop_variance`, it stops the training instead.

    An untrained softmax gives all rows nearly the same error, so their variance starts near 0: the
    wait for a falling variance only means something once the training has spread the errors.
    `start_epoch` is there for that and is ours.

    Args:
        sampler, score, labels: see `RowRemoval`; every epoch is scored. `score` returns
            cross-entropies here too.
        alpha: in [0, 1], deviations above the mean of the upper subset.
        start_epoch: the first epoch, counted from 1, at whose end a round may happen.
        start_variance, stop_variance: of all errors, which lie in [0, 1].
        period: epochs between rounds.
        max_removed_per_class: see `BimodalDistributionRemoval`.
    """

    def __init__(
        self,
        sampler,
        score: Callable[[np.ndarray], np.ndarray],
        labels: np.ndarray,
        *,
        alpha: float = 0.5,
        start_epoch: int = 6,
        start_variance: float = 0.1,
        stop_variance: float = 0.01,
        period: int = 50,
        max_removed_per_class: float | None = None,
    ):
        if not 0.0 <= alpha <= 1.0:
            raise ValueError(f"`alpha` must be in [0, 1]. Received: alpha={alpha}")
        if start_epoch < 1 or period < 1:
            raise ValueError(
                "`start_epoch` and `period` must be at least 1. "
                f"Received: start_epoch={start_epoch}, period={period}"
            )
        super().__init__(
            sampler,
            score,
            labels,
            max_removed_per_class=max_removed_per_class,
            score_every_epoch=True,
        )
        self.alpha = alpha
        self.start_epoch = start_epoch
        self.start_variance = start_variance
        self.stop_variance = stop_variance
        self.period = period

    def removal_due(self, epoch: int) -> bool:
        if self.rounds:
            return epoch >= self.rounds[-1]["epoch"] + self.period
        return epoch >= self.start_epoch

    def choose(self, epoch, rows, losses):
        errors = 1.0 - np.exp(-np.maximum(losses, 0.0))
        variance = float(errors.var())
        if self.rounds and variance <= self.stop_variance:
            self.model.stop_training = True
            return np.empty(0, np.int64)
        if variance > self.start_variance:
            return np.empty(0, np.int64)
        return self._take(epoch, rows, errors, slade_gedeon_removal(errors, self.alpha))

"""Confidence intervals by resampling whole groups.

Frames of one clip, and predictions of several seeds for one row, are not independent: resampling
single rows makes intervals too narrow. Here a group (with all its rows and seeds) is drawn or not
(the cluster bootstrap; Davison & Hinkley 1997, section 3.8). Every metric is a function of sums
over rows, so a repetition is one weighted sum of group totals and no row is touched twice.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from affectkeras.evaluation.metrics import confusion_matrix, macro_f1_of

# 4 million drawn group numbers at a time: 32 MB.
DRAWS_AT_ONCE = 4_000_000


@dataclasses.dataclass(frozen=True)
class Interval:
    """A percentile interval: `low` and `high` are NaN where `reason` says why there is none."""

    low: float
    high: float
    level: float
    groups: int
    reason: str = ""


def bootstrap_interval(
    values: np.ndarray,
    groups: np.ndarray,
    *,
    metric: Callable[[np.ndarray], np.ndarray] | None = None,
    repetitions: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return the interval of the mean of `values`, or of a metric of their sums.

    Args:
        values: `(rows,)`, such as 1 for a right and 0 for a wrong prediction; with `metric`,
            `(rows, sums)` or any further axes.
        groups: `(rows,)`, the group of each row.
        metric: maps summed values `(repetitions, …)` to `(repetitions,)`.
        repetitions, seed, level: of the bootstrap.
    """
    values, groups = np.asarray(values, dtype=float), np.asarray(groups)
    if len(values) != len(groups) or not len(values):
        raise ValueError(
            "`values` and `groups` must be of one length, at least 1. "
            f"Received: lengths {len(values)} and {len(groups)}"
        )
    if metric is None:
        if values.ndim != 1:
            raise ValueError(
                f"`values` must have the shape (rows,) without a `metric`. Received: {values.shape}"
            )
        values, metric = np.stack([values, np.ones_like(values)], axis=1), _mean
    names, code = np.unique(groups, return_inverse=True)
    totals = np.zeros((len(names), *values.shape[1:]))
    np.add.at(totals, code, values)
    return bootstrap_totals(totals, metric, repetitions=repetitions, seed=seed, level=level)


def macro_f1_interval(
    true: np.ndarray, predicted: np.ndarray, groups: np.ndarray, classes: int, **options
) -> Interval:
    """Return the interval of the macro F1 of class indices; options as `bootstrap_totals`."""
    totals = group_confusions(true, predicted, groups, classes)
    return bootstrap_totals(totals, macro_f1_of, **options)


def group_confusions(
    true: np.ndarray, predicted: np.ndarray, groups: np.ndarray, classes: int
) -> np.ndarray:
    """Return a confusion matrix per group, `(groups, classes, classes)`, groups sorted."""
    confusion_matrix(true, predicted, classes)  # checks the labels
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    cell = (code * classes + np.asarray(true)) * classes + np.asarray(predicted)
    counts = np.bincount(cell, minlength=len(names) * classes * classes)
    return counts.reshape(len(names), classes, classes)


def bootstrap_totals(
    totals: np.ndarray,
    metric: Callable[[np.ndarray], np.ndarray],
    *,
    repetitions: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return the percentile interval of `metric` over resampled groups.

    Args:
        totals: `(groups, …)`, what each group adds to the sums the metric is made of.
        metric: maps `(repetitions, …)` resampled sums to `(repetitions,)`.
        repetitions: how many times as many groups as there are, are drawn with replacement.
        seed: the same seed gives the same interval.
        level: the share of the resampled metrics inside.
    """
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1). Received: level={level}")
    groups = len(totals)
    if groups < 2:
        reason = "one group only: nothing tells how another group would have come out"
        return Interval(math.nan, math.nan, level, groups, reason)
    flat = np.asarray(totals, dtype=float).reshape(groups, -1)
    generator = np.random.default_rng(seed)
    at_once = max(1, DRAWS_AT_ONCE // groups)
    found = []
    for start in range(0, repetitions, at_once):
        number = min(at_once, repetitions - start)
        drawn = generator.integers(groups, size=(number, groups))
        drawn += np.arange(number)[:, None] * groups
        times = np.bincount(drawn.ravel(), minlength=number * groups).reshape(number, groups)
        sums = times.astype(float) @ flat
        found.append(metric(sums.reshape(number, *np.shape(totals)[1:])))
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail])
    return Interval(float(low), float(high), level, groups)


def _mean(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]

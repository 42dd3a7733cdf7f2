"""Intervals that a share and its number of rows allow, where the rows themselves are unknown.

They take the rows as independent. Frames of one film are not, so for these the truth is wider; our
own figures have the interval of `intervals`, which resamples groups.
"""

import math

from scipy.stats import norm


def wilson_interval(share: float, rows: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a share (Wilson 1927; Newcombe 1998a, method 3).

    Args:
        share: such as an accuracy, in [0, 1]; as published, so it need not be a whole count.
        rows: how many rows it was measured on.
        level: how often such intervals hold the true share.
    """
    _check(share, rows, level)
    z = norm.ppf((1 + level) / 2)
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    reach = z / (1 + z**2 / rows) * math.sqrt(share * (1 - share) / rows + (z / (2 * rows)) ** 2)
    # At 0 and 1 rounding alone would leave the range, or miss its end.
    low = 0.0 if share == 0 else max(0.0, middle - reach)
    return low, 1.0 if share == 1 else min(1.0, middle + reach)


def difference_interval(
    share: float, other: float, rows: int, other_rows: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of `share - other`, two shares of independent samples.

    Newcombe 1998b, "Interval Estimation for the Difference Between Independent Proportions",
    method 10: the two Wilson intervals, joined. Two models on the same rows are not independent
    samples; where only their shares are published, nothing better can be computed.
    """
    low, high = wilson_interval(share, rows, level)
    other_low, other_high = wilson_interval(other, other_rows, level)
    difference = share - other
    return (
        difference - math.hypot(share - low, other_high - other),
        difference + math.hypot(high - share, other - other_low),
    )


def _check(share: float, rows: int, level: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"`share` must be in [0, 1]. Received: share={share}")
    if rows < 1:
        raise ValueError(f"`rows` must be at least 1. Received: rows={rows}")
    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1). Received: level={level}")

"""Metrics of numbers as functions of sums over rows, so that groups are drawn without their rows.

What `number_metrics` computes from a series, these compute from eight sums, which add up over
groups. A variance from sums is a small difference of large numbers. So both series are centred on
their medians, the sums of squares of each group are taken about its own means, and what rounding
leaves of a variance (`ROUNDING`) counts as none: a constant series has CCC 0 and no PCC, as in
`number_metrics`, in any draw of groups.
"""

import numpy as np

# Of sums `(…, SUMS)` along the last axis: rows, truth and prediction (both centred), their squares
# and product, truth less prediction and its square (neither centred).
N, TRUE, PREDICTED, TRUE_SQUARE, PREDICTED_SQUARE, PRODUCT, APART, APART_SQUARE = range(8)
SUMS = 8
# A variance below this share of the mean square is one of equal numbers: in sums of doubles
# rounding leaves about 1e-15. It is a spread of 3 in 10 million about a mean of 1.
ROUNDING = 1e-13


def number_sums(
    true: np.ndarray,
    predicted: np.ndarray,
    groups: np.ndarray,
    seeds: np.ndarray,
    shape: tuple[int, int],
) -> np.ndarray:
    """Return what each group and seed adds to the sums, `(groups, seeds, SUMS)`.

    Args:
        true, predicted: numbers `(rows,)`, finite.
        groups, seeds: `(rows,)`, the index of each row's group and seed.
        shape: how many groups and seeds there are.
    """
    true, predicted = np.asarray(true, dtype=float), np.asarray(predicted, dtype=float)
    for name, values in (("true", true), ("predicted", predicted)):
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise ValueError(f"`{name}` must be finite. Received: {values[row]} in row {row}")
    cells = np.ravel_multi_index((np.asarray(groups), np.asarray(seeds)), shape)
    count = np.bincount(cells, minlength=int(np.prod(shape))).astype(float)
    means, squares, deviations = [], [], []
    for values in (true, predicted):
        mean, deviation = _centre(values - np.median(values), cells, count)
        means.append(mean)
        deviations.append(deviation)
        squares.append(_sum(deviation**2, cells, count) + count * mean**2)
    product = _sum(deviations[0] * deviations[1], cells, count) + count * means[0] * means[1]
    apart = true - predicted
    ends = (product, _sum(apart, cells, count), _sum(apart**2, cells, count))
    sums = np.stack([count, count * means[0], count * means[1], *squares, *ends], axis=-1)
    return sums.reshape(*shape, SUMS)


def mse_of(sums: np.ndarray) -> np.ndarray:
    """Return the mean squared error of sums `(…, SUMS)`, shape `(…)`; NaN without rows."""
    return _ratio(sums[..., APART_SQUARE], sums[..., N])


def rmse_of(sums: np.ndarray) -> np.ndarray:
    """Return the root of the mean squared error of sums `(…, SUMS)`, shape `(…)`."""
    return np.sqrt(mse_of(sums))


def pcc_of(sums: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation of sums `(…, SUMS)`; NaN where a series is constant."""
    true, predicted, together = _moments(sums)
    return np.clip(_ratio(together, np.sqrt(true * predicted)), -1, 1)


def ccc_of(sums: np.ndarray) -> np.ndarray:
    """Return Lin's concordance of sums `(…, SUMS)`, by the rules of `number_metrics`.

    0 where one series is constant; NaN without rows, and where both are constant and equal.
    """
    true, predicted, together = _moments(sums)
    apart = _ratio(sums[..., APART], sums[..., N])
    found = _ratio(2 * together, true + predicted + apart**2)
    both = (true == 0) & (predicted == 0)
    found = np.where((true == 0) | (predicted == 0), 0.0, found)
    undefined = (both & (sums[..., APART_SQUARE] == 0)) | (sums[..., N] == 0)
    return np.where(undefined, np.nan, found)


# All are pooled: every row counts as much, whatever its group.
NUMBER_METRICS = {"mse": mse_of, "rmse": rmse_of, "pcc": pcc_of, "ccc": ccc_of}


def _moments(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both variances, exactly 0 for equal numbers, and the covariance."""
    count = sums[..., N]
    means = [_ratio(sums[..., place], count) for place in (TRUE, PREDICTED)]
    variances = []
    for place, mean in zip((TRUE_SQUARE, PREDICTED_SQUARE), means, strict=True):
        square = _ratio(sums[..., place], count)
        variance = square - mean**2
        variances.append(np.where(variance <= ROUNDING * square, 0.0, variance))
    return *variances, _ratio(sums[..., PRODUCT], count) - means[0] * means[1]


def _centre(values: np.ndarray, cells: np.ndarray, count: np.ndarray):
    """Return the mean of every cell, and how far each row lies from its own."""
    lowest, highest = np.full(len(count), np.inf), np.full(len(count), -np.inf)
    np.minimum.at(lowest, cells, values)
    np.maximum.at(highest, cells, values)
    # The mean of equal numbers is rarely exactly one of them.
    means = np.where(lowest == highest, lowest, _ratio(_sum(values, cells, count), count))
    means = np.where(count > 0, means, 0.0)
    return means, values - means[cells]


def _sum(values: np.ndarray, cells: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.bincount(cells, weights=values, minlength=len(count))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    out = np.full(numerator.shape, np.nan)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)

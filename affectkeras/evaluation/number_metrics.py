"""Metrics of numbers such as valence and arousal, as pure functions of truth and prediction.

A concordance may be pooled (all rows together) or taken per video or subject and averaged; the two
differ and a figure says nothing without the choice: `concordance` pools, `by_group` averages.
"""

import dataclasses
from collections.abc import Callable

import numpy as np


def mean_squared_error(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean of the squared differences, in the squared unit of the target."""
    true, predicted = _paired(true, predicted)
    return float(np.mean((true - predicted) ** 2))


def root_mean_squared_error(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the root of the mean squared error, in the target's unit."""
    return float(np.sqrt(mean_squared_error(true, predicted)))


def pearson_correlation(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return Pearson's correlation coefficient (PCC); NaN where either series is constant."""
    true, predicted = _paired(true, predicted)
    if _is_constant(true) or _is_constant(predicted):
        return float("nan")
    one, other = true - true.mean(), predicted - predicted.mean()
    # Each is scaled first: products of tiny or huge deviations leave the range of floats.
    one, other = one / np.abs(one).max(), other / np.abs(other).max()
    found = (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum())
    return float(np.clip(found, -1, 1))


def concordance(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return Lin's concordance correlation coefficient (CCC) over all rows together.

    `2 s_tp / (s_t² + s_p² + (mean_t - mean_p)²)` with moments that divide by the number of rows
    (Lin 1989, "A Concordance Correlation Coefficient to Evaluate Reproducibility", section 2.4).

    Where one series is constant nothing varies together and the figure is 0, as the formula says,
    however near the two lie. Where both are constant and equal it is 0 / 0: NaN.
    """
    true, predicted = _paired(true, predicted)
    constant = _is_constant(true), _is_constant(predicted)
    if all(constant):
        return float("nan") if true[0] == predicted[0] else 0.0
    if any(constant):
        return 0.0
    offset = true.mean() - predicted.mean()
    covariance = np.mean((true - true.mean()) * (predicted - predicted.mean()))
    return float(2 * covariance / (true.var() + predicted.var() + offset**2))


@dataclasses.dataclass(frozen=True)
class GroupFigures:
    """A metric of each group.

    Args:
        values: group → figure; NaN where the metric has none, such as the CCC of two equal
            constants.
        mean: the unweighted mean over the groups that have a figure; NaN where none has.
    """

    values: dict[str, float]
    mean: float

    @property
    def undefined(self) -> list[str]:
        """The groups without a figure, which `mean` leaves out."""
        return [name for name, value in self.values.items() if np.isnan(value)]


def by_group(
    metric: Callable[[np.ndarray, np.ndarray], float],
    true: np.ndarray,
    predicted: np.ndarray,
    groups: np.ndarray,
) -> GroupFigures:
    """Return a metric of each group's rows alone, and the mean over groups.

    Args:
        metric: such as `concordance`, of a group's `true` and `predicted`.
        true, predicted: numbers `(rows,)`.
        groups: `(rows,)`, such as the video or the subject of each row. Groups of one row or with
            constant truth stay in: their CCC is 0, or NaN, by the rule of `concordance`.
    """
    true, predicted = _paired(true, predicted)
    groups = np.asarray(groups)
    if groups.shape != true.shape:
        raise ValueError(
            f"`groups` must have the shape {true.shape}, a name for each row. "
            f"Received: shape={groups.shape}"
        )
    names, code = np.unique(groups, return_inverse=True)
    order = np.argsort(code, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(code))[:-1])
    values = {
        str(name): metric(true[rows], predicted[rows])
        for name, rows in zip(names, parts, strict=True)
    }
    defined = [value for value in values.values() if not np.isnan(value)]
    return GroupFigures(values, float(np.mean(defined)) if defined else float("nan"))


def _is_constant(values: np.ndarray) -> bool:
    # By comparison: the variance of equal numbers is rarely exactly 0.
    return bool((values == values[0]).all())


def _paired(true: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    true, predicted = np.asarray(true, dtype=float), np.asarray(predicted, dtype=float)
    if true.shape != predicted.shape or true.ndim != 1 or not len(true):
        raise ValueError(
            "`true` and `predicted` must be numbers of one length, at least 1. "
            f"Received: shapes {true.shape} and {predicted.shape}"
        )
    for name, values in (("true", true), ("predicted", predicted)):
        if not np.isfinite(values).all():
            raise ValueError(
                f"`{name}` must be finite. Received: {values[~np.isfinite(values)][0]} in row "
                f"{int(np.argmin(np.isfinite(values)))}"
            )
    return true, predicted

"""Which patterns to remove, given their losses: pure functions on arrays.

References: "Faces Emotion Classification with Bimodal Distribution Removal based on ResNet",
section 2.3; P. Slade and T. D. Gedeon, "Bimodal Distribution Removal" (1993).
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class RemovalStep:
    """One round of a removal rule.

    Args:
        removed: int64 indices into the losses, ascending.
        mean: M1, the mean of all losses.
        subset_mean: M2, the mean of the losses strictly above M1; `None` where there are none.
        subset_std: their population standard deviation (ddof 0); `None` where there are none.
        threshold: the loss at which removal starts; `None` where no loss is above M1.
    """

    removed: np.ndarray
    mean: float
    subset_mean: float | None
    subset_std: float | None
    threshold: float | None


def bimodal_removal(losses: np.ndarray, k: float = 1.0) -> RemovalStep:
    """Choose the patterns whose loss is strictly greater than `M2 + k * std2` (section 2.3).

    Args:
        losses: `(patterns,)`, finite.
        k: how many deviations above the subset's mean; the paper uses 1.

    Raises:
        ValueError: for no losses, losses that are not finite, or a `k` that is not.
    """
    if not np.isfinite(k):
        raise ValueError(f"`k` must be a finite number. Received: k={k}")
    losses = _finite_losses(losses, "losses")
    mean, subset_mean, subset_std = _upper_part(losses)
    if subset_mean is None:
        return RemovalStep(np.empty(0, np.int64), mean, None, None, None)
    threshold = subset_mean + k * subset_std
    return RemovalStep(np.flatnonzero(losses > threshold), mean, subset_mean, subset_std, threshold)


def slade_gedeon_removal(errors: np.ndarray, alpha: float) -> RemovalStep:
    """Choose patterns as the 1993 original does: error >= subset mean + alpha * its deviation.

    Written from memory of Slade and Gedeon (1993), whose text was not at hand. It differs from the
    later paper's rule in the error (1 - p of the true class, not cross-entropy), in `>=`, in alpha
    between 0 and 1, and in its starting and stopping by the variance of all errors (see
    `SladeGedeonRemoval`).

    Args:
        errors: `(patterns,)` in [0, 1].
        alpha: in [0, 1].

    Raises:
        ValueError: for no errors, errors outside [0, 1], or such an `alpha`.
    """
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"`alpha` must be in [0, 1]. Received: alpha={alpha}")
    errors = _finite_losses(errors, "errors")
    if errors.min() < 0.0 or errors.max() > 1.0:
        raise ValueError(
            f"`errors` must be in [0, 1]. Received: {errors.min():.4g} to {errors.max():.4g}"
        )
    mean, subset_mean, subset_std = _upper_part(errors)
    if subset_mean is None:
        return RemovalStep(np.empty(0, np.int64), mean, None, None, None)
    threshold = subset_mean + alpha * subset_std
    removed = np.flatnonzero((errors >= threshold) & (errors > mean))
    return RemovalStep(removed, mean, subset_mean, subset_std, threshold)


def limit_per_class(
    removed: np.ndarray, losses: np.ndarray, classes: np.ndarray, allowance: np.ndarray
) -> np.ndarray:
    """Return those of the indices that may go when each class may lose only so many.

    Args:
        removed: indices into `losses` that a rule chose.
        losses: `(patterns,)`; the highest go first, of equal ones the lower index.
        classes: `(patterns,)` int.
        allowance: `(classes,)` int, how many patterns of each class may go.

    Returns:
        Ascending indices.
    """
    removed = np.asarray(removed, dtype=np.int64)
    by_loss = removed[np.lexsort((removed, -losses[removed]))]
    kept = [by_loss[classes[by_loss] == label][:count] for label, count in enumerate(allowance)]
    return np.sort(np.concatenate([np.empty(0, np.int64), *kept]))


def _finite_losses(losses: np.ndarray, name: str) -> np.ndarray:
    losses = np.asarray(losses, dtype=np.float64)
    if losses.ndim != 1 or not len(losses):
        raise ValueError(
            f"`{name}` must be one number per pattern, at least one. Received: shape {losses.shape}"
        )
    broken = np.flatnonzero(~np.isfinite(losses))
    if len(broken):
        raise ValueError(
            f"`{name}` must be finite. Received: {losses[broken[0]]} at index {broken[0]} "
            f"({len(broken)} such values)"
        )
    return losses


def _upper_part(losses: np.ndarray) -> tuple[float, float | None, float | None]:
    """Return M1, and M2 and std2 of the losses strictly above it (None where there are none)."""
    mean, _ = _mean_and_deviation(losses)
    subset = losses[losses > mean]
    if not len(subset):
        return mean, None, None
    return mean, *_mean_and_deviation(subset)


def _mean_and_deviation(values: np.ndarray) -> tuple[float, float]:
    # The rounded mean of equal numbers can lie below them, which would put all of them "strictly
    # above the mean"; equal numbers are therefore answered exactly.
    if values.min() == values.max():
        return float(values[0]), 0.0
    return float(values.mean()), float(values.std(ddof=0))

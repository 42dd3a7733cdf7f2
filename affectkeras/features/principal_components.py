"""Principal components: many values of a picture as the few sums in which pictures differ most."""

import dataclasses

import numpy as np

LEAST = 1e-12  # of the largest variance: what is below is rounding


@dataclasses.dataclass(frozen=True, eq=False)
class Components:
    """What was found on some rows.

    Args:
        mean: `(values,)`.
        axes: `(components, values)`, orthonormal, the largest variance first; each has its largest
            entry above zero.
        variances: `(components,)`, of the rows along each.
    """

    mean: np.ndarray
    axes: np.ndarray
    variances: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the components of rows `(rows, values)`: float64 `(rows, components)`."""
        return (values - self.mean) @ self.axes.T


def find_components(
    values: np.ndarray, *, count: int | None = None, share: float = 1.0
) -> Components:
    """Return the principal components of rows.

    Args:
        values: `(rows, values)`, of training rows alone.
        count: how many at most; None: as many as `share` needs.
        share: of the variance that they hold at least, in (0, 1], unless `count` forbids.

    Raises:
        ValueError: for a count below 1, a share that is none, or fewer than two rows.
    """
    if not 0 < share <= 1 or (count is not None and count < 1):
        raise ValueError(
            "`share` must be in (0, 1] and `count` at least 1 or None. "
            f"Received: share={share}, count={count}"
        )
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        raise ValueError(f"`values` must have at least 2 rows. Received: shape {values.shape}")
    mean = values.mean(axis=0)
    centred = values - mean
    rows, width = centred.shape
    # The eigenvectors of the smaller of the two matrices of products tell those of the other.
    small = centred.T @ centred if width < rows else centred @ centred.T
    variances, vectors = np.linalg.eigh(small / (rows - 1))
    variances, vectors = variances[::-1].clip(0), vectors[:, ::-1]
    kept = variances > LEAST * max(variances[0], 1e-300)
    if width < rows:
        axes = vectors.T
    else:
        axes = vectors.T @ centred / np.sqrt((rows - 1) * np.maximum(variances, 1e-300))[:, None]
    held = np.cumsum(variances) / max(variances.sum(), 1e-300)
    wanted = int(np.searchsorted(held, share - 1e-12)) + 1
    wanted = max(1, min(wanted, int(kept.sum()), len(variances) if count is None else count))
    axes = axes[:wanted]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return Components(mean, axes * np.sign(largest), variances[:wanted])

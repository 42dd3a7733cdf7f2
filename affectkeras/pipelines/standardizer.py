"""Means and scales of features, fitted on training rows only."""

import dataclasses

import numpy as np

from affectkeras.evaluation.seal import Seal


@dataclasses.dataclass(frozen=True)
class Standardizer:
    """Subtracts a mean and divides by a standard deviation, per feature.

    Args:
        mean, scale: of each feature, broadcast over the leading axes.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, rows: np.ndarray, seal: Seal) -> "Standardizer":
        """Return the standardizer of training rows.

        Args:
            values: `(table rows, …, features)`; NaN (missing) is left out of mean and scale.
            rows: the training rows.
            seal: of the training; it refuses rows beyond the training part.

        Raises:
            affectkeras.evaluation.seal.Leak: when a row is no training row.
            ValueError: when a feature has no value in these rows.
        """
        seal.fit("normalisation", "mean and standard deviation", rows)
        flat = np.asarray(values)[rows].reshape(-1, np.shape(values)[-1]).astype(np.float64)
        empty = np.flatnonzero(np.isnan(flat).all(axis=0))
        if len(empty):
            raise ValueError(
                "`values` must hold a number for every feature in the training rows. "
                f"Received: none for the features {empty.tolist()}"
            )
        scale = np.nanstd(flat, axis=0)
        # A constant feature stays where it is instead of being blown up.
        return cls(np.nanmean(flat, axis=0), np.where(scale > 0, scale, 1.0))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the values with mean 0 and deviation 1 over the training rows, float32."""
        return ((np.asarray(values) - self.mean) / self.scale).astype(np.float32)

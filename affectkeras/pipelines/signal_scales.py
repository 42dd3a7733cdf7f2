"""The scale of a subject's own signals: what is much and what is little for this person."""

import dataclasses
from typing import Literal, get_args

import numpy as np

Scale = Literal["none", "subject", "rank"]
SCALES = get_args(Scale)
# A standard deviation below this share of the mean is rounding, not a signal.
STILL = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class SubjectScale:
    """How one channel of one subject is scaled.

    Args:
        mean, deviation: of all the subject's values; NaN where there are none.
        ranked: for ranks all the values in ascending order, else None.
    """

    mean: float
    deviation: float
    ranked: np.ndarray | None = None

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return values on the subject's scale, NaN where they are missing; the shape is kept."""
        if self.ranked is None:
            return (values - self.mean) / self.deviation
        if not len(self.ranked):
            return np.full_like(values, np.nan)
        below = np.searchsorted(self.ranked, values, side="left")
        upto = np.searchsorted(self.ranked, values, side="right")
        share = (below + upto) / (2 * len(self.ranked))
        # Even between -√3 and √3: mean 0, deviation 1.
        spread = ((share - 0.5) * np.sqrt(12)).astype(np.float32)
        return np.where(np.isnan(values), np.float32(np.nan), spread)


def subject_scale(parts: list[np.ndarray], how: Scale) -> SubjectScale:
    """Return the scale of all that is there of a subject's channel.

    Args:
        parts: values of the subject's recordings, without NaN.
        how: `"subject"`: the mean is taken off, and what is left divided by the standard deviation
            (divisor n; 1 where the channel stands still). `"rank"`: a value becomes the share of
            the subject's values below it (ties count half), spread evenly between -√3 and √3, so
            that it has mean 0 and deviation 1 whatever its distribution was: one burst of skin
            conductance then does not make all else look still.
    """
    values = np.concatenate(parts) if parts else np.empty(0)
    if not len(values):
        return SubjectScale(np.nan, np.nan, np.empty(0) if how == "rank" else None)
    mean, deviation = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    if deviation <= STILL * abs(mean):
        deviation = 1.0
    return SubjectScale(mean, deviation, np.sort(values) if how == "rank" else None)

"""Which maps do the work of others: the angle between their activations over the data.

Source: Gedeon & Harris, "Network reduction techniques", 1991, and "Emotion Detection through Static
Images using Pruned Convolutional Neural Networks" (section 3.2). A map is a vector with a
coordinate per sample; scaled to [-0.5, 0.5], vectors close to 0° do the same and vectors close to
180° cancel.

Pure functions of arrays: no model is needed. `activations` reads them from one.
"""

import dataclasses
from typing import Literal

import numpy as np

from affectkeras.pruning.plan import Constant, Merge

# A map whose values span less than this share of the widest map's span says the same of every
# sample.
CONSTANT_SPAN = 1e-6


class Moments:
    """What all angles need of the activations, gathered in one pass over data of any size.

    Holds the Gram matrix of the raw activations, their sums and their extremes in float64; scaling
    every map afterwards is algebra.

    Args:
        maps: how many maps there are.
    """

    def __init__(self, maps: int):
        self.count = 0
        self.gram = np.zeros((maps, maps))
        self.sums = np.zeros(maps)
        self.low = np.full(maps, np.inf)
        self.high = np.full(maps, -np.inf)

    def add(self, activations: np.ndarray) -> None:
        """Take in more coordinates of every map, `(coordinates, maps)`.

        Raises:
            ValueError: for another number of maps, or values that are not finite.
        """
        activations = np.asarray(activations, dtype=np.float64)
        if activations.ndim != 2 or activations.shape[1] != len(self.sums):
            raise ValueError(
                f"`activations` must have the shape (coordinates, {len(self.sums)}). "
                f"Received: {activations.shape}"
            )
        if not len(activations):
            return
        if not np.isfinite(activations).all():
            raise ValueError("`activations` must be finite. Received: NaN or infinite values")
        self.count += len(activations)
        self.gram += activations.T @ activations
        self.sums += activations.sum(axis=0)
        self.low = np.minimum(self.low, activations.min(axis=0))
        self.high = np.maximum(self.high, activations.max(axis=0))

    def part(self, maps: np.ndarray) -> "Moments":
        """Return the moments of some of the maps, `(maps,)` integers."""
        found = Moments(len(maps))
        found.count, found.gram = self.count, self.gram[np.ix_(maps, maps)]
        found.sums, found.low, found.high = self.sums[maps], self.low[maps], self.high[maps]
        return found

    @property
    def means(self) -> np.ndarray:
        """The mean activation of each map, `(maps,)`."""
        return self.sums / self.count

    @property
    def constant(self) -> np.ndarray:
        """Whether each map says the same of every sample, `(maps,)`: dead maps among them."""
        span = self.high - self.low
        return span <= CONSTANT_SPAN * max(span.max(), np.finfo(float).tiny)


def angles(moments: Moments) -> np.ndarray:
    """Return the angle between every two scaled maps in degrees, `(maps, maps)`.

    Each map is scaled to [-0.5, 0.5] by its least and greatest value (section 3.2), so that angles
    span 0° to 180°. A constant map has no direction: NaN.

    Raises:
        ValueError: when no activation was taken in.
    """
    _demand(moments)
    span = np.where(moments.constant, 1.0, moments.high - moments.low)
    scale, shift = 1 / span, -moments.low / span - 0.5
    # (a·x + b)·(c·y + d) over all coordinates, from the sums of x·y, x and y.
    cross = np.outer(scale * moments.sums, shift)
    inner = np.outer(scale, scale) * moments.gram + cross + cross.T
    inner += moments.count * np.outer(shift, shift)
    return _degrees(inner, moments.constant)


def correlations(moments: Moments) -> np.ndarray:
    """Return Pearson's correlation of every two maps, `(maps, maps)`; NaN for a constant map.

    To be read beside the angles: rarely active maps look alike by angle for their zeros alone.
    """
    _demand(moments)
    covariance = moments.gram - np.outer(moments.sums, moments.sums) / moments.count
    return np.cos(np.radians(_degrees(covariance, moments.constant)))


@dataclasses.dataclass(frozen=True)
class Found:
    """What a threshold finds among maps.

    Args:
        removed: the maps that go, ascending.
        merges: similar pairs: the source goes, the target takes its weights over. Where a target
            went in a later round, what took its place is named.
        constants: what the removed maps of complementary pairs and constant maps, and those merged
            into them before, leave behind in the biases that follow.
        similar, complementary: the pairs, closest first: `(kept, removed)` and both removed.
    """

    removed: tuple[int, ...]
    merges: tuple[Merge, ...]
    constants: tuple[Constant, ...]
    similar: tuple[tuple[int, int], ...]
    complementary: tuple[tuple[int, int], ...]


def choose_maps(
    moments: Moments,
    threshold: float,
    *,
    scale: Literal["sum", "least-squares"] = "sum",
    complementary: bool = True,
    rounds: int = 1,
    matrix: np.ndarray | None = None,
) -> Found:
    """Return which maps go at a threshold angle.

    Pairs are taken from the closest to 0° or 180° on (the lower numbers first where equal), and
    each map is used once. Of a similar pair the higher number goes and its outgoing weights are
    added to the other's. Of a complementary pair both go, having cancelled each other out
    (section 3.2). Constant maps go as well. One map always stays. Further rounds do the same among
    the maps that are left.

    Differs from the paper: what a complementary pair adds up to, and a constant map's value, is not
    lost but goes into the biases that follow.

    Args:
        moments: of the maps.
        threshold: in degrees, [0, 90): below it maps are similar, above 180 - `threshold`
            complementary (Table 1: 8 and 10).
        scale: of a merge: `"sum"` adds the weights as published; `"least-squares"` multiplies them
            by the factor that fits the source best, for the angle does not see sizes.
        complementary: whether complementary pairs go.
        rounds: how often pairs are taken (paper: once, so that at most half of the maps that
            differ from zero go by similarity).
        matrix: `angles(moments)`, where it is at hand already.

    Raises:
        ValueError: for a threshold or scale out of range.
    """
    if not 0 <= threshold < 90:
        raise ValueError(f"`threshold` must be in [0, 90) degrees. Received: {threshold}")
    if scale not in ("sum", "least-squares"):
        raise ValueError(f"`scale` must be 'sum' or 'least-squares'. Received: {scale!r}")
    if rounds < 1:
        raise ValueError(f"`rounds` must be at least 1. Received: {rounds}")
    matrix = angles(moments) if matrix is None else matrix
    removed = set(np.flatnonzero(moments.constant).tolist())
    similar, cancelling = [], []
    pairs = list(_pairs(matrix, threshold, complementary))
    for _ in range(rounds):
        left = set(range(len(matrix))) - removed
        for one, other, opposite in pairs:
            if one not in left or other not in left:
                continue
            left -= {one, other}
            (cancelling if opposite else similar).append((one, other))
            removed |= {one, other} if opposite else {other}
    if len(removed) == len(matrix):
        removed.discard(_last_to_go(cancelling, removed))
    gram = moments.gram
    stand_ins = {
        other: (one, float(gram[one, other] / gram[one, one]) if scale == "least-squares" else 1.0)
        for one, other in similar
    }
    merges, constants = _settle(removed, stand_ins, moments.means)
    return Found(tuple(sorted(removed)), merges, constants, tuple(similar), tuple(cancelling))


def _settle(
    removed: set[int], stand_ins: dict[int, tuple[int, float]], means: np.ndarray
) -> tuple[tuple[Merge, ...], tuple[Constant, ...]]:
    """Return where the weights of each removed map end, through all that stood in for it."""
    merges, constants = [], []
    for source in [*stand_ins, *sorted(removed - stand_ins.keys())]:
        target, factor = source, 1.0
        while target in stand_ins:
            target, scale = stand_ins[target]
            factor *= scale
        if target in removed:
            constants.append(Constant(source, factor * float(means[target])))
        else:
            merges.append(Merge(source, target, factor))
    constants.sort(key=lambda one: one.channel)
    return tuple(merges), tuple(constants)


def _last_to_go(cancelling: list[tuple[int, int]], removed: set[int]) -> int:
    return cancelling[-1][0] if cancelling else min(removed)


def _pairs(matrix: np.ndarray, threshold: float, complementary: bool):
    """Return `(one, other, opposite)` of the pairs within the threshold, the closest first."""
    one, other = np.triu_indices(len(matrix), 1)
    angle = matrix[one, other]
    opposite = angle > 90
    distance = np.where(opposite, 180 - angle, angle)
    near = distance < threshold  # False where the angle is NaN
    if not complementary:
        near &= ~opposite
    one, other, opposite, distance = (part[near] for part in (one, other, opposite, distance))
    # Rounded, so that equal pairs come in the order of their numbers on every machine.
    order = np.lexsort((other, one, np.round(distance, 6)))
    return zip(one[order].tolist(), other[order].tolist(), opposite[order].tolist(), strict=True)


def _degrees(inner: np.ndarray, constant: np.ndarray) -> np.ndarray:
    norms = np.sqrt(np.maximum(np.diag(inner), 0))
    norms = np.where(norms > 0, norms, 1)
    cosine = np.clip(inner / np.outer(norms, norms), -1, 1)
    found = np.degrees(np.arccos(cosine))
    np.fill_diagonal(found, 0)
    found[constant] = np.nan
    found[:, constant] = np.nan
    return found


def _demand(moments: Moments) -> None:
    if not moments.count:
        raise ValueError("`moments` must have taken in activations. Received: none")

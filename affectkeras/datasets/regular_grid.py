"""Samples with times of their own, set on a steady grid: what is not steady in them is counted."""

import dataclasses

import numpy as np

from affectkeras.datasets.recordings import Signal

# A day: no recording of one session is longer, and a grid that reaches to a time written wrong
# (the year 1970, milliseconds among seconds) would not fit into memory.
REACH_S = 86_400.0


@dataclasses.dataclass(frozen=True)
class GridCounts:
    """What stood in the way of a steady grid, and how often.

    Args:
        untimed: samples without a finite time: left out.
        far: samples more than a day from the middle one: left out.
        decreasing: samples whose time lies before that of the sample above them: sorted in.
        repeated: samples whose time another sample has already: averaged with it.
        shared: slots into which samples of different times fell: their mean is kept.
        empty: slots between the first sample and the last into which none fell: missing.
        gaps: runs of such slots.
    """

    untimed: int = 0
    far: int = 0
    decreasing: int = 0
    repeated: int = 0
    shared: int = 0
    empty: int = 0
    gaps: int = 0

    def describe(self) -> list[tuple[str, int, str]]:
        """Return `(kind, count, rule)` of every count, zeros among them."""
        return [
            ("no time", self.untimed, "a sample without a time is left out"),
            ("far time", self.far, "a sample more than a day from the middle one is left out"),
            ("decreasing time", self.decreasing, "the samples are sorted by their times"),
            ("repeated time", self.repeated, "samples of the same time are averaged"),
            ("several values in a slot", self.shared, "the mean of a slot's values is kept"),
            ("empty slot", self.empty, "a slot of the grid without a sample is missing"),
            ("gap", self.gaps, "a run of empty slots: each of them is missing"),
        ]


def regular_grid(
    times_s: np.ndarray, values: np.ndarray, rate_hz: float
) -> tuple[Signal, GridCounts]:
    """Return samples on a grid that begins at the earliest and has `rate_hz` slots per second.

    Each sample goes into the slot whose time is nearest to its own; a slot holds the mean of its
    samples that are numbers, and NaN where it has none.

    Args:
        times_s: seconds, in any order, `(samples,)`.
        values: `(samples,)` or `(samples, axes)`; NaN where missing.
        rate_hz: slots per second.

    Raises:
        ValueError: when the shapes do not fit, or no sample has a time.
    """
    times_s = np.asarray(times_s, dtype=np.float64)
    values = np.asarray(values)
    if times_s.ndim != 1 or values.ndim not in (1, 2) or len(values) != len(times_s):
        raise ValueError(
            "`times_s` must have the shape (samples,) and `values` (samples,) or (samples, axes). "
            f"Received: {times_s.shape} and {values.shape}"
        )
    if not rate_hz > 0:
        raise ValueError(f"`rate_hz` must be above 0. Received: {rate_hz}")
    times_s, values, counts = put_in_order(times_s, values)
    slots = np.floor((times_s - times_s[0]) * rate_hz + 0.5).astype(np.int64)
    steps = np.diff(slots)
    in_one = np.diff(times_s) > 0
    in_one &= steps == 0
    counts = dataclasses.replace(
        counts,
        shared=len(np.unique(slots[1:][in_one])),
        empty=int(np.maximum(steps - 1, 0).sum()),
        gaps=int((steps > 1).sum()),
    )
    grid = values if (steps == 1).all() else _average(slots, values)
    return Signal(grid.astype(np.float32), float(times_s[0]), float(rate_hz)), counts


def told_rate(times_s: np.ndarray) -> float:
    """Return the samples per second that times tell, however often they pause or repeat.

    It is one over the mean of the usual steps from a time to the next later one: those between half
    and one and a half of the median step.

    Args:
        times_s: seconds, in any order, `(samples,)`.

    Returns:
        The rate in Hz; NaN where there are fewer than two different times.
    """
    steps = np.diff(np.unique(np.asarray(times_s, dtype=np.float64)))
    if not len(steps):
        return float("nan")
    median = np.median(steps)
    usual = steps[(steps >= 0.5 * median) & (steps <= 1.5 * median)]
    return float(1.0 / usual.mean())


def put_in_order(
    times_s: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, GridCounts]:
    """Return the samples whose times are near the middle one, sorted, and what was counted.

    Args:
        times_s: seconds, `(samples,)`.
        values: `(samples, …)`.

    Raises:
        ValueError: when no sample has a time.
    """
    timed = np.isfinite(times_s)
    if not timed.any():
        raise ValueError("`times_s` must hold at least one finite time. Received: none")
    # The middle sample itself, not the mean of two: something is always near it.
    half = (int(timed.sum()) - 1) // 2
    middle = np.partition(times_s[timed], half)[half]
    near = timed & (np.abs(np.where(timed, times_s, np.inf) - middle) <= REACH_S)
    untimed, far = int((~timed).sum()), int((timed & ~near).sum())
    if untimed or far:
        times_s, values = times_s[near], values[near]
    decreasing = int((np.diff(times_s) < 0).sum())
    if decreasing:
        order = np.argsort(times_s, kind="stable")
        times_s, values = times_s[order], values[order]
    repeated = int((np.diff(times_s) == 0).sum())
    return times_s, values, GridCounts(untimed, far, decreasing, repeated)


def _average(slots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean of the numbers of every slot, NaN where there are none."""
    columns = values.reshape(len(values), -1)
    size = int(slots[-1]) + 1
    grid = np.full((size, columns.shape[1]), np.nan)
    for axis, column in enumerate(columns.T.astype(np.float64)):
        known = ~np.isnan(column)
        counts = np.bincount(slots[known], minlength=size)
        sums = np.bincount(slots[known], weights=column[known], minlength=size)
        np.divide(sums, counts, out=grid[:, axis], where=counts > 0)
    return grid.reshape(size, *values.shape[1:])

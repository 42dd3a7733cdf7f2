"""The clock of PAMAP2's recordings: rows set on a steady grid, and stretches of one activity."""

import dataclasses
from bisect import bisect_left

import numpy as np

from affectkeras.datasets.labelled_recordings import Irregularity, Stretch, find_runs

RATE_HZ = 100
LONGEST_GAP_S = 1.0  # a stretch goes on over a shorter one
_FARTHEST_S = 3 * 3600  # from the middle row; a person's recording lasts about an hour
_STEP_TOLERANCE = 0.1  # share of the step between two rows
RULES = {
    "no time": "a row that does not tell its time is left out",
    "far time": "a row whose time is more than 3 hours from the middle row's is left out",
    "repeated time": "a row with the time of the row before is left out",
    "decreasing time": "rows are left out, as few as possible, so that time never goes back",
    "missing rows": "samples without a row are missing; more than 1 s of them ends a stretch",
    "transient": "activity 0 is no example",
    "no activity": "a stretch goes on over up to 1 s of rows without a whole number as activity",
}


class ClockDamaged(Exception):
    """The times of a recording cannot be understood; the message says why."""


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """Where rows lie in time.

    Args:
        rows: the numbers of the rows that have a place, ascending, int64 `(kept,)`.
        cells: their places: sample numbers from 0, ascending, none twice, int64 `(kept,)`.
        start_s: the time of sample 0, seconds.
        irregularities: what was odd.
    """

    rows: np.ndarray
    cells: np.ndarray
    start_s: float
    irregularities: tuple[Irregularity, ...]

    @property
    def samples(self) -> int:
        return int(self.cells[-1]) + 1

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return values of the kept rows, `(kept, …)`, on the grid, `(samples, …)`, NaN between."""
        if len(values) == self.samples:
            return values
        grid = np.full((self.samples, *values.shape[1:]), np.nan, values.dtype)
        grid[self.cells] = values
        return grid


def place_rows(time_s: np.ndarray) -> Grid:
    """Return the places of rows on a grid of 100 Hz.

    A row without a time, or one hours from all others, has no place; of rows with one time (to
    10 ms) that follow each other the first keeps it. Where times then still go back, as many rows
    as possible are kept so that they only go forward. What lies between two rows that are more
    than a step apart is missing.

    Args:
        time_s: of every row, float64 `(rows,)`; NaN where there is none.

    Raises:
        ClockDamaged: when there is no time at all, or rows do not follow each other in steps of
            0.01 s.
    """
    rows = np.flatnonzero(np.isfinite(time_s))
    if not len(rows):
        raise ClockDamaged("no row tells its time")
    without = len(time_s) - len(rows)
    near = np.abs(time_s[rows] - np.median(time_s[rows])) <= _FARTHEST_S
    far, rows = int((~near).sum()), rows[near]
    first = time_s[rows[0]]
    cells = np.rint((time_s[rows] - first) * RATE_HZ).astype(np.int64)
    if len(rows) > 1:
        step = float(np.median(np.diff(time_s[rows])))
        if not abs(step * RATE_HZ - 1) <= _STEP_TOLERANCE:
            raise ClockDamaged(f"its rows are {step:.6g} s apart (median); 0.01 s are expected")
    repeated = np.zeros(len(cells), dtype=bool)
    repeated[1:] = cells[1:] == cells[:-1]
    rows, cells = rows[~repeated], cells[~repeated]
    ascending = longest_ascent(cells)
    back = len(cells) - len(ascending)
    rows, cells = rows[ascending], cells[ascending]
    start = float(first + cells[0] / RATE_HZ)
    cells = cells - cells[0]
    gaps = np.diff(cells) - 1
    counts = {
        "no time": without,
        "far time": far,
        "repeated time": int(repeated.sum()),
        "decreasing time": back,
        "missing rows": int(gaps.sum()),
    }
    odd = tuple(Irregularity("time", kind, count, RULES[kind]) for kind, count in counts.items())
    return Grid(rows, cells, start, odd)


def longest_ascent(values: np.ndarray) -> np.ndarray:
    """Return the places of the longest subsequence that ascends strictly, int64 `(length,)`.

    Args:
        values: whole numbers `(length,)`.
    """
    if (np.diff(values) > 0).all():
        return np.arange(len(values))
    # The smallest last value of every length of ascent so far, where it stands, and for each value
    # the place of the one before it in its ascent.
    last_values: list[int] = []
    last_places: list[int] = []
    before = np.full(len(values), -1, dtype=np.int64)
    for place, value in enumerate(values.tolist()):
        length = bisect_left(last_values, value)
        before[place] = last_places[length - 1] if length else -1
        if length == len(last_values):
            last_values.append(value)
            last_places.append(place)
        else:
            last_values[length] = value
            last_places[length] = place
    found = []
    place = last_places[-1]
    while place >= 0:
        found.append(place)
        place = before[place]
    return np.array(found[::-1], dtype=np.int64)


def find_stretches(activity: np.ndarray, grid: Grid) -> tuple[list[Stretch], list[Irregularity]]:
    """Return the stretches of one activity, and what was odd of the labels.

    Rows of one activity that follow each other are one stretch, also over missing rows or labels
    of up to 1 s. Activity 0, between two activities, is none.

    Args:
        activity: the owner's number of each row, float64 `(rows,)`.
        grid: of the same rows.
    """
    activity = activity[grid.rows]
    known = is_activity(activity)
    labels, cells = activity[known].astype(np.int64), grid.cells[known]
    apart = np.zeros(len(labels), dtype=bool)
    apart[1:] = np.diff(cells) - 1 > LONGEST_GAP_S * RATE_HZ
    stretches = [
        Stretch(
            grid.start_s + int(cells[first]) / RATE_HZ,
            grid.start_s + (int(cells[behind - 1]) + 1) / RATE_HZ,
            label,
        )
        for first, behind, label in find_runs(labels, apart)
        if label != 0
    ]
    counts = {"transient": int((labels == 0).sum()), "no activity": int((~known).sum())}
    odd = [Irregularity("labels", kind, count, RULES[kind]) for kind, count in counts.items()]
    return stretches, odd


def is_activity(activity: np.ndarray) -> np.ndarray:
    """Return where a number may stand for an activity: where it is whole."""
    return (np.abs(activity) < 1e6) & (activity == np.rint(activity))

"""Who took part in K-EmoCon, when each debate was, and which files the owner has: `metadata/`."""

import dataclasses
from pathlib import Path

import numpy as np

from affectkeras.datasets.e4_numbers import show_path
from affectkeras.datasets.k_emocon_tables import read_cells
from affectkeras.errors import UserError

# The subjects whose every signal and annotation the authors found complete (VALIDS in the
# preprocess.py of their supplementary code).
COMPLETE = (1, 4, 5, 8, 9, 10, 11, 13, 14, 15, 16, 19, 22, 23, 24, 25, 26, 27, 28, 31, 32)
TIMES_FILE = "metadata/subjects.csv"
AVAILABILITY_FILE = "metadata/data_availability.csv"
MILLISECONDS = "milliseconds"
UNEVEN = "left out: it has more or fewer cells than the first line"
LONGEST_S = 86_400.0

# Unix times of this century tell their unit by their size: seconds have ten digits.
_UNITS = ((1e11, "seconds", 1.0), (1e14, MILLISECONDS, 1e-3), (1e17, "microseconds", 1e-6))
_NANOSECONDS = ("nanoseconds", 1e-9)
_YES = ("true", "1", "1.0", "yes", "x", "o", "t", "y")

IrregularityRow = tuple[str, str, str, int, str]


@dataclasses.dataclass(frozen=True)
class Subject:
    """One of two who debated.

    Args:
        pid: the owner's number.
        start_s, end_s: of the debate, seconds since 1970-01-01 UTC; NaN where `reason` is told.
        first_s: when the recording was set up; `start_s` where it is not told.
        reason: why the stretches have no place in time; "" where they have one.
    """

    pid: int
    start_s: float
    end_s: float
    first_s: float
    reason: str = ""

    @property
    def name(self) -> str:
        return f"P{self.pid:02d}"

    @property
    def dyad(self) -> int:
        """Partners are 2k - 1 and 2k; their debate is number k."""
        return (self.pid + 1) // 2


def read_subjects(path: Path) -> tuple[dict[int, Subject], list[IrregularityRow]]:
    """Return the subjects by their pid, and what was not as it should be.

    Raises:
        UserError: when the file cannot be read, lacks pid, startTime or endTime, or names nobody.
    """
    names, rows = read_cells(path, ("pid", "starttime", "endtime"))
    columns = [names.index(name) for name in ("pid", "starttime", "endtime")]
    columns.append(names.index("inittime") if "inittime" in names else columns[1])
    subjects: dict[int, Subject] = {}
    unplaced, repeated, uneven, units = 0, 0, 0, {}
    for line, cells in rows:
        if len(cells) != len(names):
            uneven += 1
            continue
        pid, *times = (_to_number(cells[column]) for column in columns)
        if not (pid >= 1 and pid == int(pid)):
            unplaced += 1
            continue
        subject, unit = _place(int(pid), times, f"{TIMES_FILE}:{line}")
        if unit not in ("", MILLISECONDS):
            units[unit] = units.get(unit, 0) + 1
        if subject.pid in subjects:
            repeated += 1
            subject = _join(subjects[subject.pid], subject, line)
        subjects[subject.pid] = subject
    if not subjects:
        raise UserError(f"{show_path(path)}: no row has a pid from 1. Take the file anew.")
    found = [
        ("uneven row", uneven, UNEVEN),
        ("row without a pid", unplaced, "left out"),
        ("repeated pid", repeated, "used once where its times are the same, else not at all"),
    ]
    found += [("time in another unit", count, f"read as {unit}") for unit, count in units.items()]
    return subjects, [(TIMES_FILE, "", *row) for row in found]


def read_availability(path: Path) -> dict[int, set[str]]:
    """Return the names, in lower case, of what the owner has of each pid, such as `e4_bvp`.

    Raises:
        UserError: when the file cannot be read or lacks pid.
    """
    names, rows = read_cells(path, ("pid",))
    pid_column = names.index("pid")
    available = {}
    for _, cells in rows:
        pid = _to_number(cells[pid_column]) if len(cells) == len(names) else np.nan
        if pid >= 1 and pid == int(pid):
            available[int(pid)] = {
                name for name, cell in zip(names, cells, strict=True) if cell.casefold() in _YES
            }
    return available


def to_seconds(times: np.ndarray) -> tuple[np.ndarray, str]:
    """Return Unix times in seconds and the unit that their size tells, by the middle one.

    Args:
        times: finite, `(times,)`, at least one.
    """
    size = abs(float(np.median(times)))
    unit, factor = next(((name, by) for most, name, by in _UNITS if size < most), _NANOSECONDS)
    # Divided and not multiplied: 1e-3 is no float64, and milliseconds keep their last digit.
    return times / round(1 / factor), unit


def _place(pid: int, times: list[float], place: str) -> tuple[Subject, str]:
    """Return a subject with the times of its row, and their unit; "" where there are none."""
    start, end, first = times
    if not np.isfinite([start, end]).all():
        reason = f"{place}: startTime or endTime is no number. Mend it"
        return Subject(pid, np.nan, np.nan, np.nan, reason), ""
    (start, end), unit = to_seconds(np.array([start, end]))
    first = to_seconds(np.array([first]))[0][0] if np.isfinite(first) else start
    if not start < end:
        reason = f"{place}: endTime must be later than startTime. Are they swapped?"
        return Subject(pid, np.nan, np.nan, np.nan, reason), unit
    if end - start > LONGEST_S:
        reason = f"{place}: a debate of {(end - start) / 3600:.0f} hours. Mend startTime or endTime"
        return Subject(pid, np.nan, np.nan, np.nan, reason), unit
    return Subject(pid, float(start), float(end), float(min(first, start))), unit


def _join(one: Subject, other: Subject, line: int) -> Subject:
    if one == other:
        return one
    reason = f"{TIMES_FILE}:{line}: pid {one.pid} stands there again with other times. Remove one"
    return Subject(one.pid, np.nan, np.nan, np.nan, one.reason or reason)


def _to_number(cell: str) -> float:
    try:
        # Python reads 1_0 as 10.
        return float(cell) if "_" not in cell else np.nan
    except ValueError:
        return np.nan

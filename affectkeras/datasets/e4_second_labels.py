"""Labels told second by second, as Stress-Predict tells them, and the stretches they make."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affectkeras.datasets.e4_head import EARLIEST_S, LATEST_S
from affectkeras.datasets.e4_numbers import decode, read_bytes, shorten, show_path
from affectkeras.datasets.e4_sensors import MOST_DAMAGED
from affectkeras.errors import UserError

PARTICIPANT, TIME, LABEL = COLUMNS = ("Participant", "Time(sec)", "Label")

# The label of a second holds until the next one; jitter of half a second is no gap.
LONGEST_STEP_S = 1.5

RULES = {
    "unusable row": (
        "a row without a participant's number, a Unix time and a label of 0 or 1 is left out (in "
        f"more than {MOST_DAMAGED:.0%} of the rows: damaged file)"
    ),
    "decreasing time": "rows are put in order of time; counted: rows earlier than the row before",
    "repeated second": "a second that is labelled alike several times counts once",
    "contradicting labels": "the rows of a second with both labels are left out",
    "gap in time": (
        f"labels more than {LONGEST_STEP_S:g} s apart are of two stretches, whatever they say"
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class SecondLabels:
    """The usable rows of the file, in its order.

    Args:
        participants: int64 `(rows,)`.
        times: Unix seconds, float64 `(rows,)`.
        labels: 0 or 1, int64 `(rows,)`.
        unusable: how many other rows there are, by participant; None where that is not told.
    """

    participants: np.ndarray
    times: np.ndarray
    labels: np.ndarray
    unusable: dict[int | None, int]


def read_second_labels(path: Path) -> SecondLabels:
    """Return the labels of all participants.

    Raises:
        UserError: when columns or rows are missing, or more rows are damaged than is allowed.
    """
    lines = decode(read_bytes(path)).decode("utf-8", "replace").replace("\0", "\ufffd").splitlines()
    if not lines:
        raise UserError(f"{show_path(path)}: the file is empty. Take the file anew.")
    names = [cell.strip().casefold() for cell in lines[0].split(",")]
    missing = [name for name in COLUMNS if name.casefold() not in names]
    if missing:
        raise UserError(
            f"{show_path(path)}:1: the columns {', '.join(missing)} are missing. The first line "
            f"must name {', '.join(COLUMNS)}, commas between. Found: {shorten(lines[0])}. Take the "
            "file anew from its owner."
        )
    places = [names.index(name.casefold()) for name in COLUMNS]
    numbers, cells = [], []
    for number, row in enumerate(csv.reader(lines[1:], quoting=csv.QUOTE_NONE), 2):
        if row and (len(row) > 1 or row[0].strip()):
            numbers.append(number)
            whole = len(row) == len(names)
            cells.append([row[place] for place in places] if whole else [""] * len(places))
    if not cells:
        raise UserError(f"{show_path(path)}: no rows below the first line. Take the file anew.")
    return _check_rows(path, lines, np.array(numbers), cells)


def _check_rows(
    path: Path, lines: Sequence[str], numbers: np.ndarray, cells: list[list[str]]
) -> SecondLabels:
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        values = np.array([[_number(cell) for cell in row] for row in cells])
    participants, times, labels = values.T
    named = (participants >= 1) & (participants < 10_000) & (participants == np.rint(participants))
    timed = (times >= EARLIEST_S) & (times < LATEST_S)
    usable = named & timed & ((labels == 0) | (labels == 1))
    wrong = np.flatnonzero(~usable)
    if len(wrong) > max(1, int(MOST_DAMAGED * len(usable))):
        line = int(numbers[wrong[0]])
        raise UserError(
            f"{show_path(path)}:{line}: a row must tell a participant's number, a time (Unix "
            f"seconds) and a label (0 or 1). Found {shorten(lines[line - 1])}, and "
            f"{len(wrong) - 1} more of {len(usable)} rows that cannot be used. Are columns "
            "swapped? Take the file anew from its owner."
        )
    unusable: dict[int | None, int] = {}
    for row in wrong:
        key = int(participants[row]) if named[row] else None
        unusable[key] = unusable.get(key, 0) + 1
    return SecondLabels(
        participants[usable].astype(np.int64),
        times[usable],
        labels[usable].astype(np.int64),
        unusable,
    )


def find_stretches(
    times: np.ndarray, labels: np.ndarray
) -> tuple[list[tuple[float, float, int]], dict[str, int]]:
    """Return the runs of consecutive seconds with one label, and counts of `RULES`.

    Args:
        times: when each labelled second begins, in s, `(rows,)`, in the file's order.
        labels: of these seconds, int64 `(rows,)`.

    Returns:
        `(start_s, end_s, label)` of each run, in order of time; the last second is part of it.
    """
    order = np.argsort(times, kind="stable")
    seconds, places, rows = np.unique(times[order], return_index=True, return_counts=True)
    ordered = labels[order]
    lowest, highest = np.minimum.reduceat(ordered, places), np.maximum.reduceat(ordered, places)
    alike = lowest == highest
    counts = {
        "decreasing time": int(np.sum(np.diff(times) < 0)),
        "repeated second": int(np.sum(rows[alike] - 1)),
        "contradicting labels": int(np.sum(rows[~alike])),
    }
    seconds, values = seconds[alike], lowest[alike]
    if not len(seconds):
        return [], counts
    gaps = np.diff(seconds) > LONGEST_STEP_S
    counts["gap in time"] = int(np.sum(gaps))
    cuts = np.flatnonzero(gaps | (np.diff(values) != 0))
    firsts, lasts = np.concatenate([[0], cuts + 1]), np.concatenate([cuts, [len(seconds) - 1]])
    following = np.concatenate([seconds[firsts[1:]], [np.inf]])
    ends = np.minimum(seconds[lasts] + 1, following)
    runs = zip(seconds[firsts].tolist(), ends.tolist(), values[firsts].tolist(), strict=True)
    return list(runs), counts


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan

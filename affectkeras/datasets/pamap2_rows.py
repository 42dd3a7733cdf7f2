"""The text files of PAMAP2: rows of 54 numbers, of which those that can be trusted are read."""

import codecs
import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.labelled_recordings import Irregularity, RecordingDamaged

COLUMNS = 54
PLACES = ("hand", "chest", "ankle")
# The first of the three columns x, y, z, counted from a place's own first. Left out: temperature
# (0), acceleration of ±6 g (4), which saturates, and orientation (13), which the owner calls
# invalid.
_SENSORS = {"acceleration": 1, "gyroscope": 7, "magnetometer": 10}
_PLACE_COLUMNS = {"hand": 3, "chest": 20, "ankle": 37}
_SIGNAL_COLUMNS = {
    f"{place}_{sensor}": _PLACE_COLUMNS[place] + first
    for place in PLACES
    for sensor, first in _SENSORS.items()
}
SENSOR_SIGNALS = tuple(_SIGNAL_COLUMNS)
_TIME, _ACTIVITY, _HEART_RATE = 0, 1, 2
_AXES = tuple(first + axis for first in _SIGNAL_COLUMNS.values() for axis in range(3))
_READ = (_TIME, _ACTIVITY, _HEART_RATE, *_AXES)
_NAMES = ("time", "activity", "heart_rate", *(name for name in SENSOR_SIGNALS for _ in range(3)))


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """What is read of a file; a missing number is NaN.

    Args:
        time_s: float64 `(rows,)`.
        activity: the owner's number, float64 `(rows,)`.
        heart_rate: beats/min, float32 `(rows,)`.
        sensors: float32 `(rows, 27)`: x, y, z of each of `SENSOR_SIGNALS`.
        left_out: how many rows had another number of columns.
        irregularities: what was odd.
    """

    time_s: np.ndarray
    activity: np.ndarray
    heart_rate: np.ndarray
    sensors: np.ndarray
    left_out: int
    irregularities: tuple[Irregularity, ...]


def read_rows(path: Path) -> Rows:
    """Return the rows of a file that have 54 columns.

    Raises:
        RecordingDamaged: when there is no such row.
        OSError: when the file cannot be read.
    """
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    if not content.strip():
        raise RecordingDamaged("the file is empty")
    return _read_whole(content) or _read_line_by_line(content)


def _read_whole(content: bytes) -> Rows | None:
    """Return the rows of a file in which all is as it should be, else None."""
    # pandas cuts rows that are too long without a word, and those that end in columns not read.
    if any(line.count(b" ") != COLUMNS - 1 for line in io.BytesIO(content)):
        return None
    types = dict.fromkeys(_READ, np.float32) | {_TIME: np.float64, _ACTIVITY: np.float64}
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=" ",
            header=None,
            names=range(COLUMNS),
            index_col=False,
            usecols=list(_READ),
            dtype=types,
            na_values=["NaN"],
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            encoding="latin1",
        )
    except ValueError:  # a text in place of a number, or nothing
        return None
    return Rows(
        frame[_TIME].to_numpy(),
        frame[_ACTIVITY].to_numpy(),
        frame[_HEART_RATE].to_numpy(),
        frame[list(_AXES)].to_numpy(),
        left_out=0,
        irregularities=(),
    )


def _read_line_by_line(content: bytes) -> Rows:
    """Return the rows that have 54 columns, whatever their spaces; texts become NaN and counted."""
    lines = content.splitlines()
    table = np.empty((len(lines), len(_READ)))
    texts = np.zeros(len(_READ), dtype=np.int64)
    kept = left_out = 0
    for line in lines:
        cells = line.split()
        if len(cells) != COLUMNS:
            left_out += bool(cells)
            continue
        wanted = [cells[column] for column in _READ]
        try:
            table[kept] = [float(cell) for cell in wanted]
            doubtful = b"_" in line  # Python reads 1_0 as 10
        except ValueError:
            doubtful = True
        if doubtful:
            numbers = [_number(cell) for cell in wanted]
            table[kept] = [np.nan if number is None else number for number in numbers]
            texts += [number is None for number in numbers]
        kept += 1
    if not kept:
        raise RecordingDamaged(
            f"no row has {COLUMNS} columns with spaces between them; the first has "
            f"{len(lines[0].split())}"
        )
    table = table[:kept]
    values = table[:, 2:].astype(np.float32)
    return Rows(
        table[:, 0].copy(),
        table[:, 1].copy(),
        values[:, 0].copy(),
        values[:, 1:],
        left_out,
        (_rows_left_out(left_out), *_texts_by_signal(texts)),
    )


def _number(cell: bytes) -> float | None:
    try:
        return None if b"_" in cell else float(cell)
    except ValueError:
        return None


def _rows_left_out(count: int) -> Irregularity:
    rule = f"a row that has not {COLUMNS} columns is left out"
    return Irregularity("all", "wrong columns", count, rule)


def _texts_by_signal(texts: np.ndarray) -> list[Irregularity]:
    """Return how many cells of each signal hold a text; texts `(columns read,)`."""
    by_signal: dict[str, int] = {}
    for name, count in zip(_NAMES, texts.tolist(), strict=True):
        by_signal[name] = by_signal.get(name, 0) + count
    rule = "a text in place of a number is a missing value"
    return [Irregularity(name, "no number", count, rule) for name, count in by_signal.items()]

"""The files of an Empatica E4 that hold values at a steady rate: BVP, EDA, TEMP, HR and ACC."""

import dataclasses
from pathlib import Path

import numpy as np

from affectkeras.datasets.e4_head import EARLIEST_S, LATEST_S, check_rate, damage, read_start
from affectkeras.datasets.e4_numbers import Rows, drop_last_row, parse_rows, read_lines, split_head
from affectkeras.datasets.recordings import Signal


@dataclasses.dataclass(frozen=True)
class Sensor:
    """A file of values at a steady rate.

    Args:
        file: its name.
        signal: what it holds, see `recordings.UNITS`.
        rate_hz: the device's, always the same.
        low, high: what it can measure, as written in the file.
        zero_is_missing: whether 0 means that there was nothing to measure.
        axes: columns.
        counts_per_unit: None, or by what the whole numbers in the file are divided.
    """

    file: str
    signal: str
    rate_hz: float
    low: float
    high: float
    zero_is_missing: bool = False
    axes: int = 1
    counts_per_unit: float | None = None


# The ranges of EDA, TEMP and ACC are the maker's; BVP has no unit, and what is far beyond anything
# seen (a few thousand) is taken for damage; hearts beat 20 to 250 times a minute.
SENSORS = (
    Sensor("BVP.csv", "bvp", 64.0, -100_000, 100_000),
    Sensor("EDA.csv", "eda", 4.0, 0, 100, zero_is_missing=True),
    Sensor("TEMP.csv", "temperature", 4.0, -40, 115, zero_is_missing=True),
    Sensor("HR.csv", "heart_rate", 1.0, 20, 250, zero_is_missing=True),
    Sensor("ACC.csv", "acceleration", 32.0, -128, 128, axes=3, counts_per_unit=64.0),
)

# Of a file's rows so many may be damaged, but one always.
MOST_DAMAGED = 0.01

RULES = {
    "no file": "the recording is used without this signal",
    "no values": "the file has a head only: the recording is used without this signal",
    "no number": f"missing value; in more than {MOST_DAMAGED:.0%} of the rows: damaged file",
    "absurd value": (
        "not to be measured by this device: missing value; with rows that are no numbers in more "
        f"than {MOST_DAMAGED:.0%}: damaged file"
    ),
    "zero": "0 in EDA, TEMP and HR means that nothing was measured: missing value",
    "cut last row": "the file ends in the middle of a row: the row is left out",
}


def read_sensor(path: Path, sensor: Sensor) -> tuple[Signal | None, dict[str, int]]:
    """Return a file's signal, or None where it has no values, and counts of `RULES`.

    Raises:
        UserError: when the file is not such a one, or more of it is damaged than is allowed.
    """
    content, cut = read_lines(path)
    if not content:
        raise damage(path, None, "the file is empty.")
    (first, second), body = split_head(content, 2)
    start_s = read_start(path, first, sensor.axes)
    check_rate(path, second, sensor.axes, sensor.rate_hz)
    rows = parse_rows(drop_last_row(body) if cut else body, sensor.axes, head=2)
    if not len(rows.values):
        return None, {"no values": 1, "cut last row": int(cut)}
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is absurd then
        values = rows.values.astype(np.float32)
    absurd = _find_absurd(values, rows, sensor)
    if len(rows.bad) or len(absurd):
        _refuse_second_export(path, sensor, rows)
        _refuse_damage(path, sensor, rows, absurd)
        values[absurd] = np.nan
    counts = {"no number": len(rows.bad), "absurd value": len(absurd), "cut last row": int(cut)}
    if sensor.zero_is_missing:
        zero = values == 0
        counts["zero"] = int(np.count_nonzero(zero))
        values[zero] = np.nan
    if sensor.counts_per_unit is not None:
        values /= np.float32(sensor.counts_per_unit)
    return Signal(values if sensor.axes > 1 else values[:, 0], start_s, sensor.rate_hz), counts


def _find_absurd(values: np.ndarray, rows: Rows, sensor: Sensor) -> np.ndarray:
    """Return the rows of numbers that the device cannot have written."""
    outside = np.zeros(len(values), bool)
    # A minimum that is NaN is no number either.
    if not (values.min() >= sensor.low and values.max() <= sensor.high):
        outside = ((values < sensor.low) | (values > sensor.high)).any(axis=1)
        if sensor.zero_is_missing:
            outside &= values[:, 0] != 0
    if sensor.counts_per_unit is not None and b"." in rows.text:
        outside |= (values != np.rint(values)).any(axis=1)
    outside[rows.bad] = False
    return np.flatnonzero(outside)


def _refuse_second_export(path: Path, sensor: Sensor, rows: Rows) -> None:
    """Raise `UserError` where the head of another file stands among the values."""
    start = ((rows.values >= EARLIEST_S) & (rows.values < LATEST_S)).all(axis=1)
    rate = (rows.values == sensor.rate_hz).all(axis=1)
    for row in np.flatnonzero(start[:-1] & rate[1:]):
        raise damage(
            *(path, rows.line(row)),
            f"here a second export begins ({rows.show(row)}, then the rate). Put each into a "
            "folder of its own.",
        )


def _refuse_damage(path: Path, sensor: Sensor, rows: Rows, absurd: np.ndarray) -> None:
    """Raise `UserError` for more damaged rows than are allowed."""
    wrong = np.sort(np.concatenate([rows.bad, absurd]))
    if len(wrong) <= max(1, int(MOST_DAMAGED * len(rows.values))):
        return
    number = "number" if sensor.counts_per_unit is None else "whole number"
    wanted = f"a {number}" if sensor.axes == 1 else f"{sensor.axes} {number}s, commas between,"
    raise damage(
        *(path, rows.line(wrong[0])),
        f"expected {wanted} from {sensor.low:g} to {sensor.high:g}. Found {rows.show(wrong[0])}, "
        f"and {len(wrong) - 1} more of {len(rows.values)} rows that cannot be used.",
    )

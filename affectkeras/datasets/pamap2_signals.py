"""From the rows of a PAMAP2 file to signals at a steady rate and stretches of one activity."""

from pathlib import Path

import numpy as np

from affectkeras.datasets.labelled_recordings import (
    Irregularity,
    LabelledRecording,
    RecordingDamaged,
    find_runs,
)
from affectkeras.datasets.pamap2_clock import (
    RATE_HZ,
    ClockDamaged,
    find_stretches,
    is_activity,
    place_rows,
)
from affectkeras.datasets.pamap2_rows import SENSOR_SIGNALS, read_rows
from affectkeras.datasets.recordings import Signal

LONGEST_PULSE_GAP_S = 5.0  # the heart rate is told about 9 times a second, where it is
MOST_LEFT_OUT = 0.05  # share of a file's rows
RULES = {
    "zero": "a heart rate of 0 or below is a missing value",
    "filled in": "the heart rate is a straight line between two measured values",
    "not measured": (
        "no heart rate is filled in between values more than 5 s apart, before the first and "
        "behind the last"
    ),
    "drop-out": "what a device did not tell stays missing",
}


def read_file(path: Path) -> LabelledRecording:
    """Return what a file holds.

    Raises:
        RecordingDamaged: when it cannot be used.
        OSError: when it cannot be read.
    """
    rows = read_rows(path)
    all_rows = len(rows.time_s) + rows.left_out
    try:
        grid = place_rows(rows.time_s)
    except ClockDamaged as damaged:
        raise RecordingDamaged(str(damaged), _promised(rows.activity)) from damaged
    left_out = all_rows - len(grid.rows)
    if left_out > MOST_LEFT_OUT * all_rows:
        raise RecordingDamaged(
            f"{left_out} of its {all_rows} rows have no place in time or a wrong number of "
            f"columns, more than {MOST_LEFT_OUT:.0%}",
            _promised(rows.activity),
        )
    stretches, odd_labels = find_stretches(rows.activity, grid)
    heart_rate, odd_heart_rate = fill_heart_rate(grid.spread(rows.heart_rate[grid.rows]))
    signals = {"heart_rate": Signal(heart_rate, grid.start_s, float(RATE_HZ))}
    odd = [*rows.irregularities, *grid.irregularities, *odd_labels, *odd_heart_rate]
    for place, name in enumerate(SENSOR_SIGNALS):
        values = rows.sensors[grid.rows, 3 * place : 3 * place + 3]
        missing = ~np.isfinite(values)
        values[missing] = np.nan
        count = int(missing.any(axis=1).sum())
        odd.append(Irregularity(name, "drop-out", count, RULES["drop-out"]))
        signals[name] = Signal(grid.spread(values), grid.start_s, float(RATE_HZ))
    return LabelledRecording(signals, stretches, [one for one in odd if one.count])


def fill_heart_rate(measured: np.ndarray) -> tuple[np.ndarray, list[Irregularity]]:
    """Return the heart rate at 100 Hz, a straight line between two values, and what was odd.

    Between values more than 5 s apart, before the first and behind the last nothing is filled in.

    Args:
        measured: beats/min, float32 `(samples,)`, NaN where none was told.
    """
    impossible = np.isinf(measured) | (measured <= 0)
    places = np.flatnonzero(np.isfinite(measured) & ~impossible)
    filled = np.full(len(measured), np.nan, dtype=np.float32)
    if len(places):
        first, last = places[0], places[-1]
        samples = np.arange(first, last + 1)
        filled[first : last + 1] = np.interp(samples, places, measured[places])
        steps = np.diff(places)
        for gap in np.flatnonzero(steps > LONGEST_PULSE_GAP_S * RATE_HZ):
            filled[places[gap] + 1 : places[gap + 1]] = np.nan
    missing = int(np.isnan(filled).sum())
    counts = {
        "zero": int(impossible.sum()),
        "filled in": len(measured) - len(places) - missing,
        "not measured": missing,
    }
    return filled, [
        Irregularity("heart_rate", kind, count, RULES[kind]) for kind, count in counts.items()
    ]


def _promised(activity: np.ndarray) -> list[str]:
    """Return the stretches that the rows tell, in words, where their times cannot be used."""
    labels = np.where(is_activity(activity), activity, -1).astype(np.int64)
    return [
        f"rows {first + 1} to {behind} label {label}"
        for first, behind, label in find_runs(labels)
        if label > 0
    ]

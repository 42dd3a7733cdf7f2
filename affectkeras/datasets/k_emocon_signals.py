"""The signals of K-EmoCon: files of times and values, of which some hold more than they should.

Every step below leaves out or reads anew what a stated rule says, and tells how many samples that
were. What is left goes on a steady grid.
"""

import dataclasses
from pathlib import Path

import numpy as np

from affectkeras.datasets import e4_beats
from affectkeras.datasets.e4_numbers import show_path
from affectkeras.datasets.k_emocon_subjects import (
    MILLISECONDS,
    TIMES_FILE,
    UNEVEN,
    Subject,
    to_seconds,
)
from affectkeras.datasets.k_emocon_tables import read_columns
from affectkeras.datasets.recordings import Signal
from affectkeras.datasets.regular_grid import put_in_order, regular_grid, told_rate
from affectkeras.errors import UserError

# The wristband whose samples belong to a subject, where two are mixed in a file: 31 and 32 as in
# the preprocess.py of the authors' supplementary code; 29 and 30 by other public readers.
DEVICES = {29: "A013E1", 30: "A01A3A", 31: "A013E1", 32: "A01A3A"}
DEVICES_OF_IBI = {31: "A01525"}
DEVICE_COLUMNS = ("device_serial", "device", "device_id", "serial")
MARGIN_S = 3600.0
# A signal that is slower than this share of the layout's rate goes on a grid of its own rate:
# on the layout's every other slot or more would be empty.
_SLOWER = 0.8
_FASTER = 1.25

# signal, kind, count, rule
Found = tuple[str, str, int, str]


@dataclasses.dataclass(frozen=True)
class Sensor:
    """A kind of file.

    Args:
        file: its name without .csv.
        signal: as it is called here, see `recordings.UNITS`.
        rate_hz: values per second.
        low, high: what the device can measure, as written in the file; the same as in `e4_sensors`.
        columns: of values.
        zero_is_missing: whether the sensor wrote 0 where it measured nothing.
        divisor: values of the file per unit.
    """

    file: str
    signal: str
    rate_hz: float
    low: float
    high: float
    columns: tuple[str, ...] = ("value",)
    zero_is_missing: bool = False
    divisor: float = 1.0


E4_SENSORS = (
    Sensor("E4_BVP", "bvp", 64.0, -100_000, 100_000),
    Sensor("E4_EDA", "eda", 4.0, 0, 100, zero_is_missing=True),
    Sensor("E4_TEMP", "temperature", 4.0, -40, 115, zero_is_missing=True),
    Sensor("E4_HR", "wrist_heart_rate", 1.0, 20, 250, zero_is_missing=True),
    Sensor("E4_ACC", "acceleration", 32.0, -128, 128, columns=("x", "y", "z"), divisor=64.0),
    Sensor("E4_IBI", "ibi", e4_beats.RATE_HZ, e4_beats.SHORTEST_S, e4_beats.LONGEST_S),
)
POLAR_SENSORS = (Sensor("Polar_HR", "heart_rate", 1.0, 20, 250, zero_is_missing=True),)


@dataclasses.dataclass(frozen=True, eq=False)
class _Samples:
    """Times `(samples,)`, values `(samples, columns)`; pids and devices: texts, and which it is."""

    times: np.ndarray
    values: np.ndarray
    pids: tuple[np.ndarray, np.ndarray] | None
    devices: tuple[np.ndarray, np.ndarray] | None

    def keep(self, mask: np.ndarray) -> "_Samples":
        if mask.all():
            return self
        words = (
            None if words is None else (words[0], words[1][mask])
            for words in (self.pids, self.devices)
        )
        return _Samples(self.times[mask], self.values[mask], *words)


def read_sensor(
    path: Path, sensor: Sensor, subject: Subject, shown: str
) -> tuple[Signal | None, list[Found]]:
    """Return a file's signal, and what was irregular in it; None where nothing of it can be used.

    Why it cannot is the rule of an irregularity of the kind "unusable file".

    Args:
        path: the file.
        sensor: what it holds.
        subject: whose it is.
        shown: what it is called there, instead of by its path.
    """
    try:
        samples, found = _read_samples(path, sensor)
    except UserError as error:
        return None, [_unusable(sensor, str(error).replace(show_path(path), shown))]
    for step, tell in _STEPS:
        before = samples
        samples, rows = step(samples, sensor, subject)
        found += [(sensor.signal, *row) for row in rows if row[1]]
        if not len(samples.times):
            reason = f"{shown}: {tell(before, sensor, subject)}"
            return None, [_unusable(sensor, reason), *found]
    signal, rows = (_grid_beats if sensor.signal == "ibi" else _grid)(samples, sensor)
    return signal, found + [(sensor.signal, *row) for row in rows if row[1]]


def is_pid(text: str, pid: int) -> bool:
    """Return whether a cell names a subject, `5`, `5.0` or `P5`, or is empty and names nobody."""
    digits = text.casefold().removeprefix("p").removesuffix(".0")
    return not text or (digits.isascii() and digits.isdecimal() and int(digits) == pid)


def _unusable(sensor: Sensor, reason: str) -> Found:
    return sensor.signal, "unusable file", 1, f"the recording lacks the signal: {reason}"


def _read_samples(path: Path, sensor: Sensor) -> tuple[_Samples, list[Found]]:
    """Return the rows that hold numbers, and how many others there are."""
    columns = read_columns(path, ("timestamp", *sensor.columns), ("pid", *DEVICE_COLUMNS))
    values = np.stack([columns.numbers[name] for name in sensor.columns], axis=1)
    device = next((name for name in DEVICE_COLUMNS if name in columns.words), "")
    samples = _Samples(
        columns.numbers["timestamp"], values, columns.words.get("pid"), columns.words.get(device)
    )
    numbers = np.isfinite(samples.times) & np.isfinite(values).all(axis=1)
    if not numbers.any():
        raise UserError(
            f"{show_path(path)}: no row holds numbers under timestamp and "
            f"{', '.join(sensor.columns)}. Times must be Unix milliseconds, such as 1548136761000."
        )
    found = [
        (sensor.signal, "uneven row", columns.uneven, UNEVEN),
        (sensor.signal, "row without a number", int((~numbers).sum()), "left out"),
    ]
    return samples.keep(numbers), [row for row in found if row[2]]


def _keep_subject(samples: _Samples, sensor: Sensor, subject: Subject):
    if samples.pids is None:
        return samples, []
    told, of_row = samples.pids
    own = np.array([is_pid(pid, subject.pid) for pid in told])[of_row]
    rule = f"left out: its pid is not that of the folder, {subject.pid}"
    return samples.keep(own), [("row of another subject", int((~own).sum()), rule)]


def _to_seconds(samples: _Samples, sensor: Sensor, subject: Subject):
    times, unit = to_seconds(samples.times)
    samples = dataclasses.replace(samples, times=times)
    rule = f"read as {unit}, by their size; the layout has {MILLISECONDS}"
    return samples, [("time in another unit", len(times) if unit != MILLISECONDS else 0, rule)]


def _keep_near(samples: _Samples, sensor: Sensor, subject: Subject):
    near = samples.times >= subject.first_s - MARGIN_S
    near &= samples.times <= subject.end_s + MARGIN_S
    rule = "left out: more than an hour before initTime or after endTime"
    return samples.keep(near), [("time far from the debate", int((~near).sum()), rule)]


def _keep_device(samples: _Samples, sensor: Sensor, subject: Subject):
    """Keep one device: the authors' choice where it is there, else that of most of the debate."""
    if samples.devices is None:
        return samples, []
    told, of_row = samples.devices
    every = np.bincount(of_row, minlength=len(told))
    number = int((every > 0).sum())
    if number == 1:
        return samples, []
    chosen = DEVICES.get(subject.pid)
    if sensor.signal == "ibi":
        chosen = DEVICES_OF_IBI.get(subject.pid, chosen)
    why = "the authors' choice"
    if chosen not in told[every > 0]:
        debated = (samples.times >= subject.start_s) & (samples.times < subject.end_s)
        most = np.bincount(of_row[debated], minlength=len(told))
        chosen = told[np.lexsort((-every, -most))[0]]
        why = "the one with the most samples in the debate"
    own = (told == chosen)[of_row]
    rule = f"left out: of {number} devices {ascii(chosen)[1:-1]} is kept, {why}"
    return samples.keep(own), [("sample of another device", int((~own).sum()), rule)]


def _mend_values(samples: _Samples, sensor: Sensor, subject: Subject):
    """Make zeros and what cannot be measured missing, and give the others their unit.

    Intervals between beats that cannot be are left out. Nothing is kept where most values are none.
    """
    values, rows = samples.values, []
    if sensor.signal == "ibi" and np.median(values) > 10 * sensor.high:
        values = values / 1000
        rows.append(("interval in milliseconds", len(values), "read as such, by their size"))
    zero = (values == 0).all(axis=1) & sensor.zero_is_missing
    rows.append(("zero", int(zero.sum()), "missing: the sensor measured nothing"))
    absurd = ((values < sensor.low) | (values > sensor.high)).any(axis=1) & ~zero
    missing = "left out" if sensor.signal == "ibi" else "missing"
    rule = f"{missing}: the device measures {sensor.low:g} to {sensor.high:g}"
    rows.append(("absurd value", int(absurd.sum()), rule))
    if 2 * absurd.sum() > (~zero).sum():
        return samples.keep(np.zeros(len(values), bool)), rows
    if sensor.signal == "ibi":
        return dataclasses.replace(samples, values=values).keep(~absurd), rows
    values = values / sensor.divisor
    values[zero | absurd] = np.nan
    return dataclasses.replace(samples, values=values), rows


def _grid(samples: _Samples, sensor: Sensor):
    values = samples.values[:, 0] if samples.values.shape[1] == 1 else samples.values
    rate_hz, told = sensor.rate_hz, told_rate(samples.times)
    rows = []
    if told < _SLOWER * rate_hz:
        rule = f"on a grid of its own {told:.4g} Hz instead of {rate_hz:g} Hz"
        rows, rate_hz = [("another rate", len(values), rule)], told
    elif told > _FASTER * rate_hz:
        rule = f"{told:.4g} Hz instead of {rate_hz:g} Hz: the mean in every slot is kept"
        rows = [("another rate", len(values), rule)]
    signal, counts = regular_grid(samples.times, values, rate_hz)
    return signal, [*rows, *counts.describe()]


def _grid_beats(samples: _Samples, sensor: Sensor):
    times, intervals, counts = put_in_order(samples.times, samples.values[:, 0])
    later = np.diff(times, prepend=-np.inf) > 0
    times, intervals = times[later], intervals[later]
    values = e4_beats.interpolate_beats(times - times[0], intervals)
    rows = [
        ("decreasing time", counts.decreasing, "the beats are sorted by their times"),
        ("repeated time", counts.repeated, "of beats at one time the first is kept"),
        ("no beat", int(np.isnan(values).sum()), e4_beats.RULES["no beat"]),
    ]
    return Signal(values, float(times[0]), sensor.rate_hz), rows


def _tell_other_pid(samples: _Samples, sensor: Sensor, subject: Subject) -> str:
    told, of_row = samples.pids
    pid = told[np.bincount(of_row).argmax()]
    return (
        f"every row has another pid ({ascii(pid)}) than the folder, {subject.pid}. Put the file "
        "where it belongs."
    )


def _tell_far(samples: _Samples, sensor: Sensor, subject: Subject) -> str:
    return (
        f"no time lies near the debate of {subject.start_s:.0f} to {subject.end_s:.0f} s that "
        f"{TIMES_FILE} tells; the first is {samples.times[0]:.0f} s. Are columns swapped, or is it "
        "another subject's file?"
    )


def _tell_absurd(samples: _Samples, sensor: Sensor, subject: Subject) -> str:
    return (
        f"most values cannot be of this sensor, which measures {sensor.low:g} to {sensor.high:g}; "
        f"the first is {samples.values[0, 0]:g}. Are columns or files swapped?"
    )


# What is done, and what is told where it leaves nothing over.
_STEPS = (
    (_keep_subject, _tell_other_pid),
    (_to_seconds, _tell_far),
    (_keep_near, _tell_far),
    (_keep_device, _tell_far),
    (_mend_values, _tell_absurd),
)

"""The folder of one recording of an Empatica E4, as its owner exports it.

`BVP.csv`, `EDA.csv`, `TEMP.csv` and `HR.csv` have no header: line 1 is the start (Unix s, UTC),
line 2 the rate (Hz), then a value a line; `ACC.csv` the same in three columns (1/64 g); `IBI.csv`:
the start and a word, then the time of every beat after it and its interval, in s; `tags.csv` (or
`tags_<anything>.csv`): a time (Unix s) a line for every press of the button, may be empty.

Every file keeps its own start: the heart rate starts about 10 s late. Where a recording departs
from a whole one, a rule is followed (`RULES` here, in `e4_sensors` and in `e4_beats`) and what it
met is counted. A file that breaks more than these rules mend is an error that names it: without it
the recording can be used.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from affectkeras.datasets import e4_beats, e4_sensors
from affectkeras.datasets.e4_head import EARLIEST_S, LATEST_S, damage
from affectkeras.datasets.e4_numbers import parse_rows, read_lines, show_path
from affectkeras.datasets.e4_sensors import SENSORS
from affectkeras.datasets.folders import describe, list_folder
from affectkeras.datasets.recordings import Recording, Signal
from affectkeras.errors import UserError

BEATS, TAGS = "IBI.csv", "tags"

# Starts that differ by more cannot be of one recording; the heart rate's is 10 s later.
LATEST_START_S = 60.0
# The last seconds are written unevenly: up to 7 s apart in whole recordings.
EARLIEST_END_S = 10.0

RULES = {
    "late start": (
        "every signal keeps its own start; its samples from the recording's start to there are "
        f"missing; files that start more than {LATEST_START_S:g} s apart are damaged"
    ),
    "early end": (
        f"a signal that ends more than {EARLIEST_END_S:g} s before the last one: the samples up to "
        "there are missing"
    ),
}
TAG_RULES = {
    "no number": "a line of tags that is no Unix time is left out",
    "outside": "a tag before the recording's start or behind its end is left out",
}

Irregularity = tuple[str, str, str, int, str]


def is_e4_folder(names: Iterable[str]) -> bool:
    """Return whether a folder with files of these names holds a recording."""
    wanted = {sensor.file.casefold() for sensor in SENSORS}
    return any(name.casefold() in wanted for name in names)


def read_e4_folder(
    folder: Path, name: str, subject: str
) -> tuple[Recording, tuple[Irregularity, ...]]:
    """Return the recording in a folder, and what was not as it should be.

    Args:
        folder: with the device's files, their names in any case.
        name: of the recording, unique in its data set.
        subject: who wore the device.

    Returns:
        The recording, with those of the signals bvp, eda (µS), temperature (°C), heart_rate
        (beats/min), acceleration (g, `(samples, 3)`) and ibi (s, at 4 Hz) that have a file with
        values, and `(recording, signal, kind, count, rule)` rows for `irregularity_frame`.

    Raises:
        UserError: when there is no signal, or a file is damaged; the message names file, line and
            mend.
    """
    files = {path.name.casefold(): path for path in list_folder(Path(folder))}
    signals, found = _read_sensors(files)
    if not signals:
        raise UserError(
            f"{show_path(folder)}: no signal of an Empatica E4. Expected "
            f"{', '.join(sensor.file for sensor in SENSORS)}, or some of them, with values; found "
            f"{describe(folder)}. Name the folder that holds them."
        )
    _check_swap(files, signals)
    steady = dict(signals)
    start_s = min(signal.start_s for signal in steady.values())
    end_s = max(signal.end_s for signal in steady.values())
    beats, *counted = _read_beats(files, end_s - start_s)
    found.append(("ibi", *counted))
    if beats is not None:
        signals["ibi"] = beats
    _check_starts(files, signals)
    for signal_name, signal in steady.items():
        found.append((signal_name, _count_lost(signal, start_s, end_s), RULES))
    for key, path in files.items():
        if _is_tags(key):
            found.append((TAGS, _count_tags(path, start_s, end_s), TAG_RULES))
    irregularities = tuple(
        (name, signal_name, kind, count, rules[kind])
        for signal_name, counts, rules in found
        for kind, count in counts.items()
        if count
    )
    return Recording(name, subject, signals), irregularities


def _read_sensors(
    files: dict[str, Path],
) -> tuple[dict[str, Signal], list[tuple[str, dict[str, int], dict[str, str]]]]:
    """Return the signals at a steady rate, and of each what was counted under which rules."""
    signals, found = {}, []
    for sensor in SENSORS:
        path = files.get(sensor.file.casefold())
        signal, counts = None, {"no file": 1}
        if path is not None:
            signal, counts = e4_sensors.read_sensor(path, sensor)
        found.append((sensor.signal, counts, e4_sensors.RULES))
        if signal is not None:
            signals[sensor.signal] = signal
    return signals, found


def _read_beats(
    files: dict[str, Path], length_s: float
) -> tuple[Signal | None, dict[str, int], dict[str, str]]:
    """Return the signal of beats, if any, and what was counted under which rules."""
    path = files.get(BEATS.casefold())
    if path is None:
        return None, {"no file": 1}, e4_sensors.RULES
    return *e4_beats.read_beats(path, length_s), e4_beats.RULES


def find_tags(folder: Path) -> list[Path]:
    """Return a recording's files of presses of the button that tell any."""
    files = sorted(path for path in folder.iterdir() if _is_tags(path.name.casefold()))
    return [path for path in files if path.read_bytes().strip()]


def _is_tags(name: str) -> bool:
    return name == "tags.csv" or (name.startswith("tags_") and name.endswith(".csv"))


def _count_tags(path: Path, start_s: float, end_s: float) -> dict[str, int]:
    times = parse_rows(read_lines(path)[0], 1, head=0).values[:, 0]
    number = (times >= EARLIEST_S) & (times < LATEST_S)
    outside = number & ((times < start_s) | (times > end_s))
    return {"no number": int(np.sum(~number)), "outside": int(np.sum(outside))}


def _count_lost(signal: Signal, start_s: float, end_s: float) -> dict[str, int]:
    """Return how many samples are missing before a signal's start and behind its end."""
    early = end_s - signal.end_s
    return {
        "late start": round((signal.start_s - start_s) * signal.rate_hz),
        "early end": round(early * signal.rate_hz) if early > EARLIEST_END_S else 0,
    }


def _check_starts(files: dict[str, Path], signals: dict[str, Signal]) -> None:
    """Raise `UserError` where a file starts far off from the others."""
    names = {sensor.signal: sensor.file for sensor in SENSORS} | {"ibi": BEATS}
    starts = {names[signal]: signals[signal].start_s for signal in signals}
    middle = float(np.median(list(starts.values())))
    furthest = max(starts, key=lambda file: abs(starts[file] - middle))
    others = [file for file in starts if file != furthest]
    if not others:
        return
    nearest = min(others, key=lambda file: abs(starts[furthest] - starts[file]))
    apart = starts[furthest] - starts[nearest]
    if abs(apart) > LATEST_START_S:
        side = "after" if apart > 0 else "before"
        raise damage(
            *(files[furthest.casefold()], 1),
            f"starts {abs(apart):.0f} s {side} {nearest}, and files of one recording start at most "
            f"{LATEST_START_S:g} s apart: is it of another recording, or the start wrong?",
        )


def _check_swap(files: dict[str, Path], signals: dict[str, Signal]) -> None:
    """Raise `UserError` where EDA.csv and TEMP.csv, alike in form, hold each other's values."""
    pair = [signals[name].values for name in ("eda", "temperature") if name in signals]
    if len(pair) < 2 or any(np.isnan(values).all() for values in pair):
        return
    eda, temperature = (float(np.nanmedian(values)) for values in pair)
    # Skin below 15 °C and, at the same time, more conductance than nearly anyone has.
    if eda > 20 and temperature < 15:
        raise damage(
            *(files["eda.csv"], None),
            f"half of its values are above {eda:.1f} µS, and half of those in TEMP.csv below "
            f"{temperature:.1f} °C: are the two files swapped? Then give each the other's name.",
        )

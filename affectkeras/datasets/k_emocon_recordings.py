"""Which files belong to a subject of K-EmoCon, and the recording that its signals make."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.e4_numbers import show_path
from affectkeras.datasets.face_videos import printable
from affectkeras.datasets.k_emocon_annotations import Rejected
from affectkeras.datasets.k_emocon_layout import (
    FOLDERS,
    Layout,
    find_annotation_files,
    find_sensor_files,
    find_subject_folders,
)
from affectkeras.datasets.k_emocon_signals import E4_SENSORS, POLAR_SENSORS, Found, read_sensor
from affectkeras.datasets.k_emocon_subjects import (
    AVAILABILITY_FILE,
    IrregularityRow,
    Subject,
    read_availability,
)
from affectkeras.datasets.recordings import Recording, Signal
from affectkeras.errors import UserError

SENSORS = (*E4_SENSORS, *POLAR_SENSORS)
_NO_SIGNALS = "there is no file of signals of this subject"
# Skin below 15 °C and, at the same time, more conductance than nearly anyone has: as in `e4_files`.
_MUCH_CONDUCTANCE, _COLD = 20, 15


@dataclasses.dataclass(frozen=True)
class Sources:
    """What belongs to each pid.

    Args:
        e4, polar: the folder of files of signals.
        annotations: the file of the rater's.
        promised: names of what the owner has, in lower case; empty where it is not told.
    """

    e4: dict[int, Path]
    polar: dict[int, Path]
    annotations: dict[int, Path]
    promised: dict[int, set[str]]


def find_sources(
    layout: Layout, rater: str
) -> tuple[Sources, list[Rejected], list[IrregularityRow]]:
    """Return the files of every pid, the annotations of nobody, and what was irregular.

    Raises:
        UserError: when there is no annotation by this rater, or a pid has two folders or files.
    """
    places = dict(layout.annotations)
    if rater not in places:
        raise UserError(
            f"{show_path(layout.subjects.parent.parent)}: there is no "
            f"emotion_annotations/{FOLDERS[rater]}/. Unpack it, or choose another --rater: "
            f"{', '.join(places)}."
        )
    files, others = find_annotation_files(places[rater], rater)
    reason = f"its name tells no subject; it must be P<pid>.{rater}.csv, such as P5.{rater}.csv"
    rejected = [(f"{FOLDERS[rater]}/{printable(path.name)}", "damaged", reason) for path in others]
    found, promised = [], {}
    if layout.availability is not None:
        try:
            promised = read_availability(layout.availability)
        except UserError as error:
            reason = str(error).replace(show_path(layout.availability), AVAILABILITY_FILE)
            rule = f"what the owner has is not known: {reason}"
            found.append((AVAILABILITY_FILE, "", "unusable file", 1, rule))
    for place in (layout.e4_data, layout.polar_data, *places.values()):
        if place is not None and place.name.casefold() == place.parent.name.casefold():
            found.append((place.name, "", "doubled folder", 1, "the inner one is read"))
    folders = map(find_subject_folders, (layout.e4_data, layout.polar_data))
    return Sources(*folders, files, promised), rejected, found


def read_recording(subject: Subject, sources: Sources) -> tuple[Recording, list[IrregularityRow]]:
    """Return the signals of a subject's files, and what was irregular in them."""
    name = f"e4_data/{subject.pid}"
    if subject.pid not in sources.e4 and subject.pid in sources.polar:
        name = f"neurosky_polar_data/{subject.pid}"
    signals, found = {}, []
    for folder, folders, sensors in (
        ("e4_data", sources.e4, E4_SENSORS),
        ("neurosky_polar_data", sources.polar, POLAR_SENSORS),
    ):
        files = find_sensor_files(folders.get(subject.pid))
        for sensor in sensors:
            path = files.get(sensor.file.casefold())
            if path is None:
                found.append(_tell_missing(sensor.signal, sensor.file, subject, sources))
                continue
            shown = f"{folder}/{subject.pid}/{path.name}"
            signal, rows = read_sensor(path, sensor, subject, printable(shown))
            found += rows
            if signal is not None:
                signals[sensor.signal] = signal
    if _are_swapped(signals.get("eda"), signals.get("temperature")):
        rule = (
            "the recording lacks the signal: E4_EDA.csv and E4_TEMP.csv seem to hold each other's "
            "values. Give each the other's name"
        )
        for swapped in ("eda", "temperature"):
            del signals[swapped]
            found.append((swapped, "unusable file", 1, rule))
    return Recording(name, subject.name, signals), [(name, *row) for row in found]


def explain_no_signals(
    subject: Subject, sources: Sources, found: list[IrregularityRow]
) -> tuple[str, str]:
    """Return the kind and reason of rejection of a subject without any signal.

    Args:
        subject: whose.
        sources: of everyone.
        found: as `read_recording` returned it.
    """
    unusable = [rule for _, _, kind, _, rule in found if kind == "unusable file"]
    if unusable:
        return "damaged", f"not one file of signals can be used; {unusable[0]}"
    if sources.promised.get(subject.pid, set()) & {sensor.file.casefold() for sensor in SENSORS}:
        return "damaged", f"{_NO_SIGNALS}, although {AVAILABILITY_FILE} promises them"
    return "excluded", _NO_SIGNALS


def count_uncovered(frame: pd.DataFrame, recording: Recording) -> list[Found]:
    """Return for each signal the stretches that begin before it or end after it."""
    rows = []
    for name, signal in recording.signals.items():
        slot_s = 1 / signal.rate_hz
        outside = frame["start_s"] < signal.start_s - slot_s
        outside |= frame["end_s"] > signal.end_s + slot_s
        rule = "kept: a window of which too much is missing is set aside"
        rows.append((name, "stretch outside the signal", int(outside.sum()), rule))
    return rows


def _tell_missing(signal: str, file: str, subject: Subject, sources: Sources) -> Found:
    promised = file.casefold() in sources.promised.get(subject.pid, ())
    told = f", although {AVAILABILITY_FILE} promises it" if promised else ""
    rule = f"there is no {file}.csv{told}: the recording lacks the signal"
    return signal, "missing file", 1, f"{rule}, and windows that need it are set aside"


def _are_swapped(eda: Signal | None, temperature: Signal | None) -> bool:
    pair = (eda, temperature)
    if any(signal is None or np.isnan(signal.values).all() for signal in pair):
        return False
    conductance, degrees = (float(np.nanmedian(signal.values)) for signal in pair)
    return conductance > _MUCH_CONDUCTANCE and degrees < _COLD

"""PAMAP2: movement and heart rate of nine people during everyday activities and sports.

Source: Reiss and Stricker, "Introducing a new benchmarked dataset for activity monitoring", ISWC
2012. Three devices on hand, chest and ankle, 100 Hz; the owner numbers the activities.
"""

import dataclasses
import re
from pathlib import Path

from tqdm import tqdm

from affectkeras.datasets.folders import (
    describe,
    find_child,
    find_top,
    layout_error,
    list_folder,
    open_child,
)
from affectkeras.datasets.labelled_recordings import (
    LabelledRecording,
    RecordingDamaged,
    build_stretch_table,
    describe_irregularities,
    read_once,
)
from affectkeras.datasets.pamap2_rows import SENSOR_SIGNALS
from affectkeras.datasets.pamap2_signals import read_file
from affectkeras.datasets.table import ExampleTable, RejectedKind, Target, example_id
from affectkeras.errors import UserError

NAME = "pamap2"
# The owner's number of each activity: of the protocol that all followed, and of what some did
# beside it.
_PROTOCOL = {
    **{1: "lying", 2: "sitting", 3: "standing", 4: "walking", 5: "running", 6: "cycling"},
    **{7: "Nordic walking", 12: "ascending stairs", 13: "descending stairs"},
    **{16: "vacuum cleaning", 17: "ironing", 24: "rope jumping"},
}
_OPTIONAL = {
    **{9: "watching TV", 10: "computer work", 11: "car driving", 18: "folding laundry"},
    **{19: "house cleaning", 20: "playing soccer"},
}
CLASS_NAMES = tuple(_PROTOCOL.values())
OPTIONAL_CLASS_NAMES = tuple(_OPTIONAL.values())
_SENSOR_UNITS = {"acceleration": "m/s²", "gyroscope": "rad/s", "magnetometer": "µT"}
UNITS = {"heart_rate": "beats/min"} | {
    name: _SENSOR_UNITS[name.split("_")[1]] for name in SENSOR_SIGNALS
}
LAYOUT = """
Protocol/subject101.dat … subject109.dat   rows of 54 numbers with spaces between them, no header,
                                           100 rows a second: time (s), activity, heart rate, then
                                           17 of the device on the hand, 17 chest, 17 ankle
Optional/subject101.dat …                  the same; only read where asked for
"""

_VERSION = 1
_RECORDING = re.compile(r"(subject\d+)\.dat", re.IGNORECASE)
_FEW = 6  # classes; of a subject with fewer the doctor warns


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        protocol: the folder of the twelve activities.
        optional: the folder of the others, if it is there.
        recordings: the files in both.
        passed_over: what else lies in them.
    """

    protocol: Path
    optional: Path | None
    recordings: tuple[str, ...]
    passed_over: tuple[str, ...]


def find(folder: Path) -> Layout:
    """Return where the parts lie in `folder` (a folder or .zip).

    Raises:
        UserError: when there is no folder Protocol or no recording in it.
    """
    top = find_top(folder, _looks_right)
    protocol = open_child(top, "Protocol") if top is not None else None
    if protocol is None:
        raise layout_error("PAMAP2", Path(folder), "Protocol/subject101.dat", LAYOUT)
    optional = open_child(top, "Optional")
    if not _list_recordings(protocol):
        raise UserError(
            f"{protocol}: no file named as subject101.dat. Found {describe(protocol)}. Expected "
            f"layout:\n{LAYOUT.strip()}\nUnpack the whole archive."
        )
    parts = {"Protocol": protocol, "Optional": optional}
    recordings, others = [], []
    for part, place in parts.items():
        for path in list_folder(place) if place is not None else []:
            fits = _RECORDING.fullmatch(path.name)
            (recordings if fits else others).append(_name(part, path))
    return Layout(protocol, optional, tuple(recordings), tuple(others))


def read(folder: Path, *, optional: bool = False, progress: bool = True) -> ExampleTable:
    """Return one row per stretch of one activity, with the class target `activity`.

    Columns beside the fixed ones: `recording`, `start_s`, `end_s` (seconds on the file's clock) and
    `label`, the owner's number of the activity. `group` is the subject. Signals, all at 100 Hz:
    `heart_rate`, and for hand, chest and ankle `<place>_acceleration` (the sensor of ±16 g),
    `<place>_gyroscope` and `<place>_magnetometer`, each with the axes x, y, z (units: `UNITS`).

    Rules, each counted in the payload's irregularities: the heart rate, told about 9 times a
    second, is filled in by straight lines of up to 5 s; drop-outs of a device stay missing; rows
    that are missing in time are missing samples, and more than 1 s of them ends a stretch; rows
    with a time that stands twice or goes back, or with another number of columns than 54, are left
    out; transients (activity 0) are no examples. Acceleration of ±6 g, temperature and orientation
    are not read.

    Rejected: stretches of an activity that is not the owner's, and of a file that cannot be used,
    such as one with more than 5 % of its rows to be left out (damaged); of an activity that is not
    one of the classes (excluded).

    A file is read once; its signals are kept in the cache.

    Args:
        folder: a folder or .zip.
        optional: whether to read Optional/ too; its six activities are then classes behind the
            twelve.
        progress: whether to show a progress bar.

    Raises:
        UserError: when the layout is not found, or there is no Optional/ where it is asked for.
    """
    layout = find(folder)
    if optional and layout.optional is None:
        raise UserError(
            f"{layout.protocol.parent}: there is no folder Optional beside Protocol. Unpack it, "
            "or do without --optional."
        )
    files = [("Protocol", path) for path in _list_recordings(layout.protocol)]
    if optional:
        files += [("Optional", path) for path in _list_recordings(layout.optional)]
    found = []
    with tqdm(
        total=sum(_size(path) for _, path in files),
        desc="Reading recordings",
        unit="B",
        unit_scale=True,
        disable=None if progress else True,
    ) as bar:
        for part, path in files:
            subject = _RECORDING.fullmatch(path.name)[1].casefold()
            found.append((_name(part, path), subject, _read_or_reject(path)))
            bar.update(_size(path))
    names = CLASS_NAMES + OPTIONAL_CLASS_NAMES if optional else CLASS_NAMES
    target = Target("activity", "class", names)
    return build_stretch_table(NAME, target, found, _PROTOCOL | _OPTIONAL, _set_aside)


def notes(table: ExampleTable) -> list[str]:
    """Return what the doctor says: how much there is, who did few activities, what was odd."""
    if not len(table):
        return []
    frame = table.frame
    hours = (frame["end_s"] - frame["start_s"]).sum() / 3600
    lines = [
        f"{frame['recording'].nunique()} recordings of {frame['subject'].nunique()} subjects, "
        f"{len(frame)} stretches of one activity, {hours:.2f} h in all"
    ]
    protocol = frame[frame["activity"] < len(CLASS_NAMES)]
    for subject in sorted(set(frame["subject"])):
        classes = sorted(set(protocol.loc[protocol["subject"] == subject, "activity"]))
        if len(classes) < _FEW:
            named = ", ".join(CLASS_NAMES[index] for index in classes) or "none"
            lines.append(
                f"{subject} holds {len(classes)} of the {len(CLASS_NAMES)} activities ({named}): "
                "scores of a fold in which it is the test subject tell little"
            )
    return lines + describe_irregularities(table)


def _looks_right(place: Path) -> bool:
    return find_child(place, "Protocol", "Protocol.zip") is not None


def _list_recordings(folder: Path) -> list[Path]:
    return [path for path in list_folder(folder) if _RECORDING.fullmatch(path.name)]


def _name(part: str, path: Path) -> str:
    return f"{part}/{example_id(path, path.parent)}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a link that leads nowhere: reading it tells so
        return 0


def _read_or_reject(path: Path) -> LabelledRecording | RecordingDamaged:
    try:
        return read_once(NAME, path, _VERSION, read_file)
    except OSError as error:
        return RecordingDamaged(f"the file cannot be read: {error.strerror or error}")
    except RecordingDamaged as damaged:
        return damaged


def _set_aside(label: int) -> tuple[RejectedKind, str]:
    if label in _OPTIONAL:
        return "excluded", f"{_OPTIONAL[label]} is none of the {len(CLASS_NAMES)} activities"
    return "damaged", f"activity {label} is none of the owner's"

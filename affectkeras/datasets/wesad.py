"""WESAD: signals of wrist and chest of 15 people at rest, under stress, amused and meditating.

Source: Schmidt et al., "Introducing WESAD, a multimodal dataset for wearable stress and affect
detection", ICMI 2018. An Empatica E4 on the wrist, a RespiBAN at 700 Hz on the chest.
"""

import dataclasses
import functools
import re
from pathlib import Path

from tqdm import tqdm

from affectkeras.datasets.folders import find_child, find_top, layout_error, list_folder
from affectkeras.datasets.labelled_recordings import (
    LabelledRecording,
    RecordingDamaged,
    build_stretch_table,
    describe_irregularities,
    read_once,
)
from affectkeras.datasets.table import ExampleTable, RejectedKind, Target, example_id
from affectkeras.datasets.wesad_file import LABELS, read_file

NAME = "wesad"
CLASS_NAMES = tuple(LABELS.values())
TARGET = Target("condition", "class", CLASS_NAMES)
UNITS = {
    **{"bvp": "device units", "eda": "µS", "temperature": "°C", "acceleration": "g"},
    **{"chest_ecg": "mV", "chest_emg": "mV", "chest_eda": "µS", "chest_temperature": "°C"},
    **{"chest_respiration": "%", "chest_acceleration": "g"},
}
LAYOUT = """
S2/S2.pkl … S17/S17.pkl   a pickle for each subject: subject, label (700 Hz), signal: wrist with
                          ACC (32 Hz), BVP (64 Hz), EDA and TEMP (4 Hz), and chest with ACC, ECG,
                          EMG, EDA, Temp, Resp (700 Hz)
"""

_VERSION = 1
_SUBJECT = re.compile(r"S\d+", re.IGNORECASE)
_OWNERS = tuple(f"S{number}" for number in range(2, 18) if number != 12)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        folder: that of the subjects' folders.
        recordings: their pickles.
        without: subjects' folders without a pickle.
    """

    folder: Path
    recordings: tuple[str, ...]
    without: tuple[str, ...]


def find(folder: Path) -> Layout:
    """Return where the recordings lie in `folder` (a folder or .zip).

    Raises:
        UserError: when there is no subject's folder with a pickle in it.
    """
    top = find_top(folder, _looks_right)
    if top is None:
        raise layout_error("WESAD", Path(folder), "S2/S2.pkl", LAYOUT)
    found = _list_recordings(top)
    return Layout(
        top,
        tuple(example_id(path, top) for _, path in found if path.is_file()),
        tuple(example_id(path.parent, top) for _, path in found if not path.is_file()),
    )


def read(folder: Path, *, chest: bool = False, progress: bool = True) -> ExampleTable:
    """Return one row per stretch of one condition, with the class target `condition`.

    Columns beside the fixed ones: `recording`, `start_s`, `end_s` (seconds from the first value of
    the recording) and `label`, the owner's number. `group` is the subject. Signals of the wrist:
    `bvp` (64 Hz), `eda`, `temperature` (4 Hz) and `acceleration` (32 Hz, x, y, z); of the chest,
    at 700 Hz: `chest_ecg`, `chest_emg`, `chest_eda`, `chest_temperature`, `chest_respiration` and
    `chest_acceleration`. Units: `UNITS`.

    Rules, each counted in the payload's irregularities: labels other than 1 to 4 are no examples;
    what is no number is missing; a stretch ends with the signals at the latest; a signal that is
    not there, has no such form or is more than 5 % longer or shorter than the others is not read.

    Rejected: stretches of a label that is not the owner's, and of a pickle that cannot be used,
    as its labels are more than 5 % longer or shorter than its signals (damaged). A pickle that asks
    for more than plain data, or whose labels cannot be known, is one rejected row.

    A pickle is read once; its signals are kept in the cache.

    Args:
        folder: a folder or .zip.
        chest: whether to read the signals of the chest too.
        progress: whether to show a progress bar.

    Raises:
        UserError: when the layout is not found.
    """
    files = _list_recordings(find(folder).folder)
    found = []
    with tqdm(
        total=sum(path.stat().st_size for _, path in files if path.is_file()),
        desc="Reading recordings",
        unit="B",
        unit_scale=True,
        disable=None if progress else True,
    ) as bar:
        for subject, path in files:
            name = example_id(path, path.parent.parent)
            found.append((name, subject, _read_or_reject(path, subject, chest)))
            bar.update(path.stat().st_size if path.is_file() else 0)
    return build_stretch_table(NAME, TARGET, found, LABELS, _set_aside)


def notes(table: ExampleTable) -> list[str]:
    """Return what the doctor says: how much there is, of whom, what was odd."""
    if not len(table):
        return []
    frame = table.frame
    hours = (frame["end_s"] - frame["start_s"]).sum() / 3600
    subjects = set(frame["subject"])
    lines = [
        f"{len(subjects)} subjects, {len(frame)} stretches of one condition, {hours:.2f} h in all",
        "signals: " + ", ".join(_list_signals(table)),
    ]
    absent = [subject for subject in _OWNERS if subject not in subjects]
    if absent:
        lines.append(f"not there, of the owner's {len(_OWNERS)} subjects: {', '.join(absent)}")
    return lines + describe_irregularities(table)


def _list_signals(table: ExampleTable) -> list[str]:
    names = [name for recording in table.payload.recordings for name in recording.signals]
    return list(dict.fromkeys(names))


def _looks_right(place: Path) -> bool:
    return any(path.is_file() for _, path in _list_recordings(place))


def _list_recordings(top: Path) -> list[tuple[str, Path]]:
    """Return `(subject, pickle)` for every subject's folder, by number, also where none is there.

    A subject is written with a large S, whatever the folder's name.
    """
    found = []
    for folder in list_folder(top):
        if folder.is_dir() and _SUBJECT.fullmatch(folder.name):
            name = f"{folder.name}.pkl"
            found.append((folder.name.upper(), find_child(folder, name) or folder / name))
    return sorted(found, key=lambda one: (int(one[0][1:]), one[0]))


def _read_or_reject(path: Path, subject: str, chest: bool) -> LabelledRecording | RecordingDamaged:
    # A file is known again by its bytes: whether it names its folder's subject is not in them.
    kind = f"{NAME} {subject} {'wrist and chest' if chest else 'wrist'}"
    try:
        return read_once(
            kind, path, _VERSION, functools.partial(read_file, subject=subject, chest=chest)
        )
    except OSError as error:
        return RecordingDamaged(f"the file cannot be read: {error.strerror or error}")
    except RecordingDamaged as damaged:
        return damaged


def _set_aside(label: int) -> tuple[RejectedKind, str]:
    return "damaged", f"label {label} is none of the owner's"

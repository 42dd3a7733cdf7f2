"""Stress-Predict: one wearable, an Empatica E4, during stress tasks and rests between them.

Source: Iqbal et al., "Stress Monitoring Using Wearable Sensors: A Pilot Study and Stress-Predict
Dataset", Sensors 22(21), 2022 (MIT licence): 35 participants in an hour each, three tasks (Stroop
test, interview, hyperventilation). Every second is labelled 0 (baseline) or 1 (stress task);
participant 1 has no labels.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np

from affectkeras.datasets.e4_files import Irregularity
from affectkeras.datasets.e4_numbers import show_path
from affectkeras.datasets.e4_second_labels import (
    RULES,
    SecondLabels,
    find_stretches,
    read_second_labels,
)
from affectkeras.datasets.e4_stretches import (
    LABELS,
    Stretch,
    build_stretch_table,
    describe_stretches,
    read_folders,
)
from affectkeras.datasets.face_videos import printable
from affectkeras.datasets.folders import (
    find_child,
    find_top,
    layout_error,
    list_folder,
    open_child,
)
from affectkeras.datasets.table import ExampleTable, Target
from affectkeras.errors import UserError

NAME = "stress_predict"
CLASS_NAMES = ("baseline", "stress")
TARGET = Target("stress", "class", CLASS_NAMES)
RAW, PROCESSED = "Raw_data", "Processed_data"
LABEL_FILE = "Improved_All_Combined_hr_rsp_binary.csv"
LAYOUT = f"""
{RAW}/S01 … S35/{{BVP,EDA,TEMP,HR,ACC,IBI}}.csv   of an Empatica E4: line 1 the start (Unix s), line
                                               2 the rate (Hz), then the values; IBI: line 1 the
                                               start, then time and interval (s) of every beat
{RAW}/S01 … S35/tags_S01.csv                  presses of the button (Unix s); may be absent
{PROCESSED}/{LABEL_FILE}
                                               Participant,HR,respr,Time(sec),Label: a row a second,
                                               label 0 (baseline) or 1 (stress task)
Each of the two folders may still be a .zip, the whole a .zip or .tar.gz.
"""


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        labels: the file of labels.
        recordings: the folders of participants below `Raw_data`.
    """

    labels: Path
    recordings: tuple[str, ...]


def find(folder: Path) -> Layout:
    """Return where the parts lie in `folder` (or one level below, or in an archive).

    Raises:
        UserError: when recordings or labels are not there; the message says what was looked for
            and what was seen.
    """
    labels, folders = _find_parts(Path(folder))
    return Layout(labels, tuple(printable(path.name) for path in folders.values()))


def read(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return one row per stretch of one label, with the class target `stress`.

    A stretch is a run of consecutive labelled seconds (see `e4_second_labels`) as far as the
    recording's signals reach; `start_s`, `end_s` are Unix seconds. `subject` and `group` are the
    participant (S02), `recording` the folder. The signals are those of `e4_files.read_e4_folder`;
    what was irregular in them and in the labels is counted in the payload.

    Rejected: every stretch of a participant whose folder is missing or damaged, and what lies
    beside the signals (damaged); a recording without labels, one row (unlabelled).

    Args:
        folder: a folder, .zip or .tar.gz.
        progress: whether to show a progress bar.

    Raises:
        UserError: when the layout is not found, or the file of labels is damaged.
    """
    path, folders = _find_parts(Path(folder))
    labels = read_second_labels(path)
    participants = np.unique(labels.participants).tolist()
    names = {number: _name(number, folders) for number in {*participants, *folders}}
    source = f"{PROCESSED}/{printable(path.name)}"
    recordings = read_folders(
        {
            names[number]: folders.get(number)
            or f"{source} labels participant {number}, but {RAW} has no such folder. Add it."
            for number in participants
        },
        {names[number]: _subject(number) for number in participants},
        progress,
    )
    stretches, irregularities = _find_stretches(labels, participants, names, source)
    rejected = [
        (names[number], "unlabelled", f"{source} has no label of participant {number}")
        for number in folders
        if number not in participants
    ]
    return build_stretch_table(
        NAME, TARGET, stretches, recordings, rejected=rejected, irregularities=irregularities
    )


def notes(table: ExampleTable) -> list[str]:
    """Return what the doctor says: recordings, seconds of both labels, irregularities."""
    return describe_stretches(table)


def _find_parts(folder: Path) -> tuple[Path, dict[int, Path]]:
    """Return the file of labels, and the participants' folders by number."""
    top = find_top(folder, _looks_right)
    if top is None:
        raise layout_error("Stress-Predict", folder, f"{RAW}/ and {PROCESSED}/", LAYOUT)
    raw, processed = open_child(top, RAW), open_child(top, PROCESSED)
    labels = find_child(processed, LABEL_FILE) if processed is not None else None
    if raw is None or labels is None:
        part = f"{RAW}/" if raw is None else f"{PROCESSED}/{LABEL_FILE}"
        raise layout_error("Stress-Predict", top, part, LAYOUT)
    folders: dict[int, Path] = {}
    for path in list_folder(raw):
        match = re.fullmatch(r"s(\d{1,4})", path.name, re.IGNORECASE | re.ASCII)
        if match is None or not path.is_dir():
            continue
        number = int(match[1])
        if number in folders:
            raise UserError(
                f"{show_path(raw)}: {folders[number].name} and {path.name} are both folders of "
                f"participant {number}. Move one of them away."
            )
        folders[number] = path
    return labels, dict(sorted(folders.items()))


def _looks_right(place: Path) -> bool:
    return all(find_child(place, name, f"{name}.zip") for name in (RAW, PROCESSED))


def _name(number: int, folders: dict[int, Path]) -> str:
    return f"{RAW}/{printable(folders[number].name) if number in folders else _subject(number)}"


def _subject(number: int) -> str:
    return f"S{number:02}"


def _find_stretches(
    labels: SecondLabels, participants: list[int], names: dict[int, str], source: str
) -> tuple[list[Stretch], list[Irregularity]]:
    stretches = []
    found = [
        (names.get(number, ""), LABELS, "unusable row", count, RULES["unusable row"])
        for number, count in labels.unusable.items()
    ]
    for number in participants:
        own = labels.participants == number
        runs, counts = find_stretches(labels.times[own], labels.labels[own])
        stretches += [
            Stretch(names[number], _subject(number), start_s, end_s, CLASS_NAMES[label], source)
            for start_s, end_s, label in runs
        ]
        found += [
            (names[number], LABELS, kind, count, RULES[kind]) for kind, count in counts.items()
        ]
    return stretches, found

"""Your own recordings of an Empatica E4, with a table of what happened when.

Every recording is a folder (or .zip) as Empatica's site exports it; `events.csv` beside them, which
you write, tells labelled stretches of time. Without it, as for predictions, `read_recordings` reads
the recordings alone.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.e4_events import EVENTS, Event, match_recording, read_events, template
from affectkeras.datasets.e4_files import SENSORS, find_tags
from affectkeras.datasets.e4_folders import find_e4_folders
from affectkeras.datasets.e4_numbers import show_path
from affectkeras.datasets.e4_sensors import read_sensor
from affectkeras.datasets.e4_stretches import (
    Recordings,
    Stretch,
    build_stretch_table,
    describe_stretches,
    read_folders,
    span,
)
from affectkeras.datasets.folders import find_child, find_top, layout_error
from affectkeras.datasets.recordings import RecordingPayload, irregularity_frame
from affectkeras.datasets.table import ExampleTable, Target
from affectkeras.errors import UserError

NAME = "empatica_e4"
CLASS_NAMES = ()  # they are the labels of events.csv
TARGET = "label"
LAYOUT = f"""
{EVENTS}   a table that you write: a row per labelled stretch, in any order, none overlapping
   recording,subject,start,end,label
      recording   the E4 folder: its path below {EVENTS}, or its last part where that is unique;
                  may be absent: then it is the subject's recording at that time
      subject     who wore the device; may be absent: then the first folder of the recording's path
      start, end  Unix seconds, or ISO 8601 with the offset: 2026-03-01T14:30:00+01:00
      label       any word: the labels are the classes; empty: not labelled
**/{{BVP,EDA,TEMP,HR,ACC,IBI}}.csv   a folder or .zip per recording, as exported, at any depth, such
                                   as S01/1644227574_A0034F/ or S01/1644227574_A0034F.zip; line 1
                                   the start (Unix s), line 2 the rate (Hz), then the values; a
                                   sensor's file may be absent; tags.csv too
"""


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        events: the table.
        recordings: the names of the recordings.
    """

    events: Path
    recordings: tuple[str, ...]


def find(folder: Path) -> Layout:
    """Return the table and the recordings in `folder` (or one level below, or in a .zip).

    Raises:
        UserError: when there is no recording, or no table: then the message holds one to fill in.
    """
    events, folders = _find_parts(Path(folder))
    return Layout(events, tuple(folders))


def read(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return one row per labelled stretch, with the class target `label`.

    The classes are the labels of the table, sorted. `start_s`, `end_s` are Unix seconds, as far as
    the recording's signals reach; `group` is the subject; `source` the table and line. The signals
    are those of `e4_files.read_e4_folder`; what was irregular is counted in the payload.

    Rejected: a row that names a recording or subject that is not there, every stretch of a damaged
    recording and what lies beside its signals (damaged); a row without a label, and a recording
    that no row is about, one row each (unlabelled).

    Args:
        folder: a folder or .zip.
        progress: whether to show a progress bar.

    Raises:
        UserError: when there is no recording or no table, or the table has errors.
    """
    path, folders = _find_parts(Path(folder))
    events = read_events(path)
    labels = sorted({event.label for event in events if event.label})
    if not labels:
        raise UserError(f"{show_path(path)}: no row has a label. Fill in the column label.")
    candidates, subjects = _find_candidates(path, events, list(folders))
    wanted = {name for names in candidates for name in names}
    recordings = read_folders(
        {name: place for name, place in folders.items() if name in wanted}, subjects, progress
    )
    stretches, rejected = _place(events, candidates, subjects, recordings)
    _refuse_overlaps(path, stretches)
    used = {stretch.recording for stretch in stretches}
    rejected += [
        (name, "unlabelled", f"no row of {EVENTS} is about it")
        for name in folders
        if name not in used
    ]
    target = Target(TARGET, "class", tuple(labels))
    return build_stretch_table(NAME, target, stretches, recordings, rejected=rejected)


def read_recordings(folder: Path, progress: bool = True) -> RecordingPayload:
    """Return the recordings in a folder alone, without labels; `index` holds each of them once.

    Whose each is can only be guessed: one folder per subject, below what all paths have in common.

    Args:
        folder: the folder or .zip of one recording, or one with several at any depth below.
        progress: whether to show a progress bar.

    Raises:
        UserError: when there is none, or one is damaged; the message names its file and the mend.
    """
    folders = find_e4_folders(Path(folder))
    if not folders:
        raise layout_error("recordings of an Empatica E4", folder, _LOOKED_FOR, LAYOUT)
    recordings = read_folders(folders, _guess_subjects(list(folders)), progress)
    for reason in recordings.damaged.values():
        more = len(recordings.damaged) - 1
        raise UserError(reason + (f" ({more} more recordings are damaged.)" if more else ""))
    return RecordingPayload(
        tuple(recordings.read.values()),
        np.arange(len(recordings.read)),
        irregularity_frame(recordings.irregularities),
    )


def notes(table: ExampleTable) -> list[str]:
    """Return what the doctor says: recordings, seconds of every label, irregularities."""
    return describe_stretches(table)


_LOOKED_FOR = "folders or .zip files with " + ", ".join(sensor.file for sensor in SENSORS)


def _find_parts(folder: Path) -> tuple[Path, dict[str, Path]]:
    """Return the table, and the recordings' folders by name."""
    top = find_top(folder, lambda place: find_child(place, EVENTS) is not None)
    whole = top is None or top == open_folder(folder)
    folders = find_e4_folders(folder if whole else top)
    if not folders:
        raise layout_error("recordings of an Empatica E4", folder, _LOOKED_FOR, LAYOUT)
    if top is not None:
        return find_child(top, EVENTS), folders
    error = layout_error("labelled recordings of an Empatica E4", folder, EVENTS, LAYOUT)
    spans = {name: _measure(place) for name, place in folders.items()}
    raise UserError(
        f"{error}\n\nA table to fill in (write it to {show_path(open_folder(folder) / EVENTS)}; "
        "for each ? the subject and the label, with a row for each stretch; the times are those of "
        f"the whole recordings):\n\n{template(spans)}" + _presses(folders)
    )


def _presses(folders: dict[str, Path]) -> str:
    """Return where presses of the button stand that may tell where a stretch begins."""
    told = [f"{name}/{path.name}" for name, place in folders.items() for path in find_tags(place)]
    if not told:
        return ""
    more = f", {len(told) - 1} more files too" if len(told) > 1 else ""
    return f"\n\n{told[0]} holds presses of the button (Unix s){more}: they may mark the times."


def _measure(folder: Path) -> tuple[float, float] | None:
    """Return when the recording in a folder starts and ends, by its smallest sound file.

    HR.csv starts some ten seconds late: it is asked where there is no other.
    """
    for sensor in sorted(SENSORS, key=lambda one: (one.signal == "heart_rate", one.rate_hz)):
        path = find_child(folder, sensor.file)
        try:
            signal = None if path is None else read_sensor(path, sensor)[0]
        except UserError:
            continue
        if signal is not None:
            return signal.start_s, signal.end_s
    return None


def _find_candidates(
    path: Path, events: Sequence[Event], names: list[str]
) -> tuple[list[list[str]], dict[str, str]]:
    """Return the recordings that each row may be about, and whose every recording is.

    That is the one which a row names, else all of the subject it names. A recording is of whom the
    table says, else of the first folder of its path.
    """
    named = [match_recording(event.recording, names) for event in events]
    told: dict[str, Event] = {}
    for event, name in zip(events, named, strict=True):
        if not name or not event.subject:
            continue
        other = told.setdefault(name, event)
        if other.subject != event.subject:
            raise UserError(
                f"{show_path(path.parent / event.place)}: {name} is of {event.subject!r} here, and "
                f"of {other.subject!r} in {other.place}. One person wears one device."
            )
    subjects = {name: told[name].subject if name in told else _first_folder(name) for name in names}
    candidates = []
    for event, name in zip(events, named, strict=True):
        if event.recording:
            candidates.append([name] if name else [])
        else:
            candidates.append([name for name in names if subjects[name] == event.subject])
    return candidates, subjects


def _place(
    events: Sequence[Event],
    candidates: Sequence[list[str]],
    subjects: dict[str, str],
    recordings: Recordings,
) -> tuple[list[Stretch], list[tuple[str, str, str]]]:
    """Return the stretches, each with its recording, and the rows that name what is not there."""
    stretches, rejected = [], []
    for event, names in zip(events, candidates, strict=True):
        if names:
            name = _choose(event, names, recordings)
            stretches.append(
                Stretch(name, subjects[name], event.start_s, event.end_s, event.label, event.place)
            )
        else:
            kind = "recording" if event.recording else "subject"
            told = event.recording or event.subject
            reason = f"it names the {kind} {told!r}, but there is none. Mend {event.place}"
            rejected.append((event.place, "damaged", reason))
    return stretches, rejected


def _first_folder(name: str) -> str:
    return name.split("/")[0]


def _guess_subjects(names: Sequence[str]) -> dict[str, str]:
    """Return of each path its first folder at which not all of them agree."""
    parts = [name.split("/") for name in names]
    shared = 0
    if len(names) > 1:
        while len({tuple(own[: shared + 1]) for own in parts}) == 1:
            shared += 1
    return {name: own[min(shared, len(own) - 1)] for name, own in zip(names, parts, strict=True)}


def _choose(event: Event, names: list[str], recordings: Recordings) -> str:
    """Return the recording that a row is about: of several the one that lasts longest in it."""

    def shared(name: str) -> float:
        first, last = span(recordings.read[name])
        return min(last, event.end_s) - max(first, event.start_s)

    sound = [name for name in names if name in recordings.read]
    best = max(sound, key=shared, default=None)
    if best is not None and (shared(best) > 0 or len(sound) == len(names)):
        return best
    return next(name for name in names if name not in recordings.read)


def _refuse_overlaps(path: Path, stretches: Sequence[Stretch]) -> None:
    latest: dict[str, Stretch] = {}
    for stretch in sorted(stretches, key=lambda one: (one.start_s, one.end_s)):
        other = latest.get(stretch.recording)
        if other is not None and stretch.start_s < other.end_s:
            raise UserError(
                f"{show_path(path.parent / stretch.source)}: begins before the stretch of "
                f"{other.source} ends, in the same recording ({stretch.recording}). A moment has "
                "one label: mend the times, or keep one of the two rows."
            )
        latest[stretch.recording] = stretch

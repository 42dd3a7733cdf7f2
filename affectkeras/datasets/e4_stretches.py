"""Labelled stretches of recordings of an Empatica E4, made into a table."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from affectkeras.datasets.e4_files import Irregularity, read_e4_folder
from affectkeras.datasets.recordings import (
    STRETCH_COLUMNS,
    Recording,
    RecordingPayload,
    irregularity_frame,
)
from affectkeras.datasets.table import COLUMNS, ExampleTable, Target, rejected_frame
from affectkeras.errors import UserError

LABELS = "labels"
RULES = {
    "before the signal": (
        "a stretch begins where the recording's first signal does: labelled seconds before are "
        "left out"
    ),
    "after the signal": (
        "a stretch ends where the recording's last signal does: labelled seconds behind are left "
        "out"
    ),
}


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A stretch of time with one label.

    Args:
        recording: the name of the one it lies in.
        subject: whose.
        start_s, end_s: Unix seconds.
        label: a class's name; "" where there is none.
        source: the file, and where it helps the line, that tells of it.
    """

    recording: str
    subject: str
    start_s: float
    end_s: float
    label: str
    source: str


@dataclasses.dataclass(frozen=True, eq=False)
class Recordings:
    """What could be read, and why the others could not.

    Args:
        read: recordings by name.
        damaged: why each of the others cannot be used, by name.
        irregularities: of those that were read.
    """

    read: Mapping[str, Recording]
    damaged: Mapping[str, str]
    irregularities: tuple[Irregularity, ...]


def read_folders(
    folders: Mapping[str, Path | str], subjects: Mapping[str, str], progress: bool
) -> Recordings:
    """Read recordings one after another.

    Args:
        folders: by the recording's name: its folder, or in words why it has none.
        subjects: whose each is, by its name.
        progress: whether to show a progress bar.
    """
    read, damaged, found = {}, {}, []
    for name in tqdm(
        folders, desc="Reading recordings", unit="recording", disable=None if progress else True
    ):
        folder = folders[name]
        try:
            if isinstance(folder, str):
                raise UserError(folder)
            read[name], irregularities = read_e4_folder(folder, name, subjects[name])
        except UserError as error:
            damaged[name] = str(error)
        else:
            found += irregularities
    return Recordings(read, damaged, tuple(found))


def build_stretch_table(
    name: str,
    target: Target,
    stretches: Iterable[Stretch],
    recordings: Recordings,
    *,
    rejected: Sequence[tuple[str, str, str]] = (),
    irregularities: Sequence[Irregularity] = (),
) -> ExampleTable:
    """Return the table of stretches, in the order of recordings and, in each, of time.

    A stretch reaches no further than the signals of its recording. Rejected: of a recording that
    cannot be used, all; what lies beside the signals (damaged); what has no label (unlabelled).

    Args:
        name: the data set's short name.
        target: the class to predict; its names are those of the labels.
        stretches: of all recordings.
        recordings: as read.
        rejected: what was set aside before.
        irregularities: what was found in the labels.
    """
    rows, rejected, found = [], list(rejected), list(irregularities)
    numbers: dict[str, int] = {}
    for stretch in sorted(stretches, key=lambda one: (one.recording, one.start_s, one.end_s)):
        number = numbers[stretch.recording] = numbers.get(stretch.recording, 0) + 1
        example = f"{stretch.recording} stretch {number:02}"
        recording = recordings.read.get(stretch.recording)
        if recording is None:
            rejected.append((example, "damaged", recordings.damaged[stretch.recording]))
            continue
        start_s, end_s, reason = _clip(stretch, recording)
        if reason or not stretch.label:
            kind = "damaged" if reason else "unlabelled"
            rejected.append((example, kind, reason or "no label is told"))
            continue
        found += _count_outside(stretch, start_s, end_s)
        code = target.class_names.index(stretch.label)
        fixed = (example, stretch.subject, stretch.subject, "", stretch.source)
        rows.append((*fixed, stretch.recording, start_s, end_s, code))
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *STRETCH_COLUMNS, target.name])
    frame = frame.astype({target.name: np.int64, "start_s": np.float64, "end_s": np.float64})
    used = list(dict.fromkeys(frame["recording"]))
    places = {recording: place for place, recording in enumerate(used)}
    return ExampleTable(
        name=name,
        frame=frame,
        targets=(target,),
        payload=RecordingPayload(
            tuple(recordings.read[recording] for recording in used),
            frame["recording"].map(places).to_numpy(np.int64),
            irregularity_frame([*recordings.irregularities, *_join(found)]),
        ),
        groups_known=True,
        rejected=rejected_frame(rejected),
        read=len(frame) + len(rejected),
    )


def span(recording: Recording) -> tuple[float, float]:
    """Return when a recording's first signal starts and its last one ends, in s."""
    signals = recording.signals.values()
    return min(signal.start_s for signal in signals), max(signal.end_s for signal in signals)


def describe_stretches(table: ExampleTable) -> list[str]:
    """Return what the doctor says: recordings, seconds of every label, irregularities."""
    if not len(table):
        return []
    payload, frame = table.payload, table.frame
    lasting = [np.diff(span(recording))[0] / 60 for recording in payload.recordings]
    seconds = frame["end_s"] - frame["start_s"]
    lines = [
        f"{len(lasting)} recordings of {frame['subject'].nunique()} subjects, {len(frame)} "
        f"labelled stretches; a recording lasts {min(lasting):.0f} to {max(lasting):.0f} min",
    ]
    target = table.class_target
    for code, label in enumerate(target.class_names):
        chosen = seconds[frame[target.name] == code]
        if len(chosen):
            lines.append(
                f"{label}: {len(chosen)} stretches of {chosen.min():.0f} to {chosen.max():.0f} s, "
                f"{chosen.sum():.0f} s together"
            )
    return lines + describe_irregularities(payload.irregularities)


def describe_irregularities(irregularities: pd.DataFrame) -> list[str]:
    """Return a line for every signal and kind: how many, in how many recordings, which rule."""
    lines = []
    for (signal, kind), group in irregularities.groupby(["signal", "kind"], sort=True):
        number = group["recording"].nunique()
        lines.append(
            f"{signal}, {kind}: {group['count'].sum()} in {number} "
            f"recording{'' if number == 1 else 's'} ({group['rule'].iloc[0]})"
        )
    return lines


def _clip(stretch: Stretch, recording: Recording) -> tuple[float, float, str]:
    """Return a stretch's times within its recording, or why there are none."""
    first, last = span(recording)
    start_s, end_s = max(first, stretch.start_s), min(last, stretch.end_s)
    if start_s < end_s:
        return start_s, end_s, ""
    reason = (
        f"no signal at its time: it lasts from {stretch.start_s:.2f} to {stretch.end_s:.2f}, the "
        f"recording from {first:.2f} to {last:.2f} (Unix s). Mend {stretch.source}"
    )
    return start_s, end_s, reason


def _count_outside(stretch: Stretch, start_s: float, end_s: float) -> list[Irregularity]:
    """Return how many labelled seconds, begun ones counted, lie beside the signals."""
    cut = {
        "before the signal": start_s - stretch.start_s,
        "after the signal": stretch.end_s - end_s,
    }
    return [
        (stretch.recording, LABELS, kind, int(np.ceil(seconds)), RULES[kind])
        for kind, seconds in cut.items()
    ]


def _join(found: Iterable[Irregularity]) -> list[Irregularity]:
    """Add up the counts of a recording's like irregularities."""
    counts: dict[tuple[str, str, str, str], int] = {}
    for recording, signal, kind, count, rule in found:
        key = (recording, signal, kind, rule)
        counts[key] = counts.get(key, 0) + count
    return [(*key[:3], count, key[3]) for key, count in counts.items()]

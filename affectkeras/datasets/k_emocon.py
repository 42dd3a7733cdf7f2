"""K-EmoCon: debates of two, each with wristband and chest belt, rated every five seconds.

Source: Park et al., "K-EmoCon, a multimodal sensor dataset for continuous emotion recognition in
naturalistic conversations", Scientific Data 7, 293, 2020. The owner's table of columns is not
public; the names read here are those of the authors' supplementary code and of other public
readers. Partners share a conversation: the group is the dyad.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from tqdm import tqdm

from affectkeras.datasets import k_emocon_layout
from affectkeras.datasets.e4_numbers import show_path
from affectkeras.datasets.k_emocon_annotations import (
    ALIGNMENTS,
    MARKS,
    RATINGS,
    Alignment,
    Rejected,
    place_stretches,
    read_annotation,
)
from affectkeras.datasets.k_emocon_layout import FOLDERS
from affectkeras.datasets.k_emocon_recordings import (
    Sources,
    count_uncovered,
    explain_no_signals,
    find_sources,
    read_recording,
)
from affectkeras.datasets.k_emocon_subjects import (
    AVAILABILITY_FILE,
    COMPLETE,
    TIMES_FILE,
    IrregularityRow,
    Subject,
    read_subjects,
)
from affectkeras.datasets.labelled_recordings import describe_irregularities
from affectkeras.datasets.recordings import (
    STRETCH_COLUMNS,
    Recording,
    RecordingPayload,
    irregularity_frame,
)
from affectkeras.datasets.table import COLUMNS, ExampleTable, Target, rejected_frame
from affectkeras.errors import UserError

NAME = "k_emocon"
LAYOUT = k_emocon_layout.LAYOUT
TARGETS = tuple(Target(name, "number") for name in RATINGS)
Rater = Literal["self", "partner", "external"]
Subjects = Literal["all", "complete"]

find = k_emocon_layout.find

_COLUMNS = (*COLUMNS, *STRETCH_COLUMNS, *RATINGS, "dyad", "pid", "rater", "seconds", *MARKS)


@dataclasses.dataclass(frozen=True)
class _Part:
    """What one subject adds: the recording and its stretches, or why there are none."""

    rejected: list[Rejected]
    found: list[IrregularityRow]
    frame: pd.DataFrame | None = None
    recording: Recording | None = None


def read(
    folder: Path,
    *,
    rater: Rater = "self",
    align: Alignment = "start",
    subjects: Subjects = "all",
    progress: bool = True,
) -> ExampleTable:
    """Return one row per stretch of five seconds, rated by its arousal and valence.

    Columns beside the fixed ones: `recording`, `start_s`, `end_s` (Unix seconds), the ratings
    `arousal` and `valence` (1 to 5), `cheerful`, `happy`, `angry`, `nervous`, `sad` (1 to 4; NaN
    where there is none), `dyad` (1 to 16), `pid`, `rater`, `seconds` (where the stretch ends, as
    the owner counts) and the owner's marks (x or empty); columns of others as `raw_…`. `subject` is
    P01 …, `group` the dyad. The payload's signals are `bvp`, `eda`, `temperature`, `heart_rate`
    (of the chest belt), `wrist_heart_rate`, `acceleration` (x, y, z) and `ibi` (at 4 Hz, between
    successive beats interpolated). A signal whose file is not there, or cannot be used, is absent
    from the recording, and `payload.irregularities` says so.

    Rejected: what `read_annotation` rejects; every stretch of a subject without a place in time, or
    without a signal that can be used although there are files or data_availability.csv promises
    them (damaged); of a subject for whom there are no files of signals, or who is not asked for,
    and what `align="cut"` leaves out (excluded); a subject without an annotation, as one row
    (unlabelled, or damaged where the owner promises it); an annotation that cannot be read, as one
    row (damaged).

    Args:
        folder: as `LAYOUT` shows, or a .zip of it.
        rater: whose ratings: the subject's own, the partner's, or the votes of five others.
        align: where an annotation longer than the debate lies, see `place_stretches`.
        subjects: `"complete"`: only the authors' 21, as far as they are there.
        progress: whether to show a progress bar.

    Raises:
        UserError: when the layout is not found, the rater's folder is not there, or
            metadata/subjects.csv cannot be read.
    """
    for name, value, known in (
        ("rater", rater, tuple(FOLDERS)),
        ("align", align, ALIGNMENTS),
        ("subjects", subjects, ("all", "complete")),
    ):
        if value not in known:
            raise UserError(f"`{name}` must be one of {known}. Received: {value!r}")
    layout = find(folder)
    people, found = read_subjects(layout.subjects)
    sources, rejected, rows = find_sources(layout, rater)
    parts = []
    pids = sorted({*people, *sources.annotations})
    for pid in tqdm(
        pids, desc="Reading recordings", unit="subject", disable=None if progress else True
    ):
        chosen = subjects == "all" or pid in COMPLETE
        parts.append(_read_subject(pid, people.get(pid), sources, rater, align, chosen))
    return _build_table(parts, rejected, [*found, *rows])


def notes(table: ExampleTable) -> list[str]:
    """Return what the doctor says of the recordings and of what was irregular in them."""
    frame = table.frame
    if not len(frame):
        return describe_irregularities(table)
    first = (
        f"recordings: {frame['recording'].nunique()} of {frame['subject'].nunique()} subjects, "
        f"dyads: {frame['dyad'].nunique()}, stretches of 5 s: {len(frame)}, rated by: "
        f"{', '.join(sorted(frame['rater'].unique()))}"
    )
    return [first, *describe_irregularities(table)]


def _read_subject(
    pid: int,
    subject: Subject | None,
    sources: Sources,
    rater: Rater,
    align: Alignment,
    chosen: bool,
) -> _Part:
    """Return the recording and stretches of one subject."""
    name = f"{FOLDERS[rater]}/P{pid}.{rater}.csv"
    if pid not in sources.annotations:
        promised = FOLDERS[rater] in sources.promised.get(pid, ())
        told = f", although {AVAILABILITY_FILE} promises it" if promised else ""
        kind = "damaged" if promised else "unlabelled"
        return _Part([(name, kind, f"there is no such annotation{told}")], [])
    try:
        annotation = read_annotation(sources.annotations[pid], name, pid)
    except UserError as error:
        reason = str(error).replace(show_path(sources.annotations[pid]), name)
        return _Part([(name, "damaged", reason)], [])
    if not annotation.last_s and not annotation.rejected:
        return _Part([(name, "unlabelled", "no rows below the first line")], [])
    if not chosen:
        reason = "not one of the authors' 21 complete subjects"
        return _Part(annotation.reject("excluded", reason), [])
    if subject is None or subject.reason:
        reason = subject.reason if subject else f"{TIMES_FILE} has no row of pid {pid}"
        return _Part(annotation.reject("damaged", f"no place in time: {reason}"), [])
    recording, found = read_recording(subject, sources)
    if not recording.signals:
        kind, reason = explain_no_signals(subject, sources, found)
        return _Part(annotation.reject(kind, reason), found)
    frame, cut, rows = place_stretches(annotation, subject, align)
    rows += count_uncovered(frame, recording)
    frame = frame.assign(
        subject=subject.name,
        group=f"dyad {subject.dyad:02d}",
        split="",
        source=name,
        recording=recording.name,
        dyad=subject.dyad,
        pid=pid,
        rater=rater,
    )
    found += [(recording.name, *row) for row in rows if row[2]]
    return _Part([*annotation.rejected, *cut], found, frame, recording)


def _build_table(
    parts: list[_Part], rejected: list[Rejected], found: list[IrregularityRow]
) -> ExampleTable:
    used = [part for part in parts if part.recording is not None]
    frames = [part.frame for part in used if len(part.frame)]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=_COLUMNS)
    more = [column for column in frame.columns if column not in _COLUMNS]
    numbers = dict.fromkeys(("dyad", "pid", "seconds"), np.int64)
    numbers |= dict.fromkeys((*RATINGS, "start_s", "end_s"), np.float64)
    frame = frame[[*_COLUMNS, *more]].astype(numbers)
    frame[more] = frame[more].fillna("")
    rejected = [*rejected, *(row for part in parts for row in part.rejected)]
    sizes = [len(part.frame) for part in used]
    return ExampleTable(
        name=NAME,
        frame=frame,
        targets=TARGETS,
        payload=RecordingPayload(
            tuple(part.recording for part in used),
            np.repeat(np.arange(len(used), dtype=np.int64), sizes),
            irregularity_frame([*found, *(row for part in parts for row in part.found)]),
        ),
        groups_known=True,
        rejected=rejected_frame(rejected),
        read=len(frame) + len(rejected),
    )

"""ANUStressDB: videos, thermal and visible, of people who watch stressful and calm film clips.

Source: Irani et al., "Thermal super-pixels for bimodal stress recognition", IPTA 2016. No public
reader shows the owner's file names, so the user writes a table of them, `manifest.csv`. The
protocol is that of Wang, "StressNet", section 2.1: about 30 s of preparation, then 20 clips about
6 s apart, of each of which 30 frames are taken evenly.
"""

import dataclasses
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from affectkeras.datasets.anu_stress_frames import read_video
from affectkeras.datasets.anu_stress_manifest import (
    CLASS_NAMES,
    VIDEO_SUFFIXES,
    Recording,
    read_manifest,
    template,
)
from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.file_walk import walk_files
from affectkeras.datasets.folders import find_child, find_top, layout_error
from affectkeras.datasets.table import (
    ExampleTable,
    FilePayload,
    Target,
    example_id,
    rejected_frame,
)
from affectkeras.errors import UserError
from affectkeras.media.frame_cache import CutFrame, FrameChoice

NAME = "anu_stress"
TARGET = Target("stress", "class", CLASS_NAMES)
MANIFEST = "manifest.csv"
FRAMES = 30
LAYOUT = """
manifest.csv         a table that you write, in one of two forms; paths are relative to it
   subject,modality,path[,clip_count,order]     one row per video; order is one letter per clip, S
                                                (Stressful) or C (Calm): SCCSSC…; also allowed:
                                                preparation_s, gap_s, clip_s (30, 6, what is left)
   subject,clip,label,start_s,end_s,path        one row per clip; also allowed: modality
**/*.{avi,mp4,mkv,…}  the videos that it names
"""

_COLUMNS = (
    *("example_id", "subject", "group", "split", "source", "stress", "modality", "video", "clip"),
    *("clip_number", "frame", "frame_number", "time_s", "start_s", "end_s", "width", "height"),
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        manifest: the table of videos.
        named: what it names of each modality, in words.
        not_named: videos in its folder that it does not name.
        missing: videos that it names and that are not there.
    """

    manifest: Path
    named: tuple[str, ...]
    not_named: tuple[str, ...]
    missing: tuple[str, ...]


def find(folder: Path) -> Layout:
    """Return the manifest in `folder` (a folder, .zip or .csv) set against the videos there.

    Raises:
        UserError: when there is no manifest (the message holds one to fill in), or it has errors.
    """
    manifest = _find_manifest(Path(folder))
    recordings = read_manifest(manifest)
    by_modality: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_modality.setdefault(recording.modality, []).append(recording)
    known = {os.path.realpath(recording.path) for recording in recordings}
    beside = [path for path in _videos(manifest.parent) if os.path.realpath(path) not in known]
    return Layout(
        manifest,
        tuple(_describe(*pair) for pair in by_modality.items()),
        tuple(example_id(path, manifest.parent) for path in beside),
        tuple(
            f"{recording.name}, named in {recording.place}"
            for recording in recordings
            if not recording.path.is_file()
        ),
    )


def read(
    folder: Path,
    *,
    modality: str = "thermal",
    labels: int | None = None,
    frames: int = FRAMES,
    crop: int | None = 480,
    resize: int | None = None,
    levels: tuple[float, float] | None = None,
    progress: bool = True,
) -> ExampleTable:
    """Return one row per frame with the class target `stress`.

    Frames are cut once and kept in the cache as PNG files. `group` is the subject. Columns beside
    the fixed ones: `modality`, `video` (its path), `clip` (unique: video and number),
    `clip_number`, `frame` (from 0 within the clip), `frame_number` (within the video, by time and
    average rate), `time_s` (when the frame is shown, from the video's first frame), `start_s`,
    `end_s` (of the clip), `width`, `height` (pixels, as cut).

    Rejected, one row per frame that the manifest promises: what cannot be decoded or lies behind
    the video's end (damaged); of a clip without a label (unlabelled); of a clip behind the first
    `labels`, or the same picture as the frame before, where a clip has fewer than `frames`
    (excluded). Videos of another modality are not read.

    Args:
        folder: a folder or .zip with manifest.csv, or a .csv file.
        modality: which of the manifest's videos; those without one are always read.
        labels: only the first so many clips of each video (the paper's smaller set: 6).
        frames: per clip, at the middles of as many equal parts of it.
        crop, levels, resize: of each frame, see `FrameChoice`. The paper crops to 480 and resizes
            to 240; the resizing is the pipeline's unless it is asked for here.
        progress: whether to show a progress bar.

    Raises:
        UserError: when there is no manifest or it has errors, or it names no such video.
    """
    for name, value in (("labels", labels), ("frames", frames)):
        if value is not None and value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {value}")
    choice = FrameChoice(crop, levels, resize)
    manifest = _find_manifest(Path(folder))
    every = read_manifest(manifest)
    recordings = [one for one in every if one.modality in ("", modality.casefold())]
    if not recordings:
        known = ", ".join(sorted({one.modality for one in every}))
        raise UserError(f"{manifest}: names no {modality} video, only {known}. Mend --modality.")
    rows, paths, rejected = [], [], []
    total = frames * sum(len(one.clips) for one in recordings)
    with tqdm(
        total=total, desc="Cutting frames", unit="frame", disable=None if progress else True
    ) as bar:
        for recording in recordings:
            found = read_video(recording, labels, frames, choice, bar.update)
            for row, frame in found:
                if isinstance(frame, CutFrame):
                    rows.append(row)
                    paths.append(os.fspath(frame.path))
                else:
                    rejected.append((row["example_id"], *frame))
            bar.n = len(rows) + len(rejected)
            bar.refresh()
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return ExampleTable(
        name=NAME,
        frame=table.astype({"stress": np.int64, "frame_number": np.int64}),
        targets=(TARGET,),
        payload=FilePayload(np.array(paths, dtype=object)),
        groups_known=True,
        rejected=rejected_frame(rejected),
        read=total,
    )


def notes(table: ExampleTable) -> list[str]:
    """Return what the doctor says of the videos: how many, how long, of which size."""
    if not len(table):
        return []
    frame = table.frame
    clips = frame.drop_duplicates("clip")
    lengths = (clips["end_s"] - clips["start_s"]).groupby(clips["video"]).median()
    sizes = Counter(zip(frame["width"], frame["height"], strict=True))
    lines = [
        f"{frame['video'].nunique()} videos of {frame['subject'].nunique()} subjects, "
        f"{len(clips)} clips, a clip {lengths.min():.1f} to {lengths.max():.1f} s long",
        "frames as cut: " + ", ".join(f"{n} of {w} × {h}" for (w, h), n in sizes.most_common(4)),
    ]
    usual = lengths.median()
    for video, length in lengths.items():
        if abs(length - usual) > 0.2 * usual:
            lines.append(
                f"{video}: its clips are {length:.1f} s long, those of others {usual:.1f} s: is "
                "the video shorter than the recording was? clip_s in the manifest tells the length"
            )
    return lines


def _find_manifest(folder: Path) -> Path:
    if folder.suffix.casefold() == ".csv" and folder.is_file():
        return folder
    top = find_top(folder, lambda place: find_child(place, MANIFEST) is not None)
    if top is not None:
        return find_child(top, MANIFEST)
    opened = open_folder(folder)
    videos = _videos(opened)
    error = layout_error("ANUStressDB", folder, MANIFEST, LAYOUT)
    none = "" if videos else "No video was found there; two made-up rows show the form. "
    raise UserError(
        f"{error}\n\n{none}A manifest to fill in (write it to {opened / MANIFEST}; for each ? the "
        "subject, thermal or visible, and the order of the clips; the times, in seconds, are the "
        f"owner's):\n\n{template(opened, videos)}"
    )


def _videos(folder: Path) -> list[Path]:
    return [path for path in walk_files(folder)[0] if path.suffix.casefold() in VIDEO_SUFFIXES]


def _describe(modality: str, recordings: list[Recording]) -> str:
    labels = Counter(clip.label for recording in recordings for clip in recording.clips)
    told = [f"{labels[name]} {name or 'without a label'}" for name in (*CLASS_NAMES, "")]
    subjects = len({recording.subject for recording in recordings})
    return (
        f"{modality or 'no modality'}: {len(recordings)} videos of {subjects} subjects with "
        f"{labels.total()} clips: {', '.join(told if labels[''] else told[:2])}"
    )

"""Aff-Wild2: videos of faces with valence and arousal of every frame, and the faces cut out.

Source: Kollias and Zafeiriou, "Expression, Affect, Action Unit Recognition: Aff-Wild2, Multi-Task
Learning and ArcFace", BMVC 2019, with the annotations of the ABAW challenges. Who is shown is not
told; of a video with two people each has labels of their own: the group is the video.
"""

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from affectkeras.datasets.aff_wild2_crops import read_crops
from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.face_videos import (
    BOX,
    NO_FRAME,
    NO_LABEL,
    FrameRows,
    Rejected,
    build_frame_table,
    describe_frames,
    frame_names,
    is_label,
    list_videos,
    path_below,
    printable,
    read_text,
)
from affectkeras.datasets.folders import find_top, layout_error, list_folder, open_child
from affectkeras.datasets.table import ExampleTable
from affectkeras.errors import UserError
from affectkeras.media.frame_count import count_frames
from affectkeras.media.video import VideoDamaged

NAME = "aff_wild2"
LAYOUT = """
{batch1,batch2,new_vids}/<video>.{mp4,avi}
{cropped_aligned,cropped_aligned_new_50_vids}/<video>[_left|_right]/<frame>.jpg
                                               the faces cut out; frames from 1, with gaps
… Annotations/VA_Estimation_Challenge/{Train_Set,Validation_Set}/<video>[_left|_right].txt
                                               first line valence,arousal; -5 where there is none
Each part may still be a .zip. Either the videos or the cropped faces may be absent.
"""

_COLUMNS = ("valence", "arousal", *BOX)
_SETS = {"Train_Set": "train", "Validation_Set": "validation"}
_CHALLENGE = "VA_Estimation_Challenge"
_HEADER = ("valence", "arousal")
_SIDE = re.compile(r"(.+)_(left|right)")
_NO_BOX = dict.fromkeys(BOX, np.nan)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        train: the folder of annotations of the training part.
        validation: the same of the validation part.
        crops: the folders that hold a folder of cut out faces per person in a video.
        videos: the folders of videos.
        missing: a sentence for each part that should be there and is not, with the mend.
    """

    train: Path | None = None
    validation: Path | None = None
    crops: tuple[Path, ...] = ()
    videos: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Annotated:
    """An annotation: whose it is, of which part, its numbers (NaN where the line holds none)."""

    name: str
    split: str
    valence: np.ndarray
    arousal: np.ndarray


def find(folder: Path) -> Layout:
    """Return where the parts lie in `folder` (or one level below, or in a .zip).

    Raises:
        UserError: when there are no annotations, or neither videos nor cropped faces; the message
            says what was looked for and what was seen.
    """
    top = find_top(Path(folder), lambda place: _annotations(place) is not None)
    if top is None:
        raise layout_error("Aff-Wild2", Path(folder), "… Annotations/" + _CHALLENGE, LAYOUT)
    annotations = _annotations(top)
    sets = {split: open_child(annotations, name) for name, split in _SETS.items()}
    if not any(sets.values()):
        raise layout_error("Aff-Wild2", annotations, "Train_Set/ and Validation_Set/", LAYOUT)
    crops = _parts(top, lambda name: name.startswith("cropped_aligned"))
    videos = _parts(top, lambda name: name.startswith("batch") or name == "new_vids")
    if not crops and not videos:
        looked_for = "cropped_aligned/ with faces, or batch1/, batch2/, new_vids/ with videos"
        raise layout_error("Aff-Wild2", top, looked_for, LAYOUT)
    missing = tuple(
        f"the annotations of the {split} part: unpack {name} into {annotations.name}/"
        for name, split in _SETS.items()
        if sets[split] is None
    )
    return Layout(**sets, crops=crops, videos=videos, missing=missing)


def read(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return one row per labelled frame with the targets `valence` and `arousal`, in [-1, 1].

    Columns beside the fixed ones: `video` (of the person in it: the folder of the cut out faces, or
    the video with _left or _right behind its name where the annotation has it), `frame`
    (zero-based; the owner counts from 1), `x`, `y`, `width`, `height` (NaN: the owner gives no
    boxes). `group` is the video, both people together. The payload is the picture of the cut out
    face, or the video where no cropped faces are there. Splits: Train_Set → train, Validation_Set →
    validation.

    Rejected: a line without two numbers in [-1, 1], such as the owner's -5 (unlabelled); a frame
    that has no picture (excluded); a picture that is broken, and every frame of an annotation to
    which there is neither a folder of faces nor, where videos are read, a video that can be opened
    (damaged); lines behind the video's last frame (excluded).

    Raises:
        UserError: when the layout is not found or an annotation has another header.
    """
    layout = find(folder)
    annotated = [
        found
        for split in _SETS.values()
        for found in _read_annotations(getattr(layout, split), split)
    ]
    crops = {
        place.name: place for part in layout.crops for place in list_folder(part) if place.is_dir()
    }
    videos = {name: path for part in layout.videos for name, path in list_videos(part).items()}
    blocks, rejected = [], []
    for one in tqdm(
        annotated, desc="Reading frames", unit="video", disable=None if progress else True
    ):
        if layout.crops:
            block, left_out = _rows_of_crops(one, crops.get(one.name), videos)
        else:
            block, left_out = _rows_of_video(one, videos)
        blocks += [block] if block is not None else []
        rejected += left_out
    return build_frame_table(NAME, blocks, _COLUMNS, rejected)


def notes(table: ExampleTable) -> list[str]:
    """Return what the doctor says of the videos and their labels."""
    people = table.frame[["group", "video"]].drop_duplicates()["group"].value_counts()
    lines, shared = describe_frames(table), int((people > 1).sum())
    return [*lines, f"videos in which two people have labels: {shared}"] if lines else lines


def _annotations(place: Path) -> Path | None:
    """Return the folder of the challenge in a folder, or in one of annotations there."""
    inside = open_child(place, _CHALLENGE)
    if inside is not None:
        return inside
    for entry in list_folder(place):
        packed = entry.suffix.casefold() == ".zip" and entry.is_file()
        if "annotations" in entry.name.casefold() and (packed or entry.is_dir()):
            opened = open_folder(entry)
            for holder in (opened, *(one for one in list_folder(opened) if one.is_dir())):
                inside = open_child(holder, _CHALLENGE)
                if inside is not None:
                    return inside
    return None


def _parts(top: Path, is_part) -> tuple[Path, ...]:
    names = {
        entry.name.removesuffix(entry.suffix) if entry.suffix.casefold() == ".zip" else entry.name
        for entry in list_folder(top)
    }
    found = (open_child(top, name) for name in sorted(names) if is_part(name.casefold()))
    return tuple(path for path in found if path is not None)


def _read_annotations(folder: Path | None, split: str) -> list[_Annotated]:
    if folder is None:
        return []
    files = (path for path in list_folder(folder) if path.suffix.casefold() == ".txt")
    return [_Annotated(path.stem, split, *_read_annotation(path)) for path in files]


def _read_annotation(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the valence and arousal of every line behind the header."""
    lines = read_text(path).rstrip().splitlines() or [""]
    header = tuple(word.strip().casefold() for word in lines[0].split(","))
    if header != _HEADER:
        raise UserError(
            f"{path}: the first line must be valence,arousal. Found: {lines[0][:60]!r}. Is it an "
            "annotation of another challenge?"
        )
    pairs = pd.Series(lines[1:], dtype=object).str.split(",", expand=True)
    pairs = pairs.reindex(columns=[0, 1])
    valence, arousal = (pd.to_numeric(pairs[side], errors="coerce") for side in (0, 1))
    return valence.to_numpy(np.float64), arousal.to_numpy(np.float64)


def _base(name: str, videos: dict[str, Path]) -> str:
    """Return the name of the video in which someone is seen on the left or right."""
    found = _SIDE.fullmatch(name)
    return found[1] if found and name not in videos else name


def _rows_of_crops(
    one: _Annotated, folder: Path | None, videos: dict[str, Path]
) -> tuple[FrameRows | None, list[Rejected]]:
    frames = np.arange(len(one.valence))
    if folder is None:
        reason = "an annotation names it, but there is no folder of cropped faces of that name"
        return None, [
            (name, "damaged", reason) for name in frame_names(printable(one.name), frames)
        ]
    crops = read_crops(folder)
    video = path_below(folder.parent.name, folder)
    damaged = np.isin(frames, list(crops.damaged))
    used, rejected = _divide(
        video,
        frames,
        (
            (~is_label(one.valence, one.arousal), "unlabelled", NO_LABEL),
            (~crops.has(frames), "excluded", "there is no cropped face of the frame"),
            (damaged, "damaged", lambda frame: crops.damaged[frame]),
        ),
    )
    names = [crops.names[frame] for frame in used.tolist()]
    paths = [os.path.join(crops.folder, name) for name in names]
    sources = [f"{video}/{name}" for name in names]
    return _block(one, video, _base(one.name, videos), used, paths, sources), rejected


def _rows_of_video(
    one: _Annotated, videos: dict[str, Path]
) -> tuple[FrameRows | None, list[Rejected]]:
    frames = np.arange(len(one.valence))
    base = _base(one.name, videos)
    path = videos.get(base)
    if path is None:
        reason = "an annotation names it, but there is no such video"
        return None, [
            (name, "damaged", reason) for name in frame_names(printable(one.name), frames)
        ]
    source = path_below(path.parent.name, path)
    video = path_below(path.parent.name, path.with_name(one.name + path.suffix))
    try:
        count = count_frames(path)
    except VideoDamaged as damaged:
        return None, _reject_all(video, frames, str(damaged))
    used, rejected = _divide(
        video,
        frames,
        (
            (frames >= count.told, "excluded", f"{NO_FRAME} {count.told}"),
            (frames >= count.frames, "damaged", f"the file was cut off: {count.describe()}"),
            (~is_label(one.valence, one.arousal), "unlabelled", NO_LABEL),
        ),
    )
    return _block(one, video, base, used, os.fspath(path), source), rejected


def _block(
    one: _Annotated,
    video: str,
    group: str,
    used: np.ndarray,
    paths: str | Sequence[str],
    sources: str | Sequence[str],
) -> FrameRows:
    columns = {"valence": one.valence[used], "arousal": one.arousal[used], **_NO_BOX}
    return FrameRows(video, printable(group), one.split, used, paths, sources, columns)


def _reject_all(video: str, frames: np.ndarray, reason: str) -> list[Rejected]:
    return [(name, "damaged", reason) for name in frame_names(video, frames)]


def _divide(video: str, frames: np.ndarray, cases) -> tuple[np.ndarray, list[Rejected]]:
    """Return the frames that can be used, and the others with the first case they fall under."""
    left, rejected = np.ones(len(frames), bool), []
    for mask, kind, reason in cases:
        found = frames[left & mask]
        left &= ~mask
        names = frame_names(video, found)
        if callable(reason):
            reasons = [reason(frame) for frame in found.tolist()]
            rejected += [(name, kind, why) for name, why in zip(names, reasons, strict=True)]
        else:
            rejected += [(name, kind, reason) for name in names]
    return frames[left], rejected

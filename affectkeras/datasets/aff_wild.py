"""Aff-Wild: videos of faces with valence and arousal of every frame.

Source: Zafeiriou et al., "Aff-Wild: Valence and Arousal 'in-the-wild' Challenge", CVPR Workshops
2017; Kollias et al., "Deep Affect Prediction in-the-Wild", IJCV 2019. 252 videos have published
labels. Who is shown is not told: the group of a frame is its video.
"""

import dataclasses
import os
from pathlib import Path

import numpy as np
from tqdm import tqdm

from affectkeras.datasets.aff_wild_boxes import Boxes, read_boxes
from affectkeras.datasets.aff_wild_labels import (
    ALIGNMENTS,
    Alignment,
    LabelledVideo,
    align_labels,
    find_alignment,
    refuse_mismatches,
)
from affectkeras.datasets.face_videos import (
    BOX,
    FrameRows,
    build_frame_table,
    describe_frames,
    list_videos,
    path_below,
    read_numbers,
)
from affectkeras.datasets.folders import (
    find_child,
    find_top,
    layout_error,
    list_folder,
    open_child,
)
from affectkeras.datasets.table import ExampleTable
from affectkeras.errors import UserError
from affectkeras.media.frame_count import FrameCount, count_frames
from affectkeras.media.parallel import map_in_threads
from affectkeras.media.video import VideoDamaged

NAME = "aff_wild"
LAYOUT = """
videos/{train,test}/<id>.{mp4,avi}             the test part's labels were not published
annotations/train/{valence,arousal}/<id>.txt   one number in [-1, 1] a line, one line a frame
bboxes/train/<id>/<frame>.pts                  four corners of the face, frames from 1; may be
                                               absent, and are where no face was found
Each part may still be a .zip.
"""

_COLUMNS = ("valence", "arousal", *BOX, "alignment", "box_damaged")
_TRAIN, _TEST = "videos/train", "videos/test"


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        videos: the folder of the videos with labels.
        test_videos: the folder of those without.
        valence: the folder of the files of valence.
        arousal: the folder of the files of arousal.
        boxes: the folder with a folder of boxes per video.
        missing: a sentence for each part that should be there and is not, with the mend.
    """

    videos: Path | None = None
    test_videos: Path | None = None
    valence: Path | None = None
    arousal: Path | None = None
    boxes: Path | None = None
    missing: tuple[str, ...] = ()


def find(folder: Path) -> Layout:
    """Return where the parts lie in `folder` (or one level below, or in a .zip).

    Raises:
        UserError: when videos or annotations are not there; the message says what was looked for
            and what was seen.
    """
    top = find_top(Path(folder), _looks_right)
    if top is None:
        raise layout_error("Aff-Wild", Path(folder), "videos/ and annotations/", LAYOUT)
    videos, annotations = open_child(top, "videos"), open_child(top, "annotations")
    train = open_child(annotations, "train") if annotations else None
    parts = {
        "videos": open_child(videos, "train") if videos else None,
        "test_videos": open_child(videos, "test") if videos else None,
        "valence": open_child(train, "valence") if train else None,
        "arousal": open_child(train, "arousal") if train else None,
    }
    boxes = open_child(top, "bboxes")
    absent = [name for name in ("videos", "valence", "arousal") if parts[name] is None]
    if absent:
        looked_for = {
            "videos": "videos/train/",
            "valence": "annotations/train/valence/",
            "arousal": "annotations/train/arousal/",
        }
        raise layout_error("Aff-Wild", top, looked_for[absent[0]], LAYOUT)
    parts["boxes"] = open_child(boxes, "train") if boxes else None
    missing = []
    if parts["boxes"] is None:
        missing.append("the boxes of faces: unpack them into bboxes/train/, or do without")
    return Layout(**parts, missing=tuple(missing))


def read(folder: Path, *, alignment: Alignment = "auto", progress: bool = True) -> ExampleTable:
    """Return one row per labelled frame with the targets `valence` and `arousal`, in [-1, 1].

    Columns beside the fixed ones: `video` (its path), `frame` (zero-based, in the order of
    presentation), `x`, `y`, `width`, `height` (the owner's box of the face, pixels, the left upper
    corner being (0, 0); NaN where there is none), `alignment` ("frame" or "box"), `box_damaged`
    (whether there is a box that cannot be understood). `group` is the video. The payload is the
    video's file.

    Whether a label belongs to the frame of its number, or only frames with a box have labels, is
    not told by the owner and checked for each video: as many labels as frames means the former, as
    many as boxes the latter. With `alignment="frame"` the first label is the first frame's whatever
    the numbers: labels behind the last frame are rejected, and frames behind the last label are no
    examples; so with `"box"` among the frames that have a box.

    Rejected: a label that is no number in [-1, 1] (unlabelled); every label of a video that is
    missing or cannot be opened, and those of the frames that a cut off file has lost (damaged);
    labels without a frame, where an alignment was forced (excluded). A video without labels, as all
    of the test part, is one rejected row (unlabelled).

    Args:
        folder: a folder or .zip.
        alignment: "auto": found out for each video; "frame" or "box": forced on all.
        progress: whether to show a progress bar.

    Raises:
        UserError: when the layout is not found, or with "auto" the numbers of a video fit neither
            way; the message tells all of them.
    """
    if alignment not in ALIGNMENTS:
        raise UserError(f"`alignment` must be one of {ALIGNMENTS}. Received: {alignment!r}")
    layout = find(folder)
    files = list_videos(layout.videos)
    labels = {name: _list_texts(getattr(layout, name)) for name in ("valence", "arousal")}
    named = sorted({*labels["valence"], *labels["arousal"]}, key=_by_number)
    videos = _measure(named, files, labels, layout.boxes, progress)
    chosen = [find_alignment(video, alignment) for video in videos]
    refuse_mismatches([one for one, how in zip(videos, chosen, strict=True) if how is None])
    blocks, rejected = [], []
    for video, how in zip(videos, chosen, strict=True):
        block, left_out = _rows(video, how)
        blocks.append(block)
        rejected += left_out
    for name in sorted(files.keys() - set(named), key=_by_number):
        rejected.append((path_below(_TRAIN, files[name]), "unlabelled", "no annotation names it"))
    for _, path in sorted(list_videos(layout.test_videos).items()):
        reason = "its labels were not published"
        rejected.append((path_below(_TEST, path), "unlabelled", reason))
    if not named and not rejected:
        raise UserError(
            f"{layout.videos}: the folder has the right parts, but no video and no label in them. "
            "Unpack the whole archives."
        )
    return build_frame_table(NAME, blocks, _COLUMNS, rejected)


def notes(table: ExampleTable) -> list[str]:
    """Return what the doctor says: videos, labels, how they belong to frames, boxes."""
    if not len(table):
        return []
    frame = table.frame
    by_video = frame.groupby("video", sort=False)["alignment"].first()
    by_box = list(by_video.index[by_video == "box"])
    lines = describe_frames(table)
    lines.append(f"labels belong to frames by number in {len(by_video) - len(by_box)} videos")
    if by_box:
        named = ", ".join(by_box[:5]) + (" …" if len(by_box) > 5 else "")
        lines.append(f"labels belong to the frames with a box in {len(by_box)} videos: {named}")
    lines.append(f"frames with the owner's box of the face: {frame['x'].notna().mean():.1%}")
    if frame["box_damaged"].any():
        counts = frame.loc[frame["box_damaged"], "video"].value_counts()
        lines.append(
            f"boxes that cannot be understood: {counts.sum()}, in {len(counts)} videos, "
            f"such as {counts.index[0]}"
        )
    return lines


def _looks_right(place: Path) -> bool:
    return all(find_child(place, name, f"{name}.zip") for name in ("videos", "annotations"))


def _measure(
    named: list[str],
    files: dict[str, Path],
    labels: dict[str, dict[str, Path]],
    boxes: Path | None,
    progress: bool,
) -> list[LabelledVideo]:
    """Count frames, labels and boxes of the named videos."""
    counts = map_in_threads(
        lambda name: _count(files.get(name)),
        named,
        description="Counting frames",
        progress=progress,
        workers=None,
    )
    folders = {path.name: path for path in list_folder(boxes) if path.is_dir()} if boxes else {}
    videos = []
    for name, (count, reason) in zip(
        tqdm(named, desc="Reading boxes", unit="video", disable=None if progress else True),
        counts,
        strict=True,
    ):
        path = files.get(name)
        values = [
            read_numbers(labels[kind][name]) if name in labels[kind] else np.empty(0)
            for kind in ("valence", "arousal")
        ]
        found: Boxes | None = read_boxes(folders[name]) if name in folders else None
        shown = path_below(_TRAIN, path or Path(name))
        videos.append(LabelledVideo(shown, path, *values, count, reason, found))
    return videos


def _count(path: Path | None) -> tuple[FrameCount | None, str]:
    if path is None:
        return None, "annotations name it, but there is no such video"
    try:
        return count_frames(path), ""
    except VideoDamaged as damaged:
        return None, str(damaged)


def _rows(video: LabelledVideo, how: str) -> tuple[FrameRows, list[tuple[str, str, str]]]:
    """Return the rows of a video and what was set aside of it."""
    used, frames, rejected = align_labels(video, how)
    boxes, damaged = (video.boxes or Boxes(np.empty(0, np.int64), np.empty((0, 4)))).at(frames)
    columns = {
        "valence": video.valence[used],
        "arousal": video.arousal[used],
        **{side: boxes[:, place] for place, side in enumerate(BOX)},
        "alignment": how,
        "box_damaged": damaged,
    }
    path = os.fspath(video.path) if video.path is not None else ""
    return FrameRows(video.name, video.name, "train", frames, path, video.name, columns), rejected


def _list_texts(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in list_folder(folder) if path.suffix.casefold() == ".txt"}


def _by_number(name: str) -> tuple[int, str]:
    return (int(name) if name.isascii() and name.isdigit() else 2**62, name)

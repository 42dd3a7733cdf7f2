"""Which frame each label of an Aff-Wild video belongs to."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from affectkeras.datasets.aff_wild_boxes import Boxes
from affectkeras.datasets.face_videos import NO_FRAME, NO_LABEL, Rejected, frame_names, is_label
from affectkeras.errors import UserError
from affectkeras.media.frame_count import FrameCount

Alignment = Literal["auto", "frame", "box"]
ALIGNMENTS = ("auto", "frame", "box")
_LISTED = 5


@dataclasses.dataclass(frozen=True)
class LabelledVideo:
    """A video with its labels, as found.

    Args:
        name: its path below the folder.
        path: the file; None where there is none.
        valence: float64 `(labels,)`, NaN where the file holds no number.
        arousal: the same; as long, if all is well.
        count: its frames; None where the video cannot be opened.
        reason: why it cannot.
        boxes: of faces; None where the owner gives none.
    """

    name: str
    path: Path | None
    valence: np.ndarray
    arousal: np.ndarray
    count: FrameCount | None
    reason: str
    boxes: Boxes | None

    def describe(self) -> str:
        """Return the three numbers that must fit."""
        labels = str(len(self.valence))
        if len(self.arousal) != len(self.valence):
            labels = f"{len(self.valence)} valences and {len(self.arousal)} arousals"
        boxes = 0 if self.boxes is None else len(self.boxes)
        if self.count is None:
            frames = f"frames unknown ({self.reason})"
        elif self.count.told > self.count.frames:
            frames = f"{self.count.frames} of {self.count.told} frames (cut off)"
        else:
            frames = f"{self.count.frames} frames"
        return f"{self.name}: {labels} labels, {frames}, {boxes} boxes"


def find_alignment(video: LabelledVideo, asked: Alignment) -> str | None:
    """Return "frame" or "box"; None where neither number is that of the labels.

    Where both are, it makes no difference which it is, and it is "frame". A video that was cut off
    counts with the frames that it had.
    """
    if asked != "auto":
        return asked
    labels = len(video.valence)
    if labels != len(video.arousal):
        return None
    if video.count is None or labels in (video.count.frames, video.count.told):
        return "frame"
    return "box" if video.boxes is not None and labels == len(video.boxes) else None


def refuse_mismatches(videos: Sequence[LabelledVideo]) -> None:
    """Raise `UserError` with the numbers of videos whose labels fit neither frames nor boxes."""
    if not videos:
        return
    listed = "; ".join(video.describe() for video in videos[:_LISTED])
    more = f" … ({len(videos)} videos in all)" if len(videos) > _LISTED else ""
    raise UserError(
        f"The number of labels must be that of the frames, or that of the boxes, in every video. "
        f"In {len(videos)} it is neither: {listed}{more}. Check that videos, annotations and "
        "bboxes are of one release and complete. To take the first label for the first frame all "
        'the same, and so on, choose alignment="frame" (--alignment frame): labels behind the last '
        "frame are then set aside, and frames behind the last label are no examples."
    )


def align_labels(
    video: LabelledVideo, alignment: str
) -> tuple[np.ndarray, np.ndarray, list[Rejected]]:
    """Return which labels can be used, of which frames, and the others with the reason.

    Args:
        video: what was found.
        alignment: "frame" or "box".

    Returns:
        Indices of labels and zero-based numbers of their frames, both int64 `(used,)`, and
        `(example id, kind, reason)` of every other label.
    """
    number = max(len(video.valence), len(video.arousal))
    labels = np.arange(number)
    valence, arousal = (_fill_up(values, number) for values in (video.valence, video.arousal))
    frames = labels
    if alignment == "box":
        with_box = np.empty(0, np.int64) if video.boxes is None else video.boxes.frames
        frames = np.full(number, -1)
        frames[: len(with_box)] = with_box[:number]
    known = video.count or FrameCount(0, 0)
    without = f"a label without a frame: {np.sum(frames >= 0)} frames have a box"
    cases = (
        (frames < 0, "excluded", without),
        (np.full(number, video.count is None), "damaged", video.reason),
        (frames >= known.told, "excluded", f"{NO_FRAME} {known.told}"),
        (
            frames >= known.frames,
            "damaged",
            f"the file was cut off: {known.describe()}",
        ),
        (~is_label(valence, arousal), "unlabelled", NO_LABEL),
    )
    rejected, left = [], np.ones(number, bool)
    for mask, kind, reason in cases:
        found = left & mask
        left &= ~mask
        names = frame_names(video.name, frames[found & (frames >= 0)])
        names += frame_names(video.name, labels[found & (frames < 0)], "label")
        rejected += [(name, kind, reason) for name in names]
    return np.flatnonzero(left), frames[left], rejected


def _fill_up(values: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([values, np.full(length - len(values), np.nan)])

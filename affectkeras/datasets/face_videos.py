"""What the readers of labelled face video share: labels from text files, rows of many frames."""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.anu_stress_manifest import VIDEO_SUFFIXES
from affectkeras.datasets.file_walk import is_litter
from affectkeras.datasets.folders import list_folder
from affectkeras.datasets.table import ExampleTable, FilePayload, Target, rejected_frame
from affectkeras.errors import UserError

TARGETS = (Target("valence", "number"), Target("arousal", "number"))
BOX = ("x", "y", "width", "height")
NO_LABEL = "its valence or arousal is no number in [-1, 1]"
NO_FRAME = "a label without a frame: the number of the video's frames is"

Rejected = tuple[str, str, str]


@dataclasses.dataclass(frozen=True)
class FrameRows:
    """The rows of the labelled frames of one video.

    Args:
        video: its path below the folder, unique; the examples are named by it.
        group: what must not be divided.
        split: the owner's.
        frames: zero-based numbers in the order of presentation, int64 `(rows,)`.
        paths: the file of every row, or one file of them all.
        sources: where each row comes from, or one place of them all.
        columns: what else is told, name → array `(rows,)` or one value of them all.
    """

    video: str
    group: str
    split: str
    frames: np.ndarray
    paths: str | Sequence[str]
    sources: str | Sequence[str]
    columns: dict[str, object]


def build_frame_table(
    name: str, blocks: Iterable[FrameRows], columns: Sequence[str], rejected: list[Rejected]
) -> ExampleTable:
    """Return the table of valence and arousal of frames, blocks one after another.

    Args:
        name: the data set's short name.
        blocks: of every video.
        columns: the names of what the blocks tell, in order.
        rejected: what was set aside.
    """
    blocks = [block for block in blocks if len(block.frames)]
    sizes = [len(block.frames) for block in blocks]

    def join(values, dtype) -> np.ndarray:
        filled = [
            np.broadcast_to(np.asarray(value, dtype=dtype), size)
            for value, size in zip(values, sizes, strict=True)
        ]
        return np.concatenate([np.empty(0, dtype), *filled])

    def spread(values) -> np.ndarray:
        """Repeat one word per block: the rows share it, so that millions take little memory."""
        return np.repeat(np.array(values, dtype=object), sizes)

    frames = join([block.frames for block in blocks], np.int64)
    ids = [name for block in blocks for name in frame_names(block.video, block.frames)]
    table = {
        "example_id": np.array(ids, dtype=object),
        "subject": np.full(len(frames), "", dtype=object),
        "group": spread([block.group for block in blocks]),
        "split": spread([block.split for block in blocks]),
        "source": join([block.sources for block in blocks], object),
        "video": spread([block.video for block in blocks]),
        "frame": frames,
    }
    for column in columns:
        values = [np.asarray(block.columns[column]) for block in blocks]
        kind = values[0].dtype if values and values[0].dtype.kind != "U" else object
        table[column] = join(values, kind)
    return ExampleTable(
        name=name,
        frame=pd.DataFrame(table),
        targets=TARGETS,
        payload=FilePayload(join([block.paths for block in blocks], object)),
        groups_known=True,
        rejected=rejected_frame(rejected),
        read=len(frames) + len(rejected),
    )


def frame_names(video: str, frames: np.ndarray, word: str = "frame") -> list[str]:
    """Return the example id of each frame of a video."""
    return [f"{video} {word} {number:05}" for number in frames.tolist()]


def read_numbers(path: Path) -> np.ndarray:
    """Return the number in each line, float64 `(lines,)`: NaN where there is none.

    Empty lines at the end do not count.

    Raises:
        UserError: when the file cannot be read.
    """
    lines = [line.strip() for line in read_text(path).rstrip().splitlines()]
    try:
        return np.array(lines, dtype=np.float64)
    except ValueError:
        return pd.to_numeric(pd.Series(lines, dtype=object), errors="coerce").to_numpy(np.float64)


def read_text(path: Path) -> str:
    """Return a text file's content; what is not UTF-8 in it becomes a mark of damage.

    Raises:
        UserError: when the file cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Mend the file.") from error


def is_label(valence: np.ndarray, arousal: np.ndarray) -> np.ndarray:
    """Return where both are numbers in [-1, 1]."""
    return (np.abs(valence) <= 1) & (np.abs(arousal) <= 1)


def list_videos(folder: Path | None) -> dict[str, Path]:
    """Return the videos right below a folder by their names without ending.

    Raises:
        UserError: when two differ by their ending only.
    """
    videos: dict[str, Path] = {}
    for path in list_folder(folder) if folder is not None else []:
        if path.suffix.casefold() not in VIDEO_SUFFIXES or is_litter(path.name) or path.is_dir():
            continue
        if path.stem in videos:
            raise UserError(
                f"{folder}: {videos[path.stem].name} and {path.name} are two videos of one name, "
                "and labels belong to one. Move one of them away."
            )
        videos[path.stem] = path
    return videos


def describe_frames(table: ExampleTable) -> list[str]:
    """Return what the doctor says of labelled frames: videos, ranges, quadrants, boxes."""
    if not len(table):
        return []
    frame = table.frame
    counts = frame["video"].value_counts()
    lines = [
        f"{len(counts)} videos, {len(frame)} frames with valence and arousal; a video has "
        f"{counts.min()} to {counts.max()}"
    ]
    for name in ("valence", "arousal"):
        values = frame[name]
        lines.append(
            f"{name}: {values.min():.2f} to {values.max():.2f}, mean {values.mean():.2f}, "
            f"standard deviation {values.std(ddof=0):.2f}"
        )
    above, awake = frame["valence"] >= 0, frame["arousal"] >= 0
    shares = [(above & awake), (~above & awake), (~above & ~awake), (above & ~awake)]
    names = ("both positive", "only arousal", "none", "only valence")
    told = ", ".join(
        f"{name} {share.mean():.0%}" for name, share in zip(names, shares, strict=True)
    )
    return [*lines, f"frames by sign: {told}"]


def path_below(part: str, path: Path) -> str:
    """Return the name of a file in a part of the layout, printable, wherever the part lies."""
    return f"{part}/{printable(path.name)}"


def printable(name: str) -> str:
    """Return a file's name as text; what of it is not UTF-8 shows its bytes as `\\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")

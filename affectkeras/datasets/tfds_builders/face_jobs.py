"""Examples of faces in pieces that a process can prepare by itself: files, blocks of pixels."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from affectkeras.datasets.anu_stress_manifest import VIDEO_SUFFIXES
from affectkeras.datasets.table import ArrayPayload, ExampleTable
from affectkeras.errors import UserError
from affectkeras.media.video_frames import every_frame

BLOCK = 256  # rows of pixels held as arrays that are prepared at a time
TEXTS = ("example_id", "subject", "group")


@dataclasses.dataclass(frozen=True, eq=False)
class FaceJob:
    """Examples that come from one source. Small, so that it can be sent to another process.

    Args:
        payload: the feature that holds what is shown: `"image"` or `"video"`.
        features: of each example all others, with its `example_id`.
        source: a file's path, or pixels uint8 `(examples, height, width[, 3])`.
        frames: the number of each example's frame, where the file is a video of frames.
    """

    payload: str
    features: list[dict[str, object]]
    source: str | np.ndarray
    frames: list[int] | None = None


def face_jobs(table: ExampleTable, rows: np.ndarray, payload: str, label: bool) -> list[FaceJob]:
    """Return the jobs that together hold the rows.

    Args:
        table: the examples.
        rows: of the table.
        payload: as in `FaceJob`.
        label: whether the first target is a class, stored as `label`; else targets are numbers
            under their names.
    """
    described = {row: _describe(table, row, label) for row in rows}
    if isinstance(table.payload, ArrayPayload):
        blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
        pixels, index = table.payload.arrays["pixels"], table.payload.index
        return [
            FaceJob(payload, [described[row] for row in block], np.asarray(pixels[index[block]]))
            for block in blocks
        ]
    by_path: dict[str, list[int]] = {}
    for row in rows:
        by_path.setdefault(str(table.payload.paths[row]), []).append(row)
    return [
        FaceJob(
            payload,
            [described[row] for row in same],
            path,
            [int(table.frame["frame"][row]) for row in same]
            if _has_frames(path, payload)
            else None,
        )
        for path, same in by_path.items()
    ]


def prepare_faces(job: FaceJob) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield `(example_id, features)` of a job: a path or a video's bytes, or decoded pixels.

    Raises:
        UserError: where a video does not have all frames that have a label.
    """
    if isinstance(job.source, np.ndarray):
        stored = [_in_colour(pixels) for pixels in job.source]
    elif job.frames is not None:
        yield from _frames(job)
        return
    elif job.payload == "video":
        stored = [Path(job.source).read_bytes()] * len(job.features)
    else:
        stored = [job.source] * len(job.features)  # tfds keeps the file's bytes unchanged
    for features, one in zip(job.features, stored, strict=True):
        yield features["example_id"], {job.payload: one, **features}


def _describe(table: ExampleTable, row: int, label: bool) -> dict[str, object]:
    example = table.frame.iloc[row]
    features = {name: example[name] for name in TEXTS}
    if label:
        return features | {"label": int(example[table.targets[0].name])}
    return features | {target.name: float(example[target.name]) for target in table.targets}


def _has_frames(path: str, payload: str) -> bool:
    return payload != "video" and Path(path).suffix.casefold() in VIDEO_SUFFIXES


def _in_colour(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)


def _frames(job: FaceJob) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the examples of one video as their frames are decoded."""
    wanted: dict[int, list[dict[str, object]]] = {}
    for number, features in zip(job.frames, job.features, strict=True):
        # Two people in one video have rows of the same frame.
        wanted.setdefault(number, []).append(features)
    last = max(wanted)
    for number, shown in enumerate(every_frame(job.source)):
        pixels = _in_colour(shown.pixels)
        for features in wanted.pop(number, ()):
            yield features["example_id"], {job.payload: pixels, **features}
        if number >= last:
            break
    if wanted:
        raise UserError(
            f"{job.source}: {len(wanted)} frames with a label cannot be decoded, the first of them "
            f"number {min(wanted)}. Mend the file, or leave the video out."
        )

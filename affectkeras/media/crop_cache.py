"""Faces cut out of chosen frames of a video, once, and kept on disk as one array per video."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from affectkeras.cache import cache_dir
from affectkeras.errors import UserError
from affectkeras.files import atomic_file
from affectkeras.media.frame_cache import file_digest
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_faces import as_colour, cut_face
from affectkeras.media.video_frames import every_frame

FORMAT = 1  # counted up when other pixels would come out of the same video and boxes


def cut_chosen_faces(
    video: Path,
    frames: np.ndarray,
    boxes: np.ndarray,
    *,
    size: int,
    margin: float,
    on_frame: Callable[[], object] = lambda: None,
) -> np.ndarray:
    """Return the faces in some frames of a video, cut at the first call.

    Args:
        video: the file.
        frames: numbers of the frames in order of presentation, from 0, ascending.
        boxes: left and upper edge, width, height of the face in each, pixels, `(frames, 4)`.
        size, margin: see `video_faces.cut_faces`.
        on_frame: called for each face that is cut, for a progress bar.

    Returns:
        uint8 `(found, size, size, 3)`, memory-mapped: fewer than asked for where the file ends or
        cannot be decoded before the last of them.

    Raises:
        VideoDamaged: when the file is no video that can be opened.
        UserError: when the cache cannot be written.
    """
    frames = np.asarray(frames, np.int64)
    boxes = np.asarray(boxes, np.float32)
    if (np.diff(frames) <= 0).any() or boxes.shape != (len(frames), 4):
        raise ValueError(
            "`frames` must ascend and `boxes` be (frames, 4). "
            f"Received: {len(frames)} frames, boxes {boxes.shape}"
        )
    try:
        digest = file_digest(Path(video))
    except OSError as error:
        raise VideoDamaged(f"cannot be read: {error.strerror or error}") from error
    told = {"format": FORMAT, "video": digest, "size": size, "margin": margin}
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    key.update(frames.tobytes() + boxes.tobytes())
    try:
        kept = cache_dir("crops") / f"{key.hexdigest()[:32]}.npy"
        with FileLock(f"{kept}.lock"):
            if not kept.is_file():
                faces = _cut(video, frames, boxes, size, margin)
                _write(kept, faces, (len(frames), size, size, 3), on_frame)
        return np.load(kept, mmap_mode="r")
    except (OSError, UserError) as error:
        reason = error.__cause__ if isinstance(error, UserError) else error
        raise UserError(
            f"{video}: cut faces cannot be kept: {getattr(reason, 'strerror', None) or reason}. "
            "Check the permissions and the free space, or set AFFECTKERAS_CACHE to another folder."
        ) from error


def read_frames(video: Path, frames: Sequence[int]) -> list[np.ndarray]:
    """Return frames of a video by their numbers, ascending, uint8 RGB; fewer where it ends."""
    wanted = [int(number) for number in frames]
    found = []
    for number, frame in enumerate(every_frame(os.fspath(video))):
        if len(found) == len(wanted):
            break
        if number == wanted[len(found)]:
            found.append(as_colour(frame.pixels))
    return found


def _cut(video, frames, boxes, size: int, margin: float) -> Iterator[np.ndarray]:
    place = 0
    for number, frame in enumerate(every_frame(os.fspath(video))):
        if place == len(frames):
            break
        if number == frames[place]:
            yield cut_face(as_colour(frame.pixels), boxes[place], size, margin)
            place += 1


def _write(path: Path, faces: Iterator[np.ndarray], shape: tuple[int, ...], on_frame) -> None:
    """Write faces as they come: those of a long video together would need gigabytes of memory."""
    with atomic_file(path) as file:

        def write_header(count: int) -> None:
            # NumPy pads it so that it is of one length whatever the number of rows.
            facts = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape[1:])}
            np.lib.format.write_array_header_1_0(file, facts)

        write_header(shape[0])
        found = 0
        for face in faces:
            file.write(np.ascontiguousarray(face))
            found += 1
            on_frame()
        if found < shape[0]:
            file.seek(0)
            write_header(found)

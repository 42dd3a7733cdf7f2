"""Frames cut out of videos once and kept on disk as PNG files.

A folder per video and choice, under the digest of the video's bytes and of everything that decides
what the frames look like. It appears whole or not at all; two processes may cut the same video.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock

from affectkeras.cache import cache_dir
from affectkeras.errors import UserError
from affectkeras.files import atomic_file, write_json
from affectkeras.media.video_frames import VideoFrame, frames_at

FORMAT = 1  # counted up when other pixels would come out of the same video and choice
_FACTS = "frames.json"


@dataclasses.dataclass(frozen=True)
class FrameChoice:
    """What is made of a frame before it is kept, in this order.

    Args:
        crop: side of the square cut out around the centre, pixels; a smaller picture gives its
            largest centred square. None: the whole picture.
        levels: for more than 8 bits of grey: the stored numbers that become 0 and 255, so that
            pictures of 8 bits come out; the same for all videos keeps their warmth comparable.
            None: 16 bits are kept (whoever reads them with 8 sees the upper ones).
        resize: side of the square after that, by the project's one resizing function; None: as
            cut, so that the one resizing is the pipeline's.
    """

    crop: int | None = None
    levels: tuple[float, float] | None = None
    resize: int | None = None

    def __post_init__(self):
        for name in ("crop", "resize"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"`{name}` must be a number of pixels from 1. Received: {value}")
        if self.resize is not None and self.crop is None:
            raise ValueError("`resize` needs a square: give `crop` too. Received: crop=None")
        if self.levels is not None and not self.levels[0] < self.levels[1]:
            raise ValueError(f"`levels` must be (low, high), low < high. Received: {self.levels}")


@dataclasses.dataclass(frozen=True)
class CutFrame:
    """A frame on disk: when it is shown (s), its PNG file and size; or the reason for none."""

    shown_s: float | None
    path: Path | None
    width: int = 0
    height: int = 0
    reason: str = ""


def cut_frames(
    video: Path,
    times_s: Sequence[float],
    choice: FrameChoice,
    *,
    on_frame: Callable[[], object] = lambda: None,
) -> list[CutFrame]:
    """Return the frames of a video at ascending times, cut at the first call.

    Args:
        video: the file.
        times_s: seconds from the first frame.
        choice: what is made of each frame.
        on_frame: called for each frame, for a progress bar.

    Raises:
        VideoDamaged: when the file is no video that can be opened.
        UserError: when the cache cannot be written.
    """
    times = [round(float(time), 6) for time in times_s]
    told = {"format": FORMAT, "video": file_digest(video), "times": times}
    told |= dataclasses.asdict(choice)
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]
    folder = cache_dir("frames") / key
    try:
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                _cut_whole(video, times, choice, folder, on_frame)
    except OSError as error:
        raise UserError(
            f"{folder}: cut frames cannot be kept: {error.strerror or error}. Check the "
            "permissions and the free space, or set AFFECTKERAS_CACHE to another folder."
        ) from error
    facts = json.loads((folder / _FACTS).read_bytes())["frames"]
    return [_on_disk(folder, fact) for fact in facts]


def file_digest(path: Path) -> str:
    """Return a digest of a file's bytes, remembered for as long as path, size and time stay."""
    status = path.stat()
    key = repr((os.fspath(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino))
    name = hashlib.sha256(os.fsencode(key)).hexdigest()[:32]
    known = cache_dir("frames", "digests") / name
    try:
        digest = known.read_text("ascii")
        if len(digest) == 64:
            return digest
    except (OSError, ValueError):
        pass
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
    with atomic_file(known) as file:
        file.write(digest.encode("ascii"))
    return digest


def shape_frame(pixels: np.ndarray, choice: FrameChoice) -> np.ndarray:
    """Return a frame as the choice wants it; colour whose channels are equal becomes grey.

    Args:
        pixels: uint8 or uint16 `(height, width)`, or uint8 RGB `(height, width, 3)`.
        choice: what is made of it.
    """
    if choice.crop is not None:
        side = min(choice.crop, *pixels.shape[:2])
        top, left = ((length - side) // 2 for length in pixels.shape[:2])
        pixels = pixels[top : top + side, left : left + side]
    if choice.levels is not None and pixels.dtype == np.uint16:
        low, high = choice.levels
        pixels = np.rint((pixels.astype(np.float32) - low) * (255 / (high - low)))
        pixels = pixels.clip(0, 255).astype(np.uint8)
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    if choice.resize is not None and pixels.shape[:2] != (choice.resize, choice.resize):
        # Here, so that cutting without resizing does not wait for TensorFlow.
        from affectkeras.media.images import resize_pixels

        resized = np.asarray(resize_pixels(_tensor(pixels), (choice.resize, choice.resize)))
        pixels = (resized if pixels.ndim == 3 else resized[..., 0]).astype(pixels.dtype)
    return np.ascontiguousarray(pixels)


def _tensor(pixels: np.ndarray):
    import tensorflow as tf

    return tf.constant(pixels)


def _cut_whole(video, times, choice, folder: Path, on_frame) -> None:
    """Cut beside the folder and move there at the end, so that no half folder is ever seen."""
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        facts = []
        for number, frame in enumerate(frames_at(video, times)):
            facts.append(_keep(frame, choice, unfinished / f"{number:05}.png"))
            on_frame()
        write_json(unfinished / _FACTS, {"frames": facts})
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _keep(frame: VideoFrame, choice: FrameChoice, path: Path) -> dict:
    if frame.pixels is None:
        return {"reason": frame.reason}
    pixels = shape_frame(frame.pixels, choice)
    stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    encoded = cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    path.write_bytes(encoded.tobytes())
    height, width = pixels.shape[:2]
    return {"shown_s": frame.shown_s, "file": path.name, "width": width, "height": height}


def _on_disk(folder: Path, fact: dict) -> CutFrame:
    if "file" not in fact:
        return CutFrame(None, None, reason=fact["reason"])
    return CutFrame(fact["shown_s"], folder / fact["file"], fact["width"], fact["height"])

"""The faces of a video file: found once, kept on disk, and cut out frame by frame."""

import dataclasses
import hashlib
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from affectkeras.cache import cache_dir
from affectkeras.errors import UserError
from affectkeras.files import atomic_file
from affectkeras.media.face_crops import cut_square, square_around
from affectkeras.media.face_refiner import refine_faces
from affectkeras.media.face_tracking import track_faces
from affectkeras.media.faces import DetectionSettings, Face, detect_faces, reduce_image
from affectkeras.media.frame_cache import file_digest
from affectkeras.media.scene_tracker import FaceTrack, TrackingSettings
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_frames import every_frame

FORMAT = 1  # counted up when other tracks would come out of the same video and settings
# A search may be less sure of a face than one of a photo: the frames around it bear witness too.
DETECTION = DetectionSettings(min_confidence=0.8, haar=False)


@dataclasses.dataclass(frozen=True, eq=False)
class VideoFaces:
    """The faces of a video.

    Args:
        times_s: when each frame that can be decoded is shown, seconds from the first, `(frames,)`.
        width, height: of the pictures, pixels, as they are shown.
        tracks: a track per face, by first appearance; boxes in pixels of the pictures.
    """

    times_s: np.ndarray
    width: int
    height: int
    tracks: tuple[FaceTrack, ...]

    @property
    def subject(self) -> int | None:
        """The face that is meant: the largest and most persistent; None where there is none.

        That is the one of the largest sum, over its frames, of area times confidence.
        """
        if not self.tracks:
            return None
        weights = [
            float((track.boxes[:, 2] * track.boxes[:, 3] * track.confidence).sum())
            for track in self.tracks
        ]
        return int(np.argmax(weights))

    def boxes(self, face: int) -> np.ndarray:
        """Return `(frames, 5)`: left, upper edge, width, height, confidence; NaN in gaps."""
        rows = np.full((len(self.times_s), 5), np.nan, np.float32)
        track = self.tracks[face]
        rows[track.frames, :4] = track.boxes
        rows[track.frames, 4] = track.confidence
        return rows

    def gaps(self, face: int) -> list[tuple[int, int]]:
        """Return first and last frame of every stretch in which a face is not seen."""
        missing = np.isnan(self.boxes(face)[:, 4])
        edges = np.flatnonzero(np.diff(np.r_[False, missing, False].astype(np.int8)))
        return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]


def find_video_faces(
    path: Path,
    settings: TrackingSettings | None = None,
    detection: DetectionSettings = DETECTION,
    *,
    frames: int | None = None,
    on_frame: Callable[[], object] = lambda: None,
) -> VideoFaces:
    """Return the faces of a video; the second time they come from the cache.

    Args:
        path: the video.
        settings: how faces are followed; by default `TrackingSettings()`.
        detection: how faces are searched for.
        frames: look at the first so many only; None: at all.
        on_frame: called for each frame that is looked at, for a progress bar.

    Raises:
        VideoDamaged: when the file is no video that can be opened, or none of its frames can be
            decoded.
        UserError: when the cache cannot be written.
    """
    settings = settings or TrackingSettings()
    try:
        digest = file_digest(Path(path))
    except OSError as error:
        raise VideoDamaged(f"cannot be read: {error.strerror or error}") from error
    told = {"format": FORMAT, "video": digest, "frames": frames, **dataclasses.asdict(settings)}
    told |= {"detection": detection.describe()}
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]
    kept = cache_dir("tracks") / f"{key}.npz"
    found = _read(kept)
    if found is None:
        found = _find(path, settings, detection, frames, on_frame)
        _write(kept, found)
    return found


def cut_faces(
    path: Path, boxes: np.ndarray, size: int, margin: float
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yield every frame of a video, uint8 RGB, and the face in it as a square picture.

    Args:
        path: the video.
        boxes: of one face, `(frames, 5)`, see `VideoFaces.boxes`.
        size: side of the square pictures, pixels.
        margin: added at each side of a face, as a share of the longer side of its box.

    Yields:
        The frame `(height, width, 3)`, and `(size, size, 3)`, or None where the face is not seen.
    """
    for box, frame in zip(boxes, every_frame(path), strict=False):
        picture = as_colour(frame.pixels)
        yield picture, None if np.isnan(box[4]) else cut_face(picture, box, size, margin)


def cut_face(picture: np.ndarray, box: np.ndarray, size: int, margin: float) -> np.ndarray:
    """Return the square about a face, resized without distortion: uint8 `(size, size, 3)`.

    Beyond the picture its outermost pixels are repeated.

    Args:
        picture: uint8 RGB `(height, width, 3)`.
        box: left and upper edge, width, height, pixels; more entries are left alone.
        size, margin: see `cut_faces`.
    """
    face = Face(*(float(value) for value in box[:4]), "mtcnn")
    cut = cut_square(picture, square_around(face, margin))
    smaller = len(cut) > size
    return cv2.resize(
        cut, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )


def as_colour(pixels: np.ndarray) -> np.ndarray:
    """Return a frame's pixels as uint8 RGB: grey thrice, of 16 bits the upper eight."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=2)


def _find(path, settings, detection: DetectionSettings, count, on_frame) -> VideoFaces:
    times, sizes = [], []

    def reduced():
        for frame in itertools.islice(every_frame(path), count):
            picture = as_colour(frame.pixels)
            times.append(frame.shown_s)
            if not sizes:
                sizes.append(picture.shape[:2])
            # A stream may change its size on the way; the boxes keep one scale.
            if picture.shape[:2] != sizes[0]:
                picture = cv2.resize(picture, sizes[0][::-1], interpolation=cv2.INTER_AREA)
            yield reduce_image(picture, detection.longest_side)
            on_frame()

    tracks = track_faces(
        reduced(), lambda images: detect_faces(images, detection), refine_faces, settings
    )
    if not sizes:
        raise VideoDamaged("none of its frames can be decoded")
    height, width = sizes[0]
    scale = max(1.0, max(height, width) / detection.longest_side)
    return VideoFaces(
        np.array(times, np.float64),
        width,
        height,
        tuple(
            dataclasses.replace(track, boxes=track.boxes * np.float32(scale)) for track in tracks
        ),
    )


def _write(path: Path, found: VideoFaces) -> None:
    arrays = {"times_s": found.times_s, "size": np.array([found.width, found.height])}
    for number, track in enumerate(found.tracks):
        arrays |= {f"{name}{number}": value for name, value in dataclasses.asdict(track).items()}
    try:
        with atomic_file(path) as file:
            np.savez_compressed(file, **arrays)
    except UserError as error:
        reason = getattr(error.__cause__, "strerror", None) or error
        raise UserError(
            f"{path}: found faces cannot be kept: {reason}. Check the permissions and the free "
            "space, or set AFFECTKERAS_CACHE to another folder."
        ) from error


def _read(path: Path) -> VideoFaces | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            tracks = []
            while f"frames{len(tracks)}" in stored:
                number = len(tracks)
                names = ("frames", "boxes", "confidence")
                tracks.append(FaceTrack(*(stored[f"{name}{number}"] for name in names)))
            width, height = stored["size"].tolist()
            return VideoFaces(stored["times_s"], width, height, tuple(tracks))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # missing, damaged or of somebody else's making: they are looked for again

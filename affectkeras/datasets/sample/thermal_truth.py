"""Where the face is in each frame of a sample video, for scoring what a model looks at."""

import csv
import dataclasses
import functools
import math
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

FACE_COLUMNS = ("time_s", "center_x", "center_y", "radius_x", "radius_y", "angle_degrees", "stress")
FACES_FOLDER = "truth"
WIDTH, HEIGHT = 160, 120  # of the sample videos, pixels


@dataclasses.dataclass(frozen=True)
class FaceEllipse:
    """The outline of a face in pixels of the video, turned clockwise by an angle in degrees."""

    center_x: float
    center_y: float
    radius_x: float
    radius_y: float
    angle_degrees: float

    def moved(self, x: float, y: float, degrees: float, zoom: float) -> "FaceEllipse":
        """Return it moved by `(x, y)` pixels, turned and enlarged."""
        return FaceEllipse(
            self.center_x + x,
            self.center_y + y,
            self.radius_x * zoom,
            self.radius_y * zoom,
            self.angle_degrees + degrees,
        )

    def mask(self, width: int, height: int, crop: int | None = None) -> np.ndarray:
        """Return which pixels it covers: bool `(height, width)`.

        Args:
            width, height: of the video.
            crop: the side of the centred square that was cut out, as in `FrameChoice`; the mask is
                then `(side, side)`, the side being no longer than the video's shorter one.
        """
        y, x = np.mgrid[:height, :width]
        if crop is not None:
            side = min(crop, width, height)
            top, left = (height - side) // 2, (width - side) // 2
            y, x = (part[top : top + side, left : left + side] for part in (y, x))
        angle = math.radians(self.angle_degrees)
        right, down = x - self.center_x, y - self.center_y
        across = (right * math.cos(angle) + down * math.sin(angle)) / self.radius_x
        along = (down * math.cos(angle) - right * math.sin(angle)) / self.radius_y
        return across**2 + along**2 <= 1


def truth_path(folder: Path, video: str) -> Path:
    """Return the file that tells where the face is in a video, named by its path below `folder`."""
    return Path(folder) / FACES_FOLDER / Path(video).with_suffix(".csv").name


def write_faces(path: Path, faces: Iterable[tuple[float, FaceEllipse, float]]) -> None:
    """Write (time s, ellipse, stress) of every frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(FACE_COLUMNS)
        for time, face, stress in faces:
            numbers = (time, *dataclasses.astuple(face), stress)
            writer.writerow([f"{number:.3f}" for number in numbers])


def face_at(folder: Path, video: str, time_s: float) -> FaceEllipse:
    """Return where the face is in the frame that a sample video shows at a time.

    Args:
        folder: the sample's.
        video: its path below the folder, as in the table's column `video`.
        time_s: as in the table's column `time_s`.

    Raises:
        FileNotFoundError: when the folder is not the sample's.
    """
    times, faces = _read_faces(truth_path(folder, video))
    place = int(np.searchsorted(times, time_s + 1e-3, side="right")) - 1
    return faces[max(place, 0)]


def face_shares(folder: Path, frames: pd.DataFrame, shape: tuple[int, int]) -> np.ndarray:
    """Return how much of each part of a picture is face, from 0 to 1: `(frames, height, width)`.

    Args:
        folder: the sample's.
        frames: rows of the reader's table, with `video`, `time_s` and `width` (of the centred
            square that was cut out, pixels).
        shape: height and width that the square is divided into.

    Raises:
        FileNotFoundError: when the folder is not the sample's.
    """
    found = []
    for video, time_s, side in frames[["video", "time_s", "width"]].itertuples(index=False):
        mask = face_at(folder, video, time_s).mask(WIDTH, HEIGHT, crop=side).astype(np.float32)
        found.append(cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_AREA))
    return np.stack(found)


@functools.lru_cache(maxsize=64)
def _read_faces(path: Path) -> tuple[np.ndarray, list[FaceEllipse]]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [[float(row[name]) for name in FACE_COLUMNS] for row in csv.DictReader(stream)]
    return np.array([row[0] for row in rows]), [FaceEllipse(*row[1:6]) for row in rows]

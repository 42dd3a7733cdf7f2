"""The boxes of faces of Aff-Wild: a small .pts file per frame, as many as there are labels."""

import dataclasses
import hashlib
import math
import os
from pathlib import Path

import numpy as np

from affectkeras.cache import cache_dir
from affectkeras.errors import UserError
from affectkeras.files import atomic_file

FORMAT = 1  # counted up when other boxes would come out of the same files

_CORNERS = 4


@dataclasses.dataclass(frozen=True)
class Boxes:
    """The boxes of one video.

    Args:
        frames: the zero-based numbers of the frames that have a file, ascending, int64 `(files,)`.
        boxes: float64 `(files, 4)`: x, y, width, height in pixels as the owner counts them; NaN
            where the file is damaged.
    """

    frames: np.ndarray
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def damaged(self) -> np.ndarray:
        """Which files cannot be understood: bool `(files,)`."""
        return np.isnan(self.boxes[:, 0])

    def at(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes of frames `(n, 4)`, NaN where there is none, and which are damaged."""
        places = np.searchsorted(self.frames, frames)
        found = places < len(self.frames)
        found[found] = self.frames[places[found]] == frames[found]
        boxes = np.full((len(frames), 4), np.nan)
        boxes[found] = self.boxes[places[found]]
        return boxes, found & np.isnan(boxes[:, 0])


def read_boxes(folder: Path) -> Boxes:
    """Return the boxes of a folder with a `<frame>.pts` per frame, counted from 1.

    What was read is kept in the cache for as long as names, sizes and times of the files stay.
    Files that are not named by a number are passed over.

    Raises:
        UserError: when the folder cannot be read, or the cache cannot be written.
    """
    try:
        files, digest = _list_files(folder)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be listed ({error.strerror}). Make it readable for you."
        ) from error
    known = cache_dir("boxes") / f"{digest}.npy"
    try:
        stored = np.load(known, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        rows = [(number - 1, *parse_pts(path)) for number, path in files]
        stored = np.array(rows, dtype=np.float64).reshape(-1, 5)
        with atomic_file(known) as file:
            np.save(file, stored)
    return Boxes(stored[:, 0].astype(np.int64), stored[:, 1:])


def parse_pts(path: str) -> tuple[float, float, float, float]:
    """Return x, y, width and height of the box around a file's four points; NaN where damaged.

    The form is that of the iBUG group: `version: 1`, `n_points: 4`, `{`, a line `x y` per point,
    `}`.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
        numbers = [float(word) for word in text.partition(b"{")[2].partition(b"}")[0].split()]
    except (OSError, ValueError):
        numbers = []
    if len(numbers) != 2 * _CORNERS or not all(map(math.isfinite, numbers)):
        return (math.nan,) * 4
    x, y = numbers[::2], numbers[1::2]
    left, top, width, height = min(x), min(y), max(x) - min(x), max(y) - min(y)
    return (left, top, width, height) if width > 0 and height > 0 else (math.nan,) * 4


def _list_files(folder: Path) -> tuple[list[tuple[int, str]], str]:
    """Return (frame number, path) of every .pts file by number, and a digest of what lies there."""
    files, told = {}, []
    with os.scandir(folder) as scan:
        for entry in scan:
            name, ending = os.path.splitext(entry.name)
            if ending.lower() == ".pts" and name.isascii() and name.isdigit() and int(name) > 0:
                status = entry.stat()
                files[int(name)] = entry.path
                told.append((entry.name, status.st_size, status.st_mtime_ns))
    key = repr((FORMAT, os.path.realpath(folder), sorted(told)))
    digest = hashlib.sha256(os.fsencode(key)).hexdigest()[:32]
    return sorted(files.items()), digest

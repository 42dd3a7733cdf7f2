"""The faces cut out of Aff-Wild2: a folder per person in a video, a picture per frame."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import numpy as np

from affectkeras.cache import cache_dir
from affectkeras.datasets.image_rows import IMAGE_SUFFIXES
from affectkeras.errors import UserError
from affectkeras.files import write_json
from affectkeras.media.image_check import check_images

FORMAT = 1  # counted up when other pictures would count as damaged


@dataclasses.dataclass(frozen=True)
class Crops:
    """The pictures of one folder.

    Args:
        folder: where they lie.
        names: the file of every frame that has one, by zero-based number of the frame.
        damaged: the reason for each of these frames whose picture cannot be used.
    """

    folder: Path
    names: dict[int, str]
    damaged: dict[int, str]

    def has(self, frames: np.ndarray) -> np.ndarray:
        """Return which of the frames have a picture, sound or not: bool `(frames,)`."""
        return np.isin(frames, np.fromiter(self.names, np.int64, len(self.names)))


def read_crops(folder: Path) -> Crops:
    """Return the pictures `<frame>.jpg` of a folder, frames counted from 1, each decoded once.

    Which ones are damaged is kept in the cache for as long as names, sizes and times of the files
    stay. Files that are not named by a number are passed over.

    Raises:
        UserError: when the folder cannot be read, or the cache cannot be written.
    """
    names, told = {}, []
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                stem, ending = os.path.splitext(entry.name)
                if ending.lower() in IMAGE_SUFFIXES and stem.isascii() and stem.isdigit():
                    status = entry.stat()
                    names[int(stem) - 1] = entry.name
                    told.append((entry.name, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be listed ({error.strerror}). Make it readable for you."
        ) from error
    key = repr((FORMAT, os.path.realpath(folder), sorted(told)))
    digest = hashlib.sha256(os.fsencode(key)).hexdigest()[:32]
    known = cache_dir("crops") / f"{digest}.json"
    try:
        damaged = {int(frame): why for frame, why in json.loads(known.read_bytes()).items()}
    except (OSError, ValueError, AttributeError):
        damaged = _check(folder, names)
        write_json(known, damaged)
    return Crops(folder, names, damaged)


def _check(folder: Path, names: dict[int, str]) -> dict[int, str]:
    frames = list(names)
    facts, reasons = check_images([folder / names[frame] for frame in frames], progress=False)
    return {
        frame: reason
        for frame, fact, reason in zip(frames, facts, reasons, strict=True)
        if fact is None
    }

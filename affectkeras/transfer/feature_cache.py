"""Outputs of a frozen backbone, computed once per image and view and kept on disk.

While the backbone is frozen, an epoch of the head needs no image: the pooled features of a few
augmented views per image stand for all later epochs. Every view is a file of its own under the
digest of everything it depends on, so that a killed computation goes on from the finished views,
more views are only added, and runs share what they have in common.
"""

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import filelock
import numpy as np

FORMAT = 1  # counted up when the files of older versions must not be read any more
SECTION = 1 << 24  # bytes read at a time for a checksum

logger = logging.getLogger(__name__)


class FeatureCache:
    """Arrays on disk, each under the digest of what it was computed from.

    An array is two files: `<key>.npy` and, written after it, `<key>.json` with its checksum and
    the readable parts of its key. Both appear whole or not at all. One process computes, others
    that want the same array wait and then read it.

    Args:
        folder: where the files lie; whatever lies there may be deleted when no run is going on.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def read(
        self, parts: dict, rows: int, compute: Callable[[], Iterable[np.ndarray]]
    ) -> np.ndarray:
        """Return the array of these key parts, computing it when it is not there or damaged.

        Args:
            parts: everything the array depends on, in forms that JSON knows.
            rows: how many rows it has.
            compute: gives its rows in order, as arrays `(some rows, features)`.

        Returns:
            float32 `(rows, features)`, memory-mapped and read-only.

        Raises:
            ValueError: when `compute` gives another number of rows.
        """
        key = digest_of(parts)
        path, note = self.folder / f"{key}.npy", self.folder / f"{key}.json"
        with filelock.FileLock(self.folder / f"{key}.lock"):
            if note.exists() or path.exists():
                damage = _find_damage(path, note, rows)
                if damage is None:
                    return np.load(path, mmap_mode="r")
                if note.exists():  # without it, the computation was only cut off
                    logger.warning("Cached features %s: %s. They are computed anew.", path, damage)
                note.unlink(missing_ok=True)
            for left in self.folder.glob(f"{key}.*.unfinished"):  # by a process that was killed
                left.unlink()
            _write_array(path, rows, compute)
            described = {"checksum": _checksum(path), "rows": rows, "parts": parts}
            unfinished = self.folder / f"{key}.json.unfinished"
            unfinished.write_text(json.dumps(described, indent=1))
            os.replace(unfinished, note)
            return np.load(path, mmap_mode="r")


def _find_damage(path: Path, note: Path, rows: int) -> str | None:
    """Say what is wrong with the files of an array; None if nothing is."""
    try:
        expected = json.loads(note.read_text())["checksum"]
        array = np.load(path, mmap_mode="r")
        if array.dtype != np.float32 or array.ndim != 2 or len(array) != rows:
            return f"expected {rows} rows of float32, found {array.dtype} {array.shape}"
        if _checksum(path) != expected:
            return "the checksum does not fit"
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        return f"cannot be read ({error})"
    return None


def _write_array(path: Path, rows: int, compute: Callable[[], Iterable[np.ndarray]]) -> None:
    unfinished = path.with_suffix(".npy.unfinished")
    try:
        array, done = None, 0
        for part in compute():
            if array is None:
                array = np.lib.format.open_memmap(
                    unfinished, mode="w+", dtype=np.float32, shape=(rows, part.shape[1])
                )
            if done + len(part) > rows:
                raise ValueError(f"`compute` must give {rows} rows. Received: more")
            array[done : done + len(part)] = part
            done += len(part)
        if done != rows or array is None:
            raise ValueError(f"`compute` must give {rows} rows. Received: {done}")
        array.flush()
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _checksum(path: Path) -> int:
    value = 0
    with open(path, "rb") as file:
        while section := file.read(SECTION):
            value = zlib.crc32(section, value)
    return value


def digest_of(parts: dict) -> str:
    """Return the sha256 of key parts, whatever their order."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_arrays(arrays: Iterable[np.ndarray]) -> str:
    """Return the sha256 of the values, shapes and types of arrays in their order."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(memoryview(array).cast("B") if array.size else b"")
    return digest.hexdigest()


class FeatureViews:
    """The cached features of a set of rows: a clean view and some augmented ones.

    Args:
        rows: table rows, each once.
        read_view: gives the features of all rows for a view, `(rows, features)`: 0 is clean,
            1 … `views` are augmented. Called at most once per view.
        views: how many augmented views there are, at least 1.
        seed: decides which view a row begins with.
    """

    def __init__(
        self, rows: np.ndarray, read_view: Callable[[int], np.ndarray], *, views: int, seed: int
    ):
        if views < 1:
            raise ValueError(f"`views` must be at least 1. Received: views={views}")
        self.rows = np.sort(np.asarray(rows, np.int64))
        self._read_view = read_view
        self._arrays: dict[int, np.ndarray] = {}
        self._views = views
        self._first = np.random.default_rng([seed, views]).integers(
            0, views, size=int(self.rows[-1]) + 1
        )

    def holds(self, rows: np.ndarray) -> bool:
        """Say whether all of these rows are in the set."""
        return bool(np.isin(rows, self.rows).all())

    def choose(self, rows: np.ndarray, epoch: int) -> np.ndarray:
        """Return the view (from 1) of each row in an epoch: every row goes round all of them."""
        return 1 + (self._first[rows] + epoch) % self._views

    def prepare(self, views: Iterable[int] | None = None) -> None:
        """Open views, computing them where necessary; by default all augmented ones."""
        for view in range(1, self._views + 1) if views is None else views:
            if view not in self._arrays:
                self._arrays[view] = self._read_view(view)

    def gather(self, rows: np.ndarray, epoch: int | None) -> np.ndarray:
        """Return the features of rows as of an epoch, or clean ones: float32 `(rows, features)`."""
        places = np.searchsorted(self.rows, rows)
        if epoch is None:
            self.prepare([0])
            return self._arrays[0][places]
        self.prepare()
        chosen = self.choose(rows, epoch)
        found = np.empty((len(rows), self._arrays[1].shape[1]), np.float32)
        for view in np.unique(chosen):
            mask = chosen == view
            found[mask] = self._arrays[view][places[mask]]
        return found


def cached_batches(
    features: FeatureViews,
    targets: np.ndarray,
    sampler,
    first_epoch: int,
    last_epoch: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield `(features, targets)` batches of the epochs `first_epoch … last_epoch - 1`.

    For `fit(..., steps_per_epoch=sampler.steps)` on any backend of Keras; on TensorFlow
    `affectkeras.pipelines.cached_features` is faster.

    Args:
        features: of at least the sampler's rows.
        targets: of all table rows, `(table rows, classes)`.
        sampler: a `RowSampler`.
        first_epoch: counted from 0.
        last_epoch: the epoch after the last one.
    """
    for epoch in range(first_epoch, last_epoch):
        order = sampler.order(epoch)
        for rows in _cut(order, sampler.batch_size):
            yield features.gather(rows, epoch), targets[rows]


def _cut(rows: np.ndarray, size: int) -> Sequence[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]

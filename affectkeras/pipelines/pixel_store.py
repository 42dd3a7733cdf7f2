"""Decoded images of a table: decoded as they are asked for, or once and then held in memory."""

import os

import numpy as np
import tensorflow as tf

from affectkeras.datasets.table import ArrayPayload, FilePayload
from affectkeras.media.images import decode_and_resize, resize_pixels

MEMORY_LIMIT = 2 * 2**30


class PixelStore:
    """Gives the pixels of table rows, resized, uint8 `(height, width, 3)`.

    A face data set at training size is mostly small (SFEW 0.2 GB, FER+ 0.3 GB), and decoding costs
    more than everything else an epoch does to an image. So where the whole table fits under the
    limit, each row is decoded once, at first need, and kept; a larger table is decoded anew each
    time. The pixels are the same either way.

    Args:
        payload: files, or arrays under the name `"pixels"`.
        image_size: `(height, width)` of the result.
        memory_limit: most bytes to hold; 0 holds nothing.

    Raises:
        ValueError: when an array payload has no uint8 `"pixels"`.
    """

    def __init__(
        self,
        payload: FilePayload | ArrayPayload,
        image_size: tuple[int, int],
        memory_limit: int = MEMORY_LIMIT,
    ):
        if isinstance(payload, ArrayPayload):
            pixels = payload.arrays.get("pixels")
            if pixels is None or pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
                found = {
                    name: f"{array.dtype} {array.shape}" for name, array in payload.arrays.items()
                }
                raise ValueError(
                    "Images as arrays must be uint8 (rows, height, width) or (rows, height, width, "
                    f"3) under the name 'pixels'. Received: {found}"
                )
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self._payload = payload
        # A tensor outside the graph: a constant inside it could not exceed 2 GB.
        self._paths = _encode_paths(payload) if isinstance(payload, FilePayload) else None
        shape = (len(payload), *self.image_size, 3)
        self.holds = int(np.prod(shape, dtype=np.int64)) <= memory_limit
        # Reserved, not yet occupied: the system gives memory as rows are written.
        self._held = np.empty(shape, np.uint8) if self.holds else None
        self._is_held = np.zeros(len(payload), bool)

    def prepare(self, rows: np.ndarray) -> None:
        """Decode those of the rows that are to be held and are not yet."""
        rows = np.unique(rows)
        missing = rows[~self._is_held[rows]]
        if not self.holds or not len(missing):
            return
        decoded = (
            tf.data.Dataset.from_tensor_slices(missing)
            .map(lambda row: (row, self.decode(row)), num_parallel_calls=usable_cores())
            .batch(32)
            .with_options(pipeline_options())
        )
        for batch_rows, pixels in decoded.as_numpy_iterator():
            self._held[batch_rows] = pixels
        self._is_held[missing] = True

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return held rows, uint8 `(rows, height, width, 3)`."""
        return self._held[rows]

    def decode(self, row: tf.Tensor) -> tf.Tensor:
        """Decode one row, a scalar int64 tensor, to uint8 `(height, width, 3)`, inside a graph."""
        if self._paths is not None:
            pixels = decode_and_resize(tf.io.read_file(self._paths[row]), self.image_size)
        else:
            pixels = resize_pixels(self._fetch_array(row), self.image_size)
        return tf.ensure_shape(tf.cast(pixels, tf.uint8), (*self.image_size, 3))

    def _fetch_array(self, row: tf.Tensor) -> tf.Tensor:
        arrays, index = self._payload.arrays["pixels"], self._payload.index
        pixels = tf.numpy_function(
            lambda row: np.ascontiguousarray(arrays[index[row]]), [row], tf.uint8
        )
        return tf.ensure_shape(pixels, arrays.shape[1:])


def pipeline_options() -> tf.data.Options:
    """Return options under which a dataset uses each core once, and always in the same order."""
    options = tf.data.Options()
    options.deterministic = True
    # Images are worked on side by side; splitting one image's work as well only adds waiting.
    options.threading.max_intra_op_parallelism = 1
    options.threading.private_threadpool_size = usable_cores()
    # TensorFlow 2.21 ends an autotuned dataset only at its tuner's next tick, 10 ms · (2^k - 1)
    # after the start: up to as long again as the pass itself took. The sizes are set by hand.
    options.autotune.enabled = False
    return options


def usable_cores() -> int:
    """Return how many cores this process may use, which a cluster sets below what there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _encode_paths(payload: FilePayload) -> tf.Tensor:
    """Return the paths as bytes: names that are not UTF-8 reach the file system unchanged."""
    return tf.constant([os.fsencode(path) for path in payload.paths], tf.string)

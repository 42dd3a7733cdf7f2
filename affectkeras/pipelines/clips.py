"""From windows of video frames to batches of clips and their targets."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from affectkeras.evaluation.seal import Seal
from affectkeras.pipelines.augmentation import Augmentation, augment_batch
from affectkeras.pipelines.pixel_store import pipeline_options, usable_cores
from affectkeras.pipelines.sampler import RowSampler

PREFETCHED_BATCHES = 2


def take_faces(crops: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Return the faces of table rows, uint8 `(rows, height, width, 3)`; black for -1.

    Args:
        crops: of each video, `(frames, height, width, 3)`; rows count through them.
        rows: any order, `(rows,)`.
    """
    ends = np.cumsum([len(video) for video in crops])
    found = np.zeros((len(rows), *crops[0].shape[1:]), np.uint8)
    for place, (row, video) in enumerate(
        zip(rows, np.searchsorted(ends, rows, "right"), strict=True)
    ):
        if row >= 0:
            found[place] = crops[video][row - ends[video]]
    return found


class ClipPipeline:
    """Streams windows of frames with the targets of every frame.

    In an epoch the frames of a window are all changed alike, by `(seed, epoch, window)` and nothing
    else: the face of a clip does not jump.

    Args:
        crops: uint8 `(frames, height, width, 3)` of each video, in memory or memory-mapped; table
            rows count through them, video after video.
        windows: table rows of each window, int64 `(windows, time)`; -1 is no frame: a black one of
            weight 0.
        targets: of every table row, float32 `(rows, targets)`.
        batch_size: windows per batch where no sampler says it.
        augmentation: the random changes of training clips.
        seed: of the random changes, a whole number, 0 or above.
        seal: refuses table rows that must not be read yet; None: every row may be read.

    Attributes:
        windows, targets, seal: as given.

    Raises:
        ValueError: when windows, targets and crops do not fit each other.
    """

    def __init__(
        self,
        crops: Sequence[np.ndarray],
        windows: np.ndarray,
        targets: np.ndarray,
        *,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        seal: Seal | None = None,
    ):
        self._crops = list(crops)
        self.windows = np.asarray(windows, np.int64)
        self.targets = np.asarray(targets, np.float32)
        rows = sum(len(video) for video in self._crops)
        if len(self.targets) != rows or self.targets.ndim != 2:
            raise ValueError(
                f"`targets` must be (rows, targets) for the {rows} crops. "
                f"Received: shape {self.targets.shape}"
            )
        if self.windows.ndim != 2 or not (self.windows >= -1).all() or (self.windows >= rows).any():
            raise ValueError(
                f"`windows` must be (windows, time) of rows below {rows}. "
                f"Received: shape {self.windows.shape}"
            )
        self.batch_size = int(batch_size)
        self.augmentation = augmentation
        self.seed = int(seed)
        self.seal = seal

    def training(self, sampler: RowSampler, first_epoch: int, last_epoch: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch … last_epoch - 1`, one after another.

        Args:
            sampler: of window numbers; `sampler.steps` batches an epoch.
            first_epoch, last_epoch: counted from 0.

        Returns:
            A dataset of `(clips, targets, weights)`: float32 `(batch, time, height, width, 3)` in
            [0, 255], `(batch, time, targets)` and `(batch, time)`.
        """
        if self.seal is not None:
            self.seal.fit("weights", "the model", self.rows_of(sampler.rows))
        epochs = tf.data.Dataset.range(first_epoch, last_epoch)
        batches = epochs.flat_map(
            lambda epoch: (
                tf.data.Dataset.from_tensor_slices(self._order(sampler, epoch))
                .batch(sampler.batch_size)
                .map(lambda numbers: (epoch, numbers))
            )
        )
        steps = (last_epoch - first_epoch) * sampler.steps
        return self._finish(batches, self.augmentation, steps)

    def clean(self, numbers, batch_size: int | None = None) -> tf.data.Dataset:
        """Return the same of windows in the given order, without any change."""
        numbers = np.asarray(numbers, np.int64)
        if self.seal is not None:
            self.seal.read(self.rows_of(numbers))
        size = batch_size or self.batch_size
        batches = tf.data.Dataset.from_tensor_slices(numbers).batch(size)
        batches = batches.map(lambda numbers: (np.int64(0), numbers))
        return self._finish(batches, Augmentation.none(), -(-len(numbers) // size))

    def rows_of(self, numbers) -> np.ndarray:
        """Return the table rows that windows hold, each once, ascending."""
        rows = np.unique(self.windows[numbers])
        return rows[rows >= 0]

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """Return the faces of table rows, see `take_faces`."""
        return take_faces(self._crops, rows)

    def _order(self, sampler: RowSampler, epoch: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(sampler.order, [epoch], tf.int64), (None,))

    def _finish(self, batches, augmentation: Augmentation, steps: int) -> tf.data.Dataset:
        time, shape = self.windows.shape[1], self._crops[0].shape[1:]

        def read(epoch, numbers):
            rows = self.windows[numbers]
            pixels = self.pixels(rows.ravel())
            if not augmentation.changes_nothing:
                keys = np.repeat(numbers, time)
                pixels = augment_batch(pixels, augmentation, seed=self.seed, epoch=epoch, rows=keys)
            weights = (rows >= 0).astype(np.float32)
            targets = np.where(weights[..., np.newaxis] > 0, self.targets[rows], np.float32(0))
            return pixels.reshape(*rows.shape, *shape), targets, weights

        def finish(epoch, numbers):
            kinds = (tf.uint8, tf.float32, tf.float32)
            pixels, targets, weights = tf.numpy_function(read, [epoch, numbers], kinds)
            clips = tf.ensure_shape(tf.cast(pixels, tf.float32), (None, time, *shape))
            targets = tf.ensure_shape(targets, (None, time, self.targets.shape[1]))
            return clips, targets, tf.ensure_shape(weights, (None, time))

        batches = batches.map(finish, num_parallel_calls=usable_cores())
        batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
        return batches.prefetch(PREFETCHED_BATCHES).with_options(pipeline_options())

"""From table rows to batches of images and targets."""

import numpy as np
import tensorflow as tf

from affectkeras.datasets.table import ExampleTable
from affectkeras.evaluation.seal import Seal
from affectkeras.pipelines.augmentation import Augmentation, augment_batch
from affectkeras.pipelines.pixel_store import (
    MEMORY_LIMIT,
    PixelStore,
    pipeline_options,
    usable_cores,
)
from affectkeras.pipelines.sampler import RowSampler

PREFETCHED_BATCHES = 4


class ImagePipeline:
    """Streams the images and targets of a table's rows, augmented or clean.

    What a row looks like in an epoch depends on `(seed, epoch, row)` and nothing else: not on the
    batch size, the order, or where a run was resumed.

    Args:
        table: the examples; `payload` holds files or uint8 `"pixels"`.
        image_size: `(height, width)` in pixels.
        batch_size: rows per batch where no sampler says it.
        targets: one entry per table row: class indices `(rows,)` of the table's first class
            target, or a distribution over classes `(rows, classes)`.
        augmentation: the random changes of training images.
        seed: of the random changes, a whole number, 0 or above.
        memory_limit: decoded images are held in memory where the whole table fits into this many
            bytes; 0 decodes them anew each time.
        seal: refuses rows that must not be read yet; None: every row may be read.

    Attributes:
        table: the examples.
        targets: the distributions over classes of all table rows, float32 `(rows, classes)`.

    Raises:
        ValueError: when the targets do not fit the table.
    """

    def __init__(
        self,
        table: ExampleTable,
        *,
        image_size: tuple[int, int],
        batch_size: int,
        targets: np.ndarray,
        augmentation: Augmentation,
        seed: int,
        memory_limit: int = MEMORY_LIMIT,
        seal: Seal | None = None,
    ):
        self.table = table
        self.image_size = tuple(image_size)
        self.batch_size = int(batch_size)
        self.augmentation = augmentation
        self.seed = int(seed)
        self.seal = seal
        self._store = PixelStore(table.payload, self.image_size, memory_limit)
        self.targets = _as_distributions(table, np.asarray(targets))
        self._target_tensor = tf.constant(self.targets)

    def training(self, sampler: RowSampler, first_epoch: int, last_epoch: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch … last_epoch - 1`, one after another.

        Epochs count from 0. Each has `sampler.steps` batches of `sampler.batch_size` rows, and none
        crosses into the next: use `fit(steps_per_epoch=sampler.steps)`. Make a new dataset once
        rows were removed.

        Returns:
            a dataset of `(images, targets)`: float32 `(batch, height, width, 3)` in [0, 255] and
            float32 `(batch, classes)`.
        """
        if self.seal is not None:
            self.seal.fit("weights", "the model", sampler.rows)
        epochs = tf.data.Dataset.range(first_epoch, last_epoch)
        self._store.prepare(sampler.rows)
        sources = epochs.flat_map(
            lambda epoch: self._sources(self._order(sampler, epoch), epoch, sampler.batch_size)
        )
        steps = (last_epoch - first_epoch) * sampler.steps
        return self._finish(sources, self.augmentation, steps)

    def clean(self, rows, batch_size: int | None = None) -> tf.data.Dataset:
        """Return `(images, targets)` of the rows in the given order, without any change."""
        return self._in_order(rows, Augmentation.none(), 0, batch_size or self.batch_size)

    def views(self, rows, view: int) -> tf.data.Dataset:
        """Return `(images, targets)` of the rows in the given order, as in epoch `view`."""
        return self._in_order(rows, self.augmentation, view, self.batch_size)

    def _in_order(self, rows, augmentation, epoch, batch_size) -> tf.data.Dataset:
        rows = np.asarray(rows, np.int64)
        if self.seal is not None:
            self.seal.read(rows)
        self._store.prepare(rows)
        sources = self._sources(tf.constant(rows), np.int64(epoch), batch_size)
        return self._finish(sources, augmentation, -(-len(rows) // batch_size))

    def _order(self, sampler: RowSampler, epoch: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(sampler.order, [epoch], tf.int64), (None,))

    def _sources(self, rows: tf.Tensor, epoch, batch_size: int) -> tf.data.Dataset:
        """Return batches `(epoch, rows, pixels)`; for held pixels the rows stand in their place."""
        dataset = tf.data.Dataset.from_tensor_slices(rows)
        if self._store.holds:
            return dataset.batch(batch_size).map(lambda rows: (epoch, rows, rows))
        dataset = dataset.map(
            lambda row: (row, self._store.decode(row)), num_parallel_calls=usable_cores()
        )
        return dataset.batch(batch_size).map(lambda rows, pixels: (epoch, rows, pixels))

    def _finish(self, sources, augmentation: Augmentation, steps: int) -> tf.data.Dataset:
        """Turn `_sources` into `(images, targets)`, several batches side by side."""

        def finish(epoch, rows, source):
            pixels = source
            if self._store.holds or not augmentation.changes_nothing:
                # One step into Python for a whole batch; OpenCV works outside Python's lock.
                pixels = tf.numpy_function(augment_source, [epoch, rows, source], tf.uint8)
            images = tf.ensure_shape(tf.cast(pixels, tf.float32), (None, *self.image_size, 3))
            return images, tf.gather(self._target_tensor, rows)

        def augment_source(epoch, rows, source):
            pixels = self._store.read(source) if self._store.holds else source
            if augmentation.changes_nothing:
                return pixels
            return augment_batch(pixels, augmentation, seed=self.seed, epoch=epoch, rows=rows)

        batches = sources.map(finish, num_parallel_calls=usable_cores())
        batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
        return batches.prefetch(PREFETCHED_BATCHES).with_options(pipeline_options())


def _as_distributions(table: ExampleTable, targets: np.ndarray) -> np.ndarray:
    """Return float32 `(rows, classes)`: one-hot rows, or the given distributions."""
    if len(targets) != len(table):
        raise ValueError(
            f"`targets` must have one entry for each of the {len(table)} rows of {table.name}. "
            f"Received: shape {targets.shape}"
        )
    if targets.ndim == 2:
        return targets.astype(np.float32)
    classes = next((len(target.class_names) for target in table.targets if target.class_names), 0)
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        raise ValueError(
            "`targets` must be class indices (rows,) or distributions (rows, classes). "
            f"Received: {targets.dtype} {targets.shape}"
        )
    if len(targets) and not 0 <= targets.min() <= targets.max() < classes:
        raise ValueError(
            f"`targets` must be class indices below the {classes} classes of {table.name}. "
            f"Received: from {targets.min()} to {targets.max()}"
        )
    return np.eye(classes, dtype=np.float32)[targets]

"""Batches for training networks on features that are held in memory."""

import numpy as np
import tensorflow as tf

from affectkeras.evaluation.seal import Seal
from affectkeras.pipelines.pixel_store import pipeline_options
from affectkeras.pipelines.sampler import RowSampler

CLEAN_ROWS = 1024  # rows per batch where nothing is trained


class FeatureRows:
    """What `ImagePipeline` gives of images, of rows of numbers.

    Args:
        features: float32 `(table rows, features)`.
        targets: distributions over classes of all table rows, `(table rows, classes)`.
        seal: refuses rows that must not be read yet; None: every row may be read.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, seal: Seal | None = None):
        if len(features) != len(targets):
            raise ValueError(
                "`features` and `targets` must have the same rows. "
                f"Received: {len(features)} and {len(targets)}"
            )
        self.features = np.asarray(features, np.float32)
        self.targets = np.asarray(targets, np.float32)
        self.seal = seal

    def training(self, sampler: RowSampler, first_epoch: int, last_epoch: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch … last_epoch - 1`, one after another.

        Returns:
            a dataset of `(features, targets)`, `sampler.steps` batches an epoch, for
            `fit(steps_per_epoch=sampler.steps)`.
        """
        if self.seal is not None:
            self.seal.fit("weights", "the model", sampler.rows)

        def batches():
            for epoch in range(first_epoch, last_epoch):
                order = sampler.order(epoch)
                for start in range(0, len(order), sampler.batch_size):
                    rows = order[start : start + sampler.batch_size]
                    yield self.features[rows], self.targets[rows]

        signature = tuple(
            tf.TensorSpec((None, values.shape[1]), tf.float32)
            for values in (self.features, self.targets)
        )
        dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
        steps = (last_epoch - first_epoch) * sampler.steps
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
        return dataset.prefetch(4).with_options(pipeline_options())

    def clean(self, rows, batch_size: int = CLEAN_ROWS) -> tf.data.Dataset:
        """Return `(features, targets)` of the rows in the given order."""
        rows = np.asarray(rows, np.int64)
        if self.seal is not None:
            self.seal.read(rows)
        found = (self.features[rows], self.targets[rows])
        return tf.data.Dataset.from_tensor_slices(found).batch(batch_size)

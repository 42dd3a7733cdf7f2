"""Batches for training and testing the head of a backbone classifier, without any image."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

import affectkeras
from affectkeras.cache import cache_dir
from affectkeras.datasets.table import ExampleTable, FilePayload
from affectkeras.models.backbone_classifier import features_of
from affectkeras.pipelines.images import ImagePipeline
from affectkeras.pipelines.pixel_store import pipeline_options
from affectkeras.pipelines.sampler import RowSampler
from affectkeras.transfer.feature_cache import FeatureCache, FeatureViews, digest_arrays
from affectkeras.transfer.model_digest import describe_model

VIEWS = 4
GATHERED_BATCHES = 16  # one step into Python fetches the rows of so many batches
CLEAN_ROWS = 1024  # rows per batch where nothing is trained


class CachedFeatures:
    """What `ImagePipeline` gives, for the head alone: features of its images in their place.

    Nothing is computed before it is asked for. Then each view of the rows is computed once, by the
    backbone as it is at that time, and lies in the feature cache from then on. An epoch shows each
    row in one of its views, as in one of the first epochs of the image pipeline, and over `views`
    epochs in all of them.

    Args:
        model: a backbone classifier.
        images: the pipeline of its images.
        views: augmented views per image; more come closer to an augmentation that never repeats.
        folder: of the feature cache; by default below the user's cache folder.

    Attributes:
        targets: the distributions over classes of all table rows, float32 `(rows, classes)`.
        seal: of the images.
    """

    gives_features = True  # in the place of images
    steps_per_call = GATHERED_BATCHES  # a step of a head alone is shorter than the way to Python

    def __init__(
        self,
        model: keras.Model,
        images: ImagePipeline,
        *,
        views: int = VIEWS,
        folder: Path | None = None,
    ):
        self.targets = images.targets
        self.seal = images.seal
        self._images = images
        self._network = features_of(model)
        self._views = views
        self._folder = folder
        self._model_parts: dict = {}
        self._sets: list[FeatureViews] = []

    def training(self, sampler: RowSampler, first_epoch: int, last_epoch: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch … last_epoch - 1`, one after another.

        Returns:
            a dataset of `(features, targets)`: float32 `(batch, features)` and `(batch, classes)`,
            `sampler.steps` batches an epoch, for `fit(steps_per_epoch=sampler.steps)`.
        """
        if self._images.seal is not None:
            self._images.seal.fit("weights", "the model", sampler.rows)
        features = self._find(sampler.rows)
        features.prepare()

        def fetch(epoch, rows):
            return features.gather(rows, int(epoch)), self.targets[rows]

        def batches_of(epoch):
            order = tf.ensure_shape(tf.numpy_function(sampler.order, [epoch], tf.int64), (None,))
            chunks = tf.data.Dataset.from_tensor_slices(order)
            chunks = chunks.batch(sampler.batch_size * GATHERED_BATCHES)
            return chunks.flat_map(
                lambda rows: self._slices(fetch, epoch, rows).batch(sampler.batch_size)
            )

        dataset = tf.data.Dataset.range(first_epoch, last_epoch).flat_map(batches_of)
        steps = (last_epoch - first_epoch) * sampler.steps
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
        return dataset.prefetch(GATHERED_BATCHES).with_options(pipeline_options())

    def clean(self, rows, batch_size: int = CLEAN_ROWS) -> tf.data.Dataset:
        """Return `(features, targets)` of the rows in the given order, without augmentation."""
        rows = np.asarray(rows, np.int64)
        if self._images.seal is not None:
            self._images.seal.read(rows)
        features = self._find(rows)
        features.prepare([0])

        def fetch(rows):
            return features.gather(rows, None), self.targets[rows]

        dataset = tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)
        dataset = dataset.map(lambda rows: self._fetch(fetch, rows)).prefetch(2)
        return dataset.with_options(pipeline_options())

    def _fetch(self, fetch, *arguments) -> tuple[tf.Tensor, tf.Tensor]:
        found, targets = tf.numpy_function(fetch, arguments, [tf.float32, tf.float32])
        found = tf.ensure_shape(found, (None, self._network.output_shape[-1]))
        return found, tf.ensure_shape(targets, (None, self.targets.shape[1]))

    def _slices(self, fetch, *arguments) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(self._fetch(fetch, *arguments))

    def _find(self, rows: np.ndarray) -> FeatureViews:
        """Return the set of features that holds the rows, of the backbone as it is now."""
        parts = describe_model(self._network)
        if parts != self._model_parts:  # trained meanwhile: what it gave before is of no use
            self._model_parts, self._sets = parts, []
        for known in self._sets:
            if known.holds(rows):
                return known
        self._sets.append(self._open(np.sort(rows)))
        return self._sets[-1]

    def _open(self, rows: np.ndarray) -> FeatureViews:
        images = self._images
        cache = FeatureCache(self._folder or cache_dir("features"))
        common = {
            **self._model_parts,
            "policy": self._network.compute_dtype,
            "image_size": images.image_size,
            "data": fingerprint(images.table, rows),
            "versions": _versions(),
        }

        def read_view(view: int) -> np.ndarray:
            parts = common
            if view > 0 and not images.augmentation.changes_nothing:
                changes = {"augmentation": repr(images.augmentation), "seed": images.seed}
                parts = {**common, **changes, "epoch": view - 1, "rows": digest_arrays([rows])}
            return cache.read(parts, len(rows), lambda: self._compute(rows, view))

        return FeatureViews(rows, read_view, views=self._views, seed=images.seed)

    def _compute(self, rows: np.ndarray, view: int) -> Iterator[np.ndarray]:
        batches = self._images.views(rows, view - 1) if view else self._images.clean(rows)
        # disable=None: no bar where nobody watches.
        for images, _ in tqdm(batches, desc=f"features, view {view}", disable=None, leave=False):
            yield np.asarray(self._network.predict_on_batch(images), np.float32)


def cached_features(model: keras.Model, images: ImagePipeline, **options) -> CachedFeatures:
    """Return the features of a pipeline's images; nothing is computed before it is asked for."""
    return CachedFeatures(model, images, **options)


def fingerprint(table: ExampleTable, rows: np.ndarray) -> str:
    """Return a digest of the images of rows: of files by path, size and time, else by content."""
    if isinstance(table.payload, FilePayload):
        facts = []
        for path in table.payload.paths[rows]:
            status = os.stat(path)
            facts.append((os.fspath(path), status.st_size, status.st_mtime_ns))
        return digest_arrays([np.frombuffer(repr(facts).encode("utf-8", "replace"), np.uint8)])
    pixels, index = table.payload.arrays["pixels"], table.payload.index[rows]
    starts = range(0, len(index), CLEAN_ROWS)
    return digest_arrays(pixels[index[start : start + CLEAN_ROWS]] for start in starts)


def _versions() -> dict[str, str]:
    return {
        "affectkeras": affectkeras.__version__,
        "keras": f"{keras.__version__} {keras.backend.backend()}",
        "tensorflow": tf.__version__,
        "opencv": cv2.__version__,
    }

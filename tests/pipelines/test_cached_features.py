import dataclasses
import os
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.table import (
    ArrayPayload,
    ExampleTable,
    FilePayload,
    Target,
    rejected_frame,
)
from affectkeras.models.backbone_classifier import build_head, features_of, head_of
from affectkeras.pipelines.augmentation import Augmentation
from affectkeras.pipelines.cached_features import CachedFeatures, cached_features, fingerprint
from affectkeras.pipelines.images import ImagePipeline
from affectkeras.pipelines.sampler import RowSampler
from affectkeras.transfer.feature_cache import FeatureCache
from affectkeras.transfer.stages import Stage, prepare_stage

ROWS = 12


def make_table():
    labels = np.arange(ROWS) % 3
    ids = [f"{row}.png" for row in range(ROWS)]
    frame = pd.DataFrame(
        {"example_id": ids, "subject": "", "group": ids, "split": "", "source": ids}
    ).assign(expression=labels)
    pixels = np.random.default_rng(1).integers(0, 156, (ROWS, 16, 16, 3), dtype=np.uint8)
    pixels[np.arange(ROWS), :, :, labels] += 100  # each class has its colour
    return ExampleTable(
        "faces",
        frame,
        (Target("expression", "class", ("anger", "fear", "joy")),),
        ArrayPayload({"pixels": pixels}, np.arange(ROWS)),
        False,
        rejected_frame(),
        ROWS,
    )


def make_images(table, augmentation=None, seed=3):
    return ImagePipeline(
        table,
        image_size=(16, 16),
        batch_size=5,
        targets=table.frame["expression"].to_numpy(),
        augmentation=Augmentation.light() if augmentation is None else augmentation,
        seed=seed,
    )


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(pixels)
    backbone = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x), name="backbone")
    images = keras.Input((16, 16, 3), name="images")
    scaled = keras.layers.Rescaling(1 / 255)(images)
    network = keras.Model(images, scaled, name="preprocessing")
    head = build_head(4, 3, dropout=(0, 0), hidden=8)
    return keras.Model(images, head(backbone(network(images))))


@pytest.fixture
def nothing_is_computed(monkeypatch):
    def refuse(*_):
        raise RuntimeError("computed")

    def forbid():
        monkeypatch.setattr(CachedFeatures, "_compute", refuse)

    return forbid


def arrays_of(dataset):
    batches = list(dataset.as_numpy_iterator())
    return [np.concatenate([batch[part] for batch in batches]) for part in (0, 1)]


def computed(classifier, dataset):
    return features_of(classifier).predict(arrays_of(dataset)[0], verbose=0)


def test_clean_features_are_those_of_the_clean_images(classifier, tmp_path):
    images = make_images(make_table())
    rows = np.array([7, 2, 11, 3])
    found, targets = arrays_of(cached_features(classifier, images, folder=tmp_path).clean(rows))
    np.testing.assert_allclose(found, computed(classifier, images.clean(rows)), atol=1e-5)
    np.testing.assert_array_equal(targets, np.eye(3)[rows % 3])


def test_epoch_shows_each_row_in_one_of_its_augmented_views(classifier, tmp_path):
    # A random brightness for every image, so that no two views are alike.
    brightness = dataclasses.replace(Augmentation.none(), brightness_probability=1.0)
    images = make_images(make_table(), brightness)
    sampler = RowSampler([0, 3, 4, 7, 8, 10, 11], seed=1, batch_size=3)
    features = cached_features(classifier, images, views=3, folder=tmp_path)
    found, targets = arrays_of(features.training(sampler, 2, 8))
    order = np.concatenate([sampler.order(epoch) for epoch in range(2, 8)])
    views = np.stack([computed(classifier, images.views(order, view)) for view in range(3)])
    distance = np.abs(views - found).max(axis=2)
    assert (distance.min(axis=0) < 1e-5).all()
    for row in sampler.rows:  # six epochs: each of the three views twice
        shown = distance[:, order == row].argmin(axis=0)
        assert sorted(shown) == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(targets, np.eye(3)[order % 3])


def test_batches_have_the_sampler_size_and_never_cross_an_epoch(classifier, tmp_path):
    sampler = RowSampler(np.arange(7), seed=1, batch_size=3)
    features = cached_features(classifier, make_images(make_table()), folder=tmp_path)
    dataset = features.training(sampler, 0, 2)
    assert [len(found) for found, _ in dataset.as_numpy_iterator()] == [3, 3, 1, 3, 3, 1]
    assert int(dataset.cardinality()) == 6


def test_nothing_is_computed_before_it_is_asked_for(classifier, tmp_path, nothing_is_computed):
    nothing_is_computed()
    cached_features(classifier, make_images(make_table()), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_second_run_computes_nothing(classifier, tmp_path, nothing_is_computed):
    sampler = RowSampler(np.arange(7), seed=1, batch_size=3)

    def run():
        features = cached_features(classifier, make_images(make_table()), folder=tmp_path)
        parts = [features.training(sampler, 0, 4), features.clean([8, 9]), features.clean([5])]
        return [arrays_of(part)[0] for part in parts]

    first = run()
    nothing_is_computed()
    for before, after in zip(first, run(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_rows_that_are_left_after_a_removal_need_no_computation(
    classifier, tmp_path, nothing_is_computed
):
    sampler = RowSampler(np.arange(7), seed=1, batch_size=3)
    features = cached_features(classifier, make_images(make_table()), folder=tmp_path)
    features.training(sampler, 0, 4)
    sampler.remove([2, 5])
    nothing_is_computed()
    assert len(arrays_of(features.training(sampler, 4, 5))[0]) == 5


def test_trained_backbone_gets_new_features(classifier, tmp_path):
    features = cached_features(classifier, make_images(make_table()), folder=tmp_path)
    before = arrays_of(features.clean([1, 2]))[0]
    bias = classifier.get_layer("backbone").weights[1]
    old = np.array(keras.ops.convert_to_numpy(bias))
    bias.assign(old + 1)
    after = arrays_of(features.clean([1, 2]))[0]
    bias.assign(old)
    assert np.abs(after - before).max() > 0.5


def test_clean_features_are_shared_between_seeds_and_views_are_not(
    classifier, tmp_path, nothing_is_computed
):
    table = make_table()
    cached_features(classifier, make_images(table), folder=tmp_path).clean([1, 2])
    other = cached_features(classifier, make_images(table, seed=4), folder=tmp_path)
    nothing_is_computed()
    other.clean([1, 2])
    with pytest.raises(RuntimeError, match="computed"):
        other.training(RowSampler([1, 2], seed=0, batch_size=2), 0, 1)


def test_without_augmentation_the_clean_features_serve_as_views(
    classifier, tmp_path, nothing_is_computed
):
    images = make_images(make_table(), Augmentation.none())
    features = cached_features(classifier, images, folder=tmp_path)
    features.clean([1, 2])
    nothing_is_computed()
    features.training(RowSampler([1, 2], seed=0, batch_size=2), 0, 1)


def test_fingerprint_changes_with_the_pixels_of_those_rows_only():
    table, rows = make_table(), np.array([1, 2])
    before = fingerprint(table, rows)
    table.payload.arrays["pixels"][5, 0, 0, 0] ^= 1
    assert fingerprint(table, rows) == before
    table.payload.arrays["pixels"][2, 0, 0, 0] ^= 1
    assert fingerprint(table, rows) != before


def test_fingerprint_changes_with_a_file(tmp_path):
    paths = [tmp_path / f"{row}.png" for row in range(ROWS)]
    for path in paths:
        path.write_bytes(b"pixels")
    payload = FilePayload(np.array([str(path) for path in paths], dtype=object))
    table, rows = dataclasses.replace(make_table(), payload=payload), np.array([1, 2])
    before = fingerprint(table, rows)
    assert fingerprint(table, rows) == before
    os.utime(paths[2], (1, 1))
    assert fingerprint(table, rows) != before


def test_views_lie_in_the_cache_folder_of_the_user(classifier, tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path))
    cached_features(classifier, make_images(make_table())).clean([1])
    assert list(FeatureCache(tmp_path / "features").folder.glob("*.npy"))


def test_head_trained_on_the_cache_improves_and_the_model_loads_elsewhere(classifier, tmp_path):
    images = make_images(make_table())
    features = cached_features(classifier, images, folder=tmp_path)
    sampler = RowSampler(np.arange(9), seed=1, batch_size=3)
    head = head_of(classifier)
    prepare_stage(head, Stage("head", 0, 30, "all", 0.03), sampler.steps)
    history = head.fit(
        features.training(sampler, 0, 30),
        steps_per_epoch=sampler.steps,
        epochs=30,
        validation_data=features.clean([9, 10, 11]),
        shuffle=False,
        verbose=0,
    ).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert len(history["val_loss"]) == 30
    logits = classifier.predict(images.clean([9, 10, 11]), verbose=0)
    found = head.predict(features.clean([9, 10, 11]), verbose=0)
    np.testing.assert_allclose(logits, found, atol=1e-4)
    classifier.save(tmp_path / "model.keras")
    command = "import keras, sys; print(keras.models.load_model(sys.argv[1]).name)"
    done = subprocess.run(
        [sys.executable, "-c", command, str(tmp_path / "model.keras")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert classifier.name in done.stdout, done.stderr

import os
import sys
from pathlib import Path

import cv2
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
from affectkeras.media.images import decode_and_resize
from affectkeras.pipelines.augmentation import Augmentation, augment
from affectkeras.pipelines.images import ImagePipeline
from affectkeras.pipelines.sampler import RowSampler

ROWS = 11
CLASSES = ("calm", "glad", "sad")
LABELS = np.arange(ROWS) % 3


def make_table(payload):
    names = [f"face-{row}" for row in range(ROWS)]
    frame = pd.DataFrame({"example_id": names, "group": names, "expression": LABELS})
    frame[["subject", "split", "source"]] = ""
    target = Target("expression", "class", CLASSES)
    return ExampleTable("faces", frame, (target,), payload, True, rejected_frame(), ROWS)


def face(row):
    return np.random.default_rng(row).integers(0, 256, (20 + row, 16, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path):
    paths = []
    for row in range(ROWS):
        paths.append(str(tmp_path / f"{row}{'.jpg' if row % 2 else '.png'}"))
        cv2.imwrite(paths[-1], face(row))
    return make_table(FilePayload(np.array(paths, object)))


def make_pipeline(table, **changes):
    settings = {
        "image_size": (16, 14),
        "batch_size": 4,
        "targets": LABELS,
        "augmentation": Augmentation(),
        "seed": 5,
    }
    return ImagePipeline(table, **(settings | changes))


def images_by_row(dataset, order):
    images = np.concatenate([images for images, _ in dataset])
    return dict(zip(order.tolist(), images, strict=True))


def test_clean_images_are_those_of_decode_and_resize_in_the_given_order(files):
    rows = np.array([7, 2, 10, 0, 3])
    batches = list(make_pipeline(files).clean(rows, batch_size=2))
    assert [len(images) for images, _ in batches] == [2, 2, 1]
    images = np.concatenate([images for images, _ in batches])
    targets = np.concatenate([targets for _, targets in batches])
    for image, target, row in zip(images, targets, rows, strict=True):
        encoded = Path(files.payload.paths[row]).read_bytes()
        np.testing.assert_array_equal(image, decode_and_resize(encoded, (16, 14)))
        np.testing.assert_array_equal(target, np.eye(3)[LABELS[row]])
    assert images.dtype == np.float32
    assert images.max() > 200


def test_the_number_of_batches_is_known(files):
    pipeline = make_pipeline(files)
    assert len(pipeline.clean(np.arange(9))) == 3
    assert len(pipeline.views(np.arange(9), 1)) == 3
    assert len(pipeline.training(RowSampler(range(9), seed=0, batch_size=4), 0, 2)) == 6


def test_batches_do_not_cross_epochs_and_follow_the_sampler(files):
    sampler = RowSampler(range(9), seed=0, batch_size=4)
    pipeline = make_pipeline(files, augmentation=Augmentation.none())
    batches = list(pipeline.training(sampler, 0, 2))
    assert [len(images) for images, _ in batches] == [4, 4, 1, 4, 4, 1]
    seen = np.concatenate([targets for _, targets in batches]).argmax(axis=1)
    order = np.concatenate([sampler.order(0), sampler.order(1)])
    np.testing.assert_array_equal(seen, LABELS[order])


def test_training_images_are_those_of_augment(files):
    sampler = RowSampler(range(ROWS), seed=0, batch_size=4)
    pipeline = make_pipeline(files)
    clean = images_by_row(pipeline.clean(np.arange(ROWS)), np.arange(ROWS))
    seen = images_by_row(pipeline.training(sampler, 6, 7), sampler.order(6))
    for row in range(ROWS):
        expected = augment(clean[row].astype(np.uint8), Augmentation(), seed=5, epoch=6, row=row)
        np.testing.assert_array_equal(seen[row], expected)


@pytest.mark.parametrize("memory_limit", [0, 2**30])
def test_an_image_depends_on_seed_epoch_and_row_only(files, memory_limit):
    reference = make_pipeline(files)
    sampler = RowSampler(range(ROWS), seed=0, batch_size=4)
    whole = images_by_row(list(reference.training(sampler, 0, 3))[6:], sampler.order(2))
    other = make_pipeline(files, batch_size=5, memory_limit=memory_limit)
    fewer = RowSampler(range(2, ROWS), seed=9, batch_size=5)
    resumed = images_by_row(other.training(fewer, 2, 3), fewer.order(2))
    for row, image in resumed.items():
        np.testing.assert_array_equal(image, whole[row])
    views = images_by_row(other.views(np.array([4, 2]), 2), np.array([4, 2]))
    np.testing.assert_array_equal(views[4], whole[4])


def test_epochs_and_seeds_change_the_images(files):
    sampler = RowSampler(range(ROWS), seed=0, batch_size=ROWS, shuffle=False)
    first, second = (images for images, _ in make_pipeline(files).training(sampler, 0, 2))
    assert np.any(first != second)
    (other, _), *_ = make_pipeline(files, seed=6).training(sampler, 0, 1)
    assert np.any(first != other)


def test_images_held_in_memory_equal_those_decoded_anew(files):
    rows = np.arange(ROWS)
    held = make_pipeline(files).clean(rows)
    streamed = make_pipeline(files, memory_limit=0).clean(rows)
    for (first, _), (second, _) in zip(held, streamed, strict=True):
        np.testing.assert_array_equal(first, second)


def test_held_images_are_read_from_disk_once(files):
    pipeline = make_pipeline(files)
    first = images_by_row(pipeline.clean(np.arange(ROWS)), np.arange(ROWS))
    for path in files.payload.paths:
        os.remove(path)
    again = images_by_row(pipeline.clean(np.array([3, 1])), np.array([3, 1]))
    np.testing.assert_array_equal(again[3], first[3])


@pytest.mark.parametrize("memory_limit", [0, 2**30])
@pytest.mark.parametrize("shape", [(16, 14), (16, 14, 3)])
def test_array_payloads_follow_their_index(shape, memory_limit):
    pixels = np.random.default_rng(0).integers(0, 256, (30, *shape), dtype=np.uint8)
    index = np.arange(29, 29 - ROWS, -1)
    table = make_table(ArrayPayload({"pixels": pixels}, index))
    pipeline = make_pipeline(table, memory_limit=memory_limit)
    images = images_by_row(pipeline.clean(np.arange(ROWS)), np.arange(ROWS))
    expected = pixels[29 - 3]
    if expected.ndim == 2:
        expected = np.repeat(expected[..., np.newaxis], 3, axis=2)
    np.testing.assert_array_equal(images[3], expected)


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are any bytes")
def test_file_names_need_not_be_text(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(path, "wb") as file:
        file.write(cv2.imencode(".png", face(0))[1].tobytes())
    table = make_table(FilePayload(np.array([os.fsdecode(path)] * ROWS, object)))
    assert len(make_pipeline(table).clean(np.arange(2))) == 1


def test_distributions_are_handed_on_as_targets(files):
    distributions = np.random.default_rng(0).dirichlet(np.ones(3), ROWS)
    (_, targets), *_ = make_pipeline(files, targets=distributions).clean(np.array([8, 1]))
    np.testing.assert_allclose(targets, distributions[[8, 1]], rtol=1e-6)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (LABELS[:-1], r"one entry for each of the 11 rows of faces. Received: shape \(10,\)"),
        (LABELS + 1, "indices below the 3 classes of faces. Received: from 1 to 3"),
        (LABELS / 2, "must be class indices .* Received: float64"),
    ],
)
def test_targets_that_do_not_fit_are_refused(files, targets, message):
    with pytest.raises(ValueError, match=message):
        make_pipeline(files, targets=targets)


def test_arrays_that_are_no_images_are_refused():
    table = make_table(ArrayPayload({"pixels": np.zeros((ROWS, 4, 4))}, np.arange(ROWS)))
    with pytest.raises(ValueError, match=r"'pixels'. Received: {'pixels': 'float64 \(11, 4, 4\)'}"):
        make_pipeline(table)

"""Trainings over several devices, each in a process of its own: devices are made only once."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from affectkeras.devices import divide_stream
from affectkeras.pipelines.sampler import RowSampler
from tests.other_backends import ROOT, run_on

SCRIPT = """
import json, sys
from affectkeras.devices import divide_stream, prepare_devices, spread, synchronize_normalization
count, folder = int(sys.argv[1]), sys.argv[2]
prepare_devices(count)
import keras, numpy as np, tensorflow as tf
from affectkeras.pipelines.sampler import RowSampler
from affectkeras.transfer.fine_tuning import fine_tune, predict_logits
from affectkeras.transfer.stages import Stage

class Rows:
    def __init__(self, dtype):
        random = np.random.default_rng(0)
        self.seal = None
        self.inputs = random.normal(size=(27, 8, 8, 3)).astype(dtype)
        self.targets = np.eye(3, dtype=dtype)[np.arange(27) % 3]
    def dataset(self, rows, size):
        pairs = tf.data.Dataset.from_tensor_slices((self.inputs[rows], self.targets[rows]))
        return pairs.batch(size)
    def training(self, sampler, first, last):
        found = [self.dataset(sampler.order(epoch), 8) for epoch in range(first, last)]
        whole = found[0]
        for one in found[1:]:
            whole = whole.concatenate(one)
        return whole
    def clean(self, rows):
        return self.dataset(rows, 4)

def build(dtype, names):
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 3), dtype=dtype)
    x = pixels
    for number in (1, 2):
        x = keras.layers.Conv2D(4, 3, strides=2, name=f"conv{number}")(x)
        x = keras.layers.BatchNormalization(name=f"normalization{number}", epsilon=0.1)(x)
        x = keras.layers.Activation("relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    backbone = keras.Model(pixels, x, name="backbone")
    features = keras.Input((4,), dtype=dtype)
    logits = keras.layers.Dense(3, name="head_logits")(features)
    head = keras.Model(features, logits, name="head")
    images = keras.Input((8, 8, 3), dtype=dtype)
    return keras.Model(images, head(backbone(images)))

for case, dtype, options in (
    ("frozen", "float32", {"freeze_normalization": True, "backbone_rate": 0.5}),
    ("synchronized", "float64", {}),
):
    with spread(count):
        model = build(dtype, case)
        rows = Rows(dtype)
        stream = divide_stream(rows, count)
        synchronize_normalization(model, count > 1)
        stage = Stage("all", 0, 3, "all", 0.01, **options)
        sampler = RowSampler(np.arange(21), seed=0, batch_size=8)
        history, _ = fine_tune(
            model, (stage,), stream, sampler, validation_rows=np.arange(21, 27),
            state_path=folder + f"/{case}-{count}-state.npz", verbose=0,
        )
    logits = predict_logits(model, stream, np.arange(25))
    weights = [np.asarray(keras.ops.convert_to_numpy(one), np.float64) for one in model.weights]
    np.savez(folder + f"/{case}-{count}.npz", *weights, logits=logits)
    with open(folder + f"/{case}-{count}.json", "w") as file:
        json.dump(history, file)
devices = keras.distribution.list_devices()
print(len(devices))
"""


def train(count, folder):
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(count), str(folder)],
        cwd=ROOT,
        env=os.environ
        # As recipes start TensorFlow.
        | {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        check=True,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    for count in (1, 2):
        train(count, folder)
    return folder


def difference(folder, case):
    one, two = (np.load(folder / f"{case}-{count}.npz") for count in (1, 2))
    assert set(one.files) == set(two.files)
    assert len(one["logits"]) == len(two["logits"]) == 25
    return max(np.abs(one[name] - two[name]).max() for name in one.files)


# 21 rows in batches of 8: the last has 5, which two devices cannot share evenly. What is predicted
# are 25 rows in batches of 4: the last leaves one of them without any.


def test_two_devices_give_the_weights_of_one_where_normalization_is_frozen(trained):
    assert difference(trained, "frozen") < 1e-5


def test_two_devices_give_the_weights_of_one_where_normalization_is_synchronized(trained):
    # In double precision: in single, one rounding of the input already moves such a network.
    assert difference(trained, "synchronized") < 1e-7


def test_the_network_has_learnt_something(trained):
    history = json.loads((trained / "synchronized-1.json").read_text())
    assert history[-1]["loss"] < history[0]["loss"]


def test_two_devices_tell_the_losses_of_one(trained):
    for case in ("frozen", "synchronized"):
        one, two = (json.loads((trained / f"{case}-{count}.json").read_text()) for count in (1, 2))
        for first, second in zip(one, two, strict=True):
            assert second["accuracy"] == pytest.approx(first["accuracy"], abs=0.02)
            assert second["loss"] == pytest.approx(first["loss"], rel=0.05)


def test_devices_of_jax_give_the_weights_of_one(tmp_path):
    for count in (1, 2):
        printed = run_on("jax", SCRIPT, count, tmp_path)
        assert printed[-1] == str(count)
    assert difference(tmp_path, "frozen") < 1e-5


class TenRows:
    seal = None
    targets = np.eye(2, dtype=np.float32)[np.arange(10) % 2]

    def _dataset(self, rows, size):
        import tensorflow as tf

        inputs = np.asarray(rows, np.float32)[:, None]
        return tf.data.Dataset.from_tensor_slices((inputs, self.targets[rows])).batch(size)

    def training(self, sampler, first_epoch, last_epoch):
        return self._dataset(sampler.rows, sampler.batch_size)

    def clean(self, rows):
        return self._dataset(rows, 4)


def batches(count, rows, size):
    stream = divide_stream(TenRows(), count)
    sampler = RowSampler(np.arange(rows), seed=0, batch_size=size)
    return list(stream.training(sampler, 0, 1).as_numpy_iterator())


def test_rows_are_weighed_with_the_sizes_of_their_shares():
    ((inputs, _, weights),) = batches(2, 5, 5)
    np.testing.assert_array_equal(inputs[:, 0], [0, 1, 2, 3, 4])
    np.testing.assert_allclose(weights, [1.2, 1.2, 1.2, 0.8, 0.8])


def test_where_a_device_would_have_no_row_the_batch_is_filled_up():
    four, one = batches(3, 5, 4)
    np.testing.assert_array_equal(four[0][:, 0], [0, 1, 2, 3, 3, 3])
    np.testing.assert_array_equal(four[2], [1.5, 1.5, 1.5, 1.5, 0, 0])
    np.testing.assert_array_equal(one[0][:, 0], [4, 4, 4])
    np.testing.assert_array_equal(one[2], [3, 0, 0])
    assert len(one[1]) == 3


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("rows", range(1, 10))
def test_the_mean_over_devices_is_the_mean_over_rows(count, rows):
    ((inputs, _, weights),) = batches(count, rows, rows)
    share = -(-rows // count)
    # Slowly: as TensorFlow cuts a batch, a loss per device, and their mean.
    shares = [slice(start, start + share) for start in range(0, len(inputs), share)]
    assert len(shares) == count
    losses = [np.mean(weights[one] * inputs[one, 0]) for one in shares]
    assert np.mean(losses) == pytest.approx(np.arange(rows).mean(), rel=1e-6)


def test_one_device_keeps_its_stream():
    rows = TenRows()
    assert divide_stream(rows, 1) is rows
    assert divide_stream(None, 2) is None

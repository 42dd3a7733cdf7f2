import keras
import numpy as np
import pytest

from affectkeras.layers.frame_distributed import FrameDistributed
from tests.layer_checks import run_layer_test


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def random_video(batch=3, time=4):
    return np.random.default_rng(2).normal(size=(batch, time, 6, 5, 2)).astype("float32")


def small_network():
    images = keras.Input((6, 5, 2))
    x = keras.layers.Conv2D(3, 3, activation="tanh", name="conv")(images)
    return keras.Model(images, keras.layers.Dense(4, name="dense")(keras.layers.Flatten()(x)))


def gradients_of(wrapper, time, videos):
    """Train one step on videos; return by how much the weights moved."""
    inputs = keras.Input((time, *videos.shape[2:]))
    model = keras.Model(inputs, wrapper(inputs))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = [weight.copy() for weight in model.get_weights()]
    targets = np.random.default_rng(4).normal(size=(*videos.shape[:2], 4))
    model.fit(videos, targets, batch_size=len(videos), verbose=0)
    return [new - old for new, old in zip(model.get_weights(), before, strict=True)]


@pytest.mark.parametrize("time", [None, 4])
def test_it_gives_and_learns_what_the_layer_of_keras_does(time):
    ours, theirs = small_network(), small_network()
    theirs.set_weights(ours.get_weights())
    found, expected = FrameDistributed(ours), keras.layers.TimeDistributed(theirs)
    np.testing.assert_allclose(
        array_of(found(random_video())), array_of(expected(random_video())), rtol=1e-5, atol=1e-6
    )
    pairs = zip(
        gradients_of(found, time, random_video()),
        gradients_of(expected, time, random_video()),
        strict=True,
    )
    for one, other in pairs:
        assert np.abs(other).max() > 0.01
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_each_frame_gets_what_the_layer_gives_it_alone():
    network = small_network()
    video = random_video()
    found = array_of(FrameDistributed(network)(video))
    for row in range(3):
        for time in range(4):
            alone = array_of(network(video[row, time][None]))[0]
            np.testing.assert_allclose(found[row, time], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("time", [None, 4])
def test_shapes_are_those_of_the_layer_of_keras(time):
    inputs = keras.Input((time, 6, 5, 2))
    assert FrameDistributed(small_network())(inputs).shape == (None, time, 4)


def test_one_model_takes_any_batch_and_time():
    inputs = keras.Input((None, 6, 5, 2))
    model = keras.Model(inputs, FrameDistributed(small_network())(inputs))
    for batch, time in [(1, 1), (2, 7), (5, 3)]:
        assert model(random_video(batch, time)).shape == (batch, time, 4)
        assert model.predict(random_video(batch, time), verbose=0).shape == (batch, time, 4)


def test_the_layer_learns_whether_it_trains():
    layer = FrameDistributed(keras.layers.Dropout(0.5, seed=1))
    video = random_video()
    np.testing.assert_array_equal(array_of(layer(video, training=False)), video)
    assert 0.3 < np.mean(array_of(layer(video, training=True)) == 0) < 0.7


def test_normalization_takes_its_statistics_from_all_frames():
    video = random_video() * 3 + 2
    found = array_of(FrameDistributed(keras.layers.BatchNormalization())(video, training=True))
    axes = (0, 1, 2, 3)
    expected = (video - video.mean(axes)) / np.sqrt(video.var(axes) + 1e-3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_mask_reaches_the_layer_as_in_keras():
    words = np.random.default_rng(3).normal(size=(2, 3, 4, 5)).astype("float32")
    mask = keras.ops.convert_to_tensor(np.arange(24).reshape(2, 3, 4) % 3 > 0)
    cell = keras.layers.GRU(2)
    cell.build((None, 4, 5))
    found = array_of(FrameDistributed(cell)(words, mask=mask))
    expected = array_of(keras.layers.TimeDistributed(cell)(words, mask=mask))
    without = array_of(FrameDistributed(cell)(words))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.abs(found - without).max() > 0.01


def test_it_keeps_what_layers_owe_keras():
    class Doubled(FrameDistributed):
        """Around a new dense layer: the check makes several of one set of arguments."""

        def __init__(self, layer=None, **kwargs):
            super().__init__(layer or keras.layers.Dense(4, dtype=kwargs.get("dtype")), **kwargs)

    run_layer_test(
        Doubled, {"name": "frames"}, random_video(), expected_shape=(3, 4, 6, 5, 4), weights=(2, 0)
    )

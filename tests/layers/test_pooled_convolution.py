import keras
import numpy as np
import pytest

from affectkeras.layers.pooled_convolution import PooledConvolution
from affectkeras.pruning.surgery import prune_model
from tests.layer_checks import run_layer_test
from tests.pruning.small_models import plan_for

BIASED = keras.initializers.RandomNormal(stddev=0.5, seed=2)


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def random_images(shape=(3, 8, 6, 2)):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def plain(kernel_size=3, name="conv"):
    """Return the same in the order that is published: convolution, bias, ReLU, maximum."""
    layers = [
        keras.layers.Conv2D(4, kernel_size, padding="same", activation="relu", name=name),
        keras.layers.MaxPooling2D(),
    ]
    return keras.Sequential(layers)


def trained(network, images):
    """Train one step; return by how much the weights moved."""
    model = keras.Sequential([keras.Input(images.shape[1:]), network, keras.layers.Flatten()])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = [weight.copy() for weight in model.get_weights()]
    width = model.output_shape[-1]
    targets = 30 * np.random.default_rng(4).normal(size=(len(images), width))
    model.fit(images, targets, batch_size=len(images), verbose=0)
    return [new - old for new, old in zip(model.get_weights(), before, strict=True)]


@pytest.mark.parametrize("kernel_size", [3, 5, (3, 1)])
@pytest.mark.parametrize("shape", [(3, 8, 6, 2), (2, 9, 7, 3)])
def test_it_gives_and_learns_what_the_published_order_does(kernel_size, shape):
    images = random_images(shape)
    ours, theirs = PooledConvolution(4, kernel_size, bias_initializer=BIASED), plain(kernel_size)
    found = array_of(ours(images))
    theirs.build(images.shape)
    theirs.set_weights(ours.get_weights())
    expected = array_of(theirs(images))
    assert 0.05 < np.mean(expected == 0) < 0.95
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for one, other in zip(trained(ours, images), trained(theirs, images), strict=True):
        assert np.abs(other).max() > 0.01
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_case_worked_by_hand():
    layer = PooledConvolution(2, 1)
    layer.build((None, 2, 2, 1))
    layer.set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.5, -3.0])])
    # The largest of 1, 2, -4, 3 and 0.5; of -1, -2, 4, -3 and -3.
    found = array_of(layer(np.array([[[[1.0], [2.0]], [[-4.0], [3.0]]]])))
    np.testing.assert_allclose(found, [[[[3.5, 1.0]]]])


def test_what_is_fixed_cannot_be_given():
    with pytest.raises(TypeError, match="padding"):
        PooledConvolution(4, 3, padding="valid")


def test_pruning_takes_a_map_that_is_always_zero_and_nothing_changes():
    images = keras.Input((8, 6, 2))
    x = PooledConvolution(4, name="first", bias_initializer=BIASED)(images)
    x = PooledConvolution(3, name="second", bias_initializer=BIASED)(x)
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(x)), name="pooled")
    kernel, bias = model.get_layer("first").get_weights()
    kernel[..., 1], bias[1] = 0, 0
    model.get_layer("first").set_weights([kernel, bias])
    pruned = prune_model(model, plan_for(model, "first", (1,)))
    assert type(pruned.get_layer("first")) is PooledConvolution
    shapes = [weight.shape for weight in pruned.weights[:4]]
    assert shapes == [(3, 3, 2, 3), (3,), (3, 3, 3, 3), (3,)]
    found, expected = (array_of(one(random_images())) for one in (pruned, model))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_it_keeps_what_layers_owe_keras():
    run_layer_test(
        PooledConvolution,
        {"filters": 4, "kernel_size": (3, 3), "kernel_regularizer": keras.regularizers.L2(0.01)},
        random_images(),
        expected_shape=(3, 4, 3, 4),
        weights=(2, 0),
    )

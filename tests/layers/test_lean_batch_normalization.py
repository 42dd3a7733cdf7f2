import keras
import numpy as np
import pytest

from affectkeras.layers.lean_batch_normalization import LeanBatchNormalization
from tests.layer_checks import run_layer_test


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def random_maps(shape=(6, 5, 4, 3), seed=1):
    generator = np.random.default_rng(seed)
    return generator.normal(2.0, generator.uniform(0.5, 3, shape[-1]), shape).astype("float32")


def trained(layer_class, maps, **options):
    """Train a convolution, the normalization and what reads it; return all weights, and inputs'."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input(maps.shape[1:])
    x = keras.layers.Dense(4, name="before")(inputs)
    x = layer_class(name="normalization", **options)(x)
    outputs = keras.layers.Dense(2, name="after")(keras.layers.Activation("tanh")(x))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    targets = np.random.default_rng(3).normal(size=(*maps.shape[:-1], 2))
    losses = model.fit(maps, targets, epochs=5, batch_size=len(maps), verbose=0).history["loss"]
    return [np.array(losses), *(array_of(weight) for weight in model.weights)]


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (6, 7, 3), (30, 3)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.5, "epsilon": 0.1},
        {"gamma_initializer": "he_normal", "beta_initializer": "ones"},
        {"center": False},
        {"scale": False},
        {"trainable": False},
        {"renorm": True},
        {"dtype": "mixed_bfloat16"},
    ],
    ids=str,
)
def test_it_trains_as_the_normalization_of_keras_does(shape, options):
    if "gamma_initializer" in options:
        options = {**options, "gamma_initializer": keras.initializers.RandomUniform(0.5, 2, seed=1)}
    found = trained(LeanBatchNormalization, random_maps(shape), **options)
    expected = trained(keras.layers.BatchNormalization, random_maps(shape), **options)
    for one, other in zip(found, expected, strict=True):
        # Keras, too, rounds the gradient of bfloat16 numbers, but elsewhere.
        atol = 2e-3 if "dtype" in options else 1e-5
        np.testing.assert_allclose(one, other, rtol=atol, atol=atol)


def test_another_axis_is_that_of_keras():
    found, expected = (
        one(axis=1)(random_maps(), training=True)
        for one in (LeanBatchNormalization, keras.layers.BatchNormalization)
    )
    np.testing.assert_array_equal(array_of(found), array_of(expected))


def test_a_mask_leaves_examples_out_as_in_keras():
    mask = np.arange(30).reshape(6, 5) % 2 == 0
    found, expected = (
        one()(random_maps((6, 5, 3)), training=True, mask=mask)
        for one in (LeanBatchNormalization, keras.layers.BatchNormalization)
    )
    np.testing.assert_array_equal(array_of(found), array_of(expected))


def test_it_keeps_what_layers_owe_keras():
    run_layer_test(
        LeanBatchNormalization,
        {"momentum": 0.9},
        random_maps(),
        expected_shape=(6, 5, 4, 3),
        changes_in_training=True,
        weights=(2, 2),
    )

import functools
import math

import keras
import numpy as np
import pytest

from affectkeras.layers.exact_gelu import ExactGelu, exact_gelu

NUMBERS = np.linspace(-12, 12, 481, dtype=np.float32)


def normal_share(x):
    return (1 + math.erf(x / math.sqrt(2))) / 2


def normal_density(x):
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def gradient_of(function, numbers):
    """Train the numbers by one step of plain gradient descent: what they lose is the gradient."""
    layer = keras.layers.Embedding(len(numbers), 1)
    rows = keras.Input((1,), dtype="int32")
    model = keras.Model(rows, keras.layers.Activation(function)(layer(rows)))
    layer.embeddings.assign(numbers[:, None])

    def total(_, made):
        return keras.ops.sum(made)

    model.compile(keras.optimizers.SGD(1.0), total)
    rows = np.arange(len(numbers))[:, None]
    model.fit(rows, rows, batch_size=len(rows), verbose=0)
    return numbers - keras.ops.convert_to_numpy(layer.embeddings)[:, 0]


def test_it_is_the_share_of_a_normal_distribution_below_times_the_number():
    expected = [x * normal_share(x) for x in NUMBERS.tolist()]
    found = keras.ops.convert_to_numpy(exact_gelu(NUMBERS))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_kernel_for_training_gives_the_same():
    # Far below zero XLA's error function is one rounding from -1, times a number of up to 12.
    found = keras.ops.convert_to_numpy(exact_gelu(NUMBERS, training=True))
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(exact_gelu(NUMBERS)), atol=3e-6)


@pytest.mark.parametrize("training", [False, True])
def test_its_gradient_is_the_derivative(training):
    expected = [normal_share(x) + x * normal_density(x) for x in NUMBERS.tolist()]
    found = gradient_of(functools.partial(exact_gelu, training=training), NUMBERS)
    # Each was told apart from a number of up to 12 in single precision.
    np.testing.assert_allclose(found, expected, atol=3e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_stays_half(dtype):
    found = exact_gelu(keras.ops.cast(NUMBERS, dtype))
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    expected = [x * normal_share(x) for x in NUMBERS.tolist()]
    found = keras.ops.convert_to_numpy(keras.ops.cast(found, "float32"))
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02)


def test_the_layer_saves_and_loads_and_holds_no_compiled_code_outside_training(tmp_path):
    numbers = keras.Input((3,))
    model = keras.Model(numbers, ExactGelu(name="gelu")(numbers))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.get_layer("gelu"), ExactGelu)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        calls = {}
        for training in (False, True):
            function = tf.function(lambda x, training=training: loaded(x, training=training))
            concrete = function.get_concrete_function(tf.TensorSpec((None, 3), tf.float32))
            calls[training] = [op.type for op in concrete.graph.get_operations()]
        assert "Erf" in calls[False]
        assert not any("Call" in name for name in calls[False])
        assert any("Call" in name for name in calls[True])


def test_it_saves_and_loads_by_its_name(tmp_path):
    numbers = keras.Input((3,))
    model = keras.Model(numbers, keras.layers.Activation(exact_gelu)(numbers))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].activation is exact_gelu

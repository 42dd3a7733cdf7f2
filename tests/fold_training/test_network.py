import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from affectkeras.fold_training.layers import Pass
from affectkeras.fold_training.network import check_layers, check_model, run_network
from affectkeras.layers.exact_gelu import ExactGelu

FOLDS, ROWS = 2, 3


def sensors():
    return keras.Input((7, 4))


def model_of(layer):
    inputs = sensors()
    return keras.Model(inputs, layer(inputs))


def randomized(model, seed):
    """Return the weights of a fold: all random, those of variances above zero."""
    generator = np.random.default_rng(seed)
    return [
        generator.uniform(0.2, 1, one.shape).astype(one.dtype)
        if "variance" in one.path
        else generator.normal(0, 0.7, one.shape).astype(one.dtype)
        for one in model.weights
    ]


def check_against_keras(model):
    """Hold that each fold gets what Keras's model gives with the fold's weights and inputs."""
    folds = [randomized(model, seed) for seed in range(FOLDS)]
    generator = np.random.default_rng(9)
    x = generator.normal(0, 1, (FOLDS, ROWS, *model.input_shape[1:])).astype("float32")
    values = {
        one.path: tf.constant(np.stack([fold[number] for fold in folds]))
        for number, one in enumerate(model.weights)
    }
    found = run_network(model, Pass(values), tf.constant(x)).numpy()
    for fold in range(FOLDS):
        model.set_weights(folds[fold])
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()
        expected = np.array(keras.ops.convert_to_numpy(model(x[fold], training=False)))
        assert found[fold].shape == expected.shape
        np.testing.assert_allclose(found[fold], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Dense(3, activation="gelu"),
        keras.layers.Dense(3, use_bias=False),
        keras.layers.Conv1D(5, 3, activation="relu"),
        keras.layers.Conv1D(5, 1, use_bias=False),
        keras.layers.LSTM(3),
        keras.layers.LSTM(3, return_sequences=True, recurrent_activation="hard_sigmoid"),
        keras.layers.LSTM(3, use_bias=False, unit_forget_bias=False, activation="relu"),
        keras.layers.GRU(3),
        keras.layers.GRU(3, return_sequences=True),
        keras.layers.BatchNormalization(),
        keras.layers.BatchNormalization(scale=False, center=False, epsilon=0.1),
        keras.layers.BatchNormalization(axis=2),
        keras.layers.Normalization(),
        keras.layers.Normalization(axis=None),
        keras.layers.Normalization(axis=(1, 2)),
        keras.layers.Normalization(mean=[1, 2, 3, 4], variance=[4, 3, 2, 1]),
        keras.layers.Activation("tanh"),
        keras.layers.ReLU(),
        keras.layers.MaxPooling1D(2),
        keras.layers.AveragePooling1D(3),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.GlobalMaxPooling1D(),
        keras.layers.Flatten(),
        keras.layers.Reshape((4, -1)),
        keras.layers.Permute((2, 1)),
        keras.layers.Dropout(0.5),
        lambda x: keras.layers.Conv2D(3, (1, 3))(keras.layers.Reshape((7, 4, 1))(x)),
        lambda x: keras.layers.Conv2D(3, (2, 3))(keras.layers.Reshape((7, 4, 1))(x)),
        lambda x: keras.layers.MaxPooling2D((1, 2))(keras.layers.Reshape((4, 7, 1))(x)),
        lambda x: keras.layers.Concatenate()([x, keras.layers.Dense(2)(x)]),
        lambda x: keras.layers.Concatenate(axis=1)([x, x]),
        lambda x: keras.layers.Add()([x, keras.layers.Dense(4)(x)]),
        lambda x: keras.ops.split(x, [1, 3], axis=-1)[1],
        lambda x: keras.ops.split(x, 2, axis=2)[1],
        lambda x: x[:, 1:6, 2:],
        lambda x: x[..., 0],
    ],
)
def test_a_layer_gives_each_fold_what_keras_gives_it(layer):
    check_against_keras(model_of(layer))


def test_a_layer_used_twice_has_one_set_of_weights():
    shared = keras.layers.Dense(4, activation="tanh")
    model = model_of(lambda x: shared(shared(x)))
    assert len(model.weights) == 2
    check_against_keras(model)


def test_models_inside_a_model_are_read_too():
    part = keras.Input((4,))
    functional = keras.Model(part, keras.layers.Dense(3)(part))
    sequential = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    check_against_keras(
        model_of(lambda x: sequential(functional(keras.layers.GlobalAveragePooling1D()(x))))
    )


def test_a_sequential_model_is_read():
    check_against_keras(
        keras.Sequential([sensors(), keras.layers.Flatten(), keras.layers.Dense(2)])
    )


def test_batch_normalization_looks_only_at_rows_that_count():
    layer = keras.layers.BatchNormalization(momentum=0.9)
    model = model_of(layer)
    weights = randomized(model, 3)
    values = {
        one.path: tf.constant(np.stack([array] * 3))
        for one, array in zip(model.weights, weights, strict=True)
    }
    x = np.random.default_rng(4).normal(1, 2, (3, 5, 7, 4)).astype("float32")
    counts = [5, 2, 0]
    rows = np.array([[row < count for row in range(5)] for count in counts], "float32")
    run = Pass(values, True, tf.constant(rows), tf.constant([0, 0]))
    found = run_network(model, run, tf.constant(x)).numpy()
    for fold, count in enumerate(counts[:2]):
        layer.set_weights(weights)
        expected = keras.ops.convert_to_numpy(model(x[fold, :count], training=True))
        np.testing.assert_allclose(found[fold, :count], expected, rtol=1e-3, atol=1e-5)
        for variable in (layer.moving_mean, layer.moving_variance):
            np.testing.assert_allclose(run.of(variable)[fold], variable.numpy(), rtol=1e-4)
    # A fold without rows keeps its statistics, and its numbers stay finite.
    assert np.isfinite(found[2]).all()
    for name in ("moving_mean", "moving_variance"):
        number = [one.name for one in model.weights].index(name)
        np.testing.assert_array_equal(run.of(getattr(layer, name))[2], weights[number])


def test_frozen_batch_normalization_keeps_to_its_statistics():
    layer = keras.layers.BatchNormalization(trainable=False)
    model = model_of(layer)
    values = {
        one.path: tf.constant(array[None])
        for one, array in zip(model.weights, randomized(model, 3), strict=True)
    }
    x = tf.random.stateless_normal((1, 5, 7, 4), [1, 2])
    resting = run_network(model, Pass(dict(values)), x)
    run = Pass(dict(values), True, tf.ones((1, 5)), tf.constant([0, 0]))
    np.testing.assert_array_equal(run_network(model, run, x), resting)


def test_dropout_leaves_out_the_same_in_all_folds_and_others_at_other_steps():
    model = model_of(keras.layers.Dropout(0.25))
    x = tf.ones((2, 500, 7, 4))

    def drop(seed):
        run = Pass({}, True, tf.ones((2, 500)), tf.constant(seed))
        return run_network(model, run, x).numpy()

    found = drop([0, 1])
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(np.unique(found), [0, 4 / 3], rtol=1e-6)
    assert abs((found == 0).mean() - 0.25) < 0.02
    assert (found != drop([0, 2])).any()
    assert (found != drop([1, 1])).any()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (ExactGelu(name="odd"), "through layer 'odd': ExactGelu."),
        (keras.layers.LayerNormalization(name="odd"), "layer 'odd': LayerNormalization."),
        (
            keras.layers.Conv1D(2, 3, padding="same", name="odd"),
            "layer 'odd': Conv1D with padding='same'.",
        ),
        (
            keras.layers.Conv1D(2, 3, strides=2, name="odd"),
            "layer 'odd': Conv1D with strides=(2,).",
        ),
        (
            keras.layers.LSTM(2, go_backwards=True, name="odd"),
            "layer 'odd': LSTM with go_backwards=True.",
        ),
        (keras.layers.LSTM(2, dropout=0.1, name="odd"), "LSTM with dropout=0.1."),
        (keras.layers.GRU(2, reset_after=False, name="odd"), "GRUCell with reset_after=False."),
        (
            keras.layers.Dense(2, activation="softmax", name="odd"),
            "layer 'odd': Dense with activation='softmax'.",
        ),
        (
            keras.layers.Dense(2, kernel_regularizer="l2", name="odd"),
            "layer 'odd': Dense with kernel_regularizer.",
        ),
        (
            keras.layers.Dense(2, bias_constraint="non_neg", name="odd"),
            "layer 'odd': Dense with bias_constraint.",
        ),
        (keras.layers.Dense(2, dtype="mixed_bfloat16", name="odd"), "Dense of mixed_bfloat16."),
        (
            keras.layers.MaxPooling1D(2, strides=1, name="odd"),
            "layer 'odd': MaxPooling1D with strides=(1,).",
        ),
        (keras.layers.BatchNormalization(axis=1, name="odd"), "BatchNormalization with axis=1."),
        (lambda x: keras.ops.sin(x), "Sin."),
    ],
)
def test_a_layer_without_a_function_is_named_with_its_kind(layer, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_layers(model_of(layer))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda x: keras.Model(x, [keras.layers.Flatten()(x)] * 2, name="two"),
            "`model` must be functional with one input and one output. "
            "Received: 'two' with 2 outputs",
        ),
        (
            lambda x: keras.Model(x, keras.layers.Dense(2)(x)),
            "`model` must take inputs of known shape and give (batch, classes). "
            "Received: (None, 7, 4) to (None, 7, 2)",
        ),
        (
            lambda x: keras.Model(
                x, keras.layers.Dense(2, activation="softmax", name="last")(x[:, 0])
            ),
            "`model` must give logits, not probabilities. Received: layer 'last'",
        ),
        (
            lambda x: keras.Model(x, keras.layers.Normalization(name="late")(x[:, 0])),
            "Layer 'late' must read the model's input",
        ),
    ],
)
def test_a_model_whose_folds_cannot_be_trained_is_told(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_model(make(sensors()))

"""Statistics of BatchNormalization after recalibration, against a slow computation by hand."""

import keras
import numpy as np
import pytest
from keras import layers

from affectkeras.models.six_block_cnn import build_six_block_cnn
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.recalibration import find_normalizations, recalibrate_normalization
from tests.pruning.small_models import give_weights, outputs_of

IMAGES = np.random.default_rng(0).uniform(0, 255, (10, 12, 12, 3)).astype("float32")


def norm(name, **options):
    return layers.BatchNormalization(name=name, **options)


def statistics(numbers):
    """Return mean and population variance per channel, in double precision."""
    numbers = np.asarray(keras.ops.convert_to_numpy(numbers), np.float64)
    numbers = numbers.reshape(-1, numbers.shape[-1])
    mean = numbers.sum(axis=0) / len(numbers)
    return mean, ((numbers - mean) ** 2).sum(axis=0) / len(numbers)


def assert_holds(layer, mean, variance):
    found = keras.ops.convert_to_numpy(layer.moving_mean)
    np.testing.assert_allclose(found, mean, rtol=1e-4, atol=1e-5 * np.abs(mean).max() + 1e-6)
    found = keras.ops.convert_to_numpy(layer.moving_variance)
    np.testing.assert_allclose(found, variance, rtol=1e-4)


def test_each_layer_holds_what_it_reads_of_all_the_data_after_those_before_it():
    model = give_weights(build_six_block_cnn(4, 12, widths=(4, 6)))
    before = [keras.ops.convert_to_numpy(one) for one in model.weights]
    batches = [IMAGES[:3], IMAGES[3:4], IMAGES[4:]]  # of different sizes
    assert recalibrate_normalization(model, batches) is model
    x = IMAGES
    for layer in model.layers[1:]:
        # One layer after the other, over all the data at once.
        if isinstance(layer, layers.BatchNormalization):
            mean, variance = statistics(x)
            assert_holds(layer, mean, variance)
            gamma, beta = (keras.ops.convert_to_numpy(one) for one in (layer.gamma, layer.beta))
            x = keras.ops.convert_to_numpy(x)
            x = ((x - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta).astype("float32")
        else:
            x = layer(x)
    for old, new in zip(before, model.weights, strict=True):
        same = np.array_equal(old, keras.ops.convert_to_numpy(new))
        assert same != ("moving" in new.path), new.path


def test_the_result_depends_neither_on_the_batches_nor_on_what_was_held_before():
    one, other = (give_weights(build_six_block_cnn(3, 12, widths=(4, 5)), seed) for seed in (1, 1))
    for layer in find_normalizations(other):
        layer.moving_mean.assign(layer.moving_mean + 7.0)
    recalibrate_normalization(one, [(IMAGES, "labels")])
    recalibrate_normalization(other, lambda: np.array_split(IMAGES, 5))
    for left, right in zip(outputs_of(one), outputs_of(other), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-4)


def test_models_inside_shared_layers_branches_and_dropout():
    inner_input = keras.Input((6, 6, 4))
    inner = keras.Model(inner_input, norm("within")(layers.ReLU()(inner_input)), name="inner")
    inputs = keras.Input((6, 6, 3))
    x = layers.Dropout(0.5)(layers.Conv2D(4, 1, name="conv")(inputs))
    left = norm("left", axis=1)(x)
    right = inner(x)
    shared = norm("shared")
    pair = [shared(left), shared(right)]
    model = give_weights(keras.Model(inputs, layers.Add()(pair)))
    pixels = IMAGES[:, :6, :6] / 255
    recalibrate_normalization(model, [pixels])
    x = keras.ops.convert_to_numpy(model.get_layer("conv")(pixels))
    assert_holds(model.get_layer("left"), *statistics(np.moveaxis(x, 1, -1)))
    assert_holds(inner.get_layer("within"), *statistics(np.maximum(x, 0)))
    both = [
        keras.ops.convert_to_numpy(part(x, training=False))
        for part in (model.get_layer("left"), inner)
    ]
    assert_holds(shared, *statistics(np.concatenate(both)))


def test_frozen_layers_stay_unless_asked_for():
    model = give_weights(build_six_block_cnn(3, 12, widths=(4, 5)))
    frozen = model.get_layer("module1_normalization")
    frozen.trainable = False
    before = [keras.ops.convert_to_numpy(one) for one in frozen.weights]
    assert len(find_normalizations(model)) == 2
    recalibrate_normalization(model, [IMAGES])
    for old, new in zip(before, frozen.weights, strict=True):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(new))
    read = model.get_layer("module1_conv")(model.get_layer("rescaling")(IMAGES))
    recalibrate_normalization(model, [IMAGES], frozen=True)
    assert_holds(frozen, *statistics(read))


def test_what_a_mask_leaves_out_does_not_count():
    inputs = keras.Input((5, 2))
    model = keras.Model(inputs, norm("norm")(layers.Masking()(inputs)))
    rows = np.random.default_rng(0).normal(2, 1, (6, 5, 2)).astype("float32")
    rows[2:, 3:] = 0
    recalibrate_normalization(model, np.split(rows, 2))
    kept = np.concatenate([rows[:2].reshape(-1, 2), rows[2:, :3].reshape(-1, 2)])
    assert_holds(model.get_layer("norm"), *statistics(kept))


def test_a_model_without_normalization_stays_as_it_is():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, layers.Dense(2)(inputs))
    assert find_normalizations(model) == []
    assert recalibrate_normalization(model, []) is model


def test_data_and_models_that_cannot_be_used_are_refused():
    model = build_six_block_cnn(3, 12, widths=(4,))
    with pytest.raises(ValueError, match="at least one row each time. Received: none"):
        recalibrate_normalization(model, [])
    sizes = iter([10, 3])
    with pytest.raises(ValueError, match="the same rows each time.* 10 rows, then 3"):
        recalibrate_normalization(model, lambda: [IMAGES[: next(sizes)]])
    with pytest.raises(ValueError, match="must be finite"):
        recalibrate_normalization(model, [IMAGES * np.nan])
    inputs = keras.Input((3,))
    loop = norm("loop")
    twice = keras.Model(inputs, loop(layers.ReLU()(loop(inputs))))
    with pytest.raises(PruningError, match="'loop' reads what itself has normalized"):
        recalibrate_normalization(twice, [np.ones((2, 3), "float32")])
    steps = keras.Input((4, 3))
    hidden = keras.Model(steps, layers.TimeDistributed(norm("hidden"))(steps))
    with pytest.raises(PruningError, match="Received: 'hidden' inside another layer"):
        recalibrate_normalization(hidden, [np.ones((2, 4, 3), "float32")])

"""Maps that are not only removed: merged into another one, or folded into a bias."""

import keras
import numpy as np
import pytest
from keras import layers

from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.plan import Constant, Merge
from affectkeras.pruning.proof import verify_pruned
from affectkeras.pruning.surgery import prune_model
from tests.pruning.small_models import assert_same, give_weights, plan_for, with_kernel

MERGES = (Merge(1, 2, 0.5), Merge(4, 2, -2.0))


def merge_rows(kernel):
    kernel[..., 2, :] += 0.5 * kernel[..., 1, :] - 2.0 * kernel[..., 4, :]
    kernel[..., [1, 4], :] = 0


def model_with(last, middle=lambda x: x):
    images = keras.Input((6, 6, 2))
    x = middle(layers.ReLU()(layers.Conv2D(6, 3, name="first")(images)))
    return give_weights(keras.Model(images, last(x)))


@pytest.mark.parametrize(
    ("last", "weight"),
    [
        (lambda: layers.Conv2D(4, 3, padding="same", name="last"), "kernel"),
        (lambda: layers.Dense(4, name="last"), "kernel"),
        (lambda: layers.SeparableConv2D(4, 3, name="last"), "pointwise_kernel"),
    ],
    ids=["convolution", "dense", "separable"],
)
def test_a_merge_adds_scaled_outgoing_weights_to_those_of_the_target(last, weight):
    model = model_with(last())
    pruned = prune_model(model, plan_for(model, "first", (1, 4), MERGES))
    assert_same(pruned, with_kernel(model, "last", merge_rows, weight=weight))


def test_a_merge_goes_past_a_depthwise_convolution_to_the_next_mixing_layer():
    model = model_with(layers.Conv2D(4, 1, name="last"), layers.DepthwiseConv2D(2))
    pruned = prune_model(model, plan_for(model, "first", (1, 4), MERGES))
    assert_same(pruned, with_kernel(model, "last", merge_rows))


def test_a_merge_pairs_the_positions_of_flattened_maps():
    model = model_with(layers.Dense(3, name="last"), layers.Flatten())

    def merge(kernel):
        maps = kernel.reshape(16, 6, 3)
        maps[:, 2] += 0.5 * maps[:, 1]
        maps[:, 1] = 0

    pruned = prune_model(model, plan_for(model, "first", (1,), MERGES[:1]))
    assert_same(pruned, with_kernel(model, "last", merge))


def test_a_merge_within_a_grouped_convolution_stays_within_each_group():
    model = model_with(layers.Conv2D(4, 3, groups=2, name="last"))

    def merge(kernel):
        kernel[..., 0, :] += 3.0 * kernel[..., 1, :]
        kernel[..., 1, :] = 0

    pruned = prune_model(model, plan_for(model, "first", (1,), (Merge(1, 0, 3.0),)))
    assert_same(pruned, with_kernel(model, "last", merge))


def test_merging_an_exact_copy_changes_nothing():
    model = model_with(layers.Conv2D(4, 3, padding="same", name="last"))
    kernel, bias = (np.array(one) for one in model.get_layer("first").get_weights())
    kernel[..., 5], bias[5] = 2.0 * kernel[..., 3], 2.0 * bias[3]  # ReLU keeps the factor
    model.get_layer("first").set_weights([kernel, bias])
    pruned = prune_model(model, plan_for(model, "first", (5,), (Merge(5, 3, 2.0),)))
    assert_same(pruned, model)


def constant_map(model, channel, value):
    """Make a map of `first` the same everywhere."""
    kernel, bias = (np.array(one) for one in model.get_layer("first").get_weights())
    kernel[..., channel], bias[channel] = 0, value
    model.get_layer("first").set_weights([kernel, bias])
    return model


@pytest.mark.parametrize(
    "last",
    [
        lambda: layers.Conv2D(4, 3, name="last"),
        lambda: layers.Conv2D(4, 1, padding="same", use_bias=False, name="last"),
        lambda: layers.Conv2D(4, 3, groups=2, name="last"),
        lambda: layers.Dense(4, use_bias=False, name="last"),
        lambda: layers.SeparableConv2D(4, 1, name="last"),
    ],
    ids=["unpadded", "1×1", "grouped", "dense", "separable 1×1"],
)
def test_folding_a_constant_map_into_the_bias_is_exact_without_padding(last):
    model = constant_map(model_with(last()), 4, 0.75)
    removed, constants = (4,), [Constant(4, 0.75)]
    if getattr(model.get_layer("last"), "groups", 1) == 2:
        # Map 1 is its partner in the other group.
        model, removed = constant_map(model, 1, 0.75), (1, 4)
    if isinstance(model.get_layer("last"), layers.SeparableConv2D):
        # What the pointwise half reads of it.
        factor = float(model.get_layer("last").depthwise_kernel[0, 0, 4, 0])
        constants = [Constant(4, 0.75 * factor)]
    pruned = prune_model(model, plan_for(model, "first", removed, (), constants))
    assert_same(pruned, model)
    assert pruned.get_layer("last").use_bias


@pytest.mark.parametrize("padding", ["same", "causal"])
def test_in_padding_a_constant_goes_on_where_the_original_has_zeros(padding):
    signal = keras.Input((9, 2))
    x = layers.Conv1D(6, 1, name="first")(signal)
    x = layers.Conv1D(4, 3, padding=padding, name="last")(x)
    model = constant_map(give_weights(keras.Model(signal, x)), 0, -1.5)
    plan = plan_for(model, "first", (0,), (), [Constant(0, -1.5)])
    pruned = prune_model(model, plan)  # the proof knows
    given = np.random.default_rng(0).normal(size=(1, 9, 2)).astype("float32")
    difference = np.abs(np.asarray(pruned(given)) - np.asarray(model(given))).max(axis=(0, 2))
    at_border = difference > 1e-4
    expected = [0, 8] if padding == "same" else [0, 1]
    assert np.flatnonzero(at_border).tolist() == expected


@pytest.mark.parametrize(("size", "stride", "dilation"), [(7, 2, 1), (8, 3, 1), (8, 1, 2)])
def test_the_proof_holds_for_constants_under_strided_and_dilated_padding(size, stride, dilation):
    images = keras.Input((size, size, 2))
    x = layers.Conv2D(5, 1, name="first")(images)
    last = layers.Conv2D(
        3, (3, 2), strides=stride, dilation_rate=dilation, padding="same", activation="tanh"
    )
    model = give_weights(keras.Model(images, last(x)))
    merges, constants = (Merge(1, 2, 0.3),), (Constant(0, 0.2),)
    plan = plan_for(model, "first", (0, 1, 3), merges, constants)
    assert verify_pruned(model, prune_model(model, plan), plan) < 1e-5


def test_a_merge_is_refused_where_the_target_is_not_read_beside_the_source():
    images = keras.Input((6, 6, 2))
    first = layers.Conv2D(4, 1, name="first")(images)
    second = layers.Conv2D(2, 1, name="second")(images)
    # Maps 0 and 1 of `first` are coupled to `second`'s, 2 and 3 are not.
    part = layers.Concatenate()([second, layers.Conv2D(2, 1)(images)])
    x = layers.Add()([first, part])
    model = keras.Model(images, [layers.Conv2D(2, 1)(x), layers.Conv2D(2, 1, name="other")(second)])
    plan = plan_for(model, "first", (0,), (Merge(0, 2, 1.0),))
    with pytest.raises(PruningError, match="Maps cannot be merged at 'other'"):
        prune_model(model, plan)

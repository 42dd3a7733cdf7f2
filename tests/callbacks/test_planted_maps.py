"""Planted copies and mirror images of trained networks go in place without a trace."""

import keras
import numpy as np
import pytest
from keras import layers

from affectkeras.callbacks.distinctiveness_pruning import DistinctivenessPruning
from tests.callbacks.pruned_training import (
    batches,
    compiled,
    edit,
    fit,
    found_in,
    give_same_rows,
    outputs_of,
    plant,
    prune_now,
    six_blocks,
)


def test_planted_copies_and_mirror_images_of_a_trained_network_go_without_a_trace():
    model = fit(six_blocks("sigmoid"))
    plant(model, "module3", 2, 5)
    plant(model, "module5", 4, 9)
    plant(model, "module5", 3, 7, mirror=True)  # their pooling is over one position
    give_same_rows(model.get_layer("module6_conv"), 3, 7)
    before = outputs_of(model)
    callback = DistinctivenessPruning(batches, {1: 0.02})
    prune_now(model, callback)
    assert found_in(callback.plan) == {"module3_conv": (5,), "module5_conv": (3, 7, 9)}
    after = outputs_of(model)
    assert np.abs(after - before).max() < 1e-4
    small = callback.pruned_model()
    assert np.abs(outputs_of(small) - before).max() < 1e-4
    assert small.get_layer("module5_conv").filters == 9
    kernel = keras.ops.convert_to_numpy(model.get_layer("module6_conv").kernel)
    assert not kernel[..., [3, 7, 9], :].any()
    fit(model, last=1)  # as it is, the model still trains


def network(reader):
    """Return images → `part_conv`, `part_normalization` of 8 maps → reader → logits, trained."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    x = layers.Conv2D(8, 5, strides=4, name="part_conv")(x)
    x = layers.BatchNormalization(name="part_normalization", momentum=0.5)(x)
    x = layers.Activation("sigmoid")(x)
    for layer in reader:
        x = layer(x)
    if len(x.shape) > 2:
        x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(5, activation="tanh", name="hidden")(x)
    return fit(compiled(keras.Model(inputs, layers.Dense(3)(x))))


READERS = {
    "convolution": lambda: [layers.Conv2D(4, 2, name="reader")],
    "no bias": lambda: [
        layers.Conv2D(4, 2, use_bias=False, name="reader"),
        layers.BatchNormalization(),
    ],
    "grouped": lambda: [layers.Conv2D(4, 2, groups=2, name="reader")],
    "separable": lambda: [layers.SeparableConv2D(4, 2, name="reader")],
    "depthwise between": lambda: [layers.DepthwiseConv2D(2, name="depthwise"), layers.Conv2D(4, 1)],
    "dense after flatten": lambda: [layers.Flatten(), layers.Dense(4, name="reader")],
    "dense": lambda: [layers.GlobalAveragePooling2D(), layers.Dense(4, name="reader")],
    "dense per position": lambda: [layers.Dense(4, name="reader", use_bias=True)],
}


def make_alike(model, source, target, *, mirror):
    """Give two maps the same depthwise and, as mirror images need it, other outgoing weights."""
    for layer in model.layers:
        if layer.name == "depthwise":
            give_same_rows(layer, source, target)
            edit(layer, bias=lambda array: np.put(array, target, array[source]))
        if isinstance(layer, layers.SeparableConv2D):
            give_same_rows(layer, source, target, "depthwise_kernel")
    for layer in model.layers if mirror else ():
        if isinstance(layer, layers.SeparableConv2D):
            give_same_rows(layer, source, target, "pointwise_kernel")
        elif isinstance(layer, layers.Conv2D) and layer.kernel.shape[-2] in (4, 8):
            give_same_rows(layer, source % layer.kernel.shape[-2], target % layer.kernel.shape[-2])
        elif isinstance(layer, layers.Dense) and layer.name == "reader":

            def change(array):
                rows = array.reshape(-1, 8, array.shape[-1])
                rows[:, target] = rows[:, source]

            edit(layer, kernel=change)


@pytest.mark.parametrize("kind", READERS)
def test_every_kind_of_reader_loses_planted_maps_without_a_trace(kind):
    model = network(READERS[kind]())
    # In a grouped convolution the maps go in pairs, one of each group.
    for shift in (0, 4):
        plant(model, "part", shift, 1 + shift)
        plant(model, "part", 2 + shift, 3 + shift, mirror=True)
        make_alike(model, shift, 1 + shift, mirror=False)
        make_alike(model, 2 + shift, 3 + shift, mirror=True)
    before = outputs_of(model)
    callback = DistinctivenessPruning(batches, {1: 0.02}, layers=["part_conv"])
    prune_now(model, callback)
    # Map 5 of a grouped convolution goes with map 1.
    expected = (1, 2, 3) if kind == "grouped" else (1, 2, 3, 5, 6, 7)
    assert found_in(callback.plan) == {"part_conv": expected}
    assert np.abs(outputs_of(model) - before).max() < 1e-4
    small = callback.pruned_model()
    assert small.get_layer("part_conv").filters == 2
    assert np.abs(outputs_of(small) - before).max() < 1e-4


def test_copies_among_dense_units_go_without_a_trace():
    model = network(READERS["dense"]())

    def copy(array):
        array[..., 4] = array[..., 1]

    edit(model.get_layer("hidden"), kernel=copy, bias=copy)
    before = outputs_of(model)
    callback = DistinctivenessPruning(batches, {1: 0.02}, layers=["hidden"])
    prune_now(model, callback)
    assert found_in(callback.plan) == {"hidden": (4,)}
    assert np.abs(outputs_of(model) - before).max() < 1e-4


def test_where_no_bias_can_take_a_constant_only_merges_and_dead_maps_go():
    reader = [layers.Conv2D(4, 2, use_bias=False, activation="relu"), layers.BatchNormalization()]
    model = network(reader)
    plant(model, "part", 0, 1)
    plant(model, "part", 2, 3, mirror=True)
    edit(model.get_layer("part_normalization"), gamma=lambda array: np.put(array, 6, 0.0))
    before = outputs_of(model)
    callback = DistinctivenessPruning(batches, {1: 0.02}, layers=["part_conv"])
    prune_now(model, callback)
    assert found_in(callback.plan) == {"part_conv": (1,)}
    assert np.abs(outputs_of(model) - before).max() < 1e-4

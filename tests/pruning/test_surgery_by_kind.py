"""Every kind of operation between the layer that loses maps and the one that reads them."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from affectkeras.pruning.surgery import prune_model
from tests.pruning.small_models import assert_same, give_weights, plan_for, without_rows


def gate(x):
    squeezed = layers.GlobalAveragePooling2D()(x)
    squeezed = layers.Reshape((1, 1, x.shape[-1]))(squeezed)
    squeezed = layers.Conv2D(2, 1, activation="relu")(squeezed)
    excited = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name="excite")(squeezed)
    return layers.Multiply()([x, excited])


def raw_gate(x):
    squeezed = ops.mean(x, axis=(1, 2), keepdims=True)
    excited = layers.Conv2D(x.shape[-1], 1)(squeezed)
    return x * (ops.relu6(excited + 3.0) * (1 / 6))


def residual(x):
    return layers.Add()([x, layers.Conv2D(x.shape[-1], 3, padding="same", name="branch")(x)])


def nested(x):
    inside = keras.Input(x.shape[1:])
    y = layers.BatchNormalization()(layers.DepthwiseConv2D(3)(inside))
    return keras.Model(inside, y, name="inside")(x)


def nested_sequential(x):
    inside = [layers.BatchNormalization(), layers.ReLU(), layers.AveragePooling2D(2)]
    return keras.Sequential(inside, name="inside")(x)


# None of them moves channel c to another place.
MIDDLES = {
    "nothing": lambda x: x,
    "batch normalization": lambda x: layers.BatchNormalization()(x),
    "batch normalization without scale": lambda x: layers.BatchNormalization(scale=False)(x),
    "batch normalization without center": lambda x: layers.BatchNormalization(center=False)(x),
    "ReLU": lambda x: layers.ReLU(6.0)(x),
    "activation that is not zero at zero": lambda x: layers.Activation("sigmoid")(x),
    "LeakyReLU": lambda x: layers.LeakyReLU()(x),
    "PReLU": lambda x: layers.PReLU()(x),
    "PReLU shared over positions": lambda x: layers.PReLU(shared_axes=[1, 2])(x),
    "PReLU shared over everything": lambda x: layers.PReLU(shared_axes=[1, 2, 3])(x),
    "dropout": lambda x: layers.SpatialDropout2D(0.5)(layers.Dropout(0.5)(x)),
    "max pooling": lambda x: layers.MaxPooling2D()(x),
    "average pooling": lambda x: layers.AveragePooling2D(3, 1, "same")(x),
    "adaptive pooling": lambda x: layers.AdaptiveAveragePooling2D(4)(x),
    "global pooling": lambda x: layers.GlobalMaxPooling2D(keepdims=True)(x),
    "padding and cropping": lambda x: layers.Cropping2D(1)(layers.ZeroPadding2D(2)(x)),
    "up-sampling": lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x),
    "rescaling": lambda x: layers.Rescaling(0.5, 1.0)(x),
    "depthwise convolution": lambda x: layers.DepthwiseConv2D(3, padding="same")(x),
    "dilated depthwise convolution": lambda x: layers.DepthwiseConv2D(2, dilation_rate=2)(x),
    "convolution of one map per group": lambda x: layers.Conv2D(6, 3, groups=6)(x),
    "layer scale": lambda x: StochasticDepth(0.1)(LayerScale(0.5, 6)(x)),
    "squeeze and excite": gate,
    "squeeze and excite of raw operations": raw_gate,
    "residual sum": residual,
    "scaled residual sum": lambda x: CustomScaleLayer(0.3)([x, layers.Conv2D(6, 1)(x)]),
    "difference": lambda x: layers.Subtract()([x, layers.Conv2D(6, 1)(x)]),
    "maximum": lambda x: layers.Maximum()([x, layers.Conv2D(6, 1)(x)]),
    "raw operations": lambda x: ops.maximum(ops.tanh(x) * 2.0 - 1.0, x / 3.0) ** 2,
    "raw reshape": lambda x: ops.reshape(x, (-1, 3, 12, 6)),
    "reshape": lambda x: layers.Reshape((3, 12, 6))(x),
    "reshape with an open size": lambda x: layers.Reshape((-1, 4, 6))(x),
    "a functional model inside": nested,
    "a Sequential model inside": nested_sequential,
}


def model_around(middle, last) -> keras.Model:
    images = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, name="first")(images)
    return give_weights(keras.Model(images, last(middle(x)), name="small"))


@pytest.mark.parametrize("kind", MIDDLES)
def test_a_pruned_model_gives_what_the_original_gives_without_the_weights_that_read_the_maps(kind):
    model = model_around(MIDDLES[kind], layers.Conv2D(4, 2, padding="same", name="last"))
    if "residual" in kind or kind in ("difference", "maximum"):
        # The branch reads them too.
        branch = next(one.name for one in model.layers[2:] if isinstance(one, layers.Conv2D))
        expected = without_rows(model, branch, (1, 4))
        expected = without_rows(expected, "last", (1, 4))
    elif "squeeze" in kind:
        reader = [one.name for one in model.layers if isinstance(one, layers.Conv2D)][1]
        expected = without_rows(without_rows(model, reader, (1, 4)), "last", (1, 4))
    else:
        expected = without_rows(model, "last", (1, 4))
    pruned = prune_model(model, plan_for(model, "first", (1, 4)))
    assert pruned.get_layer("first").filters == 4
    assert pruned.get_layer("last").kernel.shape[-2] == 4
    assert_same(pruned, expected)


@pytest.mark.parametrize(
    "last",
    [
        layers.Conv2D(4, 3, dilation_rate=2, name="last"),
        layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="last"),
        layers.Dense(4, name="last"),
    ],
    ids=["dilated", "strided", "dense on maps"],
)
def test_every_kind_of_consumer_loses_its_rows(last):
    model = model_around(layers.ReLU(), last)
    pruned = prune_model(model, plan_for(model, "first", (0, 5)))
    assert_same(pruned, without_rows(model, "last", (0, 5)))


def test_a_separable_convolution_loses_maps_on_both_sides():
    last = layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, name="last")
    images = keras.Input((8, 8, 3))
    x = layers.ReLU()(last(layers.Conv2D(6, 3, name="first")(images)))
    model = give_weights(keras.Model(images, layers.Conv2D(2, 1, name="after")(x)))
    pruned = prune_model(model, plan_for(model, "first", (1, 4)))
    # Map 1 became the pointwise rows 2 and 3, map 4 the rows 8 and 9.
    assert_same(pruned, without_rows(model, "last", (2, 3, 8, 9), weight="pointwise_kernel"))
    assert pruned.get_layer("last").depthwise_kernel.shape == (3, 3, 4, 2)
    pruned = prune_model(model, plan_for(model, "last", (3,)))
    assert_same(pruned, without_rows(model, "after", (3,)))


def test_a_depth_multiplier_removes_all_maps_made_of_a_removed_one():
    model = model_around(
        lambda x: layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x),
        layers.Conv2D(4, 1, name="last"),
    )
    expected = without_rows(model, "last", (2, 3))
    assert_same(prune_model(model, plan_for(model, "first", (1,))), expected)
    assert_same(prune_model(model, plan_for(model, "depthwise", (3,))), expected)


def test_flatten_puts_channel_c_of_position_s_at_s_times_channels_plus_c():
    model = model_around(
        lambda x: layers.Flatten()(layers.MaxPooling2D(3)(x)), layers.Dense(4, name="last")
    )
    pruned = prune_model(model, plan_for(model, "first", (1, 4)))
    rows = [6 * position + channel for position in range(4) for channel in (1, 4)]
    assert_same(pruned, without_rows(model, "last", rows))
    assert pruned.get_layer("last").kernel.shape == (16, 4)


def test_a_dense_layer_that_is_reshaped_into_maps_loses_every_position_of_a_map():
    vector = keras.Input((5,))
    x = layers.Dense(4 * 6, name="first")(vector)
    x = layers.Conv2D(3, 2, name="last")(layers.Reshape((2, 2, 6))(x))
    model = give_weights(keras.Model(vector, x))
    pruned = prune_model(model, plan_for(model, "first", (1,)))
    assert pruned.get_layer("first").units == 20
    assert_same(pruned, without_rows(model, "last", (1,)))


def test_concatenation_moves_the_maps_of_its_second_part():
    images = keras.Input((8, 8, 3))
    first = layers.Conv2D(4, 3, name="first")(images)
    second = layers.Conv2D(5, 3, name="second")(images)
    x = layers.BatchNormalization()(layers.Concatenate()([first, second, first]))
    model = give_weights(keras.Model(images, layers.Conv2D(3, 1, name="last")(x)))
    pruned = prune_model(model, plan_for(model, "second", (0, 2)))
    assert_same(pruned, without_rows(model, "last", (4, 6)))
    pruned = prune_model(model, plan_for(model, "first", (3,)))
    assert_same(pruned, without_rows(model, "last", (3, 12)))


def test_a_grouped_convolution_loses_the_same_maps_of_every_group():
    images = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 1, name="first")(images)
    x = layers.ReLU()(layers.Conv2D(8, 3, groups=2, name="grouped")(x))
    model = give_weights(keras.Model(images, layers.Conv2D(3, 1, name="last")(x)))
    pruned = prune_model(model, plan_for(model, "first", (1,)))
    assert pruned.get_layer("first").filters == 4
    # A row of the grouped kernel serves the same map of both groups.
    assert_same(pruned, without_rows(model, "grouped", (1,)))
    pruned = prune_model(model, plan_for(model, "grouped", (2,)))
    assert_same(pruned, without_rows(model, "last", (2, 6)))


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_a_convolution_over_time_loses_maps(padding):
    signal = keras.Input((20, 2))
    x = layers.BatchNormalization()(layers.Conv1D(6, 3, padding=padding, name="first")(signal))
    x = layers.Conv1D(4, 3, padding=padding, dilation_rate=2, name="last")(layers.ReLU()(x))
    model = give_weights(keras.Model(signal, layers.GlobalAveragePooling1D()(x)))
    pruned = prune_model(model, plan_for(model, "first", (1, 4)))
    assert_same(pruned, without_rows(model, "last", (1, 4)))


def test_a_layer_called_twice_loses_its_maps_in_both_places():
    images = keras.Input((8, 8, 3))
    stem = layers.Conv2D(5, 3, name="stem")(images)
    shared = layers.Conv2D(5, 3, padding="same", name="shared")
    x = layers.Conv2D(2, 1, name="last")(shared(layers.ReLU()(shared(stem))))
    model = give_weights(keras.Model(images, x))
    pruned = prune_model(model, plan_for(model, "stem", (1,)))
    expected = without_rows(without_rows(model, "shared", (1,)), "last", (1,))
    assert_same(pruned, expected)
    assert len(pruned.get_layer("shared")._inbound_nodes) == 2


def test_several_inputs_and_outputs_keep_their_structure():
    left, right = keras.Input((4,), name="left"), keras.Input((6,), name="right")
    x = layers.Concatenate()([layers.Dense(5, name="one")(left), layers.Dense(5)(right)])
    outputs = {"a": layers.Dense(2, name="a")(x), "b": layers.Dense(3, name="b")(x)}
    model = give_weights(keras.Model({"left": left, "right": right}, outputs))
    pruned = prune_model(model, plan_for(model, "one", (0,)))
    given = {"left": np.ones((1, 4), "float32"), "right": np.ones((1, 6), "float32")}
    found = pruned(given)
    expected = without_rows(without_rows(model, "a", (0,)), "b", (0,))(given)
    for name in ("a", "b"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


def test_a_sequential_model_stays_sequential():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(6, 3, name="first"),
            layers.Flatten(),
            layers.Dense(2, name="last"),
        ]
    )
    give_weights(model)
    pruned = prune_model(model, plan_for(model, "first", (0,)))
    assert isinstance(pruned, keras.Sequential)
    assert_same(pruned, without_rows(model, "last", range(0, 216, 6)))


def test_the_width_between_two_models_inside_changes_both():
    images, features = keras.Input((8, 8, 1)), keras.Input((6,))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, name="conv")(images))
    backbone = keras.Model(images, pooled, name="backbone")
    head = keras.Model(features, layers.Dense(2, name="logits")(features), name="head")
    model = give_weights(keras.Model(backbone.inputs, head(backbone.outputs[0])))
    whole = keras.Input((8, 8, 1))
    model = keras.Model(whole, head(backbone(whole)))
    before = outputs_of_without(model, (2,))
    plan = plan_for(backbone, "conv", (2,))
    plan = type(plan)(model.name, (type(plan.layers[0])("backbone/conv", 6, (2,)),))
    pruned = prune_model(model, plan)
    assert pruned.get_layer("head").input_shape == (None, 5)
    given = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(pruned(given), before(given), rtol=1e-4, atol=1e-5)


def outputs_of_without(model, rows):
    """Return a function that runs backbone and head with rows of the last kernel zeroed."""
    logits = model.get_layer("head").get_layer("logits")
    kernel = np.array(keras.ops.convert_to_numpy(logits.kernel))
    kernel[list(rows)] = 0
    bias = keras.ops.convert_to_numpy(logits.bias)
    return lambda given: np.asarray(model.get_layer("backbone")(given)) @ kernel + bias

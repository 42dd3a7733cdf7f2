"""Which channels belong together, and which may not go."""

import keras
import pytest
from keras import layers, ops

from affectkeras.models.backbone_classifier import build_backbone_classifier
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.graph import find_groups
from affectkeras.pruning.surgery import prune_model
from tests.pruning.small_models import plan_for


class Unknown(keras.layers.Layer):
    def call(self, inputs):
        return keras.ops.flip(inputs, axis=-1)


def group_of(model, layer):
    [group] = [one for one in find_groups(model) if layer in [path for path, _ in one.members]]
    return group


def test_a_chain_has_a_group_per_layer_and_keeps_its_output():
    images = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, name="first")(images)
    x = layers.Conv2D(5, 1, name="second")(layers.ReLU()(layers.BatchNormalization()(x)))
    first, second = find_groups(keras.Model(images, x))
    assert first.members == (("first", (0, 1, 2, 3)),)
    assert (first.consumers, first.channels, first.prunable) == (("second",), 4, True)
    assert (second.prunable, second.reason) == (False, "is an output of the model")


def test_residual_sums_couple_all_their_terms_map_by_map():
    images = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(images)
    for index in range(2):
        inner = layers.Conv2D(7, 1, name=f"inner{index}")(x)
        x = layers.Add()([x, layers.Conv2D(4, 1, name=f"outer{index}")(inner)])
    model = keras.Model(images, layers.Dense(2, name="top")(x))
    group = group_of(model, "stem")
    assert group.members == tuple((name, (0, 1, 2, 3)) for name in ("stem", "outer0", "outer1"))
    assert group.consumers == ("inner0", "inner1", "top")


def test_a_sum_with_a_concatenation_couples_its_parts_apart():
    images = keras.Input((6, 6, 3))
    one, two = (layers.Conv2D(n, 1, name=f"part{n}")(images) for n in (2, 3))
    whole = layers.Conv2D(5, 1, name="whole")(images)
    x = layers.Add()([layers.Concatenate()([one, two]), whole])
    groups = find_groups(keras.Model(images, layers.Conv2D(2, 1)(x)))
    assert groups[0].members == (("part2", (0, 1)), ("whole", (0, 1)))
    assert groups[1].members == (("part3", (0, 1, 2)), ("whole", (2, 3, 4)))


def test_a_gate_and_a_depthwise_convolution_go_with_what_they_act_on():
    images = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 1, name="expand")(images)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    gate = layers.Dense(4, "sigmoid", name="gate")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 4))(gate)])
    model = keras.Model(images, layers.Conv2D(2, 1, name="project")(x))
    group = group_of(model, "expand")
    assert [path for path, _ in group.members] == ["expand", "depthwise", "gate"]
    assert group.consumers == ("gate", "project")


def test_a_grouped_convolution_names_the_maps_that_go_together():
    images = keras.Input((6, 6, 6))
    x = layers.Conv2D(6, 1, groups=3, name="grouped")(images)
    group = group_of(keras.Model(images, layers.Conv2D(2, 1)(x)), "grouped")
    assert group.members == (("grouped", (0, 1)), ("grouped", (2, 3)), ("grouped", (4, 5)))
    assert group.channels == 2


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (lambda: Unknown(name="odd"), "feeds 'odd' (Unknown), which pruning does not know"),
        (lambda: layers.Permute((3, 1, 2), name="odd"), "feeds 'odd' (Permute), which pruning"),
        (lambda: layers.LayerNormalization(name="odd"), "normalizes over the channels"),
        (lambda: layers.GroupNormalization(2, name="odd"), "normalizes over the channels"),
        (lambda: layers.UnitNormalization(name="odd"), "normalizes over the channels"),
        (lambda: layers.Softmax(name="odd"), "divides by a sum over the channels"),
        (lambda: layers.Activation("softmax", name="odd"), "the activation softmax of 'odd'"),
        (lambda: layers.BatchNormalization(axis=1, name="odd"), "which works on axis 1"),
        (lambda: layers.Rescaling([1.0, 2, 3, 4], name="odd"), "fixed numbers per channel"),
        (lambda: layers.Reshape((12, 12), name="odd"), None),
        (lambda: layers.Reshape((144, 1), name="odd"), "leaves no axis of channels"),
        (lambda: layers.Reshape((16, 9), name="odd"), "mixes channels and positions"),
        (lambda: lambda x: ops.mean(x, axis=-1, keepdims=True), "reduces over the channels"),
        (lambda: lambda x: x * ops.ones((4,)), "fixed numbers per channel"),
        (lambda: lambda x: ops.transpose(x, (0, 3, 1, 2)), "which pruning does not know"),
    ],
)
def test_what_works_across_channels_or_is_not_known_keeps_its_channels(operation, reason):
    images = keras.Input((6, 6, 3))
    x = operation()(layers.Conv2D(4, 1, name="first")(images))
    x = layers.Dense(3, name="second")(x)
    model = keras.Model(images, layers.Dense(2)(x))
    group = group_of(model, "first")
    if reason is None:  # three channels of one position stand in a row, over and over
        assert group.prunable
        return
    assert not group.prunable
    assert reason in group.reason
    assert group_of(model, "second").prunable
    with pytest.raises(PruningError, match="Map 1 of 'first' cannot be removed: it "):
        prune_model(model, plan_for(model, "first", (1,)))
    pruned = prune_model(model, plan_for(model, "second", (1,)))
    assert pruned.count_params() < model.count_params()


def test_an_own_activation_function_keeps_its_channels():
    images = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 1, activation=lambda x: x[..., ::-1], name="first")(images)
    group = group_of(keras.Model(images, layers.Dense(2)(x)), "first")
    assert "the activation <lambda> of 'first' (Conv2D)" in group.reason


def test_a_channel_spread_over_the_others_stays():
    images = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 1, name="first")(images)
    attention = layers.Conv2D(1, 1, activation="sigmoid", name="attention")(x)
    model = keras.Model(images, layers.Conv2D(2, 1)(x * attention))
    assert "is spread over all channels" in group_of(model, "attention").reason
    assert group_of(model, "first").prunable


def test_what_is_added_to_the_input_stays():
    images = keras.Input((6, 6, 3))
    x = layers.Add()([images, layers.Conv2D(3, 1, name="first")(images)])
    group = group_of(keras.Model(images, layers.Dense(2)(x)), "first")
    assert group.reason == "is an input of the model"


def test_channels_first_is_refused_by_name():
    images = keras.Input((3, 6, 6))
    x = layers.Conv2D(4, 1, data_format="channels_first", name="first")(images)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    group = group_of(keras.Model(images, layers.Dense(2)(x)), "first")
    assert "'first' (Conv2D), which has its channels first" in group.reason


def test_a_subclassed_model_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(PruningError, match="must be a functional or a built Sequential model"):
        find_groups(Own())


def test_a_subclassed_model_inside_is_not_known():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    images = keras.Input((6, 6, 3))
    x = Own(name="own")(layers.Conv2D(4, 1, name="first")(images))
    group = group_of(keras.Model(images, layers.Dense(2)(x)), "first")
    assert "feeds 'own' (Own), which pruning does not know" in group.reason


def test_a_layer_in_two_models_inside_is_refused():
    shared = layers.Conv2D(3, 1, name="shared")
    inside = [keras.Sequential([keras.Input((6, 6, 3)), shared], name=name) for name in "ab"]
    images = keras.Input((6, 6, 3))
    model = keras.Model(images, inside[1](inside[0](images)))
    with pytest.raises(PruningError, match="'a/shared' is used a second time as 'b/shared'"):
        find_groups(model)


def test_a_backbone_classifier_is_opened():
    model = build_backbone_classifier("mobilenet_0.25", 7, 32, "none")
    groups = find_groups(model)
    assert [group.reason for group in groups if not group.prunable] == ["is an output of the model"]
    last = next(group for group in groups if "head/head_hidden" in group.consumers)
    assert last.members[0][0] == "backbone/conv_pw_13"

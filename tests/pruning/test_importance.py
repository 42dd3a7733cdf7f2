"""Plans by importance, and the counts of what is left."""

import keras
import numpy as np
import pytest
from keras import layers

from affectkeras.pruning.counting import count_macs, count_parameters
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.graph import ChannelGraph
from affectkeras.pruning.importance import (
    kept_channels,
    l1_importance,
    plan_by_importance,
    random_importance,
)
from affectkeras.pruning.surgery import prune_model


def two_terms(filters=10):
    images = keras.Input((6, 6, 3))
    x = layers.Conv2D(filters, 3, use_bias=False, name="one")(images)
    other = layers.SeparableConv2D(filters, 3, use_bias=False, name="two")(images)
    x = layers.Add()([x, other])
    return keras.Model(images, layers.Dense(2, name="top")(x), name="terms")


def test_the_maps_with_the_smallest_filters_go_coupled_layers_averaged():
    model = two_terms(4)
    model.get_layer("one").kernel.assign(np.full((3, 3, 3, 4), [1.0, -2.0, 3.0, 4.0]))
    model.get_layer("two").pointwise_kernel.assign(np.full((1, 1, 3, 4), [3.0, 1.0, -3.0, 0.0]))
    graph = ChannelGraph(model)
    np.testing.assert_allclose(l1_importance(graph, graph.groups()[0]), [2.0, 1.5, 3.0, 2.0])
    plan = plan_by_importance(model, 0.5)
    assert [(one.layer, one.removed) for one in plan.layers] == [("one", (0, 1))]
    assert plan.model_name == "terms"


def test_random_importance_follows_its_seed():
    model = two_terms(32)
    plans = [plan_by_importance(model, 0.5, random_importance(seed)) for seed in (0, 0, 1)]
    assert plans[0] == plans[1] != plans[2]


@pytest.mark.parametrize(
    ("channels", "fraction", "multiple_of", "kept"),
    [
        (10, 0.3, None, 7),
        (64, 0.3, 8, 48),
        (64, 0.0, 8, 64),
        (3, 0.9, None, 1),
        (4, 0.3, 8, 4),
        (60, 0.01, 8, 56),
        (62, 0.01, 8, 62),
    ],
)
def test_how_many_channels_stay(channels, fraction, multiple_of, kept):
    assert kept_channels(channels, fraction, multiple_of) == kept


@pytest.mark.parametrize(("fraction", "multiple"), [(1.0, None), (-0.1, None), (0.5, 0)])
def test_impossible_settings_are_refused(fraction, multiple):
    with pytest.raises(ValueError, match="must be"):
        plan_by_importance(two_terms(), fraction, multiple_of=multiple)


def test_multiplications_are_counted_by_hand():
    images = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(images)  # 36 · 27 · 4
    x = layers.Conv2D(6, 3, strides=2, padding="same", groups=2)(x)  # 9 · 18 · 6
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)  # 9 · 9 · 12
    x = layers.SeparableConv2D(5, 2)(x)  # 4 · (4 · 12 + 12 · 5)
    x = layers.Dense(3)(layers.Dense(7)(x)[:, 0, 0])  # 4 · 35 + 21
    model = keras.Model(images, x)
    assert count_macs(model) == 36 * 108 + 9 * 108 + 9 * 108 + 4 * 108 + 4 * 35 + 21
    assert count_parameters(model) == model.count_params()


def test_multiplications_of_models_inside_are_counted():
    inside = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)])
    images = keras.Input((8, 8, 3))
    assert count_macs(keras.Model(images, layers.Dense(2)(inside(images)))) == 36 * (108 + 8)


def test_an_open_size_cannot_be_counted():
    images = keras.Input((None, None, 3))
    with pytest.raises(PruningError, match="must have a fixed size. Received: 'conv'"):
        count_macs(keras.Model(images, layers.Conv2D(4, 3, name="conv")(images)))


def test_half_the_width_leaves_about_a_quarter_of_the_multiplications():
    images = keras.Input((8, 8, 64))
    x = images
    for _ in range(4):
        x = layers.Conv2D(64, 3, padding="same")(x)
    model = keras.Model(images, x)
    pruned = prune_model(model, plan_by_importance(model, 0.5, multiple_of=8), verify=False)
    assert [one.filters for one in pruned.layers[1:]] == [32, 32, 32, 64]
    assert count_macs(pruned) / count_macs(model) == pytest.approx((2 + 1 + 1 + 2) / 16)

"""Where constants go when maps are taken out of a model in place."""

import keras
import numpy as np
import pytest
from keras import layers

from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.in_place import OutgoingWeights, normalizations_after
from affectkeras.pruning.plan import Constant, Merge
from affectkeras.pruning.surgery import prune_model
from tests.pruning.small_models import assert_same, give_weights, plan_for


def model_with(*after, first=lambda: layers.Conv2D(4, 1, name="first")):
    inputs = x = keras.Input((5, 5, 2))
    for layer in (first(), *after):
        x = layer(x)
    return give_weights(keras.Model(inputs, x))


def reader(**options):
    return layers.Conv2D(3, 2, use_bias=False, name="reader", **options)


def test_the_model_in_place_and_the_smaller_one_of_the_same_plan_are_equal():
    model = model_with(reader(), layers.BatchNormalization(name="norm"))
    plan = plan_for(model, "first", (0, 3), [Merge(0, 2, 0.5)], [Constant(3, 1.5)])
    small = prune_model(model, plan)
    outgoing = OutgoingWeights(model)
    outgoing.fold(plan)
    assert_same(model, small)
    (held,) = outgoing.held(plan)
    assert held.keep.tolist() == [False, True, True, False]
    assert held.are_zero()
    held.weights.assign(held.weights + 1.0)
    assert not held.are_zero()
    held.zero()
    kernel = keras.ops.convert_to_numpy(held.weights)
    assert not kernel[..., [0, 3], :].any()
    assert kernel[..., [1, 2], :].all()


@pytest.mark.parametrize(
    "after",
    [
        [reader(), layers.ReLU(), layers.BatchNormalization()],
        [reader(activation="relu"), layers.BatchNormalization()],
        [reader(), layers.BatchNormalization(axis=1)],
        [reader()],
    ],
    ids=["activation between", "activation within", "another axis", "none"],
)
def test_a_constant_that_no_bias_and_no_mean_can_take_is_refused_and_nothing_changes(after):
    model = model_with(*after)
    outgoing = OutgoingWeights(model)
    assert outgoing.without_bias == {"reader"}
    before = model.get_weights()
    plan = plan_for(model, "first", (0,), (), [Constant(0, 1.5)])
    with pytest.raises(PruningError, match="'reader' has no bias, and no BatchNormalization"):
        outgoing.fold(plan)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    outgoing.fold(plan_for(model, "first", (0,), (), [Constant(0, 0.0)]))


def test_a_normalization_that_is_not_alone_or_is_shared_takes_nothing():
    inputs = keras.Input((5, 5, 2))
    x = reader()(inputs)
    y = layers.BatchNormalization()(x)
    assert normalizations_after(keras.Model(inputs, [layers.ReLU()(x), y])) == {}
    assert normalizations_after(keras.Model(inputs, [x, y])) == {}
    assert list(normalizations_after(keras.Model(inputs, y))) == ["reader"]
    shared = layers.BatchNormalization()
    twice = [shared(layers.Conv2D(3, 1)(inputs)), shared(layers.Conv2D(3, 1)(inputs))]
    assert normalizations_after(keras.Model(inputs, twice)) == {}


def test_a_normalization_behind_a_model_inside_is_found():
    inside = keras.Input((5, 5, 2))
    inner = keras.Model(inside, reader()(inside), name="inner")
    inputs = keras.Input((5, 5, 2))
    norm = layers.BatchNormalization()
    assert normalizations_after(keras.Model(inputs, norm(inner(inputs)))) == {"inner/reader": norm}

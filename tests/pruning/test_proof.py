"""The proof finds models that are not what the plan says."""

import keras
import numpy as np
import pytest
from keras import layers

from affectkeras.pruning import surgery
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.narrowing import Narrowed
from affectkeras.pruning.plan import Constant, Merge
from affectkeras.pruning.proof import mask_model, random_inputs, relative_error, verify_pruned
from affectkeras.pruning.surgery import prune_model
from tests.pruning.small_models import assert_same, give_weights, plan_for


def small_model():
    images = keras.Input((6, 6, 3))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(5, 3, name="first")(images))
    x = layers.Flatten()(layers.Activation("sigmoid")(x))
    return give_weights(keras.Model(images, layers.Dense(3, name="last")(x)))


@pytest.mark.parametrize("layer", ["first", "norm", "last"])
def test_a_weight_that_went_wrong_is_found(layer):
    model = small_model()
    plan = plan_for(model, "first", (1,))
    pruned = prune_model(model, plan)
    assert verify_pruned(model, pruned, plan) < 1e-6
    weight = pruned.get_layer(layer).weights[0]
    array = np.array(keras.ops.convert_to_numpy(weight))
    weight.assign(np.roll(array, 1, axis=-2 if array.ndim > 1 else 0))
    with pytest.raises(PruningError, match="differs from the masked original by"):
        verify_pruned(model, pruned, plan)


def test_surgery_on_wrong_indices_raises(monkeypatch):
    def backwards(operation, reading, keep):
        found = narrow(operation, reading, keep)
        weights = found.weights
        if "gamma" in weights:
            weights = {**weights, "gamma": weights["gamma"][::-1]}
        return Narrowed(found.config, weights)

    narrow = surgery.narrow
    monkeypatch.setattr(surgery, "narrow", backwards)
    model = small_model()
    with pytest.raises(PruningError, match="differs from the masked original"):
        prune_model(model, plan_for(model, "first", (1,)))
    prune_model(model, plan_for(model, "first", (1,)), verify=False)


def test_nan_is_no_proof():
    model = small_model()
    plan = plan_for(model, "first", (1,))
    pruned = prune_model(model, plan)
    pruned.get_layer("last").bias.assign([np.nan] * 3)
    with pytest.raises(PruningError, match="nan"):
        verify_pruned(model, pruned, plan)


def test_the_masked_model_equals_the_pruned_one_and_shares_the_weights():
    model = small_model()
    merges, constants = (Merge(1, 0, 0.5),), (Constant(3, 0.25),)
    plan = plan_for(model, "first", (1, 2, 3), merges, constants)
    masked = mask_model(model, plan)
    assert_same(masked, prune_model(model, plan))
    assert masked.count_params() == model.count_params()
    assert masked.get_layer("last") is model.get_layer("last")


def test_random_inputs_have_the_shapes_and_types_of_the_model():
    inputs = [keras.Input((None, None, 3)), keras.Input((4,), dtype="int32")]
    x = layers.GlobalAveragePooling2D()(inputs[0])
    model = keras.Model(inputs, [x, layers.Embedding(2, 3)(inputs[1])])
    images, numbers = random_inputs(model)
    assert images.shape == (2, 96, 96, 3)
    assert numbers.dtype == np.int32
    assert images[0].max() <= 1 < images[1].max() <= 255


def test_the_relative_error_is_that_of_the_worst_example():
    expected = np.array([[1.0, -10.0], [0.1, 0.0]])
    found = np.array([[1.5, -10.0], [0.1, 0.02]])
    assert relative_error(expected, found) == pytest.approx(0.2)
    assert relative_error(np.zeros((1, 2)), np.zeros((1, 2))) == 0

"""What surgery keeps, refuses and saves."""

import keras
import numpy as np
import pytest
from keras import layers

from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.plan import Constant, LayerPlan, Merge, PrunePlan
from affectkeras.pruning.surgery import prune_model
from tests.pruning.small_models import assert_same, give_weights, outputs_of, plan_for


def residual_model():
    images = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(images)
    x = layers.Add()([x, layers.Conv2D(4, 1, name="branch")(layers.ReLU()(x))])
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Dense(2, name="top")(layers.GlobalAveragePooling2D()(x))
    return give_weights(keras.Model(images, x, name="residual"))


def test_the_original_keeps_its_weights_its_graph_and_its_outputs():
    model = residual_model()
    before, weights, config = outputs_of(model), model.get_weights(), model.get_config()
    prune_model(model, plan_for(model, "stem", (1,)))
    for one, other in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(before[0], outputs_of(model)[0])
    assert model.get_config() == config
    assert len(model.get_layer("stem")._inbound_nodes) == 1


def test_names_settings_and_what_is_frozen_stay():
    model = residual_model()
    model.get_layer("branch").trainable = False
    model.get_layer("norm").momentum = 0.7
    pruned = prune_model(model, plan_for(model, "branch", (0, 3)))
    assert pruned.name == "residual"
    assert [one.name for one in pruned.layers] == [one.name for one in model.layers]
    assert not pruned.get_layer("branch").trainable
    assert pruned.get_layer("norm").momentum == 0.7
    assert [one.shape for one in pruned.get_layer("stem").weights] == [(3, 3, 3, 2), (2,)]


def test_an_empty_plan_gives_an_equal_copy():
    model = residual_model()
    copy = prune_model(model, PrunePlan("residual", ()))
    assert copy is not model
    assert_same(copy, model)


def test_a_pruned_model_saves_reloads_trains_and_is_pruned_again(tmp_path):
    model = residual_model()
    pruned = prune_model(model, plan_for(model, "stem", (1,)))
    pruned.save(tmp_path / "pruned.keras")
    loaded = keras.models.load_model(tmp_path / "pruned.keras")
    assert_same(loaded, pruned)
    loaded.compile("sgd", "mse")
    loaded.fit(np.ones((4, 6, 6, 3)), np.ones((4, 2)), verbose=0)
    again = prune_model(loaded, plan_for(loaded, "branch", (0,)))
    assert again.get_layer("stem").filters == 2


def test_precision_and_half_precision_stay():
    images = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, dtype="mixed_bfloat16", name="first")(images)
    model = give_weights(keras.Model(images, layers.Dense(2, dtype="float32")(x)))
    # Its 8 bits of precision differ by more than the usual tolerance.
    pruned = prune_model(model, plan_for(model, "first", (1,)), tolerance=0.05)
    assert pruned.get_layer("first").compute_dtype == "bfloat16"
    assert pruned.get_layer("first").kernel.dtype == "float32"


def test_dropout_with_a_fixed_shape_still_trains():
    images = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 1, name="first")(images)
    x = layers.Dropout(0.5, noise_shape=(None, 1, 1, 4))(x)
    x = layers.Dropout(0.5, noise_shape=(None, 1, 1, 1))(x)
    model = give_weights(keras.Model(images, layers.Dense(2)(x)))
    pruned = prune_model(model, plan_for(model, "first", (1,)))
    assert pruned(np.ones((2, 6, 6, 3)), training=True).shape == (2, 6, 6, 2)


class Doubling(keras.layers.Layer):
    """An own layer that Keras has not been told of."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, inputs):
        return 2 * inputs * self.factor


def test_an_own_layer_and_a_lambda_stay_as_they_are():
    images = keras.Input((6, 6, 3))
    x = layers.Lambda(lambda x: x + 1)(Doubling()(layers.Conv2D(4, 1, name="first")(images)))
    x = layers.Conv2D(5, 1, name="second")(x)
    model = give_weights(keras.Model(images, layers.Dense(2, name="last")(x)))
    pruned = prune_model(model, plan_for(model, "second", (4,)))
    assert type(pruned.layers[2]) is Doubling
    np.testing.assert_array_equal(pruned.layers[2].factor, model.layers[2].factor)


@pytest.mark.parametrize(
    ("layers_of_plan", "message"),
    [
        ([LayerPlan("brunch", 4, (1,))], "no convolution or dense layer 'brunch'. Did you mean 'b"),
        ([LayerPlan("norm", 4, (1,))], "no convolution or dense layer 'norm'"),
        ([LayerPlan("stem", 8, (1,))], "made for 8 maps of 'stem'. Received: a layer with 4"),
        ([LayerPlan("top", 2, (0,))], "Map 0 of 'top' cannot be removed: it is an output of the"),
        ([LayerPlan("stem", 4, (0, 1, 2, 3))], "removes every map of 'stem'; one must stay"),
        (
            [LayerPlan("stem", 4, (0, 1)), LayerPlan("branch", 4, (2, 3))],
            "removes every map of 'stem'; one must stay",
        ),
        (
            [LayerPlan("stem", 4, (0,), (Merge(0, 1, 1.0),)), LayerPlan("branch", 4, (1,))],
            "merged into one that goes too, being coupled to a removed map: map 1 of 'stem'",
        ),
        (
            [
                LayerPlan("stem", 4, (0,), (Merge(0, 1, 1.0),)),
                LayerPlan("branch", 4, (0,), (), (Constant(0, 1.0),)),
            ],
            "says two things of a map of 'branch', or of it and one coupled to it",
        ),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(layers_of_plan, message):
    with pytest.raises(PruningError) as caught:
        prune_model(residual_model(), PrunePlan("residual", tuple(layers_of_plan)))
    assert message in str(caught.value)


def test_coupled_layers_may_both_be_named():
    model = residual_model()
    both = (LayerPlan("stem", 4, (0,)), LayerPlan("branch", 4, (0, 2)))
    pruned = prune_model(model, PrunePlan("residual", both))
    assert pruned.get_layer("branch").filters == 2

"""Surgery and proof on a backend without TensorFlow."""

import pytest

from tests.other_backends import run_on

SCRIPT = """
import keras
from affectkeras.pruning.importance import plan_by_importance
from affectkeras.pruning.plan import Constant, Merge
from affectkeras.pruning.proof import mask_model, verify_pruned
from affectkeras.pruning.surgery import prune_model
from tests.pruning.small_models import assert_same, give_weights, plan_for

network = keras.applications.MobileNetV3Small(
    weights=None, input_shape=(32, 32, 3), classes=3, classifier_activation=None
)
plan = plan_by_importance(network, 0.3)
pruned = prune_model(network, plan)
assert verify_pruned(network, pruned, plan) < 1e-4
assert pruned.count_params() < 0.75 * network.count_params()

signal = keras.Input((20, 2))
x = keras.layers.Conv1D(6, 3, padding="same", name="first")(signal)
x = keras.layers.SeparableConv1D(6, 3, padding="same")(keras.layers.ReLU()(x))
x = keras.layers.Conv1D(4, 3, strides=2, padding="same")(x)
model = give_weights(keras.Model(signal, keras.layers.Flatten()(x)))
plan = plan_for(model, "first", (1, 2, 3), [Merge(1, 0, 0.5)], [Constant(3, 0.25)])
assert_same(mask_model(model, plan), prune_model(model, plan))
print(keras.backend.backend(), len(pruned.layers) == len(network.layers))
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_pruning_holds_on_a_backend_without_tensorflow(backend):
    assert run_on(backend, SCRIPT) == [backend, "True"]

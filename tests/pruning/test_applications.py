"""Real networks: gates, residual sums, dense concatenation, models inside models."""

import keras
import numpy as np
import pytest

from affectkeras.models.backbone_classifier import build_backbone_classifier
from affectkeras.pruning.counting import count_parameters
from affectkeras.pruning.importance import plan_by_importance, random_importance
from affectkeras.pruning.proof import verify_pruned
from affectkeras.pruning.surgery import prune_model
from tests.pruning.small_models import outputs_of


def give_statistics(model, seed=0):
    """Let normalization do something: what a new network has of it is nothing."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("beta", "moving_mean", "bias"):
            weight.assign(generator.normal(0, 0.2, weight.shape))
    return model


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0", "DenseNet121"])
def test_a_network_of_keras_applications_equals_its_masked_self(name):
    build = getattr(keras.applications, name)
    model = build(
        weights=None, input_shape=(32, 32, 3), classes=7, classifier_activation=None, name="network"
    )
    give_statistics(model)
    plan = plan_by_importance(model, 0.3, random_importance(0))
    pruned = prune_model(model, plan, verify=False)
    assert verify_pruned(model, pruned, plan) < 1e-4
    assert count_parameters(pruned) < 0.65 * count_parameters(model)
    change = np.abs(outputs_of(pruned)[0] - outputs_of(model)[0]).max()
    assert change > 1e-3 * np.abs(outputs_of(model)[0]).max(), "the proof would be empty"


def test_a_backbone_classifier_stays_one(tmp_path):
    model = give_statistics(build_backbone_classifier("mobilenet_v3_small_0.75", 7, 32, "none"))
    pruned = prune_model(model, plan_by_importance(model, 0.25, multiple_of=8))
    assert [one.name for one in pruned.layers] == ["images", "backbone", "head"]
    assert pruned.get_layer("head").get_layer("head_hidden").units == 384
    pruned.save(tmp_path / "pruned.keras")
    loaded = keras.models.load_model(tmp_path / "pruned.keras")
    np.testing.assert_allclose(outputs_of(loaded)[0], outputs_of(pruned)[0], rtol=1e-4, atol=1e-6)


def test_without_its_top_a_network_keeps_its_last_maps():
    model = keras.applications.MobileNet(
        weights=None, input_shape=(32, 32, 3), alpha=0.25, include_top=False
    )
    pruned = prune_model(give_statistics(model), plan_by_importance(model, 0.5))
    assert pruned.output_shape == model.output_shape
    assert pruned.get_layer("conv_pw_12").filters == 128


def test_a_sequential_classifier_on_a_network_stays_one():
    network = keras.applications.MobileNet(
        weights=None, input_shape=(32, 32, 3), alpha=0.25, include_top=False, name="network"
    )
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5, "softmax", name="top")]
    model = give_statistics(keras.Sequential([network, *head]))
    plan = plan_by_importance(model, 0.3)
    assert plan.layers[0].layer == "network/conv1"
    pruned = prune_model(model, plan)
    assert isinstance(pruned, keras.Sequential)
    assert pruned.get_layer("network").get_layer("conv_pw_13").filters == 179
    assert pruned.get_layer("top").kernel.shape == (179, 5)

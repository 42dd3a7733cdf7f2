"""A linear classifier as the head of a backbone computes what it was fitted to."""

import keras
import numpy as np
import pytest

from affectkeras.models.backbone_classifier import build_backbone_classifier, features_of
from affectkeras.models.linear_head import build_linear_head, replace_head


def linear(features, classes=3):
    random = np.random.default_rng(0)
    mean, scale = random.normal(50, 9, features), random.uniform(0.01, 5, features)
    return mean, scale, random.normal(size=(features, classes)), random.normal(size=classes)


def test_the_head_is_the_scaled_sum_and_has_the_names_of_every_head():
    mean, scale, kernel, bias = linear(6)
    head = build_linear_head(mean, scale, kernel, bias)
    features = mean + scale * np.random.default_rng(1).normal(size=(20, 6))
    expected = (features - mean) / scale @ kernel + bias
    np.testing.assert_allclose(head.predict(features, verbose=0), expected, atol=1e-3)
    assert head.name == "head"
    assert all("head_" in variable.path for variable in head.variables)


def test_a_backbone_with_the_head_survives_saving(tmp_path):
    classifier = build_backbone_classifier("mobilenet_0.25", 3, 32, "none")
    count = features_of(classifier).output_shape[-1]
    model = replace_head(classifier, build_linear_head(*linear(count)))
    images = np.random.default_rng(2).integers(0, 256, (4, 32, 32, 3)).astype("float32")
    features = features_of(classifier).predict(images, verbose=0)
    mean, scale, kernel, bias = linear(count)
    expected = (features - mean) / scale @ kernel + bias
    found = model.predict(images, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2)
    assert {layer.name for layer in model.layers} >= {"images", "backbone", "head"}
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again.predict(images, verbose=0), found)


def test_a_kernel_of_another_shape_is_refused():
    mean, scale, kernel, bias = linear(4)
    with pytest.raises(
        ValueError, match=r"`kernel` must have the shape .* Received: kernel \(3, 4"
    ):
        build_linear_head(mean, scale, kernel.T, bias)

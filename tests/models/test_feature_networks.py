"""Networks on a few numbers, alone and on the pictures the numbers come from."""

import keras
import numpy as np
import pytest

from affectkeras.features.gradient_pyramid import pyramid_of_gradients
from affectkeras.features.local_phase import local_phase_quantization
from affectkeras.layers.picture_features import LocalPhaseQuantization, PyramidOfGradients
from affectkeras.models.feature_networks import build_feature_network, put_on_pictures


def test_the_simple_network_is_one_hidden_layer_of_scaled_numbers():
    mean, scale = np.array([1.0, 2, 3]), np.array([1.0, 10, 0.1])
    model = build_feature_network(3, 4, hidden=5, mean=mean, scale=scale)
    features = mean + scale * np.random.default_rng(0).normal(size=(6, 3))
    first, bias = model.get_layer("hidden").get_weights()
    last, offset = model.get_layer("logits").get_weights()
    inside = np.maximum((features - mean) / scale @ first + bias, 0)
    found = model.predict(features, verbose=0)
    np.testing.assert_allclose(found, inside @ last + offset, atol=1e-4)
    assert model.count_params() == 3 * 5 + 5 + 5 * 4 + 4


def test_the_deep_network_normalises_and_drops():
    first = build_feature_network(10, 7, "deep")  # however many networks were made before
    scaled = build_feature_network(10, 7, "deep", mean=np.zeros(10), scale=np.ones(10))
    hidden = ["Dense", "BatchNormalization", "ReLU", "Dropout"] * 2
    for model, scaling in ((first, []), (scaled, ["Normalization"])):
        kinds = [type(layer).__name__ for layer in model.layers]
        assert kinds == ["InputLayer", *scaling, *hidden, "Dense"]


def test_on_pictures_the_network_sees_their_components(tmp_path):
    random = np.random.default_rng(1)
    pictures = random.integers(0, 256, (5, 24, 24, 3)).astype("float32")
    layers = LocalPhaseQuantization(5, (2, 2), name="lpq"), PyramidOfGradients(1, name="phog")
    values = (
        local_phase_quantization(pictures, window=5, grid=(2, 2)),
        pyramid_of_gradients(pictures, levels=1, edges="all"),
    )
    means = [one.mean(axis=0) for one in values]
    axes = [random.normal(size=(3, one.shape[1])) for one in values]
    network = build_feature_network(6, 4, hidden=8)
    model = put_on_pictures(network, 24, list(zip(layers, means, axes, strict=True)))
    numbers = [
        (one - mean) @ components.T
        for one, mean, components in zip(values, means, axes, strict=True)
    ]
    expected = network.predict(np.concatenate(numbers, axis=1), verbose=0)
    np.testing.assert_allclose(model.predict(pictures, verbose=0), expected, atol=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(again.predict(pictures, verbose=0), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 4, "wide"), "`kind` must be 'simple' or 'deep'. Received: kind='wide'"),
        ((0, 4), "`features` and `hidden` must be at least 1 .* Received: features=0"),
        ((3, 1), "`classes` at least 2"),
    ],
)
def test_what_makes_no_network_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_feature_network(*arguments)
    with pytest.raises(ValueError, match=r"`dropout` must be in \[0, 1\)"):
        build_feature_network(3, 4, dropout=1.0)

"""An untrained backbone gives features once its normalization has seen images."""

import keras
import numpy as np

from affectkeras.models.backbone_classifier import build_backbone_classifier, features_of
from affectkeras.transfer.random_features import settle_normalization


def test_the_signal_no_longer_vanishes_and_only_statistics_change():
    keras.utils.set_random_seed(0)
    model = build_backbone_classifier("mobilenet_0.25", 3, 32, "none")
    images = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3)).astype("float32")
    before = {variable.path: variable.numpy() for variable in model.trainable_variables}
    assert features_of(model).predict(images, verbose=0).std() < 1e-6
    settle_normalization(model, [images[:12], images[12:]])
    features = features_of(model).predict(images, verbose=0)
    assert np.median(features.std(axis=0)) > 0.05
    for variable in model.trainable_variables:
        np.testing.assert_array_equal(variable.numpy(), before[variable.path])


def test_the_statistics_are_the_mean_over_the_batches():
    layer = keras.layers.BatchNormalization(momentum=0.7)
    model = keras.Sequential([keras.Input((2,)), layer])
    batches = [np.array([[0.0, 2], [4, 2]]), np.array([[6.0, 0], [6, 4]]), np.zeros((2, 2))]
    settle_normalization(model, batches)
    np.testing.assert_allclose(layer.moving_mean, [8 / 3, 4 / 3], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [4 / 3, 4 / 3], rtol=1e-6)
    assert layer.momentum == 0.7

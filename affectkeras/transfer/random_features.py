"""A backbone that was never trained, made fit to give features."""

from collections.abc import Sequence

import keras
import numpy as np

SETTLING_ROWS = 256  # images are enough


def settle_normalization(model: keras.Model, batches: Sequence[np.ndarray]) -> None:
    """Give BatchNormalization layers of an untrained network the statistics of images, in place.

    Their first statistics are those of nothing: through dozens of layers with random weights the
    signal would vanish. Each gets the mean over the batches; no other weight changes.

    Args:
        model: a backbone classifier with random weights.
        batches: of training images, as the model takes them.
    """
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in layers]
    try:
        for number, batch in enumerate(batches):
            for layer in layers:
                layer.momentum = number / (number + 1)  # the first counts whole, the next half …
            model(batch, training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum

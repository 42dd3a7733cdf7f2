"""A pretrained backbone under the small head of the SFEW paper."""

import re
from collections.abc import Sequence
from pathlib import Path

import keras

from affectkeras.transfer.zoo import (
    Backbone,
    build_backbone,
    build_preprocessing,
    find_backbone,
)


def build_backbone_classifier(
    backbone: Backbone | str,
    classes: int | Sequence[str],
    image_size: int | tuple[int, int] | None = None,
    weights: str | Path = "imagenet",
    *,
    dropout: tuple[float, float] = (0.6, 0.8),
    hidden: int = 512,
) -> keras.Model:
    """Return images → preprocessing → `"backbone"` → `"head"` → logits.

    The head is the one of "Improved ResNet50 with BDR" (section 2.2, figure 4): Dropout(0.6),
    Dense(512, SELU), Dropout(0.8), Dense(classes). What the paper leaves open: the hidden layer
    starts from LeCun normal weights, which SELU asks for.

    Differs from the paper: plain dropout as published, though SELU's authors pair it with alpha
    dropout; the softmax is left to the loss (`from_logits=True`).

    Args:
        backbone: an entry of the zoo or its name.
        classes: how many classes, or their names.
        image_size: height and width in pixels; absent: the size the backbone was trained at.
        weights: `"imagenet"`, `"none"` or the path of a weights file.
        dropout: the two dropout rates of the head, in [0, 1).
        hidden: units of the hidden layer.

    Returns:
        A functional model from RGB pixels in [0, 255], `(batch, height, width, 3)`, to float32
        logits `(batch, classes)`, built from Keras's own layers only. Its layers are `"images"`,
        `"preprocessing"` (absent where the backbone has its own), `"backbone"` and `"head"`.

    Raises:
        UserError: for an unknown backbone, too small images or weights that do not fit.
        ValueError: for other arguments out of range.
    """
    if isinstance(backbone, str):
        backbone = find_backbone(backbone)
    count = classes if isinstance(classes, int) else len(classes)
    if count < 2:
        raise ValueError(f"`classes` must be at least 2. Received: classes={classes}")
    if image_size is None:
        image_size = backbone.default_size
    if isinstance(image_size, int):
        image_size = (image_size, image_size)

    network = build_backbone(backbone, image_size, weights)
    if str(weights) == "none":
        _ease_start_from_nothing(network)
    preprocessing = build_preprocessing(backbone, image_size)
    head = build_head(network.output_shape[-1], count, dropout=dropout, hidden=hidden)

    images = keras.Input((*image_size, 3), dtype="float32", name="images")
    pixels = images if preprocessing is None else preprocessing(images)
    return keras.Model(images, head(network(pixels)), name=f"{backbone.name}_classifier")


def _ease_start_from_nothing(network: keras.Model) -> None:
    """Set the BatchNormalization layers of a network without pretraining for a short training.

    Their running statistics follow the batches ten times as fast: Keras's momentum of 0.99 needs
    hundreds of steps until a network that starts from nothing can be used outside training; 0.9 is
    what the paper's framework, PyTorch, has. The last one of every residual branch of a ResNet
    starts at zero, so that the network begins as a shallow one (Goyal et al. 2017, section 5.1).
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
            if re.fullmatch(r"conv\d_block\d+_3_bn", layer.name):
                layer.gamma.assign(keras.ops.zeros_like(layer.gamma))


def build_head(
    features: int, classes: int, *, dropout: tuple[float, float] = (0.6, 0.8), hidden: int = 512
) -> keras.Model:
    """Return the model named `"head"`: `(batch, features)` to float32 logits `(batch, classes)`."""
    for rate in dropout:
        if not 0 <= rate < 1:
            raise ValueError(f"`dropout` must hold rates in [0, 1). Received: dropout={dropout}")
    if hidden < 1:
        raise ValueError(f"`hidden` must be at least 1. Received: hidden={hidden}")
    pooled = keras.Input((features,), name="features")
    x = keras.layers.Dropout(dropout[0], name="head_dropout_1")(pooled)
    x = keras.layers.Dense(
        hidden, activation="selu", kernel_initializer="lecun_normal", name="head_hidden"
    )(x)
    x = keras.layers.Dropout(dropout[1], name="head_dropout_2")(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="head_logits")(x)
    return keras.Model(pooled, logits, name="head")


def backbone_of(model: keras.Model) -> keras.Model:
    """Return the backbone of a backbone classifier, sharing its weights."""
    return model.get_layer("backbone")


def head_of(model: keras.Model) -> keras.Model:
    """Return the head of a backbone classifier, sharing its weights."""
    return model.get_layer("head")


def preprocessing_of(model: keras.Model) -> keras.Model | None:
    """Return the preprocessing of a backbone classifier; None where the backbone has its own."""
    found = [layer for layer in model.layers if layer.name == "preprocessing"]
    return found[0] if found else None


def features_of(model: keras.Model) -> keras.Model:
    """Return images → pooled features, `(batch, features)`, sharing the classifier's layers."""
    images = keras.Input(model.input_shape[1:], dtype="float32", name="images")
    preprocessing = preprocessing_of(model)
    pixels = images if preprocessing is None else preprocessing(images)
    return keras.Model(images, backbone_of(model)(pixels), name="features")

"""Networks on a few numbers a face: the baselines of the ResNet paper."""

from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np

Kind = Literal["simple", "deep"]


def build_feature_network(
    features: int,
    classes: int,
    kind: Kind = "simple",
    *,
    hidden: int = 50,
    dropout: float = 0.5,
    mean: np.ndarray | None = None,
    scale: np.ndarray | None = None,
) -> keras.Model:
    """Return numbers → logits, the network of "Improved ResNet50 with BDR", sections 1.1 and 3.4.

    `simple` is a hidden layer with ReLU. `deep` has two, each followed by BatchNormalization, ReLU
    and dropout. The paper tells of both no more than that: "simple neural network", "deep neural
    network with BN and dropout"; the layers and their sizes are ours.

    Args:
        features: how many numbers a face has.
        classes: how many classes.
        kind: which of the two.
        hidden: units of each hidden layer.
        dropout: rate after each hidden layer of `deep`, in [0, 1).
        mean, scale: `(features,)`, of the training rows: the numbers are scaled inside. None: as
            they are.

    Returns:
        `(batch, features)` to float32 logits `(batch, classes)`.
    """
    if kind not in ("simple", "deep"):
        raise ValueError(f"`kind` must be 'simple' or 'deep'. Received: kind={kind!r}")
    if min(features, hidden) < 1 or classes < 2:
        raise ValueError(
            "`features` and `hidden` must be at least 1 and `classes` at least 2. "
            f"Received: features={features}, hidden={hidden}, classes={classes}"
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout}")
    numbers = keras.Input((features,), name="features")
    x = numbers
    if mean is not None:
        variance = np.asarray(scale, np.float32) ** 2
        scaling = keras.layers.Normalization(
            mean=np.float32(mean), variance=variance, name="scaling"
        )
        x = scaling(x)
    if kind == "simple":
        x = keras.layers.Dense(hidden, activation="relu", name="hidden")(x)
    else:
        for number in (1, 2):
            x = keras.layers.Dense(hidden, use_bias=False, name=f"hidden_{number}")(x)
            x = keras.layers.BatchNormalization(momentum=0.9, name=f"normalization_{number}")(x)
            x = keras.layers.ReLU(name=f"activation_{number}")(x)
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(numbers, logits, name=kind)


def put_on_pictures(
    network: keras.Model,
    image_size: int,
    kinds: Sequence[tuple[keras.layers.Layer, np.ndarray, np.ndarray]],
) -> keras.Model:
    """Return RGB pixels → features → principal components → the network, as one model.

    Args:
        network: of `build_feature_network`; it takes the components of all kinds, in order.
        image_size: height and width in pixels.
        kinds: for each kind of feature the layer that computes it, the mean `(values,)` and the
            components `(components, values)`.

    Returns:
        `(batch, image_size, image_size, 3)` in [0, 255] to logits.
    """
    pictures = keras.Input((image_size, image_size, 3), dtype="float32", name="images")
    found = []
    for layer, mean, components in kinds:
        # In float64, as features are: a component is a small difference of many numbers.
        projection = keras.layers.Dense(
            len(components), dtype="float64", trainable=False, name=f"{layer.name}_components"
        )
        found.append(projection(layer(pictures)))
        projection.set_weights([components.T, -mean @ components.T])
    numbers = keras.layers.Concatenate(dtype="float64", name="components")(found)
    return keras.Model(pictures, network(numbers), name=network.name)

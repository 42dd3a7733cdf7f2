"""The network of the StressNet paper, for thermal images of faces."""

from collections.abc import Sequence

import keras
import numpy as np

from affectkeras.layers.dynamic_dropout import KINDS, MOMENTUM, DynamicDropout
from affectkeras.layers.exact_gelu import ExactGelu
from affectkeras.layers.lean_batch_normalization import LeanBatchNormalization

ACTIVATIONS = ("gelu", "relu", "prelu")


def build_stress_net(
    classes: int | Sequence[str] = 2,
    image_size: int | tuple[int, int] = 240,
    channels: int = 3,
    *,
    dropout: str = "dynamic",
    activation: str = "gelu",
    shallow_widths: Sequence[int] = (16, 32, 32),
    shallow_strides: Sequence[int] = (2, 2, 1),
    deep_widths: Sequence[int] = (64, 64),
    mask_rate: float = 0.5,
    last_rate: float = 0.5,
    fused: bool = False,
) -> keras.Model:
    """Return images → rescaling → three shallow modules → two deep ones, each masked → logits.

    "StressNet: A Dynamic Dropout Layer based Neural Network for Stress Recognition" (section 2.2):
    three modules of a 3 × 3 convolution, BatchNormalization and GELU; then twice such a module of
    stride 2 and a `DynamicDropout` layer; the average of each map, dropout, and one unit.

    What the paper leaves open is chosen. Widths and strides: the first two modules halve the image,
    so that a step of 16 images of 240 × 240 takes about a fifth of a second on two cores; then the
    masks have 30 × 30 and 15 × 15 positions. The paper's figure 8 shows 64 masks of each layer,
    picked among perhaps more; there are 64 here. Both dropout rates: PyTorch's 0.5. Zeros around
    the images, He's initial kernels, no bias where BatchNormalization adds one, pixels in [-1, 1].
    PReLU has one slope per layer, which starts at 0.25, as in PyTorch.

    Differs from the paper: the sigmoid is left to the loss (`from_logits=True`).

    Args:
        classes: how many classes, or their names. Two share one unit, whose logit is that of the
            second class, for `BinaryCrossentropy`; more have one each, for
            `SparseCategoricalCrossentropy`.
        image_size: height and width in pixels (paper: 240).
        channels: 3, RGB; or 1, thermal or grey.
        dropout: `"dynamic"`, as published; `"standard"` or `"spatial"`, which stand in the place of
            the masks; or `"none"`, where the masks and the last dropout go, and nothing else.
        activation: `"gelu"`, as published, `"relu"` or `"prelu"`, in every module. The masks keep
            their ReLU.
        shallow_widths: maps of the shallow modules; another number of them makes another number of
            modules.
        shallow_strides: of each shallow module.
        deep_widths: maps of the deep modules and of the layer that masks each.
        mask_rate: share left out in the place of the masks, with `"standard"` or `"spatial"`.
        last_rate: share of the averages left out in training, but with `"none"`.
        fused: whether the masks are computed with their maps; nothing else changes.

    Returns:
        A functional model from pixels in [0, 255], `(batch, height, width, channels)`, to float32
        logits, `(batch, 1)` of two classes and `(batch, classes)` of more. The layers of module `k`
        are `shallow{k}_conv`, `_normalization` and `_activation`, `deep{k}_…` likewise and
        `dynamic_dropout{k}`; then `pool`, `dropout` and `logits`. `masks_of` reads the masks.

    Raises:
        ValueError: when an argument is out of range.
    """
    count = classes if isinstance(classes, int) else len(classes)
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    _check(count, size, channels, dropout, activation)
    _check_modules(shallow_widths, shallow_strides, deep_widths, last_rate)
    images = keras.Input((*size, channels), dtype="float32", name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(images)
    for number, (width, stride) in enumerate(
        zip(shallow_widths, shallow_strides, strict=True), start=1
    ):
        x = _convolve(x, width, stride, activation, f"shallow{number}")
    for number, width in enumerate(deep_widths, start=1):
        x = _convolve(x, width, 2, activation, f"deep{number}")
        name = f"dynamic_dropout{number}"
        x = DynamicDropout(
            width,
            kind=dropout,
            rate=mask_rate,
            activation="linear" if activation == "prelu" else activation,
            fused=fused,
            name=name,
        )(x)
        if activation == "prelu":
            x = _activate(x, activation, f"{name}_activation")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if dropout != "none":
        x = keras.layers.Dropout(last_rate, name="dropout")(x)
    # Single precision, also under mixed precision: the loss takes logits.
    units = 1 if count == 2 else count
    logits = keras.layers.Dense(units, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="stress_net")


def both_logits(model: keras.Model) -> keras.Model:
    """Return a model of two classes with a logit for each: 0, and that of the one unit.

    Their softmax is the unit's sigmoid, and their cross-entropy the binary one: the same network,
    in the form that everything for several classes takes.

    Args:
        model: with one logit, `(batch, 1)`.
    """
    if model.output_shape[-1] != 1:
        raise ValueError(f"`model` must have one logit. Received: shape {model.output_shape}")
    logits = keras.ops.pad(model.output, [[0, 0], [1, 0]])
    return keras.Model(model.input, logits, name=model.name)


def masks_of(model: keras.Model, images: np.ndarray, batch_size: int = 32) -> dict[str, np.ndarray]:
    """Return the masks that images get, by layer: what its maps are multiplied with.

    Args:
        model: any functional model with `DynamicDropout` layers of kind `"dynamic"`.
        images: what the model takes, `(batch, height, width, channels)`.
        batch_size: how many images go through at once.

    Returns:
        Each layer's name → `(batch, height, width, filters)` of its own size, float32.

    Raises:
        ValueError: when no layer of the model has a mask.
    """
    layers = [
        layer
        for layer in model.layers
        if isinstance(layer, DynamicDropout) and layer.kind == "dynamic"
    ]
    if not layers:
        raise ValueError(
            f"No layer of {model.name!r} has a mask: none is a DynamicDropout of kind 'dynamic'."
        )
    reader = keras.Model(model.input, [layer.input for layer in layers])
    found = {layer.name: [] for layer in layers}
    for first in range(0, len(images), batch_size):
        inputs = reader(images[first : first + batch_size], training=False)
        for layer, maps in zip(layers, inputs, strict=True):
            mask = keras.ops.cast(layer.mask(maps), "float32")
            found[layer.name].append(keras.ops.convert_to_numpy(mask))
    return {name: np.concatenate(masks) for name, masks in found.items()}


def _convolve(x, width: int, stride: int, activation: str, name: str):
    x = keras.layers.Conv2D(
        width,
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = LeanBatchNormalization(momentum=MOMENTUM, name=f"{name}_normalization")(x)
    return _activate(x, activation, f"{name}_activation")


def _activate(x, activation: str, name: str):
    if activation != "prelu":
        if activation == "gelu":
            return ExactGelu(name=name)(x)
        return keras.layers.Activation(activation, name=name)(x)
    slope = keras.initializers.Constant(0.25)
    return keras.layers.PReLU(alpha_initializer=slope, shared_axes=(1, 2, 3), name=name)(x)


def _check(classes, size, channels, dropout, activation) -> None:
    if classes < 2:
        raise ValueError(f"`classes` must be at least 2. Received: classes={classes}")
    if len(size) != 2 or min(size) < 1:
        raise ValueError(
            f"`image_size` must be one or two numbers of at least 1. Received: image_size={size}"
        )
    if channels not in (1, 3):
        raise ValueError(f"`channels` must be 1 or 3. Received: channels={channels}")
    if dropout not in KINDS:
        raise ValueError(
            f"`dropout` must be one of {', '.join(KINDS)}. Received: dropout={dropout!r}"
        )
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"`activation` must be one of {', '.join(ACTIVATIONS)}. "
            f"Received: activation={activation!r}"
        )


def _check_modules(shallow_widths, shallow_strides, deep_widths, last_rate) -> None:
    sizes = {
        "shallow_widths": shallow_widths,
        "shallow_strides": shallow_strides,
        "deep_widths": deep_widths,
    }
    for name, values in sizes.items():
        if not values or min(values) < 1:
            raise ValueError(f"`{name}` must hold numbers of at least 1. Received: {name}={values}")
    if len(shallow_strides) != len(shallow_widths):
        raise ValueError(
            f"`shallow_strides` must hold one stride for each of {len(shallow_widths)} shallow "
            f"modules. Received: shallow_strides={shallow_strides}"
        )
    if not 0 <= last_rate < 1:
        raise ValueError(f"`last_rate` must be in [0, 1). Received: last_rate={last_rate}")

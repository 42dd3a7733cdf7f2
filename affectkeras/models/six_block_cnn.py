"""The six-module network of the pruning paper, for small faces."""

from collections.abc import Sequence

import keras

PADDINGS = ("same", "valid")
# Of BatchNormalization's running statistics. Keras's own 0.99 needs hundreds of steps until a new
# network can be used outside training; ten epochs of the paper's 540 faces have 90.
MOMENTUM = 0.9


def build_six_block_cnn(
    classes: int | Sequence[str],
    image_size: int | tuple[int, int] = 48,
    channels: int = 3,
    *,
    widths: Sequence[int] = (16, 32, 64, 128, 256),
    kernel_sizes: tuple[int, int] = (3, 1),
    activation: str = "relu",
    activation_before_pool: bool = False,
    pool_padding: str = "same",
    dropout: float = 0.0,
) -> keras.Model:
    """Return images → rescaling → `"module1"` … `"module5"` → `"module6"` → logits.

    The network of "Emotion Detection through Static Images using Pruned Convolutional Neural
    Networks" (section 3.1): six modules, each a convolution, BatchNormalization and a pooling; five
    with maximum pooling, whose maps grow from 16 to 256, and a last one from these to one map per
    class with adaptive average pooling, which is global here.

    What the paper leaves open is chosen: the widths between 16 and 256 (doubled each time); kernels
    of 3 × 3 with zeros around, but of 1 × 1 in the last module, which then weighs maps and nothing
    else: maps that make up for each other can go without a trace; pooling of 2 × 2 that rounds
    sizes up, so that 48 pixels end as 2 × 2 positions (rounded down, five of the nine positions
    before the last pooling would be dropped); ReLU, after the pooling, where it costs a quarter and
    gives the same as before it, and none in the last module; no bias where BatchNormalization adds
    one; pixels in [-1, 1].

    Differs from the paper: the softmax is left to the loss (`from_logits=True`).

    Args:
        classes: how many classes, or their names.
        image_size: height and width in pixels (paper: 48).
        channels: 3, RGB; or 1, grey.
        widths: maps of each module with maximum pooling; the last ones enter the module that gives
            the classes. Another number of widths makes another number of modules.
        kernel_sizes: in pixels, of the modules with maximum pooling and of the last one.
        activation: Keras's name of the activation of each module but the last.
        activation_before_pool: whether it stands before the pooling or after it; alike for ReLU
            and all others that never fall.
        pool_padding: `"same"` rounds odd sizes up, `"valid"` down.
        dropout: share of what enters the last module that is left out in training (paper: none).

    Returns:
        A functional model from pixels in [0, 255], `(batch, height, width, channels)`, to float32
        logits `(batch, classes)`, built from Keras's own layers only. The layers of module `k` are
        `module{k}_conv`, `module{k}_normalization`, `module{k}_pool` and, but for the last one,
        `module{k}_activation`.

    Raises:
        ValueError: when an argument is out of range or the images are too small for the poolings.
    """
    count = classes if isinstance(classes, int) else len(classes)
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    _check(count, size, channels, widths, kernel_sizes, pool_padding)
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout}")
    images = keras.Input((*size, channels), dtype="float32", name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(images)
    for number, width in enumerate(widths, start=1):
        name = f"module{number}"
        x = _convolve(x, width, kernel_sizes[0], name)
        finish = [
            keras.layers.MaxPooling2D(2, padding=pool_padding, name=f"{name}_pool"),
            keras.layers.Activation(activation, name=f"{name}_activation"),
        ]
        for layer in reversed(finish) if activation_before_pool else finish:
            x = layer(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    name = f"module{len(widths) + 1}"
    x = _convolve(x, count, kernel_sizes[1], name)
    # Single precision, also under mixed precision: the loss takes logits.
    logits = keras.layers.GlobalAveragePooling2D(dtype="float32", name=f"{name}_pool")(x)
    return keras.Model(images, logits, name="six_block_cnn")


def average_mirrored(model: keras.Model) -> keras.Model:
    """Return a model whose logits are the mean of those of the images and of their mirror images.

    Twice the work for a prediction that does not depend on which way a face is turned. Not in the
    paper.

    Args:
        model: one input `(batch, height, width, channels)`, one output.
    """
    images = keras.Input(model.input_shape[1:], dtype="float32", name="images")
    both = [model(images), model(keras.ops.flip(images, axis=2))]
    return keras.Model(images, keras.layers.average(both), name=f"{model.name}_mirrored")


def _convolve(x, width: int, kernel_size: int, name: str):
    x = keras.layers.Conv2D(
        width,
        kernel_size,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_normalization")(x)


def _check(classes, size, channels, widths, kernel_sizes, pool_padding) -> None:
    if classes < 2:
        raise ValueError(f"`classes` must be at least 2. Received: classes={classes}")
    if channels not in (1, 3):
        raise ValueError(f"`channels` must be 1 or 3. Received: channels={channels}")
    if not widths or min(widths) < 1:
        raise ValueError(f"`widths` must hold numbers of at least 1. Received: widths={widths}")
    if len(kernel_sizes) != 2 or min(kernel_sizes) < 1:
        raise ValueError(
            "`kernel_sizes` must be two numbers of at least 1. "
            f"Received: kernel_sizes={kernel_sizes}"
        )
    if pool_padding not in PADDINGS:
        raise ValueError(
            f"`pool_padding` must be one of {', '.join(PADDINGS)}. "
            f"Received: pool_padding={pool_padding!r}"
        )
    smallest = 2 ** len(widths) if pool_padding == "valid" else 1
    if len(size) != 2 or min(size) < smallest:
        raise ValueError(
            f"`image_size` must be at least {smallest} for {len(widths)} poolings. "
            f"Received: image_size={size}"
        )

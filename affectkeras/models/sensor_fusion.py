"""Four ways to bring the sensors of a wearable together in one convolutional network."""

from collections.abc import Sequence

import keras

FUSIONS = ("early", "sensor", "channel", "shared")


def build_sensor_fusion(
    time: int,
    sensors: Sequence[int],
    classes: int,
    *,
    fusion: str = "early",
    convolutions: int = 2,
    filters: int = 32,
    kernel_size: int = 3,
    dense: int = 256,
    normalize: bool = True,
    batch_normalization: bool = True,
    smooth: int = 1,
    pool: int = 1,
    dropout: float = 0.0,
) -> keras.Model:
    """Return signals → normalization → convolutions over time → a dense layer → logits.

    Münzner et al., "CNN-based sensor fusion techniques for multimodal human activity recognition"
    (ISWC 2017), as the lecture on wearables shows it (tables 2 and 3). What differs is where the
    channels meet: early fusion (EF) convolves all of them together, sensor-based late fusion
    (SB-LF) those of each sensor in a stack of its own, channel-based late fusion (CB-LF) each
    channel in a stack of its own, and shared-filter hybrid fusion (SF-HF) each channel by the same
    filters. What the stacks make of the signals is laid side by side and read by the dense layer.

    The convolutions add no zeros at the ends, and nothing is pooled: so the parameters come out as
    in the lecture's table 2, but for its two slips (softmax 1,777 in place of 1,799, and one bias
    per input in the second convolution). What the lecture leaves open is chosen: a ReLU after
    every convolution and after the dense layer, and BatchNormalization after that of a
    convolution. Before it, BatchNormalization would take away the biases that the table counts,
    which Adam would then drive about by rounding errors. Shared filters have one set of
    statistics for all channels.

    The model's outputs are logits: the cross-entropy of logits is exact where that of
    probabilities has lost its digits, and `softmax` of them gives the probabilities
    (`from_logits=True` in the loss).

    Args:
        time: samples of a window.
        sensors: how many channels each sensor has, in the order of the channels.
        classes: how many classes.
        fusion: `"early"` (EF), `"sensor"` (SB-LF), `"channel"` (CB-LF) or `"shared"` (SF-HF).
        convolutions: layers of a stack (paper: 2 or 3).
        filters: of every convolution (paper: 32).
        kernel_size: samples that a filter spans (table 2: 3).
        dense: units of the dense layer (paper: 256).
        normalize: whether every channel loses its mean and is divided by its standard deviation
            (zNorm). Both are 0 and 1 until they are set from training rows: by `train_folds`, or
            by the `adapt` of the layer `"normalization"` before the model is compiled.
        batch_normalization: whether it follows every convolution (BN).
        smooth: samples of which the mean is taken before the first convolution (paper: 1, none).
        pool: length of the maximum taken after every convolution (paper: 1, none).
        dropout: share of the dense layer's units left out in training (paper: 0).

    Returns:
        A functional model from `(batch, time, channels)` to float32 logits `(batch, classes)`. Its
        layers are `"signals"`, `"normalization"`, `"smooth"`; of each stack `conv1`, `activation1`,
        `batch_normalization1`, `pool1`, … and `flatten`, with `sensor1_`,
        `channel1_` or `shared_` before them but in early fusion; then `"features"`, `"dense"`,
        `"dropout"` and `"logits"`.

    Raises:
        ValueError: when an argument is out of range.
    """
    sensors = tuple(sensors)
    _check(sensors, classes, fusion, convolutions, dropout)
    _check_sizes(time, filters, kernel_size, dense, smooth, pool)
    _check_length(time // smooth, convolutions, kernel_size, pool)
    stack = {
        "convolutions": convolutions,
        "filters": filters,
        "kernel_size": kernel_size,
        "batch_normalization": batch_normalization,
        "pool": pool,
    }
    channels = sum(sensors)
    signals = keras.Input((time, channels), dtype="float32", name="signals")
    x = signals
    if normalize:
        x = keras.layers.Normalization(axis=-1, dtype="float32", name="normalization")(x)
    if smooth > 1:
        x = keras.layers.AveragePooling1D(smooth, name="smooth")(x)
    if fusion == "early":
        x = _convolve(x, "", **stack)
    elif fusion == "shared":
        x = _convolve_each(x, "shared_", **stack)
    else:
        x = _convolve_apart(x, fusion, sensors if fusion == "sensor" else (1,) * channels, stack)
    x = keras.layers.Dense(dense, activation="relu", name="dense")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    # Single precision, also under mixed precision: the loss takes logits.
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(signals, logits, name=f"sensor_fusion_{fusion}")


def _convolve_apart(x, name: str, widths: tuple[int, ...], stack: dict):
    """Return what a stack for each group of channels makes of it, side by side."""
    if len(widths) == 1:
        return _convolve(x, f"{name}1_", **stack)
    ends = [sum(widths[: count + 1]) for count in range(len(widths) - 1)]
    parts = keras.ops.split(x, ends, axis=-1)
    made = [
        _convolve(part, f"{name}{number}_", **stack) for number, part in enumerate(parts, start=1)
    ]
    return keras.layers.Concatenate(name="features")(made)


def _convolve(x, prefix: str, *, convolutions, filters, kernel_size, batch_normalization, pool):
    """Return the flattened features that a stack makes of `(batch, time, channels)`."""
    for number in range(1, convolutions + 1):
        x = keras.layers.Conv1D(filters, kernel_size, name=f"{prefix}conv{number}")(x)
        x = _activate_and_normalize(x, prefix, number, batch_normalization)
        if pool > 1:
            x = keras.layers.MaxPooling1D(pool, name=f"{prefix}pool{number}")(x)
    return keras.layers.Flatten(name=f"{prefix}flatten")(x)


def _convolve_each(
    x, prefix: str, *, convolutions, filters, kernel_size, batch_normalization, pool
):
    """Return the flattened features that one stack makes of each channel, channel by channel.

    A channel is a row of an image of height `channels`: a convolution that spans one row treats
    all alike, in one operation.
    """
    time, channels = x.shape[1:]
    x = keras.layers.Permute((2, 1), name=f"{prefix}channels_first")(x)
    x = keras.layers.Reshape((channels, time, 1), name=f"{prefix}channels_apart")(x)
    for number in range(1, convolutions + 1):
        x = keras.layers.Conv2D(filters, (1, kernel_size), name=f"{prefix}conv{number}")(x)
        x = _activate_and_normalize(x, prefix, number, batch_normalization)
        if pool > 1:
            x = keras.layers.MaxPooling2D((1, pool), name=f"{prefix}pool{number}")(x)
    return keras.layers.Flatten(name=f"{prefix}flatten")(x)


def _activate_and_normalize(x, prefix: str, number: int, batch_normalization: bool):
    x = keras.layers.Activation("relu", name=f"{prefix}activation{number}")(x)
    if batch_normalization:
        name = f"{prefix}batch_normalization{number}"
        x = keras.layers.BatchNormalization(name=name)(x)
    return x


def _check(sensors, classes, fusion, convolutions, dropout) -> None:
    if not sensors or min(sensors) < 1:
        raise ValueError(
            "`sensors` must hold at least one number of channels, each at least 1. "
            f"Received: sensors={sensors}"
        )
    if classes < 2:
        raise ValueError(f"`classes` must be at least 2. Received: classes={classes}")
    if fusion not in FUSIONS:
        raise ValueError(
            f"`fusion` must be one of {', '.join(FUSIONS)}. Received: fusion={fusion!r}"
        )
    if convolutions not in (2, 3):
        raise ValueError(f"`convolutions` must be 2 or 3. Received: convolutions={convolutions}")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout}")


def _check_sizes(time, filters, kernel_size, dense, smooth, pool) -> None:
    sizes = {
        "time": time,
        "filters": filters,
        "kernel_size": kernel_size,
        "dense": dense,
        "smooth": smooth,
        "pool": pool,
    }
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")


def _check_length(time, convolutions, kernel_size, pool) -> None:
    left = time
    for _ in range(convolutions):
        left = (left - kernel_size + 1) // pool
    if left < 1:
        raise ValueError(
            f"`time` must leave something after {convolutions} convolutions of length "
            f"{kernel_size}, each pooled by {pool}. Received: time={time}"
        )

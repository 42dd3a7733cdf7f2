"""The recurrent network of the lecture on wearables, for blood volume pulse."""

import keras


def build_bvp_lstm(
    seconds: int,
    classes: int = 2,
    *,
    rate: int = 64,
    hidden_size: int = 32,
    dropout: float = 0.0,
    normalize: bool = True,
) -> keras.Model:
    """Return blood volume pulse, second by second → normalization → an LSTM → logits.

    The lecture "Emotion Recognition w/ K-EmoCon Dataset" ("LSTM - BVP Example (64Hz)"): five
    seconds of the pulse at 64 Hz are five steps of 64 numbers, which an LSTM reads; it asks what
    longer windows of 20 or 60 seconds would do. What it leaves open is chosen: the size of the
    state, and one mean and one standard deviation for all numbers, as the 64 of a second are
    samples of one sensor.

    The model's outputs are logits: the cross-entropy of logits is exact where that of
    probabilities has lost its digits, and `softmax` of them gives the probabilities
    (`from_logits=True` in the loss).

    Args:
        seconds: steps of a window (lecture: 5; 20 and 60 are its open question).
        classes: how many classes.
        rate: samples of a second, in Hz.
        hidden_size: units of the LSTM.
        dropout: share of the LSTM's last state left out in training.
        normalize: whether the pulse loses its mean and is divided by its standard deviation. Both
            are 0 and 1 until they are set from training rows: by `train_folds`, or by the `adapt`
            of the layer `"normalization"` before the model is compiled.

    Returns:
        A functional model from `(batch, seconds, rate)` to float32 logits `(batch, classes)`. Its
        layers are `"signals"`, `"normalization"`, `"lstm"`, `"dropout"` and `"logits"`.

    Raises:
        ValueError: when an argument is out of range.
    """
    _check(seconds, classes, rate, hidden_size, dropout)
    signals = keras.Input((seconds, rate), dtype="float32", name="signals")
    x = signals
    if normalize:
        x = keras.layers.Normalization(axis=None, dtype="float32", name="normalization")(x)
    x = keras.layers.LSTM(hidden_size, name="lstm")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    # Single precision, also under mixed precision: the loss takes logits.
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(signals, logits, name="bvp_lstm")


def _check(seconds, classes, rate, hidden_size, dropout) -> None:
    for name, value in {"seconds": seconds, "rate": rate, "hidden_size": hidden_size}.items():
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
    if classes < 2:
        raise ValueError(f"`classes` must be at least 2. Received: classes={classes}")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout}")

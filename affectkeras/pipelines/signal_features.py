"""A few numbers of each window of signals, for models that are no networks."""

from collections.abc import Sequence

import numpy as np

from affectkeras.pipelines.signals import Channel

FEATURES = ("mean", "SD", "slope", "mean change")


def simple_features(signals: np.ndarray, rate_hz: float = 4.0) -> np.ndarray:
    """Return four numbers of every channel of every window.

    Args:
        signals: `(windows, time, channels)`, at least two values in time. NaN makes the features of
            its channel NaN.
        rate_hz: values per second.

    Returns:
        float64 `(windows, 4 * channels)`, channel after channel: the mean; the standard deviation
        (divisor n); the slope of the line of least squares, per second; the mean absolute
        difference of neighbouring values.
    """
    if signals.ndim != 3 or signals.shape[1] < 2:
        raise ValueError(
            "`signals` must be (windows, time, channels) with a time of 2 or more. "
            f"Received: {signals.shape}"
        )
    signals = np.asarray(signals, np.float64)
    mean = signals.mean(axis=1)
    centred = signals - mean[:, np.newaxis]
    time = np.arange(signals.shape[1]) / rate_hz
    time -= time.mean()
    slope = np.einsum("t,wtc->wc", time, centred) / (time @ time)
    deviation = np.sqrt(np.square(centred).mean(axis=1))
    change = np.abs(np.diff(signals, axis=1)).mean(axis=1)
    features = np.stack([mean, deviation, slope, change], axis=-1)
    return features.reshape(len(signals), -1)


def feature_names(channels: Sequence[Channel]) -> list[str]:
    """Return the names of the columns of `simple_features`, such as `"bvp mean"`."""
    return [f"{channel.name} {feature}" for channel in channels for feature in FEATURES]

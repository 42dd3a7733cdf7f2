"""A few numbers of each window of signals, for models that are no networks."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectkeras.pipelines.signal_channels import Channel
from affectkeras.pipelines.signal_scales import STILL

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


def scale_by_subject(features: np.ndarray, subjects: Sequence[str]) -> np.ndarray:
    """Return features less their subject's mean, divided by their subject's standard deviation.

    No label is used, but all windows of a subject are, those of the test part too: as with
    `scale="subject"` of `cut_windows`, it tells how well a model does for a person whose recording
    is known as a whole. Deviations (divisor n) that differ from person to person are scaled away
    here, which scaled signals leave standing: how much the slope usually varies, for instance.

    Args:
        features: `(windows, features)`.
        subjects: whose window each is, `(windows,)`.

    Returns:
        float64 `(windows, features)`; 0 where a feature is the same in all windows of the subject.
    """
    if len(subjects) != len(features):
        raise ValueError(
            "`subjects` must have one entry per window. "
            f"Received: {len(subjects)} for {len(features)} windows"
        )
    groups = pd.DataFrame(np.asarray(features, np.float64)).groupby(np.asarray(subjects, object))
    mean = groups.transform("mean").to_numpy()
    deviation = groups.transform("std", ddof=0).to_numpy()
    still = deviation <= STILL * np.abs(mean)
    return np.where(still, 0, (features - mean) / np.where(still, 1, deviation))


def feature_names(channels: Sequence[Channel]) -> list[str]:
    """Return the names of the columns of `simple_features`, such as `"bvp mean"`."""
    return [f"{channel.name} {feature}" for channel in channels for feature in FEATURES]

"""From recordings of wearables to windows of signals with one label each: the door.

Source: the lecture on emotion from wearables: one common rate of 4 Hz, windows of 5 s that end at
the annotation, low (1–3) against high (4–5). NumPy and pandas only.
"""

from affectkeras.pipelines.resampling import resample
from affectkeras.pipelines.signal_channels import Channel, cut_channels
from affectkeras.pipelines.signal_labels import as_seconds, binary_levels, class_weights
from affectkeras.pipelines.signal_windows import cut_windows

__all__ = [
    "Channel",
    "as_seconds",
    "binary_levels",
    "class_weights",
    "cut_channels",
    "cut_windows",
    "resample",
]

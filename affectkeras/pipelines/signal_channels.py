"""Channels of a recording: what they are called, their windows, and their scale by subject."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from affectkeras.datasets.recordings import Recording
from affectkeras.datasets.table import ExampleTable
from affectkeras.errors import UserError
from affectkeras.pipelines.resampling import resample_windows
from affectkeras.pipelines.signal_scales import Scale, SubjectScale, subject_scale

AXES = ("x", "y", "z")
LENGTH = "length"


@dataclasses.dataclass(frozen=True)
class Channel:
    """One line of numbers of a recording.

    Args:
        signal: its name, such as `"bvp"`.
        axis: of a signal with axes, which: 0, 1, 2 are x, y, z; `"length"`: that of the vector,
            which does not tell how the device was turned.
        change: whether it is not the values that count but by how much each differs from the one
            before it, up or down: how restless the signal is, whatever its level.
    """

    signal: str
    axis: int | Literal["length"] | None = None
    change: bool = False

    @property
    def name(self) -> str:
        """Such as `"bvp"`, `"acceleration.x"` or `"eda.change"`."""
        axis = self.axis
        if isinstance(axis, int):
            axis = AXES[axis] if axis < len(AXES) else str(axis)
        return ".".join([self.signal, *[axis] * (axis is not None), *["change"] * self.change])


def cut_channels(
    recording: Recording,
    channels: Sequence[Channel],
    starts_s: np.ndarray,
    *,
    samples: int,
    rate_hz: float = 4.0,
) -> np.ndarray:
    """Return windows of a recording as `resample` leaves them: not scaled, gaps not filled.

    Args:
        recording: of one person.
        channels: in the order wanted; of a signal that the recording lacks, all is NaN.
        starts_s: when the windows begin, `(windows,)`.
        samples: values of each channel in a window.
        rate_hz: values per second.

    Returns:
        float32 `(windows, samples, channels)`.
    """
    starts = np.asarray(starts_s, np.float64)
    signals = np.full((len(starts), samples, len(channels)), np.nan, np.float32)
    for place, values in channel_windows(recording, channels, starts, samples, rate_hz):
        signals[:, :, place] = values
    return signals


def channel_windows(
    recording: Recording,
    channels: Sequence[Channel],
    starts_s: np.ndarray,
    samples: int,
    rate_hz: float,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the place in `channels` and the values `(windows, samples)` of those it has.

    Raises:
        ValueError: when a channel names an axis that its signal lacks, or none of several.
    """
    for name in dict.fromkeys(channel.signal for channel in channels):
        signal = recording.signals.get(name)
        if signal is None:
            continue
        places = [place for place, channel in enumerate(channels) if channel.signal == name]
        for place in places:
            _check_axis(channels[place], signal.values)
        values = resample_windows(signal, rate_hz, starts_s, samples)
        for place in places:
            axis = channels[place].axis
            found = np.linalg.norm(values, axis=0) if axis == LENGTH else values[axis or 0]
            yield place, _changes(found) if channels[place].change else found


def check_channels(table: ExampleTable, channels: Sequence[Channel]) -> None:
    """Raise when there are no channels, one stands twice, or no recording has its signal."""
    if not channels or len(set(channels)) < len(channels):
        names = [channel.name for channel in channels]
        raise ValueError(f"`channels` must be one or more, each once. Received: {names}")
    used = [table.payload.recordings[number] for number in np.unique(table.payload.index)]
    known = sorted({name for recording in used for name in recording.signals})
    for channel in channels:
        if channel.signal not in known:
            raise UserError(
                f"{table.name}: no recording has the signal {channel.signal!r}; there are "
                f"{', '.join(known)}."
            )


def subject_scales(
    table: ExampleTable, channels: Sequence[Channel], rate_hz: float, how: Scale
) -> dict[str, list[SubjectScale]]:
    """Return the scale of each channel of every subject; nothing where `how` is `"none"`.

    Values are taken at the common rate over the time from the first stretch to the last of each of
    the subject's recordings, all together, and of what is there of it.
    """
    if how == "none":
        return {}
    index, stretches = table.payload.index, table.frame
    firsts, lasts = stretches["start_s"].to_numpy(), stretches["end_s"].to_numpy()
    taken: dict[str, list[list[np.ndarray]]] = {}
    for number in np.unique(index):
        recording, rows = table.payload.recordings[number], index == number
        start = firsts[rows].min()
        samples = int(np.floor((lasts[rows].max() - start) * rate_hz + 1e-6))
        of_subject = taken.setdefault(recording.subject, [[] for _ in channels])
        found = channel_windows(recording, channels, np.array([start]), samples, rate_hz)
        for place, values in found:
            of_subject[place].append(values[0][~np.isnan(values[0])].astype(np.float64))
    return {
        subject: [subject_scale(parts, how) for parts in of_channels]
        for subject, of_channels in taken.items()
    }


def _changes(values: np.ndarray) -> np.ndarray:
    """Return how far each value is from the one before; the first as far as the second."""
    changes = np.abs(np.diff(values, axis=1))
    return np.concatenate([changes[:, :1], changes], axis=1) if changes.size else values * 0


def _check_axis(channel: Channel, values: np.ndarray) -> None:
    axes = values.shape[1] if values.ndim == 2 else 0
    if axes and channel.axis == LENGTH:
        return
    if (
        channel.axis == LENGTH
        or (channel.axis is None) != (axes == 0)
        or (axes and not 0 <= channel.axis < axes)
    ):
        wanted = f"from 0 to {axes - 1} or 'length'" if axes else "None"
        raise ValueError(
            f"`axis` of the channel {channel.signal} must be {wanted}. Received: {channel.axis}"
        )

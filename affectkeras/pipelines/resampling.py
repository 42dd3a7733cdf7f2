"""Signals of different rates on one common grid of time.

Source: the lecture on emotion from wearables: pulse (64 Hz) down to 4 Hz by a rolling mean, heart
rate (1 Hz) up by linear interpolation, skin conductance and temperature (4 Hz) as they are.
Everything is done for all windows of a recording at once.
"""

import numpy as np

from affectkeras.datasets.recordings import Signal

# Sample numbers made of seconds since 1970 are right to about 1e-5 of a sample.
_NUMBER_ERROR = 1e-3


def resample(signal: Signal, rate_hz: float, start_s: float, samples: int) -> np.ndarray:
    """Return a signal at another rate; what is missing is NaN.

    The value of slot k belongs to the time from `start_s + k / rate_hz` until the next slot begins.
    By the ratio of the signal's rate to `rate_hz` it is:
        a whole number above 1 (64 to 4 Hz): the mean of the samples taken within the slot, so that
            each counts once and none is later than the slot.
        1: the sample nearest to the slot's beginning; of two equally near the earlier.
        another number above 1 (100 to 33 Hz): the rolling mean over as many samples as fit into a
            slot wholly (3), each mean standing where its first sample does, interpolated linearly
            at the slot's beginning.
        below 1 (1 to 4 Hz): interpolated linearly at the slot's beginning, between two neighbouring
            samples only. Where the next one is missing, or the signal ends, a sample stands for its
            own period and no longer: a gap is never bridged, and its share of the time is kept.
    A mean is of the samples that are there; a slot is missing where none is.

    Args:
        signal: what was recorded.
        rate_hz: slots per second.
        start_s: when the first slot begins, on the signal's clock.
        samples: how many slots.

    Returns:
        float32 `(samples,)`, or `(samples, axes)` where the signal has axes.
    """
    values = resample_windows(signal, rate_hz, np.array([start_s]), samples)[:, 0]
    values = np.ascontiguousarray(values.T, np.float32)
    return values if signal.values.ndim == 2 else values[:, 0]


def resample_windows(
    signal: Signal, rate_hz: float, starts_s: np.ndarray, samples: int
) -> np.ndarray:
    """Return what `resample` does for many beginnings at once, axes first.

    Args:
        signal, rate_hz, samples: see `resample`.
        starts_s: when each window begins, float64 `(windows,)`.

    Returns:
        `(axes, windows, samples)`, float64 where values were computed, else float32.
    """
    if not rate_hz > 0 or samples < 0:
        raise ValueError(
            "`rate_hz` must be above 0 and `samples` 0 or above. "
            f"Received: rate_hz={rate_hz}, samples={samples}"
        )
    values = signal.values.T if signal.values.ndim == 2 else signal.values[np.newaxis]
    starts = np.asarray(starts_s, np.float64)
    firsts = (starts - signal.start_s) * signal.rate_hz  # in samples, with fractions
    ratio = signal.rate_hz / rate_hz
    whole = round(ratio)
    if whole >= 1 and abs(ratio - whole) <= 1e-9 * whole:
        if whole == 1:
            return _nearest(values, firsts, samples)
        return _slot_means(values, firsts, whole, samples)
    if ratio > 1:
        values = _rolling_means(values, int(ratio))
    return _interpolated(values, firsts[:, np.newaxis] + ratio * np.arange(samples))


def fill_gaps(values: np.ndarray) -> np.ndarray:
    """Return rows of values with NaN interpolated linearly; before and after all, the nearest.

    Args:
        values: `(rows, time)`; a row of NaN alone stays as it is.
    """
    there = ~np.isnan(values)
    time = np.arange(values.shape[1])
    before = np.maximum.accumulate(np.where(there, time, -1), axis=1)
    after = np.where(there, time, len(time))[:, ::-1]
    after = np.minimum.accumulate(after, axis=1)[:, ::-1]
    # Outside of what is there, both neighbours are the nearest value.
    left = np.where(before < 0, after, before) % len(time)
    right = np.where(after == len(time), before, after) % len(time)
    low = np.take_along_axis(values, left, axis=1)
    high = np.take_along_axis(values, right, axis=1)
    share = (time - left) / np.maximum(right - left, 1)
    return np.where(there, values, low + share * (high - low))


def _nearest(values: np.ndarray, firsts: np.ndarray, samples: int) -> np.ndarray:
    begin = np.ceil(firsts - 0.5 - _NUMBER_ERROR).astype(np.int64)
    return _take(_framed(values), begin[:, np.newaxis] + np.arange(samples))


def _slot_means(values: np.ndarray, firsts: np.ndarray, width: int, samples: int) -> np.ndarray:
    """Return means of `width` samples each, by differences of running sums."""
    begin = np.ceil(firsts - _NUMBER_ERROR).astype(np.int64)
    edges = begin[:, np.newaxis] + width * np.arange(samples + 1)
    edges = np.clip(edges, 0, values.shape[1])
    sums, counts, centre = _running_sums(values)
    counted = np.diff(edges) if counts is None else np.diff(np.take(counts, edges, axis=1))
    return _means(np.diff(np.take(sums, edges, axis=1)), counted, centre[..., np.newaxis])


def _rolling_means(values: np.ndarray, width: int) -> np.ndarray:
    """Return at each sample the mean of it and the next ones, `width` together, `(axes, n)`.

    The last ones, with fewer samples after them, are means of those there are.
    """
    sums, counts, centre = _running_sums(values)
    if counts is None:
        counts = np.arange(sums.shape[1])[np.newaxis]
    return _means(_ahead(sums, width), _ahead(counts, width), centre)


def _ahead(sums: np.ndarray, width: int) -> np.ndarray:
    """Return by how much sums grow within the next `width` samples, or up to the last one."""
    grown = np.repeat(sums[:, -1:], sums.shape[1] - 1, axis=1)
    grown[:, : max(sums.shape[1] - width, 0)] = sums[:, width:]
    return grown - sums[:, :-1]


def _running_sums(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Return the sums and counts of the first 0, 1, … samples, and what was subtracted before.

    Subtracted is the mean of each axis, so that sums stay small. Counts are None where no sample
    is missing.
    """
    values = np.ascontiguousarray(values)  # sums along a strided axis take many times as long
    total = values.sum(axis=1, dtype=np.float64, keepdims=True)
    if np.isfinite(total).all():
        centre = total / max(values.shape[1], 1)
        return _summed(values - centre), None, centre
    there = np.isfinite(values)  # a single infinity would spoil every sum after it
    counts = _summed(there.astype(np.int64))
    total = values.sum(axis=1, dtype=np.float64, keepdims=True, where=there)
    centre = total / np.maximum(counts[:, -1:], 1)
    centred = values - centre
    centred[~there] = 0
    return _summed(centred), counts, centre


def _summed(values: np.ndarray) -> np.ndarray:
    sums = np.zeros((len(values), values.shape[1] + 1), values.dtype)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _means(sums: np.ndarray, counts: np.ndarray, centre: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where(counts > 0, sums / np.maximum(counts, 1) + centre, np.nan)


def _interpolated(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return values between samples at places counted in samples, `(axes, *places.shape)`."""
    left = np.floor(places + _NUMBER_ERROR).astype(np.int64)
    share = np.clip(places - left, 0, 1)
    framed = _framed(values)
    low = _take(framed, left).astype(np.float64)
    high = _take(framed, left + 1)
    return low + share * np.where(np.isnan(high), 0, high - low)


def _framed(values: np.ndarray) -> np.ndarray:
    """Return the values with one NaN before and one after: what lies outside."""
    framed = np.full((len(values), values.shape[1] + 2), np.nan, values.dtype)
    framed[:, 1:-1] = values
    return framed


def _take(framed: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return np.take(framed, np.clip(numbers + 1, 0, framed.shape[1] - 1), axis=1)

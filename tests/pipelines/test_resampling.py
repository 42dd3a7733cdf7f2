"""Signals on a common grid of time, held to values by hand and to a slow version with pandas."""

import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.recordings import Signal
from affectkeras.pipelines.resampling import fill_gaps, resample, resample_windows

START = 1_600_000_000.0  # s since 1970
NAN = np.nan


def signal(values, rate_hz, start_s=0.0):
    return Signal(np.asarray(values, np.float32), start_s, rate_hz)


def slow_value(series, period, slot, time):
    """Return one value of the grid.

    Args:
        series: samples by their times, steady, NaN where missing.
        period, slot: seconds from sample to sample, and from slot to slot.
        time: when the slot begins.
    """
    near = 1e-3 * period  # clocks are rounded
    ratio = slot / period
    if abs(ratio - round(ratio)) < 1e-9 and round(ratio) > 1:
        return series[(series.index >= time - near) & (series.index < time + slot - near)].mean()
    if abs(ratio - 1) < 1e-9:
        away = np.abs(series.index - time)
        nearest = int(away.argmin())
        return series.iloc[nearest] if away[nearest] <= period / 2 + near else NAN
    if ratio > 1:
        # pandas looks back, so the order is turned round.
        width = int(ratio)
        series = series.iloc[::-1].rolling(width, min_periods=1).mean().iloc[::-1]
    before = series[series.index <= time + near]
    if not len(before) or time - before.index[-1] >= period - near:
        return NAN
    after = series[series.index > time + near]
    low = before.iloc[-1]
    if not len(after) or np.isnan(after.iloc[0]):
        return low
    share = max(time - before.index[-1], 0) / (after.index[0] - before.index[-1])
    return low + share * (after.iloc[0] - low)


def slow_resample(one, rate_hz, start_s, samples):
    times = one.start_s + np.arange(len(one.values)) / one.rate_hz
    series = pd.Series(one.values.astype(np.float64), index=times)
    slots = start_s + np.arange(samples) / rate_hz
    return np.array([slow_value(series, 1 / one.rate_hz, 1 / rate_hz, time) for time in slots])


def test_a_quick_signal_is_averaged_over_each_slot():
    one = signal(range(1, 13), 16.0)
    np.testing.assert_array_equal(resample(one, 4.0, 0.0, 3), np.float32([2.5, 6.5, 10.5]))


def test_a_slot_begins_with_the_first_sample_taken_in_it():
    # Samples stand at 0, 1/8, 2/8 …; the slots begin at 0.1 and 0.35 s.
    one = signal([1, 2, 4, 8, 16, 32], 8.0)
    np.testing.assert_array_equal(resample(one, 4.0, 0.1, 2), np.float32([3, 12]))


def test_nothing_after_a_window_has_a_part_in_means():
    values = np.arange(64, dtype=np.float32)
    changed = values.copy()
    changed[32:] = 1e6
    for rate_hz in (4.0, 3.0):
        samples = int(rate_hz)
        one, other = (resample(signal(v, 32.0), rate_hz, 0.0, samples) for v in (values, changed))
        np.testing.assert_array_equal(one, other)


def test_a_mean_is_of_the_samples_that_are_there():
    one = signal([1, NAN, NAN, NAN, 5, 7, NAN, NAN], 16.0)
    np.testing.assert_array_equal(resample(one, 8.0, 0.0, 4), np.float32([1, NAN, 6, NAN]))


def test_before_and_after_a_quick_signal_nothing_is_there():
    # The signal begins in the middle of the second slot and ends in the middle of the fourth.
    one = signal([1, 2, 3, 4, 5, 6, 7, 8], 16.0, 0.375)
    np.testing.assert_array_equal(resample(one, 4.0, 0.0, 5), np.float32([NAN, 1.5, 4.5, 7.5, NAN]))


def test_a_signal_of_the_common_rate_stays_as_it_is():
    one = signal([3, 1, NAN, 4], 4.0, 0.5)
    expected = np.float32([NAN, 3, 1, NAN, 4, NAN])
    for shift in (0.0, 0.1, -0.1):
        np.testing.assert_array_equal(resample(one, 4.0, 0.25 + shift, 6), expected)


def test_of_two_samples_equally_near_the_earlier_is_taken():
    one = signal([1, 2, 3], 4.0, START)
    np.testing.assert_array_equal(resample(one, 4.0, START + 0.125, 2), np.float32([1, 2]))


def test_a_slow_signal_is_interpolated_linearly():
    one = signal([60, 64, 56], 1.0, 10.0)
    expected = np.float32([60, 61, 62, 63, 64, 62, 60, 58, 56])
    np.testing.assert_array_equal(resample(one, 4.0, 10.0, 9), expected)
    np.testing.assert_array_equal(resample(one, 2.0, 10.25, 2), np.float32([61, 63]))


def test_the_last_value_stands_for_its_own_period():
    one = signal([60, 64], 1.0, 10.0)
    expected = np.float32([NAN, 60, 62, 64, 64, NAN, NAN])
    np.testing.assert_array_equal(resample(one, 2.0, 9.5, 7), expected)


def test_a_gap_is_never_bridged_and_keeps_its_share_of_the_time():
    one = signal([60, NAN, NAN, 66, 70], 1.0)
    expected = np.float32([60, 60, NAN, NAN, NAN, NAN, 66, 68, 70, 70])
    np.testing.assert_array_equal(resample(one, 2.0, 0.0, 10), expected)


@pytest.mark.parametrize("to", [40.0, 16.0, 10.0, 8.0, 5.0])
def test_the_rounding_of_the_clock_loses_no_sample_after_a_gap(to):
    # Differences of times since 1970 come out up to 2e-7 s too small or too large.
    for late in np.arange(0, 1, 0.001):
        one = signal([1, NAN, NAN, 5, 5, 5], 10.0, START + late)
        assert resample(one, to, START + (late + 0.3), 1) == 5


def test_a_rate_that_does_not_divide_takes_rolling_means_and_interpolates_between():
    # Of a straight line the mean of three samples lies one sample on; slots are 100/33 apart.
    one = signal(np.arange(100), 100.0)
    expected = np.arange(30) * 100 / 33 + 1
    np.testing.assert_allclose(resample(one, 33.0, 0.0, 30), expected, rtol=1e-6)
    # Slots 2.5 samples apart: means of (0, 6), then half way from (6, 0) to (0, 9).
    one = signal([0, 6, 6, 0, 9], 10.0)
    np.testing.assert_allclose(resample(one, 4.0, 0.0, 2), [3, (3 + 4.5) / 2], rtol=1e-6)


def test_a_signal_shorter_than_a_slot_has_the_mean_of_all_it_has():
    one = signal([3, 5, 7, 1, 1, 1, 1, 5], 42.0)  # ten samples fit into a slot
    found = resample(one, 4.0, 0.0, 2)
    np.testing.assert_array_equal(found, np.float32([3, NAN]))


def test_axes_are_resampled_each_for_itself():
    values = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    for rate_hz in (4.0, 5.0, 32.0, 50.0):
        found = resample(signal(values, 32.0), rate_hz, 0.3, 7)
        assert found.shape == (7, 3)
        assert found.dtype == np.float32
        for axis in range(3):
            one = resample(signal(values[:, axis], 32.0), rate_hz, 0.3, 7)
            np.testing.assert_array_equal(found[:, axis], one)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("rate", "to"),
    [
        (64, 4),
        (32, 4),
        (64, 64),
        (4, 4),
        (1, 4),
        (4, 64),
        (100, 33),
        (10, 4),
        (3, 2),
        (42, 4),
        (700, 4),
    ],
)
def test_a_slow_version_says_the_same(rate, to, seed):
    random = np.random.default_rng([seed, rate, to])
    values = random.normal(30, 5, random.integers(1, 12 * rate)).astype(np.float32)
    for _ in range(random.integers(0, 4)):  # gaps
        first = random.integers(0, len(values))
        values[first : first + random.integers(1, 3 * rate)] = NAN
    one = signal(values, float(rate), START + round(random.uniform(0, 4), 3))
    start = START + round(random.uniform(-2, 6), 3)
    samples = int(random.integers(1, 6 * to))
    found = resample(one, float(to), start, samples)
    np.testing.assert_allclose(found, slow_resample(one, to, start, samples), rtol=1e-5)


def test_many_windows_at_once_are_as_one_by_one():
    random = np.random.default_rng(1)
    one = signal(random.normal(size=(640, 2)), 64.0, START)
    starts = START + random.uniform(-2, 9, 20)
    found = resample_windows(one, 4.0, starts, 12)
    for window, start in enumerate(starts):
        np.testing.assert_array_equal(
            found[:, window].T.astype(np.float32), resample(one, 4.0, start, 12)
        )


def test_means_of_a_long_signal_far_from_zero_are_exact():
    values = np.full(64 * 3600, 1e6, np.float32)
    values[::2] += 1
    found = resample(signal(values, 64.0, START), 4.0, START + 3590, 40)
    np.testing.assert_array_equal(found, np.full(40, 1e6 + 0.5, np.float32))


def test_an_infinite_sample_spoils_no_mean_but_is_missing():
    one = signal([1, 3, np.inf, 5, np.inf, np.inf, 7, 9], 16.0)
    np.testing.assert_array_equal(resample(one, 8.0, 0.0, 4), np.float32([2, 5, NAN, 8]))


def test_a_signal_without_samples_is_missing():
    for rate in (1.0, 4.0, 10.0, 64.0):
        assert np.isnan(resample(signal([], rate), 4.0, 0.0, 5)).all()


def test_gaps_are_filled_on_the_straight_line_and_by_the_nearest_at_the_ends():
    rows = np.array([[NAN, 1, NAN, NAN, 4, NAN], [0, 1, 2, 3, 4, 5], [NAN] * 5 + [7]])
    expected = [[1, 1, 2, 3, 4, 4], [0, 1, 2, 3, 4, 5], [7] * 6]
    np.testing.assert_allclose(fill_gaps(rows), expected, rtol=1e-12)
    assert np.isnan(fill_gaps(np.full((1, 4), NAN))).all()


def test_gaps_are_filled_as_pandas_fills_them():
    rows = np.random.default_rng(2).normal(size=(50, 20))
    rows[np.random.default_rng(3).random(rows.shape) < 0.5] = NAN
    expected = pd.DataFrame(rows.T).interpolate(limit_direction="both").to_numpy().T
    np.testing.assert_allclose(fill_gaps(rows), expected, rtol=1e-12)


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ValueError, match="`rate_hz` must be above 0 .* Received: rate_hz=0"):
        resample(signal([1], 1.0), 0.0, 0.0, 1)

"""Samples with times of their own go on a steady grid, and what was not steady is counted."""

from itertools import pairwise

import numpy as np
import pytest

from affectkeras.datasets.regular_grid import GridCounts, put_in_order, regular_grid, told_rate


def slow_grid(times, values, rate):
    """The same in plain Python, sample by sample."""
    samples = sorted(zip(times, values, strict=True), key=lambda pair: pair[0])
    start = samples[0][0]
    slots = {}
    for time, value in samples:
        slots.setdefault(int(np.floor((time - start) * rate + 0.5)), []).append((time, value))
    grid = []
    for slot in range(max(slots) + 1):
        numbers = [value for _, value in slots.get(slot, []) if not np.isnan(value)]
        grid.append(sum(numbers) / len(numbers) if numbers else np.nan)
    shared = sum(len({time for time, _ in found}) > 1 for found in slots.values())
    empty = len(grid) - len(slots)
    return np.array(grid, np.float32), start, shared, empty


def test_steady_samples_stay_as_they_are():
    times = 1_548_136_761 + np.arange(200) / 64
    values = np.sin(np.arange(200))
    signal, counts = regular_grid(np.round(times, 3), values, 64)
    np.testing.assert_array_equal(signal.values, values.astype(np.float32))
    assert signal.values.dtype == np.float32
    assert (signal.start_s, signal.rate_hz) == (1_548_136_761.0, 64.0)
    assert signal.end_s == 1_548_136_761 + 200 / 64
    assert counts == GridCounts()


def test_slots_without_a_sample_are_missing_and_counted_with_their_runs():
    signal, counts = regular_grid(np.array([10, 10.25, 11, 11.75]), np.array([1, 2, 3, 4]), 4)
    nan = np.nan
    np.testing.assert_array_equal(signal.values, [1, 2, nan, nan, 3, nan, nan, 4])
    assert counts == GridCounts(empty=4, gaps=2)


def test_several_values_in_a_slot_become_their_mean():
    times = np.array([0, 1, 1.3, 2.6, 3.4])
    signal, counts = regular_grid(times, np.array([60, 62, 64, 70, 80]), 1)
    np.testing.assert_array_equal(signal.values, [60, 63, np.nan, 75])
    assert counts == GridCounts(shared=2, empty=1, gaps=1)


def test_samples_of_the_same_time_are_averaged_and_counted_as_repeated():
    signal, counts = regular_grid(np.array([0, 1, 1, 1, 2]), np.array([5, 1, 2, 6, 5]), 1)
    np.testing.assert_array_equal(signal.values, [5, 3, 5])
    assert counts == GridCounts(repeated=2)


def test_decreasing_times_are_counted_and_the_samples_sorted():
    signal, counts = regular_grid(np.array([2.0, 0, 1, 4, 3]), np.array([2, 0, 1, 4, 3]), 1)
    np.testing.assert_array_equal(signal.values, [0, 1, 2, 3, 4])
    assert signal.start_s == 0
    assert counts == GridCounts(decreasing=2)


def test_a_sample_half_a_slot_late_goes_into_the_later_slot():
    signal, counts = regular_grid(np.array([0, 0.5, 1.5]), np.array([1, 2, 3]), 1)
    np.testing.assert_array_equal(signal.values, [1, 2, 3])
    assert counts == GridCounts()


def test_values_that_are_missing_do_not_count_in_a_mean_nor_as_an_empty_slot():
    values = np.array([1, np.nan, 4, np.nan, 6])
    signal, counts = regular_grid(np.array([0, 1, 1.2, 2, 3]), values, 1)
    np.testing.assert_array_equal(signal.values, [1, 4, np.nan, 6])
    assert counts == GridCounts(shared=1)


def test_every_axis_has_its_own_mean():
    values = np.array([[1, 10, 100], [2, 20, np.nan], [4, 40, 400]])
    signal, _ = regular_grid(np.array([0, 1, 1.25]), values, 1)
    np.testing.assert_array_equal(signal.values, [[1, 10, 100], [3, 30, 400]])


def test_samples_without_a_time_or_with_one_far_away_are_left_out_and_counted():
    times = np.array([0, 5e5, 5e5 + 1, np.nan, 5e5 + 2, 1.5e12, np.inf])
    signal, counts = regular_grid(times, np.arange(7), 1)
    np.testing.assert_array_equal(signal.values, [1, 2, 4])
    assert counts == GridCounts(untimed=2, far=2)


def test_of_two_samples_far_apart_one_is_kept():
    signal, counts = regular_grid(np.array([0, 1e9]), np.array([1, 2]), 64)
    assert list(signal.values) == [1]
    assert counts == GridCounts(far=1)


@pytest.mark.parametrize("seed", range(20))
def test_any_times_give_what_a_slow_version_gives(seed):
    random = np.random.default_rng(seed)
    rate = random.choice([0.5, 1, 4, 33, 64])
    times = np.round(1e9 + random.uniform(0, 90, random.integers(1, 400)), 2)
    values = random.normal(size=len(times))
    values[random.uniform(size=len(times)) < 0.1] = np.nan
    signal, counts = regular_grid(times, values, rate)
    grid, start, shared, empty = slow_grid(times, values, rate)
    np.testing.assert_allclose(signal.values, grid, rtol=1e-6)
    assert (signal.start_s, counts.shared, counts.empty) == (start, shared, empty)
    assert counts.repeated == len(times) - len(set(times))
    assert counts.decreasing == sum(after < before for before, after in pairwise(times))
    taken = set(np.floor((times - start) * rate + 0.5).astype(int))
    holes = np.array([slot not in taken for slot in range(len(grid))])
    assert counts.gaps == (np.diff(holes.astype(int), prepend=0) == 1).sum()


def test_one_sample_is_a_signal():
    signal, counts = regular_grid(np.array([7.5]), np.array([3]), 4)
    assert (list(signal.values), signal.start_s) == ([3], 7.5)
    assert counts == GridCounts()


def test_shapes_that_do_not_fit_and_no_times_are_refused():
    with pytest.raises(ValueError, match=r"Received: \(3,\) and \(2,\)"):
        regular_grid(np.zeros(3), np.zeros(2), 1)
    with pytest.raises(ValueError, match=r"Received: \(2, 2\) and \(2,\)"):
        regular_grid(np.zeros((2, 2)), np.zeros(2), 1)
    with pytest.raises(ValueError, match="`rate_hz` must be above 0. Received: 0"):
        regular_grid(np.zeros(3), np.zeros(3), 0)
    for nothing in (np.zeros(0), np.full(2, np.nan)):
        with pytest.raises(ValueError, match="at least one finite time. Received: none"):
            regular_grid(nothing, nothing, 1)


def test_counts_are_told_with_their_rules():
    told = GridCounts(repeated=2, gaps=1).describe()
    assert ("repeated time", 2, "samples of the same time are averaged") in told
    assert [count for _, count, _ in told].count(0) == len(told) - 2


@pytest.mark.parametrize("rate", [0.2, 1, 4, 30, 32, 64, 100])
def test_the_rate_is_told_by_times_whatever_is_wrong_with_some(rate):
    random = np.random.default_rng(int(rate * 10))
    times = np.round(1e9 + np.arange(2000) / rate, 3)
    times = np.delete(times, np.r_[100:150, 700:900])
    times = random.permutation(np.concatenate([times, times[random.integers(0, 1700, 300)]]))
    assert told_rate(times) == pytest.approx(rate, rel=1e-3)


def test_fewer_than_two_times_tell_no_rate():
    assert np.isnan(told_rate(np.array([4.0])))
    assert np.isnan(told_rate(np.array([4.0, 4.0])))


def test_samples_are_put_in_order_without_a_grid():
    times, values, counts = put_in_order(np.array([3, 1, np.nan, 1]), np.array([30, 10, 20, 11]))
    assert (list(times), list(values)) == ([1, 1, 3], [10, 11, 30])
    assert counts == GridCounts(untimed=1, decreasing=1, repeated=1)

"""Windows over the frames of a video, at once and as a stream."""

import numpy as np
import pytest

from affectkeras.pipelines.windows import join_windows, sliding_windows, stream_windows


def test_windows_begin_every_hop_and_the_last_ends_with_the_last_frame():
    np.testing.assert_array_equal(
        sliding_windows(9, 4, 2), [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [5, 6, 7, 8]]
    )
    np.testing.assert_array_equal(sliding_windows(6, 4, 2), [[0, 1, 2, 3], [2, 3, 4, 5]])


def test_few_frames_are_one_window_filled_up():
    np.testing.assert_array_equal(sliding_windows(2, 4, 2), [[0, 1, -1, -1]])
    np.testing.assert_array_equal(sliding_windows(4, 4, 2), [[0, 1, 2, 3]])
    assert sliding_windows(0, 4, 2).shape == (0, 4)


@pytest.mark.parametrize("length", range(1, 30))
@pytest.mark.parametrize(("size", "hop"), [(1, 1), (4, 2), (5, 2), (6, 6), (7, 1)])
def test_every_frame_stands_in_a_window(length, size, hop):
    windows = sliding_windows(length, size, hop)
    assert set(windows[windows >= 0].tolist()) == set(range(length))
    assert (np.diff(windows[:, 0]) > 0).all()


def test_a_hop_beyond_the_window_would_leave_frames_out():
    with pytest.raises(ValueError, match="`hop` must be from 1 to `size`. Received: hop=5, size=4"):
        sliding_windows(9, 4, 5)


def test_a_frame_has_its_value_from_the_first_window_that_holds_it():
    windows = sliding_windows(6, 4, 2)
    values = np.array([[10, 11, 12, 13], [22, 23, 24, 25]], float)[..., np.newaxis]
    joined = join_windows(windows, values, 7)
    np.testing.assert_array_equal(joined[:, 0], [10, 11, 12, 13, 24, 25, np.nan])


def test_what_fills_a_window_up_has_no_value():
    joined = join_windows(sliding_windows(2, 4, 2), np.ones((1, 4, 1)), 2)
    np.testing.assert_array_equal(joined, [[1], [1]])


@pytest.mark.parametrize("length", range(30))
@pytest.mark.parametrize(("size", "hop"), [(1, 1), (4, 2), (5, 2), (6, 6), (7, 1), (10, 5)])
def test_a_stream_says_the_same_with_little_in_memory(length, size, hop):
    features = np.random.default_rng(length).normal(size=(length, 3))
    longest = []

    def recur(part):
        longest.append(len(part))
        return np.cumsum(part, axis=0)  # what a frame gets depends on the window before it

    windows = sliding_windows(length, size, hop)
    padded = np.vstack([features, np.zeros((1, 3))])
    values = np.cumsum(padded[windows], axis=1)
    expected = join_windows(windows, values, length)
    found = list(stream_windows(iter(features), size, hop, recur))
    assert len(found) == length
    if length:
        np.testing.assert_allclose(found, expected)
        assert max(longest) <= size

"""The paper's protocol: 30 s of preparation, 20 clips, 6 s between two."""

import numpy as np
import pytest

from affectkeras.media.clip_times import clip_times, even_times
from affectkeras.media.video import VideoDamaged


def test_the_clips_share_what_preparation_and_gaps_leave():
    # 30 + 19 · 6 = 144 s; (904 - 144) / 20 = 38 s a clip.
    times = clip_times(904.0)
    assert len(times) == 20
    assert times[0] == (30.0, 68.0)
    assert times[1] == (74.0, 112.0)
    assert times[19] == pytest.approx((866.0, 904.0))


def test_told_lengths_may_lead_beyond_the_end():
    times = clip_times(10.0, 3, preparation_s=1, gap_s=0.5, clip_s=4)
    assert times == [(1.0, 5.0), (5.5, 9.5), (10.0, 14.0)]


def test_a_video_that_is_too_short_is_told_so():
    reason = "too short: 144 s, but 30 s of preparation and 19 gaps of 6 s take 144 s"
    with pytest.raises(VideoDamaged, match=reason):
        clip_times(144.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clips": 0}, "`clips` must be at least 1. Received: 0"),
        ({"gap_s": -1.0}, "`gap_s` must be a number of seconds from 0. Received: -1"),
        ({"preparation_s": float("nan")}, "`preparation_s` must be .* Received: nan"),
        ({"clip_s": 0.0}, "`clip_s` must be a positive number"),
    ],
)
def test_impossible_lengths_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        clip_times(900.0, **arguments)


def test_even_times_are_the_middles_of_equal_parts():
    np.testing.assert_allclose(even_times(10, 14, 4), [10.5, 11.5, 12.5, 13.5])
    with pytest.raises(ValueError, match="`count` must be at least 1"):
        even_times(0, 1, 0)
    with pytest.raises(ValueError, match="must end after it starts. Received: 2 to 2"):
        even_times(2, 2, 3)

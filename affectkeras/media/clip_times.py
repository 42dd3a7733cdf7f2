"""Where the clips of a recording begin and end, and where frames are taken from them. All in s."""

import math

import numpy as np

from affectkeras.media.video import VideoDamaged

# ANUStressDB: "about 30 seconds for preparing on the beginning of each video and … about 6 seconds
# between each pair of clips", 20 clips (Wang, StressNet, section 2.1).
PREPARATION_S = 30.0
GAP_S = 6.0
CLIPS = 20


def clip_times(
    duration_s: float,
    clips: int = CLIPS,
    *,
    preparation_s: float = PREPARATION_S,
    gap_s: float = GAP_S,
    clip_s: float | None = None,
) -> list[tuple[float, float]]:
    """Return `(start, end)` of every clip of a video that shows them one after another.

    Args:
        duration_s: of the video.
        clips: how many it holds.
        preparation_s: before the first clip.
        gap_s: between two clips.
        clip_s: length of each; None: they share equally what is left of the video. Told lengths may
            lead beyond the video's end.

    Raises:
        VideoDamaged: when preparation and gaps leave nothing for the clips.
        ValueError: for a number of clips below 1, or a length that is negative or no number.
    """
    for name, value in (("preparation_s", preparation_s), ("gap_s", gap_s)):
        if not 0 <= value < math.inf:
            raise ValueError(f"`{name}` must be a number of seconds from 0. Received: {value}")
    if clips < 1:
        raise ValueError(f"`clips` must be at least 1. Received: {clips}")
    if clip_s is not None and not 0 < clip_s < math.inf:
        raise ValueError(f"`clip_s` must be a positive number of seconds. Received: {clip_s}")
    if clip_s is None:
        without = preparation_s + (clips - 1) * gap_s
        if duration_s <= without:
            raise VideoDamaged(
                f"too short: {duration_s:g} s, but {preparation_s:g} s of preparation and "
                f"{clips - 1} gaps of {gap_s:g} s take {without:g} s"
            )
        clip_s = (duration_s - without) / clips
    starts = preparation_s + np.arange(clips) * (clip_s + gap_s)
    return [(float(start), float(start + clip_s)) for start in starts]


def even_times(start_s: float, end_s: float, count: int) -> np.ndarray:
    """Return the middles of `count` equal parts of a clip: float64 `(count,)`, ascending.

    No time lies on a border, where the clip before or after may still be seen.
    """
    if count < 1:
        raise ValueError(f"`count` must be at least 1. Received: {count}")
    if not start_s < end_s:
        raise ValueError(f"a clip must end after it starts. Received: {start_s} to {end_s}")
    return start_s + (np.arange(count) + 0.5) * ((end_s - start_s) / count)

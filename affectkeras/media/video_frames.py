"""The frames that a video shows at given times, exactly, without decoding all of it.

Time 0 is the presentation of the first frame. The frame at time t is the last whose presentation
time is at most t (compared to a millionth of a second); frames are never counted, so that variable
frame rates are read right. How many frames are asked for and how long the video is makes no
difference to the memory needed.
"""

import dataclasses
import itertools
import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from affectkeras.media.parallel import count_processors
from affectkeras.media.video import SEEKABLE, video_facts
from affectkeras.media.video_decoding import Found, decode_everything
from affectkeras.media.video_pass import VideoPass
from affectkeras.media.video_search import FrameSearch, NotByPackets

# A block of frames is looked for by one thread: long enough that beginning at a keyframe, typically
# 250 frames apart, costs little, and small enough to wait in memory.
_BLOCK_BYTES = 48 * 1024**2
_BLOCK_FRAMES = 30
_BLOCK_S = 20.0


@dataclasses.dataclass(frozen=True)
class VideoFrame:
    """What a video shows at a time.

    Args:
        asked_s: the time that was asked for, seconds.
        shown_s: when this frame's presentation begins, at most `asked_s`; NaN where there is none.
        pixels: as `video.frame_pixels` gives them; None where there are none.
        reason: why there are none; "" where there are.
    """

    asked_s: float
    shown_s: float
    pixels: np.ndarray | None
    reason: str = ""


def frames_at(
    path: str | os.PathLike, times_s: Sequence[float], *, workers: int | None = None
) -> Iterator[VideoFrame]:
    """Return an iterator over the frames shown at the given times, in their order.

    Of the file only the parts are read that are needed, of those only the frames are decoded that a
    wanted one builds on, and only wanted ones become pixels. A damaged or cut file gives what can
    be seen whole; every other time comes with the reason.

    Args:
        path: the video.
        times_s: seconds from the first frame, from 0, not descending.
        workers: threads; by default one per processor this process may use.

    Raises:
        VideoDamaged: when the file is no video that can be opened.
        ValueError: when a time is negative, no number, or before the one it follows.
    """
    times = [float(time) for time in times_s]
    if not all(0 <= time < math.inf for time in times):
        raise ValueError(f"`times_s` must be seconds from 0. Received: {times}")
    if any(later < earlier for earlier, later in itertools.pairwise(times)):
        raise ValueError("`times_s` must not descend: a video is read from its beginning.")
    facts = video_facts(path)
    workers = workers or count_processors()
    blocks = _blocks(times, facts.width * facts.height * 3)
    seekable = facts.container.split(",")[0] in SEEKABLE
    if workers == 1 or len(blocks) <= 1 or not seekable:
        return _look_up(path, times, workers)
    return _look_up_in_threads(path, blocks, workers)


def every_frame(path: str | os.PathLike) -> Iterator[VideoFrame]:
    """Yield every frame that can be decoded, in the order of presentation.

    Raises:
        VideoDamaged: when the file is no video that can be opened.
    """
    with VideoPass(path, threads=count_processors()) as video:
        for time, pixels in video.every_frame():
            yield VideoFrame(time, time, pixels)


def _blocks(times: list[float], frame_bytes: int) -> list[list[float]]:
    """Return the times in blocks that can be looked for one beside the other."""
    size = min(_BLOCK_FRAMES, max(1, _BLOCK_BYTES // max(1, frame_bytes)))
    blocks = [times[start : start + size] for start in range(0, len(times), size)]
    # Where wanted frames lie close together, one decoder that goes through is faster.
    enough = blocks and times[-1] - times[0] >= _BLOCK_S * (len(blocks) - 1)
    return blocks if enough else [times]


def _look_up(path: str | os.PathLike, times: list[float], threads: int) -> Iterator[VideoFrame]:
    with VideoPass(path, threads=threads) as video:
        ticks = [video.tick(time) for time in times]
        search = FrameSearch(video, ticks)
        results = _search_or_decode(video, search, ticks)
        for time, found in zip(times, results, strict=True):
            shown = math.nan if found.since is None else video.seconds(found.since)
            yield VideoFrame(time, shown, found.pixels, found.reason)


def _search_or_decode(video: VideoPass, search: FrameSearch, ticks: list[int]) -> Iterator[Found]:
    try:
        yield from search.run()
    except NotByPackets:
        yield from decode_everything(video, ticks[search.done :])


def _look_up_in_threads(path, blocks: list[list[float]], workers: int) -> Iterator[VideoFrame]:
    executor = ThreadPoolExecutor(workers)
    try:
        waiting: deque = deque()
        for block in blocks:
            waiting.append(executor.submit(lambda part: list(_look_up(path, part, 1)), block))
            if len(waiting) > workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)

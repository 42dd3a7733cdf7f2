"""Decoding all of a stretch of video to find what is shown: slow, and right whatever it holds."""

import dataclasses
from collections.abc import Iterator, Sequence

import av
import numpy as np

from affectkeras.media.video import frame_pixels
from affectkeras.media.video_pass import VideoPass

DAMAGED = "damaged: the picture that is shown then cannot be decoded whole"
_BACK_S = (0.0, 30.0)  # decoding begins before the tick, then so long before


@dataclasses.dataclass(frozen=True)
class Found:
    """What is shown at a tick: since which tick, the pixels, or else why there are none."""

    since: int | None
    pixels: np.ndarray | None
    reason: str = ""


def stands_alone(frame: av.VideoFrame) -> bool:
    """Return whether a picture builds on no other.

    With intra refresh, what counts as a keyframe builds on others, and the decoder does not tell
    that what follows is not whole.
    """
    return frame.pict_type == av.video.frame.PictureType.I


def decode_before(video: VideoPass, tick: int) -> Found | None:
    """Return the last picture up to a tick, every packet before it decoded without complaint."""
    for back_s in _BACK_S:
        video.seek(tick - video.span(back_s))
        first, last, clean = None, None, True
        for frame, fine in _decode_beyond(video, tick):
            if frame is not None and frame.pts > tick:
                break
            clean &= fine
            last = frame or last
            first = first or last
        if last is None or last.is_corrupt or not stands_alone(first):
            continue
        if clean or last.pts == tick:
            return Found(last.pts, frame_pixels(last))
    return None


def _decode_beyond(video: VideoPass, tick: int) -> Iterator[tuple[av.VideoFrame | None, bool]]:
    """Yield frames up to the first after a tick, and None where the decoder complains."""
    for packet in video.packets():
        frames, fine = video.decode(packet)
        if not fine:
            yield None, False
        for frame in frames:
            yield frame, True
            if frame.pts > tick:
                return
    frames, fine = video.drain()
    for frame in frames:
        yield frame, fine


def decode_everything(video: VideoPass, ticks: Sequence[int]) -> Iterator[Found]:
    """Yield what is shown at each tick, every frame from the beginning on decoded."""
    video.begin()
    last, end, clean, position = None, None, True, 0
    for frame, fine in _decode_beyond(video, ticks[-1] if len(ticks) else 0):
        clean &= fine
        if frame is None:
            continue
        while position < len(ticks) and ticks[position] < frame.pts:
            yield _shown(last, clean)
            position += 1
        last, clean = frame, True
        end = frame.pts + max(frame.duration or 0, video.interval)
    while position < len(ticks):
        if end is not None and ticks[position] >= end:
            yield Found(None, None, f"the video ends at {video.seconds(end):.3f} s")
        else:
            yield _shown(last, clean)
        position += 1


def _shown(frame: av.VideoFrame | None, clean: bool) -> Found:
    if frame is None:
        return Found(None, None, "damaged: no picture up to then tells when it is shown")
    if not clean or frame.is_corrupt:
        return Found(None, None, DAMAGED)
    return Found(frame.pts, frame_pixels(frame))

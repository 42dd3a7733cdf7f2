"""Videos: what a file holds, and its pixels as they were stored."""

import dataclasses
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
from av.stream import Discard

# What FFmpeg opens as a video though it is a still picture, a text, or a list of other files.
_NO_VIDEO_FORMATS = ("image2", "tty", "concat", "concatf", "hls", "dash", "imf", "webp_anim")
_NO_VIDEO_CODECS = ("ansi", "bintext", "xbin", "idf")

# Containers in which times stand on the same frames after a seek as without. In MPEG program
# streams they do not.
SEEKABLE = ("mov", "matroska", "avi", "mpegts", "flv")


class VideoDamaged(ValueError):
    """A file that cannot be used as a video; the message is the reason, without the file's name."""


@dataclasses.dataclass(frozen=True)
class VideoFacts:
    """What a video is, as its container tells.

    Args:
        width: pixels.
        height: pixels.
        duration_s: from the first frame to the end of the last one, seconds. A file that was cut
            off may still tell its former duration.
        frames: their number; 0 where the container does not tell it.
        rate: frames per second on average; 0 where it is not told.
        pixel_format: FFmpeg's name, such as `gray`, `gray16le`, `yuv420p`.
        codec: FFmpeg's name, such as `h264`.
        container: FFmpeg's name, such as `avi` or `mov,mp4,m4a,3gp,3g2,mj2`.
    """

    width: int
    height: int
    duration_s: float
    frames: int
    rate: float
    pixel_format: str
    codec: str
    container: str


def video_facts(path: str | os.PathLike) -> VideoFacts:
    """Return what a video is.

    Raises:
        VideoDamaged: with the reason: empty, unreadable, no video, no picture size.
    """
    with open_video(path) as container:
        stream = container.streams.video[0]
        return VideoFacts(
            width=stream.width,
            height=stream.height,
            duration_s=_told_duration(container, stream) or _measure_duration(container, stream),
            frames=stream.frames,
            rate=float(stream.average_rate or stream.guessed_rate or 0),
            pixel_format=stream.codec_context.pix_fmt or "unknown",
            codec=stream.codec_context.name,
            container=container.format.name,
        )


@contextmanager
def open_video(path: str | os.PathLike) -> Iterator[av.container.InputContainer]:
    """Open a file that holds a video; its first video stream is the one that is meant.

    Raises:
        VideoDamaged: with the reason.
    """
    container = _open(path)
    try:
        _check_streams(container)
        yield container
    finally:
        container.close()


def _open(path: str | os.PathLike) -> av.container.InputContainer:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VideoDamaged(f"cannot be read: {reason}") from error
    if not stat.S_ISREG(status.st_mode):
        raise VideoDamaged("not an ordinary file")
    if not status.st_size:
        raise VideoDamaged("the file is empty")
    # With "file:" a name such as "http:x" is no address, and lists of other files lead nowhere.
    name = f"file:{os.path.abspath(os.fspath(path))}"
    try:
        return av.open(
            name, options={"protocol_whitelist": "file"}, metadata_errors="replace", mode="r"
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoDamaged(f"no video that can be read: {_reason(error)}") from error


def _check_streams(container: av.container.InputContainer) -> None:
    kind = container.format.name
    if kind.endswith("_pipe") or kind in _NO_VIDEO_FORMATS:
        raise VideoDamaged(f"no video, but a still picture, text or list of files ({kind})")
    if not container.streams.video:
        raise VideoDamaged(f"the file ({kind}) holds no pictures")
    stream = container.streams.video[0]
    if stream.codec_context is None or stream.codec_context.name in _NO_VIDEO_CODECS:
        raise VideoDamaged("its pictures are in a form that cannot be decoded")
    if not stream.width or not stream.height:
        raise VideoDamaged("broken header: it tells no picture size")
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all


def frame_pixels(frame: av.VideoFrame) -> np.ndarray:
    """Return a frame's pixels as stored: grey stays grey, of 8 bits or more.

    Returns:
        uint8 `(height, width)` for 8-bit grey; uint16 `(height, width)` for 9 to 16 bits of grey,
        the numbers as stored; uint8 RGB `(height, width, 3)` for everything else. A picture that
        the file says to turn is turned.
    """
    name = frame.format.name
    if name == "gray":
        pixels = _plane(frame, np.uint8)
    elif name.startswith("gray") and name[4:-2].isdigit():
        pixels = _plane(frame, np.dtype("<u2" if name.endswith("le") else ">u2"))
        pixels = pixels.astype(np.uint16)
    else:
        pixels = frame.to_ndarray(format="rgb24", interpolation="BICUBIC")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels


def _plane(frame: av.VideoFrame, dtype) -> np.ndarray:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
    return rows[: frame.height, : frame.width].copy()


def frame_interval(stream: av.VideoStream) -> int:
    """Return the usual distance of two frames in ticks of the stream's time base, at least 1."""
    rate = stream.average_rate or stream.guessed_rate or 25
    return max(1, round(1 / (Fraction(rate) * stream.time_base)))


def _told_duration(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    if container.format.name.split(",")[0] not in SEEKABLE:
        return 0.0  # FFmpeg guesses it from the times at the end
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration:
        began = float((stream.start_time or 0) * stream.time_base)
        first = (container.start_time or 0) / av.time_base
        return max(0.0, container.duration / av.time_base - (began - first))
    return 0.0


def _measure_duration(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Return the duration by looking at every packet; nothing is decoded."""
    first = last = None
    try:
        for packet in container.demux(stream):
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None:
                end = time + (packet.duration or frame_interval(stream))
                first = time if first is None else min(first, time)
                last = end if last is None else max(last, end)
    except (av.error.FFmpegError, OSError, ValueError):
        pass  # cut off: what came before counts
    return float((last - first) * stream.time_base) if first is not None else 0.0


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]

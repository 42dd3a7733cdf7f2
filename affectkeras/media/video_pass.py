"""A video opened for reading forward: packets, frames, seeking and the clock."""

import contextlib
import math
import os
from collections.abc import Iterator

import av
import numpy as np

from affectkeras.media.video import SEEKABLE, frame_interval, frame_pixels, open_video

_TOLERANCE_S = 1e-6  # 0.3 as a float lies below three tenths
# PyAV's errors are FFmpegErrors, and besides whichever of Python's own errors comes closest.
_ERRORS = (av.error.FFmpegError, OSError, ValueError)
# Codecs whose frames that say they are no reference are none to any frame. HEVC's may be one to
# frames of a higher temporal layer.
_SKIPPABLE = ("h264", "mpeg4", "mpeg2video", "mpeg1video")


class VideoPass:
    """A context in which a video is open. Times are ticks of its own time base.

    Args:
        path: the video.
        threads: of the decoder.

    Raises:
        VideoDamaged: on entering, when the file is no video that can be opened.
    """

    def __init__(self, path: str | os.PathLike, *, threads: int = 1):
        self.path, self.threads = path, threads
        self._context = contextlib.ExitStack()

    def __enter__(self) -> "VideoPass":
        self.begin()
        return self

    def __exit__(self, *error) -> None:
        self._context.close()

    def begin(self) -> None:
        """Open the file, anew where it is open, at its beginning."""
        self._context.close()
        self._container = self._context.enter_context(open_video(self.path))
        self._stream = self._container.streams.video[0]
        self._codec = self._stream.codec_context
        self._codec.thread_type = "AUTO" if self.threads > 1 else "NONE"
        self._codec.thread_count = self.threads
        self._skips = self._codec.name in _SKIPPABLE
        self._fed = False
        # AVI stores when a picture is decoded, not when it is shown; what FFmpeg makes of that as
        # presentation times is wrong where the two orders differ.
        self.tells_times = not (self._container.format.name == "avi" and self._codec.has_b_frames)
        self.seekable = self._container.format.name.split(",")[0] in SEEKABLE
        self._shown: int | None = None
        self._late = 0
        self.interval = frame_interval(self._stream)
        self.first = self._stream.start_time or 0
        self.broken = False  # whether reading ended with an error

    def tick(self, seconds: float) -> int:
        """Return the last tick that is not after a time."""
        return self.first + math.floor((seconds + _TOLERANCE_S) / self._stream.time_base)

    def seconds(self, tick: int) -> float:
        """Return the time of a tick."""
        return float((tick - self.first) * self._stream.time_base)

    def span(self, seconds: float) -> int:
        """Return a length of time in ticks."""
        return round(seconds / self._stream.time_base)

    def packets(self) -> Iterator[av.Packet]:
        """Yield the packets from here on that can be read; `broken` tells how it ended."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.size or packet.dts is not None or packet.pts is not None:
                    yield packet
        except _ERRORS:
            self.broken = True

    def decode(self, packet: av.Packet, *, whole: bool = True) -> tuple[list[av.VideoFrame], bool]:
        """Give a packet to the decoder.

        Args:
            packet: the next one.
            whole: False: its own frame is not wanted and need not be decoded where no other frame
                builds on it.

        Returns:
            The frames that came out, each with a time in `pts`, and whether the decoder had no
            complaint.
        """
        self._codec.skip_frame = "DEFAULT" if whole or not self._skips else "NONREF"
        self._fed = True
        return self._take(packet)

    def drain(self) -> tuple[list[av.VideoFrame], bool]:
        """Return what the decoder still holds, as `decode` does, and make it forget everything."""
        frames, fine = self._take(None) if self._fed else ([], True)
        self.forget()
        return frames, fine

    def forget(self) -> None:
        """Make the decoder forget what it was given."""
        if self._fed:
            self._codec.flush_buffers()
            self._fed = False

    def seek(self, tick: int) -> None:
        """Go to a place from where on a time can be decoded, or to the beginning."""
        self.forget()
        try:
            if tick > self.first and self.seekable:
                self._container.seek(tick, stream=self._stream, backward=True)
                return
        except _ERRORS:
            pass
        self.begin()

    def every_frame(self) -> Iterator[tuple[float, np.ndarray]]:
        """Yield (seconds, pixels) of every frame from here on that can be decoded."""
        for packet in self.packets():
            for frame in self.decode(packet)[0]:
                yield self.seconds(frame.pts), frame_pixels(frame)
        for frame in self.drain()[0]:
            yield self.seconds(frame.pts), frame_pixels(frame)

    def _take(self, packet: av.Packet | None) -> tuple[list[av.VideoFrame], bool]:
        try:
            frames = self._codec.decode(packet)
        except _ERRORS:
            return [], False
        if not self.tells_times:
            self._time_by_decoding(frames)
        return [frame for frame in frames if frame.pts is not None], True

    def _time_by_decoding(self, frames: list[av.VideoFrame]) -> None:
        """Set `pts` by when the frame came out, which follows its packet's place in the file."""
        for frame in frames:
            if self._shown is None:
                self._late = (frame.dts or 0) - self.first
                self._shown = self.first
            elif frame.dts is not None:
                self._shown = max(self._shown + 1, frame.dts - self._late)
            else:  # of the last pictures, that come out after the last packet
                self._shown += self.interval
            frame.pts = self._shown

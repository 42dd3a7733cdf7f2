"""A video with boxes and words drawn into its frames."""

import contextlib
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from affectkeras.errors import UserError
from affectkeras.media.parallel import read_ahead
from affectkeras.media.video_faces import as_colour
from affectkeras.media.video_frames import every_frame

COLOUR = (255, 196, 0)  # RGB: seen on skin and on most grounds
_INK = (20, 20, 20)
_TICKS = 90_000  # a second
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def annotate_video(
    source: Path,
    target: Path,
    boxes: np.ndarray,
    texts: Sequence[str],
    *,
    on_frame: Callable[[], object] = lambda: None,
) -> None:
    """Write a video with the box of a face and a word about it in every frame.

    The result is H.264 in MP4 without sound, its index in front, so that any browser plays it;
    frames keep their times. It appears under its name once it is whole. Odd widths and heights,
    which H.264 has not, lose a pixel.

    Args:
        source: the video.
        target: the file to write, .mp4.
        boxes: left and upper edge, width, height, pixels, `(frames, 4 or more)`; NaN: no box.
        texts: a word per frame; "" for none.
        on_frame: called for each frame, for a progress bar.

    Raises:
        VideoDamaged: when the source is no video that can be opened.
        UserError: when the target cannot be written.
    """
    target = Path(target)
    unfinished = target.with_name(f".{target.stem}-{os.getpid()}-unfinished.mp4")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        options = {"movflags": "+faststart"}
        with av.open(os.fspath(unfinished), "w", container_options=options) as container:
            _write(container, source, boxes, texts, on_frame)
        os.replace(unfinished, target)
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written: {error.strerror or error}. Check the permissions and "
            "the free space, or give another place."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # it may never have been there
            unfinished.unlink()


def draw_face(picture: np.ndarray, box: np.ndarray, text: str) -> None:
    """Draw a box with a word above it into a picture, uint8 RGB `(height, width, 3)`, in place."""
    height, width = picture.shape[:2]
    line = max(1, round(min(height, width) / 240))
    left, top, across, down = (float(value) for value in box[:4])
    corners = (round(left), round(top)), (round(left + across), round(top + down))
    cv2.rectangle(picture, *corners, COLOUR, 2 * line)
    if not text:
        return
    scale = min(height, width) / 500
    (wide, high), below = cv2.getTextSize(text, _FONT, scale, line)
    pad = 3 * line
    # Above the box, or inside it where there is no room.
    x = int(np.clip(corners[0][0] - line, 0, max(0, width - wide - 2 * pad)))
    y = corners[0][1] - high - below - 2 * pad
    y = y if y >= 0 else min(corners[0][1], height - high - below - 2 * pad)
    cv2.rectangle(picture, (x, y), (x + wide + 2 * pad, y + high + below + 2 * pad), COLOUR, -1)
    place = (x + pad, y + pad + high)
    cv2.putText(picture, text, place, _FONT, scale, _INK, line, cv2.LINE_AA)


def _write(container, source, boxes, texts, on_frame) -> None:
    stream, first, size, last = None, (0, 0), (0, 0), -1
    for frame, box, text in zip(read_ahead(every_frame(source)), boxes, texts, strict=False):
        picture = np.ascontiguousarray(as_colour(frame.pixels))
        if stream is None:
            first = picture.shape[:2]
            size = first[0] // 2 * 2, first[1] // 2 * 2
            # The times are written exactly; the rate is for players that ask for one.
            stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast"})
            stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.time_base = Fraction(1, _TICKS)
        # A stream may change its size on the way; the boxes keep one scale.
        if picture.shape[:2] != first:
            picture = cv2.resize(picture, first[::-1], interpolation=cv2.INTER_AREA)
        if not np.isnan(box[0]):
            if not picture.flags.writeable:
                picture = picture.copy()
            draw_face(picture, box, text)
        drawn = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture[: size[0], : size[1]]), format="rgb24"
        )
        last = max(last + 1, round(frame.shown_s * _TICKS))
        drawn.pts, drawn.time_base = last, Fraction(1, _TICKS)
        container.mux(stream.encode(drawn))
        on_frame()
    if stream is not None:
        container.mux(stream.encode())

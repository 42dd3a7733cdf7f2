"""What the page accepts: one video or photo, bounded in size and length, that can be opened."""

import dataclasses
from pathlib import Path

import av

from affectkeras.errors import UserError
from affectkeras.media.image_check import ImageDamaged, check_image, read_image_file
from affectkeras.media.upright import decode_upright
from affectkeras.media.video import VideoDamaged, video_facts
from affectkeras.media.video_pass import VideoPass

_PHOTO_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")  # PNG, JPEG
_PHOTO_RATE = 25


@dataclasses.dataclass(frozen=True)
class Limits:
    """What an upload may be at most.

    Args:
        megabytes: of the file, in millions of bytes.
        minutes: of a video.
        pixels: of a video's frame, width times height; 4096 × 2304 are a common "4K".
    """

    megabytes: float = 500
    minutes: float = 10
    pixels: int = 4096 * 2304

    def __post_init__(self):
        for name in ("megabytes", "minutes", "pixels"):
            if not getattr(self, name) > 0:
                raise UserError(f"{name} must be above 0. Received: {getattr(self, name)}")

    @property
    def bytes(self) -> int:
        """The largest file."""
        return int(self.megabytes * 1_000_000)


def is_photo(path: Path) -> bool:
    """Return whether a file begins as a PNG or JPEG; its name plays no part."""
    with open(path, "rb") as file:
        start = file.read(8)
    return start.startswith(_PHOTO_STARTS)


def check_upload(path: Path, name: str, limits: Limits) -> None:
    """Refuse what cannot be analysed, before anything slow begins.

    Args:
        path: where the file lies.
        name: what the person called it; messages name it so.
        limits: what it may be at most.

    Raises:
        UserError: with the reason.
    """
    size = path.stat().st_size
    if size > limits.bytes:
        raise UserError(
            f"{name}: {size / 1e6:.0f} MB are more than the {limits.megabytes:g} MB allowed. "
            "Cut it, or start the demo with a larger --max-megabytes."
        )
    try:
        if size and is_photo(path):
            check_image(path)
        else:
            _check_video(path, name, limits)
    except (ImageDamaged, VideoDamaged) as damaged:
        raise UserError(
            f"{name}: {damaged}. Give a video (such as MP4, MOV, MKV, WebM or AVI), or a JPEG or "
            "PNG."
        ) from damaged


def _check_video(path: Path, name: str, limits: Limits) -> None:
    facts = video_facts(path)
    if facts.width * facts.height > limits.pixels:
        raise UserError(
            f"{name}: {facts.width} × {facts.height} pixels are more than the {limits.pixels} "
            "allowed. Reduce its size."
        )
    times = frame_times(path)
    if not times:
        raise UserError(f"{name}: it holds no frame. Give another video.")
    # What the header says and what the file holds can differ; the longer one counts.
    seconds = max(facts.duration_s, times[-1])
    if seconds > limits.minutes * 60:
        raise UserError(
            f"{name}: {seconds / 60:.1f} minutes are more than the {limits.minutes:g} minutes "
            "allowed. Cut it, or start the demo with a larger --max-minutes."
        )


def frame_times(path: Path) -> list[float]:
    """Return when each frame of a video is shown, seconds from the first; nothing is decoded."""
    with VideoPass(path) as video:
        ticks = [p.dts if p.pts is None else p.pts for p in video.packets()]
        ticks = sorted(tick for tick in ticks if tick is not None)
        return [video.seconds(tick) - video.seconds(ticks[0]) for tick in ticks]


def photo_as_video(path: Path, target: Path) -> None:
    """Write a photo, turned upright, as a video of one frame, without loss.

    So there is one way from an upload to the page.

    Args:
        path: a JPEG or PNG.
        target: name of the new file, ending in .mov.
    """
    pixels = decode_upright(read_image_file(path))
    height, width = pixels.shape[:2]
    with av.open(str(target), "w", format="mov") as container:
        stream = container.add_stream("png", rate=_PHOTO_RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        for packet in (*stream.encode(frame), *stream.encode()):
            container.mux(packet)

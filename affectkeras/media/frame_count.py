"""How many frames a video has, counted rather than believed, and without decoding where possible.

The count is kept in the cache under the digest of the video's bytes.
"""

import dataclasses
import json
from pathlib import Path

import av

from affectkeras.cache import cache_dir
from affectkeras.errors import UserError
from affectkeras.files import write_json
from affectkeras.media.frame_cache import file_digest
from affectkeras.media.parallel import count_processors
from affectkeras.media.video import open_video
from affectkeras.media.video_pass import VideoPass

FORMAT = 1  # counted up when another count would come out of the same file

# Where one packet is one frame that is shown. In VP8 some packets show nothing, in program streams
# a packet is whatever FFmpeg cuts out.
_CONTAINERS = ("mov", "matroska", "avi")
_CODECS = (
    *("h264", "hevc", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg", "ffv1", "vp9", "av1"),
    *("msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2", "rawvideo", "huffyuv"),
)
# In MPEG-4, a picture that is not coded: a packet that shows nothing, or stands for one that came
# together with the picture before.
_NOT_CODED_BYTES = 20


@dataclasses.dataclass(frozen=True)
class FrameCount:
    """How many frames a video has.

    Args:
        frames: that can be read.
        told: that its container tells, where that is more because the file was cut off; else
            `frames`.
    """

    frames: int
    told: int

    def describe(self) -> str:
        """Return what is left of a file that was cut off."""
        return f"{self.frames} of {self.told} frames are left"


def count_frames(path: Path) -> FrameCount:
    """Return how many frames a video has; remembered for as long as its bytes stay.

    Raises:
        VideoDamaged: when the file is no video that can be opened.
        UserError: when the cache cannot be written.
    """
    with open_video(path):
        pass  # what cannot be opened needs no digest
    try:
        known = cache_dir("frames", "counts") / f"{file_digest(path)}-{FORMAT}.json"
        try:
            return FrameCount(**json.loads(known.read_bytes()))
        except (OSError, ValueError, TypeError):
            found = _count(path)
            write_json(known, dataclasses.asdict(found))
            return found
    except UserError:
        raise
    except OSError as error:
        raise UserError(
            f"{path}: its frames could not be counted: {error.strerror or error}. Check the "
            "permissions and the free space, or set AFFECTKERAS_CACHE to another folder."
        ) from error


def _count(path: Path) -> FrameCount:
    shown = packets = 0
    with open_video(path) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context.name
        decode = codec not in _CODECS or container.format.name.split(",")[0] not in _CONTAINERS
        told = stream.frames
        try:
            for packet in container.demux(stream):
                packets += packet.size > 0 or packet.pts is not None
                # What an edit list cuts away is decoded and not shown.
                shown += packet.size > 0 and not packet.is_discard
                decode |= codec == "mpeg4" and 0 < packet.size < _NOT_CODED_BYTES
        except (av.error.FFmpegError, OSError, ValueError):
            pass  # cut off: what came before counts
    if decode:
        with VideoPass(path, threads=count_processors()) as video:
            shown = sum(len(video.decode(packet)[0]) for packet in video.packets())
            shown += len(video.drain()[0])
    return FrameCount(shown, told if packets < told else shown)

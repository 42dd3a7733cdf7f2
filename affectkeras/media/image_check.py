"""Deciding, before any training starts, whether an image file can be decoded.

One broken file among thousands otherwise ends a training hours later. Whatever passes here is
decoded by `tf.io.decode_image` too (held by a test that corrupts images at random); TensorFlow
itself is not imported, so that checking is quick to start.
"""

import dataclasses
import io
import os
import stat
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from affectkeras.media.parallel import map_in_threads

MAXIMUM_PIXELS = 50_000_000
MAXIMUM_BYTES = 256 * 1024 * 1024

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
# Baseline, extended and progressive Huffman coding: what every JPEG library can decode.
_JPEG_FRAMES = (0xC0, 0xC1, 0xC2)
_JPEG_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_JPEG_MARKERS_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
_OTHER_KINDS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\x00", "a TIFF"),
    (b"MM\x00*", "a TIFF"),
    (b"RIFF", "a WebP or another RIFF file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"<", "a web page or another text file"),
)


class ImageDamaged(ValueError):
    """An image file that cannot be used; the message is the reason, without the file's name."""


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """What an image is: sizes in pixels, channels as stored (a palette counts as 3)."""

    width: int
    height: int
    channels: int
    format: Literal["jpeg", "png"]


def check_image(source: str | os.PathLike | bytes) -> ImageFacts:
    """Return the facts of an image that can be decoded whole.

    Args:
        source: a path, or the encoded image itself.

    Raises:
        ImageDamaged: with the reason: empty, unreadable, not JPEG or PNG by content (the name's
            suffix plays no part), too large, truncated or broken.
    """
    data = source if isinstance(source, bytes) else read_image_file(source)
    image = open_image(data)
    try:
        image.load()
    except Exception as error:
        # Pillow's decoders raise many kinds of errors, depending on where the damage lies; each of
        # them means the same here.
        raise ImageDamaged(f"broken or truncated: {error}") from error
    channels = 3 if image.mode == "P" else len(image.getbands())
    kind = "png" if isinstance(image, PngImageFile) else "jpeg"
    return ImageFacts(image.width, image.height, channels, kind)


def check_images(
    paths: Sequence[str | os.PathLike], *, progress: bool = True, workers: int | None = None
) -> tuple[list[ImageFacts | None], list[str | None]]:
    """Check many files at once.

    Returns:
        Two lists as long as `paths`: the facts of each usable file (else None), and the reason
        against each unusable one (else None).
    """

    def check(path):
        try:
            return check_image(path), None
        except ImageDamaged as damaged:
            return None, str(damaged)

    pairs = map_in_threads(
        check, list(paths), description="Checking images", progress=progress, workers=workers
    )
    return [facts for facts, _ in pairs], [reason for _, reason in pairs]


def read_image_file(path: str | os.PathLike) -> bytes:
    """Return a file's bytes, or raise `ImageDamaged` where it is no readable, ordinary file."""
    try:
        status = os.stat(path)
        # Opening a named pipe would wait for ever.
        if not stat.S_ISREG(status.st_mode):
            raise ImageDamaged("not an ordinary file")
        if status.st_size > MAXIMUM_BYTES:
            raise ImageDamaged(
                f"{status.st_size} bytes are more than the {MAXIMUM_BYTES} bytes allowed"
            )
        return Path(path).read_bytes()
    except ImageDamaged:
        raise
    except OSError as error:
        raise ImageDamaged(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a label file can hold a name that no file has: a zero byte in it
        raise ImageDamaged(f"cannot be read: {error}") from error


def open_image(data: bytes) -> Image.Image:
    """Return the opened (not yet decoded) Pillow image of a JPEG or PNG.

    Raises:
        ImageDamaged: when it is no JPEG or PNG, its header cannot be understood or it is too large
            to decode.
    """
    if not data:
        raise ImageDamaged("the file is empty")
    # Pillow's own `open` would choose the plugin by itself and warn about large images; warnings
    # cannot be silenced in one thread only, so the size is looked up before Pillow sees the file.
    if data.startswith(_JPEG_SIGNATURE):
        width, height = _check_jpeg_headers(data)
        plugin = JpegImageFile
    elif data.startswith(_PNG_SIGNATURE):
        width, height = _check_png_chunks(data)
        plugin = PngImageFile
    else:
        raise ImageDamaged(f"not a JPEG or PNG by its content{_guess(data)}")
    if width * height > MAXIMUM_PIXELS:
        raise ImageDamaged(
            f"{width} × {height} pixels are more than the {MAXIMUM_PIXELS} pixels allowed"
        )
    if width * height == 0:
        raise ImageDamaged(f"broken header: {width} × {height} pixels")
    try:
        return plugin(io.BytesIO(data))
    except Exception as error:
        # Pillow's parsers raise many kinds of errors (SyntaxError, struct.error, KeyError …).
        raise ImageDamaged(f"broken header: {error}") from error


def _check_png_chunks(data: bytes) -> tuple[int, int]:
    """Return width and height, having walked over all chunks.

    Pillow skips the checksums of image data, TensorFlow does not.
    """
    position = len(_PNG_SIGNATURE)
    size = None
    while True:
        if position + 12 > len(data):
            raise ImageDamaged("truncated: the PNG ends before its IEND chunk")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ImageDamaged(f"truncated within the PNG chunk {kind!r}")
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(data[position + 4 : end - 4]) != checksum:
            raise ImageDamaged(f"broken: wrong checksum of the PNG chunk {kind!r}")
        if size is None:
            if kind != b"IHDR" or length != 13:
                raise ImageDamaged("broken header: the PNG does not begin with an IHDR chunk")
            size = struct.unpack_from(">II", data, position + 8)
        if kind == b"IEND":
            return size
        position = end


def _check_jpeg_headers(data: bytes) -> tuple[int, int]:
    """Return width and height, having walked over the segments up to the first scan.

    Kinds of JPEG that few libraries decode are refused.
    """
    position = 2
    size = None
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise ImageDamaged("broken JPEG header: a marker was expected")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in _JPEG_MARKERS_WITHOUT_LENGTH:
            position += 2
            continue
        if marker == 0xDA:  # start of scan: the headers are over
            break
        if marker in _JPEG_OTHER_FRAMES:
            raise ImageDamaged("a lossless, hierarchical or arithmetic-coded JPEG")
        if marker in _JPEG_FRAMES:
            size = _read_jpeg_frame(data, position)
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    else:
        raise ImageDamaged("truncated within the JPEG header")
    if size is None:
        raise ImageDamaged("broken JPEG header: it tells no size")
    if data.rfind(b"\xff\xd9") < position:
        raise ImageDamaged("truncated: the JPEG has no end-of-image marker")
    return size


def _read_jpeg_frame(data: bytes, position: int) -> tuple[int, int]:
    if position + 9 > len(data):
        raise ImageDamaged("truncated within the JPEG header")
    bits, height, width = struct.unpack_from(">BHH", data, position + 4)
    if bits != 8:
        raise ImageDamaged(f"a JPEG with {bits} instead of 8 bits per channel")
    return width, height


def _guess(data: bytes) -> str:
    for start, name in _OTHER_KINDS:
        if data.startswith(start):
            return f" (it looks like {name})"
    return ""

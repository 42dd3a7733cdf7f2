"""Finding images that are the same to the pixel, whatever files hold them.

The same face under two names, on both sides of a split, lets a model score by memory: FER2013 has
hundreds of such pairs.
"""

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from affectkeras.media.image_check import ImageDamaged, open_image, read_image_file
from affectkeras.media.parallel import map_in_threads


def pixel_digest(source: str | os.PathLike | bytes | np.ndarray) -> bytes:
    """Return 16 bytes that are equal exactly for images of equal pixels and size.

    A grey image equals its copy stored as RGB; transparency is left out, as it is in training.

    Args:
        source: a path, an encoded image, or pixels: uint8 `(height, width)`,
            `(height, width, 1)` or `(height, width, 3)`.

    Raises:
        ImageDamaged: when a file cannot be decoded.
        ValueError: when an array has another shape or dtype.
    """
    return digest_of(read_pixels(source))


def read_pixels(source: str | os.PathLike | bytes | np.ndarray) -> np.ndarray:
    """Return an image's pixels as uint8 `(height, width)` where all is grey, else with 3 channels.

    Args and errors are those of `pixel_digest`.
    """
    if isinstance(source, np.ndarray):
        pixels = _check_pixels(source)
    else:
        pixels = _decode_pixels(source if isinstance(source, bytes) else read_image_file(source))
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and _is_grey(pixels):
        pixels = pixels[:, :, 0]
    return pixels


def digest_of(pixels: np.ndarray) -> bytes:
    """Return the `pixel_digest` of pixels that `read_pixels` gave."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels))
    return digest.digest()


def pixel_digests(
    sources: Sequence[str | os.PathLike | np.ndarray],
    *,
    progress: bool = True,
    workers: int | None = None,
) -> list[bytes]:
    """Return the `pixel_digest` of every path or array, computed by threads, in order."""
    return map_in_threads(
        pixel_digest,
        list(sources),
        description="Comparing images",
        progress=progress,
        workers=workers,
    )


def find_identical(digests: Sequence[bytes]) -> list[np.ndarray]:
    """Return the groups of positions whose digests are equal, each of two or more.

    Returns:
        int64 arrays in ascending order, sorted by their first position.
    """
    positions: dict[bytes, list[int]] = {}
    for position, digest in enumerate(digests):
        positions.setdefault(digest, []).append(position)
    return [np.array(group, dtype=np.int64) for group in positions.values() if len(group) > 1]


def _check_pixels(pixels: np.ndarray) -> np.ndarray:
    shaped = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 3))
    if pixels.dtype != np.uint8 or not shaped:
        raise ValueError(
            "`source` must be uint8 (height, width), (height, width, 1) or (height, width, 3). "
            f"Received: {pixels.dtype} {pixels.shape}"
        )
    return pixels


def _decode_pixels(data: bytes) -> np.ndarray:
    image = open_image(data)
    try:
        if image.mode.startswith("I"):
            # 16 bits: the upper byte, as TensorFlow decodes it; Pillow's own conversion clips.
            return (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
        return np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB"))
    except Exception as error:
        # What Pillow's decoders raise depends on where the damage lies.
        raise ImageDamaged(f"broken or truncated: {error}") from error


def _is_grey(pixels: np.ndarray) -> bool:
    red = pixels[:, :, 0]
    return np.array_equal(red, pixels[:, :, 1]) and np.array_equal(red, pixels[:, :, 2])

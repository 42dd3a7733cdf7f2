"""Which face of a picture is meant, and the square that is cut out around it: pure functions.

All boxes are in pixels, the left upper corner of the picture being (0, 0).
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from affectkeras.media.faces import Face

_WEIGHT_OF_DOUBT = 500


@dataclasses.dataclass(frozen=True)
class Square:
    """A square of whole pixels that may reach beyond the picture: left and upper edge, side."""

    left: int
    top: int
    side: int

    def share_outside(self, width: int, height: int) -> float:
        """Return the share of its area that lies outside a picture of that size."""
        across = min(self.left + self.side, width) - max(self.left, 0)
        down = min(self.top + self.side, height) - max(self.top, 0)
        return 1 - max(across, 0) * max(down, 0) / self.side**2


def rank_faces(faces: Sequence[Face], width: int, height: int) -> list[Face]:
    """Return the faces with the one that is meant in front: large, near the centre and certain.

    A face counts as its area times 1 - d, d being the distance of its centre from the picture's
    centre as a share of the distance from there to a corner; and that divided by
    1 + 500 · (1 - confidence), where one is told. Equals stay in their order.

    Confidence counts that much because MTCNN sees large faces in folds of clothes: beside true
    faces of 0.99 to 1.00, false ones of twice their width had 0.93 to 0.99 in frames of signers.
    True faces behind a hand have 0.91 to 0.97, so that a threshold cannot tell them apart.

    Args:
        faces: those found in one picture.
        width: of the picture.
        height: of the picture.
    """

    def weight(face):
        across = face.x + face.width / 2 - width / 2
        down = face.y + face.height / 2 - height / 2
        to_corner = math.hypot(width, height) / 2
        size = face.width * face.height * (1 - math.hypot(across, down) / to_corner)
        doubt = 0 if face.confidence is None else 1 - face.confidence
        return size / (1 + _WEIGHT_OF_DOUBT * doubt)

    return sorted(faces, key=weight, reverse=True)


def square_around(face: Face, margin: float) -> Square:
    """Return the square about a face's box, centre on centre.

    Its side is the box's longer one, made longer by `margin` times itself at both ends.

    Args:
        face: where the box is.
        margin: share of the longer side, from 0.
    """
    if not margin >= 0:
        raise ValueError(f"`margin` must be at least 0. Received: {margin}")
    side = max(1, round(max(face.width, face.height) * (1 + 2 * margin)))
    left = math.floor(face.x + face.width / 2 - side / 2 + 0.5)
    top = math.floor(face.y + face.height / 2 - side / 2 + 0.5)
    return Square(left, top, side)


def cut_square(pixels: np.ndarray, square: Square) -> np.ndarray:
    """Return what a square shows; beyond the picture, its outermost pixels are repeated.

    Args:
        pixels: `(height, width, channels)`.
        square: what to cut out.

    Returns:
        `(side, side, channels)`.
    """
    rows = np.arange(square.top, square.top + square.side).clip(0, pixels.shape[0] - 1)
    columns = np.arange(square.left, square.left + square.side).clip(0, pixels.shape[1] - 1)
    # Rows first, so that only the part that is needed is copied.
    return pixels[rows][:, columns]


def resize_square(pixels: np.ndarray, size: int | None) -> np.ndarray:
    """Return a square picture uint8 `(side, side, 3)` at `size` pixels, antialiased when shrunk.

    `None` keeps the size.
    """
    if size is None or pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS))


def square_whole(pixels: np.ndarray, size: int | None) -> np.ndarray:
    """Return a whole picture in a square: longest side `size`, outermost pixels repeated around it.

    `None` returns the picture as it is, of whatever shape.

    Args:
        pixels: uint8 `(height, width, 3)`.
        size: side of the square.
    """
    if size is None:
        return pixels
    height, width = pixels.shape[:2]
    # Resized before it is filled up: the square of a long panorama would not fit into memory.
    ratio = size / max(height, width)
    across, down = max(1, round(width * ratio)), max(1, round(height * ratio))
    small = np.asarray(Image.fromarray(pixels).resize((across, down), Image.Resampling.LANCZOS))
    return cut_square(small, Square(-((size - across) // 2), -((size - down) // 2), size))

"""Pyramid of Histograms of Orientation Gradients (PHOG).

Reference: A. Bosch, A. Zisserman and X. Munoz, "Representing Shape with a Spatial Pyramid Kernel",
CIVR 2007: how strong edges of each direction are, in the whole picture, its quarters, sixteenths …
"""

from typing import Literal

import cv2
import numpy as np

from affectkeras.features.cells import cell_of_pixels, grey_pictures

# Degrees. Directions of whole grey levels often lie on the very edge of a bin (45°), where rounding
# would decide.
LEAST_ANGLE = 1e-9
# Canny's edges, as the usual code for this feature finds them: so wide a blur, seven tenths of the
# pixels below the higher threshold, the lower one at so large a share of it.
_BLUR = 2**0.5
_NO_EDGE = 0.7
_LOWER = 0.4

Edges = Literal["canny", "all"]


def gradients(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the central differences across and down, of the size of the pictures; at the borders
    the difference of the last two pixels."""
    down, across = np.gradient(grey_pictures(pictures), axis=(1, 2))
    return across, down


def direction_bins(across, down, *, bins: int, degrees: Literal[180, 360]) -> np.ndarray:
    """Return the bin of every pixel's direction, int64: bin 0 begins at 0°, to the right.

    With 180 degrees opposite directions are one, as an edge has them.
    """
    angle = np.degrees(np.arctan2(down, across)) + LEAST_ANGLE
    return np.minimum(np.floor(angle % degrees * (bins / degrees)).astype(np.int64), bins - 1)


def canny_edges(pictures: np.ndarray) -> np.ndarray:
    """Return which pixels lie on an edge, bool `(pictures, height, width)`."""
    found = []
    for picture in grey_pictures(pictures):
        smooth = cv2.GaussianBlur(picture, (0, 0), _BLUR)
        across, down = (cv2.Sobel(smooth, cv2.CV_64F, *order) for order in ((1, 0), (0, 1)))
        high = np.quantile(np.hypot(across, down), _NO_EDGE)
        steps = [np.rint(step).astype(np.int16) for step in (across, down)]
        found.append(cv2.Canny(*steps, _LOWER * high, max(high, 1.0), L2gradient=True) > 0)
    return np.stack(found)


def pyramid_of_gradients(
    pictures: np.ndarray,
    *,
    levels: int = 3,
    bins: int = 8,
    degrees: Literal[180, 360] = 360,
    edges: Edges | np.ndarray = "canny",
) -> np.ndarray:
    """Return how strong edges of each direction are, for every cell of every level.

    Args:
        pictures: `(pictures, height, width)` or with 3 channels, RGB, in grey levels [0, 255].
        levels: level l has 2^l cells down and across, 0 … levels.
        bins: of directions.
        degrees: 180 or 360, see `direction_bins`.
        edges: the pixels that count, each by the length of its gradient: those on Canny's edges
            (the reference), all, or bool `(pictures, height, width)`.

    Returns:
        float64 `(pictures, bins · (1 + 4 + … + 4^levels))`: levels in turn, cells by row; the sum
        is 1, or 0 for a picture without any edge.
    """
    if degrees not in (180, 360):
        raise ValueError(f"`degrees` must be 180 or 360. Received: degrees={degrees}")
    if levels < 0 or bins < 1:
        raise ValueError(
            "`levels` must be at least 0 and `bins` at least 1. "
            f"Received: levels={levels}, bins={bins}"
        )
    grey = grey_pictures(pictures)
    across, down = gradients(grey)
    strength = np.hypot(across, down)
    if isinstance(edges, np.ndarray):
        strength = strength * edges
    elif edges == "canny":
        strength = strength * canny_edges(grey)
    elif edges != "all":
        raise ValueError(f"`edges` must be 'canny', 'all' or an array. Received: edges={edges!r}")
    direction = direction_bins(across, down, bins=bins, degrees=degrees)
    finest = _finest(strength, direction, 2**levels, bins)
    pyramid = [_merge(finest, 2**level) for level in range(levels + 1)]
    found = np.concatenate([cells.reshape(len(grey), -1) for cells in pyramid], axis=1)
    total = found.sum(axis=1, keepdims=True)
    return found / np.where(total > 0, total, 1)


def _finest(strength: np.ndarray, direction: np.ndarray, side: int, bins: int) -> np.ndarray:
    """Return the sums of the last level's cells, `(pictures, side, side, bins)`."""
    count, height, width = strength.shape
    cell = cell_of_pixels(height, side)[:, None] * side + cell_of_pixels(width, side)
    bin_of = (np.arange(count)[:, None, None] * side**2 + cell) * bins + direction
    sums = np.bincount(bin_of.ravel(), strength.ravel(), minlength=count * side**2 * bins)
    return sums.reshape(count, side, side, bins)


def _merge(cells: np.ndarray, side: int) -> np.ndarray:
    """Return sums over blocks of cells: those of a level of `side` cells down and across."""
    count, finest, _, bins = cells.shape
    block = finest // side
    return cells.reshape(count, side, block, side, block, bins).sum(axis=(2, 4))

"""How pictures are cut into cells whose histograms are joined."""

import numpy as np


def cell_edges(size: int, cells: int) -> np.ndarray:
    """Return where cells begin along one side, and where the last ends: int64 `(cells + 1,)`.

    Edge i lies at i · size // cells, so that the edges of a coarser division into halves are among
    those of the finer one.

    Raises:
        ValueError: when there are more cells than pixels.
    """
    if not 1 <= cells <= size:
        raise ValueError(f"`cells` must be in [1, {size}], the size. Received: cells={cells}")
    return np.arange(cells + 1) * size // cells


def cell_of_pixels(size: int, cells: int) -> np.ndarray:
    """Return the number of the cell that each pixel along one side lies in: int64 `(size,)`."""
    return np.repeat(np.arange(cells), np.diff(cell_edges(size, cells)))


def grey_pictures(pictures: np.ndarray) -> np.ndarray:
    """Return float64 `(pictures, height, width)` of grey pictures, or of RGB ones by BT.601.

    Raises:
        ValueError: when the shape is neither `(pictures, height, width)` nor that with 3 channels.
    """
    pictures = np.asarray(pictures, np.float64)
    if pictures.ndim == 4 and pictures.shape[-1] == 3:
        return pictures @ np.array(GREY)
    if pictures.ndim != 3:
        raise ValueError(
            "`pictures` must have the shape (pictures, height, width) or (pictures, height, width, "
            f"3). Received: {pictures.shape}"
        )
    return pictures


GREY = (0.299, 0.587, 0.114)  # of red, green and blue

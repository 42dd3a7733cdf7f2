"""Local Phase Quantization (LPQ): histograms of the signs of local frequencies.

Reference: V. Ojansivu and J. Heikkilä, "Blur Insensitive Texture Classification Using Local Phase
Quantization", ICISP 2008. Blur that is symmetric leaves the phase of low frequencies as it is.
"""

import cv2
import numpy as np

from affectkeras.features.cells import cell_of_pixels, grey_pictures

BITS = 8
CODES = 2**BITS
WINDOW = 7  # pixels, as in the reference's experiments
CORRELATION = 0.9  # of neighbouring pixels (reference, section 3.2)
# Grey levels. In even areas the frequencies are zero but for rounding, whose sign means nothing and
# depends on the order of the sums.
LEAST = 1e-6
# Eigenvectors of equal eigenvalues are not unique: the authors' own code tells them apart so.
_TIES = 1 + 1e-6 * np.arange(7, -1, -1)


def waves(window: int) -> np.ndarray:
    """Return the three waves of a window's side: constant, cosine, sine, `(3, window)`.

    The frequency is a = 1 / window, the lowest one below which a window holds no whole wave.
    """
    if window < 3 or window % 2 == 0:
        raise ValueError(f"`window` must be odd and at least 3. Received: window={window}")
    angle = 2 * np.pi * (np.arange(window) - window // 2) / window
    return np.stack([np.ones(window), np.cos(angle), np.sin(angle)])


def frequency_kernels(window: int = WINDOW) -> np.ndarray:
    """Return the real kernels of the four frequencies, `(8, window, window)`.

    In order the real and imaginary parts at (a, 0), (0, a), (a, a) and (a, -a), the first number
    along the width (reference, equation 5). They are correlated with the picture.
    """
    one, cosine, sine = waves(window)
    products = (
        np.outer(one, cosine),
        np.outer(one, sine),
        np.outer(cosine, one),
        np.outer(sine, one),
        np.outer(cosine, cosine) - np.outer(sine, sine),
        np.outer(sine, cosine) + np.outer(cosine, sine),
        np.outer(cosine, cosine) + np.outer(sine, sine),
        np.outer(cosine, sine) - np.outer(sine, cosine),
    )
    return np.stack(products)


def decorrelation(window: int = WINDOW, correlation: float = CORRELATION) -> np.ndarray:
    """Return the rotation after which the eight responses are uncorrelated, `(8, 8)`.

    Pixels at a distance d are taken to correlate by `correlation`**d. Bits that are independent
    keep more of the picture when each is cut down to its sign (reference, section 3.2). The rows
    are the new responses; each has its largest entry above zero.
    """
    if not 0 < correlation < 1:
        raise ValueError(f"`correlation` must be in (0, 1). Received: correlation={correlation}")
    places = np.stack(np.meshgrid(np.arange(window), np.arange(window), indexing="ij"), -1)
    places = places.reshape(-1, 2)
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    kernels = frequency_kernels(window).reshape(BITS, -1)
    covariance = kernels @ correlation**distance @ kernels.T
    _, _, rotation = np.linalg.svd(covariance * np.outer(_TIES, _TIES))
    largest = np.take_along_axis(rotation, np.abs(rotation).argmax(axis=1)[:, None], axis=1)
    return rotation * np.sign(largest)


def phase_codes(
    pictures: np.ndarray, *, window: int = WINDOW, decorrelate: bool = True
) -> np.ndarray:
    """Return the code of every pixel around which a window fits.

    Args:
        pictures: `(pictures, height, width)` or with 3 channels, RGB, in grey levels [0, 255].
        window: side of the neighbourhood in pixels, odd.
        decorrelate: rotate the responses by `decorrelation` first.

    Returns:
        uint8 `(pictures, height - window + 1, width - window + 1)`: bit i is set where response i
        is above zero.
    """
    grey = grey_pictures(pictures)
    count, height, width = grey.shape
    if min(height, width) < window:
        raise ValueError(
            f"`window` must fit into the pictures of {height} × {width}. Received: window={window}"
        )
    responses = _responses(grey, window)
    if decorrelate:
        responses = np.tensordot(decorrelation(window), responses, axes=1)
    bits = responses > LEAST
    return np.packbits(bits, axis=0, bitorder="little")[0]


def local_phase_quantization(
    pictures: np.ndarray,
    *,
    window: int = WINDOW,
    grid: tuple[int, int] = (1, 1),
    decorrelate: bool = True,
) -> np.ndarray:
    """Return how often each code occurs, cell by cell.

    Args:
        pictures, window, decorrelate: as in `phase_codes`.
        grid: cells down and across, of which each has a histogram of its own.

    Returns:
        float64 `(pictures, rows · columns · 256)`, cells by row, each histogram with the sum 1.
    """
    codes = phase_codes(pictures, window=window, decorrelate=decorrelate)
    count, height, width = codes.shape
    rows, columns = (
        cell_of_pixels(size, cells) for size, cells in zip((height, width), grid, strict=True)
    )
    cells = grid[0] * grid[1]
    cell = rows[:, None] * grid[1] + columns
    bin_of = (np.arange(count)[:, None, None] * cells + cell) * CODES + codes
    counts = np.bincount(bin_of.ravel(), minlength=count * cells * CODES)
    pixels = np.bincount(cell.ravel(), minlength=cells)
    histograms = counts.reshape(count, cells, CODES) / pixels[:, None]
    return histograms.reshape(count, -1)


def _responses(grey: np.ndarray, window: int) -> np.ndarray:
    """Return the eight responses `(8, pictures, rows, columns)` where a window fits.

    A wave in two directions is a product of waves in one: nine sums along rows and columns in the
    place of eight over whole windows. All pictures go through together, one below the other; what
    mixes two of them is cut off.
    """
    count, height, width = grey.shape
    tall = grey.reshape(count * height, width)
    half = window // 2
    inside = (slice(None), slice(half, height - half), slice(half, width - half))
    one, cosine, sine = waves(window)

    def along(down, across):
        found = cv2.sepFilter2D(tall, cv2.CV_64F, across, down, borderType=cv2.BORDER_REPLICATE)
        return found.reshape(grey.shape)[inside]

    cos_cos, sin_sin = along(cosine, cosine), along(sine, sine)
    sin_cos, cos_sin = along(sine, cosine), along(cosine, sine)
    return np.stack(
        [
            along(one, cosine),
            along(one, sine),
            along(cosine, one),
            along(sine, one),
            cos_cos - sin_sin,
            sin_cos + cos_sin,
            cos_cos + sin_sin,
            cos_sin - sin_cos,
        ]
    )

"""Finding copies of a photo among many: re-encoded, resized or mirrored, not only pixel-identical.

Collections gathered from the web hold the same photo several times; split at random, a model is
tested on what it learnt. Each image is read once and kept as 24 × 24 numbers; every pair of images
is then compared, exactly, through matrix products.

A shadow or a mask that all images of a data set share makes different faces alike in plain pixels.
So an image is described by its detail (what differs from a blur) over the contrast around it, and
the centre has to agree by itself.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from affectkeras.media.hashing import digest_of, find_identical, read_pixels
from affectkeras.media.parallel import map_in_threads

# Chosen on the 32,137 faces of FER+ (training and validation part, 48 × 48). Looked at by eye, all
# of 48 pairs drawn from those reported, of 48 drawn from 0.85 to 0.87 and all 15 mirrored ones were
# the same photo, often cut a pixel or two differently. Of 500 copies planted in each of 15 ways the
# lowest had 0.87: resized to 32 × 32 by nearest neighbour. With a black oval around all faces, 202
# of the 18 million pairs of 6,000 faces reach 0.85 instead of 138; without the condition on the
# centre it would be 2,771.
MINIMUM_SIMILARITY = 0.85

SIDE = 24  # of a descriptor, in cells; with 20 the oval makes 314 pairs similar
BLUR = 1.5  # standard deviation in cells; the wider, the more alike are different faces
SOFT_CONTRAST = 5.0  # grey levels of 255; keeps the noise of flat parts small
# Root mean square of the detail in grey levels of 255, below which an image is blank; the least
# of FER+ is 3.9, the rounding of flat parts stays below 0.3.
MINIMUM_DETAIL = 1.0
CENTRE = slice(SIDE // 4, SIDE - SIDE // 4)  # rows and columns of the descriptor
# A centre that holds less than 1 % of the squared detail (25 % were its due) is as good as blank.
MINIMUM_CENTRE_NORM = 0.1

COLUMNS = ("first", "second", "kind", "similarity")
_CHUNK = 4096  # images or pairs handled at once


@dataclasses.dataclass(frozen=True)
class ImageSignatures:
    """What is kept of each image to find its copies.

    Args:
        digests: one `pixel_digest` per image.
        descriptors: float32 `(images, 576)`: local detail of unit norm, rows of 24 × 24 cells;
            all zero for a blank image.

    Raises:
        ValueError: when the shapes do not fit.
    """

    digests: list[bytes]
    descriptors: np.ndarray

    def __post_init__(self):
        expected = (len(self.digests), SIDE * SIDE)
        if self.descriptors.shape != expected:
            raise ValueError(
                f"`descriptors` must be of shape {expected}. Received: {self.descriptors.shape}"
            )


def describe_images(
    sources: Sequence[str | os.PathLike | np.ndarray],
    *,
    progress: bool = True,
    workers: int | None = None,
) -> ImageSignatures:
    """Read every path or array once and return its digest and descriptor, in order.

    Args:
        sources: paths of JPEG or PNG files, or pixels as for `pixel_digest`.
        progress: show a bar on standard error, where that is a terminal.
        workers: number of threads; by default one per processor.

    Raises:
        ImageDamaged: when a file cannot be decoded.
        ValueError: when an array has another shape or dtype.
    """
    found = map_in_threads(
        _digest_and_shrink,
        list(sources),
        description="Comparing images",
        progress=progress,
        workers=workers,
    )
    descriptors = np.empty((len(found), SIDE * SIDE), dtype=np.float32)
    for start in range(0, len(found), _CHUNK):
        thumbnails = np.stack([thumbnail for _, thumbnail in found[start : start + _CHUNK]])
        descriptors[start : start + _CHUNK] = _describe(thumbnails)
    return ImageSignatures([digest for digest, _ in found], descriptors)


def find_copies(
    signatures: ImageSignatures,
    *,
    minimum_similarity: float = MINIMUM_SIMILARITY,
    block_rows: int = 2048,
    progress: bool = True,
) -> pd.DataFrame:
    """Return every pair of images that show the same photo.

    All pairs are compared; the time grows with the square of the number of images, the memory with
    `block_rows` squared and with the number of pairs found. Blank images are only ever identical.

    Args:
        signatures: of the images, from `describe_images`.
        minimum_similarity: of a copy, in (0, 1].
        block_rows: images compared with as many others at once; changes no pair.
        progress: show a bar on standard error, where that is a terminal.

    Returns:
        A row per pair, sorted: `first` < `second` (positions, int64), `kind` (`identical`: equal
        pixels, `copy`: re-encoded, resized or nearly so, `mirrored`: copy of the mirror image; the
        kind that fits best) and `similarity` (float32; 1 where identical, else the lesser of the
        correlations of whole and centre).

    Raises:
        ValueError: when an argument is out of its range.
    """
    if not 0 < minimum_similarity <= 1:
        raise ValueError(
            f"`minimum_similarity` must be in (0, 1]. Received: {minimum_similarity!r}"
        )
    if block_rows < 1:
        raise ValueError(f"`block_rows` must be at least 1. Received: {block_rows!r}")
    # Of identical images one stands for all: a set of n needs no n² comparisons.
    numbers = pd.factorize(pd.Series(signatures.digests, dtype=object))[0]
    _, rows = np.unique(numbers, return_index=True)
    descriptors = signatures.descriptors[rows]
    blocks = []
    for first, second in _candidates(descriptors, minimum_similarity, block_rows, progress):
        for start in range(0, len(first), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            blocks.append(_judge(descriptors, first[chunk], second[chunk], minimum_similarity))
    copies = pd.concat([_as_pairs([], [], [], []), *blocks], ignore_index=True)
    pairs = [_identical_pairs(signatures.digests), _for_every_row(copies, numbers)]
    return pd.concat(pairs).sort_values(["first", "second"], ignore_index=True)


def join_pairs(pairs: pd.DataFrame, images: int) -> list[np.ndarray]:
    """Return the sets of images that pairs hold together, directly or through others.

    Args:
        pairs: with columns `first` and `second`, such as `find_copies` returns, or rows of it.
        images: the number of images that the positions count.

    Returns:
        int64 arrays of two or more positions in ascending order, sorted by their first, in the
        form of `find_identical`.

    Raises:
        ValueError: when a position is not below `images`.
    """
    first, second = (pairs[name].to_numpy(dtype=np.int64) for name in ("first", "second"))
    for positions in (first, second):
        if len(positions) and not (positions.min() >= 0 and positions.max() < images):
            raise ValueError(
                f"`pairs` must hold positions from 0 to {images - 1}. "
                f"Received: {positions.min()} to {positions.max()}"
            )
    links = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(images, images))
    return find_identical(connected_components(links, directed=False)[1].tolist())


def _digest_and_shrink(source) -> tuple[bytes, np.ndarray]:
    pixels = read_pixels(source)
    grey = Image.fromarray(pixels).convert("L")
    # Bilinear in Pillow averages over two cells: against plain area means, copies of an odd size
    # such as 40 × 40 keep a correlation of 0.99 instead of 0.97.
    thumbnail = grey.convert("F").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return digest_of(pixels), np.asarray(thumbnail)


def _describe(thumbnails: np.ndarray) -> np.ndarray:
    """Return descriptors `(images, 576)` of thumbnails `(images, 24, 24)` in grey levels."""
    width = (0, BLUR, BLUR)
    detail = thumbnails - gaussian_filter(thumbnails, width, mode="nearest")
    blank = np.sqrt(np.mean(detail**2, axis=(1, 2))) < MINIMUM_DETAIL
    contrast = np.sqrt(gaussian_filter(detail**2, width, mode="nearest"))
    descriptors = (detail / (contrast + SOFT_CONTRAST)).reshape(len(detail), -1)
    descriptors[blank] = 0
    norms = np.linalg.norm(descriptors, axis=1, keepdims=True)
    return descriptors / np.where(norms > 0, norms, 1)


def _candidates(
    descriptors: np.ndarray, minimum_similarity: float, block_rows: int, progress: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pairs `first < second` whose whole is similar, directly or mirrored."""
    # A product of matrices rounds differently with the size of the blocks; `_judge` does not.
    enough = minimum_similarity - 1e-4
    starts = range(0, len(descriptors), block_rows)
    for start in tqdm(starts, desc="Finding copies", disable=None if progress else True):
        even, odd = _fold(descriptors[start : start + block_rows])
        for other in range(start, len(descriptors), block_rows):
            other_even, other_odd = _fold(descriptors[other : other + block_rows])
            # Mirroring turns the odd part's sign: the direct similarity is the sum of the two
            # products, the mirrored one their difference, and this the greater of both.
            best = even @ other_even.T
            best += np.abs(odd @ other_odd.T)
            first, second = np.nonzero(best >= enough)
            first, second = first + start, second + other
            upper = first < second
            yield first[upper], second[upper]


def _fold(descriptors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts that mirroring keeps and negates, `(images, 288)` each."""
    cells = descriptors.reshape(-1, SIDE, SIDE)
    left, right = cells[:, :, : SIDE // 2], cells[:, :, : SIDE // 2 - 1 : -1]
    half = np.float32(np.sqrt(0.5))
    parts = (half * (left + right), half * (left - right))
    return tuple(part.reshape(len(cells), -1) for part in parts)


def _judge(
    descriptors: np.ndarray, first: np.ndarray, second: np.ndarray, minimum_similarity: float
) -> pd.DataFrame:
    """Return those pairs of positions whose whole and centre are similar, each of its kind."""
    ones = descriptors[first].reshape(-1, SIDE, SIDE)
    others = descriptors[second].reshape(-1, SIDE, SIDE)
    direct, mirrored = _similarity(ones, others), _similarity(ones, others[:, :, ::-1])
    best = np.maximum(direct, mirrored)
    kept = best >= minimum_similarity
    kinds = np.where(direct >= mirrored, "copy", "mirrored")
    return _as_pairs(first[kept], second[kept], kinds[kept], best[kept])


def _similarity(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the lesser of the correlations of whole and centre, `(pairs,)`."""
    whole = np.sum(ones * others, axis=(1, 2))
    ones, others = ones[:, CENTRE, CENTRE], others[:, CENTRE, CENTRE]
    norms = [np.sqrt(np.sum(part**2, axis=(1, 2))) for part in (ones, others)]
    centre = np.sum(ones * others, axis=(1, 2))
    for norm in norms:
        centre = centre / np.maximum(norm, MINIMUM_CENTRE_NORM)
    # Rounding leaves some images a millionth above 1 with themselves.
    return np.minimum(np.minimum(whole, centre), np.float32(1))


def _identical_pairs(digests: list[bytes]) -> pd.DataFrame:
    groups = find_identical(digests)
    places = [np.triu_indices(len(group), 1) for group in groups]
    parts = [
        np.concatenate(
            [np.empty(0, np.int64), *(g[p[side]] for g, p in zip(groups, places, strict=True))]
        )
        for side in (0, 1)
    ]
    count = len(parts[0])
    return _as_pairs(*parts, ["identical"] * count, np.ones(count))


def _for_every_row(copies: pd.DataFrame, numbers: np.ndarray) -> pd.DataFrame:
    """Return pairs of rows for pairs of distinct images, whose number each row has."""
    rows = pd.DataFrame({"number": numbers, "row": np.arange(len(numbers))})
    pairs = copies.merge(rows, left_on="first", right_on="number")
    pairs = pairs.merge(rows, left_on="second", right_on="number", suffixes=("", "_other"))
    one, other = pairs["row"].to_numpy(), pairs["row_other"].to_numpy()
    return _as_pairs(
        np.minimum(one, other), np.maximum(one, other), pairs["kind"], pairs["similarity"]
    )


def _as_pairs(first, second, kind, similarity) -> pd.DataFrame:
    columns = dict(zip(COLUMNS, (first, second, kind, similarity), strict=True))
    types = {"first": np.int64, "second": np.int64, "kind": "str", "similarity": np.float32}
    return pd.DataFrame(columns).astype(types)

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from affectkeras.media.hashing import find_identical, pixel_digests
from affectkeras.media.image_check import ImageDamaged
from affectkeras.media.near_duplicates import (
    MINIMUM_SIMILARITY,
    ImageSignatures,
    describe_images,
    find_copies,
    join_pairs,
)

REAL_DATA = os.environ.get("AFFECTKERAS_REAL_DATA")


def textures(count, seed=0, size=48):
    """Return uint8 `(count, size, size)` of random, smooth texture."""
    noise = np.random.default_rng(seed).normal(size=(count, size, size))
    smooth = gaussian_filter(noise, (0, 1.5, 1.5))
    return np.clip(128 + 200 * smooth, 0, 255).astype(np.uint8)


def resize(pixels, size, method=Image.Resampling.BICUBIC):
    return np.asarray(Image.fromarray(pixels).resize((size, size), method))


def encode(pixels, format="JPEG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def decode(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def pairs_of(images, **options):
    found = find_copies(describe_images(images, progress=False), progress=False, **options)
    return list(found[["first", "second", "kind"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("identical", lambda pixels: pixels.copy()),
        ("identical", lambda pixels: np.repeat(pixels[:, :, None], 3, axis=2)),
        ("mirrored", lambda pixels: pixels[:, ::-1]),
        ("mirrored", lambda pixels: decode(encode(pixels[:, ::-1], quality=75))),
        ("copy", lambda pixels: resize(pixels, 64)),
        ("copy", lambda pixels: resize(pixels, 40, Image.Resampling.NEAREST)),
        ("copy", lambda pixels: resize(resize(pixels, 32), 48)),
        ("copy", lambda pixels: decode(encode(pixels, quality=60))),
        ("copy", lambda pixels: decode(encode(resize(pixels, 96), quality=80))),
        ("copy", lambda pixels: (pixels * 0.9 + 10).astype(np.uint8)),
    ],
)
def test_a_planted_copy_is_found_with_its_kind_and_nothing_else(kind, change):
    images = list(textures(12))
    assert pairs_of([*images, change(images[3])]) == [(3, 12, kind)]


def test_files_and_arrays_of_any_size_and_colour_are_compared(tmp_path):
    photo = np.asarray(Image.fromarray(textures(1)[0]).resize((720, 576)))
    colour = np.stack([photo, photo // 2, 255 - photo // 3], axis=2)
    (tmp_path / "large.jpg").write_bytes(encode(colour, quality=80))
    (tmp_path / "small.png").write_bytes(encode(resize(colour, 48), "PNG"))
    other = textures(1, seed=1)[0]
    assert pairs_of([tmp_path / "large.jpg", other, str(tmp_path / "small.png")]) == [
        (0, 2, "copy")
    ]


def test_different_images_are_no_copies():
    assert pairs_of(list(textures(300))) == []


def test_a_shared_frame_makes_no_copies():
    images = textures(100)
    images[:, :8] = images[:, -8:] = images[:, :, :8] = images[:, :, -8:] = 0
    assert pairs_of(list(images)) == []


def test_blank_images_are_only_identical_to_their_equals():
    flat = [np.full((48, 48), level, dtype=np.uint8) for level in (0, 0, 128, 255)]
    ramp = np.tile(np.linspace(100, 104, 48).astype(np.uint8), (48, 1))
    assert pairs_of([*flat, ramp, ramp + 1]) == [(0, 1, "identical")]


def test_a_texture_around_a_blank_centre_says_too_little():
    border, other = textures(2)
    for pixels in (border, other):
        pixels[8:40, 8:40] = 90
    assert pairs_of([border, resize(border, 64), other]) == []


def test_identical_beats_copy_and_copy_beats_mirrored_where_an_image_is_symmetric():
    half = textures(1)[0][:, :24]
    symmetric = np.concatenate([half, half[:, ::-1]], axis=1)
    encoded = decode(encode(symmetric, quality=90))
    encoded = np.concatenate([encoded[:, :24], encoded[:, 23::-1]], axis=1)
    assert pairs_of([symmetric, symmetric[:, ::-1], encoded]) == [
        (0, 1, "identical"),
        (0, 2, "copy"),
        (1, 2, "copy"),
    ]


def test_copies_of_identical_images_are_paired_with_each_of_them():
    one, other = textures(2)
    found = pairs_of([resize(one, 64), one, other, one, one[:, ::-1]])
    assert found == [
        (0, 1, "copy"),
        (0, 3, "copy"),
        (0, 4, "mirrored"),
        (1, 3, "identical"),
        (1, 4, "mirrored"),
        (3, 4, "mirrored"),
    ]


def test_similarity_is_one_where_identical_and_at_least_the_minimum():
    one = textures(1)[0]
    signatures = describe_images([one, one, resize(one, 32)], progress=False)
    found = find_copies(signatures, progress=False)
    assert found["similarity"].tolist()[0] == 1
    assert found["similarity"].iloc[1:].between(MINIMUM_SIMILARITY, 1, inclusive="left").all()
    assert found.dtypes[["first", "second", "similarity"]].tolist() == ["int64", "int64", "float32"]
    strict = find_copies(signatures, minimum_similarity=1, progress=False)
    assert strict["kind"].tolist() == ["identical"]


def with_copies(count):
    """Return textures of which every fifth is a copy or a mirrored copy of the one before it."""
    images = list(textures(count))
    for row in range(5, count, 5):
        before = resize(images[row - 1], 40)
        images[row] = before[:, ::-1] if row % 2 else before
    return images


@pytest.mark.parametrize("block_rows", [1, 7, 64])
def test_the_size_of_the_blocks_and_the_run_change_nothing(block_rows):
    images = with_copies(90)
    whole = find_copies(describe_images(images, progress=False), progress=False)
    signatures = describe_images(images, progress=False, workers=1)
    assert len(whole) == 17
    assert find_copies(signatures, block_rows=block_rows, progress=False).equals(whole)


def slow_descriptor(pixels):
    """Return the 24 × 24 local detail of unit norm, from the definition, in float64."""
    cells = np.asarray(Image.fromarray(pixels).convert("F").resize((24, 24), 2), dtype=np.float64)
    offsets = np.arange(-6, 7)
    weights = np.exp(-(offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    blur = np.zeros((24, 24))
    for row in range(24):
        for offset, weight in zip(offsets, weights, strict=True):
            blur[row, min(max(row + offset, 0), 23)] += weight
    detail = cells - blur @ cells @ blur.T
    local = detail / (np.sqrt(blur @ detail**2 @ blur.T) + 5)
    return local / np.sqrt((local**2).sum())


def slow_correlation(one, other):
    inner, other_inner = one[6:18, 6:18], other[6:18, 6:18]
    norms = np.linalg.norm(inner) * np.linalg.norm(other_inner)
    return min((one * other).sum(), (inner * other_inner).sum() / norms)


def test_a_slow_loop_over_all_pairs_of_200_images_finds_the_same():
    # A weaker minimum, and textures with a part in common: pairs lie close about the minimum.
    images = with_copies(200)
    common = textures(1, seed=9)[0]
    for row in range(0, 200, 4):
        share = 0.5 + row / 800
        images[row] = (share * common + (1 - share) * resize(images[row], 48)).astype(np.uint8)
    slow = [slow_descriptor(pixels) for pixels in images]
    expected = []
    for second, other in enumerate(slow):
        for first, one in enumerate(slow[:second]):
            direct = slow_correlation(one, other)
            mirrored = slow_correlation(one, other[:, ::-1])
            if max(direct, mirrored) >= 0.6:
                expected.append((first, second, "copy" if direct >= mirrored else "mirrored"))
    assert len(expected) > 100
    assert pairs_of(images, minimum_similarity=0.6, block_rows=64) == sorted(expected)


def test_pairs_are_joined_into_sets_through_chains():
    one, other, third = textures(3)
    images = [resize(other, 64), one, third, resize(one, 64), other, resize(one, 40), other]
    pairs = find_copies(describe_images(images, progress=False), progress=False)
    sets = join_pairs(pairs, len(images))
    assert [rows.tolist() for rows in sets] == [[0, 4, 6], [1, 3, 5]]
    assert sets[0].dtype == np.int64
    chain = pairs[(pairs["first"] == 1) & (pairs["second"] == 3)]
    chain = [*chain.index, pairs.index[(pairs["first"] == 3) & (pairs["second"] == 5)][0]]
    assert [rows.tolist() for rows in join_pairs(pairs.loc[chain], 7)] == [[1, 3, 5]]


def test_no_images_and_no_pairs_give_nothing():
    empty = find_copies(describe_images([], progress=False), progress=False)
    assert list(empty) == ["first", "second", "kind", "similarity"]
    assert empty["first"].dtype == np.int64
    assert join_pairs(empty, 0) == []
    assert join_pairs(empty, 5) == []


def test_what_is_out_of_range_is_an_error(tmp_path):
    signatures = describe_images(list(textures(3)), progress=False)
    with pytest.raises(ValueError, match=r"`minimum_similarity` must be in \(0, 1\]. Received: 0"):
        find_copies(signatures, minimum_similarity=0)
    with pytest.raises(ValueError, match="`block_rows` must be at least 1. Received: 0"):
        find_copies(signatures, block_rows=0)
    with pytest.raises(ValueError, match=r"`descriptors` must be of shape \(3, 576\). Received:"):
        ImageSignatures(signatures.digests, signatures.descriptors[:2])
    one = textures(1)[0]
    pairs = find_copies(describe_images([one, one], progress=False), progress=False)
    with pytest.raises(ValueError, match="`pairs` must hold positions from 0 to 0. Received: 1 to"):
        join_pairs(pairs, 1)


def test_a_broken_file_and_a_wrong_array_are_errors(tmp_path):
    (tmp_path / "broken.png").write_bytes(encode(textures(1)[0], "PNG")[:-20])
    with pytest.raises(ImageDamaged, match="truncated"):
        describe_images([tmp_path / "broken.png"], progress=False)
    with pytest.raises(ValueError, match="`source` must be uint8"):
        describe_images([np.zeros((4, 4))], progress=False)


@pytest.mark.skipif(not REAL_DATA, reason="AFFECTKERAS_REAL_DATA is not set")
def test_among_real_faces_planted_copies_are_found_and_identical_ones_too(tmp_path):
    archive = Path(REAL_DATA) / "data" / "ferplus" / "FER2013Valid.zip"
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.endswith(".png"))[:2500]
        images = [decode(opened.read(name)) for name in names]
    rows = np.random.default_rng(0).choice(len(images), 200, replace=False)
    planted = [images[row][:, ::-1] for row in rows[:100]]
    planted += [decode(encode(resize(images[row], 40), quality=70)) for row in rows[100:]]
    everything = [*images, *planted]
    found = set(pairs_of(everything))
    kinds = ["mirrored"] * 100 + ["copy"] * 100
    expected = {
        (row, len(images) + place, kind)
        for place, (row, kind) in enumerate(zip(rows.tolist(), kinds, strict=True))
    }
    assert len(expected & found) >= 196
    identical = find_identical(pixel_digests(images, progress=False))
    assert identical
    pairs = {
        (int(a), int(b), "identical") for rows in identical for a in rows for b in rows if a < b
    }
    assert pairs <= found
    # The owner's own copies: a few in a hundred, not everything that looks like a face.
    assert len(found) - len(expected & found) < 400

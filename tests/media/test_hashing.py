import io

import numpy as np
import pytest
from PIL import Image

from affectkeras.media.hashing import find_identical, pixel_digest, pixel_digests
from affectkeras.media.image_check import ImageDamaged

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
GREY = np.ascontiguousarray(PIXELS[:, :, 0])


def encode(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def test_an_image_equals_its_pixels():
    assert pixel_digest(encode(Image.fromarray(PIXELS))) == pixel_digest(PIXELS)


def test_the_way_of_storing_plays_no_part():
    image = Image.fromarray(PIXELS)
    stored = encode(image, compress_level=9)
    assert stored != encode(image, compress_level=1)
    assert pixel_digest(stored) == pixel_digest(encode(image, compress_level=1))


def test_a_grey_image_equals_its_copies_in_other_modes():
    image = Image.fromarray(GREY)
    expected = pixel_digest(GREY)
    assert pixel_digest(GREY[:, :, None]) == expected
    assert pixel_digest(np.repeat(GREY[:, :, None], 3, axis=2)) == expected
    for mode in ("L", "RGB", "LA", "RGBA", "P"):
        assert pixel_digest(encode(image.convert(mode))) == expected
    wide = Image.fromarray(GREY.astype(np.uint16) * 256 + 99)
    assert pixel_digest(encode(wide)) == expected


def test_one_changed_pixel_or_another_shape_differs():
    changed = GREY.copy()
    changed[3, 2] ^= 1
    digests = {pixel_digest(GREY), pixel_digest(changed), pixel_digest(GREY.reshape(5, 6))}
    assert len(digests) == 3


def test_the_digest_is_the_same_in_every_run():
    zeros = np.zeros((2, 2), dtype=np.uint8)
    assert pixel_digest(zeros).hex() == "27ae190c7a461b1eb6e5d01783d62c4d"


def test_digests_of_many_keep_their_order(tmp_path):
    sources = []
    for number in range(40):
        path = tmp_path / f"{number}.png"
        path.write_bytes(encode(Image.fromarray(np.full((2, 2), number % 30, dtype=np.uint8))))
        sources.append(path)
    digests = pixel_digests(sources, progress=False)
    assert digests == [pixel_digest(path) for path in sources]
    groups = find_identical(digests)
    assert [group.tolist() for group in groups] == [[n, n + 30] for n in range(10)]
    assert groups[0].dtype == np.int64


def test_nothing_identical_gives_no_groups():
    assert find_identical([b"a", b"b"]) == []


def test_a_broken_file_and_a_wrong_array_are_errors():
    with pytest.raises(ImageDamaged, match="the file is empty"):
        pixel_digest(b"")
    with pytest.raises(ImageDamaged, match="truncated"):
        pixel_digest(encode(Image.fromarray(PIXELS))[:-20])
    with pytest.raises(ValueError, match=r"`source` must be uint8 .* Received: float64 \(2, 2\)"):
        pixel_digest(np.zeros((2, 2)))

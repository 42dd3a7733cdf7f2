import io
import os
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from affectkeras.media import image_check
from affectkeras.media.image_check import ImageDamaged, ImageFacts, check_image, check_images

WIDTH, HEIGHT = 37, 23


def make_photo():
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    channels = [rows * 9, columns * 6, 255 - rows * 3 - columns * 4]
    return Image.fromarray(np.clip(np.stack(channels, -1), 0, 255).astype(np.uint8))


def encode(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def make_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make_png(width, height, raw, *, bits=8, color=2, interlaced=0):
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(make_chunk(*chunk) for chunk in chunks)


def interlace(pixels):
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    raw = b""
    for x, y, step_x, step_y in [*passes, (0, 1, 1, 2)]:
        for row in pixels[y::step_y, x::step_x]:
            raw += b"\0" + row.tobytes()
    return raw


PHOTO = make_photo()
PIXELS = np.asarray(PHOTO)
WIDE = PIXELS.astype(">u2") * 257
ROTATED = Image.Exif()
ROTATED[0x0112] = 6

# Name → (encoded image, channels, format).
KINDS = {
    "jpeg": (encode(PHOTO, "JPEG"), 3, "jpeg"),
    "grey jpeg": (encode(PHOTO.convert("L"), "JPEG"), 1, "jpeg"),
    "progressive jpeg": (encode(PHOTO, "JPEG", progressive=True), 3, "jpeg"),
    "cmyk jpeg": (encode(PHOTO.convert("CMYK"), "JPEG"), 4, "jpeg"),
    "rotated jpeg": (encode(PHOTO, "JPEG", exif=ROTATED), 3, "jpeg"),
    "jpeg with restarts": (encode(PHOTO, "JPEG", restart_marker_blocks=1), 3, "jpeg"),
    "several jpegs": (encode(PHOTO, "MPO", save_all=True, append_images=[PHOTO]), 3, "jpeg"),
    "png": (encode(PHOTO, "PNG"), 3, "png"),
    "grey png": (encode(PHOTO.convert("L"), "PNG"), 1, "png"),
    "black and white png": (encode(PHOTO.convert("1"), "PNG"), 1, "png"),
    "palette png": (encode(PHOTO.quantize(16), "PNG", bits=4), 3, "png"),
    "transparent palette png": (encode(PHOTO.quantize(16), "PNG", transparency=2), 3, "png"),
    "grey png with alpha": (encode(PHOTO.convert("LA"), "PNG"), 2, "png"),
    "png with alpha": (encode(PHOTO.convert("RGBA"), "PNG"), 4, "png"),
    "16-bit png": (
        make_png(WIDTH, HEIGHT, b"".join(b"\0" + row.tobytes() for row in WIDE), bits=16),
        3,
        "png",
    ),
    "16-bit grey png": (
        make_png(
            WIDTH,
            HEIGHT,
            b"".join(b"\0" + row.tobytes() for row in WIDE[..., 0]),
            bits=16,
            color=0,
        ),
        1,
        "png",
    ),
    "interlaced png": (make_png(WIDTH, HEIGHT, interlace(PIXELS), interlaced=1), 3, "png"),
    "animated png": (
        encode(PHOTO, "PNG", save_all=True, append_images=[PHOTO.rotate(9)]),
        3,
        "png",
    ),
}


def decode(data):
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_every_usual_kind_passes_and_tensorflow_decodes_it(kind):
    data, channels, format = KINDS[kind]
    assert check_image(data) == ImageFacts(WIDTH, HEIGHT, channels, format)
    assert decode(data).shape == (HEIGHT, WIDTH, 3)


def corrupt(data, random):
    """Return the image cut, with bytes zeroed, flipped, deleted, or its header overwritten."""
    changed = bytearray(data)
    kind, start = random.integers(0, 5), random.integers(0, len(data))
    if kind == 0:
        del changed[start:]
    elif kind == 1:
        stop = min(len(data), start + int(random.integers(1, 200)))
        changed[start:stop] = bytes(stop - start)
    elif kind == 2:
        for place in random.integers(0, len(data), 5):
            changed[place] ^= 1 << random.integers(0, 8)
    elif kind == 3:
        del changed[start : start + random.integers(1, 200)]
    else:
        for place in random.integers(0, min(len(data), 600), 2):
            changed[place] = random.integers(0, 256)
    return bytes(changed)


def test_what_passes_after_random_damage_is_decoded_by_tensorflow():
    random = np.random.default_rng(0)
    passed = 0
    for data, _, _ in KINDS.values():
        for _ in range(12):
            damaged = corrupt(data, random)
            try:
                facts = check_image(damaged)
            except ImageDamaged:
                continue
            passed += 1
            assert decode(damaged).shape == (facts.height, facts.width, 3)
    assert passed > 20


@pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg", "png", "interlaced png"])
def test_an_image_cut_anywhere_is_refused(kind):
    data = KINDS[kind][0]
    for length in range(9, len(data) - 1, 37):
        with pytest.raises(ImageDamaged, match="truncated|broken"):
            check_image(data[:length])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"GIF89a....", r"not a JPEG or PNG by its content \(it looks like a GIF\)"),
        (b"<html>404</html>", "looks like a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        (b"hello", "not a JPEG or PNG by its content$"),
        (make_png(20_000, 20_000, b""), "20000 × 20000 pixels are more than the 50000000"),
        (make_png(0, 5, b""), "broken header: 0 × 5 pixels"),
        (make_png(4, 4, b"\0"), "broken or truncated"),
        (KINDS["png"][0][:8] + make_chunk(b"IEND", b""), "does not begin with an IHDR chunk"),
        (KINDS["jpeg"][0].replace(b"\xff\xc0", b"\xff\xc9"), "arithmetic-coded"),
        (KINDS["jpeg"][0].replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "12 instead of 8"),
    ],
)
def test_the_reason_says_what_is_wrong(data, reason):
    with pytest.raises(ImageDamaged, match=reason):
        check_image(data)


def test_a_wrong_checksum_is_found():
    data = bytearray(KINDS["png"][0])
    data[data.index(b"IDAT") + 9] ^= 1
    with pytest.raises(ImageDamaged, match="wrong checksum of the PNG chunk b'IDAT'"):
        check_image(bytes(data))


def test_huge_claimed_sizes_are_refused_without_decoding(monkeypatch):
    jpeg = bytearray(KINDS["jpeg"][0])
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    monkeypatch.setattr(image_check.JpegImageFile, "load", None)
    with pytest.raises(ImageDamaged, match="60000 × 60000 pixels are more"):
        check_image(bytes(jpeg))


def test_files_that_cannot_be_read_have_a_reason(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for name, reason in [
        ("nowhere.png", "cannot be read: No such file"),
        ("pipe.png", "not an ordinary file"),
        (".", "not an ordinary file"),
    ]:
        with pytest.raises(ImageDamaged, match=reason):
            check_image(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_has_a_reason(tmp_path):
    (tmp_path / "secret.png").touch(mode=0)
    with pytest.raises(ImageDamaged, match="cannot be read: Permission denied"):
        check_image(tmp_path / "secret.png")


def test_too_large_a_file_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "large.png").write_bytes(bytes(11))
    monkeypatch.setattr(image_check, "MAXIMUM_BYTES", 10)
    with pytest.raises(ImageDamaged, match="11 bytes are more than the 10 bytes allowed"):
        check_image(tmp_path / "large.png")


def test_many_files_keep_their_order(tmp_path):
    paths = []
    for number in range(100):
        paths.append(tmp_path / f"{number}.png")
        size = (number + 1, 2)
        paths[-1].write_bytes(b"" if number % 7 == 0 else encode(Image.new("L", size), "PNG"))
    facts, reasons = check_images(paths, progress=False, workers=3)
    for number in range(100):
        if number % 7 == 0:
            assert (facts[number], reasons[number]) == (None, "the file is empty")
        else:
            assert (facts[number].width, reasons[number]) == (number + 1, None)


def test_no_files_give_no_facts():
    assert check_images([], progress=False) == ([], [])


def test_the_programs_own_warnings_are_left_as_they_were(tmp_path):
    (tmp_path / "1.png").write_bytes(KINDS["png"][0])
    before = list(warnings.filters)
    check_images([tmp_path / "1.png"] * 500, progress=False, workers=8)
    assert warnings.filters == before
    assert threading.active_count() < 20

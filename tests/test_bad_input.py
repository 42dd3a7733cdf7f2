"""Damaged images in every data set: each is set aside and counted, or ends as a plain sentence.

Twenty-odd kinds of damage, ten random variants each, through the readers, the doctor and `predict`.
Damaged tables, labels, folders and archives: `test_bad_tables.py`, `test_bad_folders.py`.
"""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from affectkeras import predict
from affectkeras.media.image_check import ImageDamaged
from tests.tiny_datasets import COUNT, WRITERS, encode, read_accounted, write_file

VARIANTS = range(10)
PNG_HEADER = 33  # bytes: the signature and the IHDR chunk


def truncate(random, content):
    return content[: random.integers(20, len(content) - 2)]


def zero_block(random, content, first=PNG_HEADER + 8):
    size = int(random.integers(8, 64))
    start = int(random.integers(first, len(content) - size))
    return content[:start] + bytes(size) + content[start + size :]


def flip_bits(random, content, first, end):
    changed = bytearray(content)
    for place in random.choice(
        np.arange(first, end), size=int(random.integers(1, 5)), replace=False
    ):
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def claim_size(random, png):
    """Claim up to 65,000 pixels a side in the header, with the right checksum."""
    header = b"IHDR" + struct.pack(">II", *random.integers(50_000, 65_000, 2)) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[PNG_HEADER:]


def claim_jpeg_size(random, jpeg):
    start = jpeg.index(b"\xff\xc0") + 5
    size = struct.pack(">HH", *random.integers(50_000, 65_000, 2))
    return jpeg[:start] + size + jpeg[start + 4 :]


def random_text(random):
    return bytes(random.integers(32, 127, random.integers(1, 400), dtype=np.uint8))


# Kind → (function of random numbers, a PNG and a JPEG; what the reason must say).
CONTENTS = {
    "truncated PNG": (lambda r, png, jpeg: truncate(r, png), "truncated"),
    "truncated JPEG": (lambda r, png, jpeg: truncate(r, jpeg), "truncated"),
    "PNG cut within its first bytes": (lambda r, png, jpeg: png[: r.integers(1, 33)], ""),
    "JPEG cut within its first bytes": (lambda r, png, jpeg: jpeg[: r.integers(1, 20)], ""),
    "zeroed block in a PNG": (lambda r, png, jpeg: zero_block(r, png), "broken|truncated"),
    "flipped bits in a PNG's header": (lambda r, png, jpeg: flip_bits(r, png, 0, 33), ""),
    "flipped bits in a PNG's data": (
        lambda r, png, jpeg: flip_bits(r, png, PNG_HEADER + 8, len(png) - 16),
        "wrong checksum of the PNG chunk b'IDAT'",
    ),
    "bytes missing within a PNG": (
        lambda r, png, jpeg: (at := int(r.integers(40, 200))) and png[:at] + png[at + 5 :],
        "broken|truncated",
    ),
    "empty file": (lambda r, png, jpeg: b"", "the file is empty"),
    "zeros": (lambda r, png, jpeg: bytes(int(r.integers(1, 4000))), "not a JPEG or PNG"),
    "text": (lambda r, png, jpeg: random_text(r), "not a JPEG or PNG"),
    "web page": (lambda r, png, jpeg: b"<html>" + random_text(r), "looks like a web page"),
    "random bytes": (lambda r, png, jpeg: r.bytes(r.integers(1, 4000)), "not a JPEG or PNG"),
    "Git LFS pointer": (
        lambda r, png, jpeg: b"version https://git-lfs.github.com/spec/v1\n" + random_text(r),
        "Git LFS pointer",
    ),
    "GIF": (lambda r, png, jpeg: encode("GIF", seed=int(r.integers(99))), "looks like a GIF"),
    "BMP": (lambda r, png, jpeg: encode("BMP", seed=int(r.integers(99))), "looks like a BMP"),
    "WebP": (lambda r, png, jpeg: encode("WEBP", seed=int(r.integers(99))), "looks like a WebP"),
    "TIFF": (lambda r, png, jpeg: encode("TIFF", seed=int(r.integers(99))), "looks like a TIFF"),
    "huge PNG": (lambda r, png, jpeg: claim_size(r, png), "pixels"),
    "huge JPEG": (lambda r, png, jpeg: claim_jpeg_size(r, jpeg), "pixels"),
    "JPEG without its end": (lambda r, png, jpeg: jpeg[: -r.integers(1, 3)], "truncated"),
}

# A JPEG has no checksums: these may decode to wrong pixels, and must be either used or set aside.
UNDECIDED = {
    "zeroed block in a JPEG": lambda r, jpeg: zero_block(r, jpeg, first=20),
    "flipped bits in a JPEG's header": lambda r, jpeg: flip_bits(r, jpeg, 0, 160),
    "flipped bits in a JPEG's data": lambda r, jpeg: flip_bits(r, jpeg, 600, len(jpeg) - 2),
    "bytes missing within a JPEG": (
        lambda r, jpeg: (at := int(r.integers(2, len(jpeg) - 9))) and jpeg[:at] + jpeg[at + 5 :]
    ),
}


def make_pipe(path):
    os.mkfifo(path)


def make_folder(path):
    path.mkdir()


def make_dangling_link(path):
    path.symlink_to(path.with_name("nowhere.png"))


def make_link_to_itself(path):
    path.symlink_to(path)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Every data set, written once: name → (reader, folder, file of the first example)."""
    root = tmp_path_factory.mktemp("tiny")
    return {
        name: (reader, root / name, write(root / name)) for name, (reader, write) in WRITERS.items()
    }


@pytest.fixture
def damage(tiny):
    """Let a test damage the first example of a data set, chosen by number; mend it afterwards."""
    sound = {victim: victim.read_bytes() for _, _, victim in tiny.values()}

    def damage_one(number, content):
        chosen = list(tiny.values())[number % len(tiny)]
        write_file(chosen[2], content)
        return chosen

    yield damage_one
    for victim, content in sound.items():
        if victim.is_dir():
            victim.rmdir()
        else:
            victim.unlink(missing_ok=True)
        victim.write_bytes(content)


def classify(encoded_images):
    """Decode as training and serving do; the classes play no part here."""
    import tensorflow as tf

    from affectkeras.media.images import decode_and_resize

    try:
        pixels = [decode_and_resize(image, (8, 8)).numpy() for image in encoded_images]
    except tf.errors.InvalidArgumentError as error:
        raise ImageDamaged(f"the model cannot decode it: {error.message}") from error
    return np.stack(pixels).mean(axis=(1, 2))


def predict_one(path):
    """Return what `predict` says of one file: a reason, or None where it is predicted."""
    [(_, prediction)] = predict.predict_files([path], classify, batch_size=32)
    return prediction if isinstance(prediction, str) else None


@pytest.mark.parametrize("name", WRITERS)
def test_an_undamaged_data_set_is_read_whole(tiny, name):
    reader, folder, victim = tiny[name]
    table = read_accounted(reader, folder)
    assert (len(table), len(table.rejected)) == (COUNT, 0)
    assert predict_one(victim) is None


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("kind", CONTENTS)
def test_a_damaged_image_is_set_aside_with_its_reason(damage, kind, seed):
    make, reason = CONTENTS[kind]
    content = make(np.random.default_rng(seed), encode("PNG", seed=seed), encode("JPEG", seed=seed))
    reader, folder, victim = damage(seed, content)
    table = read_accounted(reader, folder)
    assert (len(table), len(table.rejected)) == (COUNT - 1, 1)
    assert table.rejected["kind"][0] == "damaged"
    assert table.rejected["path"][0].endswith(victim.name)
    found = table.rejected["reason"][0]
    assert any(word in found for word in reason.split("|")), found
    assert predict_one(victim) == found


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("kind", UNDECIDED)
def test_a_damaged_jpeg_is_used_only_if_training_and_serving_can_decode_it(damage, kind, seed):
    content = UNDECIDED[kind](np.random.default_rng(seed), encode("JPEG", seed=seed))
    reader, folder, victim = damage(seed, content)
    table = read_accounted(reader, folder)
    assert table.read == COUNT
    found = None if len(table) == COUNT else table.rejected["reason"][0]
    assert predict_one(victim) == found


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_pipe, "not an ordinary file"),
        (make_folder, "not an ordinary file"),
        (make_dangling_link, "no such file|No such file"),
        (make_link_to_itself, "symbolic links|no such file"),
    ],
)
def test_what_only_bears_an_image_s_name_is_set_aside(tiny, damage, name, make, reason):
    reader, folder, victim = tiny[name]
    victim.unlink()
    make(victim)
    table = read_accounted(reader, folder)
    assert len(table) == COUNT - 1
    # Where no list names it, a folder is no example: there is nothing to set aside.
    assert len(table.rejected) == 1 or make is make_folder
    for found in table.rejected["reason"]:
        assert any(word in found for word in reason.split("|")), found
    said = predict_one(victim)
    assert any(word in said for word in reason.split("|")), said


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(5, "I/O error")]
)
def test_an_image_that_cannot_be_read_is_set_aside(tiny, monkeypatch, name, error):
    reader, folder, victim = tiny[name]
    read_bytes = Path.read_bytes

    def refuse(path):
        if path == victim:
            raise error
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    table = read_accounted(reader, folder)
    assert len(table) == COUNT - 1
    assert table.rejected["reason"].tolist() == [f"cannot be read: {error.strerror}"]
    assert predict_one(victim) == f"cannot be read: {error.strerror}"


@pytest.mark.parametrize("seed", VARIANTS)
def test_many_kinds_at_once_are_all_counted(tmp_path, seed):
    random = np.random.default_rng(seed)
    kinds = random.permutation(list(CONTENTS))[:8]
    png, jpeg = encode("PNG"), encode("JPEG")
    for number, kind in enumerate(kinds):
        write_file(tmp_path / "calm" / f"{number}.png", CONTENTS[kind][0](random, png, jpeg))
    sound = int(random.integers(1, 20))
    for number in range(sound):
        write_file(tmp_path / "glad" / f"{number}.jpg")
    table = read_accounted("image_folder", tmp_path)
    assert (len(table), len(table.rejected), table.read) == (sound, 8, sound + 8)
    files = sorted(tmp_path.rglob("*.*"))
    rows = predict.predict_files(files, classify, batch_size=7)
    assert sum(isinstance(prediction, str) for _, prediction in rows) == 8

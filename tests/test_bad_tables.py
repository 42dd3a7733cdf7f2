"""Damaged label files and tables: a bad row is set aside and counted, a bad file is named."""

import io
import re

import numpy as np
import pytest

from affectkeras.errors import UserError
from tests import tiny_datasets
from tests.tiny_datasets import COUNT, read_accounted

VARIANTS = range(10)

# Name → (reader, writer, the label file below the folder, lines before the first row).
TABLES = {
    "fer2013": ("fer2013", tiny_datasets.write_fer2013_csv, "fer2013.csv", 1),
    "ferplus votes": ("ferplus", tiny_datasets.write_ferplus_tables, "fer2013new.csv", 1),
    "ferplus": ("ferplus", tiny_datasets.write_ferplus, "FER2013Train/label.csv", 0),
    "rafdb": (*("rafdb", tiny_datasets.write_rafdb, "basic/EmoLabel/list_patition_label.txt", 0),),
    "affectnet": (
        *("affectnet", tiny_datasets.write_affectnet),
        *("Manually_Annotated_file_lists/training.csv", 1),
    ),
    "sfew": ("sfew", tiny_datasets.write_sfew_flat, "sfew_2.0_labels.csv", 1),
}


def replace_cell(separator, column, new):
    """Return a function that puts something else into one cell of a row."""

    def change(random, row):
        cells = row.split(separator)
        cells[column] = new(random, cells[column]) if callable(new) else new
        return separator.join(cells)

    return change


def change_pixel(new):
    def change(random, pixels):
        words = pixels.split()
        words[random.integers(len(words))] = str(random.choice(new))
        return " ".join(words)

    return replace_cell(",", 1, change)


def drop_pixels(random, pixels):
    words = pixels.split()
    return " ".join(words[: random.integers(len(words))])


def add_pixels(random, pixels):
    return pixels + " 7" * int(random.integers(1, 9))


def choose(*values):
    return lambda random, _: values[random.integers(len(values))]


# Longer than a file's name can be; a name with a zero byte is impossible too.
LONG = "x" * 300 + ".jpg"
NO_FILE = "no such file|plain file name|must begin|must name a file|must be a file name"

# (table, what is done to one of its rows, kind of rejection, what the reason must say).
ROWS = [
    ("fer2013", replace_cell(",", 1, drop_pixels), "damaged", r"\d+ pixels instead of 2304"),
    ("fer2013", replace_cell(",", 1, add_pixels), "damaged", "pixels instead of 2304"),
    ("fer2013", change_pixel(["x", "1e", "--", "#"]), "damaged", "not a whole number"),
    ("fer2013", change_pixel([-1, 256, 99999]), "damaged", "not in 0 to 255"),
    ("fer2013", change_pixel(["3.5", "1e2"]), "damaged", "whole number|pixels instead"),
    ("fer2013", replace_cell(",", 0, choose("7", "-1", "", "x", "1.5")), "damaged", "0 to 6"),
    ("fer2013", replace_cell(",", 2, choose("", "Test", "7")), "damaged", "Usage must be"),
    ("fer2013", lambda random, row: row + ",1", "damaged", "4 cells for 3 columns"),
    ("fer2013", lambda random, row: row.rpartition(",")[0], "damaged", "2 cells for 3 columns"),
    ("ferplus votes", lambda random, row: row + ",0", "damaged", "13 cells for 12 columns"),
    ("ferplus votes", replace_cell(",", 4, choose("x", "-1", "0.5")), "damaged", "ten votes"),
    ("ferplus", lambda random, row: row.rpartition(",")[0], "damaged", "ten votes"),
    ("ferplus", lambda random, row: row + ",0" * random.integers(1, 9), "damaged", "ten votes"),
    ("ferplus", replace_cell(",", -1, choose("x", "", "-3")), "damaged", "ten votes"),
    ("ferplus", replace_cell(",", 0, choose("a.png", LONG, "a\0.png")), "damaged", NO_FILE),
    ("ferplus", replace_cell(",", 0, choose("../a.png", "/etc/a")), "damaged", "plain file name"),
    ("rafdb", replace_cell(" ", 1, choose("0", "8", "x", "1.0")), "damaged", "must be 1 to 7"),
    ("rafdb", lambda random, row: row + " 1", "damaged", "a file name and a label"),
    ("rafdb", lambda random, row: row.split()[0], "damaged", "a file name and a label"),
    ("rafdb", replace_cell(" ", 0, choose("a.jpg", "../train_1.jpg")), "damaged", "begin with"),
    (
        *("rafdb", replace_cell(" ", 0, choose("train_9.jpg", "train_" + LONG, "train_\0.jpg"))),
        *("damaged", NO_FILE),
    ),
    ("affectnet", replace_cell(",", 6, choose("11", "-1", "1.5")), "damaged", "must be 0 to 10"),
    ("affectnet", replace_cell(",", 6, choose("happy", "")), "damaged", "must be numbers"),
    (
        "affectnet",
        replace_cell(",", 7, choose("3", "-1.5", "nan", "inf")),
        "damaged",
        r"in \[-1, 1",
    ),
    ("affectnet", replace_cell(",", 6, choose("8", "9", "10")), "excluded", "expression"),
    ("affectnet", replace_cell(",", 0, choose("/etc/a", "../a", "")), "damaged", "in the folder"),
    ("affectnet", replace_cell(",", 0, choose("a.jpg", LONG, "\0")), "damaged", NO_FILE),
    ("affectnet", lambda random, row: row + ",1", "damaged", "10 cells for 9 columns"),
    ("sfew", replace_cell(",", 2, choose("Bored", "3")), "damaged", "emotion must be one of"),
    ("sfew", replace_cell(",", 2, choose("", "unknown")), "unlabelled", "no emotion"),
    ("sfew", replace_cell(",", 3, choose("", "Part")), "damaged", "original_split must be"),
    ("sfew", replace_cell(",", 0, choose("../a.png", "a/b.png")), "damaged", "must be a file name"),
    ("sfew", replace_cell(",", 0, choose("a.png", LONG, "a\0")), "damaged", NO_FILE),
]

# What is done to a whole file → what the message must say.
FILES = {
    "empty": (lambda random, content: b"", "missing|cannot be read|no rows"),
    "not UTF-8": (
        lambda random, content: content + b"caf\xe9" * int(random.integers(1, 9)) + b"\n",
        "cannot be read as a",
    ),
    "UTF-16": (lambda random, content: content.decode().encode("utf-16"), "cannot be read as a"),
    "binary": (lambda random, content: b"\xff\xfe" + random.bytes(300), "cannot be read as a"),
}

HEADERS = {
    "fer2013": ("emotion", "pixels", "Usage"),
    "ferplus votes": ("Usage", "Image name", "happiness", "NF"),
    "affectnet": ("subDirectory_filePath", "expression", "valence", "arousal"),
    "sfew": ("image_name", "emotion", "original_split"),
}


def read_damaged(folder, name, change):
    """Write a data set, change the bytes of its table, read it."""
    reader, write, file, _ = TABLES[name]
    write(folder)
    path = folder / file
    path.write_bytes(change(path.read_bytes()))
    return read_accounted(reader, folder)


def read_or_refuse(folder, name, change):
    """Return the table and None, or None and the message of the `UserError`."""
    try:
        return read_damaged(folder, name, change), None
    except UserError as error:
        return None, str(error)


@pytest.mark.parametrize("name", TABLES)
def test_an_undamaged_table_is_read_whole(tmp_path, name):
    assert len(read_damaged(tmp_path, name, lambda content: content)) == COUNT


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize(("name", "change", "kind", "reason"), ROWS)
def test_a_bad_row_is_set_aside_with_its_reason(tmp_path, name, change, kind, reason, seed):
    random = np.random.default_rng(seed)
    first = TABLES[name][3]

    def change_one(content):
        lines = content.decode().splitlines()
        number = int(random.integers(first, len(lines)))
        lines[number] = change(random, lines[number])
        return "\n".join(lines).encode()

    table = read_damaged(tmp_path, name, change_one)
    assert len(table) == COUNT - 1
    reasons = table.rejected.loc[table.rejected["kind"] == kind, "reason"]
    assert any(re.search(reason, found) for found in reasons), list(table.rejected["reason"])
    # An image whose row is gone may be set aside as unlabelled beside the row itself.
    assert len(table.rejected) - 1 <= (table.rejected["kind"] == "unlabelled").sum() <= 1


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("name", [name for name in TABLES if "votes" not in name])
def test_a_repeated_row_is_used_once(tmp_path, name, seed):
    random = np.random.default_rng(seed)

    def repeat_one(content):
        lines = content.decode().splitlines()
        number = int(random.integers(TABLES[name][3], len(lines)))
        return "\n".join([*lines, lines[number]]).encode()

    table = read_damaged(tmp_path, name, repeat_one)
    assert table.read == COUNT + 1
    if (
        name == "fer2013"
    ):  # rows of pixels have no name: finding equal ones is not the reader's part
        assert len(table) == COUNT + 1
    else:
        assert len(table) == COUNT
        assert "listed more than once" in table.rejected["reason"][0]


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, kind, seed):
    change, message = FILES[kind]
    random = np.random.default_rng(seed)
    table, refusal = read_or_refuse(tmp_path, name, lambda content: change(random, content))
    if kind == "empty" and TABLES[name][3] == 0:
        # A list without a header line that names no image: all of them are unlabelled.
        assert table.rejected["kind"].tolist() == ["unlabelled"] * COUNT
    else:
        assert TABLES[name][2].rpartition("/")[2] in refusal
        assert re.search(message, refusal)


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("name", HEADERS)
def test_a_table_without_a_column_is_refused_naming_it(tmp_path, name, seed):
    random = np.random.default_rng(seed)
    column = str(random.choice(HEADERS[name]))
    separators = (b";", b"\t", b"|")
    for number, change in enumerate(
        (
            lambda content: content.replace(column.encode(), b"x", 1),
            lambda content: content.replace(b",", separators[random.integers(3)]),
        )
    ):
        _, refusal = read_or_refuse(tmp_path / str(number), name, change)
        assert TABLES[name][2] in refusal
        assert "columns" in refusal
        assert column in refusal


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("name", TABLES)
def test_a_table_cut_short_or_with_random_damage_never_crashes(tmp_path, name, seed):
    random = np.random.default_rng(seed)

    def damage(content):
        changed = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 30)):
            changed[place] = random.integers(256) if seed % 2 else random.choice(list(b',"\n\0 \r'))
        return (
            bytes(changed[: random.integers(1, len(content))]) if seed % 3 == 0 else bytes(changed)
        )

    _, refusal = read_or_refuse(tmp_path, name, damage)
    assert refusal is None or str(tmp_path) in refusal or "no image" in refusal


@pytest.mark.parametrize("seed", VARIANTS)
def test_votes_that_do_not_belong_to_the_faces_are_refused(tmp_path, seed):
    random = np.random.default_rng(seed)
    number = int(random.integers(1, COUNT + 1))

    def drop(content):
        lines = content.splitlines()
        return b"\n".join(lines[:number] + lines[number + 1 :])

    def rename(content):
        lines = content.splitlines()
        lines[number] = lines[number].replace(b"Training", b"PublicTest")
        return b"\n".join(lines)

    with pytest.raises(UserError, match="joined by row order"):
        read_damaged(tmp_path / "short", "ferplus votes", drop)
    with pytest.raises(UserError, match=f"Usage differs .* the first is row {number}"):
        read_damaged(tmp_path / "renamed", "ferplus votes", rename)


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("cut", "cannot be read|exactly one value"),
        ("pickled", "cannot be read"),
        ("empty", "cannot be read"),
        ("two values", "exactly one value"),
        ("a word", "must be numbers"),
        ("missing", "is not there"),
        ("a zip", "exactly one value|cannot be read"),
    ],
)
def test_a_bad_annotation_of_affectnet_is_set_aside(tmp_path, kind, reason, seed):
    random = np.random.default_rng(seed)
    tiny_datasets.write_affectnet_sets(tmp_path)
    part = random.choice(["exp", "val", "aro"])
    path = tmp_path / f"train_set/annotations/{random.integers(COUNT)}_{part}.npy"
    buffer = io.BytesIO()
    if kind == "pickled":
        np.save(buffer, np.array([{"a": 1}], dtype=object))
    elif kind == "two values":
        np.save(buffer, np.array([1.0, 2.0]))
    elif kind == "a word":
        np.save(buffer, np.array("happy"))
    elif kind == "a zip":
        np.savez(buffer, np.array(1.0))
    elif kind == "cut":
        content = path.read_bytes()
        buffer.write(content[: random.integers(1, len(content))])
    path.write_bytes(buffer.getvalue())
    if kind == "missing":
        path.unlink()
    table = read_accounted("affectnet", tmp_path)
    assert (len(table), table.read) == (COUNT - 1, COUNT)
    assert re.search(reason, table.rejected["reason"][0])

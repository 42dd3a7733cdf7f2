"""Folders, archives and names as they should not be: a plain sentence, or everything counted."""

import os
import shutil
import zipfile

import numpy as np
import pytest

from affectkeras import datasets, predict
from affectkeras.errors import UserError
from affectkeras.evaluation.splits import PROTOCOLS, split_table
from tests.tiny_datasets import (
    BATCH_WRITERS,
    COUNT,
    WRITERS,
    encode,
    read_accounted,
    write_file,
)

VARIANTS = range(10)
EVERY = WRITERS | BATCH_WRITERS
# Where the folder an image lies in says what it shows; the others go by a list of names.
WITHOUT_LIST = ("sfew", "fer2013", "affectnet newer", "image_folder")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def read(name, folder):
    return read_accounted(EVERY[name][0], folder)


def zip_folder(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The bytes of every data set zipped whole, by name."""
    root = tmp_path_factory.mktemp("archives")
    contents = {}
    for name, (_, write) in EVERY.items():
        write(root / name)
        contents[name] = zip_folder(root / name, root / f"{name}.zip").read_bytes()
    return contents


@pytest.mark.parametrize("name", EVERY)
def test_a_folder_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(UserError, match="nowhere: expected a folder or a .zip file"):
        read(name, tmp_path / "nowhere")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="link: expected a folder or a .zip file"):
        read(name, tmp_path / "link")


@pytest.mark.parametrize("name", EVERY)
def test_an_empty_folder_is_answered_with_the_expected_layout(tmp_path, name):
    with pytest.raises(UserError) as caught:
        read(name, tmp_path)
    assert f"{tmp_path}: this does not look like" in str(caught.value)
    assert "found nothing. Expected layout:" in str(caught.value)
    assert datasets.reader(EVERY[name][0]).LAYOUT.strip() in str(caught.value)


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("name", EVERY)
def test_a_folder_of_other_things_is_answered_with_what_was_found(tmp_path, name, seed):
    random = np.random.default_rng(seed)
    for number in random.choice(90, size=random.integers(1, 30), replace=False):
        write_file(tmp_path / f"photo{number:02}.jpg")
    with pytest.raises(UserError, match="this does not look like") as caught:
        read(name, tmp_path)
    assert f"{sorted(os.listdir(tmp_path))[0]}" in str(caught.value) or "none" in str(caught.value)


@pytest.mark.parametrize("name", EVERY)
def test_a_file_in_place_of_the_folder_is_refused(tmp_path, name):
    for content in (b"", b"text", encode("PNG")):
        with pytest.raises(UserError, match="face.png: expected a .zip file"):
            read(name, write_file(tmp_path / "face.png", content))


@pytest.mark.parametrize("name", EVERY)
def test_a_file_in_place_of_any_inner_folder_never_crashes(tmp_path, name):
    write = EVERY[name][1]
    write(tmp_path / "sound")
    inner = [path.relative_to(tmp_path / "sound") for path in (tmp_path / "sound").rglob("*")]
    for number, part in enumerate(inner):
        folder = tmp_path / str(number)
        write(folder)
        if (folder / part).is_dir():
            shutil.rmtree(folder / part)
            (folder / part).write_text("a file")
            try:
                table = read(name, folder)
            except UserError as error:
                message = str(error)
            else:
                message = str(folder)
                assert len(table) < COUNT
            assert str(folder) in message or "no .jpg" in message


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("name", EVERY)
def test_any_file_or_folder_may_be_missing(tmp_path, name, seed):
    random = np.random.default_rng(seed)
    EVERY[name][1](tmp_path)
    part = random.choice(sorted(tmp_path.rglob("*")))
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink()
    try:
        assert len(read(name, tmp_path)) < COUNT
    except UserError as error:
        message = str(error)
    else:
        message = str(tmp_path)
    assert str(tmp_path) in message or "no .jpg" in message


@pytest.mark.parametrize("name", EVERY)
def test_loops_of_links_end(tmp_path, name):
    victim = EVERY[name][1](tmp_path)
    (victim.parent / "loop").symlink_to(tmp_path)
    (victim.parent / "loop.png").symlink_to(victim.parent / "loop.png")
    (tmp_path / "zz_loop").symlink_to(tmp_path)
    table = read(name, tmp_path)
    assert len(table) == COUNT
    assert len(predict.find_images([tmp_path])) == (COUNT if name in WRITERS else 0) + 1


@pytest.mark.parametrize("name", WITHOUT_LIST)
def test_names_that_are_no_utf8_or_hold_line_breaks_are_read(tmp_path, name):
    victim = EVERY[name][1](tmp_path)
    for prefix in (b"caf\xe9", b"two\nlines", b"\xff\xfe", " ü😀".encode()):
        strange = os.path.join(os.fsencode(victim.parent), prefix + os.fsencode(victim.name))
        shutil.copy(victim, strange)
    table = read(name, tmp_path)
    if name == "affectnet newer":  # no annotation bears such a name
        assert (len(table), len(table.rejected)) == (COUNT, 4)
    elif name == "sfew":  # a line break is in no film's name
        assert (len(table), len(table.rejected)) == (COUNT + 3, 1)
    else:
        assert len(table) == COUNT + 4
    shown = [*table.frame["example_id"], *table.rejected["path"]]
    assert any("caf\\xe9" in text for text in shown)


@pytest.mark.parametrize("name", ["ferplus", "rafdb", "affectnet"])
def test_names_that_are_no_utf8_beside_a_list_are_counted(tmp_path, name):
    victim = EVERY[name][1](tmp_path)
    shutil.copy(victim, os.path.join(os.fsencode(victim.parent), b"caf\xe9.png"))
    table = read(name, tmp_path)
    assert len(table) == COUNT
    # AffectNet's older form has hundreds of thousands of images no list names: not looked at.
    assert len(table.rejected) == (0 if name == "affectnet" else 1)


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_class_with_one_image_is_split_or_named(tmp_path, protocol, seed):
    random = np.random.default_rng(seed)
    for label, count in (("calm", int(random.integers(4, 9))), ("glad", 1)):
        for number in range(count):
            write_file(tmp_path / label / f"{number}.png", encode("PNG", seed=number))
    table = read("image_folder", tmp_path)
    try:
        split = split_table(
            *(table.frame, "expression", protocol),
            **{"seed": seed, "groups_known": False, "class_names": table.targets[0].class_names},
        )
    except UserError as error:
        message = str(error)
    else:
        message = "glad split"
        parts = [*split.parts().values(), split.set_aside["row"].to_numpy()]
        assert sorted(np.concatenate(parts)) == list(range(len(table)))
    assert "glad" in message or "part" in message


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("name", EVERY)
def test_a_zip_that_is_cut_is_refused(tmp_path, archives, name, seed):
    content = archives[name]
    end = int(np.random.default_rng(seed).integers(0, len(content) - 1))
    path = write_file(tmp_path / f"{name}.zip", content[:end])
    with pytest.raises(UserError, match=r"\.zip: expected a .zip file that can be unpacked"):
        read(name, path)
    with pytest.raises(UserError):  # the same where it lies in the folder that is named
        read(name, tmp_path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("name", EVERY)
def test_a_zip_with_random_damage_is_refused_or_read_whole(tmp_path, archives, name, seed):
    random = np.random.default_rng(seed)
    content = bytearray(archives[name])
    for place in random.integers(0, len(content), random.integers(1, 9)):
        content[place] = random.integers(256)
    path = write_file(tmp_path / f"{name}.zip", bytes(content))
    try:
        read(name, path)
    except UserError as error:
        message = str(error)
    else:
        message = str(path)
    assert path.name in message or "does not look like" in message or "no .jpg" in message


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("member", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt"])
def test_a_zip_that_would_write_outside_its_folder_is_refused(tmp_path, archives, name, member):
    path = write_file(tmp_path / "in" / f"{name}.zip", archives[name])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "evil")
    with pytest.raises(UserError, match="would be written outside the folder"):
        read(name, path)
    cache = os.environ["AFFECTKERAS_CACHE"]
    written = [file for _, _, files in os.walk(cache) for file in files if "evil" in file]
    assert written == []
    assert list(tmp_path.iterdir()) == [tmp_path / "in"]


@pytest.mark.parametrize("name", EVERY)
def test_a_folder_that_cannot_be_listed_is_named_or_counted(tmp_path, monkeypatch, name):
    victim = EVERY[name][1](tmp_path)
    listdir, scandir = os.listdir, os.scandir

    def refuse(real):
        def call(path="."):
            if os.fspath(path) == os.fspath(victim.parent):
                raise PermissionError(13, "Permission denied", os.fspath(path))
            return real(path)

        return call

    monkeypatch.setattr(os, "listdir", refuse(listdir))
    monkeypatch.setattr(os, "scandir", refuse(scandir))
    try:
        table = read(name, tmp_path)
    except UserError as error:
        message = str(error)
    else:
        message = " ".join(table.rejected["reason"])
        # What a list names can be read without listing its folder.
        if len(table) == COUNT:
            return
    assert "Permission denied" in message

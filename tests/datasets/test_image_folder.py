import os

import numpy as np
import pytest
from PIL import Image

from affectkeras.datasets import image_folder
from affectkeras.errors import UserError


def write_image(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((5, 4), value, dtype=np.uint8)).save(path)


def write_classes(folder, names=("happy", "sad")):
    for value, name in enumerate(names):
        write_image(folder / name / f"s1_{name}.png", value)
        write_image(folder / name / "more" / f"s2_{name}.JPG", value)


def read(folder, **options):
    return image_folder.read(folder, progress=False, **options)


def test_class_folders_alone_have_no_split(tmp_path):
    write_classes(tmp_path)
    table = read(tmp_path)
    assert table.frame["example_id"].tolist() == [
        "happy/more/s2_happy.JPG",
        "happy/s1_happy.png",
        "sad/more/s2_sad.JPG",
        "sad/s1_sad.png",
    ]
    assert table.frame["expression"].tolist() == [0, 0, 1, 1]
    assert set(table.frame["split"]) == {""}
    assert table.target("expression").class_names == ("happy", "sad")
    assert not table.groups_known


@pytest.mark.parametrize("prefix", ["", "faces/"])
def test_split_folders_are_known_by_their_usual_names(tmp_path, prefix):
    write_classes(tmp_path / prefix / "Training", ("b", "a"))
    write_classes(tmp_path / prefix / "valid", ("c",))
    write_classes(tmp_path / prefix / "TEST", ("a",))
    table = read(tmp_path)
    assert table.target("expression").class_names == ("a", "b", "c")
    counts = table.frame.groupby(["split", "expression"]).size().to_dict()
    assert counts == {("train", 0): 2, ("train", 1): 2, ("validation", 2): 2, ("test", 0): 2}


def test_a_class_may_be_empty_in_one_split_but_not_in_all(tmp_path):
    write_classes(tmp_path / "train")
    (tmp_path / "test/sad").mkdir(parents=True)
    assert len(read(tmp_path)) == 4
    (tmp_path / "test/angry").mkdir()
    with pytest.raises(UserError, match="the class folder 'angry' holds no image .*Remove"):
        read(tmp_path)


def test_one_class_is_not_enough(tmp_path):
    write_classes(tmp_path, ("happy",))
    with pytest.raises(UserError, match=r"two or more class folders \(found happy\)"):
        read(tmp_path)


def test_class_names_that_differ_in_case_only_are_refused(tmp_path):
    write_classes(tmp_path / "train", ("happy", "sad"))
    write_classes(tmp_path / "test", ("Happy",))
    with pytest.raises(UserError, match="'Happy' and 'happy' differ in case only"):
        read(tmp_path)


@pytest.mark.parametrize("pattern", [r"(s\d)_", r"(?P<group>s\d)_(happy|sad)"])
def test_a_pattern_tells_the_group(tmp_path, pattern):
    write_classes(tmp_path)
    table = read(tmp_path, group_pattern=pattern)
    assert table.frame["group"].tolist() == ["s2", "s1", "s2", "s1"]
    assert table.groups_known


def test_a_path_without_group_is_named(tmp_path):
    write_classes(tmp_path)
    write_image(tmp_path / "sad/unknown.png")
    with pytest.raises(UserError, match="sad/unknown.png: `group_pattern` finds no group"):
        read(tmp_path, group_pattern=r"(s\d)_")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(s", "no valid regular expression: missing \\)"),
        (r"s\d", "must have one capturing group.*with 0 groups"),
        (r"(s)(\d)", "must have one capturing group.*with 2 groups"),
    ],
)
def test_an_unusable_pattern_is_refused(tmp_path, pattern, message):
    write_classes(tmp_path)
    with pytest.raises(UserError, match=message):
        read(tmp_path, group_pattern=pattern)


def test_what_is_no_labelled_image_is_set_aside(tmp_path):
    write_classes(tmp_path / "train")
    (tmp_path / "train/sad/broken.jpg").write_bytes(b"GIF89a")
    (tmp_path / "train/sad/labels.csv").write_text("x")
    (tmp_path / "train/sad/Thumbs.db").write_text("x")
    (tmp_path / "train/sad/.hidden.png").write_text("x")
    write_image(tmp_path / "__MACOSX/sad/s1.png")
    write_image(tmp_path / "train/loose.png")
    write_image(tmp_path / "test/1.png")
    write_image(tmp_path / "extra/2.png")
    table = read(tmp_path)
    assert sorted(map(tuple, table.rejected.to_numpy())) == [
        ("extra/2.png", "excluded", "its folder stands beside the split folders"),
        ("test/1.png", "unlabelled", "it lies in no class folder"),
        ("train/loose.png", "unlabelled", "it lies in no class folder"),
        (
            "train/sad/broken.jpg",
            "damaged",
            "not a JPEG or PNG by its content (it looks like a GIF)",
        ),
        ("train/sad/labels.csv", "excluded", "not a JPEG or PNG by its name"),
    ]
    assert table.read == 9


def test_links_that_lead_in_circles_end(tmp_path):
    write_classes(tmp_path)
    (tmp_path / "happy/circle").symlink_to(tmp_path)
    (tmp_path / "sad/self").symlink_to(tmp_path / "sad")
    (tmp_path / "top").symlink_to(tmp_path)
    (tmp_path / "sad/nowhere.png").symlink_to(tmp_path / "sad/nowhere.png")
    table = read(tmp_path)
    names = [name for name in table.frame["example_id"] if "circle" not in name]
    assert len(names) == 4
    assert table.target("expression").class_names == ("happy", "sad")
    assert table.rejected["path"].tolist()[-1] == "sad/nowhere.png"


def test_linked_class_folders_are_followed(tmp_path):
    write_classes(tmp_path / "store")
    (tmp_path / "data").mkdir()
    for name in ("happy", "sad"):
        (tmp_path / "data" / name).symlink_to(tmp_path / "store" / name)
    assert len(read(tmp_path / "data")) == 4


def test_names_that_are_not_utf_8_work(tmp_path):
    write_classes(tmp_path)
    write_image(tmp_path / "new.png")
    name = os.path.join(os.fsencode(tmp_path), b"sad", b"s3_\xe9\xff.png")
    os.rename(tmp_path / "new.png", name)
    table = read(tmp_path)
    row = table.frame["example_id"].tolist().index("sad/s3_\\xe9\\xff.png")
    assert os.fsencode(table.payload.paths[row]) == name


def test_an_unreadable_folder_is_reported(tmp_path, monkeypatch):
    write_classes(tmp_path)
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("more"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    table = read(tmp_path)
    assert len(table) == 2
    assert table.rejected["path"].tolist() == ["happy/more", "sad/more"]
    assert set(table.rejected["reason"]) == {"the folder cannot be listed: Permission denied"}

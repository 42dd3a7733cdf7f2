"""RAF-DB's layout, written small into a folder and read back."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from affectkeras.datasets import rafdb
from affectkeras.errors import UserError

LINES = ["train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7"]


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def write(folder, lines=LINES, list_name="list_patition_label.txt", names=None):
    (folder / "basic" / "EmoLabel").mkdir(parents=True)
    (folder / "basic" / "EmoLabel" / list_name).write_text("\n".join(lines) + "\n")
    aligned = folder / "basic" / "Image" / "aligned"
    aligned.mkdir(parents=True)
    names = [line.split(".")[0] for line in LINES] if names is None else names
    for name in names:
        Image.fromarray(np.full((10, 12, 3), 90, np.uint8)).save(aligned / f"{name}_aligned.jpg")
    return aligned


def test_labels_follow_the_owner_s_order_and_names_give_the_split(tmp_path):
    write(tmp_path)
    table = rafdb.read(tmp_path, progress=False)
    columns = ["example_id", "split", "expression", "width", "height"]
    assert table.frame[columns].to_numpy().tolist() == [
        ["Image/aligned/train_00001_aligned.jpg", "train", 4, 12, 10],
        ["Image/aligned/train_00002_aligned.jpg", "train", 0, 12, 10],
        ["Image/aligned/test_0001_aligned.jpg", "test", 6, 12, 10],
    ]
    assert [rafdb.CLASS_NAMES[label] for label in table.frame["expression"]] == [
        "Sadness",
        "Surprise",
        "Neutral",
    ]
    assert not table.groups_known


def test_the_corrected_spelling_and_the_folder_basic_itself_are_accepted(tmp_path):
    write(tmp_path, list_name="list_partition_label.txt")
    assert len(rafdb.read(tmp_path / "basic", progress=False)) == 3


def test_one_folder_above_the_data_is_accepted(tmp_path):
    write(tmp_path / "RAF-DB")
    assert len(rafdb.read(tmp_path, progress=False)) == 3


@pytest.mark.usefixtures("own_cache")
def test_aligned_faces_may_still_be_zipped(tmp_path):
    aligned = write(tmp_path)
    with zipfile.ZipFile(aligned.with_suffix(".zip"), "w") as archive:
        for path in sorted(aligned.iterdir()):
            archive.write(path, f"aligned/{path.name}")
            path.unlink()
    aligned.rmdir()
    table = rafdb.read(tmp_path, progress=False)
    assert table.frame["example_id"][0] == "Image/aligned/train_00001_aligned.jpg"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("train_00003.jpg 8", "the label must be 1 to 7. Found: '8'"),
        ("train_00003.jpg 0", "the label must be 1 to 7. Found: '0'"),
        ("train_00003.jpg", "expected a file name and a label. Found: 'train_00003.jpg'"),
        ("face_3.jpg 2", "the name must begin with train_ or test_. Found: 'face_3.jpg'"),
        ("train_/../x.jpg 2", "the name must begin with train_ or test_. Found: 'train_/../x.jpg'"),
    ],
)
def test_a_bad_line_is_set_aside_with_its_number(tmp_path, line, reason):
    write(tmp_path, lines=[*LINES, line])
    table = rafdb.read(tmp_path, progress=False)
    assert table.rejected.to_numpy().tolist() == [
        ["EmoLabel/list_patition_label.txt:4", "damaged", reason]
    ]


def test_listed_faces_without_file_and_files_without_line_are_counted(tmp_path):
    write(tmp_path, names=["train_00001", "train_00002", "test_0009"])
    table = rafdb.read(tmp_path, progress=False)
    assert sorted(map(tuple, table.rejected.to_numpy())) == [
        (
            "Image/aligned/test_0001_aligned.jpg",
            "damaged",
            "EmoLabel/list_patition_label.txt names it, but there is no such file",
        ),
        (
            "Image/aligned/test_0009_aligned.jpg",
            "unlabelled",
            "list_patition_label.txt does not name it",
        ),
    ]


def test_missing_faces_are_an_error_that_names_their_folder(tmp_path):
    aligned = write(tmp_path, names=[])
    aligned.rmdir()
    with pytest.raises(UserError, match="Image/aligned/ or Image/aligned.zip"):
        rafdb.find(tmp_path)


def test_a_folder_without_the_list_is_refused(tmp_path):
    with pytest.raises(UserError, match="list_patition_label.txt.*found nothing"):
        rafdb.find(tmp_path)

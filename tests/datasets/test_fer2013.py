"""FER2013's four forms, written small into a folder and read back."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectkeras.datasets import fer2013
from affectkeras.errors import UserError

FACES = np.random.default_rng(0).integers(0, 256, (6, 48, 48), dtype=np.uint8)


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def as_text(face):
    return " ".join(map(str, face.reshape(-1)))


def write_whole_csv(folder, name="fer2013.csv", rows=()):
    lines = ["emotion,pixels,Usage", *rows]
    (folder / name).write_text("\n".join(lines) + "\n")


def write_face(path, face):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(face).save(path)


def write_folders(folder):
    write_face(folder / "train" / "angry" / "Training_1.png", FACES[0])
    write_face(folder / "train" / "sad" / "Training_2.jpg", FACES[1])
    write_face(folder / "test" / "neutral" / "PublicTest_3.png", FACES[2])
    write_face(folder / "test" / "surprise" / "PrivateTest_4.png", FACES[3])


def test_whole_csv_gives_pixels_labels_and_the_owner_s_splits(tmp_path):
    usages = ["Training", "PublicTest", "PrivateTest"]
    rows = [
        f"{label},{as_text(face)},{usage}"
        for label, face, usage in zip([0, 6, 4], FACES[:3], usages, strict=True)
    ]
    write_whole_csv(tmp_path, rows=rows)
    table = fer2013.read(tmp_path, progress=False)
    assert table.frame["expression"].tolist() == [0, 6, 4]
    assert table.frame["split"].tolist() == ["train", "validation", "test"]
    assert table.frame["example_id"].tolist() == [f"fer2013.csv:{line}" for line in (2, 3, 4)]
    assert table.frame["group"].tolist() == table.frame["example_id"].tolist()
    assert not table.groups_known
    pixels = table.payload.arrays["pixels"][table.payload.index]
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, FACES[:3])


def test_icml_csv_may_have_blanks_in_its_names_and_another_order(tmp_path):
    lines = ["emotion, Usage, pixels", f"3, Training, {as_text(FACES[0])}"]
    (tmp_path / "icml_face_data.csv").write_text("\n".join(lines))
    table = fer2013.read(tmp_path, progress=False)
    assert table.frame[["expression", "split"]].to_numpy().tolist() == [[3, "train"]]
    np.testing.assert_array_equal(table.payload.arrays["pixels"][0], FACES[0])


def test_train_and_test_csv_give_training_rows_and_unlabelled_ones(tmp_path):
    (tmp_path / "train.csv").write_text(f"emotion,pixels\n5,{as_text(FACES[0])}\n")
    (tmp_path / "test.csv").write_text(f"pixels\n{as_text(FACES[1])}\n")
    table = fer2013.read(tmp_path, progress=False)
    assert table.frame["split"].tolist() == ["train"]
    assert table.rejected.to_numpy().tolist() == [
        ["test.csv:2", "unlabelled", "the file has no column emotion"]
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0,1 2 3,Training", "3 pixels instead of 2304"),
        ("0,,Training", "0 pixels instead of 2304"),
        (f"0,{as_text(FACES[0])[:-1]}x,Training", "a pixel is not a whole number"),
        (f"0,{'256 ' * 2304},Training", "a pixel is not in 0 to 255"),
        (f"0,{'-1 ' * 2304},Training", "a pixel is not in 0 to 255"),
        (f"nan,{as_text(FACES[0])},Training", "emotion must be 0 to 6. Found: 'nan'"),
        (f",{as_text(FACES[0])},Training", "emotion must be 0 to 6. Found: ''"),
        (f"7,{as_text(FACES[0])},Training", "emotion must be 0 to 6. Found: '7'"),
        (f"1.5,{as_text(FACES[0])},Training", "emotion must be 0 to 6. Found: '1.5'"),
        (
            f"0,{as_text(FACES[0])},Holdout",
            "Usage must be Training, PublicTest or PrivateTest. Found: 'Holdout'",
        ),
        (f"0,{as_text(FACES[0])},Training,more", "4 cells for 3 columns"),
        (f"0,{as_text(FACES[0])}", "2 cells for 3 columns"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_line(tmp_path, row, reason):
    write_whole_csv(tmp_path, rows=[f"1,{as_text(FACES[1])},Training", row])
    table = fer2013.read(tmp_path, progress=False)
    assert table.rejected.to_numpy().tolist() == [["fer2013.csv:3", "damaged", reason]]
    assert (len(table), table.read) == (1, 2)


def test_blank_lines_are_no_rows(tmp_path):
    write_whole_csv(tmp_path, rows=["", f"1,{as_text(FACES[1])},Training", "", ",,", ""])
    table = fer2013.read(tmp_path, progress=False)
    assert table.read == 1
    assert table.frame["example_id"].tolist() == ["fer2013.csv:3"]


def test_a_missing_column_is_named_with_those_found(tmp_path):
    (tmp_path / "fer2013.csv").write_text("emotion,image,Usage\n0,x,Training\n")
    with pytest.raises(UserError, match="pixels are missing. Found: emotion, image, Usage"):
        fer2013.read(tmp_path, progress=False)


def test_a_csv_without_rows_is_an_error(tmp_path):
    write_whole_csv(tmp_path)
    with pytest.raises(UserError, match="no rows below the first line"):
        fer2013.read(tmp_path, progress=False)


def test_a_csv_that_is_no_text_is_an_error(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(b"emotion,pixels,Usage\n\xff\xfe\x00\x01")
    with pytest.raises(UserError, match="cannot be read as a CSV file"):
        fer2013.read(tmp_path, progress=False)


def test_class_folders_are_numbered_by_name_and_split_by_file_prefix(tmp_path):
    write_folders(tmp_path)
    table = fer2013.read(tmp_path, progress=False)
    rows = table.frame.set_index("example_id")[["expression", "split", "width"]]
    assert rows.T.to_dict("list") == {
        "train/angry/Training_1.png": [0, "train", 48],
        "train/sad/Training_2.jpg": [4, "train", 48],
        "test/neutral/PublicTest_3.png": [6, "validation", 48],
        "test/surprise/PrivateTest_4.png": [5, "test", 48],
    }
    assert sorted(map(os.path.basename, table.payload.paths)) == [
        "PrivateTest_4.png",
        "PublicTest_3.png",
        "Training_1.png",
        "Training_2.jpg",
    ]


def test_a_name_without_prefix_belongs_to_its_folder_s_split(tmp_path):
    write_face(tmp_path / "Test" / "HAPPY" / "im12.png", FACES[0])
    table = fer2013.read(tmp_path, progress=False)
    assert table.frame[["example_id", "split", "expression"]].to_numpy().tolist() == [
        ["test/HAPPY/im12.png", "test", 3]
    ]


def test_a_file_name_that_is_not_utf_8_can_be_read(tmp_path):
    path = tmp_path / "train" / "fear" / os.fsdecode(b"Training_\xe9.png")
    write_face(path, FACES[0])
    table = fer2013.read(tmp_path, progress=False)
    assert table.frame["example_id"].tolist() == ["train/fear/Training_\\xe9.png"]
    assert table.payload.paths.tolist() == [str(path)]


def test_one_folder_above_the_data_is_accepted(tmp_path):
    write_folders(tmp_path / "archive")
    assert len(fer2013.read(tmp_path, progress=False)) == 4


@pytest.mark.usefixtures("own_cache")
def test_an_archive_in_the_folder_gives_the_same_table_as_its_content(tmp_path):
    write_folders(tmp_path / "plain")
    (tmp_path / "zipped").mkdir()
    with zipfile.ZipFile(tmp_path / "zipped" / "archive.zip", "w") as archive:
        for path in sorted((tmp_path / "plain").rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path / "plain"))
    plain = fer2013.read(tmp_path / "plain", progress=False)
    zipped = fer2013.read(tmp_path / "zipped", progress=False)
    assert zipped.frame.equals(plain.frame)


@pytest.mark.usefixtures("own_cache")
def test_two_archives_of_class_folders_are_read_together(tmp_path):
    write_folders(tmp_path / "plain")
    (tmp_path / "zipped").mkdir()
    for part in ("train", "test"):
        with zipfile.ZipFile(tmp_path / "zipped" / f"{part}_part.zip", "w") as archive:
            for path in sorted((tmp_path / "plain" / part).rglob("*.*")):
                archive.write(path, path.relative_to(tmp_path / "plain"))
    table = fer2013.read(tmp_path / "zipped", progress=False)
    assert sorted(table.frame["split"]) == ["test", "train", "train", "validation"]


def test_a_broken_image_is_set_aside_with_the_reason(tmp_path):
    write_folders(tmp_path)
    (tmp_path / "train" / "angry" / "Training_9.png").write_bytes(b"")
    table = fer2013.read(tmp_path, progress=False)
    assert table.rejected.to_numpy().tolist() == [
        ["train/angry/Training_9.png", "damaged", "the file is empty"]
    ]


def test_a_folder_of_something_else_is_refused_with_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match="does not look like FER2013.*found notes.txt"):
        fer2013.find(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="nowhere: expected a folder or a .zip file"):
        fer2013.find(tmp_path / "nowhere")


def test_class_folders_without_images_are_an_error(tmp_path):
    (tmp_path / "train" / "angry").mkdir(parents=True)
    with pytest.raises(UserError, match="no .jpg, .jpeg or .png file"):
        fer2013.read(tmp_path, progress=False)


@pytest.mark.skipif("AFFECTKERAS_REAL_DATA" not in os.environ, reason="needs the real data")
def test_the_real_archive_has_its_known_counts():
    folder = Path(os.environ["AFFECTKERAS_REAL_DATA"]) / "data" / "fer2013"
    table = fer2013.read(folder, progress=False)
    counts = table.frame["split"].value_counts()
    assert counts["train"] == 28457
    assert counts["validation"] == 3589
    # As published for the validation part: 467 angry, 56 disgust, 496 fear, 895 happy …
    validation = table.frame.loc[table.frame["split"] == "validation", "expression"]
    assert np.bincount(validation).tolist() == [467, 56, 496, 895, 653, 415, 607]

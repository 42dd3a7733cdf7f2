"""AFEW's reader: clips, their classes and parts, and the owner's aligned faces."""

import shutil

import pytest
from PIL import Image

from affectkeras import datasets, doctor
from affectkeras.datasets import afew, sfew
from affectkeras.errors import UserError
from tests.media.tiny_videos import write_video


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def write_faces(folder, clip):
    (folder / clip).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / clip / "00000.jpg")


def write_folder(folder):
    for number, name in enumerate(afew.CLASS_NAMES):
        path = folder / f"Train_AFEW/{name}/00004628{number}.avi"
        write_video(path, 10, codec="mpeg4", seed=number)
        path = folder / f"Val_AFEW/{name}/00010000{number}.avi"
        write_video(path, 5, codec="mpeg4", seed=10 + number)
    aligned = "AlignedFaces_LBPTOP_Points"
    write_faces(folder / aligned / aligned / "Faces", "000046281")
    write_faces(folder / f"{aligned}_Val/Faces", "000100006")
    (folder / aligned / aligned / "Faces/000046282").mkdir()
    return folder


def read(folder):
    table = afew.read(folder, progress=False)
    assert table.read == len(table) + len(table.rejected)
    return table


def test_a_row_is_a_clip(tmp_path):
    table = read(write_folder(tmp_path))
    assert (len(table), table.read) == (14, 14)
    row = table.frame.iloc[3]
    assert row["example_id"] == "Train_AFEW/Happy/000046283.avi"
    assert (row["subject"], row["group"]) == ("", row["example_id"])
    assert (row["split"], row["source"]) == ("train", row["example_id"])
    assert row["expression"] == 3
    assert (row["width"], row["height"], row["duration_s"]) == (64, 48, 0.4)
    assert table.payload.paths[3] == str(tmp_path / "Train_AFEW/Happy/000046283.avi")
    assert not table.groups_known


def test_the_classes_are_those_of_sfew_in_its_order(tmp_path):
    table = read(write_folder(tmp_path))
    assert table.target("expression").class_names == sfew.CLASS_NAMES
    assert list(table.frame["expression"]) == [*range(7), *range(7)]
    assert list(table.frame["split"]) == ["train"] * 7 + ["validation"] * 7


def test_the_folder_of_aligned_faces_is_told_where_it_holds_a_picture(tmp_path):
    faces = read(write_folder(tmp_path)).frame["faces"]
    aligned = tmp_path / "AlignedFaces_LBPTOP_Points"
    assert faces[1] == str(aligned / "AlignedFaces_LBPTOP_Points/Faces/000046281")
    assert faces[13] == str(tmp_path / "AlignedFaces_LBPTOP_Points_Val/Faces/000100006")
    assert (faces == "").sum() == 12


def test_faces_of_one_part_are_not_those_of_a_clip_of_that_name_in_the_other(tmp_path):
    write_folder(tmp_path)
    clip = tmp_path / "Val_AFEW/Angry/000100000.avi"
    clip.rename(clip.with_name("000046281.avi"))
    faces = read(tmp_path).frame.set_index("example_id")["faces"]
    assert faces["Val_AFEW/Angry/000046281.avi"] == ""
    assert faces["Train_AFEW/Disgust/000046281.avi"] != ""


def test_a_clip_that_cannot_be_opened_is_damaged(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "Train_AFEW/Fear/000046282.avi").write_bytes(b"")
    table = read(tmp_path)
    assert [tuple(row) for row in table.rejected.to_numpy()] == [
        ("Train_AFEW/Fear/000046282.avi", "damaged", "the file is empty")
    ]
    assert len(table) == 13


def test_one_part_alone_is_read_and_what_is_missing_told(tmp_path):
    write_folder(tmp_path)
    shutil.rmtree(tmp_path / "Val_AFEW")
    shutil.rmtree(tmp_path / "Train_AFEW/Sad")
    assert set(read(tmp_path).frame["split"]) == {"train"}
    missing = afew.find(tmp_path).missing
    assert missing == (
        "the class Sad of the train part: unpack Sad into Train_AFEW/",
        f"the validation part: unpack Val_AFEW into {tmp_path}",
    )


def test_folders_in_any_case_doubled_or_zipped_are_found(tmp_path):
    source = write_folder(tmp_path / "source")
    expected = read(source).frame.drop(columns="faces")
    doubled = tmp_path / "doubled/AFEW"
    shutil.copytree(source, doubled)
    (doubled / "Train_AFEW").rename(doubled / "TRAIN_afew")
    (doubled / "Val_AFEW/Sad").rename(doubled / "Val_AFEW/sad")
    frame = read(tmp_path / "doubled").frame
    assert frame.drop(columns="faces").equals(expected)
    packed = tmp_path / "packed"
    (packed / "Val_AFEW").mkdir(parents=True)
    shutil.make_archive(str(packed / "Train_AFEW"), "zip", source, "Train_AFEW")
    for name in afew.CLASS_NAMES:
        shutil.make_archive(str(packed / "Val_AFEW" / name), "zip", source / "Val_AFEW", name)
    frame = read(packed).frame
    assert frame.drop(columns="faces").equals(expected)
    assert set(frame["faces"]) == {""}


def test_another_folder_is_refused_with_the_layout(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(UserError) as caught:
        afew.read(tmp_path)
    assert "does not look like AFEW. Looked for Train_AFEW/ or Val_AFEW/" in str(caught.value)
    assert afew.LAYOUT.strip() in str(caught.value)
    (tmp_path / "Train_AFEW/Angry").mkdir(parents=True)
    with pytest.raises(UserError, match="the folder has the right parts, but no clip in them"):
        afew.read(tmp_path)


def test_the_doctor_tells_clips_classes_and_faces(tmp_path):
    report = doctor.examine(afew, write_folder(tmp_path), progress=False)
    text = "\n".join(report.lines)
    assert "14 clips of 0.2 to 0.4 s, half of them up to 0.3 s" in text
    assert "clips with the owner's aligned faces: 14.3%" in text
    assert "  Angry         1           1\n" in text
    assert "Pixel-identical images: not looked for, the examples are videos" in text
    assert report.problems == []


def test_the_reader_is_listed():
    assert datasets.reader("afew") is afew

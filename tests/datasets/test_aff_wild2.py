"""Aff-Wild2's reader: invalid labels, gaps in the cropped faces, two people in one video."""

import shutil

import numpy as np
import pytest
from PIL import Image

from affectkeras import datasets, doctor
from affectkeras.datasets import aff_wild2, aff_wild2_crops
from affectkeras.errors import UserError
from tests.media.tiny_videos import write_video

TRAIN = "Third ABAW Annotations/VA_Estimation_Challenge/Train_Set"
VALIDATION = TRAIN.replace("Train_Set", "Validation_Set")
LINES = ["0.1,0.2", "-5,-5", "-1,1", "0.4,-5", "1.5,0", "0.6,-0.6"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def write_annotation(folder, name, lines=LINES, place=TRAIN, header="valence,arousal"):
    path = folder / place / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n")


def write_crops(folder, name, frames, part="cropped_aligned"):
    """Write the cropped faces of frames, counted from 1."""
    place = folder / part / name
    place.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        pixels = np.random.default_rng([len(name), *name.encode(), frame])
        pixels = pixels.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{frame:05}.jpg")


def write_folder(folder):
    write_annotation(folder, "12-24")
    write_crops(folder, "12-24", [1, 3, 4, 5, 6])
    write_annotation(folder, "7_left")
    write_annotation(folder, "7_right", ["0,0"] * 3)
    write_crops(folder, "7_left", [1, 2, 3, 4])
    write_crops(folder, "7_right", [2, 3], part="cropped_aligned_new_50_vids")
    write_annotation(folder, "9", ["0.5,0.5"], place=VALIDATION)
    write_crops(folder, "9", [1, 2])
    return folder


def read(folder):
    table = aff_wild2.read(folder, progress=False)
    assert table.read == len(table) + len(table.rejected)
    return table


def test_a_row_is_a_labelled_frame_with_its_cropped_face(tmp_path):
    table = read(write_folder(tmp_path))
    row = table.frame.iloc[1]
    assert row["example_id"] == "cropped_aligned/12-24 frame 00002"
    assert (row["subject"], row["group"], row["split"]) == ("", "12-24", "train")
    assert row["source"] == "cropped_aligned/12-24/00003.jpg"
    assert (row["video"], row["frame"]) == ("cropped_aligned/12-24", 2)
    assert (row["valence"], row["arousal"]) == (-1, 1)
    assert row[["x", "y", "width", "height"]].isna().all()
    assert table.payload.paths[1] == str(tmp_path / "cropped_aligned/12-24/00003.jpg")
    assert [one.name for one in table.targets] == ["valence", "arousal"]
    assert dict(table.frame["split"].value_counts()) == {"train": 7, "validation": 1}


def test_a_line_counts_only_where_both_numbers_are_in_the_range(tmp_path):
    table = read(write_folder(tmp_path))
    of_video = table.frame[table.frame["video"] == "cropped_aligned/12-24"]
    assert list(of_video["frame"]) == [0, 2, 5]
    rejected = table.rejected[table.rejected["path"].str.startswith("cropped_aligned/12-24")]
    assert [int(path[-5:]) for path in rejected["path"]] == [1, 3, 4]
    assert set(rejected["kind"]) == {"unlabelled"}


def test_a_frame_without_a_cropped_face_is_rejected(tmp_path):
    rejected = read(write_folder(tmp_path)).rejected
    without = rejected[rejected["kind"] == "excluded"]
    assert list(without["path"]) == [
        "cropped_aligned/7_left frame 00005",
        "cropped_aligned_new_50_vids/7_right frame 00000",
    ]
    assert set(without["reason"]) == {"there is no cropped face of the frame"}


def test_a_broken_picture_is_rejected_and_found_out_once(tmp_path, monkeypatch):
    write_folder(tmp_path)
    picture = tmp_path / "cropped_aligned/12-24/00006.jpg"
    content = picture.read_bytes()
    picture.write_bytes(content[: len(content) // 2])
    table = read(tmp_path)
    damaged = table.rejected[table.rejected["kind"] == "damaged"]
    assert list(damaged["path"]) == ["cropped_aligned/12-24 frame 00005"]
    with monkeypatch.context() as patch:
        patch.setattr(aff_wild2_crops, "check_images", None)
        assert read(tmp_path).rejected.equals(table.rejected)
    picture.write_bytes(content)
    assert "damaged" not in set(read(tmp_path).rejected["kind"])


def test_two_people_of_one_video_are_one_group(tmp_path):
    write_folder(tmp_path)
    table = read(tmp_path)
    people = table.frame.groupby("group")["video"].unique()
    assert set(people["7"]) == {"cropped_aligned/7_left", "cropped_aligned_new_50_vids/7_right"}
    assert "videos in which two people have labels: 1" in aff_wild2.notes(table)


def test_a_name_that_ends_like_a_side_is_a_video_where_there_is_one_of_that_name(tmp_path):
    write_folder(tmp_path)
    write_video(tmp_path / "batch1/7_left.mp4", 6)
    groups = read(tmp_path).frame.groupby("video")["group"].first()
    assert groups["cropped_aligned/7_left"] == "7_left"
    assert groups["cropped_aligned_new_50_vids/7_right"] == "7"


def test_an_annotation_without_a_folder_of_faces_is_damaged_frame_by_frame(tmp_path):
    write_folder(tmp_path)
    shutil.rmtree(tmp_path / "cropped_aligned/9")
    rejected = read(tmp_path).rejected
    assert rejected.iloc[-1]["path"] == "9 frame 00000"
    assert rejected.iloc[-1]["kind"] == "damaged"
    assert "no folder of cropped faces of that name" in rejected.iloc[-1]["reason"]


def test_without_cropped_faces_the_videos_are_read(tmp_path):
    write_annotation(tmp_path, "12-24")
    write_annotation(tmp_path, "7_left", ["0,0"] * 4)
    write_annotation(tmp_path, "7_right", ["0.5,0"] * 2)
    write_annotation(tmp_path, "8", ["0,0"])
    write_annotation(tmp_path, "6", ["0,0"])
    write_video(tmp_path / "batch1/12-24.mp4", 6)
    write_video(tmp_path / "batch2/7.avi", 3, codec="mpeg4")
    (tmp_path / "new_vids").mkdir()
    (tmp_path / "new_vids/8.mp4").write_text("a letter")
    table = read(tmp_path)
    rows = table.frame.groupby("video")
    assert list(rows.groups) == ["batch1/12-24.mp4", "batch2/7_left.avi", "batch2/7_right.avi"]
    assert list(rows["source"].first()) == ["batch1/12-24.mp4", "batch2/7.avi", "batch2/7.avi"]
    assert list(rows["group"].first()) == ["12-24", "7", "7"]
    assert list(rows.size()) == [3, 3, 2]
    assert table.payload.paths[-1] == str(tmp_path / "batch2/7.avi")
    reasons = dict(zip(table.rejected["path"], table.rejected["reason"], strict=True))
    surplus = "a label without a frame: the number of the video's frames is 3"
    assert reasons["batch2/7_left.avi frame 00003"] == surplus
    assert reasons["new_vids/8.mp4 frame 00000"].startswith("no video")
    assert reasons["6 frame 00000"] == "an annotation names it, but there is no such video"


def test_neither_videos_nor_faces_is_an_error_with_the_layout(tmp_path):
    write_annotation(tmp_path, "7")
    with pytest.raises(UserError) as caught:
        aff_wild2.read(tmp_path)
    assert "Looked for cropped_aligned/ with faces, or batch1/" in str(caught.value)
    assert aff_wild2.LAYOUT.strip() in str(caught.value)
    shutil.rmtree(tmp_path / "Third ABAW Annotations")
    (tmp_path / "batch1").mkdir()
    with pytest.raises(UserError, match="does not look like Aff-Wild2. Looked for … Annotations/"):
        aff_wild2.read(tmp_path)


def test_another_header_is_refused_with_the_file(tmp_path):
    write_folder(tmp_path)
    write_annotation(tmp_path, "9", ["1"], header="Neutral,Anger")
    with pytest.raises(UserError, match=r"9\.txt: the first line must be valence,arousal"):
        aff_wild2.read(tmp_path)


def test_lines_that_cannot_be_understood_have_no_label(tmp_path):
    lines = ["0.5,0.5", "", "x,0", "0.1", "nan,0", "0.2,0.3,9", " 0.4 , 0.1 "]
    write_annotation(tmp_path, "3", lines)
    write_crops(tmp_path, "3", range(1, 8))
    table = read(tmp_path)
    assert list(table.frame["frame"]) == [0, 5, 6]
    assert list(table.frame["valence"]) == [0.5, 0.2, 0.4]
    assert len(table.rejected) == 4


def test_an_annotation_without_lines_gives_no_rows(tmp_path):
    write_folder(tmp_path)
    write_annotation(tmp_path, "9", [], place=VALIDATION)
    assert "cropped_aligned/9" not in set(read(tmp_path).frame["video"])


def test_folders_in_any_case_doubled_or_zipped_are_found(tmp_path):
    source = write_folder(tmp_path / "source")
    expected = read(source).frame
    doubled = tmp_path / "doubled/Aff-Wild2"
    shutil.copytree(source, doubled)
    annotations = doubled / "third abaw ANNOTATIONS"
    (doubled / "Third ABAW Annotations").rename(annotations)
    (annotations / "VA_Estimation_Challenge").rename(annotations / "va_estimation_challenge")
    assert read(tmp_path / "doubled").frame.equals(expected)
    packed = tmp_path / "packed"
    packed.mkdir()
    for part in ("Third ABAW Annotations", "cropped_aligned", "cropped_aligned_new_50_vids"):
        shutil.make_archive(str(packed / part), "zip", source, part)
    assert read(packed).frame.equals(expected)


def test_a_missing_set_is_told_and_the_doctor_reads_the_other(tmp_path):
    write_folder(tmp_path)
    shutil.rmtree(tmp_path / VALIDATION)
    report = doctor.examine(aff_wild2, tmp_path, progress=False)
    text = "\n".join(report.lines)
    assert "3 videos, 7 frames with valence and arousal" in text
    assert report.problems == [
        "missing: the annotations of the validation part: unpack Validation_Set into "
        "VA_Estimation_Challenge/"
    ]
    assert "Pixel-identical images: 0 images in 0 sets" in text


def test_the_doctor_finds_the_same_face_in_both_parts(tmp_path):
    write_folder(tmp_path)
    shutil.copy(
        tmp_path / "cropped_aligned/12-24/00001.jpg", tmp_path / "cropped_aligned/9/00001.jpg"
    )
    report = doctor.examine(aff_wild2, tmp_path, progress=False)
    text = "\n".join(report.lines)
    assert "cropped_aligned/12-24 frame 00000 = cropped_aligned/9 frame 00000" in text
    assert report.problems[0].startswith("1 sets of identical images in several splits")


def test_the_reader_is_listed():
    assert datasets.reader("aff_wild2") is aff_wild2

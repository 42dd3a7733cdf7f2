"""Aff-Wild's reader: labels belong to the right frames, and every one is accounted for."""

import os
import shutil

import av
import numpy as np
import pytest

from affectkeras import datasets, doctor
from affectkeras.__main__ import doctor as doctor_command
from affectkeras.datasets import aff_wild, aff_wild_boxes
from affectkeras.datasets.aff_wild_boxes import parse_pts, read_boxes
from affectkeras.errors import UserError
from affectkeras.media import frame_count
from affectkeras.media.frame_count import count_frames
from tests.media.tiny_videos import cut_file, picture, write_video

FRAMES = 12
PTS = "version: 1\nn_points: 4\n{{\n{0} {1}\n{0} {3}\n{2} {3}\n{2} {1}\n}}\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def numbers(count, seed):
    return np.round(np.random.default_rng(seed).uniform(-1, 1, count), 3)


def write_labels(folder, name, valence, arousal):
    for kind, values in (("valence", valence), ("arousal", arousal)):
        path = folder / f"annotations/train/{kind}/{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{value}\n" for value in values))


def write_boxes(folder, name, frames):
    """Write the box of every frame, counted from 1: it moves with the frame's number."""
    place = folder / f"bboxes/train/{name}"
    place.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        (place / f"{frame}.pts").write_text(PTS.format(frame, 5, frame + 20, 35))


def write_one(folder, name="7", *, frames=FRAMES, labels=FRAMES, boxes=range(1, FRAMES + 1)):
    write_video(folder / f"videos/train/{name}.mp4", frames, seed=int(name))
    write_labels(folder, name, numbers(labels, int(name)), numbers(labels, 100 + int(name)))
    write_boxes(folder, name, boxes)
    return folder


def read(folder, **arguments):
    table = aff_wild.read(folder, progress=False, **arguments)
    assert table.read == len(table) + len(table.rejected)
    return table


def test_a_row_is_a_labelled_frame(tmp_path):
    write_one(tmp_path, "10")
    table = read(write_one(tmp_path))
    assert (len(table), table.read) == (2 * FRAMES, 2 * FRAMES)
    assert list(table.frame["video"].unique()) == ["videos/train/7.mp4", "videos/train/10.mp4"]
    row = table.frame.iloc[3]
    assert row["example_id"] == "videos/train/7.mp4 frame 00003"
    assert (row["subject"], row["group"], row["split"]) == ("", "videos/train/7.mp4", "train")
    assert (row["source"], row["frame"]) == ("videos/train/7.mp4", 3)
    assert (row["valence"], row["arousal"]) == (numbers(FRAMES, 7)[3], numbers(FRAMES, 107)[3])
    assert tuple(row[["x", "y", "width", "height"]]) == (4, 5, 20, 30)
    assert table.frame["frame"].dtype == np.int64
    assert table.groups_known
    assert [(one.name, one.kind) for one in table.targets] == [
        ("valence", "number"),
        ("arousal", "number"),
    ]
    assert table.payload.paths[3] == str(tmp_path / "videos/train/7.mp4")


def test_labels_belong_to_frames_by_number_where_there_are_as_many(tmp_path):
    table = read(write_one(tmp_path, boxes=[3, 4, 7]))
    assert list(table.frame["frame"]) == list(range(FRAMES))
    assert list(np.flatnonzero(table.frame["x"].notna())) == [2, 3, 6]
    assert list(table.frame["x"].dropna()) == [3, 4, 7]
    assert set(table.frame["alignment"]) == {"frame"}


def test_labels_belong_to_frames_with_a_box_where_there_are_as_many_of_those(tmp_path):
    table = read(write_one(tmp_path, labels=4, boxes=[2, 3, 7, 12]))
    assert list(table.frame["frame"]) == [1, 2, 6, 11]
    assert list(table.frame["x"]) == [2, 3, 7, 12]
    assert list(table.frame["valence"]) == list(numbers(4, 7))
    assert set(table.frame["alignment"]) == {"box"}


def test_each_video_is_aligned_by_its_own_numbers(tmp_path):
    write_one(tmp_path, "8", labels=3, boxes=[5, 6, 7])
    frame = read(write_one(tmp_path)).frame
    chosen = frame.groupby("video")["alignment"].unique().map(list)
    assert dict(chosen) == {"videos/train/7.mp4": ["frame"], "videos/train/8.mp4": ["box"]}


def test_where_no_number_fits_all_three_are_told_with_the_mend(tmp_path):
    write_one(tmp_path, "6")
    for name in range(10, 17):
        write_one(tmp_path, str(name), labels=10, boxes=[1, 2])
    with pytest.raises(UserError) as caught:
        aff_wild.read(tmp_path, progress=False)
    message = str(caught.value)
    assert "In 7 it is neither: videos/train/10.mp4: 10 labels, 12 frames, 2 boxes; " in message
    assert "videos/train/14.mp4: 10" in message
    assert "videos/train/15.mp4" not in message
    assert "… (7 videos in all)" in message
    assert 'alignment="frame" (--alignment frame)' in message


def test_valence_and_arousal_of_different_length_fit_nothing(tmp_path):
    write_one(tmp_path)
    write_labels(tmp_path, "7", numbers(12, 1), numbers(11, 2))
    with pytest.raises(UserError, match="12 valences and 11 arousals labels, 12 frames, 12 boxes"):
        aff_wild.read(tmp_path, progress=False)
    table = read(tmp_path, alignment="frame")
    assert len(table) == 11
    assert list(table.rejected["path"]) == ["videos/train/7.mp4 frame 00011"]
    assert set(table.rejected["kind"]) == {"unlabelled"}


def test_forced_by_number_surplus_labels_are_rejected_and_surplus_frames_no_examples(tmp_path):
    write_one(tmp_path, labels=14)
    write_one(tmp_path, "8", labels=9, boxes=[])
    table = read(tmp_path, alignment="frame")
    assert dict(table.frame["video"].value_counts()) == {
        "videos/train/7.mp4": 12,
        "videos/train/8.mp4": 9,
    }
    assert list(table.rejected["path"]) == [f"videos/train/7.mp4 frame {n:05}" for n in (12, 13)]
    assert set(table.rejected["kind"]) == {"excluded"}
    assert table.rejected["reason"][0].endswith("the number of the video's frames is 12")


def test_forced_by_box_surplus_labels_are_rejected(tmp_path):
    table = read(write_one(tmp_path, boxes=[2, 9]), alignment="box")
    assert list(table.frame["frame"]) == [1, 8]
    assert table.rejected["path"][0] == "videos/train/7.mp4 label 00002"
    assert set(table.rejected["reason"]) == {"a label without a frame: 2 frames have a box"}
    assert table.read == 12


def test_an_unknown_alignment_is_refused(tmp_path):
    with pytest.raises(UserError, match="`alignment` must be one of .* Received: 'number'"):
        aff_wild.read(write_one(tmp_path), alignment="number")


def test_labels_that_are_no_number_in_the_range_are_rejected(tmp_path):
    write_one(tmp_path)
    valence = ["0.5", "-1", "1", "1.01", "x", "", "-5", "nan", "inf", *["0"] * 3]
    write_labels(tmp_path, "7", valence, ["0"] * 11 + ["-1.2"])
    table = read(tmp_path)
    assert list(table.frame["valence"]) == [0.5, -1, 1, 0, 0]
    rejected = [int(path[-5:]) for path in table.rejected["path"]]
    assert rejected == [3, 4, 5, 6, 7, 8, 11]
    assert set(table.rejected["kind"]) == {"unlabelled"}


def test_a_damaged_box_is_none_and_is_counted(tmp_path):
    write_one(tmp_path)
    place = tmp_path / "bboxes/train/7"
    (place / "2.pts").write_text("")
    (place / "3.pts").write_text("version: 1\nn_points: 4\n{\n1 2\n1 4\n3 4\n}\n")
    (place / "4.pts").write_text(PTS.format(9, 9, 9, 12))
    (place / "5.pts").write_text(PTS.format("a", 1, 2, 3))
    (place / "notes.txt").write_text("not a box")
    table = read(tmp_path)
    assert list(np.flatnonzero(table.frame["x"].isna())) == [1, 2, 3, 4]
    assert list(np.flatnonzero(table.frame["box_damaged"])) == [1, 2, 3, 4]
    told = "\n".join(aff_wild.notes(table))
    assert "boxes that cannot be understood: 4, in 1 videos, such as videos/train/7.mp4" in told
    assert "frames with the owner's box of the face: 66.7%" in told


def test_corners_may_stand_in_any_order(tmp_path):
    path = tmp_path / "1.pts"
    path.write_text("version: 1\nn_points: 4\n{\n30.5 8\n10 8.5\n10 48\n30.5 2\n}\n")
    assert parse_pts(path) == (10, 2, 20.5, 46)


def test_boxes_are_read_once_and_again_when_a_file_changes(tmp_path, monkeypatch):
    write_boxes(tmp_path, "7", [1, 2])
    folder = tmp_path / "bboxes/train/7"
    first = read_boxes(folder)
    with monkeypatch.context() as patch:
        patch.setattr(aff_wild_boxes, "parse_pts", None)
        second = read_boxes(folder)
    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.frames, second.frames)
    (folder / "2.pts").write_text(PTS.format(100, 5, 130, 35))
    assert list(read_boxes(folder).boxes[:, 0]) == [1, 100]
    (folder / "1.pts").unlink()
    assert list(read_boxes(folder).frames) == [1]


def test_videos_without_labels_are_one_rejected_row_each(tmp_path):
    write_one(tmp_path)
    for place in ("train/3.avi", "test/4.mp4", "test/5.mp4"):
        path = tmp_path / "videos" / place
        path.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "videos/train/7.mp4", path)
    rejected = read(tmp_path).rejected
    assert [tuple(row) for row in rejected.to_numpy()] == [
        ("videos/train/3.avi", "unlabelled", "no annotation names it"),
        ("videos/test/4.mp4", "unlabelled", "its labels were not published"),
        ("videos/test/5.mp4", "unlabelled", "its labels were not published"),
    ]


def test_every_label_of_a_video_that_is_missing_or_cannot_be_opened_is_damaged(tmp_path):
    for name in ("1", "2", "3"):
        write_one(tmp_path, name)
    (tmp_path / "videos/train/1.mp4").write_text("a letter")
    (tmp_path / "videos/train/2.mp4").unlink()
    table = read(tmp_path)
    assert (len(table), len(table.rejected)) == (12, 24)
    assert set(table.rejected["kind"]) == {"damaged"}
    assert table.rejected["path"][0] == "videos/train/1.mp4 frame 00000"
    assert table.rejected["reason"][0].startswith("no video")
    assert table.rejected["path"][12] == "videos/train/2 frame 00000"
    assert table.rejected["reason"][12] == "annotations name it, but there is no such video"


def test_a_file_that_was_cut_off_keeps_its_first_frames(tmp_path):
    write_one(tmp_path)
    path = tmp_path / "videos/train/7.mp4"
    # With the index in front, so that what is left can still be opened.
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number), format="gray")
            container.mux(stream.encode(frame.reformat(format="yuvj420p")))
        container.mux(stream.encode())
    assert len(read(tmp_path)) == FRAMES
    cut_file(path, 0.6)
    table = read(tmp_path)
    left = len(table)
    assert 4 <= left <= 8
    assert list(table.frame["frame"]) == list(range(left))
    assert set(table.rejected["kind"]) == {"damaged"}
    reason = f"the file was cut off: {left} of 12 frames are left"
    assert set(table.rejected["reason"]) == {reason}


@pytest.mark.parametrize(
    ("ending", "codec", "options"),
    [
        (".mp4", "libx264", {"bf": "3"}),
        (".avi", "mpeg4", {"bf": "2"}),
        (".avi", "mjpeg", {}),
        (".mkv", "libx264", {"bf": "2"}),
        (".mpg", "mpeg2video", {"bf": "2"}),
    ],
)
def test_frames_are_counted_as_they_are_decoded(tmp_path, ending, codec, options):
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = tmp_path / f"a{ending}"
    write_video(path, 37, codec=codec, pixel_format=pixel_format, options=options)
    assert (count_frames(path).frames, count_frames(path).told) == (37, 37)


def test_frames_are_counted_once_for_as_long_as_the_file_stays(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 9)
    assert count_frames(path).frames == 9
    with monkeypatch.context() as patch:
        patch.setattr(frame_count, "_count", None)
        assert count_frames(path).frames == 9
    write_video(path, 11)
    assert count_frames(path).frames == 11


def test_folders_in_any_case_doubled_or_zipped_are_found(tmp_path):
    source = write_one(tmp_path / "source")
    expected = read(source).frame
    doubled = tmp_path / "doubled/Aff-Wild"
    shutil.copytree(source, doubled)
    (doubled / "videos").rename(doubled / "VIDEOS")
    (doubled / "annotations").rename(doubled / "Annotations")
    assert read(tmp_path / "doubled").frame.equals(expected)
    packed = tmp_path / "packed"
    packed.mkdir()
    for part in ("videos", "annotations", "bboxes"):
        shutil.make_archive(str(packed / part), "zip", source, part)
    assert read(packed).frame.equals(expected)
    shutil.make_archive(str(tmp_path / "whole"), "zip", source)
    assert read(tmp_path / "whole.zip").frame.equals(expected)


def test_without_boxes_labels_are_read_and_the_doctor_says_what_is_missing(tmp_path):
    write_one(tmp_path)
    shutil.rmtree(tmp_path / "bboxes")
    table = read(tmp_path)
    assert table.frame[["x", "y", "width", "height"]].isna().all(axis=None)
    report = doctor.examine(aff_wild, tmp_path, progress=False)
    assert report.problems == [
        "missing: the boxes of faces: unpack them into bboxes/train/, or do without"
    ]


def test_names_that_are_not_utf_8_can_be_read_and_printed(tmp_path):
    write_one(tmp_path)
    for place, ending in (
        ("videos/train", "mp4"),
        ("annotations/train/valence", "txt"),
        ("annotations/train/arousal", "txt"),
    ):
        folder = os.fsencode(tmp_path / place)
        os.rename(folder + b"/7." + ending.encode(), folder + b"/\xff." + ending.encode())
    table = read(tmp_path)
    assert table.frame["video"][0] == "videos/train/\\xff.mp4"
    assert os.path.exists(table.payload.paths[0])
    os.remove(table.payload.paths[0])
    rejected = read(tmp_path).rejected
    assert rejected["path"][0] == "videos/train/\\xff frame 00000"


def test_another_folder_is_refused_with_the_layout(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(UserError) as caught:
        aff_wild.read(tmp_path)
    assert "does not look like Aff-Wild. Looked for videos/ and annotations/" in str(caught.value)
    assert aff_wild.LAYOUT.strip() in str(caught.value)
    (tmp_path / "videos/train").mkdir(parents=True)
    (tmp_path / "annotations/train/valence").mkdir(parents=True)
    with pytest.raises(UserError, match="Looked for annotations/train/arousal/"):
        aff_wild.read(tmp_path)
    (tmp_path / "annotations/train/arousal").mkdir(parents=True)
    with pytest.raises(UserError, match="no video and no label in them"):
        aff_wild.read(tmp_path)


def test_two_videos_of_one_name_are_refused(tmp_path):
    write_one(tmp_path)
    shutil.copy(tmp_path / "videos/train/7.mp4", tmp_path / "videos/train/7.avi")
    with pytest.raises(UserError, match=r"7\.avi and 7\.mp4 are two videos of one name"):
        aff_wild.read(tmp_path)


def test_the_doctor_tells_videos_ranges_and_how_labels_belong_to_frames(tmp_path, capsys):
    write_one(tmp_path, "8", labels=3, boxes=[5, 6, 7])
    write_one(tmp_path)
    assert doctor_command("aff_wild", tmp_path) == 0
    out = capsys.readouterr().out
    assert "2 videos, 15 frames with valence and arousal; a video has 3 to 12" in out
    assert "labels belong to frames by number in 1 videos" in out
    assert "labels belong to the frames with a box in 1 videos: videos/train/8.mp4" in out
    assert "Pixel-identical images: not looked for, the examples are videos" in out
    assert "Read 15 = 15 used + 0 damaged + 0 unlabelled + 0 excluded" in out
    assert doctor_command("aff_wild", tmp_path, alignment="frame") == 0
    out = capsys.readouterr().out
    assert "labels belong to frames by number in 2 videos" in out


def test_the_reader_is_listed():
    assert datasets.reader("aff_wild") is aff_wild

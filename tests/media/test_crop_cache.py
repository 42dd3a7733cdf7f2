"""Faces cut out of chosen frames, once."""

import re
import weakref

import numpy as np
import pytest

from affectkeras.errors import UserError
from affectkeras.media import crop_cache
from affectkeras.media.crop_cache import cut_chosen_faces, read_frames
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_faces import as_colour, cut_face
from affectkeras.media.video_frames import every_frame
from tests.media.tiny_videos import cut_file, write_video

FRAMES = np.array([1, 4, 5, 11])
BOXES = np.float32([[4, 5, 20, 20], [6, 5, 20, 24], [8, 6, 22, 20], [40, 30, 30, 30]])


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))


def cut(path, frames=FRAMES, boxes=BOXES, *, size=16, margin=0.1, **more):
    return cut_chosen_faces(path, frames, boxes, size=size, margin=margin, **more)


def pictures_of(path):
    return [as_colour(frame.pixels) for frame in every_frame(path)]


def refuse(*_):
    raise AssertionError("decoded again")


def test_faces_are_those_of_the_frames_that_were_asked_for(tmp_path):
    path, seen = write_video(tmp_path / "a.mp4", 14), []
    found = cut(path, on_frame=lambda: seen.append(1))
    assert (found.dtype, found.shape) == (np.uint8, (4, 16, 16, 3))
    pictures = pictures_of(path)
    for face, number, box in zip(found, FRAMES, BOXES, strict=True):
        np.testing.assert_array_equal(face, cut_face(pictures[number], box, 16, 0.1))
    assert len({face.tobytes() for face in found}) == 4
    assert len(seen) == 4


def test_the_second_time_they_come_from_the_cache_and_not_from_memory(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 14)
    first = np.array(cut(path))
    monkeypatch.setattr(crop_cache, "every_frame", refuse)
    again = cut(path)
    assert isinstance(again, np.memmap)
    np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize(
    "other",
    [{"size": 17}, {"margin": 0.2}, {"boxes": BOXES + 1}, {"frames": FRAMES + 1}],
    ids=lambda one: next(iter(one)),
)
def test_other_settings_are_other_faces(tmp_path, monkeypatch, other):
    path = write_video(tmp_path / "a.mp4", 14)
    cut(path)
    monkeypatch.setattr(crop_cache, "every_frame", refuse)
    with pytest.raises(AssertionError, match="decoded again"):
        cut(path, **other)


def test_another_video_of_the_same_name_is_cut_anew(tmp_path):
    first = np.array(cut(write_video(tmp_path / "a.mp4", 14)))
    assert not np.array_equal(cut(write_video(tmp_path / "a.mp4", 14, seed=1)), first)


def test_a_video_shorter_than_asked_gives_the_faces_there_are(tmp_path):
    path = write_video(tmp_path / "a.mp4", 10)
    whole = cut(path, FRAMES[:3], BOXES[:3])
    assert cut(path).shape == (3, 16, 16, 3)
    np.testing.assert_array_equal(cut(path), whole)
    assert cut(path, np.array([50]), BOXES[:1]).shape == (0, 16, 16, 3)


def test_no_more_than_a_face_is_held_while_a_video_is_cut(tmp_path, monkeypatch):
    path, made = write_video(tmp_path / "a.mp4", 12), []
    real = crop_cache.cut_face

    def watch(*arguments):
        # What was made before is on its way to the disk, not held by anyone.
        assert all(kept() is None for kept in made[:-1])
        face = real(*arguments)
        made.append(weakref.ref(face))
        return face

    monkeypatch.setattr(crop_cache, "cut_face", watch)
    assert len(cut(path, np.arange(12), np.tile(BOXES[:1], (12, 1)))) == len(made) == 12


def test_a_cut_off_file_gives_what_can_be_decoded(tmp_path):
    path = write_video(tmp_path / "a.avi", 60, codec="mjpeg", pixel_format="yuvj420p")
    frames = np.arange(60)
    boxes = np.tile(BOXES[:1], (60, 1))
    whole = np.array(cut(path, frames, boxes))
    found = cut(cut_file(path, 0.5), frames, boxes)
    assert 10 < len(found) < 50
    np.testing.assert_array_equal(found[:10], whole[:10])


def test_no_frames_are_no_faces(tmp_path):
    path = write_video(tmp_path / "a.mp4", 3)
    assert cut(path, np.empty(0), np.empty((0, 4))).shape == (0, 16, 16, 3)


def test_what_is_no_video_says_so_and_is_not_kept(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video at all")
    for _ in range(2):
        with pytest.raises(VideoDamaged, match="no video that can be read"):
            cut(path)
    with pytest.raises(VideoDamaged, match="cannot be read: No such file"):
        cut(tmp_path / "absent.mp4")


@pytest.mark.parametrize(
    ("frames", "boxes", "told"),
    [
        ([1, 1], BOXES[:2], "2 frames, boxes (2, 4)"),
        ([2, 1], BOXES[:2], "2 frames, boxes (2, 4)"),
        ([1, 2], BOXES[:3], "2 frames, boxes (3, 4)"),
        ([1], np.zeros((1, 5)), "1 frames, boxes (1, 5)"),
    ],
)
def test_frames_and_boxes_that_do_not_fit_are_refused(tmp_path, frames, boxes, told):
    with pytest.raises(
        ValueError,
        match=re.escape(f"`frames` must ascend and `boxes` be (frames, 4). Received: {told}"),
    ):
        cut(tmp_path / "a.mp4", frames, boxes)


def test_a_cache_that_cannot_be_written_is_named_with_the_mend(tmp_path):
    path = write_video(tmp_path / "a.mp4", 3)
    (tmp_path / "cache" / "crops").parent.mkdir(exist_ok=True)
    (tmp_path / "cache" / "crops").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cut faces cannot be kept: .*AFFECTKERAS_CACHE"):
        cut(path, FRAMES[:1], BOXES[:1])


def test_a_full_disk_is_told_with_the_cache_as_its_place(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 3)
    cut(path, FRAMES[:1], BOXES[:1], size=8)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("affectkeras.files.os.fsync", full)
    with pytest.raises(UserError, match="cut faces cannot be kept: No space left") as caught:
        cut(path, FRAMES[:1], BOXES[:1])
    assert "--run-dir" not in str(caught.value)
    assert len(list((tmp_path / "cache" / "crops").glob("*.npy"))) == 1


def test_frames_are_read_by_their_number(tmp_path):
    path = write_video(tmp_path / "a.mp4", 9)
    pictures = pictures_of(path)
    found = read_frames(path, [0, 3, 8])
    for picture, number in zip(found, (0, 3, 8), strict=True):
        np.testing.assert_array_equal(picture, pictures[number])
    assert len(read_frames(path, [7, 9])) == 1
    assert read_frames(path, []) == []

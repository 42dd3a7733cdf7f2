"""The faces of a video file: kept, cut out, and compared with a search of every frame."""

import os
from pathlib import Path

import numpy as np
import pytest

from affectkeras.media import video_faces
from affectkeras.media.faces import DetectionSettings, Face, detect_faces
from affectkeras.media.scene_tracker import FaceTrack, overlap
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_faces import (
    DETECTION,
    VideoFaces,
    as_colour,
    cut_face,
    cut_faces,
    find_video_faces,
)
from affectkeras.media.video_frames import every_frame
from tests.media.tiny_videos import write_video

REAL_DATA = os.environ.get("AFFECTKERAS_REAL_DATA")
CLIPS = ("asl_again.mkv", "asl_walk.mkv", "single_face.mp4")


def track(frames, side, confidence=0.9):
    frames = np.array(frames, np.int64)
    boxes = np.tile(np.float32([5, 6, side, side]), (len(frames), 1))
    return FaceTrack(frames, boxes, np.full(len(frames), confidence, np.float32))


def faces_of(*tracks, frames=10):
    return VideoFaces(np.arange(frames) / 25, 64, 48, tracks)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))


def test_the_subject_is_the_face_that_is_large_for_long():
    small_always, large_for_long, large_once = (
        track(range(10), 10),
        track(range(6), 20),
        track([3], 40),
    )
    assert faces_of(small_always, large_for_long, large_once).subject == 1
    assert faces_of().subject is None


def test_a_doubtful_face_weighs_less():
    assert faces_of(track(range(10), 20, 0.5), track(range(10), 16, 1.0)).subject == 1


def test_gaps_are_told_and_their_boxes_are_unknown():
    found = faces_of(track([2, 3, 6], 20))
    assert found.gaps(0) == [(0, 1), (4, 5), (7, 9)]
    boxes = found.boxes(0)
    assert np.isnan(boxes[[0, 1, 4, 5, 7, 8, 9]]).all()
    np.testing.assert_allclose(boxes[3], [5, 6, 20, 20, 0.9])


def test_a_cut_face_is_not_distorted_and_repeats_what_lies_at_the_edge():
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[10:30, 20:30] = 200  # higher than wide: the square about it is 20 × 20
    cut = cut_face(picture, np.array([20, 10, 10, 20, 0.9]), 20, 0.0)
    assert cut.shape == (20, 20, 3)
    np.testing.assert_array_equal(cut[:, 5:15], 200)
    np.testing.assert_array_equal(cut[:, [*range(5), *range(15, 20)]], 0)
    picture[:, 0] = 77
    beyond = cut_face(picture, np.array([-20, 10, 20, 20, 0.9]), 20, 0.0)
    np.testing.assert_array_equal(beyond, 77)


def test_a_margin_is_added_on_every_side():
    picture = np.arange(64, dtype=np.uint8)[np.newaxis, :, np.newaxis].repeat(48, 0).repeat(3, 2)
    cut = cut_face(picture, np.array([20, 10, 20, 20, 0.9]), 28, 0.2)
    np.testing.assert_array_equal(cut[0, :, 0], np.arange(16, 44))


def test_grey_and_deep_frames_become_colour():
    deep = np.array([[256, 65535]], np.uint16)
    np.testing.assert_array_equal(as_colour(deep), [[[1, 1, 1], [255, 255, 255]]])
    colour = np.zeros((2, 2, 3), np.uint8)
    assert as_colour(colour) is colour


def test_every_frame_comes_with_its_face_or_none(tmp_path):
    path = write_video(tmp_path / "a.mp4", 10)
    boxes = faces_of(track([1, 4], 16)).boxes(0)
    found = list(cut_faces(path, boxes, 24, 0.1))
    assert [number for number, (_, face) in enumerate(found) if face is not None] == [1, 4]
    assert found[1][1].shape == (24, 24, 3)
    np.testing.assert_array_equal(found[4][1], cut_face(found[4][0], boxes[4], 24, 0.1))


def test_a_video_is_searched_once_and_then_known(tmp_path, monkeypatch):
    path, frames = write_video(tmp_path / "a.mp4", 30), []
    monkeypatch.setattr(
        video_faces,
        "detect_faces",
        lambda images, _: [[Face(4, 5, 20, 20, "mtcnn", 0.99)]] * len(images),
    )
    monkeypatch.setattr(
        video_faces,
        "refine_faces",
        lambda _, squares: [Face(4, 5, 20, 20, "mtcnn", 0.9)] * len(squares),
    )
    first = find_video_faces(path, on_frame=lambda: frames.append(1))
    assert len(frames) == 30
    assert first.gaps(first.subject) == []

    def refuse(*_):
        raise AssertionError("searched again")

    monkeypatch.setattr(video_faces, "detect_faces", refuse)
    again = find_video_faces(path, on_frame=lambda: frames.append(1))
    assert len(frames) == 30
    assert (again.width, again.height) == (64, 48)
    np.testing.assert_array_equal(again.times_s, first.times_s)
    np.testing.assert_array_equal(again.boxes(0), first.boxes(0))


def test_boxes_are_those_of_the_picture_however_small_it_is_searched(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 20, size=(160, 96))
    monkeypatch.setattr(
        video_faces,
        "detect_faces",
        lambda images, _: [[Face(4, 5, 20, 24, "mtcnn", 0.99)]] * len(images),
    )
    monkeypatch.setattr(
        video_faces,
        "refine_faces",
        lambda _, squares: [Face(4, 5, 20, 24, "mtcnn", 0.9)] * len(squares),
    )
    found = find_video_faces(path, detection=DetectionSettings(longest_side=80, haar=False))
    np.testing.assert_allclose(found.boxes(0)[:, :4], [[8, 10, 40, 48]] * 20)


def test_a_damaged_cache_file_is_made_anew(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 5)
    monkeypatch.setattr(video_faces, "detect_faces", lambda images, _: [[]] * len(images))
    find_video_faces(path)
    (kept,) = (tmp_path / "cache" / "tracks").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:50])
    assert find_video_faces(path).tracks == ()
    assert len(kept.read_bytes()) > 50


def test_what_is_no_video_says_so(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video at all")
    with pytest.raises(VideoDamaged, match="no video that can be read"):
        find_video_faces(path)
    with pytest.raises(VideoDamaged, match="cannot be read: No such file"):
        find_video_faces(tmp_path / "absent.mp4")


@pytest.mark.skipif(REAL_DATA is None, reason="AFFECTKERAS_REAL_DATA names no folder")
@pytest.mark.parametrize("name", CLIPS)
def test_a_real_face_is_where_a_search_of_every_frame_finds_it(name):
    path = Path(REAL_DATA) / "data" / "video" / name
    found = find_video_faces(path)
    boxes = found.boxes(found.subject)
    frames = [frame.pixels for frame in every_frame(path)][::5]
    searched = detect_faces(frames, DETECTION)
    shares = []
    for box, faces in zip(boxes[::5], searched, strict=True):
        if faces:
            followed = Face(*map(float, box[:4]), "mtcnn")
            shares.append(0.0 if np.isnan(box[4]) else overlap(followed, faces[0]))
    assert len(shares) > 8
    assert np.mean(np.array(shares) >= 0.6) >= 0.95

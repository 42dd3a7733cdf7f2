"""Frames are cut once, whole, and found again by what the video holds."""

import json
import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from affectkeras.errors import UserError
from affectkeras.media import frame_cache
from affectkeras.media.frame_cache import FrameChoice, cut_frames, file_digest, shape_frame
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_frames import frames_at
from tests.media.tiny_videos import picture, write_video

GREY = {"codec": "ffv1", "pixel_format": "gray"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))


def load(frame):
    return cv2.imread(str(frame.path), cv2.IMREAD_UNCHANGED)


def test_frames_lie_on_disk_as_they_are_in_the_video(tmp_path):
    video = write_video(tmp_path / "a.mkv", 20, **GREY)
    frames = cut_frames(video, [0.0, 0.41, 5.0], FrameChoice())
    np.testing.assert_array_equal(load(frames[0]), picture(0))
    np.testing.assert_array_equal(load(frames[1]), picture(10))
    assert (frames[1].shown_s, frames[1].width, frames[1].height) == (0.4, 64, 48)
    assert (frames[2].path, frames[2].reason) == (None, "the video ends at 0.800 s")


def test_sixteen_bits_stay_unless_levels_are_given(tmp_path):
    video = write_video(tmp_path / "a.mkv", 3, codec="ffv1", pixel_format="gray16le")
    (kept,) = cut_frames(video, [0.0], FrameChoice())
    wide = picture(0, dtype=np.uint16)
    np.testing.assert_array_equal(load(kept), wide)
    (leveled,) = cut_frames(video, [0.0], FrameChoice(levels=(10000, 50000)))
    expected = ((wide.astype(float) - 10000) * 255 / 40000).round().clip(0, 255)
    assert load(leveled).dtype == np.uint8
    assert np.abs(load(leveled) - expected).max() <= 1


def test_the_same_video_is_cut_once_also_under_another_name(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.mkv", 10, **GREY)
    asked = []

    def counted(path, times):
        asked.append(path)
        return frames_at(path, times)

    monkeypatch.setattr(frame_cache, "frames_at", counted)
    first = cut_frames(video, [0.0, 0.2], FrameChoice())
    shutil.copy(video, tmp_path / "b.mkv")
    assert cut_frames(video, [0.0, 0.2], FrameChoice()) == first
    assert cut_frames(tmp_path / "b.mkv", [0.0, 0.2], FrameChoice()) == first
    assert len(asked) == 1
    for other in (FrameChoice(crop=32), FrameChoice(levels=(0, 9))):
        cut_frames(video, [0.0, 0.2], other)
    cut_frames(video, [0.0, 0.3], FrameChoice())
    write_video(video, 10, seed=1, **GREY)
    cut_frames(video, [0.0, 0.2], FrameChoice())
    assert len(asked) == 5


def test_what_is_broken_off_leaves_nothing_behind(tmp_path):
    video = write_video(tmp_path / "a.mkv", 10, **GREY)

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_frames(video, [0.0, 0.2], FrameChoice(), on_frame=stop)
    folders = [path.name for path in (tmp_path / "cache/frames").iterdir() if path.is_dir()]
    assert folders == ["digests"]


def test_two_at_once_cut_once(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.mkv", 10, **GREY)
    asked, found = [], []

    def counted(path, times):
        asked.append(path)
        return frames_at(path, times)

    monkeypatch.setattr(frame_cache, "frames_at", counted)
    threads = [
        threading.Thread(target=lambda: found.append(cut_frames(video, [0.2], FrameChoice())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    assert len(found) == 4


def test_what_is_no_video_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.avi").write_text("a letter")
    with pytest.raises(VideoDamaged, match="no video"):
        cut_frames(tmp_path / "a.avi", [0.0], FrameChoice())
    folders = [path.name for path in (tmp_path / "cache/frames").iterdir() if path.is_dir()]
    assert folders == ["digests"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.mkv", 2, **GREY)

    def full(path, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frame_cache, "write_json", full)
    with pytest.raises(UserError, match="No space left on device. Check .* AFFECTKERAS_CACHE"):
        cut_frames(video, [0.0], FrameChoice())


def test_the_digest_follows_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"one")
    (tmp_path / "c").write_bytes(b"two")
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b") == file_digest(tmp_path / "a")
    assert file_digest(tmp_path / "a") != file_digest(tmp_path / "c")
    known = next(path for path in Path(tmp_path, "cache/frames/digests").iterdir())
    known.write_text("half")
    assert len(file_digest(tmp_path / "a")) == 64


def test_the_crop_is_centred_and_never_larger_than_the_picture():
    pixels = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)
    np.testing.assert_array_equal(shape_frame(pixels, FrameChoice(crop=4)), pixels[1:5, 2:6])
    np.testing.assert_array_equal(shape_frame(pixels, FrameChoice(crop=480)), pixels[:, 1:7])


def test_grey_that_is_stored_as_colour_becomes_grey_and_colour_stays():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(
        shape_frame(np.repeat(grey[..., None], 3, axis=-1), FrameChoice()), grey
    )
    colour = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(shape_frame(colour, FrameChoice()), colour)


def test_resizing_here_equals_resizing_in_the_pipeline(tmp_path):
    images = pytest.importorskip("affectkeras.media.images")
    video = write_video(tmp_path / "a.mkv", 3, **GREY)
    (whole,) = cut_frames(video, [0.0], FrameChoice(crop=48))
    (small,) = cut_frames(video, [0.0], FrameChoice(crop=48, resize=24))
    expected = images.decode_and_resize(whole.path.read_bytes(), (24, 24))
    np.testing.assert_array_equal(load(small), np.asarray(expected)[..., 0])
    np.testing.assert_array_equal(
        images.decode_and_resize(small.path.read_bytes(), (24, 24)), expected
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": 0}, "`crop` must be a number of pixels from 1. Received: 0"),
        ({"resize": 24}, "`resize` needs a square: give `crop` too"),
        ({"levels": (9, 9)}, r"`levels` must be \(low, high\), low < high. Received: \(9, 9\)"),
    ],
)
def test_impossible_choices_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        FrameChoice(**arguments)


def test_the_facts_on_disk_are_plain_json(tmp_path):
    video = write_video(tmp_path / "a.mkv", 2, **GREY)
    (frame,) = cut_frames(video, [0.0], FrameChoice())
    facts = json.loads((frame.path.parent / "frames.json").read_text())
    assert facts["frames"] == [{"shown_s": 0.0, "file": "00000.png", "width": 64, "height": 48}]

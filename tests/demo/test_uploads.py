import re

import numpy as np
import pytest
from PIL import Image

from affectkeras.demo.uploads import Limits, check_upload, frame_times, is_photo, photo_as_video
from affectkeras.errors import UserError
from affectkeras.media.upright import decode_upright
from affectkeras.media.video_frames import every_frame
from tests.media.tiny_videos import write_video


def refused(path, limits=None):
    with pytest.raises(UserError) as told:
        check_upload(path, "mine.mp4", limits or Limits())
    return str(told.value)


def test_videos_and_photos_within_the_limits_pass(tmp_path):
    check_upload(write_video(tmp_path / "a.mp4", 5), "a", Limits())
    Image.new("RGB", (4, 4)).save(tmp_path / "b.png")
    check_upload(tmp_path / "b.png", "b", Limits())


def test_what_it_is_is_told_by_its_content_not_by_its_name(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.mp4", format="JPEG")
    assert is_photo(tmp_path / "photo.mp4")
    assert not is_photo(write_video(tmp_path / "film.mkv", 2))
    check_upload(tmp_path / "photo.mp4", "photo.mp4", Limits())


def test_a_file_that_is_too_large_is_told(tmp_path):
    clip = write_video(tmp_path / "a.mp4", 5)
    told = refused(clip, Limits(megabytes=0.001))
    assert told.startswith("mine.mp4: 0 MB are more than the 0.001 MB allowed.")
    assert "--max-megabytes" in told


def test_a_video_that_is_too_long_is_told(tmp_path):
    clip = write_video(tmp_path / "a.mp4", 61, rate=1)
    check_upload(clip, "a", Limits(minutes=1.05))
    told = refused(clip, Limits(minutes=1))
    assert told.startswith("mine.mp4: 1.0 minutes are more than the 1 minutes allowed.")


def test_a_header_that_tells_a_shorter_time_is_not_believed(tmp_path):
    clip = write_video(tmp_path / "a.mkv", 61, rate=1)
    content = clip.read_bytes()
    place = content.index(b"\x44\x89") + 3  # Matroska: Duration, as a float of 8 bytes
    assert np.frombuffer(content[place : place + 8], ">f8")[0] == pytest.approx(61_000, rel=0.02)
    shorter = np.array([1000.0], ">f8").tobytes()
    clip.write_bytes(content[:place] + shorter + content[place + 8 :])
    assert "more than the 0.5 minutes" in refused(clip, Limits(minutes=0.5))


def test_a_video_of_too_large_pictures_is_told(tmp_path):
    clip = write_video(tmp_path / "a.mp4", 3, size=(64, 48))
    told = refused(clip, Limits(pixels=3071))
    assert told.startswith("mine.mp4: 64 × 48 pixels are more than the 3071 allowed.")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"<html>", "no video that can be read"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "no video"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no video"),
        (b"\xff\xd8\xff\xe0broken", "truncated within the JPEG header"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
    ],
)
def test_a_file_that_cannot_be_opened_is_told_with_what_can(tmp_path, content, reason):
    (tmp_path / "a.mp4").write_bytes(content)
    told = refused(tmp_path / "a.mp4")
    assert re.match(f"mine.mp4: .*{reason}", told)
    assert told.endswith("or a JPEG or PNG.")


def test_the_times_of_frames_are_read_without_decoding(tmp_path):
    times = [0, 40, 50, 300, 310]
    clip = write_video(tmp_path / "a.mkv", 5, times_ms=times, options={"bf": "2"})
    assert frame_times(clip) == pytest.approx([time / 1000 for time in times], abs=1e-6)


def test_a_photo_becomes_a_film_of_one_frame_without_loss(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (31, 45, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    photo_as_video(tmp_path / "a.png", tmp_path / "a.mov")
    (frame,) = every_frame(tmp_path / "a.mov")
    upright = decode_upright((tmp_path / "a.png").read_bytes())
    assert upright.shape == (45, 31, 3)
    np.testing.assert_array_equal(frame.pixels, upright)


@pytest.mark.parametrize("name", ["megabytes", "minutes", "pixels"])
def test_limits_must_allow_something(name):
    with pytest.raises(UserError, match=f"{name} must be above 0. Received: -1"):
        Limits(**{name: -1})

"""What a video file holds, and what is said of files that hold none."""

import os

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from affectkeras.media.video import VideoDamaged, frame_pixels, video_facts
from affectkeras.media.video_frames import every_frame
from tests.media.tiny_videos import SIZE, picture, write_video


def test_the_facts_of_a_video_are_told(tmp_path):
    facts = video_facts(write_video(tmp_path / "a.mp4", 50))
    assert (facts.width, facts.height) == SIZE
    assert (facts.frames, facts.rate, facts.duration_s) == (50, 25.0, 2.0)
    assert (facts.codec, facts.pixel_format) == ("h264", "yuv420p")
    assert facts.container.startswith("mov")


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.ts", "libx264")]
)
def test_the_duration_is_told_whatever_the_container(tmp_path, name, codec):
    assert video_facts(write_video(tmp_path / name, 50, codec=codec)).duration_s == 2.0


def test_the_duration_is_measured_where_the_container_cannot_be_trusted(tmp_path):
    path = write_video(tmp_path / "a.mpg", 50, codec="mpeg2video", options={"bf": "2"})
    assert video_facts(path).duration_s == pytest.approx(2.0)


def test_a_name_that_looks_like_an_address_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.mkv", 5).rename(tmp_path / "http:a.mkv")
    assert video_facts("http:a.mkv").width == SIZE[0]


def test_a_name_that_is_not_utf_8_can_be_read(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.mkv")
    os.rename(write_video(tmp_path / "a.mkv", 5), path)
    assert video_facts(os.fsdecode(path)).width == SIZE[0]


def write_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    return path


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.avi", b"", "the file is empty"),
        ("page.avi", b"<html>404</html>" * 50, "no video"),
        ("noise.mp4", bytes(range(256)) * 40, "no video that can be read"),
        ("words.txt", b"the quick brown fox\n" * 50, "no video"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n", "no video"),
        ("gone.avi", None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_video_is_told_with_the_reason(tmp_path, name, content, reason):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoDamaged, match=reason):
        video_facts(path)


def test_a_still_picture_a_sound_and_a_folder_are_no_videos(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    Image.fromarray(picture(0)).save(tmp_path / "a.jpg")
    for name in ("a.png", "a.jpg"):
        with pytest.raises(VideoDamaged, match="a still picture, text or list"):
            video_facts(tmp_path / name)
    with pytest.raises(VideoDamaged, match="holds no pictures"):
        video_facts(write_sound(tmp_path / "a.wav"))
    with pytest.raises(VideoDamaged, match="not an ordinary file"):
        video_facts(tmp_path)


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_grey_is_kept_as_stored(tmp_path, name):
    path = write_video(tmp_path / name, 4, codec="ffv1", pixel_format="gray")
    for number, frame in enumerate(every_frame(path)):
        assert frame.pixels.dtype == np.uint8
        np.testing.assert_array_equal(frame.pixels, picture(number))


def test_sixteen_bits_of_grey_are_kept_as_stored(tmp_path):
    path = write_video(tmp_path / "a.mkv", 4, codec="ffv1", pixel_format="gray16le")
    frames = list(every_frame(path))
    assert len(frames) == 4
    for number, frame in enumerate(frames):
        assert frame.pixels.dtype == np.uint16
        np.testing.assert_array_equal(frame.pixels, picture(number, dtype=np.uint16))


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("order", ["le", "be"])
def test_numbers_of_more_than_eight_bits_are_not_scaled(bits, order):
    numbers = (np.arange(48 * 64) * 21 % 2**bits).astype(np.uint16).reshape(48, 64)
    frame = av.VideoFrame(64, 48, f"gray{bits}{order}")
    plane = np.zeros((48, frame.planes[0].line_size // 2), "<u2" if order == "le" else ">u2")
    plane[:, :64] = numbers
    frame.planes[0].update(plane.tobytes())
    np.testing.assert_array_equal(frame_pixels(frame), numbers)


def test_colours_are_rgb_and_equal_those_of_opencv(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pixels = np.zeros((48, 64, 3), np.uint8)
        pixels[:, :32, 0] = 220  # red to the left
        pixels[:, 32:, 2] = np.arange(48)[:, None] * 5
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    (frame,) = every_frame(path)
    assert frame.pixels[24, 10, 0] > 180 > 60 > frame.pixels[24, 10, 2]
    read, expected = cv2.VideoCapture(str(path)).read()
    assert read
    np.testing.assert_array_equal(frame.pixels, expected[..., ::-1])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_video_to_be_turned_is_turned_as_opencv_does(tmp_path, degrees):
    path = write_video(tmp_path / "a.mp4", 2, rotation=degrees)
    _, expected = cv2.VideoCapture(str(path)).read()
    np.testing.assert_array_equal(next(every_frame(path)).pixels, expected[..., ::-1])


def test_a_video_with_sound_is_read_like_one_without(tmp_path):
    silent = write_video(tmp_path / "silent.mp4", 20)
    path = _with_sound(silent, tmp_path / "sound.mp4")
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
    assert video_facts(path).frames == 20
    expected = [frame.pixels for frame in every_frame(silent)]
    found = [frame.pixels for frame in every_frame(path)]
    assert len(found) == 20
    np.testing.assert_array_equal(found, expected)


def _with_sound(silent, path):
    """Copy the pictures of a video and add a second of silence."""
    with av.open(str(silent)) as source, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(source.streams.video[0])
        audio = container.add_stream("aac", rate=16000)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        sound.sample_rate = 16000
        container.mux([*audio.encode(sound), *audio.encode()])
    return path

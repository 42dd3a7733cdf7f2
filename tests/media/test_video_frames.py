"""Frames at times equal those of a full decode, and damage is told frame by frame."""

import itertools

import av
import cv2
import numpy as np
import pytest

from affectkeras.media import video_frames, video_search
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_frames import every_frame, frames_at
from affectkeras.media.video_pass import VideoPass
from tests.media.tiny_videos import cut_file, picture, write_video

UNEVEN_MS = list(itertools.accumulate([0, *([20, 40, 40, 300, 7, 33, 1, 90] * 12)]))

KINDS = {
    "H.264 with B-frames in MP4": ("a.mp4", {}),
    "H.264 in Matroska": ("a.mkv", {}),
    "H.264 in a transport stream": ("a.ts", {}),
    "H.264 in AVI, which tells no times": ("a.avi", {}),
    "open groups": ("a.mkv", {"options": {"x264-params": "open-gop=1:bframes=3:b-pyramid=2"}}),
    "intra refresh at uneven times": (
        "a.mkv",
        {"options": {"x264-params": "intra-refresh=1"}, "times_ms": UNEVEN_MS},
    ),
    "intra refresh": ("a.mkv", {"options": {"x264-params": "intra-refresh=1"}}),
    "MPEG-4 with B-frames": ("a.mp4", {"codec": "mpeg4", "options": {"bf": "2"}}),
    "MPEG-4 with B-frames in AVI": ("a.avi", {"codec": "mpeg4", "options": {"bf": "2"}}),
    "MPEG-4 in AVI": ("a.avi", {"codec": "mpeg4"}),
    "MPEG-2 in a program stream": ("a.mpg", {"codec": "mpeg2video", "options": {"bf": "2"}}),
    "one group only": ("a.mkv", {"codec": "mpeg4", "group": 600}),
    "all keyframes": ("a.avi", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
    "grey": ("a.mkv", {"codec": "ffv1", "pixel_format": "gray"}),
    "16-bit grey": ("a.mkv", {"codec": "ffv1", "pixel_format": "gray16le"}),
    "uneven times in Matroska": ("a.mkv", {"times_ms": UNEVEN_MS}),
    "uneven times in MP4": ("a.mp4", {"times_ms": UNEVEN_MS}),
}


def decode_with_opencv(path):
    capture = cv2.VideoCapture(str(path))
    while True:
        read, pixels = capture.read()
        if not read:
            return
        yield pixels[..., ::-1]


def assert_as_decoded(path, full, times, **arguments):
    """Hold the frames at times against a plain search in a full decode."""
    shown = np.array([frame.shown_s for frame in full])
    for time, frame in zip(times, frames_at(path, times, **arguments), strict=True):
        assert frame.reason == ""
        last = int(np.flatnonzero(shown <= time + 1e-6)[-1])
        assert frame.asked_s == time
        assert frame.shown_s == shown[last]
        np.testing.assert_array_equal(frame.pixels, full[last].pixels)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_at_times_equal_a_full_decode(tmp_path, kind):
    name, arguments = KINDS[kind]
    path = write_video(tmp_path / name, 90, **arguments)
    full = list(every_frame(path))
    assert len(full) == 90
    shown = np.array([frame.shown_s for frame in full])
    assert (np.diff(shown) > 0).all()
    random = np.random.default_rng(0)
    end = shown[-1] + 0.001
    for times in (
        shown,  # every frame
        shown[4::7],
        np.repeat(shown[::9], 2),  # the same one twice
        [shown[-1]],
        [0.0, end],
        np.sort(random.uniform(0, end, 3)),
        np.sort(random.uniform(0, end, 12)),
        np.sort(random.uniform(0, end, 200)),  # more than there are
    ):
        assert_as_decoded(path, full, list(times), workers=1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "16-bit" not in kind])
def test_a_full_decode_equals_that_of_opencv(tmp_path, kind):
    name, arguments = KINDS[kind]
    path = write_video(tmp_path / name, 90, **arguments)
    for ours, theirs in zip(every_frame(path), decode_with_opencv(path), strict=True):
        pixels = ours.pixels if ours.pixels.ndim == 3 else ours.pixels[..., None].repeat(3, -1)
        np.testing.assert_array_equal(pixels, theirs)


def test_frames_are_found_by_time_where_the_rate_varies(tmp_path):
    times_ms = [0, 100, 150, 900, 910, 2000]
    path = write_video(
        tmp_path / "a.mkv", 6, codec="ffv1", pixel_format="gray", times_ms=times_ms, group=2
    )
    asked = [0.0, 0.099, 0.1, 0.3, 0.8999, 0.9, 0.905, 0.91, 1.5, 2.0]
    numbers = [0, 0, 1, 2, 2, 3, 3, 4, 4, 5]
    for frame, number in zip(frames_at(path, asked), numbers, strict=True):
        assert frame.shown_s == times_ms[number] / 1000
        np.testing.assert_array_equal(frame.pixels, picture(number))


def test_threads_give_the_same_frames_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(video_frames, "_BLOCK_S", 0.5)
    monkeypatch.setattr(video_frames, "_BLOCK_FRAMES", 4)
    path = write_video(tmp_path / "a.mp4", 200)
    full = list(every_frame(path))
    times = list(np.sort(np.random.default_rng(1).uniform(0, 7.9, 30)))
    assert len(video_frames._blocks(times, 1)) == 8
    assert_as_decoded(path, full, times, workers=3)


class Count:
    """Counts the packets that are decoded."""

    def __init__(self, monkeypatch):
        self.packets = self.frames = 0
        decode = VideoPass.decode

        def counted(video, packet, **arguments):
            frames, fine = decode(video, packet, **arguments)
            self.packets += 1
            self.frames += len(frames)
            return frames, fine

        monkeypatch.setattr(VideoPass, "decode", counted)


def test_only_what_a_wanted_frame_builds_on_is_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mkv", 250, codec="mpeg4", group=10)
    count = Count(monkeypatch)
    # Frames 3 and 5 of the group from 120 on, and frame 2 of the one from 200 on.
    assert len(list(frames_at(path, [123 / 25, 125 / 25, 202 / 25], workers=1))) == 3
    assert count.packets == 6 + 3


def test_frames_that_nothing_builds_on_are_not_decoded(tmp_path, monkeypatch):
    options = {"x264-params": "bframes=3:b-adapt=0:b-pyramid=0:scenecut=0"}
    path = write_video(tmp_path / "a.mkv", 40, group=40, options=options)
    count = Count(monkeypatch)
    (frame,) = frames_at(path, [36 / 25], workers=1)
    assert frame.pixels is not None
    assert count.frames < 15  # every fourth of 37


def test_a_long_group_does_not_gather_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(video_search, "_HELD_PACKETS", 10)
    path = write_video(tmp_path / "a.mkv", 120, codec="mpeg4", group=600)
    full = list(every_frame(path))
    longest = 0
    decode_due = video_search.FrameSearch._decode_due

    def watched(search):
        nonlocal longest
        decode_due(search)
        longest = max(longest, len(search._queue))

    monkeypatch.setattr(video_search.FrameSearch, "_decode_due", watched)
    assert_as_decoded(path, full, [0.2, 4.7], workers=1)
    assert longest <= 10


def test_times_behind_the_end_are_told_with_the_end(tmp_path):
    path = write_video(tmp_path / "a.mp4", 50)
    frames = list(frames_at(path, [1.97, 2.0, 77.0]))
    assert [frame.reason for frame in frames] == ["", *(["the video ends at 2.000 s"] * 2)]
    assert frames[1].pixels is None
    assert np.isnan(frames[1].shown_s)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.mkv", {}),
        ("a.ts", {}),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.mkv", {"codec": "ffv1", "pixel_format": "gray"}),
        ("a.mp4", None),
    ],
)
def test_a_cut_file_gives_what_comes_before(tmp_path, name, arguments):
    if arguments is None:
        whole = write_faststart(tmp_path / name)
    else:
        whole = write_video(tmp_path / name, 200, **arguments)
    full = list(every_frame(whole))
    cut = cut_file(whole, 0.6)
    times = [frame.shown_s for frame in full]
    frames = list(frames_at(cut, times, workers=1))
    usable = np.array([frame.pixels is not None for frame in frames])
    last = np.flatnonzero(usable)[-1]
    assert 60 < last < 180
    # Near the cut, pictures are missing that would have been shown before the last one.
    assert usable[: last - 4].all()
    for frame, expected in zip(frames[: last - 4], full, strict=False):
        np.testing.assert_array_equal(frame.pixels, expected.pixels)
    whole_frames = {frame.shown_s: frame.pixels for frame in full}
    for frame in frames[last - 4 : last]:
        if frame.pixels is not None:
            np.testing.assert_array_equal(frame.pixels, whole_frames[frame.shown_s])
    for frame in frames[last + 1 :]:
        assert "the video ends at" in frame.reason or "damaged" in frame.reason
    (late,) = frames_at(cut, [times[-1]], workers=1)
    assert late.pixels is None
    assert "ends at" in late.reason or "damaged" in late.reason


def write_faststart(path):
    """Write an MP4 whose index comes first, so that it can be read when cut."""
    plain = write_video(path.with_name("plain.mp4"), 200)
    options = {"movflags": "faststart"}
    with av.open(str(plain)) as source, av.open(str(path), "w", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


@pytest.mark.parametrize("seed", range(6))
def test_bytes_changed_at_random_never_crash_it(tmp_path, seed):
    random = np.random.default_rng(seed)
    path = write_video(tmp_path / "a.mkv", 100, codec=("libx264", "mpeg4")[seed % 2])
    content = bytearray(path.read_bytes())
    for place in random.integers(600, len(content), 30):
        content[place] = random.integers(256)
    path.write_bytes(content)
    times = np.sort(random.uniform(0, 4, 25))
    try:
        frames = list(frames_at(path, times, workers=1))
    except VideoDamaged:
        return
    assert len(frames) == 25
    assert all((frame.pixels is None) == bool(frame.reason) for frame in frames)


def test_times_must_ascend_from_zero(tmp_path):
    path = write_video(tmp_path / "a.mkv", 5)
    with pytest.raises(ValueError, match="`times_s` must not descend"):
        frames_at(path, [1.0, 0.5])
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="`times_s` must be seconds from 0"):
            frames_at(path, [wrong])
    assert list(frames_at(path, [])) == []


def test_what_is_no_video_is_told_at_once(tmp_path):
    (tmp_path / "a.avi").write_text("a letter")
    with pytest.raises(VideoDamaged, match="no video"):
        frames_at(tmp_path / "a.avi", [0.0])


def test_a_stream_without_any_times_is_told_so(tmp_path):
    (frame,) = frames_at(write_video(tmp_path / "a.h264", 20), [0.5])
    assert frame.reason == "damaged: no picture up to then tells when it is shown"

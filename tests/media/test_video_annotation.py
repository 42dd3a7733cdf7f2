"""Videos with boxes and words drawn in, as a browser plays them."""

import av
import numpy as np
import pytest

from affectkeras.errors import UserError
from affectkeras.media import video_annotation
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_annotation import COLOUR, annotate_video, draw_face
from affectkeras.media.video_frames import VideoFrame, every_frame
from tests.media.tiny_videos import write_video

BOX = (20.0, 16.0, 40.0, 48.0)  # left, top, width, height


def boxes_for(frames, *, without=()):
    boxes = np.tile(np.float32([*BOX, 0.9]), (frames, 1))
    boxes[list(without)] = np.nan
    return boxes


def annotate(tmp_path, source, boxes, texts=None, **more):
    target = tmp_path / "out" / "drawn.mp4"
    annotate_video(source, target, boxes, texts or [""] * len(boxes), **more)
    return target


def pictures_of(path):
    return [frame.pixels for frame in every_frame(path)]


def is_coloured(picture):
    """Return where a picture is of the colour of a box, `(height, width)`."""
    return np.abs(picture.astype(int) - COLOUR).max(axis=-1) < 70


def test_the_result_is_what_every_browser_plays(tmp_path):
    source = write_video(tmp_path / "a.avi", 6, codec="mjpeg", pixel_format="yuvj420p")
    target = annotate(tmp_path, source, boxes_for(6))
    with av.open(str(target)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (64, 48)
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_there_is_a_frame_for_every_frame_and_nothing_else_in_the_folder(tmp_path):
    source, seen = write_video(tmp_path / "a.mp4", 13), []
    target = annotate(tmp_path, source, boxes_for(13), on_frame=lambda: seen.append(1))
    assert len(pictures_of(target)) == len(seen) == 13
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    "times_ms", [None, [0, 40, 80, 500, 510, 520, 2000, 2040], [0, 7, 13, 20, 27, 33, 40, 47]]
)
def test_frames_keep_their_times(tmp_path, times_ms):
    source = write_video(tmp_path / "a.mkv", 8, times_ms=times_ms)
    target = annotate(tmp_path, source, boxes_for(8))
    before = [frame.shown_s for frame in every_frame(source)]
    np.testing.assert_allclose([frame.shown_s for frame in every_frame(target)], before, atol=2e-5)


def test_an_odd_size_loses_a_pixel(tmp_path):
    source = write_video(tmp_path / "a.avi", 3, codec="ffv1", pixel_format="gray", size=(65, 49))
    (first, *_) = pictures_of(annotate(tmp_path, source, boxes_for(3, without=range(3))))
    assert first.shape == (48, 64, 3)


def test_the_box_is_where_the_face_is_and_nowhere_without_one(tmp_path):
    source = write_video(tmp_path / "a.mp4", 6, size=(96, 80))
    target = annotate(tmp_path, source, boxes_for(6, without=(2, 3)))
    left, top, across, down = (int(value) for value in BOX)
    for number, picture in enumerate(pictures_of(target)):
        drawn = is_coloured(picture)
        if number in (2, 3):
            assert not drawn.any()
            continue
        for edge in (left, left + across):
            assert drawn[top + 4 : top + down - 4, edge].mean() > 0.9
        for edge in (top, top + down):
            assert drawn[edge, left + 4 : left + across - 4].mean() > 0.9
        assert not drawn[top + 6 : top + down - 6, left + 6 : left + across - 6].any()
        assert not drawn[:, left + across + 6 :].any()
        assert not drawn[: top - 6].any()


def test_without_a_box_the_picture_is_the_source_s(tmp_path):
    source = write_video(tmp_path / "a.mp4", 4)
    target = annotate(tmp_path, source, boxes_for(4, without=range(4)), ["word"] * 4)
    for one, other in zip(pictures_of(source), pictures_of(target), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 4


def test_a_word_stands_above_the_box_or_inside_where_there_is_no_room():
    for top, rows in ((60, slice(20, 59)), (2, slice(6, 40))):
        plain = np.zeros((160, 240, 3), np.uint8)
        draw_face(plain, np.array([40, top, 80, 80]), "")
        worded = np.zeros_like(plain)
        draw_face(worded, np.array([40, top, 80, 80]), "pleasure")
        changed = (plain != worded).any(axis=-1)
        assert changed[rows].sum() > 200
        changed[rows] = False
        assert not changed[max(0, top + 45) :].any()


def test_a_word_at_the_right_edge_is_whole():
    picture = np.zeros((160, 240, 3), np.uint8)
    draw_face(picture, np.array([220, 60, 60, 60]), "contentment")
    at_the_left = np.zeros_like(picture)
    draw_face(at_the_left, np.array([0, 60, 60, 60]), "contentment")
    ink = [int((one.max(axis=-1) < 100).sum()) for one in (picture[20:58], at_the_left[20:58])]
    words = [int(is_coloured(one[30:58]).sum()) for one in (picture, at_the_left)]
    assert words[0] == pytest.approx(words[1], rel=0.1)
    assert ink[0] == pytest.approx(ink[1], rel=0.1)


@pytest.mark.parametrize("size", [(32, 24), (128, 96)])
def test_a_stream_that_changes_its_size_keeps_the_whole_picture(tmp_path, monkeypatch, size):
    """The boxes are in pixels of the first picture, as `find_video_faces` gives them."""

    def halves(shape):
        picture = np.zeros((shape[1], shape[0], 3), np.uint8)
        picture[:, shape[0] // 2 :] = 200
        return picture

    frames = [VideoFrame(n / 25, n / 25, halves(((64, 48), size)[n > 1])) for n in range(4)]
    monkeypatch.setattr(video_annotation, "every_frame", lambda _: iter(frames))
    target = annotate(tmp_path, tmp_path / "a.webm", boxes_for(4, without=range(4)))
    for picture in pictures_of(target):
        assert picture.shape == (48, 64, 3)
        assert picture[:, :28].max() < 40
        assert picture[:, 36:].min() > 160


def test_what_is_no_video_leaves_nothing_behind(tmp_path):
    source = tmp_path / "a.mp4"
    source.write_bytes(b"no video at all")
    with pytest.raises(VideoDamaged, match="no video that can be read"):
        annotate(tmp_path, source, boxes_for(3))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_with_the_mend(tmp_path):
    source = write_video(tmp_path / "a.mp4", 3)
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="drawn.mp4: cannot be written: .*Check the permissions"):
        annotate(tmp_path, source, boxes_for(3))


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path):
    source = write_video(tmp_path / "a.mp4", 3)
    target = annotate(tmp_path, source, boxes_for(3))
    old = target.read_bytes()

    def give_up():
        assert target.read_bytes() == old
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate(tmp_path, source, boxes_for(3), on_frame=give_up)
    assert list(target.parent.iterdir()) == [target]

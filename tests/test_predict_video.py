"""Videos and photos on the command line: rows, drawn-in copies and curves."""

import io

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras import predict, predict_video, video_analysis
from affectkeras.errors import UserError
from affectkeras.media.faces import Face
from affectkeras.media.scene_tracker import FaceTrack
from affectkeras.media.video_faces import VideoFaces
from affectkeras.media.video_frames import every_frame
from affectkeras.predict_video import predict_videos
from affectkeras.reporting.video_plot import draw_video
from affectkeras.video_model import VideoModel
from tests.media.tiny_videos import write_video

FRAMES = 10
CLASS_NAMES = ("dark", "bright")


def build_model(kind="numbers", note=""):
    def read(faces):
        for face in faces:
            bright = face.mean() / 255
            yield np.array([bright, -0.25] if kind == "numbers" else [1 - bright, bright])

    return VideoModel(
        kind=kind,
        targets=("valence", "arousal") if kind == "numbers" else (),
        class_names=() if kind == "numbers" else CLASS_NAMES,
        image_size=8,
        margin=0.1,
        mode="dense" if kind == "numbers" else "still",
        every=1,
        predict=read,
        note=note,
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder whose model is a stand-in; the face is in all frames but 4 and 5."""
    folder = tmp_path / "run"
    (folder / "saved_model").mkdir(parents=True)
    (folder / "saved_model" / "saved_model.pb").touch()
    monkeypatch.setattr(predict_video, "load_video_model", lambda _: build_model())

    def find(path, *, on_frame):
        count = sum(1 for _ in every_frame(path))
        known = np.array([number for number in range(count) if number not in (4, 5)])
        boxes = np.tile(np.float32([10, 6, 30, 30]), (len(known), 1))
        track = FaceTrack(known, boxes, np.full(len(known), 0.9, np.float32))
        return VideoFaces(np.arange(count) / 25, 64, 48, (track,))

    monkeypatch.setattr(video_analysis, "find_video_faces", find)
    face = Face(10, 6, 30, 30, "mtcnn", 0.9)
    monkeypatch.setattr(video_analysis, "detect_faces", lambda images, _: [[face]] * len(images))
    return folder


def as_classes(monkeypatch):
    model = build_model("classes")
    monkeypatch.setattr(predict_video, "load_video_model", lambda _: model)


def no_still_model(monkeypatch):
    def refuse(folder):
        raise predict.ReadsOverTime(f"{folder}: this model reads the faces of videos")

    monkeypatch.setattr(predict, "load_classifier", refuse)


def table_of(text):
    return pd.read_csv(io.StringIO(text), keep_default_na=False)


def write_photo(path):
    Image.fromarray(np.full((48, 64, 3), 200, np.uint8)).save(path)
    return path


def test_rows_go_to_standard_output_and_the_rest_to_standard_error(run, tmp_path, capsysbinary):
    path = write_video(tmp_path / "a.mp4", FRAMES)
    predict.predict_command(run, [path])
    out, err = (text.decode() for text in capsysbinary.readouterr())
    rows = table_of(out)
    assert list(rows.columns) == ["file", *build_model().frame_columns, "error"]
    assert rows["frame"].tolist() == list(range(FRAMES))
    assert set(rows["file"]) == {str(path)}
    assert set(rows["error"]) == {""}
    assert rows["sector"].tolist()[4:6] == ["", ""]
    assert rows["valence"].tolist()[4:6] == ["", ""]
    assert rows["arousal"].tolist()[:4] == ["-0.25"] * 4
    assert rows["face"].tolist()[3:5] == [0, -1]
    assert max(len(text.partition(".")[2]) for text in rows["valence"]) <= 6
    assert f"{path}: 10 frames, the face in 8; mean valence +0." in err
    assert "mean arousal -0.25; mostly " in err
    assert "1 files read: 1 analysed, 0 damaged.\n" in err


def test_several_videos_are_one_table_also_below_a_folder(run, tmp_path, capsys):
    for name, frames in (("b/two.avi", 3), ("one.mp4", 4)):
        codec = {"codec": "mjpeg", "pixel_format": "yuvj420p"} if "avi" in name else {}
        write_video(tmp_path / "videos" / name, frames, **codec)
    csv = tmp_path / "out" / "rows.csv"
    predict.predict_command(run, [tmp_path / "videos"], csv=csv)
    out, err = capsys.readouterr()
    rows = pd.read_csv(csv)
    assert out == ""
    names = [str(tmp_path / "videos" / name) for name in ("b/two.avi", "one.mp4")]
    assert rows["file"].tolist() == [names[0]] * 3 + [names[1]] * 4
    assert rows["frame"].tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert f"2 files read: 2 analysed, 0 damaged. Written to {csv}." in err
    assert list(csv.parent.iterdir()) == [csv]


@pytest.mark.parametrize("first", [True, False])
def test_a_damaged_video_gets_a_row_with_the_reason_and_does_not_end_it(
    run, tmp_path, capsys, first
):
    good = write_video(tmp_path / "good.mp4", 3)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    csv, folders = tmp_path / "rows.csv", {name: tmp_path / name for name in ("annotate", "plot")}
    predict_videos(run, [broken, good] if first else [good, broken], csv=csv, **folders)
    rows = pd.read_csv(csv, keep_default_na=False)
    assert list(rows.columns) == ["file", *build_model().frame_columns, "error"]
    damaged = rows[rows["file"] == str(broken)]
    assert damaged["error"].str.startswith("no video that can be read").tolist() == [True]
    assert set(damaged.drop(columns=["file", "error"]).iloc[0]) == {""}
    assert (rows["file"] == str(good)).sum() == 3
    err = capsys.readouterr().err
    assert f"{broken}: no video that can be read" in err
    assert "2 files read: 1 analysed, 1 damaged." in err
    for name, suffix in (("annotate", "mp4"), ("plot", "png")):
        assert [one.name for one in folders[name].iterdir()] == [f"good.{suffix}"]


def test_classes_have_their_own_columns(run, tmp_path, monkeypatch, capsys):
    as_classes(monkeypatch)
    path = write_video(tmp_path / "a.mp4", FRAMES)
    predict.predict_command(run, [path], csv=tmp_path / "rows.csv")
    rows = pd.read_csv(tmp_path / "rows.csv", keep_default_na=False)
    assert list(rows.columns)[9:] == ["class_name", "probability", "p_dark", "p_bright", "error"]
    assert set(rows["class_name"]) <= {*CLASS_NAMES, ""}
    assert "the face in 8; mostly " in capsys.readouterr().err


def test_copies_and_curves_are_written_under_the_video_s_name(run, tmp_path, capsys):
    path = write_video(tmp_path / "talk.mkv", FRAMES)
    folders = {"annotate": tmp_path / "new" / "drawn", "plot": tmp_path / "new" / "curves"}
    predict.predict_command(run, [path], csv=tmp_path / "rows.csv", **folders)
    with av.open(str(folders["annotate"] / "talk.mp4")) as container:
        assert container.streams.video[0].frames == FRAMES
        assert container.streams.video[0].codec_context.name == "h264"
    with Image.open(folders["plot"] / "talk.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 800


def test_a_note_is_said_first(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(predict_video, "load_video_model", lambda _: build_model(note="Sample."))
    predict_videos(run, [write_video(tmp_path / "a.mp4", 2)], csv=tmp_path / "rows.csv")
    assert capsys.readouterr().err.startswith("*** Sample.\n")


def test_photos_are_read_by_a_model_over_time_too(run, tmp_path, monkeypatch, capsys):
    no_still_model(monkeypatch)
    paths = [write_photo(tmp_path / name) for name in ("a.png", "b.jpg")]
    paths[1].write_bytes(paths[1].read_bytes()[:300])
    predict.predict_command(run, paths, csv=tmp_path / "rows.csv")
    rows = pd.read_csv(tmp_path / "rows.csv", keep_default_na=False)
    assert rows["file"].tolist() == [str(path) for path in paths]
    assert (rows["frame"][0], rows["sector"][0]) != ("", "")
    assert rows["error"][0] == ""
    assert "truncated" in rows["error"][1]


def test_photos_are_not_drawn_into_and_it_says_so(run, tmp_path, monkeypatch):
    no_still_model(monkeypatch)
    path = write_photo(tmp_path / "a.png")
    with pytest.raises(UserError, match="--annotate draws into videos; .*a.png is a photo"):
        predict.predict_command(run, [path], annotate=tmp_path / "drawn")
    assert not (tmp_path / "drawn").exists()


def test_images_of_a_still_classifier_stay_a_table_of_files(run, tmp_path, monkeypatch, capsys):
    """Faces are not looked for in them: they are faces."""
    monkeypatch.setattr(
        predict,
        "load_classifier",
        lambda _: (list(CLASS_NAMES), lambda images: np.float32([[0.2, 0.8]] * len(images))),
    )
    predict.predict_command(run, [write_photo(tmp_path / "a.png")])
    assert capsys.readouterr().out.splitlines()[1].split() == [
        *(str(tmp_path / "a.png"), "bright", "0.800000")
    ]


def test_images_and_videos_together_are_refused_by_a_still_classifier(run, tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "load_classifier", lambda _: (list(CLASS_NAMES), None))
    paths = [write_photo(tmp_path / "a.png"), write_video(tmp_path / "b.mp4", 2)]
    with pytest.raises(UserError, match="1 videos and 1 images were found: .* Give one kind"):
        predict.predict_command(run, paths)


def test_a_model_over_time_reads_the_photos_and_videos_of_a_folder(run, tmp_path, monkeypatch):
    no_still_model(monkeypatch)
    (tmp_path / "mixed").mkdir()
    photo = write_photo(tmp_path / "mixed" / "a.png")
    video = write_video(tmp_path / "mixed" / "b.mp4", 3)
    predict.predict_command(run, [tmp_path / "mixed"], csv=tmp_path / "rows.csv")
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert rows["file"].tolist() == [str(photo), *[str(video)] * 3]


def test_a_place_for_the_rows_that_cannot_be_is_told_before_the_work(run, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the work was begun")

    monkeypatch.setattr(predict_video, "load_video_model", refuse)
    with pytest.raises(UserError, match="--csv .*: no file can be written there"):
        predict_videos(run, [tmp_path / "a.mp4"], csv=tmp_path)


def test_a_sample_model_says_so_in_what_it_draws(run, tmp_path, monkeypatch):
    model, drawn, titles = build_model(note="Sample data: drawn faces."), [], []
    monkeypatch.setattr(predict_video, "load_video_model", lambda _: model)
    monkeypatch.setattr(
        video_analysis, "annotate_video", lambda *given, **_: drawn.extend(given[3])
    )
    monkeypatch.setattr(predict_video, "plot_video", lambda *_, title: titles.append(title))
    path = write_video(tmp_path / "a.mp4", FRAMES)
    predict_videos(
        run, [path], csv=tmp_path / "r.csv", annotate=tmp_path / "d", plot=tmp_path / "p"
    )
    assert titles == ["a.mp4 · sample model"]
    assert {text[-15:] for text in drawn if text} == {" (sample model)"}


def test_two_videos_of_one_name_would_overwrite_each_other(run, tmp_path):
    paths = [write_video(tmp_path / folder / "a.mp4", 2) for folder in ("one", "two")]
    for option in ("annotate", "plot"):
        with pytest.raises(UserError, match="two files named a would be written to one place"):
            predict.predict_command(run, paths, **{option: tmp_path / option})
        assert not (tmp_path / option).exists()
    predict.predict_command(run, paths, csv=tmp_path / "rows.csv")


def test_a_copy_never_takes_the_place_of_its_video(run, tmp_path):
    path = write_video(tmp_path / "a.mp4", 3)
    content = path.read_bytes()
    with pytest.raises(UserError, match="the video itself would be overwritten"):
        predict.predict_command(run, [path], annotate=tmp_path)
    assert path.read_bytes() == content


def test_a_place_that_is_no_folder_is_named(run, tmp_path):
    path = write_video(tmp_path / "a.mp4", 2)
    (tmp_path / "taken").write_text("a file")
    for option in ("annotate", "plot"):
        with pytest.raises(UserError, match="taken: cannot be made: .*Give another place"):
            predict.predict_command(run, [path], **{option: tmp_path / "taken"})
    with pytest.raises(UserError, match="taken: cannot be made"):
        predict.predict_command(run, [path], csv=tmp_path / "taken" / "rows.csv")


def test_a_table_that_was_not_finished_does_not_appear(run, tmp_path, monkeypatch):
    def give_up(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(predict_video, "analyse_video", give_up)
    with pytest.raises(KeyboardInterrupt):
        predict_videos(run, [write_video(tmp_path / "a.mp4", 2)], csv=tmp_path / "o" / "rows.csv")
    assert list((tmp_path / "o").iterdir()) == []


def rows_of(count, *, gaps=(), **columns):
    times = np.arange(count) / 25
    frame = pd.DataFrame({"time_s": times, "confidence": 0.9, **columns})
    frame.loc[list(gaps), [*columns, "confidence"]] = np.nan
    return frame


def curves_of(figure):
    (axes,) = figure.axes
    return axes, {line.get_label(): line for line in axes.get_lines()}


def test_a_plot_has_a_curve_for_each_number_and_a_grey_ground_for_each_gap():
    count = 100
    turn = np.linspace(0, 6, count)
    frame = rows_of(
        count, gaps=[*range(20, 30), *range(90, 100)], valence=np.cos(turn), arousal=np.sin(turn)
    )
    axes, curves = curves_of(draw_video(frame, "a.mp4"))
    for name in ("valence", "arousal"):
        x, y = curves[name].get_data()
        np.testing.assert_array_equal(y, frame[name])
        np.testing.assert_array_equal(x, frame["time_s"])
    edges = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    np.testing.assert_allclose(edges, [(0.8, 1.2), (3.6, 3.96)])
    assert axes.get_ylim() == (-1.05, 1.05)
    assert axes.get_title() == "a.mp4"


def test_of_many_classes_the_likeliest_four_are_drawn():
    shares = dict(zip("abcdef", (0.05, 0.3, 0.1, 0.2, 0.25, 0.1), strict=True))
    frame = rows_of(30, **{f"p_{name}": share for name, share in shares.items()})
    axes, curves = curves_of(draw_video(frame, ""))
    assert [name for name in curves if name in shares] == ["b", "c", "d", "e"]
    assert axes.get_ylabel() == "probability"


def test_an_hour_is_drawn_with_as_many_points_as_a_picture_shows():
    frame = rows_of(100_000, valence=np.zeros(100_000), arousal=np.zeros(100_000))
    _, curves = curves_of(draw_video(frame, ""))
    assert 4000 <= len(curves["valence"].get_xdata()) < 8001


def test_one_frame_and_a_face_never_seen_are_drawn_too():
    for frame in (rows_of(1, valence=[0.5], arousal=[0.1]), rows_of(3, gaps=range(3), valence=0.5)):
        assert draw_video(frame, "a").axes

"""What a model reads in a video, frame by frame."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from affectkeras import video_analysis
from affectkeras.circumplex import intensity, sectors
from affectkeras.errors import UserError
from affectkeras.export_video import export_video_model, join_targets
from affectkeras.media.faces import Face
from affectkeras.media.image_check import ImageDamaged
from affectkeras.media.scene_tracker import FaceTrack
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_faces import VideoFaces, as_colour, cut_face
from affectkeras.media.video_frames import every_frame
from affectkeras.models.cnn_gru import build_cnn_gru
from affectkeras.pipelines.windows import join_windows, sliding_windows
from affectkeras.video_analysis import analyse_video, hold_values, load_video_model
from affectkeras.video_model import VideoModel
from tests.media.tiny_videos import write_video

SIZE = 8
BOX = (10.0, 6.0, 30.0, 30.0)
CLASSES = ("dark", "bright")


def build_model(*, kind="numbers", mode="dense", every=1, predict=None, size=SIZE, radius=0.1):
    """Return a model whose values follow from the face's mean level and its place in the order."""

    def read(faces):
        for number, face in enumerate(faces):
            assert (face.dtype, face.shape) == (np.uint8, (size, size, 3))
            bright = face.mean() / 255
            order = -(number + 1) / 100
            yield np.array([bright, order] if kind == "numbers" else [1 - bright, bright])

    return VideoModel(
        kind=kind,
        targets=("valence", "arousal") if kind == "numbers" else (),
        class_names=() if kind == "numbers" else CLASSES,
        image_size=size,
        margin=0.1,
        mode=mode,
        every=every,
        predict=predict or read,
        neutral_radius=radius,
    )


@pytest.fixture
def video(tmp_path, monkeypatch):
    """Return a function that writes a video and says where its subject is seen."""

    def write(frames, *, seen=None):
        path = write_video(tmp_path / "a.mp4", frames)
        known = np.arange(frames) if seen is None else np.array(seen, np.int64)
        boxes = np.tile(np.float32(BOX), (len(known), 1))
        small = FaceTrack(known, boxes / 4, np.full(len(known), 0.5, np.float32))
        subject = FaceTrack(known, boxes, np.full(len(known), 0.9, np.float32))
        tracks = (small, subject) if len(known) else ()

        def find(path, *, on_frame):
            for _ in range(frames):
                on_frame()
            return VideoFaces(np.arange(frames) / 25, 64, 48, tracks)

        monkeypatch.setattr(video_analysis, "find_video_faces", find)
        return path

    return write


def faces_of(path, size=SIZE):
    return [cut_face(as_colour(frame.pixels), BOX, size, 0.1) for frame in every_frame(path)]


def test_there_is_a_row_for_every_frame(video):
    path = video(7)
    found = analyse_video(build_model(), path)
    assert list(found.columns) == list(build_model().frame_columns)
    assert found["frame"].tolist() == list(range(7))
    np.testing.assert_allclose(found["time_s"], np.arange(7) / 25)
    assert set(found["face"]) == {1}
    np.testing.assert_allclose(found[["x", "y", "width", "height"]], [BOX] * 7)
    np.testing.assert_allclose(found["confidence"], 0.9)
    bright = [face.mean() / 255 for face in faces_of(path)]
    np.testing.assert_allclose(found["valence"], bright)
    np.testing.assert_allclose(found["arousal"], -np.arange(1, 8) / 100)
    np.testing.assert_allclose(found["intensity"], intensity(found["valence"], found["arousal"]))
    assert found["sector"].tolist() == sectors(found["valence"], found["arousal"]).tolist()


def test_where_the_face_is_not_seen_nothing_is_known(video):
    found = analyse_video(build_model(), video(8, seen=[0, 1, 5, 6]))
    unseen = found.loc[[2, 3, 4, 7]]
    assert set(unseen["face"]) == {-1}
    assert set(unseen["sector"]) == {""}
    numbers = ["x", "y", "width", "height", "confidence", "valence", "arousal", "intensity"]
    assert unseen[numbers].isna().all(axis=None)
    # The network reads the faces there are as following each other.
    np.testing.assert_allclose(found["arousal"].dropna(), [-0.01, -0.02, -0.03, -0.04])


def test_a_video_without_any_face_is_all_gaps_and_the_model_is_not_asked(video):
    def refuse(faces):
        raise AssertionError("asked")

    found = analyse_video(build_model(predict=refuse), video(5, seen=[]))
    assert len(found) == 5
    assert set(found["sector"]) == {""}
    assert found["valence"].isna().all()


def test_sparse_reads_every_fortieth_frame_and_holds_its_value(video):
    path = video(100)
    found = analyse_video(build_model(mode="sparse", every=40), path)
    assert set(found["sector"][:39]) == {"none"}
    assert found["valence"][:39].isna().all()
    faces = faces_of(path)
    for rows, read in ((slice(39, 79), 39), (slice(79, 100), 79)):
        np.testing.assert_allclose(found["valence"][rows], faces[read].mean() / 255)
        assert found["sector"][rows].nunique() == 1
    np.testing.assert_allclose(found["arousal"][[39, 79]], [-0.01, -0.02])


def test_sparse_waits_for_the_next_frame_where_the_face_is_not_seen(video):
    seen = [number for number in range(100) if not 30 <= number < 50]
    found = analyse_video(build_model(mode="sparse", every=40), video(100, seen=seen))
    assert set(found["sector"][30:50]) == {""}
    assert set(found["sector"][50:79]) == {"none"}
    assert found["valence"][79:].notna().all()


def test_a_video_too_short_for_sparse_is_read_nowhere(video):
    found = analyse_video(build_model(mode="sparse", every=40), video(20))
    assert set(found["sector"]) == {"none"}


def test_dense_reads_one_frame_of_so_many_and_holds_its_value_no_longer(video):
    seen = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]  # frame 5, which would be read, is not seen
    found = analyse_video(build_model(every=5), video(12, seen=seen))
    np.testing.assert_allclose(found["arousal"][:5], -0.01)
    assert found["sector"][5] == ""
    assert set(found["sector"][6:10]) == {"none"}
    assert found["arousal"][5:10].isna().all()
    np.testing.assert_allclose(found["arousal"][10:], -0.02)


def test_a_value_is_held_to_the_end_or_for_so_many_frames():
    values = np.full((8, 1), np.nan)
    values[[1, 4]] = [[0.1], [0.4]]
    seen = np.array([1, 1, 1, 0, 1, 1, 1, 1], bool)
    nan = np.nan
    np.testing.assert_array_equal(
        hold_values(values, seen, None)[:, 0], [nan, 0.1, 0.1, nan, 0.4, 0.4, 0.4, 0.4]
    )
    np.testing.assert_array_equal(
        hold_values(values, seen, 2)[:, 0], [nan, 0.1, 0.1, nan, 0.4, 0.4, nan, nan]
    )
    assert hold_values(values[:0], seen[:0], None).shape == (0, 1)


def test_near_the_middle_of_the_circle_a_frame_is_neutral(video):
    def still(faces):
        for number, _ in enumerate(faces):
            yield np.array([0.0, 0.15 if number else 0.25])

    found = analyse_video(build_model(predict=still, radius=0.2), video(3))
    assert found["sector"].tolist() == ["arousal", "neutral", "neutral"]


def test_classes_have_a_name_and_probabilities(video):
    path = video(6, seen=[0, 1, 3, 4, 5])
    found = analyse_video(build_model(kind="classes", every=4), path)
    assert list(found.columns) == list(build_model(kind="classes").frame_columns)
    assert list(found.columns)[8:] == ["class_name", "probability", "p_dark", "p_bright"]
    bright = [face.mean() / 255 for face in faces_of(path)]
    name = CLASSES[int(bright[0] > 0.5)]
    assert found["class_name"].tolist()[:4] == [name, name, "", name]
    np.testing.assert_allclose(found["probability"][[0, 1, 3]], max(bright[0], 1 - bright[0]))
    assert np.isnan(found["probability"][2])
    np.testing.assert_allclose(found["p_bright"][[4, 5]], bright[4])
    np.testing.assert_allclose(found["p_dark"][[4, 5]], 1 - bright[4])


def test_sparse_classes_are_none_before_the_first(video):
    found = analyse_video(build_model(kind="classes", mode="sparse", every=3), video(4))
    assert found["class_name"].tolist()[:2] == ["none", "none"]
    assert found["probability"][:2].isna().all()
    assert found["p_dark"][2:].notna().all()


def follow(model, path, **more):
    shares, words = [], []

    def on_progress(share, doing):
        shares.append(share)
        words.append(doing)

    analyse_video(model, path, on_progress=on_progress, **more)
    assert all(0 <= share <= 1 for share in shares)
    assert (np.diff(shares) >= -1e-12).all()
    assert (shares[-1], words[-1]) == (1, "Done")
    return shares, list(dict.fromkeys(words))


def test_progress_goes_up_to_one_and_never_back(video, tmp_path):
    path = video(20)
    shares, words = follow(build_model(), path)
    assert words == ["Following the face", "Reading the face", "Done"]
    assert shares[0] < 0.1
    assert max(np.diff(shares)) < 0.1
    shares, words = follow(build_model(), path, annotate=tmp_path / "drawn.mp4")
    assert words == ["Following the face", "Reading the face", "Drawing", "Done"]
    assert max(np.diff(shares)) < 0.1


def test_progress_reaches_the_end_without_any_face_and_with_a_header_that_lies(video, monkeypatch):
    path = video(10, seen=[])
    assert follow(build_model(), path)[1] == ["Following the face", "Done"]
    monkeypatch.setattr(video_analysis, "_expected_frames", lambda _: 3)
    follow(build_model(), video(10))


def test_box_and_sector_are_drawn_into_a_copy(video, tmp_path, monkeypatch):
    told = []
    real = video_analysis.annotate_video

    def annotate(source, target, boxes, texts, *, on_frame):
        told.append((boxes, texts))
        real(source, target, boxes, texts, on_frame=on_frame)

    monkeypatch.setattr(video_analysis, "annotate_video", annotate)
    path = video(6, seen=[0, 1, 2, 5])
    found = analyse_video(build_model(), path, annotate=tmp_path / "out" / "drawn.mp4")
    assert sum(1 for _ in every_frame(tmp_path / "out" / "drawn.mp4")) == 6
    ((boxes, texts),) = told
    assert texts == found["sector"].tolist()
    np.testing.assert_array_equal(np.isnan(boxes[:, 0]), found["confidence"].isna())
    analyse_video(build_model(kind="classes"), path, annotate=tmp_path / "drawn.mp4")
    assert set(told[1][1]) <= {*CLASSES, ""}


def test_frames_are_read_as_the_model_asks_for_them(video, monkeypatch):
    cut, ahead = [], []
    real = video_analysis.cut_faces

    def watch(*arguments):
        for number, one in enumerate(real(*arguments)):
            cut.append(number)
            yield one

    def read(faces):
        for number, _ in enumerate(faces):
            ahead.append(len(cut) - number)
            yield np.array([0.5, 0.5])

    monkeypatch.setattr(video_analysis, "cut_faces", watch)
    analyse_video(build_model(predict=read), video(120))
    assert len(cut) == 120
    assert max(ahead) <= 40


def test_what_follows_the_last_face_is_not_decoded(video, monkeypatch):
    asked = []
    real = video_analysis.cut_faces
    monkeypatch.setattr(
        video_analysis,
        "cut_faces",
        lambda path, boxes, *rest: asked.append(len(boxes)) or real(path, boxes, *rest),
    )
    analyse_video(build_model(), video(30, seen=range(10)))
    assert asked == [10]


def test_what_is_no_video_says_so(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video at all")
    with pytest.raises(VideoDamaged, match="no video that can be read"):
        analyse_video(build_model(), path)


@pytest.fixture
def photo(tmp_path, monkeypatch):
    def write(faces, name="a.PNG"):
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, 32:] = 200
        Image.fromarray(picture).save(tmp_path / name)
        monkeypatch.setattr(video_analysis, "detect_faces", lambda *_: [faces])
        return tmp_path / name, picture

    return write


def test_a_photo_is_a_video_of_one_frame(photo):
    small, large = Face(0, 0, 5, 5, "mtcnn", 0.99), Face(30, 6, 30, 30, "mtcnn", 0.8)
    path, picture = photo([small, large])
    shares = []
    found = analyse_video(
        build_model(mode="sparse", every=40), path, on_progress=lambda *one: shares.append(one)
    )
    assert len(found) == 1
    row = found.iloc[0]
    assert (row["frame"], row["time_s"], row["face"]) == (0, 0, 1)
    assert tuple(row[["x", "y", "width", "height"]]) == (30, 6, 30, 30)
    assert row["confidence"] == pytest.approx(0.8)
    face = cut_face(picture, (30, 6, 30, 30), SIZE, 0.1)
    assert row["valence"] == pytest.approx(face.mean() / 255)
    assert row["sector"] == "pleasure"
    assert shares[-1] == (1, "Done")


def test_a_photo_without_a_face_is_a_gap(photo):
    found = analyse_video(build_model(kind="classes"), photo([])[0])
    assert (len(found), found["class_name"][0], found["face"][0]) == (1, "", -1)
    assert np.isnan(found["probability"][0])


def test_a_photo_is_not_drawn_into(photo, tmp_path):
    path, _ = photo([])
    with pytest.raises(ValueError, match="`annotate` needs a video. Received: a photo, .*a.PNG"):
        analyse_video(build_model(), path, annotate=tmp_path / "drawn.mp4")


def test_a_damaged_photo_says_so(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ImageDamaged):
        analyse_video(build_model(), path)


# --- A model that a run serves -------------------------------------------------------------------

FACTS = {
    **{"kind": "numbers", "targets": ["valence", "arousal"], "class_names": []},
    **{"neutral_radius": 0.05, "image_size": SIZE, "margin": 0.1},
    **{"mode": "dense", "every": 2, "window": 4},
}


def networks_of(*outputs):
    keras.utils.set_random_seed(0)
    return [build_cnn_gru(count, SIZE, features=4, hidden_size=3) for count in outputs]


@pytest.fixture(scope="module")
def numbers_run(tmp_path_factory):
    run, networks = tmp_path_factory.mktemp("run"), networks_of(1, 1)
    export_video_model(networks, run / "saved_model", FACTS)
    banners = ["Sample data: rendered faces.", "Quick run."]
    (run / "result.json").write_text(json.dumps({"banners": banners}))
    return run, join_targets(networks)


def test_a_run_is_loaded_with_what_it_tells_of_itself(numbers_run):
    model = load_video_model(numbers_run[0])
    assert (model.kind, model.targets, model.class_names) == ("numbers", ("valence", "arousal"), ())
    assert (model.image_size, model.margin, model.mode, model.every) == (SIZE, 0.1, "dense", 2)
    assert model.neutral_radius == 0.05
    assert model.note == "Sample data: rendered faces. Quick run."


def test_the_note_of_a_run_comes_with_its_saved_model_folder_too(numbers_run):
    model = load_video_model(numbers_run[0] / "saved_model")
    assert model.note == "Sample data: rendered faces. Quick run."


@pytest.mark.parametrize("frames", [3, 21])
def test_values_are_those_of_the_windows_that_training_has(video, numbers_run, frames):
    run, joined = numbers_run
    path = video(frames)
    found = analyse_video(load_video_model(run), path)
    faces = np.stack(faces_of(path)[::2])
    windows = sliding_windows(len(faces), 4, 2)
    clips = np.where(windows[..., None, None, None] < 0, 0, faces[windows]).astype("float32")
    expected = join_windows(windows, joined(clips, training=False).numpy(), len(faces))
    np.testing.assert_allclose(found[["valence", "arousal"]][::2], expected, atol=1e-5)
    np.testing.assert_allclose(
        found[["valence", "arousal"]][1::2], expected[: frames // 2], atol=1e-5
    )
    assert len(np.unique(found["valence"])) == len(faces)


def test_a_long_video_is_read_as_it_comes(numbers_run):
    given = []

    def faces():
        for number in range(500):
            given.append(number)
            yield np.full((SIZE, SIZE, 3), number % 256, np.uint8)

    values = load_video_model(numbers_run[0]).predict(faces())
    next(values)
    assert len(given) <= 64
    assert 1 + len(list(values)) == 500


def test_classes_over_time_have_probabilities(video, tmp_path):
    (network,) = networks_of(3)
    facts = FACTS | {"kind": "classes", "targets": [], "class_names": ["a", "b", "c"], "every": 1}
    export_video_model([network], tmp_path / "saved_model", facts)
    model = load_video_model(tmp_path)
    assert (model.kind, model.class_names, model.note) == ("classes", ("a", "b", "c"), "")
    path = video(4)
    found = analyse_video(model, path)
    logits = network(np.stack(faces_of(path))[np.newaxis].astype("float32")).numpy()[0]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found[["p_a", "p_b", "p_c"]], expected, atol=1e-5)
    assert found["class_name"].tolist() == [("a", "b", "c")[one] for one in logits.argmax(1)]


class StillClassifier(tf.Module):
    """Says how bright encoded pictures are."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="images")])
    def classify(self, images):
        def mean(image):
            pixels = tf.io.decode_png(image, channels=3)
            return tf.reduce_mean(tf.cast(pixels[..., 0], tf.float32)) / 255

        red = tf.map_fn(mean, images, fn_output_signature=tf.float32)
        return {"probabilities": tf.stack([1 - red, red], axis=1)}

    @tf.function(input_signature=[])
    def describe(self):
        return {"class_names": tf.constant(CLASSES)}


def test_a_classifier_of_pictures_reads_every_frame_by_itself(video, tmp_path):
    module = StillClassifier()
    signatures = {"serving_default": module.classify, "describe": module.describe}
    tf.saved_model.save(module, str(tmp_path / "run/saved_model"), signatures=signatures)
    model = load_video_model(tmp_path / "run")
    assert (model.kind, model.class_names) == ("classes", CLASSES)
    assert (model.mode, model.every, model.image_size, model.margin) == ("still", 1, 224, 0.2)
    faces = [np.full((6, 6, 3), (level, 0, 255), np.uint8) for level in range(0, 250, 5)]
    found = np.stack(list(model.predict(iter(faces))))
    np.testing.assert_allclose(found[:, 1], np.arange(0, 250, 5) / 255, atol=1e-6)
    assert len(analyse_video(model, video(3))) == 3


def test_a_folder_without_a_model_says_what_was_looked_for(tmp_path):
    with pytest.raises(UserError, match="no exported model"):
        load_video_model(tmp_path)


def test_a_damaged_result_is_named(numbers_run, tmp_path):
    (tmp_path / "saved_model").symlink_to(numbers_run[0] / "saved_model")
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(UserError, match=r"result\.json: cannot be read as a run's result"):
        load_video_model(tmp_path)


def test_the_table_is_one_of_pandas_with_whole_numbers_for_frames(video):
    found = analyse_video(build_model(), video(2))
    assert isinstance(found, pd.DataFrame)
    assert found["frame"].dtype.kind == found["face"].dtype.kind == "i"

"""The sample faces: repeatable, in the owner's layout, and telling only by their expression."""

import io
import re

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from affectkeras.datasets.sample import sfew_layout
from affectkeras.datasets.sample.face_parameters import (
    PROTOTYPES,
    Expression,
    draw_expression,
    draw_identity,
    draw_scene,
    draw_shot,
)
from affectkeras.datasets.sample.face_parts import mouth_curves
from affectkeras.datasets.sample.faces import CLASS_NAMES, render_face
from affectkeras.datasets.sample.marks import TRUTH_FILE, find_marks
from affectkeras.datasets.sample.sfew_layout import sample_sfew, write_sample_sfew
from affectkeras.datasets.sample.sfew_plan import (
    TRAIN_COUNTS,
    TRAIN_MOVIES,
    VALIDATION_MOVIES,
    plan_part,
    share_counts,
)

NAME = re.compile(r"^(.+)[_-](\d{9})_(\d{8})\.png$")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sfew")
    write_sample_sfew(path, seed=3, train=40, validation=14, test=3, damaged=3)
    return path


def read_faces(folder, pattern):
    paths = sorted(folder.glob(pattern))
    return paths, [cv2.imread(str(path)) for path in paths]


def test_the_layout_and_the_names_are_the_owners(folder):
    train = sorted((folder / "Train/Train_Aligned_Faces").glob("*/*.png"))
    validation = sorted((folder / "Val/Val_Aligned_Faces_new/Val_Aligned_Faces").glob("*/*.png"))
    test = sorted((folder / "Test/Test_Aligned_Faces").glob("*.png"))
    assert (len(train), len(validation), len(test)) == (43, 14, 3)
    assert all(NAME.match(path.name) for path in [*train, *validation, *test])
    assert {path.parent.name for path in train} == set(CLASS_NAMES)
    assert sum("-" in path.name for path in train) == 1


def test_a_face_has_the_size_of_an_aligned_face(folder):
    path = next((folder / "Val").rglob("*.png"))
    with Image.open(path) as image:
        assert image.size == (143, 181)
        assert image.mode == "RGB"


def test_three_files_are_damaged_each_in_its_own_way(folder):
    damaged = sorted((folder / "Train").rglob("*_235959*.png"))
    kinds = set()
    for path in damaged:
        content = path.read_bytes()
        if not content:
            kinds.add("empty")
        elif content.startswith(b"\x89PNG"):
            kinds.add("cut")
            with pytest.raises(OSError, match="truncated"), Image.open(path) as image:
                image.load()
        else:
            kinds.add("text")
    assert kinds == {"empty", "cut", "text"}
    assert len(damaged) == 3


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        write_sample_sfew(tmp_path / name, seed=seed, train=7, validation=4, test=2)
    contents = {
        name: {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in (tmp_path / name).rglob("*.*")
            if path.is_file()
        }
        for name in ("one", "two", "other")
    }
    assert contents["one"] == contents["two"]
    assert contents["one"] != contents["other"]


def test_class_counts_follow_the_paper_and_add_up():
    assert share_counts(891, TRAIN_COUNTS) == list(TRAIN_COUNTS)
    assert sum(share_counts(560, TRAIN_COUNTS)) == 560
    assert share_counts(10, (1, 1, 1)) == [4, 3, 3]


def test_no_movie_is_both_in_training_and_in_validation():
    without_number = {movie.rstrip("0123456789") for movie in TRAIN_MOVIES}
    assert without_number.isdisjoint(movie.rstrip("0123456789") for movie in VALIDATION_MOVIES)


def test_validation_has_at_least_twelve_franchises_with_several_classes_each():
    random = np.random.default_rng(0)
    faces = plan_part(random, VALIDATION_MOVIES, share_counts(320, TRAIN_COUNTS))
    frame = pd.DataFrame(
        {"group": face.movie.rstrip("0123456789"), "label": face.label} for face in faces
    )
    classes = frame.groupby("group")["label"].nunique()
    assert len(classes) >= 12
    assert classes.min() >= 3


def test_films_of_a_franchise_share_their_cast_and_others_do_not():
    faces = plan_part(np.random.default_rng(0), TRAIN_MOVIES, share_counts(500, TRAIN_COUNTS))
    people = {}
    for face in faces:
        people.setdefault(face.movie, set()).add(face.who)
    assert people["RiverTown1"] & people["RiverTown2"]
    assert not people["RiverTown1"] & people["GlassHarbour"]


def test_the_truth_file_names_the_wrong_labels(folder):
    truth = pd.read_csv(folder / TRUTH_FILE)
    labelled = truth[truth["label"].notna()]
    wrong = labelled[labelled["label"] != labelled["shown"]]
    assert len(wrong) == round(0.03 * 40)
    assert wrong["path"].str.startswith("Train/").all()
    for path, label in zip(wrong["path"], wrong["label"], strict=True):
        assert f"/{label}/" in path
        assert (folder / path).is_file()


def test_the_exposure_does_not_depend_on_the_expression():
    random = np.random.default_rng(1)
    who, scene, shot = draw_identity(random), draw_scene(random), draw_shot(random)
    means = [
        render_face(who, prototypes[0], scene, shot).mean() for prototypes in PROTOTYPES.values()
    ]
    assert np.ptp(means) < 1.5


def test_a_happy_mouth_curls_up_and_a_surprised_one_opens():
    random = np.random.default_rng(2)
    who, shot = draw_identity(random), draw_shot(random)
    rest = mouth_curves(who, Expression(), shot)
    happy = mouth_curves(who, PROTOTYPES["Happy"][1], shot)
    surprised = mouth_curves(who, PROTOTYPES["Surprise"][0], shot)
    assert happy["upper_inner"][0, 1] < rest["upper_inner"][0, 1] - 0.05  # y points down

    def gap(mouth):
        return (mouth["lower_inner"] - mouth["upper_inner"])[6, 1]

    assert gap(surprised) > gap(rest) + 0.1


def test_faces_of_another_size_can_be_drawn():
    random = np.random.default_rng(4)
    who, what = draw_identity(random), draw_expression("Fear", random, 1.0)
    pixels = render_face(who, what, draw_scene(random), draw_shot(random), (48, 48))
    assert pixels.shape == (48, 48, 3)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 10


def thumbnails_and_classes(people=40, size=8):
    """Return `(faces, size, size, 3)` thumbnails, their classes and people.

    Every person shows every class in a new scene: the strictest case for a colour to give away.
    """
    random = np.random.default_rng(11)
    pixels, classes, groups = [], [], []
    for person in range(people):
        who = draw_identity(random)
        for name in ("Happy", "Neutral", "Surprise", "Angry"):
            what = draw_expression(name, random, random.uniform(0.65, 1.15))
            face = render_face(who, what, draw_scene(random), draw_shot(random), (72, 90))
            pixels.append(cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA))
            classes.append(name)
            groups.append(person)
    return np.array(pixels), np.array(classes), np.array(groups)


def test_mean_colour_tells_nothing_of_the_class():
    pixels, classes, groups = thumbnails_and_classes()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    features = pixels.mean(axis=(1, 2))
    found = cross_val_predict(model, features, classes, groups=groups, cv=GroupKFold(5))
    # 160 faces of 4 equally frequent classes: chance is 0.25 with a standard error of 0.034.
    assert (found == classes).mean() < 0.25 + 3 * 0.034


def test_the_cached_copy_is_drawn_once_and_left_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path))
    drawn = []

    def write(folder, **arguments):
        drawn.append(arguments)
        (folder / "Train").mkdir(parents=True)

    monkeypatch.setattr(sfew_layout, "write_sample_sfew", write)
    first, second = sample_sfew(seed=1), sample_sfew(seed=1)
    assert first == second
    assert (first / "Train").is_dir()
    assert len(drawn) == 1
    assert [path.name for path in first.parent.iterdir() if path.is_dir()] == [first.name]


def test_an_interrupted_drawing_leaves_no_folder_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path))

    def stop(folder, **arguments):
        (folder / "Train").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(sfew_layout, "write_sample_sfew", stop)
    with pytest.raises(KeyboardInterrupt):
        sample_sfew()
    assert not [path for path in (tmp_path / "sample").iterdir() if path.is_dir()]


def test_drawing_is_told_in_one_line_where_there_is_no_terminal(tmp_path, capfd):
    write_sample_sfew(tmp_path / "told", train=7, validation=2, test=1, progress=True)
    captured = capfd.readouterr()
    assert captured.err == "Drawing 10 sample faces, which takes a while …\n"
    assert captured.out == ""
    write_sample_sfew(tmp_path / "silent", train=7, validation=2, test=1)
    assert capfd.readouterr().err == ""


def test_drawing_shows_a_bar_on_a_terminal(tmp_path, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    write_sample_sfew(tmp_path, train=7, validation=2, test=1, progress=True)
    assert "Drawing sample faces: 100%" in terminal.getvalue()
    assert "takes a while" not in terminal.getvalue()


def test_the_sample_is_known_by_its_marks_and_planted_files_by_their_names(folder, tmp_path):
    marks = find_marks(folder)
    damaged = {path.name for path in (folder / "Train").rglob("*_235959*.png")}
    assert marks.planted == damaged
    assert len(marks.drawn) == 57
    assert marks.drawn.isdisjoint(damaged)
    assert not find_marks(tmp_path)

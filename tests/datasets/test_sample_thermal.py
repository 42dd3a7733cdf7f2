"""The sample videos: repeatable, and telling only by how the warmth of a face is spread."""

import io

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from affectkeras import doctor
from affectkeras.datasets import anu_stress
from affectkeras.datasets.sample import thermal_layout
from affectkeras.datasets.sample.marks import find_marks
from affectkeras.datasets.sample.thermal_faces import (
    HEIGHT,
    WIDTH,
    draw_person,
    render_frames,
    stress_levels,
)
from affectkeras.datasets.sample.thermal_layout import sample_anu_stress, write_sample_anu_stress
from affectkeras.datasets.sample.thermal_truth import FaceEllipse, face_at
from affectkeras.media.video import video_facts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("anu")
    write_sample_anu_stress(path, seed=3, subjects=2, clips=4, planted=("cut", "short"))
    return path


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def test_the_videos_are_read_by_the_real_reader(folder):
    table = anu_stress.read(folder, progress=False)
    assert table.read == 4 * 4 * 30
    counts = table.frame["video"].value_counts()
    assert counts["thermal/S01.mkv"] == counts["thermal/S02.mkv"] == 120
    assert 60 <= counts["thermal/S03.mkv"] < 120  # the file was cut
    assert counts["thermal/S04.mkv"] == 90  # the recording ends after three clips
    assert set(table.rejected["kind"]) == {"damaged"}
    assert list(table.frame.groupby("video")["stress"].mean()[:2]) == [0.5, 0.5]


def test_the_videos_are_grey_with_eight_bits_and_have_few_keyframes(folder):
    facts = video_facts(folder / "thermal/S01.mkv")
    assert (facts.width, facts.height, facts.rate) == (WIDTH, HEIGHT, 10.0)
    assert (facts.codec, facts.pixel_format) == ("ffv1", "gray")


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        write_sample_anu_stress(tmp_path / name, seed=seed, subjects=1, clips=2, planted=())
    contents = {
        name: {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two", "other")
    }
    assert contents["one"] == contents["two"]
    assert contents["one"].keys() == contents["other"].keys()
    assert contents["one"]["thermal/S01.mkv"] != contents["other"]["thermal/S01.mkv"]


def test_the_doctor_knows_the_sample_and_excuses_what_is_planted(folder):
    marks = find_marks(folder)
    assert marks.planted == {"S03.mkv", "S04.mkv"}
    assert marks.drawn == {f"S{number:02}.mkv" for number in range(1, 5)}
    report = doctor.examine(anu_stress, folder, progress=False)
    text = "\n".join(report.lines)
    assert "Sample data: drawn and written by affectkeras" in text
    assert "Cannot be used, planted on purpose to show how that is told" in text
    assert report.problems == []


def test_a_sound_sample_video_that_is_spoilt_later_is_a_problem(tmp_path):
    write_sample_anu_stress(tmp_path, subjects=2, clips=2, planted=("cut",))
    (tmp_path / "thermal/S01.mkv").write_bytes(b"")
    report = doctor.examine(anu_stress, tmp_path, progress=False)
    assert "thermal/S01.mkv: 60 frames from clip 01 frame 00 on: the file is empty" in "\n".join(
        report.lines
    )
    assert "60 that cannot be used: mend or remove the files" in report.problems


def test_the_truth_tells_where_the_face_is(folder):
    table = anu_stress.read(folder, crop=None, progress=False)
    for row in range(0, len(table), 37):
        facts = table.frame.iloc[row]
        mask = face_at(folder, facts["video"], facts["time_s"]).mask(WIDTH, HEIGHT)
        pixels = cv2.imread(table.payload.paths[row], cv2.IMREAD_UNCHANGED).astype(float)
        assert 1200 < mask.sum() < 3500
        assert pixels[mask].mean() > pixels[~mask].mean() + 30
        # The ellipse fits: a little outside it there is hair, room or neck, colder than skin.
        ring = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) > 0
        assert pixels[mask].mean() > pixels[ring & ~mask].mean() + 15


def test_a_mask_can_be_cut_as_the_frames_are():
    face = FaceEllipse(80.0, 60.0, 20.0, 30.0, 15.0)
    whole = face.mask(160, 120)
    np.testing.assert_array_equal(face.mask(160, 120, crop=480), whole[:, 20:140])
    np.testing.assert_array_equal(face.mask(160, 120, crop=100), whole[10:110, 30:130])
    assert whole.sum() == pytest.approx(np.pi * 20 * 30, rel=0.02)
    turned = face.moved(0, 0, 75, 1).mask(160, 120)  # 90 degrees in all: lying
    assert np.ptp(np.flatnonzero(turned.any(axis=0))) > np.ptp(np.flatnonzero(turned.any(axis=1)))


def test_stress_changes_the_face_but_not_its_mean():
    for seed in range(5):
        person = draw_person(np.random.default_rng(seed))
        (calm, _), (tense, _) = (
            next(render_frames(person, np.array([level]))) for level in (0.0, 1.0)
        )
        difference = tense.astype(float) - calm
        assert abs(difference.mean()) < 0.05
        assert difference.max() > 4
        assert difference.min() < -3


def test_the_body_lags_behind_what_is_seen():
    person = draw_person(np.random.default_rng(0))
    levels = stress_levels(person, [(1.0, 4.0, True), (5.0, 6.0, False)], 70)
    assert (levels[:10] == 0).all()
    assert (np.diff(levels[10:40]) > 0).all()
    assert levels[12] < 0.3 * levels[39]
    assert levels[60] < 0.15 * levels[39]


def draw_clip_means(people, clips=20):
    """Return frames `(n, 15, 20)` of 8-pixel cells, labels and people: one frame per clip."""
    frames, labels, groups = [], [], []
    for number in range(people):
        random = np.random.default_rng([9, number])
        person = draw_person(random)
        order = random.permutation([True, False] * (clips // 2))
        times = [(1.5 * i, 1.5 * i + 1.2, stressful) for i, stressful in enumerate(order)]
        levels = stress_levels(person, times, 15 * clips)
        pictures = [pixels for pixels, _ in render_frames(person, levels)]
        for i, stressful in enumerate(order):
            picture = pictures[15 * i + 11].astype(np.float32)
            frames.append(cv2.resize(picture, (20, 15), interpolation=cv2.INTER_AREA))
            labels.append(stressful)
            groups.append(number)
    return np.array(frames), np.array(labels), np.array(groups)


def test_neither_mean_nor_background_tells_the_label_across_subjects():
    frames, labels, groups = draw_clip_means(people=16)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    flat = frames.reshape(len(frames), -1)
    border = np.concatenate([frames[:, :3].reshape(len(frames), -1), frames[:, :, 0]], axis=1)
    for features in (flat.mean(1)[:, None], np.c_[flat.mean(1), flat.std(1)], border):
        found = cross_val_predict(model, features, labels, groups=groups, cv=GroupKFold(8))
        # 320 clips of two equally frequent classes: chance is 0.5 with a standard error of 0.028.
        assert (found == labels).mean() < 0.5 + 3 * 0.028


def test_the_spread_of_warmth_tells_the_label_of_a_person_seen_before():
    frames, labels, groups = draw_clip_means(people=16)
    flat = frames.reshape(len(frames), -1)
    # What differs between people is far more than what stress does: without it, it shows.
    for person in range(16):
        flat[groups == person] -= flat[groups == person].mean(0)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    found = cross_val_predict(model, flat, labels, groups=groups, cv=GroupKFold(8))
    assert (found == labels).mean() > 0.65


def test_the_cached_copy_is_drawn_once_and_left_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path))
    drawn = []

    def write(folder, **arguments):
        drawn.append(arguments)
        (folder / "thermal").mkdir(parents=True)

    monkeypatch.setattr(thermal_layout, "write_sample_anu_stress", write)
    first, second = sample_anu_stress(seed=1), sample_anu_stress(seed=1)
    assert first == second
    assert len(drawn) == 1
    assert [path.name for path in first.parent.iterdir() if path.is_dir()] == [first.name]


def test_drawing_shows_a_bar_on_a_terminal_and_one_line_elsewhere(tmp_path, capfd, monkeypatch):
    arguments = {"subjects": 1, "clips": 2, "planted": (), "progress": True}
    write_sample_anu_stress(tmp_path / "told", **arguments)
    expected = f"Drawing 1 sample videos, once, below {tmp_path} …\n"
    assert capfd.readouterr().err == expected
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    write_sample_anu_stress(tmp_path / "bar", **arguments)
    assert "Drawing sample videos: 100%" in terminal.getvalue()


def test_an_unknown_kind_of_damage_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`planted` must be 'cut' or 'short'. Received: \\['x'\\]"):
        write_sample_anu_stress(tmp_path, planted=("x",))

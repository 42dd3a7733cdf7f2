"""The sample videos of talking faces: repeatable, and telling only by their expression."""

import itertools

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict

from affectkeras import doctor
from affectkeras.datasets import aff_wild
from affectkeras.datasets.sample import affwild_layout
from affectkeras.datasets.sample.affwild_layout import (
    draw_video,
    plan_videos,
    sample_aff_wild,
    write_sample_aff_wild,
)
from affectkeras.datasets.sample.face_parameters import Shot, draw_identity
from affectkeras.datasets.sample.face_parts import mouth_curves
from affectkeras.datasets.sample.marks import find_marks
from affectkeras.datasets.sample.talking_faces import face_boxes, render_frames
from affectkeras.datasets.sample.talking_paths import LIMIT, draw_affect, draw_motion, express
from affectkeras.media.video import video_facts
from affectkeras.media.video_frames import every_frame

AT_REST = Shot(0.0, 0.0, 0.0, 1.0, (0.0, 0.0), (0.0, 0.0), 0.0, "none", 0)
FRAMES = (30, 34)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("wild")
    write_sample_aff_wild(path, seed=3, videos=4, frames=FRAMES)
    return path


def concordance(predicted, true):
    """Lin's coefficient, from its definition."""
    covariance = np.mean((predicted - predicted.mean()) * (true - true.mean()))
    between = (predicted.mean() - true.mean()) ** 2
    return 2 * covariance / (predicted.var() + true.var() + between)


def test_the_videos_are_read_by_the_real_reader(folder):
    table = aff_wild.read(folder, progress=False)
    plans = plan_videos(3, 4, FRAMES, affwild_layout.PLANTED)
    counts = table.frame["video"].value_counts()
    for plan in plans[:4]:
        assert counts[plan.path] == plan.frames
    assert set(table.frame["alignment"]) == {"frame"}
    assert plans[4].path not in counts  # the file was cut
    reasons = table.rejected.groupby(["kind", "reason"]).size()
    assert reasons["unlabelled", "its labels were not published"] == 1
    assert reasons["damaged"].sum() == plans[4].frames
    assert table.read == sum(plan.frames for plan in plans[:-1]) + 1


def test_the_labels_are_the_path_and_the_boxes_the_faces(folder):
    table = aff_wild.read(folder, progress=False)
    plan = plan_videos(3, 4, FRAMES)[1]
    speaker, motion = draw_video(plan)
    rows = table.frame[table.frame["video"] == plan.path]
    np.testing.assert_allclose(rows["valence"], motion.valence, atol=6e-5)
    np.testing.assert_allclose(rows["arousal"], motion.arousal, atol=6e-5)
    boxes = rows[["x", "y", "width", "height"]]
    np.testing.assert_allclose(boxes, face_boxes(speaker, motion), atol=0.11)


def test_where_nobody_is_in_the_picture_there_is_no_box(folder):
    frame = aff_wild.read(folder, progress=False).frame
    plan = plan_videos(3, 4, FRAMES, ("cut", "away"))[5]
    rows = frame[frame["video"] == plan.path]
    assert list(rows.loc[rows["x"].isna(), "frame"]) == list(plan.away)
    assert len(plan.away) >= 6
    pictures = [shown.pixels.astype(float) for shown in every_frame(folder / plan.path)]
    still = np.abs(pictures[plan.away[2]] - pictures[plan.away[3]]).mean()
    assert still < np.abs(pictures[0] - pictures[plan.away[2]]).mean() / 3


def test_the_videos_are_h264_of_two_sizes(folder):
    facts = [video_facts(folder / plan.path) for plan in plan_videos(3, 4, FRAMES)]
    assert {fact.codec for fact in facts} == {"h264"}
    assert {fact.pixel_format for fact in facts} == {"yuv420p"}
    plans = plan_videos(0, 60, FRAMES)
    assert {plan.size for plan in plans} == {(640, 360), (480, 360)}
    assert {plan.rate for plan in plans} == {25, 30}


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        write_sample_aff_wild(tmp_path / name, seed=seed, videos=1, frames=(9, 9), planted=())
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
    for file in ("videos/train/101.mp4", "annotations/train/valence/101.txt"):
        assert contents["one"][file] != contents["other"][file]


def test_the_sample_is_drawn_once(monkeypatch):
    calls = []

    def write(folder, **arguments):
        calls.append(arguments)
        (folder / "videos").mkdir()

    monkeypatch.setattr(affwild_layout, "write_sample_aff_wild", write)
    first = sample_aff_wild(seed=9, progress=False)
    assert (first / "videos").is_dir()
    assert sample_aff_wild(seed=9, progress=False) == first
    assert sample_aff_wild(seed=8, progress=False) != first
    assert [call["seed"] for call in calls] == [9, 8]


def test_the_doctor_knows_the_sample_and_excuses_what_is_planted(folder):
    marks = find_marks(folder)
    assert marks.planted == {"105.mp4", "106.mp4", "107.mp4"}
    assert marks.drawn == {f"{number}.mp4" for number in range(101, 108)}
    report = doctor.examine(aff_wild, folder, progress=False)
    text = "\n".join(report.lines)
    assert "Sample data: drawn and written by affectkeras" in text
    assert "Cannot be used, planted on purpose to show how that is told" in text
    assert report.problems == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"planted": ("short",)}, r"`planted` must be of .* Received: \['short'\]"),
        ({"frames": (5, 4)}, r"`frames` must be \(fewest, most\), from 1. Received: \(5, 4\)"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        write_sample_aff_wild(tmp_path, videos=1, **arguments)


def test_paths_are_smooth_stay_in_their_range_and_lie_evenly_in_the_quadrants():
    means, shares = [], []
    for plan in plan_videos(0, 60, (420, 460)):
        _, motion = draw_video(plan)
        assert 420 <= len(motion) <= 460
        path = np.stack([motion.valence, motion.arousal])
        assert np.abs(path).max() <= LIMIT
        # A tenth of a second never changes more than a twelfth of the range.
        assert np.abs(np.diff(path, axis=1)).max() * plan.rate / 10 < 0.15
        means.append(path.mean(axis=1))
        shares.append([(path[0] > 0).mean(), (path[1] > 0).mean()])
    means = np.array(means)
    signs = (means > 0) @ [2, 1]
    assert np.bincount(signs, minlength=4).min() >= 9  # of 15 each that were planned
    assert means.std(axis=0).min() > 0.25
    np.testing.assert_allclose(np.mean(shares, axis=0), 0.5, atol=0.1)


def mouth_corner_height(valence, arousal=0.0, opening=0.0):
    who = draw_identity(np.random.default_rng(0))
    return -mouth_curves(who, express(valence, arousal, opening), AT_REST)["upper_outer"][0, 1]


@pytest.mark.parametrize(("arousal", "opening"), [(0.0, 0.0), (-0.8, 0.3), (0.8, 0.6)])
def test_the_corners_of_the_mouth_rise_with_valence_whatever_else_the_face_does(arousal, opening):
    heights = [mouth_corner_height(v, arousal, opening) for v in np.linspace(-0.9, 0.9, 13)]
    assert np.diff(heights).min() > 0
    # From end to end more than the height of a closed mouth's lips, 0.135 in face units.
    assert heights[-1] - heights[0] > 0.2


def test_brows_sink_as_valence_falls_and_rise_with_arousal_as_eyes_open():
    levels = np.linspace(-0.9, 0.9, 13)
    frown = [express(valence, 0.0).brow_lower for valence in levels]
    assert np.diff(frown).max() < 0
    raised = [express(0.0, arousal).outer_brow_raise for arousal in levels]
    assert np.diff(raised).min() > 0
    # As `draw_eye` sums them up.
    what = [express(0.0, arousal) for arousal in levels]
    opening = [0.6 * one.upper_lid_raise - 0.55 * one.lid_droop for one in what]
    assert np.diff(opening).min() >= 0
    assert opening[-1] - opening[0] > 1


def test_talking_opens_the_mouth_more_where_arousal_is_high_and_tells_nothing_of_valence():
    random = np.random.default_rng(0)
    mean = {}
    for valence, arousal in itertools.product((-0.8, 0.8), repeat=2):
        path = np.full(3000, valence), np.full(3000, arousal)
        runs = [draw_motion(np.random.default_rng(seed), *path, 25) for seed in range(20)]
        mean[valence, arousal] = np.mean([run.opening.mean() for run in runs])
        assert max(run.opening.max() for run in runs) <= 1
    assert mean[0.8, 0.8] > 1.5 * mean[0.8, -0.8]
    np.testing.assert_allclose(mean[0.8, 0.8], mean[-0.8, 0.8], rtol=1e-9)
    valence, arousal = draw_affect(random, 600, 25, (1, 1))
    assert np.ptp(draw_motion(random, valence, arousal, 25).opening) > 0.2


def test_the_head_moves_more_where_arousal_is_high():
    def restlessness(arousal):
        path = np.zeros(1500), np.full(1500, arousal)
        runs = [draw_motion(np.random.default_rng(seed), *path, 25) for seed in range(10)]
        return np.mean([np.abs(np.diff(run.yaw)).mean() for run in runs])

    assert restlessness(0.8) > 1.4 * restlessness(-0.8)


def test_a_regression_on_the_mean_colour_of_the_frames_finds_nothing():
    colours, affect, videos = [], [], []
    for place, plan in enumerate(plan_videos(0, 64, (420, 460))):
        speaker, motion = draw_video(plan)
        step = 110
        for number, pixels in enumerate(render_frames(speaker, motion, step=step)):
            colours.append(pixels.reshape(-1, 3).mean(axis=0))
            affect.append((motion.valence[number * step], motion.arousal[number * step]))
            videos.append(place)
    colours, affect = np.array(colours), np.array(affect)
    assert len(affect) >= 240
    assert colours.std(axis=0).min() > 10  # pictures differ, but not for that
    predicted = cross_val_predict(
        RidgeCV(np.logspace(-3, 4, 15)), colours, affect, groups=videos, cv=GroupKFold(10)
    )
    for target in (0, 1):
        assert abs(concordance(predicted[:, target], affect[:, target])) < 0.1


def test_two_expressions_of_one_face_differ_where_the_face_is_and_nowhere_else():
    plan = plan_videos(0, 1, (30, 30))[0]
    speaker, motion = draw_video(plan)
    still = np.zeros(30)
    pictures = {}
    for valence in (-0.9, 0.9):
        fixed = dict.fromkeys(("opening", "blink", "yaw", "pitch", "roll", "x", "y"), still)
        moved = type(motion)(
            valence=still + valence, arousal=still, zoom=still + 1, gain=still + 1, **fixed
        )
        pictures[valence] = next(render_frames(speaker, moved)).astype(int)
        x, y, width, height = face_boxes(speaker, moved)[0].round().astype(int)
    differs = np.abs(pictures[0.9] - pictures[-0.9]).max(axis=2) > 24
    inside = np.zeros_like(differs)
    inside[y : y + height, x : x + width] = True
    assert differs[inside].mean() > 0.02
    assert differs[~inside].mean() < 0.0005


@pytest.mark.parametrize("seed", [0, 1])
def test_the_detector_finds_the_face_where_the_box_is(seed):
    from affectkeras.media.faces import detect_faces

    overlaps, confidences = [], []
    for plan in plan_videos(seed, 12, (420, 420)):
        speaker, motion = draw_video(plan)
        boxes = face_boxes(speaker, motion)[::210]
        found = detect_faces(list(render_frames(speaker, motion, step=210)))
        for box, faces in zip(boxes, found, strict=True):
            assert len(faces) == 1
            overlaps.append(overlap(box, faces[0]))
            confidences.append(faces[0].confidence or 0)
    assert min(overlaps) >= 0.6
    assert np.mean(np.array(confidences) >= 0.95) >= 0.9


def overlap(box, face):
    """Return the share of both boxes together that both cover."""
    left, top = max(box[0], face.x), max(box[1], face.y)
    right = min(box[0] + box[2], face.x + face.width)
    bottom = min(box[1] + box[3], face.y + face.height)
    shared = max(0, right - left) * max(0, bottom - top)
    return shared / (box[2] * box[3] + face.width * face.height - shared)

"""What a run on valence and arousal keeps of its predictions."""

import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest

from affectkeras import affect_run
from affectkeras.affect_clips import AffectClips, cut_table_faces, windows_over
from affectkeras.affect_run import (
    SECTOR,
    example_clips,
    mean_pixel_values,
    package_networks,
    predict_rows,
    prediction_rows,
    serving_facts,
    target_values,
    with_sectors,
    write_face_sheet,
)
from affectkeras.circumplex import SECTORS
from affectkeras.datasets.table import ExampleTable, FilePayload, Target, rejected_frame
from affectkeras.evaluation.seal import Leak, Seal
from affectkeras.evaluation.splits import Split
from affectkeras.losses.concordance import ConcordanceLoss
from affectkeras.media.crop_cache import read_frames
from affectkeras.models.cnn_gru import build_cnn_gru
from affectkeras.pipelines.augmentation import Augmentation
from affectkeras.pipelines.clips import ClipPipeline
from affectkeras.video_model import load_video_model
from tests.media.tiny_videos import write_video

SIDE, WINDOW = 4, 4
LENGTHS = (7, 2, 5, 6)
ROWS = sum(LENGTHS)
TARGETS = (Target("valence", "number"), Target("arousal", "number"))
DEGREES = np.radians(np.arange(ROWS) * 360 / ROWS + 5)


def build_clips(crops=None, **columns):
    names = np.repeat([f"v{number}" for number in range(len(LENGTHS))], LENGTHS)
    frame = pd.DataFrame(
        {
            "example_id": [f"{name} frame {number:05}" for number, name in enumerate(names)],
            **{"subject": "", "group": names, "split": "train", "source": names, "video": names},
            **{"frame": np.concatenate([np.arange(count) for count in LENGTHS])},
            **{"valence": 0.8 * np.cos(DEGREES), "arousal": 0.8 * np.sin(DEGREES), **columns},
        }
    )
    payload = FilePayload(np.array([f"/{name}.mp4" for name in names], object))
    table = ExampleTable("aff_wild", frame, TARGETS, payload, True, rejected_frame(), ROWS)
    if crops is None:
        random = np.random.default_rng(0)
        pixels = random.integers(0, 256, (ROWS, SIDE, SIDE, 3)).astype(np.uint8)
        crops = np.split(pixels, np.cumsum(LENGTHS)[:-1])
    return AffectClips(table, crops, windows_over(frame, WINDOW))


def split():
    rows = np.split(np.arange(ROWS), [7, 9, 14])
    aside = pd.DataFrame({"row": [], "reason": []})
    train = np.concatenate([rows[0], rows[2]])  # videos 0 and 2
    return Split(train, rows[1], rows[3], "grouped", "", aside, True)


def build_pipeline(clips, names=("valence", "arousal"), *, seal=None):
    return ClipPipeline(
        clips.crops,
        clips.windows,
        target_values(clips, names),
        batch_size=2,
        augmentation=Augmentation.none(),
        seed=0,
        seal=seal,
    )


class CountingModel:
    """Says of each frame its mean pixel, and its place in the window it is read in."""

    def predict(self, batches, verbose):
        found = []
        for clips, _, _ in batches:
            means = np.asarray(clips).mean(axis=(2, 3, 4))
            places = np.broadcast_to(np.arange(means.shape[1]), means.shape)
            found.append(np.stack([means, places], axis=-1))
        return np.concatenate(found)


NUMBERS = ("valence", "arousal")


def predict(clips, rows, model=None, *, targets=NUMBERS, seal=None):
    networks = {targets: (model or CountingModel(), build_pipeline(clips, targets, seal=seal))}
    return predict_rows(networks, clips, rows)


def test_a_row_has_its_prediction_from_the_first_window_that_holds_it():
    clips = build_clips()
    means = np.concatenate(clips.crops).mean(axis=(1, 2, 3))
    rows = np.r_[0:7, 9:14]  # whole videos
    found = predict(clips, rows)
    assert list(found) == ["valence", "arousal"]
    np.testing.assert_allclose(found["valence"], means[rows], rtol=1e-5)
    # Windows of 7 frames begin at 0, 2 and 3; of 5 at 0 and 1.
    np.testing.assert_array_equal(found["arousal"], [0, 1, 2, 3, 2, 3, 3, 0, 1, 2, 3, 3])


def test_a_video_shorter_than_a_window_has_a_value_for_each_frame_too():
    found = predict(build_clips(), np.array([7, 8]))
    np.testing.assert_array_equal(found["arousal"], [0, 1])


def test_each_network_of_an_arm_says_its_own_target():
    class Constant:
        def __init__(self, value):
            self.value = value

        def predict(self, batches, verbose):
            shapes = [targets.shape for _, targets, _ in batches]
            return np.concatenate([np.full(shape, self.value) for shape in shapes])

    clips = build_clips()
    networks = {
        (name,): (Constant(value), build_pipeline(clips, (name,)))
        for name, value in (("arousal", 0.25), ("valence", -0.5))
    }
    found = predict_rows(networks, clips, np.arange(7))
    assert {name: set(values) for name, values in found.items()} == {
        **{"arousal": {0.25}, "valence": {-0.5}}
    }
    assert found["arousal"].shape == (7,)


def test_of_sectors_the_probabilities_are_told():
    class Logits:
        def predict(self, batches, verbose):
            sizes = [targets.shape[:2] for _, targets, _ in batches]
            return np.concatenate(
                [np.broadcast_to([np.log(7), *[0] * 7], (*size, 8)) for size in sizes]
            )

    clips = with_sectors(build_clips())
    found = predict(clips, np.arange(7), Logits(), targets=("sector",))
    assert list(found) == ["sector"]
    np.testing.assert_allclose(found["sector"], [[0.5, *[1 / 14] * 7]] * 7)


def test_test_rows_are_predicted_in_the_final_evaluation_only():
    clips, seal = build_clips(), Seal(split())
    predict(clips, split().validation, seal=seal)
    with pytest.raises(Leak, match="before the final evaluation"):
        predict(clips, split().test, seal=seal)


def test_numbers_become_rows_with_truth_and_prediction():
    clips, rows = build_clips(), np.array([3, 8])
    values = {"valence": np.array([0.1, 0.3]), "arousal": np.array([0.2, 0.4])}
    found = prediction_rows(clips, rows, values, arm="gru", seed=2, split="test")
    assert list(found.columns) == [
        *("arm", "seed", "fold", "split", "example_id", "group"),
        *("valence", "predicted_valence", "arousal", "predicted_arousal"),
    ]
    assert found["example_id"].tolist() == ["v0 frame 00003", "v1 frame 00008"]
    assert found["group"].tolist() == ["v0", "v1"]
    assert found["predicted_valence"].tolist() == [0.1, 0.3]
    assert found["predicted_arousal"].tolist() == [0.2, 0.4]
    truth = clips.table.frame.iloc[rows]
    assert found["valence"].tolist() == truth["valence"].tolist()
    assert found["arousal"].tolist() == truth["arousal"].tolist()
    assert set(zip(found["arm"], found["seed"], found["fold"], found["split"], strict=True)) == {
        ("gru", 2, 0, "test")
    }


def test_a_network_of_one_target_has_rows_of_that_target():
    values = {"arousal": np.array([0.5])}
    found = prediction_rows(build_clips(), np.array([0]), values, arm="gru", seed=0, split="test")
    assert list(found.columns[6:]) == ["arousal", "predicted_arousal"]


def test_sectors_are_numbered_in_the_order_of_their_angles():
    angles = np.radians([0, 44, 91, 140, -179, 225, 265, 320] + [0] * (ROWS - 8))
    clips = build_clips(valence=0.5 * np.cos(angles), arousal=0.5 * np.sin(angles))
    found = with_sectors(clips)
    assert found.table.targets == (SECTOR,)
    assert SECTOR.class_names == SECTORS
    assert found.table.frame["sector"].tolist()[:8] == list(range(8))
    assert found.windows is clips.windows
    assert "sector" not in clips.table.frame


def test_the_very_middle_of_the_circle_counts_as_the_first_sector_and_nearby_as_its_own():
    near = [0.001] * (ROWS - 1)
    clips = with_sectors(build_clips(valence=0.0, arousal=np.array([0, *near])))
    assert clips.table.frame["sector"].tolist() == [0] + [2] * (ROWS - 1)


@pytest.mark.parametrize("kind", [tuple, list])
def test_a_network_trains_towards_numbers_or_one_hot_sectors(kind):
    clips = build_clips()
    numbers = target_values(clips, kind(("arousal", "valence")))
    assert (numbers.dtype, numbers.shape) == (np.float32, (ROWS, 2))
    np.testing.assert_allclose(numbers[:, 0], clips.table.frame["arousal"], rtol=1e-6)
    clips = with_sectors(clips)
    hot = target_values(clips, kind(("sector",)))
    assert (hot.dtype, hot.shape) == (np.float32, (ROWS, 8))
    np.testing.assert_array_equal(hot.argmax(1), clips.table.frame["sector"])
    np.testing.assert_array_equal(hot.sum(1), 1)


def test_sectors_become_rows_of_class_and_probabilities():
    clips, shares = with_sectors(build_clips()), np.full((2, 8), 1 / 14)
    shares[0, 3] = shares[1, 7] = 0.5
    place = {"arm": "gru", "seed": 0, "split": "test"}
    found = prediction_rows(clips, np.array([0, 2]), {"sector": shares}, **place)
    assert found["sector"].tolist() == ["pleasure", "excitement"]
    assert found["predicted"].tolist() == ["distress", "contentment"]
    assert found["p_distress"].tolist() == pytest.approx([0.5, 1 / 14])
    np.testing.assert_allclose(found[[f"p_{name}" for name in SECTORS]].sum(axis=1), 1)


def bright_clips(levels):
    """Return clips whose faces are of one level each, with a little noise."""
    noise = np.random.default_rng(0).integers(-3, 4, (ROWS, SIDE, SIDE, 3))
    pixels = (np.asarray(levels)[:, None, None, None] + noise).clip(0, 255).astype(np.uint8)
    return build_clips(np.split(pixels, np.cumsum(LENGTHS)[:-1]))


def test_a_planted_brightness_is_found_by_the_mean_pixel_and_nothing_else():
    clips = bright_clips(128 + 120 * np.cos(DEGREES))  # goes with valence, not with arousal
    pipeline = build_pipeline(clips, seal=Seal(split()))
    found = mean_pixel_values(pipeline, split(), ("valence", "arousal"))
    truth = clips.table.frame.iloc[split().test]
    assert set(found) == {"valence", "arousal"}
    assert np.corrcoef(found["valence"], truth["valence"])[0, 1] > 0.99
    np.testing.assert_allclose(found["valence"], truth["valence"], atol=0.15)


def test_where_all_faces_are_of_one_brightness_the_mean_pixel_says_the_mean():
    clips = bright_clips(np.full(ROWS, 128))
    pipeline = build_pipeline(clips, ("arousal",), seal=Seal(split()))
    (found,) = mean_pixel_values(pipeline, split(), ("arousal",)).values()
    # Noise is all there is: the spread of what is predicted stays below that of the truth.
    assert found.std() < 0.7 * clips.table.frame["arousal"].iloc[split().train].std()


def test_the_mean_pixel_is_fitted_on_training_rows_and_read_once_at_the_end(monkeypatch):
    monkeypatch.setattr(affect_run, "_PIXELS_AT_ONCE", 3)
    seal = Seal(split())
    mean_pixel_values(build_pipeline(build_clips(), seal=seal), split(), ("valence", "arousal"))
    assert seal.facts() == {
        "fitted": {"weights": {"regression on the mean pixel": 12}},
        "test_rows_read": 6,
    }


def test_examples_to_check_an_export_on_are_a_few_whole_windows():
    clips = build_clips()
    found = example_clips(clips, np.arange(7))
    assert (found.dtype, found.shape) == (np.uint8, (3, WINDOW, SIDE, SIDE, 3))
    np.testing.assert_array_equal(found[1], np.concatenate(clips.crops)[2:6])
    short = example_clips(clips, np.array([7, 8]))
    assert short.shape == (1, WINDOW, SIDE, SIDE, 3)
    np.testing.assert_array_equal(short[0, 2:], 0)


@dataclasses.dataclass(frozen=True)
class Settings:
    predict: str
    image_size: int = 64
    margin: float = 0.1
    mode: str = "dense"
    every: int = 5
    window: int = 16


def test_the_networks_of_an_arm_are_served_as_one(tmp_path):
    files = []
    for seed, name in enumerate(("valence", "arousal")):
        keras.utils.set_random_seed(seed)
        model = build_cnn_gru(1, 8, features=4, hidden_size=3)
        model.compile(loss=ConcordanceLoss())
        files.append(tmp_path / f"{name}.keras")
        model.save(files[-1])
    clips = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 3)).astype(np.uint8)
    folder, facts = tmp_path / "models" / "cnn-gru", serving_facts(Settings("values", image_size=8))
    found = package_networks(files, folder, facts=facts, clips=clips)
    assert found["saved_model"]["max_difference"] < 1e-5
    each = [
        keras.models.load_model(file, compile=False)(clips.astype("float32")).numpy()
        for file in files
    ]
    joined = keras.models.load_model(folder / "model.keras", compile=False)
    np.testing.assert_allclose(
        joined(clips.astype("float32")), np.concatenate(each, axis=-1), atol=1e-6
    )
    served = load_video_model(folder)
    assert (served.targets, served.every, served.image_size) == (("valence", "arousal"), 5, 8)
    np.testing.assert_allclose(
        np.stack(list(served.predict(iter(clips[0])))), np.concatenate(each, -1)[0], atol=1e-5
    )


def test_whoever_serves_is_told_how_faces_are_cut_and_how_often():
    facts = {"image_size": 64, "margin": 0.1, "mode": "dense", "every": 5, "window": 16}
    facts["neutral_radius"] = 0.1
    assert serving_facts(Settings("values")) == facts | {
        **{"kind": "numbers", "targets": ["valence", "arousal"], "class_names": []}
    }
    assert serving_facts(Settings("sectors")) == facts | {
        **{"kind": "classes", "targets": [], "class_names": list(SECTORS)}
    }


def cut_clips(tmp_path, monkeypatch, size, box):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    path = write_video(tmp_path / "a.mp4", 8, size=size)
    clips = build_clips(**dict(zip(("x", "y", "width", "height"), box, strict=True)))
    chosen = clips.table.frame.iloc[:7].assign(video="a")
    payload = FilePayload(np.array([str(path)] * 7, object))
    table = ExampleTable("aff_wild", chosen, TARGETS, payload, True, rejected_frame(), 7)
    table, crops = cut_table_faces(table, size=SIDE, margin=0.1, tracked=False, frames=None)
    return AffectClips(table, crops, windows_over(table.frame, WINDOW)), path


def test_a_sheet_shows_frames_their_boxes_and_the_faces_cut_out(tmp_path, monkeypatch):
    clips, path = cut_clips(tmp_path, monkeypatch, (640, 480), (100, 80, 200, 240))
    write_face_sheet(tmp_path / "face_sheet.npz", clips)
    with np.load(tmp_path / "face_sheet.npz") as found:
        assert found["frames"].shape == (1, 320, 320, 3)
        np.testing.assert_allclose(found["boxes"], [[50, 40, 100, 120]])
        np.testing.assert_array_equal(found["faces"][0], clips.crops[0][3])
        assert found["names"].tolist() == ["v0 frame 00003"]
        np.testing.assert_array_equal(found["frames"][0, 240:], 128)
        (picture,) = read_frames(path, [3])
        by_two = picture.reshape(240, 2, 320, 2, 3).mean(axis=(1, 3))
        assert np.abs(found["frames"][0, :240] - by_two).max() <= 1


def test_a_small_frame_stands_on_the_sheet_as_it_is(tmp_path, monkeypatch):
    clips, _ = cut_clips(tmp_path, monkeypatch, (64, 48), (4, 5, 20, 24))
    write_face_sheet(tmp_path / "face_sheet.npz", clips)
    with np.load(tmp_path / "face_sheet.npz") as found:
        np.testing.assert_allclose(found["boxes"], [[4, 5, 20, 24]])
        assert (found["frames"][0, 48:] == 128).all()
        assert (found["frames"][0, :, 64:] == 128).all()
        assert found["frames"][0, :48, :64].std() > 10


@pytest.mark.parametrize("boxes", [{}, dict.fromkeys(("x", "y", "width", "height"), np.nan)])
def test_pictures_that_came_cut_out_have_no_sheet(tmp_path, boxes):
    write_face_sheet(tmp_path / "face_sheet.npz", build_clips(**boxes))
    assert not list(tmp_path.iterdir())

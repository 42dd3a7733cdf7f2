import numpy as np
import pandas as pd
import pytest

from affectkeras import stress_run
from affectkeras.datasets.sample.thermal_truth import (
    FaceEllipse,
    face_shares,
    truth_path,
    write_faces,
)


def test_a_mask_that_is_the_same_everywhere_has_the_share_of_the_face():
    faces = np.zeros((1, 4, 4))
    faces[0, :2, :2] = 1
    masks = np.full((1, 4, 4, 3), 0.7)
    np.testing.assert_allclose(stress_run.weight_on_face(masks, faces), [4 / 16])


def test_the_weight_on_the_face_counts_every_map_and_parts_of_positions():
    faces = np.array([[[1.0, 0.5], [0.0, 0.0]]])
    masks = np.zeros((1, 2, 2, 2))
    masks[0, 0, 0] = (3, 0)  # wholly on the face
    masks[0, 0, 1] = (1, 1)  # half on it
    masks[0, 1, 0] = (0, 5)  # beside it
    np.testing.assert_allclose(stress_run.weight_on_face(masks, faces), [(3 + 1) / 10])


def test_a_mask_of_zeros_has_no_weight_anywhere():
    assert np.isnan(stress_run.weight_on_face(np.zeros((1, 2, 2, 1)), np.ones((1, 2, 2)))).all()


def test_the_face_of_a_sample_frame_is_divided_like_the_mask(tmp_path):
    # A face that covers the left half of the centred square, 120 of 160 pixels wide.
    faces = [
        (0.0, FaceEllipse(20, 60, 59.5, 1e6, 0), 0.0),
        (1.0, FaceEllipse(500, 0, 1, 1, 0), 0.0),
    ]
    write_faces(truth_path(tmp_path, "thermal/S01.mkv"), faces)
    frames = pd.DataFrame({"video": "thermal/S01.mkv", "time_s": [0.5, 1.0], "width": 120})
    found = face_shares(tmp_path, frames, (2, 4))
    np.testing.assert_allclose(found[0], [[1, 1, 0, 0]] * 2)
    np.testing.assert_allclose(found[1], 0)


def history(arm, losses, seconds, seed=0):
    epochs = np.arange(1, len(losses) + 1)
    return pd.DataFrame(
        {"arm": arm, "seed": seed, "epoch": epochs, "loss": losses, "seconds": seconds}
    )


def test_activations_are_timed_to_the_lowest_loss_that_all_reach():
    found = stress_run.activation_frame(
        {
            "gelu": [history("gelu", [0.9, 0.5, 0.2], [3, 1, 1])],
            "relu": [history("relu", [0.9, 0.8, 0.5], [2, 1, 2])],
        }
    )
    assert found["loss_to_reach"].tolist() == [0.5, 0.5]
    assert found["epochs"].tolist() == [2, 3]
    assert found["seconds"].tolist() == [4, 5]
    assert found["seconds_per_epoch"].tolist() == [1, 1.5]


def test_the_seed_that_learns_least_sets_the_loss_to_reach():
    found = stress_run.activation_frame(
        {
            "gelu": [history("gelu", [0.9, 0.1], [1, 1]), history("gelu", [0.9, 0.6], [1, 1], 1)],
            "relu": [history("relu", [0.5, 0.3], [1, 1])],
        }
    )
    assert set(found["loss_to_reach"]) == {0.6}
    assert found["epochs"].tolist() == [2, 2, 1]


def predictions(arm, right, rows):
    truth = np.array(["calm", "stress"], dtype=object)[np.arange(rows) % 2]
    other = np.array(["stress", "calm"], dtype=object)[np.arange(rows) % 2]
    return pd.DataFrame(
        {
            "arm": arm,
            "seed": 0,
            "fold": 0,
            "split": "test",
            "example_id": [f"row {number}" for number in range(rows)],
            "group": [f"S{number % 5}" for number in range(rows)],
            "stress": truth,
            "predicted": np.where(np.arange(rows) < right * rows, truth, other),
            "p_calm": 0.5,
            "p_stress": 0.5,
        }
    )


def test_inflation_sets_the_published_split_beside_the_subjects_on_the_same_frames():
    found = stress_run.inflation_frame(
        predictions("dynamic", 0.9, 40),
        predictions("dynamic", 0.6, 40),
        "dynamic",
        "stress",
        ("calm", "stress"),
    )
    assert found["protocol"].tolist() == ["subject", "paper"]
    assert found["leaks"].tolist() == [False, True]
    assert found["accuracy"].tolist() == pytest.approx([0.6, 0.9])
    assert found["n"].tolist() == [40, 40]
    paper = found.iloc[1]
    assert paper["difference"] == pytest.approx(0.3)
    # Rows 24 to 35 differ, of every fifth subject 2 or 3 of 8.
    assert 0.2 < paper["difference_low"] < 0.3 < paper["difference_high"] < 0.4

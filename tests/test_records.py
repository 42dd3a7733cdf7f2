import cv2
import numpy as np
import pandas as pd
import pytest

from affectkeras import records
from affectkeras.datasets.table import (
    ArrayPayload,
    ExampleTable,
    FilePayload,
    Target,
    rejected_frame,
)
from affectkeras.files import read_csv


def faces(payload) -> ExampleTable:
    frame = pd.DataFrame(
        {
            "example_id": ["a.png", "b.png", "c.png"],
            "subject": "",
            "group": ["film1", "film1", "film2"],
            "split": "train",
            "source": "",
            "expression": [0, 1, 1],
        }
    )
    target = Target("expression", "class", ("calm", "glad"))
    return ExampleTable("faces", frame, (target,), payload, True, rejected_frame(), 3)


@pytest.fixture
def arrays() -> ExampleTable:
    pixels = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)
    return faces(ArrayPayload({"pixels": pixels[::-1]}, np.array([2, 1, 0])))


def test_predictions_name_the_classes_and_keep_the_order_of_the_rows(arrays):
    found = records.prediction_rows(
        arrays,
        np.array([2, 0]),
        np.array([[0.4, 0.6], [0.3, 0.7]]),
        arm="bdr",
        seed=3,
        split="test",
    )
    assert found["example_id"].tolist() == ["c.png", "a.png"]
    assert found["group"].tolist() == ["film2", "film1"]
    assert found["expression"].tolist() == ["glad", "calm"]
    assert found["predicted"].tolist() == ["glad", "glad"]
    assert found["p_calm"].tolist() == [0.4, 0.3]
    assert found[["arm", "seed", "split"]].drop_duplicates().values.tolist() == [["bdr", 3, "test"]]


def test_a_removal_log_names_example_class_and_file(tmp_path):
    table = faces(FilePayload(np.array(["/x/a.png", "/x/b.png", "/x/c.png"], object)))
    log = [{"round": 1, "epoch": 6, "row": 1, "loss": 4.5, "class": 1}]
    found = records.removal_rows(table, log, arm="bdr", seed=0).to_dict("records")
    assert found == [
        {
            **{"arm": "bdr", "seed": 0, "round": 1, "epoch": 6, "example_id": "b.png"},
            **{"expression": "glad", "loss": 4.5, "path": "/x/b.png"},
        }
    ]


def test_an_empty_removal_log_still_has_its_columns(arrays):
    found = records.removal_rows(arrays, [], arm="none", seed=0)
    assert list(found.columns) == list(records.REMOVAL_COLUMNS)


def test_pixels_held_as_arrays_are_encoded_without_loss_by_table_row(arrays):
    encoded = records.encoded_images(arrays, np.array([1]))
    decoded = cv2.imdecode(np.frombuffer(encoded[0], np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, np.arange(16, 32, dtype=np.uint8).reshape(4, 4))


def test_thumbnails_are_colour_of_one_size_and_named(arrays, tmp_path):
    records.write_thumbnails(tmp_path / "faces.npz", arrays, np.array([0, 2]))
    with np.load(tmp_path / "faces.npz") as found:
        assert found["pixels"].shape == (2, 96, 96, 3)
        assert found["example_id"].tolist() == ["a.png", "c.png"]


def epoch(number, **more):
    return {"stage": "all", "epoch": number, "step": 3, "rows": 9, "loss": 0.5, **more}


def test_history_tells_the_target_of_each_network_of_an_arm(arrays, tmp_path):
    rows = [epoch(0, target="valence"), epoch(1, target="valence"), epoch(0, target="arousal")]
    records.write_part(tmp_path, arrays, rows, [], None, arm="gru", seed=2)
    found = read_csv(tmp_path / "history.csv")
    assert list(found.columns) == ["arm", "seed", "fold", "target", *records.HISTORY_COLUMNS]
    assert found["target"].tolist() == ["valence", "valence", "arousal"]
    assert found["epoch"].tolist() == [0, 1, 0]
    assert set(zip(found["arm"], found["seed"], found["fold"], strict=True)) == {("gru", 2, 0)}
    assert found["accuracy"].isna().all()  # numbers have none
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_history_of_an_arm_of_one_network_has_no_target(arrays, tmp_path):
    records.write_part(tmp_path, arrays, [epoch(0)], [], None, arm="gru", seed=0)
    found = read_csv(tmp_path / "history.csv")
    assert list(found.columns) == ["arm", "seed", "fold", *records.HISTORY_COLUMNS]


def test_predictions_of_all_parts_are_one_file(arrays, tmp_path):
    frames = [pd.DataFrame({"split": [part], "valence": [0.5]}) for part in ("validation", "test")]
    records.write_part(tmp_path, arrays, [epoch(0)], frames, None, arm="gru", seed=0)
    assert read_csv(tmp_path / "predictions.csv")["split"].tolist() == ["validation", "test"]

"""The end of a recipe with number targets: from predictions to a result and a report."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras import runs
from affectkeras.comparing.claims import Claim
from affectkeras.datasets.table import (
    ArrayPayload,
    ExampleTable,
    FilePayload,
    Target,
    rejected_frame,
)
from affectkeras.evaluation import number_metrics
from affectkeras.evaluation.leakage import CHECKS
from affectkeras.evaluation.splits import Split
from affectkeras.number_result import write_number_result
from affectkeras.number_results import ablation_rows, summarise_numbers
from tests.synthetic_number_run import TARGETS, number_history, number_predictions

CLAIMS = (
    Claim("figure-9.loss", 0.05, "valence.mse", 25, "video", "Figure 9", "gru", "aff_wild"),
    Claim("figure-8.loss", 0.06, "arousal.mse", 25, "video", "Figure 8", "gru", "aff_wild"),
)


@dataclasses.dataclass(frozen=True)
class Config:
    """What a recipe's end reads of its settings; this one has no `train_rows`."""

    data_dir: Path | None = None
    protocol: str = "video"
    seeds: tuple[int, ...] = (0, 1)
    quick: bool = True


@pytest.fixture
def unreported(monkeypatch):
    """Leave the page away, whose plots take seconds."""
    monkeypatch.setattr("affectkeras.number_result.write_report", lambda run: None)


def table_of(predictions, payload=None) -> ExampleTable:
    rows = predictions[(predictions["arm"] == "gru") & (predictions["seed"] == 0)]
    frame = rows[["example_id", "group", "split", *TARGETS]].reset_index(drop=True)
    frame = frame.assign(subject="", source=frame["group"])
    # A quarter of the rows, further videos, trains.
    train = frame[frame["split"] == "validation"].assign(split="train")
    for column in ("example_id", "group"):
        train[column] = train[column].str.replace("validation", "train")
    frame = pd.concat([train, frame], ignore_index=True)
    targets = tuple(Target(name, "number") for name in TARGETS)
    payload = payload or FilePayload(np.array(frame["group"], dtype=object))
    rejected = rejected_frame([("test/009.mp4", "damaged", "it ends early")])
    return ExampleTable(
        "aff_wild", frame, targets, payload, True, rejected, len(frame) + len(rejected)
    )


def split_of(table) -> Split:
    parts = [
        np.flatnonzero(table.frame["split"] == part) for part in ("train", "validation", "test")
    ]
    aside = pd.DataFrame({"row": [], "reason": []})
    return Split(*parts, "video", "Whole videos on one side.", aside, True)


def findings_of(pairs=()):
    checks = {
        name: {"passed": True, "count": 0, "examples": [], "pairs": list(pairs)} for name in CHECKS
    }
    return {"passed": True, "checks": checks, "not_checked": {}}


def write(folder, *, payload=None, pairs=(), config=None, **changes):
    """Write a run as a recipe does, from its predictions on; return run, result and table."""
    config = config or Config()
    run = runs.create_run("affwild_cnn_gru", config, folder)
    predictions, history = number_predictions(), number_history()
    runs.write_csv(run / "predictions.csv", predictions)
    runs.write_csv(run / "history.csv", history)
    (run / "parts").mkdir()
    table = table_of(predictions, payload)
    arms = summarise_numbers(predictions, TARGETS, repetitions=100)
    seal = {"fitted": {"weights": {"gru": 240}}, "test_rows_read": 240}
    options = {
        "claims": CLAIMS, "banners": ["Sample data."], "model": "cnn_gru", "arms": arms,
        "served_arm": "gru", "exports": {}, "prepare_s": 1.0,
        "trained": [{"seal": seal, "seconds": 20.0}] * 2,
        "ablation": ablation_rows(arms, history, {"gru": 10, "lstm": 13}),
    }  # fmt: skip
    found = findings_of(pairs)
    result = write_number_result(run, config, table, [split_of(table)], found, **options | changes)
    return run, result, table


def test_a_recipe_ends_with_a_result_a_report_and_no_parts(tmp_path):
    run, result, _ = write(tmp_path / "run")
    assert json.loads((run / "result.json").read_text())["arms"].keys() == {"gru", "lstm"}
    assert result["targets"] == ["valence", "arousal"]
    assert "target" not in result["dataset"]
    assert result["dataset"]["examples"] == {"train": 240, "validation": 240, "test": 240}
    assert result["dataset"]["groups"] == {"train": 12, "validation": 12, "test": 12}
    assert (result["dataset"]["sample"], result["dataset"]["quick"]) == (True, True)
    assert (result["served"], result["served_arm"]) == ("cnn_gru-gru", "gru")
    assert result["timing"] == {"prepare_s": 1.0, "train_s": 40.0}
    assert len(result["ablation"]) == 4
    assert "it ends early" in (run / "rejected.csv").read_text()
    assert "shown to beat the mean of training" in (run / "report.html").read_text()
    assert (run / "plots" / "ccc.png").exists()
    assert not (run / "parts").exists()
    assert not (run / "thumbnails.npz").exists()  # a video is no picture


def test_the_mean_of_training_is_measured_beside_it(tmp_path, unreported):
    _, result, table = write(tmp_path / "run", baselines={"face mean": {"valence": {"ccc": 0.1}}})
    found = result["baselines"]["mean"]["arousal"]
    parts = dict(iter(table.frame.groupby("split")["arousal"]))
    assert found["value"] == pytest.approx(parts["train"].mean())
    constant = np.full(240, found["value"])
    assert found["rmse"] == pytest.approx(
        number_metrics.root_mean_squared_error(parts["test"], constant)
    )
    assert found["ccc"] == 0
    assert result["baselines"]["face mean"] == {"valence": {"ccc": 0.1}}


def test_published_errors_stand_beside_ours(tmp_path, unreported):
    _, result, _ = write(tmp_path / "run")
    valence, arousal = result["claims"]
    test = result["arms"]["gru"]["test"]["targets"]
    assert valence["ours"] == test["valence"]["mse"]["mean"]
    assert arousal["ours"] == test["arousal"]["mse"]["mean"]
    assert (valence["comparable"], valence["ours_n"]) == (False, 240)
    assert "Ours is measured on rendered sample data." in valence["why_not"]


def test_pairs_of_pictures_are_kept_for_the_report(tmp_path, unreported):
    Image.new("RGB", (20, 20), (9, 99, 9)).save(tmp_path / "face.jpg")
    payload = FilePayload(np.full(720, str(tmp_path / "face.jpg"), dtype=object))
    pair = ("train/000.mp4 frame 00000", "test/000.mp4 frame 00040")
    run, _, _ = write(tmp_path / "run", payload=payload, pairs=[pair])
    with np.load(run / "thumbnails.npz") as content:
        assert sorted(content["example_id"]) == sorted(pair)
        assert content["pixels"].shape == (2, 96, 96, 3)


def test_pixels_in_memory_are_pictures_and_other_arrays_are_not(tmp_path, unreported):
    index = np.arange(720)
    pair = [("train/000.mp4 frame 00000", "test/000.mp4 frame 00040")]
    pixels = ArrayPayload({"pixels": np.zeros((720, 8, 8, 3), np.uint8)}, index)
    features = ArrayPayload({"features": np.zeros((720, 4))}, index)
    seen, _, _ = write(tmp_path / "seen", payload=pixels, pairs=pair)
    unseen, _, _ = write(tmp_path / "unseen", payload=features, pairs=pair)
    assert (seen / "thumbnails.npz").exists()
    assert not (unseen / "thumbnails.npz").exists()


def test_a_target_that_no_arm_predicts_is_not_one_of_the_result(tmp_path, unreported):
    arms = summarise_numbers(number_predictions(), ["arousal"], repetitions=20)
    _, result, _ = write(tmp_path / "run", arms=arms, ablation=None)
    assert result["targets"] == ["arousal"]
    assert list(result["baselines"]["mean"]) == ["arousal"]
    assert "ablation" not in result

"""The pruning recipe keeps what Table 1, Figures 1 and 2 and an auditor need, all in agreement."""

import dataclasses
import json

import keras
import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.sample.marks import TRUTH_COLUMNS, TRUTH_FILE
from affectkeras.errors import UserError
from affectkeras.pruning.plan import PrunePlan
from affectkeras.pruning.proof import verify_pruned
from recipes import fer_pruned_cnn
from recipes.fer_pruned_cnn import CLAIMS, TABLE_1, Config, settings, settle
from tests.recipe_runs import run, write_faces

OWN = ("--dataset", "image_folder", "--group-pattern", r"/(person\d)_", "--batch-size", "16")


@pytest.fixture(scope="module")
def table_run(tmp_path_factory):
    """Run the two settings of Table 1 that have ten epochs, at random as published."""
    faces = write_faces(tmp_path_factory.mktemp("faces"))
    folder = tmp_path_factory.mktemp("runs") / "table"
    options = ("--protocol", "paper", "--epochs", "10", "--seeds", "0", "1", "--run-dir", folder)
    printed = run("recipes.fer_pruned_cnn", "--data-dir", faces, *OWN, *options)
    return folder, json.loads((folder / "result.json").read_text()), printed


def test_table_1_says_what_predictions_history_and_models_say(table_run):
    folder, result, _ = table_run
    table = pd.read_csv(folder / "table_1.csv")
    assert table["epochs"].tolist() == [10, 10]
    assert table["learning_rate"].tolist() == [1e-4, 1e-3]
    assert table["threshold"].tolist() == [8, 8]
    predictions = pd.read_csv(folder / "predictions.csv")
    history = pd.read_csv(folder / "history.csv")
    for row in table.itertuples():
        whole = f"10x{row.learning_rate:g}"
        test = predictions[predictions["split"] == "test"]
        for arm, found in (
            (whole, row.validation_accuracy),
            (f"{whole}-8deg", row.validation_accuracy_after_pruning),
        ):
            rows = test[test["arm"] == arm]
            assert found == pytest.approx((rows["expression"] == rows["predicted"]).mean())
        watched = history[history["arm"] == whole]
        assert len(watched) == 20
        assert row.average_test_accuracy == pytest.approx(watched["val_accuracy"].mean())
        sizes = result["arms"][f"{whole}-8deg"]["model"]
        assert row.feature_maps == sizes["n"] == 256
        assert row.feature_maps_pruned == pytest.approx(np.mean(sizes["maps_removed"]["per_seed"]))


def test_every_pruned_network_is_the_whole_one_without_what_its_plan_names(table_run):
    folder, result, _ = table_run
    for whole in ("10x0.0001", "10x0.001"):
        models = {
            arm: keras.models.load_model(folder / "models" / f"six-block-{arm}" / "model.keras")
            for arm in (whole, f"{whole}-8deg")
        }
        path = folder / "models" / f"six-block-{whole}-8deg" / "plan.json"
        plan = PrunePlan.from_json(path.read_text())
        removed = sum(len(entry.removed) for entry in plan.layers)
        sizes = result["arms"][f"{whole}-8deg"]["model"]
        assert removed in sizes["maps_removed"]["per_seed"]
        assert models[f"{whole}-8deg"].count_params() in sizes["parameters"]["per_seed"]
        seeds = [result["arms"][arm]["validation"]["accuracy"]["per_seed"] for arm in models]
        if all(one.index(max(one)) == 0 for one in seeds):  # the same seed was kept of both
            assert verify_pruned(*models.values(), plan) <= 1e-4


def test_the_sweep_begins_with_the_whole_network_and_never_takes_fewer_maps(table_run):
    folder, result, _ = table_run
    sweep = pd.read_csv(folder / "sweep.csv")
    for (arm, seed), rows in sweep.groupby(["arm", "seed"]):
        assert np.isnan(rows["threshold"].iloc[0])
        assert rows["threshold"].iloc[1:].tolist() == list(fer_pruned_cnn.SWEEP)
        assert rows["maps_removed"].is_monotonic_increasing
        validation = result["arms"][arm]["validation"]["accuracy"]["per_seed"][seed]
        assert rows["accuracy"].iloc[0] == pytest.approx(validation)
        assert rows["latency_ms"].notna().all() == (seed == 0)
        at_8 = rows.loc[rows["threshold"] == 8, "maps_removed"].iloc[0]
        assert at_8 == result["arms"][f"{arm}-8deg"]["model"]["maps_removed"]["per_seed"][seed]
    for name in ("sweep", "feature-maps"):
        assert (folder / "plots" / f"{name}.png").stat().st_size > 10_000
    page = (folder / "report.html").read_text()
    assert "average test accuracy" in page
    assert "8°, 172°" in page


def test_the_published_split_is_called_leaky_and_claims_are_not_compared(table_run):
    _, result, printed = table_run
    assert "80 % training, 10 % validation and 10 % test" in result["protocol"]["description"]
    assert "It leaks" in printed
    honest = result["protocol"]["honest"]["not_run"]
    assert honest.startswith("python -m recipes.fer_pruned_cnn")
    assert "--protocol" not in honest
    assert len(result["claims"]) == len(CLAIMS) == 29
    assert not any(claim["comparable"] for claim in result["claims"])
    ours = {claim["id"]: claim["ours"] for claim in result["claims"]}
    arm = result["arms"]["10x0.001-8deg"]
    assert ours["table-1.10x0.001.maps-pruned"] == arm["model"]["removed_share"]["mean"]
    assert ours["table-1.10x0.001.after-pruning"] == arm["test"]["accuracy"]["mean"]


def test_all_modules_can_be_pruned_and_trained_on_and_drawn_faces_are_called_a_sample(tmp_path):
    faces = write_faces(tmp_path / "faces")
    truth = "calm/person0_0.png,calm,calm,False"
    (faces / TRUTH_FILE).write_text(f"{','.join(TRUTH_COLUMNS)}\n{truth}\n")
    options = ("--plan", "cosine", "--epochs", "3", "--seeds", "0", "--thresholds", "8")
    more = ("--everywhere", "60", "--tune-epochs", "2", "--merge", "least-squares", "--mirror")
    folder = tmp_path / "run"
    run("recipes.fer_pruned_cnn", "--data-dir", faces, *OWN, *options, *more, "--run-dir", folder)
    plan = json.loads(
        (folder / "models" / "six-block-3x0.0015-everywhere-60deg" / "plan.json").read_text()
    )
    assert {entry["layer"] for entry in plan["layers"]} > {"module1_conv", "module5_conv"}
    result = json.loads((folder / "result.json").read_text())
    assert result["dataset"]["sample"]
    assert not result["dataset"]["quick"]
    assert "Sample data" in (folder / "report.html").read_text()
    sizes = result["arms"]["3x0.0015-everywhere-60deg"]["model"]
    assert sizes["n"] == 16 + 32 + 64 + 128 + 256
    for arm in ("3x0.0015-mirrored", "3x0.0015-everywhere-60deg-mirrored"):
        assert (folder / "models" / f"six-block-{arm}" / "saved_model").is_dir()
    modules = pd.read_csv(folder / "modules.csv")
    assert set(modules["without"].dropna()) == {f"module{number}" for number in range(1, 6)}
    assert "What whole modules are worth" in (folder / "report.html").read_text()
    history = pd.read_csv(folder / "history.csv")
    assert history[history["arm"] == "3x0.0015-everywhere-60deg"]["epoch"].tolist() == [1, 2]


def test_settings_come_short_before_long_and_table_1_adds_up():
    assert [one.arm for one in settings(Config())] == [
        *("10x0.0001", "20x0.0001", "40x0.0001", "50x0.0001"),
        *("10x0.001", "20x0.001", "50x0.001"),
    ]
    assert [row.removed for row in TABLE_1] == [111, 7, 148, 36, 16, 191, 43]
    for row in TABLE_1:  # every figure read once is a count of 55 images
        for figure in (row.before, row.after):
            assert abs(figure * 55 - round(figure * 55)) < 0.01


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "--epochs must be above 0. Received: 0"),
        ({"thresholds": (95.0,)}, r"--thresholds must be in \[0, 90\) degrees"),
        ({"thresholds": ()}, "--thresholds must name at least one"),
        ({"widths": (16, 32)}, "--widths must be five numbers above 0"),
        ({"label_smoothing": 1.0}, r"--label-smoothing must be from 0 to below 1"),
        ({"tune_epochs": -1}, "--tune-epochs must be at least 0"),
        ({"data_dir": "missing"}, "--data-dir missing: there is nothing"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    if "data_dir" in changes:
        from pathlib import Path

        changes = {"data_dir": Path(changes["data_dir"])}
    with pytest.raises(UserError, match=message):
        settle(dataclasses.replace(Config(), **changes))

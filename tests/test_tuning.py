"""Every search is run as a user runs it, in processes of its own, with two trials."""

import dataclasses
import json
import pkgutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tuning
from affectkeras.evaluation.seal import Seal
from affectkeras.searching.folder import read_trials
from tests.recipe_runs import run, write_faces

NAMES = [module.name for module in pkgutil.iter_modules(tuning.__path__)]
SMALLEST = {
    "sfew_resnet": (
        *("--train-rows", "60", "--backbone", "mobilenet_0.25", "--weights", "none"),
        *("--image-size", "32", "--epochs", "2", "--removal", "none", "--seeds", "0"),
    ),
    "fer_pruned_cnn": ("--train-rows", "60", "--batch-size", "16", "--epochs", "2"),
    "anustress_stressnet": (
        *("--frames", "1", "--image-size", "32", "--epochs", "1", "--dropout", "none"),
        *("--activations", "gelu", "--no-inflation", "--folds", "3"),
    ),
    "affwild_cnn_gru": ("--every", "12", "--image-size", "32", "--epochs", "2"),
    "fusion": ("--fusions", "shared", "--epochs", "1", "--inner-folds", "2"),
}


def settings_of_faces(folder: Path, **changes):
    from recipes.sfew_resnet import Config

    return dataclasses.replace(
        Config(
            data_dir=folder,
            dataset="image_folder",
            group_pattern=r"/(person\d)_",
            backbone="mobilenet_0.25",
            weights="none",
            image_size=32,
            regime="head",
            plan="cosine",
            epochs=2,
            batch_size=8,
            removal=("none",),
            seeds=(0,),
        ),
        **changes,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_search_runs_on_sample_data_and_its_best_trial_becomes_a_whole_run(name, tmp_path):
    folder = tmp_path / "search"
    printed = run(
        *(f"tuning.{name}", "--quick", "--trials", "2", "--tuner", "random"),
        *("--run-dir", folder, *SMALLEST[name]),
    )
    assert "Sample data" in printed
    search = json.loads((folder / "search.json").read_text())
    assert search["status"] == "complete"
    rows = read_trials(folder)
    assert [row["status"] for row in rows] == ["completed"] * 2, [row["cause"] for row in rows]
    best = json.loads((folder / "best" / "result.json").read_text())
    assert best["status"] == "complete"
    assert best["recipe"] == search["search"]
    assert (folder / "best" / "saved_model" / "saved_model.pb").is_file()
    for path in ("report.html", "trials.csv", "plots/history.png", "best/report.html"):
        assert (folder / path).is_file(), path
    config = json.loads((folder / "best" / "config.json").read_text())["config"]
    chosen = next(row for row in rows if row["trial"] == search["choice"]["trial"])
    for field, value in chosen["values"].items():
        if "." not in field:
            assert config[field] == value, field


def test_trials_find_the_same_when_no_test_file_can_be_read_any_more(tmp_path):
    from tuning.sfew_resnet import measure, prepare

    faces = write_faces(tmp_path / "faces")
    config = settings_of_faces(faces)
    table, split = prepare(config)
    hidden = table.frame["example_id"].to_numpy()[split.test]
    assert len(hidden) >= 3
    with_files = measure(config, (table, split), part(tmp_path, "with"))
    for name in hidden:
        (faces / name).unlink()
    without = measure(config, (table, split), part(tmp_path, "without"))
    assert without.objective == with_files.objective
    for left, right in zip(without.model.weights, with_files.model.weights, strict=True):
        np.testing.assert_array_equal(left.numpy(), right.numpy())
    # Whoever tried would fail: nothing in the table leads to a test row.
    assert not any(str(path).startswith(str(faces)) for path in table.payload.paths[split.test])
    assert set(table.frame["expression"].to_numpy()[split.test]) == {0}


def test_a_trial_that_would_read_test_rows_is_refused(tmp_path):
    from affectkeras.evaluation.seal import Leak, Seal
    from affectkeras.pipelines.augmentation import Augmentation
    from affectkeras.pipelines.images import ImagePipeline
    from tuning.sfew_resnet import prepare

    table, split = prepare(settings_of_faces(write_faces(tmp_path / "faces")))
    images = ImagePipeline(
        table,
        image_size=(32, 32),
        batch_size=4,
        targets=table.frame["expression"].to_numpy(),
        augmentation=Augmentation.none(),
        seed=0,
        seal=Seal(split),
    )
    with pytest.raises(Leak, match="test rows would be read"):
        images.clean(split.test)


def test_trials_on_a_frozen_backbone_compute_its_features_once(tmp_path, monkeypatch):
    from tuning.sfew_resnet import measure, prepare

    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    config = settings_of_faces(write_faces(tmp_path / "faces"))
    data = prepare(config)
    first = measure(config, data, part(tmp_path, "first"))
    found = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    assert found
    other = dataclasses.replace(config, hidden=64, learning_rate=1e-2, batch_size=4)
    second = measure(other, data, part(tmp_path, "second"))
    assert second.model.count_params() < first.model.count_params()
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    assert again == found


def test_the_smallest_network_within_a_point_of_the_best_is_chosen_over_all_trials(tmp_path):
    from affectkeras.files import write_csv
    from tuning.fer_pruned_cnn import choose

    # Trial 0 is the best; of trial 1 a pruned network loses 0.9 points, another 1.1.
    sweeps = {
        "0": [(None, 0, 400, 0.700), (8.0, 90, 250, 0.660)],
        "1": [(None, 0, 200, 0.695), (8.0, 60, 120, 0.691), (15.0, 80, 90, 0.689)],
    }
    rows = []
    for name, found in sweeps.items():
        frame = pd.DataFrame(found, columns=["threshold", "maps_removed", "parameters", "accuracy"])
        write_csv(part(tmp_path, f"trials/{name}") / "sweep.csv", frame.assign(arm="8x1", macs=1))
        rows.append({"trial": name, "status": "completed"})
    chosen = choose(tmp_path, rows)
    assert (chosen.trial, chosen.changes["thresholds"]) == ("1", (8.0,))
    assert "0.6910 with 120 parameters" in chosen.words
    points = pd.read_csv(tmp_path / "pareto.csv")
    assert points[points["pareto"]]["parameters"].tolist() == [90, 120, 200, 400]
    assert (tmp_path / "plots" / "pareto.png").is_file()


@pytest.mark.parametrize(
    ("arm", "changes"),
    [
        ("8x1", {"thresholds": (8.0,), "everywhere": (), "tune_epochs": 0}),
        ("8x1-tuned", {"thresholds": (8.0,), "everywhere": ()}),
        ("8x1-everywhere", {"everywhere": (8.0,), "tune_epochs": 0}),
        ("8x1-everywhere-tuned", {"everywhere": (8.0,)}),
    ],
)
def test_the_run_of_the_chosen_network_prunes_and_trains_on_as_its_trial_did(
    arm, changes, tmp_path
):
    from affectkeras.files import write_csv
    from tuning.fer_pruned_cnn import choose

    columns = ["arm", "threshold", "maps_removed", "parameters", "macs", "accuracy"]
    found = [("8x1", None, 0, 400, 1, 0.7), (arm, 8.0, 90, 250, 1, 0.7)]
    write_csv(part(tmp_path, "trials/0") / "sweep.csv", pd.DataFrame(found, columns=columns))
    chosen = choose(tmp_path, [{"trial": "0", "status": "completed"}])
    assert chosen.changes == changes
    assert ("and trained on" in chosen.words) == arm.endswith("-tuned")


def test_pruned_networks_are_trained_on_and_scored_again_within_a_trial(tmp_path):
    from recipes import fer_pruned_cnn as recipe
    from tuning.fer_pruned_cnn import measure, prepare

    config = recipe.Config(
        data_dir=write_faces(tmp_path / "faces"),
        dataset="image_folder",
        group_pattern=r"/(person\d)_",
        plan="cosine",
        epochs=2,
        batch_size=8,
        widths=(4, 4, 8, 8, 8),
        thresholds=(52.0,),  # none of the sweep's own
        everywhere=(40.0,),
        tune_epochs=3,
        seeds=(0,),
    )
    table, split = prepare(config)
    folder = part(tmp_path, "trial")
    measured = measure(config, (table, split), folder)
    sweep = pd.read_csv(folder / "sweep.csv")
    tuned = sweep[sweep["arm"].str.endswith("-tuned")]
    assert tuned[["arm", "threshold"]].to_numpy().tolist() == [
        ["2x0.0015-tuned", 52.0],
        ["2x0.0015-everywhere-tuned", 40.0],
    ]
    for row in tuned.to_dict("records"):
        before = sweep[
            (sweep["arm"] == row["arm"].removesuffix("-tuned"))
            & (sweep["threshold"] == row["threshold"])
        ]
        assert before["parameters"].tolist() == [row["parameters"]]
    # The network that is kept is a trained one: it reaches on validation rows what its row says.
    images = recipe.build_images(config, table, 0, Seal(split))
    logits = measured.model.predict(images.clean(split.validation), verbose=0)
    labels = table.frame["expression"].to_numpy()[split.validation]
    smallest = tuned.sort_values("parameters").iloc[0]
    assert measured.model.count_params() == smallest["parameters"]
    assert (logits.argmax(axis=1) == labels).mean() == pytest.approx(smallest["accuracy"])


def part(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir(parents=True)
    return made

"""Every recipe is run as a user runs it, in processes of its own, on tiny data."""

import json
import pkgutil
import random
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recipes
from affectkeras.datasets import reader
from affectkeras.datasets.sample import (
    sample_anu_stress,
    sample_k_emocon,
    sample_pamap2,
    sample_sfew,
    sample_stress_predict,
)
from affectkeras.errors import UserError
from affectkeras.evaluation.leakage import CHECKS
from affectkeras.evaluation.number_metrics import concordance
from affectkeras.evaluation.subject_scores import subject_scores, subject_summary
from affectkeras.number_results import summarise_numbers
from affectkeras.results import summarise
from tests.recipe_runs import run, start, write_faces
from tests.tiny_k_emocon import write_k_emocon

NAMES = [module.name for module in pkgutil.iter_modules(recipes.__path__)]
# Of a size that trains in seconds; BDR removes at the end of epoch 6.
TINY = ("--backbone", "mobilenet_0.25", "--weights", "none", "--image-size", "32")
TINY += ("--batch-size", "8", "--epochs", "7", "--seeds", "0")
# What a recipe's quick run reads of its sample data.
TABLES = {
    "sfew_resnet": lambda: reader("sfew").read(sample_sfew(), progress=False),
    "fer_pruned_cnn": lambda: reader("sfew").read(sample_sfew(), progress=False),
    "backbone_features": lambda: reader("sfew").read(sample_sfew(), progress=False),
    "anustress_stressnet": lambda: reader("anu_stress").read(
        sample_anu_stress(), labels=20, frames=1, crop=480, progress=False
    ),
    "kemocon_lstm": lambda: reader("k_emocon").read(sample_k_emocon(), progress=False),
    "kemocon_fusion": lambda: reader("k_emocon").read(sample_k_emocon(), progress=False),
    "pamap2_fusion": lambda: reader("pamap2").read(sample_pamap2(), progress=False),
    "stress_predict_fusion": lambda: reader("stress_predict").read(
        sample_stress_predict(), progress=False
    ),
}
FUSION = ("--filters", "2", "--dense", "4", "--epochs", "1", "--inner-folds", "2")
SMALLEST = {
    "sfew_resnet": ("--train-rows", "60", *TINY[:10]),
    "fer_pruned_cnn": ("--train-rows", "60", "--batch-size", "16", "--epochs", "3"),
    "backbone_features": (
        *("--train-rows", "60", "--image-size", "32", "--weights", "none"),
        *("--classifiers", "logistic", "linear-svm", "tree"),
    ),
    "anustress_stressnet": ("--frames", "1", "--image-size", "32", "--epochs", "2"),
    "affwild_cnn_gru": ("--every", "12", "--image-size", "32", "--epochs", "2"),
    "kemocon_lstm": ("--hidden-size", "4", "--epochs", "1", "--inner-folds", "2"),
    "kemocon_fusion": ("--seconds", "5", "--fusions", "sensor", *FUSION),
    "pamap2_fusion": ("--fusions", "shared", *FUSION),
    "stress_predict_fusion": ("--fusions", "channel", "--step-s", "60", *FUSION),
}


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"))


def own_faces(faces: Path, *more) -> tuple:
    pattern = r"/(person\d)_"
    return (
        *("recipes.sfew_resnet", "--dataset", "image_folder", "--data-dir", faces),
        *("--group-pattern", pattern, *TINY, *more),
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_runs_quickly_on_sample_data_and_leaves_a_whole_run_folder(name, tmp_path):
    folder = tmp_path / "run"
    printed = run(f"recipes.{name}", "--quick", "--run-dir", folder, *SMALLEST[name])
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "complete"
    assert result["dataset"]["sample"]
    assert result["dataset"]["quick"]
    assert str(folder / "report.html") in printed
    assert "Sample data" in printed
    for path in ("history.csv", "predictions.csv", "rejected.csv", "model.keras", "report.html"):
        assert (folder / path).is_file(), path
    assert (folder / "saved_model" / "saved_model.pb").is_file()
    assert len(list((folder / "plots").glob("*.png"))) >= 3
    predictions = pd.read_csv(folder / "predictions.csv")
    for arm, found in result["arms"].items():
        test = predictions[(predictions["split"] == "test") & (predictions["arm"] == arm)]
        assert_figures_are_those_of_the_predictions(result, found["test"], test)
    difference = result["exports"][result["served"]]["saved_model"]["max_difference"]
    assert difference <= 1e-4
    assert result["leakage"]["passed"]
    assert {*result["leakage"]["checks"], *result["leakage"]["not_checked"]} == set(CHECKS)
    if "targets" in result:
        assert_numbers_are_invariant(result, predictions)
    elif "by_subject" in result:
        assert_subjects_are_invariant(result, predictions)
        assert_windows_are_served_as_by_keras(folder, TABLES[name]())
        assert "--dataset " + result["dataset"]["name"] + " FOLDER" in printed
    else:
        assert_evaluation_is_invariant(folder, result, TABLES[name]())


def assert_figures_are_those_of_the_predictions(result, found: dict, test: pd.DataFrame) -> None:
    for target in result.get("targets", []):
        ccc = concordance(test[target].to_numpy(), test[f"predicted_{target}"].to_numpy())
        assert found["targets"][target]["ccc"]["per_seed"] == [pytest.approx(ccc)]
    if "targets" not in result:
        accuracy = (test[result["dataset"]["target"]] == test["predicted"]).mean()
        assert found["accuracy"]["per_seed"] == [pytest.approx(accuracy)]


def assert_numbers_are_invariant(result: dict, predictions: pd.DataFrame) -> None:
    """Hold that the order of the rows changes no figure."""
    shuffled = predictions.sample(frac=1, random_state=0)
    again = summarise_numbers(shuffled, result["targets"])
    for arm, found in result["arms"].items():
        for target, figures in found["test"]["targets"].items():
            for metric in ("ccc", "mse", "ccc_per_video"):
                for name in ("mean", "ci95"):
                    other = again[arm]["test"]["targets"][target][metric][name]
                    assert other == pytest.approx(figures[metric][name]), (arm, target, metric)


def assert_subjects_are_invariant(result: dict, predictions: pd.DataFrame) -> None:
    """Hold that the order of the rows changes no figure, neither pooled nor by subject."""
    shuffled = predictions.sample(frac=1, random_state=0)
    names, target = result["class_names"], result["dataset"]["target"]
    again = summarise(shuffled, names, target=target)
    by_subject = subject_summary(subject_scores(shuffled, names, target))
    assert set(by_subject) == set(again) == set(result["arms"]) >= set(result["floors"])
    for arm, found in result["arms"].items():
        assert by_subject[arm] == result["by_subject"][arm] == found["test"]["by_subject"]
        for metric in ("accuracy", "macro_f1"):
            for name in ("mean", "ci95"):
                other = again[arm]["test"][metric][name]
                assert other == pytest.approx(found["test"][metric][name]), (arm, metric)
    # Every arm, floors too, is tested on the same rows, each once.
    test = predictions[predictions["split"] == "test"]
    rows = test.groupby("arm")["example_id"].agg(lambda column: tuple(sorted(column)))
    assert rows.nunique() == 1
    assert len(rows.iloc[0]) == result["dataset"]["examples"]["test"]


def assert_windows_are_served_as_by_keras(folder: Path, table) -> None:
    """Hold that `predict` gives of recordings what the Keras model does, in any order."""
    import keras

    from affectkeras.signal_model import (
        load_signal_model,
        predict_recording,
        scales_of,
        served_windows,
        window_starts,
    )

    model = load_signal_model(folder)
    recordings = table.payload.recordings
    recording = next(one for one in recordings if set(model.facts.signals) <= set(one.signals))
    scale = scales_of([recording], model.facts).get(recording.subject)
    starts = window_starts(recording, model.facts, model.facts.seconds)
    windows, reasons = served_windows(recording, model.facts, starts, scale)
    usable = reasons == ""
    shaped = windows[usable].reshape(-1, *model.facts.window_shape)
    assert len(shaped) >= 5
    logits = keras.models.load_model(folder / "model.keras").predict(shaped, verbose=0)
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    assert expected.std(axis=0).min() > 1e-4
    rows = predict_recording(model, recording, model.facts.seconds, scale)
    columns = [f"p_{name}" for name in model.facts.class_names]
    np.testing.assert_allclose(rows.loc[usable, columns], expected, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(shaped))
    np.testing.assert_allclose(model.predict(windows[usable][order]), expected[order], atol=1e-5)


def assert_evaluation_is_invariant(folder: Path, result: dict, table) -> None:
    """Hold that neither the order of the test rows nor the batch size changes a figure."""
    from affectkeras.predict import load_classifier, predict_files

    arm = result["served_arm"]
    expected = result["arms"][arm]["test"]
    predictions = pd.read_csv(folder / "predictions.csv")
    test = predictions[(predictions["split"] == "test") & (predictions["arm"] == arm)]
    names = result["class_names"]
    target = result["dataset"]["target"]
    paths = dict(zip(table.frame["example_id"], table.payload.paths, strict=True))
    classes, classify = load_classifier(folder / "saved_model")
    assert classes == names
    # Of several folds one serves: the one whose predictions it gives.
    parts = [part for _, part in test.groupby("fold")]
    columns = [f"p_{name}" for name in names]
    served = []
    for part in parts:
        files = [Path(paths[name]) for name in part["example_id"]]
        found = np.stack([p for _, (_, p) in predict_files(files, classify, 64)])
        if np.allclose(found, part[columns].to_numpy(), atol=1e-5):
            served.append((files, part))
    assert len(served) == 1
    (files, test), saved = served[0], served[0][1][columns].to_numpy()
    expected = summarise(test, names, target=target)[arm]["test"] if len(parts) > 1 else expected
    for batch_size in (1, 7, 64):
        order = np.random.default_rng(batch_size).permutation(len(files))
        answers = predict_files([files[row] for row in order], classify, batch_size)
        found = np.stack([probabilities for _, (_, probabilities) in answers])
        np.testing.assert_allclose(found, saved[order], atol=1e-5)
        shuffled = test.iloc[order].assign(
            predicted=np.array(names)[found.argmax(axis=1)],
            **{f"p_{name}": found[:, column] for column, name in enumerate(names)},
        )
        again = summarise(shuffled, names, target=target)[arm]["test"]
        for metric in ("accuracy", "macro_f1"):
            assert again[metric]["mean"] == expected[metric]["mean"], (metric, batch_size)
            assert again[metric]["ci95"] == expected[metric]["ci95"]


def test_the_same_seed_gives_the_same_figures_twice_and_arms_share_their_first_epochs(
    faces, tmp_path
):
    for name in ("first", "second"):
        run(*own_faces(faces, "--removal", "none", "bdr", "random", "--run-dir", tmp_path / name))
    first, second = (
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("first", "second")
    )
    assert first["dataset"]["rejected"] == 1
    assert sum(first["dataset"]["examples"].values()) == 36
    assert first["arms"] == second["arms"]
    assert first["metrics"] == second["metrics"]
    # An arm trained alone, from its first epoch, reaches what it reaches from the shared ones.
    run(*own_faces(faces, "--removal", "bdr", "--run-dir", tmp_path / "alone"))
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())
    assert alone["arms"]["bdr"] == first["arms"]["bdr"]


@pytest.mark.parametrize("plan", ["paper", "staged"])
def test_a_run_killed_again_and_again_ends_like_one_that_was_left_alone(faces, tmp_path, plan):
    settings = own_faces(faces, "--plan", plan, "--removal", "none", "bdr")
    kill_again_and_again(tmp_path, settings, kills=3, at_least=2, chance=random.Random(plan))
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed")


def test_a_run_on_wearables_killed_again_and_again_ends_like_one_left_alone(tmp_path):
    people = write_k_emocon(tmp_path / "k_emocon", (1, 2, 3, 4, 5, 6))
    settings = (
        *("recipes.kemocon_lstm", "--data-dir", people, "--subjects", "all"),
        *("--target", "arousal", "--seconds", "2", "3", "--hidden-size", "4"),
        *("--epochs", "1", "--inner-folds", "2"),
    )
    kill_again_and_again(tmp_path, settings, kills=2, at_least=2, chance=random.Random(0))
    kept = ("predictions.csv", "history.csv", "choices.csv", "subject_scores.csv")
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed", kept)


def kill_again_and_again(folder: Path, settings, *, kills, at_least, chance) -> None:
    """Run a recipe in `folder`/whole undisturbed, and in `folder`/killed with deaths on the way."""
    run(*settings, "--run-dir", folder / "whole")
    began = time.perf_counter()
    # A cache that one run has filled would spare the other the work that is to be interrupted.
    killed = folder / "killed"
    process = start(*settings, "--run-dir", killed)
    deaths = 0
    for _ in range(kills):
        wait_for_progress(process, killed, 1, chance.uniform(0, 1))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        deaths += 1
        process = start(settings[0], "--resume", killed)
    printed, _ = process.communicate()
    assert process.returncode == 0, printed[-4000:]
    assert deaths >= at_least, f"only {deaths} kills in {time.perf_counter() - began:.0f} s"


def wait_for_progress(process, run_dir: Path, saves: int, delay: float) -> None:
    """Wait until the run has saved its state so many more times, and then a little."""
    seen = last_save(run_dir)
    while saves and process.poll() is None:
        time.sleep(0.02)
        if last_save(run_dir) != seen:
            seen, saves = last_save(run_dir), saves - 1
    time.sleep(delay)


def last_save(run_dir: Path) -> list:
    return sorted((p.name, p.parent.name, p.stat().st_mtime_ns) for p in run_dir.glob("parts/*/*"))


def assert_equal_runs(
    one: Path, other: Path, kept=("predictions.csv", "removals.csv", "scores.csv")
) -> None:
    import keras

    for name in kept:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    results = [json.loads((folder / "result.json").read_text()) for folder in (one, other)]
    assert results[0]["arms"] == results[1]["arms"]
    assert results[0]["served"] == results[1]["served"]
    models = [keras.models.load_model(folder / "model.keras") for folder in (one, other)]
    for left, right in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_array_equal(left.numpy(), right.numpy(), err_msg=left.path)


def test_a_mistake_is_told_in_one_sentence_and_ends_with_status_2(faces):
    process = start(*own_faces(faces, "--removal", "random"))
    printed, _ = process.communicate()
    assert process.returncode == 2
    assert "--removal random" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "ferplus"}, "--data-dir"),
        ({"data_dir": Path("nowhere")}, "--data-dir nowhere"),
        ({"data_dir": Path(), "weights": "imagenet"}, "does not look like SFEW"),
        ({"epochs": 0}, "--epochs must be above 0"),
        ({"epochs": 6}, "--removal removes rows at the end of epoch 6"),
        ({"backbone": "resnet5"}, "There is no backbone"),
        ({"weights": "none.h5"}, "expected a weights file"),
        ({"resume": Path("nowhere")}, "there is no folder"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message, tmp_path, monkeypatch):
    from recipes.sfew_resnet import Config, main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        main(Config(**settings))

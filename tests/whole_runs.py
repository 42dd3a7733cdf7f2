"""What every finished run of a recipe on sample data must hold."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets import reader
from affectkeras.datasets.sample import (
    sample_anu_stress,
    sample_k_emocon,
    sample_pamap2,
    sample_sfew,
    sample_stress_predict,
)
from affectkeras.evaluation.leakage import CHECKS
from affectkeras.evaluation.number_metrics import concordance
from affectkeras.evaluation.subject_scores import subject_scores, subject_summary
from affectkeras.number_results import summarise_numbers
from affectkeras.results import summarise

# What a recipe's quick run reads of its sample data.
TABLES = {
    "sfew_resnet": lambda: reader("sfew").read(sample_sfew(), progress=False),
    "fer_pruned_cnn": lambda: reader("sfew").read(sample_sfew(), progress=False),
    "sfew_ensemble": lambda: reader("sfew").read(sample_sfew(), progress=False),
    "backbone_features": lambda: reader("sfew").read(sample_sfew(), progress=False),
    "sfew_baselines": lambda: reader("sfew").read(sample_sfew(), progress=False),
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


def assert_whole_run(name: str, folder: Path, printed: str) -> None:
    """Hold that a quick run's folder is whole, and that its figures follow from what it keeps.

    Args:
        name: of the recipe.
        folder: of the run.
        printed: what the command printed.
    """
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

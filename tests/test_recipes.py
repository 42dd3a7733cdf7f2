"""Every recipe is run as a user runs it, in processes of its own, on tiny data."""

import json
import pkgutil
import random
import time
from pathlib import Path

import numpy as np
import pytest

import recipes
from affectkeras.errors import UserError
from tests.recipe_runs import run, start, write_faces
from tests.tiny_k_emocon import write_k_emocon
from tests.whole_runs import assert_whole_run

# Held to the same where their own tests have such a run already.
ELSEWHERE = {"anustress_stressnet", "sfew_ensemble"}
NAMES = sorted({module.name for module in pkgutil.iter_modules(recipes.__path__)} - ELSEWHERE)
# Of a size that trains in seconds; BDR removes at the end of epoch 6.
TINY = ("--backbone", "mobilenet_0.25", "--weights", "none", "--image-size", "32")
TINY += ("--batch-size", "8", "--epochs", "7", "--seeds", "0")
FUSION = ("--filters", "2", "--dense", "4", "--epochs", "1", "--inner-folds", "2")
SMALLEST = {
    "sfew_resnet": ("--train-rows", "60", *TINY[:10]),
    "fer_pruned_cnn": ("--train-rows", "60", "--batch-size", "16", "--epochs", "3"),
    "sfew_baselines": ("--train-rows", "150", "--epochs", "3"),
    "backbone_features": (
        *("--train-rows", "60", "--image-size", "32", "--weights", "none"),
        *("--classifiers", "logistic", "linear-svm", "tree"),
    ),
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
    assert_whole_run(name, folder, printed)


@pytest.fixture(scope="module")
def undisturbed(faces, tmp_path_factory) -> Path:
    """Two arms of the paper's plan, trained by a run that nothing cut off."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run(*own_faces(faces, "--removal", "none", "bdr", "--run-dir", folder))
    return folder


def test_an_arm_trained_again_alone_gives_the_figures_it_has_among_others(
    faces, tmp_path, undisturbed
):
    first = json.loads((undisturbed / "result.json").read_text())
    assert first["dataset"]["rejected"] == 1
    assert sum(first["dataset"]["examples"].values()) == 36
    # An arm trained anew, alone, from its first epoch, ends where it does from the shared ones.
    run(*own_faces(faces, "--removal", "bdr", "--run-dir", tmp_path / "alone"))
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())
    assert alone["arms"]["bdr"] == first["arms"]["bdr"]


def test_a_run_killed_again_and_again_ends_like_one_that_was_left_alone(
    faces, tmp_path, undisturbed
):
    settings = own_faces(faces, "--removal", "none", "bdr")
    kill_again_and_again(tmp_path / "killed", settings, kills=2, chance=random.Random("paper"))
    assert_equal_runs(undisturbed, tmp_path / "killed")


def test_a_run_in_stages_killed_again_and_again_ends_like_one_left_alone(faces, tmp_path):
    settings = own_faces(faces, "--plan", "staged", "--removal", "bdr")
    run(*settings, "--run-dir", tmp_path / "whole")
    kill_again_and_again(tmp_path / "killed", settings, kills=2, chance=random.Random("staged"))
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed")


def test_a_run_on_wearables_killed_again_and_again_ends_like_one_left_alone(tmp_path):
    people = write_k_emocon(tmp_path / "k_emocon", (1, 2, 3, 4, 5, 6))
    settings = (
        *("recipes.kemocon_lstm", "--data-dir", people, "--subjects", "all"),
        *("--target", "arousal", "--seconds", "2", "3", "--hidden-size", "4"),
        *("--epochs", "1", "--inner-folds", "2"),
    )
    run(*settings, "--run-dir", tmp_path / "whole")
    kill_again_and_again(tmp_path / "killed", settings, kills=2, chance=random.Random(0))
    kept = ("predictions.csv", "history.csv", "choices.csv", "subject_scores.csv")
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed", kept)


def kill_again_and_again(folder: Path, settings, *, kills: int, chance: random.Random) -> None:
    """Run a recipe that is killed so often on its way."""
    process = start(*settings, "--run-dir", folder)
    for _ in range(kills):
        wait_for_progress(process, folder, chance.uniform(0, 1))
        assert process.poll() is None, "It ended before it could be killed."
        process.kill()
        process.communicate()
        process = start(settings[0], "--resume", folder)
    printed, _ = process.communicate()
    assert process.returncode == 0, printed[-4000:]


def wait_for_progress(process, run_dir: Path, delay: float) -> None:
    """Wait until the run has saved its state once more, and then a little."""
    seen = last_save(run_dir)
    while process.poll() is None and last_save(run_dir) == seen:
        time.sleep(0.02)
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

"""The StressNet recipe beyond what every recipe is tested for: protocols, masks, other images."""

import json

import numpy as np
import pandas as pd
import pytest

from affectkeras.errors import UserError
from recipes.anustress_stressnet import CLAIMS, Config, settle
from tests.recipe_runs import run, write_faces
from tests.whole_runs import assert_whole_run

TINY = ("--quick", "--frames", "1", "--image-size", "32", "--epochs", "2", "--seeds", "0")
TINY += ("--folds", "3")
RECIPE = "recipes.anustress_stressnet"


@pytest.fixture(scope="module")
def subjects(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "subjects"
    settings = ("--activations", "gelu", "relu", "--export", "litert", "onnx")
    printed = run(RECIPE, *TINY, *settings, "--run-dir", folder)
    assert_whole_run("anustress_stressnet", folder, printed)
    return folder


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def test_every_subject_is_tested_once_by_every_arm(subjects):
    predictions = pd.read_csv(subjects / "predictions.csv")
    test = predictions[predictions["split"] == "test"]
    for _, rows in test.groupby("arm"):
        assert not rows["example_id"].duplicated().any()
        assert rows.groupby("group")["fold"].nunique().max() == 1
        assert rows["group"].nunique() == 14
    dataset = result_of(subjects)["dataset"]
    assert dataset["examples"] == {"test": test["example_id"].nunique()}
    assert dataset["groups"] == {"test": 14}
    assert dataset["examples"]["test"] + dataset["rejected"] == 14 * 20


def test_every_format_is_proved_equal_to_the_network(subjects):
    exports = result_of(subjects)["exports"]
    assert set(exports) == {"stress_net-20-dynamic", "stress_net-20-none"}
    for formats in exports.values():
        assert set(formats) == {"saved_model", "litert", "onnx"}
        assert all(one["max_difference"] <= 1e-4 for one in formats.values())


def test_the_published_split_stands_beside_and_never_among_the_arms(subjects):
    result = result_of(subjects)
    assert result["protocol"]["name"] == "subject"
    assert result["leakage"]["passed"]
    assert set(result["arms"]) == {"dynamic", "none", "mean-pixel"}
    found = pd.read_csv(subjects / "inflation.csv").set_index("protocol")
    assert found["leaks"].to_dict() == {"subject": False, "paper": True}
    honest = result["arms"]["dynamic"]["test"]["accuracy"]["mean"]
    assert found.loc["subject", "accuracy"] == pytest.approx(honest)
    published = pd.read_csv(subjects / "published_predictions.csv")
    test = published[published["split"] == "test"]
    right = (test["stress"] == test["predicted"]).mean()
    assert found.loc["paper", "accuracy"] == pytest.approx(right)
    assert not (subjects / "published").exists()


def test_the_masks_of_every_test_frame_are_measured_against_the_true_faces(subjects):
    masks = pd.read_csv(subjects / "masks.csv")
    assert set(masks["layer"]) == {"dynamic_dropout1", "dynamic_dropout2"}
    assert masks["example_id"].nunique() == result_of(subjects)["dataset"]["examples"]["test"]
    for column in ("sparsity", "weight_on_face", "face"):
        assert masks[column].between(0, 1).all()
    # A face covers about a fifth of the square: the ellipses are known.
    assert 0.1 < masks["face"].mean() < 0.3
    with np.load(subjects / "masks.npz") as content:
        assert content["layers"].tolist() == ["dynamic_dropout1", "dynamic_dropout2"]
        assert content["mask00"].shape == (4, 4, 64)
        assert content["mask01"].shape == (2, 2, 64)


def test_the_activations_are_timed_on_one_fold(subjects):
    found = pd.read_csv(subjects / "activations.csv")
    assert found["activation"].tolist() == ["gelu", "relu"]
    history = pd.read_csv(subjects / "activation_history.csv")
    aim = history.groupby("arm")["loss"].min().max()
    assert found["loss_to_reach"].tolist() == pytest.approx([aim, aim])


def test_the_report_shows_them_all(subjects):
    page = (subjects / "report.html").read_text()
    for words in ("What the leak adds", "Masks", "Activations", "Quote the honest figure"):
        assert words in page
    plots = {path.stem for path in (subjects / "plots").glob("*.png")}
    expected = {"arms-together", "inflation", "masks", "mask-weight", "activations"}
    assert expected <= plots


def test_the_published_protocol_is_said_to_leak_and_the_same_seed_gives_the_same_figures(tmp_path):
    settings = ("--protocol", "paper", "--activations", "gelu", "--dropout", "dynamic")
    printed = run(RECIPE, *TINY, *settings, "--run-dir", tmp_path / "run")
    result = result_of(tmp_path / "run")
    assert not result["leakage"]["passed"]
    assert "It leaks" in printed
    assert set(result["dataset"]["examples"]) == {"train", "validation", "test"}
    assert not (tmp_path / "run" / "inflation.csv").exists()
    run(RECIPE, *TINY, *settings, "--run-dir", tmp_path / "again")
    assert result_of(tmp_path / "again")["arms"] == result["arms"]


def test_other_images_train_under_their_own_protocols(tmp_path):
    faces = write_faces(tmp_path / "faces")
    run(
        *(RECIPE, "--dataset", "image_folder", "--data-dir", faces),
        *("--group-pattern", r"/(person\d)_", "--protocol", "grouped", "--leave-out", "sad"),
        *("--epochs", "2", "--seeds", "0", "--image-size", "24", "--run-dir", tmp_path / "run"),
    )
    result = result_of(tmp_path / "run")
    assert set(result["arms"]) == {"dynamic", "none", "standard", "spatial", "mean-pixel"}
    assert result["class_names"] == ["calm", "glad"]
    assert result["dataset"]["target"] == "expression"
    masks = pd.read_csv(tmp_path / "run" / "masks.csv")
    assert masks["weight_on_face"].isna().all()
    # Brightness tells these classes: the mean pixel alone does as well.
    assert result["arms"]["mean-pixel"]["test"]["accuracy"]["mean"] == 1.0


def test_the_settings_of_the_paper_are_table_1(tmp_path):
    (tmp_path / "manifest.csv").write_text("subject,modality,path,order\nA,thermal,a.avi,SC\n")
    small = settle(Config(data_dir=tmp_path))
    assert (small.epochs, small.learning_rate, small.batch_size) == (30, 5e-4, 16)
    assert (small.image_size, small.frames, small.protocol) == (240, 30, "subject")
    whole = settle(Config(data_dir=tmp_path, labels=20))
    assert (whole.epochs, whole.learning_rate) == (100, 1e-3)
    assert settle(Config(data_dir=tmp_path, epochs=7)).epochs == 7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "ferplus"}, "--dataset ferplus needs --data-dir"),
        ({"protocol": "official"}, "--protocol official is not for videos: subject or paper"),
        ({"train_rows": 100}, "--leave-out and --train-rows are for images, not for videos"),
        ({"epochs": 0}, "--epochs must be above 0. Received: 0"),
        ({"frames": 0}, "--frames must be above 0"),
        ({"seeds": ()}, "--seeds must name at least one, none twice. Received: none"),
        ({"dropout": ("none", "none")}, "--dropout must name at least one, none twice"),
    ],
)
def test_settings_that_no_run_can_have_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        settle(Config(**settings))


def test_the_claims_are_those_of_table_2():
    found = {(claim.model, claim.arm): claim.value for claim in CLAIMS}
    assert found["stress_net-6", "dynamic"] == 0.897
    assert found["stress_net-20", "none"] == 0.714
    assert {claim.n for claim in CLAIMS} == {1260, 4200, None}


def test_without_a_folder_cifar_10_is_keras_own_copy(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(UserError, match="load_data"):
        settle(Config(dataset="cifar10"))
    copy = tmp_path / "datasets" / "cifar-10-batches-bin"
    copy.mkdir(parents=True)
    (copy / "data_batch_1.bin").write_bytes(bytes(3073))
    settled = settle(Config(dataset="cifar10"))
    assert settled.data_dir.is_relative_to(tmp_path)
    assert settled.image_size == 32


def test_colour_pictures_of_cifar_10_train_as_well(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    for name in names:
        labels = np.arange(20) % 10
        pixels = random.integers(0, 256, (20, 3 * 32 * 32))
        records = np.concatenate([labels[:, np.newaxis], pixels], axis=1).astype(np.uint8)
        (folder / name).write_bytes(records.tobytes())
    run(
        *(RECIPE, "--dataset", "cifar10", "--data-dir", tmp_path, "--dropout", "dynamic"),
        *("--epochs", "1", "--seeds", "0", "--image-size", "32", "--run-dir", tmp_path / "run"),
    )
    result = result_of(tmp_path / "run")
    assert result["dataset"]["target"] == "object"
    assert result["dataset"]["examples"] == {"train": 90, "validation": 10, "test": 20}
    assert len(result["class_names"]) == 10

"""The ensemble recipe: its settings, and runs on sample faces, trained and from finished runs."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets import reader
from affectkeras.datasets.sample import sample_sfew
from affectkeras.errors import UserError
from affectkeras.files import read_csv
from recipes.sfew_ensemble import MEMBERS, Config, settle
from tests.recipe_runs import run, write_faces
from tests.whole_runs import assert_whole_run

RULES = ("uniform", "weighted", "stacked")
MEMBER_NAMES = ("mobilenet_0.25-32", "mobilenet_0.25-36")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, str]:
    """A run on sample faces of two members of one backbone in two sizes, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "trained"
    printed = run(
        *("recipes.sfew_ensemble", "--members", "mobilenet_0.25", "mobilenet_0.25"),
        *("--image-size", "32", "36", "--weights", "none"),
        *("--train-rows", "60", "--epochs", "3", "--run-dir", folder),
    )
    return folder, printed


def test_a_run_on_sample_data_leaves_a_whole_folder(trained):
    assert_whole_run("sfew_ensemble", *trained)


def read_result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_members_stand_first_the_best_of_them_on_validation_rows_before_all(trained):
    folder, _ = trained
    result = read_result(folder)
    arms = list(result["arms"])
    assert set(arms[:2]) == set(MEMBER_NAMES)
    assert arms[2:] == list(RULES)
    validation = [result["arms"][arm]["validation"]["accuracy"]["mean"] for arm in arms]
    assert validation[0] == max(validation[:2])
    assert result["served_arm"] in RULES
    served = validation[arms.index(result["served_arm"])]
    assert served == max(validation[2:])


def test_uniform_is_the_mean_of_the_members_probabilities_on_every_row(trained):
    predictions = read_csv(trained[0] / "predictions.csv")
    columns = [name for name in predictions.columns if name.startswith("p_")]
    for split in ("validation", "test"):
        rows = predictions[predictions["split"] == split]
        by_arm = {arm: found.set_index("example_id")[columns] for arm, found in rows.groupby("arm")}
        mean = (by_arm[MEMBER_NAMES[0]] + by_arm[MEMBER_NAMES[1]]) / 2
        np.testing.assert_allclose(by_arm["uniform"].loc[mean.index], mean, atol=1e-12)


def test_the_one_saved_model_gives_what_the_rule_made_of_the_members_predictions(trained):
    # That it gives it for every test row, in any order and batch, `assert_whole_run` holds.
    folder, _ = trained
    result = read_result(folder)
    exported = result["exports"][result["served"]]["saved_model"]
    assert exported["max_difference_to_members"] <= 1e-4


def test_predict_reads_files_with_the_ensemble(trained, tmp_path):
    folder, _ = trained
    result = read_result(folder)
    predictions = read_csv(folder / "predictions.csv")
    served = predictions[predictions["arm"] == result["served_arm"]]
    chosen = served[served["split"] == "test"].iloc[:7].set_index("example_id")
    table = reader("sfew").read(sample_sfew(), progress=False)
    paths = dict(zip(table.frame["example_id"], table.payload.paths, strict=True))
    files = [paths[name] for name in chosen.index]
    run("affectkeras", "predict", folder, *files, "--csv", tmp_path / "table.csv")
    columns = [f"p_{name}" for name in result["class_names"]]
    found = pd.read_csv(tmp_path / "table.csv")
    np.testing.assert_allclose(found[columns], chosen[columns], atol=1e-5)
    assert found["class_name"].tolist() == chosen["predicted"].tolist()


def test_shares_lie_in_the_run_and_the_report_says_what_was_fitted_on_what(trained):
    folder, printed = trained
    shares = read_csv(folder / "ensemble.csv")
    uniform = shares.loc[shares["rule"] == "uniform", "share"]
    assert uniform.tolist() == [0.5, 0.5]
    weighted = shares.loc[shares["rule"] == "weighted", "share"]
    assert weighted.sum() == pytest.approx(1.0)
    notes = " ".join(read_result(folder)["protocol"]["notes"])
    assert "weighted and stacked are fitted on validation rows" in notes
    assert "fitted on validation rows" in (folder / "report.html").read_text()
    best = next(iter(read_result(folder)["arms"]))
    assert f"uniform \N{MINUS SIGN} {best} = " in printed
    assert (folder / "comparison" / "comparison.png").is_file()


def test_finished_runs_are_joined_without_training_and_tested_on_the_same_rows(trained, tmp_path):
    first, _ = trained
    printed = run(
        *("recipes.sfew_ensemble", "--from", *(f"{first}:{name}" for name in MEMBER_NAMES)),
        *("--run-dir", tmp_path / "joined"),
    )
    assert "Epoch" not in printed
    joined = read_result(tmp_path / "joined")
    before, after = read_result(first)["arms"], joined["arms"]
    assert list(after) == list(before)
    for arm, found in after.items():  # the same members make the same ensembles
        for part in ("validation", "test"):
            assert found[part]["accuracy"] == before[arm][part]["accuracy"]
            loss = before[arm][part]["cross_entropy"]["mean"]
            assert found[part]["cross_entropy"]["mean"] == pytest.approx(loss, abs=1e-4)
    assert not (tmp_path / "joined" / "history.csv").exists()
    exported = joined["exports"][joined["served"]]["saved_model"]
    assert exported["max_difference_to_members"] <= 1e-4


def test_an_ensemble_is_no_member(trained, tmp_path, monkeypatch):
    from recipes.sfew_ensemble import main

    monkeypatch.chdir(tmp_path)
    given = (str(trained[0]), f"{trained[0]}:mobilenet_0.25-36")
    with pytest.raises(UserError, match="a member takes one colour picture and gives 7 logits"):
        main(Config(from_runs=given))


def copy_run(source: Path, target: Path) -> Path:
    """Copy of a run what says what it is."""
    target.mkdir()
    for name in ("result.json", "config.json", "predictions.csv", "model.keras"):
        (target / name).write_bytes((source / name).read_bytes())
    return target


def test_a_run_that_trained_on_what_is_tested_here_is_refused(trained, tmp_path, monkeypatch):
    from recipes.sfew_ensemble import main

    other = copy_run(trained[0], tmp_path / "other")
    predictions = read_csv(other / "predictions.csv")
    name = predictions.loc[predictions["split"] == "test", "example_id"].iloc[0]
    predictions[predictions["example_id"] != name].to_csv(other / "predictions.csv", index=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="the test rows are not those of this run: 1 are only here"):
        main(Config(from_runs=(str(trained[0]), str(other))))
    assert not (tmp_path / "runs").exists()


def test_a_model_that_does_not_give_its_runs_predictions_is_refused(trained, tmp_path):
    from affectkeras.finished_members import check_predictions, read_finished

    (member,) = read_finished([f"{trained[0]}:mobilenet_0.25-32"])
    predictions = read_csv(trained[0] / "predictions.csv")
    own = (predictions["arm"] == member.arm) & (predictions["split"] == "test")
    columns = [name for name in predictions.columns if name.startswith("p_")]
    kept = predictions.loc[own, columns].to_numpy()
    names = predictions.loc[own, "example_id"].to_numpy()
    assert check_predictions(member, names, "test", kept) == 0
    with pytest.raises(UserError, match="a probability is off by 0.0"):
        check_predictions(member, names, "test", kept + 0.01)


def test_runs_on_other_data_are_not_joined(trained, tmp_path):
    other = copy_run(trained[0], tmp_path / "other")
    saved = json.loads((other / "config.json").read_text())
    saved["config"]["protocol"] = "official"
    (other / "config.json").write_text(json.dumps(saved))
    with pytest.raises(UserError, match="with protocol grouped, .*other with official"):
        settle(Config(from_runs=(str(trained[0]), str(other))))


def test_what_is_no_finished_run_or_model_is_told(trained, tmp_path):
    folder = str(trained[0])
    for given, message in (
        ((str(tmp_path),), "no finished run: its result.json or config.json is missing"),
        ((f"{folder}:vgg16",), "there is no models/vgg16/model.keras in this run. It has ensemble"),
        ((folder, folder), "twice"),
    ):
        with pytest.raises(UserError, match=message):
            settle(Config(from_runs=given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0}, "--epochs must be above 0"),
        ({"members": ("vgg16",)}, "at least two members"),
        ({"members": ("vgg16", "resnet5")}, "There is no backbone 'resnet5'"),
        ({"members": ("vgg16", "vgg16")}, "would be called vgg16-48"),
        ({"members": ("vgg16", "resnet50"), "image_size": (48, 48, 48)}, "for each of the 2"),
        ({"members": ("inception_v3", "resnet50"), "image_size": (48,)}, "at least 75 pixels"),
        ({"members": ("vgg16", "vgg19"), "weights": ("none", "no.h5")}, "expected a weights file"),
        ({"data_dir": Path("nowhere")}, "--data-dir nowhere"),
    ],
)
def test_settings_that_cannot_work_are_refused(given, message):
    with pytest.raises(UserError, match=message):
        settle(Config(**given))


def test_each_backbone_has_its_own_size_where_none_is_given(tmp_path):
    write_faces(tmp_path / "faces", per_class=1)
    given = {"dataset": "image_folder", "data_dir": tmp_path / "faces", "weights": ("none",)}
    config = settle(Config(**given))
    assert config.members == MEMBERS
    assert config.image_size == (224, 299, 224, 224)
    assert config.weights == ("none",) * 4
    assert not config.quick
    same = settle(Config(members=("vgg16", "resnet50"), image_size=(96,), **given))
    assert same.image_size == (96, 96)

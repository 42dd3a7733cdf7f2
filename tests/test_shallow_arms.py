"""Arms without a network: chosen on training rows, fitted once, told behind the seal."""

import json

import numpy as np
import pandas as pd
import pytest

from affectkeras import runs
from affectkeras.evaluation.shallow_classifiers import LOGISTIC, TREE
from affectkeras.faces import divide_faces
from affectkeras.shallow_arms import choice_folds, read_linear, run_shallow_arm
from tests.test_faces import faces


@pytest.fixture
def data():
    table = faces([f"film {number // 3}" for number in range(90)])
    split, _ = divide_faces(table, "grouped")
    features = np.random.default_rng(0).normal(size=(90, 4))
    features[:, 0] += 3 * table.frame["expression"]
    return table, split, features


def run(data, tmp_path, arm="logistic", family=LOGISTIC, **changes):
    table, split, features = data
    read = changes.get("read", lambda rows: features[rows])
    part = runs.part_dir(tmp_path, 0, arm)
    choice = choice_folds(table, split, 3, changes.get("tune_rows"))
    run_shallow_arm(arm, family, read, table, split, 0, part=part, choice=choice)
    return part


def test_a_part_holds_predictions_the_choice_and_what_was_fitted_on_what(data, tmp_path):
    table, split, _ = data
    part = run(data, tmp_path)
    predictions = pd.read_csv(part / "predictions.csv")
    assert predictions["split"].value_counts().to_dict() == {
        "validation": len(split.validation),
        "test": len(split.test),
    }
    assert (predictions["expression"] == predictions["predicted"]).mean() > 0.8
    tried = pd.read_csv(part / "tuning.csv")
    assert len(tried) == len(LOGISTIC.choices)
    assert tried["chosen"].sum() == 1
    assert tried["accuracy"].idxmax() == tried["chosen"].idxmax()
    facts = runs.part_facts(part)
    assert json.loads(tried.loc[tried["chosen"], "settings"].item()) == facts["settings"]
    fitted = facts["seal"]["fitted"]
    assert fitted["weights"] == {"logistic": len(split.train)}
    assert fitted["selection"] == {"the settings of logistic": len(split.train)}
    assert facts["seal"]["test_rows_read"] == len(split.test)


def test_predictions_of_a_linear_arm_are_those_of_what_is_served(data, tmp_path):
    table, split, features = data
    linear = read_linear(run(data, tmp_path))
    predictions = pd.read_csv(tmp_path / "parts/seed-0-logistic/predictions.csv")
    test = predictions[predictions["split"] == "test"]
    logits = linear.logits(features[split.test])
    np.testing.assert_allclose(
        np.log(test["p_glad"]) - np.log(test["p_calm"]), logits[:, 1] - logits[:, 0], atol=1e-6
    )


def test_test_rows_are_read_after_everything_was_fitted(data, tmp_path):
    table, split, features = data
    asked = []

    def read(rows):
        asked.append(rows)
        return features[rows]

    run(data, tmp_path, read=read)
    assert not any(np.isin(rows, split.test).any() for rows in asked[:-1])
    np.testing.assert_array_equal(asked[-1], split.test)


def test_a_finished_part_is_left_as_it_is(data, tmp_path):
    run(data, tmp_path)

    def read(rows):
        raise AssertionError("nothing is read again")

    run(data, tmp_path, read=read)


def test_the_choice_may_be_made_on_fewer_rows_than_the_fit(data, tmp_path):
    table, split, _ = data
    part = run(data, tmp_path, "tree", TREE, tune_rows=30)
    fitted = runs.part_facts(part)["seal"]["fitted"]
    assert fitted["selection"] == {"the settings of tree": 30}
    assert fitted["weights"] == {"tree": len(split.train)}
    assert not (part / "linear.npz").exists()

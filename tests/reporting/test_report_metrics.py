"""Balance, order and calibration: recomputed from predictions, shown in the report."""

import math

import pytest
from sklearn import metrics as reference

from affectkeras import results
from affectkeras.files import read_csv
from affectkeras.reporting.report_metrics import further_metrics
from tests.synthetic_run import CLASS_NAMES, read_result, write_synthetic_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_synthetic_run(tmp_path_factory.mktemp("metrics") / "run", arms=("none",))


def test_balance_auc_and_calibration_are_those_of_each_seeds_predictions(run):
    predictions = read_csv(run / "predictions.csv")
    found = read_result(run)["arms"]["none"]["test"]
    for place, seed in enumerate((0, 1, 2)):
        rows = predictions[(predictions["seed"] == seed) & (predictions["split"] == "test")]
        balanced = reference.balanced_accuracy_score(rows["expression"], rows["predicted"])
        assert found["balanced_accuracy"]["per_seed"][place] == pytest.approx(balanced)
        aucs = [
            reference.roc_auc_score(rows["expression"] == name, rows[f"p_{name}"])
            for name in CLASS_NAMES
        ]
        assert found["auc"]["per_seed"][place] == pytest.approx(sum(aucs) / len(aucs))
        # Every row is given 1: the model claims to be right always.
        wrong = (rows["expression"] != rows["predicted"]).mean()
        assert found["calibration_error"]["per_seed"][place] == pytest.approx(wrong)
    low, high = found["balanced_accuracy"]["ci95"]
    assert low < found["balanced_accuracy"]["mean"] < high
    assert set(found["auc"]) == {"mean", "sd", "ddof", "per_seed"}


def test_without_probabilities_only_what_counts_tell_is_measured(run):
    predictions = read_csv(run / "predictions.csv").drop(columns="p_Sad")
    found = results.summarise(predictions, CLASS_NAMES, repetitions=20)["none"]["test"]
    assert "balanced_accuracy" in found
    assert not {"auc", "calibration_error", "cross_entropy"} & set(found)


def test_a_test_part_of_one_class_has_no_auc(run):
    predictions = read_csv(run / "predictions.csv")
    predictions = predictions[predictions["expression"] == "Sad"]
    found = results.summarise(predictions, CLASS_NAMES, repetitions=20)["none"]["test"]
    assert math.isnan(found["auc"]["mean"])


def test_the_table_has_a_row_per_arm_and_dashes_for_what_is_missing():
    figure = {"mean": 0.5, "sd": 0.02, "ddof": 1, "per_seed": [0.48, 0.52]}
    arms = {
        "none": {"test": {"balanced_accuracy": {**figure, "ci95": [0.4, 0.6]}, "auc": figure}},
        "bdr": {"test": {"auc": {"mean": None, "sd": None, "per_seed": [None]}}},
    }
    html = further_metrics({"arms": arms})
    first, second = html.split("<tbody>")[1].split("</tr>")[:2]
    assert "50.0 ± 2.0 %" in first
    assert "40.0 – 60.0 %" in first
    assert second.count("–") == 5


def test_a_result_of_before_these_figures_has_no_table():
    assert further_metrics({"arms": {"none": {"test": {"accuracy": {"mean": 0.5}}}}}) == ""
    assert further_metrics({}) == ""

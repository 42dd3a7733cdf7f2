import numpy as np
import pytest

from benchmarks import comparison_power, keeping
from benchmarks.comparison_power import FALSE_ALARMS, POWER

KIND = "logistic regression"


@pytest.fixture(scope="module")
def no_difference():
    return comparison_power.repeat(KIND, 200, train_groups=60, test_groups=40)


def test_another_seed_as_treatment_is_found_to_differ_in_at_most_18_of_200(no_difference):
    found = no_difference["found"]
    assert found["ours, 3 paired seeds, accuracy"] <= FALSE_ALARMS
    assert found["ours, 3 other seeds, accuracy"] <= FALSE_ALARMS
    assert found["ours, 1 seed, accuracy"] <= FALSE_ALARMS


def test_tests_by_rows_raise_more_alarms_where_rows_come_in_groups(no_difference):
    found = no_difference["found"]
    assert found["McNemar by rows, 1 seed"] > FALSE_ALARMS
    assert found["McNemar by rows, 3 seeds"] > FALSE_ALARMS


def test_the_interval_holds_the_true_difference_of_two_trained_models(no_difference):
    assert no_difference["covered"] >= 1 - FALSE_ALARMS


def test_a_planted_difference_of_5_points_on_2000_rows_is_found():
    found = comparison_power.repeat(KIND, 60, train_groups=60, test_groups=200, planted=0.05)
    assert found["found"]["ours, 1 seed, accuracy"] >= POWER
    assert found["found"]["ours, 3 paired seeds, accuracy"] >= POWER


@pytest.mark.parametrize("by", ["row", "group"])
def test_planting_raises_the_accuracy_by_the_share_of_mistakes(by):
    generator = np.random.default_rng(0)
    true, groups = np.zeros(50_000, int), np.repeat(np.arange(5000), 10)
    predicted = (generator.random((2, 50_000)) < 0.4).astype(int)
    planted = comparison_power.plant(predicted, true, groups, 0.25, generator, by=by)
    np.testing.assert_allclose((planted == true).mean(axis=1), 0.7, atol=0.01)


def test_a_quick_measurement_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(keeping, "RESULTS", tmp_path)
    monkeypatch.setattr(comparison_power, "MODELS", (KIND,))
    result = comparison_power.main(comparison_power.Config(quick=True))
    assert result["settings"]["repetitions"] == 5
    assert list(tmp_path.iterdir()) == []
    assert f"{KIND}: false alarms, 3 paired seeds an arm" in capsys.readouterr().out

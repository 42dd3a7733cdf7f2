import dataclasses

import pandas as pd
import pytest

from affectkeras import results
from affectkeras.comparing.claims import Claim, claims_rows
from affectkeras.files import read_csv, write_csv
from affectkeras.subject_result import (
    arms_with_subjects,
    differences_to_floors,
    keep_subject_scores,
    subject_lines,
)
from tests.evaluation.test_subject_scores import NAMES, predictions
from tests.synthetic_run import read_result
from tests.synthetic_signal_run import FLOORS, NETWORKS, write_signal_run
from tests.test_results import predictions_of, result_parts


def two_arms():
    net = predictions({"A": ("lh", "lh"), "B": ("lh", "ll")})
    floor = predictions({"A": ("lh", "ll"), "B": ("lh", "ll")}, arm="majority")
    return pd.concat([net, floor], ignore_index=True)


def test_the_scores_of_a_runs_predictions_are_kept_and_summed_up(tmp_path):
    write_csv(tmp_path / "predictions.csv", two_arms())
    found = keep_subject_scores(tmp_path, NAMES, "level", {"majority": "names low"})
    assert found["floors"] == {"majority": "names low"}
    # Macro F1 of A: 1; of B and of the floor: (2/3 + 0) / 2.
    assert found["by_subject"]["net"]["macro_f1"]["mean"] == pytest.approx((1 + 1 / 3) / 2)
    assert found["by_subject"]["majority"]["macro_f1"]["sd"] == 0
    kept = read_csv(tmp_path / "subject_scores.csv")
    assert kept["subject"].tolist() == ["A", "B", "A", "B"]
    assert kept["macro_f1"].tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3])


def test_a_subject_named_by_a_number_comes_back_from_the_file_as_it_was_written(tmp_path):
    frame = two_arms()
    frame["subject"] = frame["subject"].map({"A": "007", "B": "NA"})
    write_csv(tmp_path / "predictions.csv", frame)
    keep_subject_scores(tmp_path, NAMES, "level", {})
    assert read_csv(tmp_path / "subject_scores.csv")["subject"].tolist() == ["007", "NA"] * 2


def test_a_floor_that_was_not_run_is_refused(tmp_path):
    write_csv(tmp_path / "predictions.csv", two_arms())
    with pytest.raises(ValueError, match=r"every floor must be an arm .* Received: \['forest'\]"):
        keep_subject_scores(tmp_path, NAMES, "level", {"forest": "is a random forest"})
    assert not (tmp_path / "subject_scores.csv").exists()


def test_every_network_is_set_against_every_floor(tmp_path):
    write_csv(tmp_path / "predictions.csv", two_arms())
    keep_subject_scores(tmp_path, NAMES, "level", {"majority": ""})
    found = differences_to_floors(read_csv(tmp_path / "subject_scores.csv"), ["majority"])
    assert list(found) == ["net"]
    assert found["net"]["majority"]["mean"] == pytest.approx(1 / 3)
    assert found["net"]["majority"]["better"] == 1


def test_a_result_takes_subjects_and_floors_and_prints_them(tmp_path, capsys):
    run = write_signal_run(tmp_path / "run", subjects=4)
    result = read_result(run)
    assert set(result["by_subject"]) == set(result["arms"]) == {*NETWORKS, *FLOORS}
    assert result["floors"] == FLOORS
    assert result["dataset"]["examples"].keys() == {"test"}
    results.print_result(result, run)
    out = capsys.readouterr().out
    chief = result["by_subject"]["SF-HF"]["macro_f1"]
    assert f"{chief['mean']:.3f} ± {chief['sd']:.3f}" in out
    assert f"[{chief['ci95'][0]:.3f}, {chief['ci95'][1]:.3f}]" in out
    assert "Mean over 4 subjects, SD with the divisor n." in out
    (line,) = [one for one in subject_lines(result) if one.startswith("majority")]
    assert line.endswith("(floor)")
    assert out.count("\nmajority ") == 2  # as an arm and by subject, not as a baseline again


def test_a_result_without_subjects_prints_none():
    assert subject_lines({"arms": {}}) == []


def test_one_subject_has_lines_without_an_interval():
    found = {"mean": 0.5, "sd": 0.0, "ci95": [None, None], "subjects": 1}
    lines = subject_lines({"by_subject": {"net": {"macro_f1": found, "accuracy": found}}})
    assert "none" in lines[2]


@pytest.mark.parametrize("part", ["by_subject", "floors"])
def test_subjects_or_floors_of_an_arm_that_is_none_are_refused(tmp_path, part):
    parts = {**result_parts(predictions_of()), part: {"forest": {}}}
    with pytest.raises(ValueError, match=rf"`{part}` must tell of arms: .*Received: \['forest'\]"):
        results.write_result(tmp_path, parts)
    assert list(tmp_path.iterdir()) == []


def test_a_published_mean_over_subjects_finds_ours():
    claim = Claim(
        "table-3.sf-hf-2", 0.86, "subjects.macro_f1", None, "subject", "Table 3", "net", "pamap2"
    )
    by_subject = {"net": {"macro_f1": {"mean": 0.7, "sd": 0.1}}}
    arms = arms_with_subjects({"net": {"test": {"n": 9}}, "other": {"test": {"n": 9}}}, by_subject)
    facts = {"dataset": "pamap2", "protocol": "subject", "sample": False, "quick": False}
    (row,) = claims_rows([claim], arms=arms, **facts)
    assert (row["ours"], row["comparable"]) == (0.7, True)
    (row,) = claims_rows([dataclasses.replace(claim, arm="other")], arms=arms, **facts)
    assert row["ours"] is None


def test_classes_named_by_numbers_are_scored_as_words(tmp_path):
    frame = two_arms().rename(columns={"level": "label"})
    frame[["label", "predicted"]] = frame[["label", "predicted"]].replace({"low": "1", "high": "2"})
    write_csv(tmp_path / "predictions.csv", frame)
    found = keep_subject_scores(tmp_path, ("1", "2"), "label", {})
    assert found["by_subject"]["net"]["accuracy"]["mean"] == 0.75

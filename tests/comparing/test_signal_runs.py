"""Comparing and listing runs that score subjects and have floors as arms."""

import pytest

from affectkeras.comparing.claims import Claim
from affectkeras.comparing.compare import compare_command, compare_named
from affectkeras.comparing.ledger import make_ledger
from affectkeras.comparing.ledger_runs import find_results
from affectkeras.comparing.ledger_table import ledger_frame, ledger_table
from affectkeras.errors import UserError
from tests.synthetic_run import change_result, read_result
from tests.synthetic_signal_run import FLOORS, NETWORKS, write_signal_run

RECIPE = "stress_predict_fusion"


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return write_signal_run(tmp_path_factory.mktemp("runs") / "honest", subjects=6, dyads=True)


@pytest.fixture(scope="module")
def published(honest):
    folder = honest.parent / "published"
    return write_signal_run(folder, subjects=6, dyads=True, partners_aside=False)


def test_networks_and_floors_are_compared_on_the_same_rows_whatever_their_seeds(honest):
    matched, compared = compare_named([str(honest)])
    assert [one.arm for one in compared] == ["SF-HF", *FLOORS]
    assert {one.reference for one in compared} == {"EF"}
    found = {one.arm: one for one in compared}
    result = read_result(honest)["arms"]
    for arm, one in found.items():
        difference = result[arm]["test"]["macro_f1"]["mean"]
        difference -= result["EF"]["test"]["macro_f1"]["mean"]
        assert one.differences["macro_f1"].difference == pytest.approx(difference)
        assert (one.rows, one.groups) == (90, 3)
    assert found["SF-HF"].arm_seeds == (0, 1)
    assert found["majority"].arm_seeds == (0,)
    assert len(matched.true) == 90


def test_a_floor_may_be_the_reference(honest, tmp_path, capsys):
    arguments = [f"{honest}:majority", *(f"{honest}:{name}" for name in NETWORKS)]
    compare_command(arguments, out=tmp_path / "out")
    assert "Compared with majority on 90 test rows in 3 groups" in capsys.readouterr().out
    assert (tmp_path / "out" / "comparison.png").exists()


def test_the_published_protocol_is_compared_with_the_honest_one_and_named(
    honest, published, capsys
):
    compare_command([f"{honest}:SF-HF", f"{published}:SF-HF"])
    assert "leaky protocol 'paper'" in capsys.readouterr().out
    assert read_result(published)["protocol"]["honest"]["run"] == "honest"


def test_runs_of_other_subjects_cannot_be_compared(honest, tmp_path):
    fewer = write_signal_run(tmp_path / "fewer", subjects=4, dyads=True)
    with pytest.raises(UserError, match="were not tested on the same rows"):
        compare_named([f"{honest}:EF", f"{fewer}:EF"])


def test_the_ledger_sets_a_published_mean_over_subjects_beside_ours(tmp_path):
    run = write_signal_run(tmp_path / "runs" / "one", subjects=5)
    dataset = read_result(run)["dataset"] | {"sample": False, "quick": False}
    change_result(run, dataset=dataset)
    claim = Claim(
        *("table-3.sf-hf", 0.86, "subjects.macro_f1", None, "subject", "Table 3", "SF-HF"),
        "stress_predict",
    )
    found = find_results(tmp_path / "runs", [RECIPE])
    (row,) = make_ledger({RECIPE: [claim]}, found)
    ours = read_result(run)["by_subject"]["SF-HF"]["macro_f1"]
    assert (row.same.value, row.same.sd) == (ours["mean"], ours["sd"])
    assert [row.same.low, row.same.high] == ours["ci95"]
    assert row.same.seeds == 2
    table = ledger_table([row])
    assert "macro f1, mean over subjects, stress_predict test" in table
    assert f"{100 * ours['mean']:.1f} ± {100 * ours['sd']:.1f}" in table
    assert "86" in table
    assert ledger_frame([row])["same_seeds"].tolist() == [2]


def test_the_pooled_figure_of_such_a_run_stands_in_the_ledger_too(tmp_path):
    run = write_signal_run(tmp_path / "runs" / "one", subjects=5)
    change_result(run, dataset=read_result(run)["dataset"] | {"sample": False, "quick": False})
    claim = Claim("x", 0.7, "accuracy", 100, "subject", "Text", "logistic", "stress_predict")
    (row,) = make_ledger({RECIPE: [claim]}, find_results(tmp_path / "runs", [RECIPE]))
    assert row.same.value == read_result(run)["arms"]["logistic"]["test"]["accuracy"]["mean"]


def test_sample_runs_stay_out_of_the_ledger(tmp_path):
    write_signal_run(tmp_path / "runs" / "one", subjects=4)
    found = find_results(tmp_path / "runs", [RECIPE])
    assert (found.runs, len(found.set_aside)) == ([], 1)

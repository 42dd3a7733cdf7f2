"""Which runs stand in the ledger, and why the others do not."""

import pytest

from affectkeras.comparing.claims import Claim
from affectkeras.comparing.ledger_runs import (
    choose,
    figures_of,
    find_results,
    sort_results,
    why_not_run,
)
from affectkeras.errors import UserError
from tests.ledger_results import result_of, write_results

CLAIM = Claim("table-1.bdr", 0.46, "accuracy", 216, "paper", "Table 1", "bdr", "sfew")


def found_of(*results):
    return sort_results([(f"run-{i}", one) for i, one in enumerate(results)], ["faces", "stress"])


def figures(*results, claim=CLAIM):
    return figures_of("faces", claim, found_of(*results))


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (result_of(sample=True), "on sample data"),
        (result_of(quick=True), "quick"),
        (result_of(sample=True, quick=True), "quick on sample data"),
        (result_of(status="failed"), "not complete"),
        (result_of(recipe="poems"), "of a recipe that is not installed: poems"),
        (result_of(recipe=["faces"]), "of a recipe that is not installed: ['faces']"),
        (result_of(arms=None), "no result: it lacks a whole `arms`"),
        ({**result_of(), "protocol": {}}, "no result: it lacks a whole `protocol`"),
        ([1], "no result: it holds no JSON object"),
    ],
)
def test_what_does_not_count_is_set_aside_with_the_reason(result, reason):
    found = found_of(result, result_of())
    assert [name for name, _ in found.runs] == ["run-1"]
    assert [(name, why) for name, _, why in found.set_aside] == [("run-0", reason)]


def test_results_are_found_at_any_depth_and_broken_ones_are_counted(tmp_path):
    write_results(tmp_path, good=result_of(), broken=result_of())
    (tmp_path / "deep" / "broken" / "result.json").write_text("{half")
    found = find_results(tmp_path, ["faces"])
    assert [name for name, _ in found.runs] == ["deep/good"]
    ((name, recipe, reason),) = found.set_aside
    assert (name, recipe) == ("deep/broken", "")
    assert reason.startswith("unreadable: Expecting property name")


def test_a_run_folder_itself_is_named_after_its_folder(tmp_path):
    write_results(tmp_path, good=result_of())
    assert find_results(tmp_path / "deep" / "good", ["faces"]).runs[0][0] == "good"


def test_a_folder_that_is_not_there_and_one_without_results_are_errors(tmp_path):
    with pytest.raises(UserError, match="nowhere: there is no such folder. Give the one that ho"):
        find_results(tmp_path / "nowhere", [])
    with pytest.raises(UserError, match="holds no result.json at any depth. Give the folder"):
        find_results(tmp_path, [])


def test_only_figures_of_the_claims_recipe_data_arm_and_metric_count():
    others = [
        result_of(recipe="stress"),
        result_of(dataset="ferplus"),
        result_of(arm="none"),
        {**result_of(), "arms": {"bdr": {"test": {"n": 9, "accuracy": {"mean": None}}}}},
    ]
    (only,) = figures(*others, result_of(mean=0.44))
    assert (only.run, only.value, only.low, only.n, only.seeds) == ("run-4", 0.44, 0.39, 200, 2)


def test_a_claim_of_one_model_takes_no_figure_of_another():
    claim = Claim(**{**vars(CLAIM), "model": "resnet50"})
    runs = [result_of(served="mobilenet"), result_of()]
    assert [one.model for one in figures(*runs)] == ["mobilenet", "resnet50"]
    assert [one.model for one in figures(*runs, claim=claim)] == ["resnet50"]


def test_the_paper_protocol_and_a_failed_leakage_check_are_leaky():
    runs = [result_of("paper"), result_of(), result_of(leakage={"passed": False})]
    assert [one.leaky for one in figures(*runs)] == [True, False, True]


def test_the_figure_is_chosen_by_protocol_seeds_and_time_and_never_by_its_value():
    runs = [
        result_of("official", 0.9, seeds=range(9)),
        result_of("grouped", 0.8, seeds=(0,)),
        result_of("grouped", 0.7),
        result_of("grouped", 0.3),
    ]
    assert choose(figures(*runs)).run == "run-3"
    assert choose([]) is None


@pytest.mark.parametrize(
    ("results", "dataset", "honest", "reason"),
    [
        ([], "sfew", False, "not run: the data is licence-gated"),
        ([], "K-EmoCon", False, "not run: the data is licence-gated"),
        ([], "fer2013", False, "not run: no run on this data was found"),
        (
            [result_of(quick=True), result_of(quick=True), result_of(sample=True)],
            "fer2013",
            False,
            "not run: only runs that do not count were found (2 quick, 1 on sample data)",
        ),
        ([result_of()], "sfew", False, "not run under this protocol, only under grouped"),
        ([result_of("paper")], "sfew", True, "not run under this protocol, only under paper"),
        (
            [result_of("paper", arm="none")],
            "sfew",
            False,
            "not run: no run under paper has the test accuracy of arm bdr",
        ),
    ],
)
def test_why_there_is_no_figure_of_ours_is_told_as_it_is(results, dataset, honest, reason):
    claim = Claim(**{**vars(CLAIM), "dataset": dataset})
    assert why_not_run("faces", claim, found_of(*results), honest=honest) == reason


def test_figures_of_number_targets_count_by_target_and_metric():
    ccc = {"mean": 0.3, "sd": None, "ddof": 1, "ci95": [0.1, 0.5], "per_seed": [0.3]}
    arms = {"bdr": {"test": {"n": 40, "targets": {"valence": {"ccc": ccc}}}}}
    claim = Claim(**{**vars(CLAIM), "metric": "valence.ccc"})
    (found,) = figures({**result_of(), "arms": arms}, claim=claim)
    assert (found.value, found.low, found.high, found.n, found.seeds) == (0.3, 0.1, 0.5, 40, 1)
    other = Claim(**{**vars(CLAIM), "metric": "arousal.ccc"})
    assert figures({**result_of(), "arms": arms}, claim=other) == []


@pytest.mark.parametrize("dataset", ["aff_wild", "aff_wild2", "anu_stress"])
def test_videos_on_agreement_are_known_as_such(dataset):
    claim = Claim(**{**vars(CLAIM), "dataset": dataset})
    assert why_not_run("faces", claim, found_of()) == "not run: the data is licence-gated"

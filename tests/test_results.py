import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from affectkeras import results, runs
from affectkeras.comparing import claims
from affectkeras.comparing.claims import Claim
from affectkeras.evaluation.leakage import CHECKS
from affectkeras.evaluation.splits import split_table

CLASSES = ("Angry", "Happy", "Sad", "None")


def predictions_of(arms=("none", "bdr"), seeds=(0, 1, 2), rows=40, *, generator_seed=0):
    generator = np.random.default_rng(generator_seed)
    frames = []
    for arm in arms:
        for seed in seeds:
            for split in ("validation", "test"):
                probabilities = generator.dirichlet(np.ones(len(CLASSES)), size=rows)
                numbers = np.arange(rows)
                frame = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in CLASSES])
                frame.insert(0, "predicted", np.array(CLASSES)[probabilities.argmax(axis=1)])
                # "None" is never true, so that a class without rows is met.
                frame.insert(0, "expression", np.array(CLASSES)[numbers % 3])
                frame.insert(0, "group", [f"film-{row % 9}" for row in numbers])
                frame.insert(0, "example_id", [f"{split}/{row}.png" for row in numbers])
                for name, value in [("split", split), ("fold", 0), ("seed", seed), ("arm", arm)]:
                    frame.insert(0, name, value)
                frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def result_parts(predictions):
    return {
        "recipe": "sfew_resnet",
        "command": ["sfew_resnet", "--quick"],
        "banners": ["Sample data."],
        "dataset": {"name": "sfew", "sample": True, "quick": True},
        "protocol": {"name": "grouped", "description": ""},
        "seeds": [0, 1, 2],
        "served": "resnet50-bdr",
        "served_arm": "bdr",
        "class_names": CLASSES,
        "arms": results.summarise(predictions, CLASSES, repetitions=200),
        "baselines": {"majority": {"accuracy": 0.3}},
        "claims": [],
        "leakage": {"passed": True, "checks": {}, "not_checked": dict.fromkeys(CHECKS, "a test")},
        "timing": {"prepare_s": 1.0, "train_s": 2.0},
        "exports": {},
    }


def slow_scores(rows):
    """Compute the figures of one seed's rows from their definitions, row by row."""
    records = rows.to_dict("records")
    scores = {"accuracy": sum(r["expression"] == r["predicted"] for r in records) / len(records)}
    scores["cross_entropy"] = -sum(math.log(r["p_" + r["expression"]]) for r in records) / len(
        records
    )
    scores["classes"] = {}
    for name in CLASSES:
        true = {r["example_id"] for r in records if r["expression"] == name}
        named = {r["example_id"] for r in records if r["predicted"] == name}
        precision = len(true & named) / len(named) if named else 0.0
        recall = len(true & named) / len(true) if true else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        scores["classes"][name] = {
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": len(true),
        }
    scores["macro_f1"] = sum(one["f1"] for one in scores["classes"].values()) / len(CLASSES)
    return scores


def slow_spread(values):
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def test_every_figure_of_a_written_result_is_recomputed_from_its_predictions(tmp_path):
    runs.write_csv(tmp_path / "predictions.csv", predictions_of())
    predictions = runs.read_csv(tmp_path / "predictions.csv")
    results.write_result(tmp_path, result_parts(predictions))
    result = json.loads((tmp_path / "result.json").read_text())
    assert set(result["arms"]) == {"none", "bdr"}
    for arm, splits in result["arms"].items():
        for split, found in splits.items():
            rows = predictions[(predictions["arm"] == arm) & (predictions["split"] == split)]
            slow = [slow_scores(rows[rows["seed"] == seed]) for seed in (0, 1, 2)]
            assert (found["n"], found["groups"], found["seeds"]) == (40, 9, [0, 1, 2])
            for metric in ("accuracy", "macro_f1", "cross_entropy"):
                values = [one[metric] for one in slow]
                mean, deviation = slow_spread(values)
                assert found[metric]["per_seed"] == pytest.approx(values)
                assert found[metric]["mean"] == pytest.approx(mean)
                assert found[metric]["sd"] == pytest.approx(deviation)
                assert found[metric]["ddof"] == 1
            for name in CLASSES:
                for figure in ("precision", "recall", "f1", "support"):
                    mean, _ = slow_spread([one["classes"][name][figure] for one in slow])
                    assert found["per_class"][name][figure] == pytest.approx(mean)
            for true, counts in zip(CLASSES, found["confusion"], strict=True):
                for named, count in zip(CLASSES, counts, strict=True):
                    pair = (rows["expression"] == true) & (rows["predicted"] == named)
                    assert count == sum(pair)
    assert result["metrics"]["test"]["accuracy"] == result["arms"]["bdr"]["test"]["accuracy"]


def test_intervals_agree_with_a_slow_bootstrap_of_seeds_and_groups():
    rows = predictions_of(arms=("bdr",), seeds=(0, 1), rows=27)
    rows = rows[rows["split"] == "test"]
    found = results.summarise(rows, CLASSES)["bdr"]["test"]
    generator = np.random.default_rng(4)
    names = sorted(set(rows["group"]))
    by_group = {
        (name, seed): rows[(rows["group"] == name) & (rows["seed"] == seed)]
        for name in names
        for seed in (0, 1)
    }
    slow = {"accuracy": [], "macro_f1": []}
    for _ in range(200):
        drawn = generator.choice(names, size=len(names))
        scores = []
        for seed in (0, 1):
            members = [by_group[name, seed].copy() for name in drawn]
            for copy, member in enumerate(members):
                member["example_id"] = [f"{copy}-{one}" for one in member["example_id"]]
            scores.append(slow_scores(pd.concat(members)))
        drawn_seed = generator.integers(2)  # of two seeds one is drawn
        for metric, values in slow.items():
            values.append(scores[drawn_seed][metric])
    for metric, values in slow.items():
        expected = np.quantile(values, [0.025, 0.975])
        np.testing.assert_allclose(found[metric]["ci95"], expected, atol=0.04)


def test_the_result_has_exactly_the_keys_that_readers_rely_on(tmp_path):
    result = results.write_result(tmp_path, result_parts(predictions_of()))
    assert set(result) == {
        *results.RESULT_PARTS,
        *("schema", "status", "metrics", "environment"),
    }
    assert (result["schema"], result["status"]) == (1, "complete")
    spread = {"mean", "sd", "ddof", "ci95", "per_seed"}
    assert set(result["metrics"]["test"]["accuracy"]) == spread
    assert json.loads((tmp_path / "result.json").read_text())["class_names"] == list(CLASSES)


def test_a_result_lacking_a_part_is_refused(tmp_path):
    parts = result_parts(predictions_of())
    del parts["leakage"]
    with pytest.raises(ValueError, match="Missing: .'leakage'.; unknown: .."):
        results.write_result(tmp_path, parts)
    assert list(tmp_path.iterdir()) == []


def test_a_served_arm_that_was_not_run_is_refused(tmp_path):
    parts = {**result_parts(predictions_of()), "served_arm": "random"}
    with pytest.raises(ValueError, match="`served_arm` must be one of .'bdr', 'none'."):
        results.write_result(tmp_path, parts)


def test_one_seed_has_no_deviation():
    found = results.summarise(predictions_of(seeds=(5,)), CLASSES, repetitions=50)
    assert found["bdr"]["test"]["accuracy"]["sd"] is None
    assert len(found["bdr"]["test"]["accuracy"]["per_seed"]) == 1


def test_one_group_has_no_interval_and_the_reason_is_given():
    predictions = predictions_of()
    predictions["group"] = "one film"
    found = results.summarise(predictions, CLASSES)["bdr"]["test"]["accuracy"]
    assert found["ci95"] == [None, None]
    assert found["ci95_reason"].startswith("one group only")


def test_a_row_predicted_twice_is_refused():
    predictions = predictions_of()
    with pytest.raises(ValueError, match=r"holds twice: \{'arm': 'none'.*'test/3.png'"):
        results.summarise(pd.concat([predictions, predictions.iloc[[43]]]), CLASSES)


def test_a_class_name_nobody_knows_is_refused():
    predictions = predictions_of()
    predictions.loc[0, "predicted"] = "Bored"
    with pytest.raises(ValueError, match="column 'predicted' must hold class names .*'Bored'"):
        results.summarise(predictions, CLASSES)


def test_predictions_without_a_column_are_refused():
    with pytest.raises(ValueError, match="lacks the columns .'group'."):
        results.summarise(predictions_of().drop(columns="group"), CLASSES)


def split_of(train, test):
    return SimpleNamespace(train=np.array(train), test=np.array(test))


def test_the_majority_is_that_of_the_training_rows():
    labels = np.array([1, 1, 0, 0, 0, 1, 2])
    found = results.majority_baseline(labels, [split_of([0, 1, 2], [3, 4, 5, 6])], CLASSES)
    assert found["class"] == "Happy"
    assert found["accuracy"] == 0.25
    assert found["macro_f1"] == pytest.approx(2 * 0.25 * 1 / 1.25 / 4)


def test_the_majority_of_folds_is_that_of_each_and_their_test_rows_are_pooled():
    labels = np.array([0, 0, 1, 1, 1, 2])
    folds = [split_of([0, 1, 2], [3, 4]), split_of([2, 3, 4], [0, 1, 5])]
    found = results.majority_baseline(labels, folds, CLASSES)
    assert found["accuracy"] == 0.0
    folds = [split_of([2, 3, 4, 5], [0, 1]), split_of([0, 1, 5], [2, 3, 4])]
    assert results.majority_baseline(labels, folds, CLASSES)["accuracy"] == 0.0
    folds = [split_of([2, 3, 0], [4, 1]), split_of([0, 1, 4], [2, 3, 5])]
    assert results.majority_baseline(labels, folds, CLASSES)["accuracy"] == pytest.approx(1 / 5)


CLAIM = Claim("table-1.resnet50-bdr", 0.46, "accuracy", 216, "paper", "Table 1", "bdr", "sfew")


def claim_row(claim=CLAIM, **changes):
    arms = {"bdr": {"test": {"accuracy": {"mean": 0.41}, "n": 215}}}
    run = {"dataset": "sfew", "protocol": "paper", "sample": False, "quick": False, **changes}
    return claims.claims_rows([claim], arms=arms, **run)[0]


def test_a_full_run_under_the_papers_protocol_is_comparable():
    row = claim_row()
    assert row["comparable"]
    assert (row["published"], row["ours"], row["n"], row["ours_n"]) == (0.46, 0.41, 216, 215)
    assert row["why_not"] == ""


@pytest.mark.parametrize(
    ("changes", "why_not"),
    [
        ({"dataset": "fer2013"}, "Published on sfew; ours is measured on fer2013."),
        ({"protocol": "grouped"}, "Published under the protocol paper; ours is grouped."),
        ({"sample": True}, "Ours is measured on rendered sample data."),
        ({"quick": True}, "Ours is a quick run of reduced size."),
    ],
)
def test_what_makes_a_claim_not_comparable_is_said_and_ours_still_shown(changes, why_not):
    row = claim_row(**changes)
    assert not row["comparable"]
    assert row["why_not"] == why_not
    assert row["ours"] == 0.41


def test_an_arm_that_was_not_run_has_no_figure_of_ours():
    claim = Claim("table-1.resnet50", 0.42, "accuracy", 216, "paper", "Table 1", "none", "sfew")
    row = claim_row(claim)
    assert (row["ours"], row["comparable"]) == (None, False)
    assert row["why_not"] == "This run has no arm none on test rows."


def test_a_figure_the_paper_only_quotes_is_not_compared():
    claim = Claim("table-1.svm-lpq", 0.4371, "accuracy", None, "paper", "Table 1", "", "sfew")
    assert claim_row(claim)["why_not"].startswith("The paper quotes this figure")


def test_dataset_and_protocol_facts_count_examples_groups_and_what_was_set_aside():
    frame = pd.DataFrame(
        {
            "example_id": [str(row) for row in range(40)],
            "group": [f"film-{row % 10}" for row in range(39)] + ["film-0"],
            "split": ["train"] * 20 + ["validation"] * 20,
            "expression": [row // 2 % 2 for row in range(40)],
        }
    )
    frame.loc[:17, "group"] = "film of training"
    split = split_table(frame, "expression", "grouped", seed=0, groups_known=True)
    facts = results.dataset_facts("sfew", frame, split, sample=False, quick=False, rejected=3)
    assert facts["examples"]["train"] == 18
    assert facts["examples"]["validation"] + facts["examples"]["test"] == 20
    assert facts["groups"]["train"] == 1
    assert facts["set_aside"] == {"its group is also in the owner's validation part": 2}
    assert (facts["rejected"], facts["groups_known"]) == (3, True)
    assert results.protocol_facts(split)["name"] == "grouped"


def test_a_result_without_a_word_on_every_leakage_check_is_refused(tmp_path):
    parts = result_parts(predictions_of())
    del parts["leakage"]["not_checked"]["test_read_early"]
    with pytest.raises(ValueError, match=r"Missing: \['test_read_early'\]"):
        results.write_result(tmp_path, parts, {})


def test_a_leaky_protocol_is_written_beside_the_honest_one(tmp_path, capsys):
    parts = result_parts(predictions_of())
    parts["protocol"]["name"] = "paper"
    parts["baselines"]["majority"]["macro_f1"] = 0.1
    parts["command"] = "python -m recipes.sfew_resnet --protocol paper"
    run = tmp_path / "runs" / "leaky"
    run.mkdir(parents=True)
    result = results.write_result(run, parts, {})
    command = "python -m recipes.sfew_resnet"
    assert result["protocol"]["honest"] == {"not_run": command}
    results.print_result(result, run)
    assert f"The honest protocol has not been run beside this: {command}" in capsys.readouterr().out

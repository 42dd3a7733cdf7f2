import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from affectkeras.evaluation.subject_scores import (
    subject_difference,
    subject_scores,
    subject_summary,
)

NAMES = ("low", "high")


def predictions(of_subjects, *, arm="net", seed=0):
    """Return rows of predictions: subject → (true, predicted) as words of l and h."""
    word = {"l": "low", "h": "high"}
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "fold": 0,
            "split": "test",
            "example_id": f"{subject} {number}",
            "group": subject,
            "subject": subject,
            "level": word[one],
            "predicted": word[other],
        }
        for subject, (true, predicted) in of_subjects.items()
        for number, (one, other) in enumerate(zip(true, predicted, strict=True))
    ]
    return pd.DataFrame(rows)


def test_the_scores_of_two_subjects_are_those_worked_by_hand():
    # P1: low right 2 of 2, high right 1 of 2. P2 shows low only, one of four missed.
    frame = predictions({"P1": ("llhh", "llhl"), "P2": ("llll", "lllh")})
    scores = subject_scores(frame, NAMES, "level").set_index("subject")
    assert scores["n"].tolist() == [4, 4]
    assert scores["classes"].tolist() == [2, 1]
    assert scores["accuracy"].tolist() == [0.75, 0.75]
    # P1: F1 of low 4/5, of high 2/3. P2: of low 6/7, of high 0.
    np.testing.assert_allclose(scores["macro_f1"], [(4 / 5 + 2 / 3) / 2, (6 / 7) / 2])
    np.testing.assert_allclose(scores["balanced_accuracy"], [0.75, 0.75])


def test_a_subject_of_one_class_reaches_half_the_macro_f1_at_most():
    scores = subject_scores(predictions({"P1": ("lll", "lll")}), NAMES, "level")
    assert scores.loc[0, ["accuracy", "macro_f1", "balanced_accuracy"]].tolist() == [1.0, 0.5, 1.0]


def test_the_scores_are_those_of_scikit_learn_subject_by_subject():
    generator = np.random.default_rng(0)
    names = ("a", "b", "c")
    rows = pd.DataFrame(
        {
            "arm": generator.permutation(["net", "floor"] * 300),
            "seed": 0,
            "split": "test",
            "example_id": [f"row {number}" for number in range(600)],
            "subject": generator.choice(["S10", "S2", "S3"], 600),
            "level": generator.choice(names, 600),
            "predicted": generator.choice(names, 600),
        }
    )
    scores = subject_scores(rows, names, "level")
    assert scores["subject"].tolist() == ["S10", "S2", "S3"] * 2
    assert list(dict.fromkeys(scores["arm"])) == list(dict.fromkeys(rows["arm"]))
    for one in scores.itertuples():
        held = rows[(rows["arm"] == one.arm) & (rows["subject"] == one.subject)]
        true, predicted = held["level"], held["predicted"]
        macro = f1_score(true, predicted, labels=names, average="macro", zero_division=0)
        assert one.n == len(held)
        assert one.accuracy == pytest.approx(accuracy_score(true, predicted))
        assert one.macro_f1 == pytest.approx(macro)
        assert one.balanced_accuracy == pytest.approx(balanced_accuracy_score(true, predicted))


def test_only_test_rows_are_scored():
    frame = predictions({"P1": ("lh", "lh")})
    other = predictions({"P2": ("lh", "hl")}).assign(split="validation")
    scores = subject_scores(pd.concat([frame, other]), NAMES, "level")
    assert scores["subject"].tolist() == ["P1"]


def test_folds_of_one_seed_are_pooled():
    frame = predictions({"P1": ("lh", "ll")})
    frame["fold"] = [0, 1]
    assert subject_scores(frame, NAMES, "level")["accuracy"].tolist() == [0.5]


def test_subjects_named_by_numbers_are_words():
    frame = predictions({"101": ("lh", "lh"), "9": ("lh", "lh")})
    frame["subject"] = frame["subject"].astype(int)
    assert subject_scores(frame, NAMES, "level")["subject"].tolist() == ["101", "9"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="subject"), r"lacks the columns \['subject'\]"),
        (lambda f: f.assign(split="train"), "rows of the part 'test'. Received: none"),
        (lambda f: f.assign(subject=["P1", ""]), "Received: 1 without, such as 'P1 1'"),
        (lambda f: f.assign(subject=["P1", np.nan]), "Received: 1 without, such as 'P1 1'"),
        (lambda f: pd.concat([f, f]), "holds twice: {'arm': 'net', 'seed': 0, 'example_id': 'P1 0"),
        (
            lambda f: f.assign(predicted="mid"),
            r"column 'predicted' must hold .*Received: \['mid'\]",
        ),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        subject_scores(change(predictions({"P1": ("lh", "lh")})), NAMES, "level")


def test_mean_and_deviation_over_subjects_have_the_divisor_n():
    # Accuracies 1, 0.5 and 0: mean 0.5, deviation √((0.25 + 0 + 0.25) / 3).
    frame = predictions({"A": ("lh", "lh"), "B": ("lh", "ll"), "C": ("lh", "hl")})
    found = subject_summary(subject_scores(frame, NAMES, "level"))["net"]["accuracy"]
    assert found["mean"] == 0.5
    assert found["sd"] == pytest.approx(np.sqrt(0.5 / 3))
    assert (found["ddof"], found["subjects"]) == (0, 3)
    json.dumps(found, allow_nan=False)


def test_seeds_are_averaged_before_subjects_are():
    first = predictions({"A": ("lh", "lh"), "B": ("lh", "hl")}, seed=0)  # 1 and 0
    second = predictions({"A": ("lh", "hl"), "B": ("lh", "lh")}, seed=1)  # 0 and 1
    scores = subject_scores(pd.concat([first, second]), NAMES, "level")
    found = subject_summary(scores)["net"]["accuracy"]
    assert (found["mean"], found["sd"], found["ci95"]) == (0.5, 0.0, [0.5, 0.5])


def test_every_subject_weighs_the_same_whatever_its_rows():
    frame = predictions({"A": ("l" * 90 + "h" * 10, "l" * 90 + "h" * 10), "B": ("lh", "hl")})
    assert subject_summary(subject_scores(frame, NAMES, "level"))["net"]["accuracy"]["mean"] == 0.5


def test_the_interval_draws_subjects_anew():
    accuracies = np.array([0.2, 0.4, 0.5, 0.9, 1.0])
    frame = predictions(
        {
            f"S{number}": ("l" * 10, "l" * int(10 * one) + "h" * round(10 - 10 * one))
            for number, one in enumerate(accuracies)
        }
    )
    scores = subject_scores(frame, NAMES, "level")
    low, high = subject_summary(scores, repetitions=20000)["net"]["accuracy"]["ci95"]
    generator = np.random.default_rng(1)
    drawn = [generator.choice(accuracies, 5).mean() for _ in range(20000)]
    np.testing.assert_allclose([low, high], np.quantile(drawn, [0.025, 0.975]), atol=0.021)
    assert subject_summary(scores)["net"] == subject_summary(scores)["net"]


def test_one_subject_has_no_interval():
    found = subject_summary(subject_scores(predictions({"A": ("lh", "lh")}), NAMES, "level"))
    assert found["net"]["accuracy"]["ci95"] == [None, None]
    assert "one subject only" in found["net"]["accuracy"]["ci95_reason"]


def test_a_difference_is_paired_by_subject():
    net = predictions({"A": ("lh", "lh"), "B": ("lh", "ll"), "C": ("lh", "ll")})
    floor = predictions({"C": ("lh", "ll"), "A": ("lh", "ll"), "B": ("lh", "hl")}, arm="floor")
    scores = subject_scores(pd.concat([net, floor]), NAMES, "level")
    found = subject_difference(scores, "net", "floor", "accuracy")
    # +0.5, +0.5 and 0.
    assert found["mean"] == pytest.approx(1 / 3)
    assert found["sd"] == pytest.approx(np.sqrt(2) / 6)
    assert (found["better"], found["worse"], found["subjects"]) == (2, 0, 3)
    assert found["ci95"] == [0.0, 0.5]
    back = subject_difference(scores, "floor", "net", "accuracy")
    assert back["mean"] == pytest.approx(-1 / 3)
    assert (back["better"], back["worse"]) == (0, 2)


def test_equal_arms_differ_by_nothing_also_where_rounding_does():
    seeds = [predictions({"A": ("lhl", "lhh"), "B": ("lh", "ll")}, seed=one) for one in range(3)]
    one_seed = predictions({"A": ("lhl", "lhh"), "B": ("lh", "ll")}, arm="other")
    scores = subject_scores(pd.concat([*seeds, one_seed]), NAMES, "level")
    found = subject_difference(scores, "net", "other", "accuracy")
    assert (found["mean"], found["better"], found["worse"]) == (0.0, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net", "absent", "accuracy"), "the arms are .* Received: 'absent'"),
        (("net", "floor", "auc"), "`metric` must be one of .* Received: 'auc'"),
        (("net", "floor", "accuracy"), "1 in one of them only, such as 'B'"),
    ],
)
def test_differences_that_mean_nothing_are_refused(arguments, message):
    net = predictions({"A": ("lh", "lh"), "B": ("lh", "ll")})
    floor = predictions({"A": ("lh", "ll")}, arm="floor")
    with pytest.raises(ValueError, match=message):
        subject_difference(subject_scores(pd.concat([net, floor]), NAMES, "level"), *arguments)

"""Scores by subject: how well each person was predicted, and what that says of the next person.

A study of wearables asks how a model does on somebody new, so the person is what is counted: each
has one score, and mean and deviation run over persons ("mean ± SD" of the lecture, 1/21 of the sum
over 21 subjects, the deviation with the same divisor). Pooled figures, in which a person with more
windows weighs more, stand beside them in a result.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectkeras.evaluation.intervals import bootstrap_interval
from affectkeras.evaluation.metrics import accuracy_of, balanced_accuracy_of, macro_f1_of

METRICS = {
    "accuracy": accuracy_of,
    "macro_f1": macro_f1_of,
    "balanced_accuracy": balanced_accuracy_of,
}
SCORE_COLUMNS = ("arm", "seed", "subject", "n", "classes", *METRICS)


def subject_scores(
    predictions: pd.DataFrame, class_names: Sequence[str], target: str
) -> pd.DataFrame:
    """Score every subject of the test part, for each arm and seed.

    The macro F1 runs over all classes of the data set, and a class that is neither in the subject's
    truth nor predicted counts 0 (as in `evaluation.metrics`). So somebody who shows one class of
    two only reaches at most 0.5, however well predicted, and pulls the mean over subjects down by
    as much in every arm: compare arms with each other and with the floors, and look at `classes`
    before comparing with figures of others, who may leave such classes out. The balanced accuracy
    runs over the classes that the subject shows and can reach 1.

    Args:
        predictions: rows of `predictions.csv`: columns `arm`, `seed`, `split`, `example_id`,
            `subject`, `predicted` and the target. Rows of other parts than `test` are left out;
            folds of one seed are pooled.
        class_names: the names behind class indices 0, 1, …
        target: the column that holds the true class.

    Returns:
        A row per arm and seed (in the order of `predictions`) and subject (sorted), with the
        columns `SCORE_COLUMNS`: `n` counts rows, `classes` the classes that the subject's truth
        holds.

    Raises:
        ValueError: for missing columns, no test row, a row without a subject or twice, or a name
            that is no class.
    """
    test = _test_rows(predictions, target)
    names = list(class_names)
    true, predicted = (_codes(test[column], names) for column in (target, "predicted"))
    keys = ["arm", "seed", "subject"]
    # Numbers of a group count up in the order of appearance, so that arms keep theirs.
    group = test.groupby(keys, sort=False).ngroup().to_numpy()
    shape = (group.max() + 1, len(names), len(names))
    cells = np.ravel_multi_index((group, true, predicted), shape)
    confusions = np.bincount(cells, minlength=np.prod(shape)).reshape(shape)
    scores = test.iloc[np.unique(group, return_index=True)[1]][keys].reset_index(drop=True)
    scores["n"] = confusions.sum(axis=(1, 2))
    scores["classes"] = (confusions.sum(axis=2) > 0).sum(axis=1)
    for name, metric in METRICS.items():
        scores[name] = metric(confusions)
    place = scores.groupby(["arm", "seed"], sort=False).ngroup()
    order = scores.assign(place=place).sort_values(["place", "subject"], kind="stable").index
    return scores.loc[order].reset_index(drop=True)


def subject_summary(scores: pd.DataFrame, *, repetitions: int = 2000, seed: int = 0) -> dict:
    """Return mean and spread over subjects of every arm and metric.

    Several seeds of a subject are averaged first: the deviation is that of people, not of seeds.

    Args:
        scores: of `subject_scores`.
        repetitions, seed: of the bootstrap.

    Returns:
        arm → metric → `{"mean", "sd", "ddof": 0, "ci95": [low, high], "subjects"}`, ready for
        JSON. `sd` has the divisor n, as in the lecture. `ci95` is the percentile interval of the
        mean when subjects are drawn anew; with one subject it is `[None, None]` and `ci95_reason`
        says why.
    """
    return {
        arm: {
            metric: _spread(means[metric], repetitions=repetitions, seed=seed) for metric in METRICS
        }
        for arm, means in _means_over_seeds(scores).items()
    }


def subject_difference(
    scores: pd.DataFrame,
    arm: str,
    other: str,
    metric: str,
    *,
    repetitions: int = 2000,
    seed: int = 0,
) -> dict:
    """Return by how much one arm does better than another, paired by subject.

    Args:
        scores: of `subject_scores`.
        arm, other: two of its arms; the difference is `arm` minus `other`.
        metric: one of `METRICS`.
        repetitions, seed: of the bootstrap.

    Returns:
        `{"mean", "sd", "ddof": 0, "ci95", "subjects", "better", "worse"}` of the subjects'
        differences, as in `subject_summary`; `better` and `worse` count subjects whose difference
        is above and below 0.

    Raises:
        ValueError: for an unknown arm or metric, or arms that were tested on other subjects.
    """
    means = _means_over_seeds(scores)
    for name in (arm, other):
        if name not in means:
            raise ValueError(f"the arms are {sorted(means)}. Received: {name!r}")
    if metric not in METRICS:
        raise ValueError(f"`metric` must be one of {sorted(METRICS)}. Received: {metric!r}")
    left, right = means[arm][metric], means[other][metric]
    alone = left.index.symmetric_difference(right.index)
    if len(alone):
        raise ValueError(
            f"the arms {arm!r} and {other!r} must be tested on the same subjects. Received: "
            f"{len(alone)} in one of them only, such as {alone[0]!r}"
        )
    difference = left - right.loc[left.index]
    # Equal scores of several seeds may differ in their means by rounding.
    difference = difference.mask(difference.abs() < 1e-12, 0.0)
    found = _spread(difference, repetitions=repetitions, seed=seed)
    better, worse = int((difference > 0).sum()), int((difference < 0).sum())
    return {**found, "better": better, "worse": worse}


def _means_over_seeds(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return arm → means over seeds, a row per subject."""
    missing = [name for name in SCORE_COLUMNS if name not in scores.columns]
    if missing or not len(scores):
        raise ValueError(
            f"`scores` must have a row and the columns {list(SCORE_COLUMNS)}. Received: "
            f"{len(scores)} rows without {missing}"
        )
    return {
        arm: rows.groupby("subject")[list(METRICS)].mean()
        for arm, rows in scores.groupby("arm", sort=False)
    }


def _spread(values: pd.Series, *, repetitions: int, seed: int) -> dict:
    numbers = values.to_numpy(dtype=float)
    subjects = np.arange(len(numbers))
    interval = bootstrap_interval(numbers, subjects, repetitions=repetitions, seed=seed)
    found = {
        "mean": float(numbers.mean()),
        "sd": float(numbers.std(ddof=0)),
        "ddof": 0,
        "ci95": [None, None] if interval.reason else [interval.low, interval.high],
    }
    if interval.reason:
        found["ci95_reason"] = "one subject only: nothing tells how another would have come out"
    return {**found, "subjects": len(numbers)}


def _test_rows(predictions: pd.DataFrame, target: str) -> pd.DataFrame:
    wanted = ("arm", "seed", "split", "example_id", "subject", "predicted", target)
    missing = [column for column in wanted if column not in predictions.columns]
    if missing:
        raise ValueError(f"`predictions` lacks the columns {missing}")
    test = predictions[predictions["split"] == "test"]
    if not len(test):
        raise ValueError("`predictions` must hold rows of the part 'test'. Received: none")
    blank = test["subject"].isna() | (test["subject"].astype(str) == "")
    if blank.any():
        name = test.loc[blank, "example_id"].iloc[0]
        raise ValueError(
            f"every row must tell its subject. Received: {int(blank.sum())} without, such as "
            f"{name!r}"
        )
    keys = ["arm", "seed", "example_id"]
    repeated = test[test.duplicated(keys)]
    if len(repeated):
        raise ValueError(f"`predictions` holds twice: {repeated.iloc[0][keys].to_dict()}")
    return test.assign(subject=test["subject"].astype(str))


def _codes(labels: pd.Series, class_names: list) -> np.ndarray:
    codes = pd.Index(class_names).get_indexer(labels)
    if np.any(codes < 0):
        unknown = sorted(set(map(str, labels)) - set(class_names))
        raise ValueError(
            f"column {labels.name!r} must hold class names {class_names}. Received: {unknown}"
        )
    return codes

"""What a run found: every figure is computed from its predictions, none is kept from training."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.comparing.honest import LEAKY_PROTOCOLS, honest_counterpart, honest_words
from affectkeras.environment import environment
from affectkeras.evaluation.intervals import Interval, bootstrap_seeds_and_groups
from affectkeras.evaluation.leakage import CHECKS
from affectkeras.evaluation.metrics import (
    accuracy,
    accuracy_of,
    balanced_accuracy_of,
    cross_entropy,
    expected_calibration_error,
    macro_auc,
    macro_f1,
    macro_f1_of,
    per_class,
)
from affectkeras.evaluation.splits import PARTS, Split
from affectkeras.files import write_json
from affectkeras.signal_facts import recordings_arguments
from affectkeras.subject_result import check_subject_parts, subject_lines

SCHEMA = 1
PREDICTION_COLUMNS = (*("arm", "seed", "fold", "split", "example_id", "group", "predicted"),)
# What a recipe puts together; `write_result` adds the rest.
RESULT_PARTS = (
    *("recipe", "command", "banners", "dataset", "protocol", "seeds", "served", "served_arm"),
    *("class_names", "arms", "baselines", "claims", "leakage", "timing", "exports"),
)
# Of a run that scores its subjects: see `subject_result`.
# Of a run with a pretrained backbone: see `transfer.regime_choice`.
OPTIONAL_PARTS = ("by_subject", "floors", "regime")
# A run with number targets has its targets in the place of classes, and may have an ablation:
# see `number_results`.
NUMBER_RESULT_PARTS = tuple("targets" if name == "class_names" else name for name in RESULT_PARTS)
OPTIONAL_NUMBER_PARTS = ("ablation",)
# Functions of confusion counts, which have intervals; and of true classes and probabilities.
METRICS = {
    "accuracy": accuracy_of,
    "macro_f1": macro_f1_of,
    "balanced_accuracy": balanced_accuracy_of,
}
PROBABILITY_METRICS = {
    "auc": macro_auc,
    "calibration_error": expected_calibration_error,
    "cross_entropy": lambda true, probabilities: cross_entropy(probabilities, true),
}


def summarise(
    predictions: pd.DataFrame,
    class_names: Sequence[str],
    *,
    target: str = "expression",
    repetitions: int = 2000,
    seed: int = 0,
) -> dict:
    """Compute all figures of a `predictions.csv`.

    Intervals resample seeds and whole groups (column `group`; see `evaluation.intervals`); with one
    seed only groups, and then say nothing of other seeds. Folds of one seed are pooled.

    Args:
        predictions: columns `PREDICTION_COLUMNS`, the target and, for `PROBABILITY_METRICS`,
            `p_<class>` of all classes.
        class_names: the names behind class indices 0, 1, …
        target: the column that holds the true class.
        repetitions, seed: of the bootstrap.

    Returns:
        arm → split → `n`, `groups`, `seeds`, every one of `METRICS` (each `mean, sd, ddof, ci95,
        per_seed`) and `PROBABILITY_METRICS` (without `ci95`; NaN where no class has an AUC),
        `per_class` (means over seeds) and `confusion` (true classes down, predicted across, summed
        over seeds).
    """
    wanted = (*PREDICTION_COLUMNS, target)
    missing = [column for column in wanted if column not in predictions.columns]
    if missing:
        raise ValueError(f"`predictions` lacks the columns {missing}")
    keys = ["arm", "seed", "split", "example_id"]
    repeated = predictions[predictions.duplicated(keys)]
    if len(repeated):
        raise ValueError(f"`predictions` holds twice: {repeated.iloc[0][keys].to_dict()}")
    arms = {}
    for (arm, split), rows in predictions.groupby(["arm", "split"], sort=False):
        true = _codes(rows[target], list(class_names))
        summary = _summarise_split(rows, true, list(class_names), repetitions, seed)
        arms.setdefault(arm, {})[split] = summary
    return arms


def best_seed(found: dict) -> int:
    """Return the seed of the highest accuracy in one part of `summarise`; the first of equals."""
    accuracies = found["accuracy"]["per_seed"]
    return found["seeds"][accuracies.index(max(accuracies))]


def print_result(result: dict, run: Path) -> None:
    """Print the arms beside the majority baseline, and where the report lies."""
    wide = max(14, *(len(arm) + 2 for arm in result["arms"]))
    print(f"\n{'arm':<{wide}}{'test accuracy':>15}{'95 % interval':>18}{'macro F1':>10}{'n':>7}")
    for arm, found in result["arms"].items():
        test = found["test"]
        spread = "" if test["accuracy"]["sd"] is None else f" ± {test['accuracy']['sd']:.3f}"
        low, high = test["accuracy"]["ci95"]
        interval = "none" if low is None else f"[{low:.3f}, {high:.3f}]"
        print(
            f"{arm:<{wide}}{test['accuracy']['mean']:>{15 - len(spread)}.3f}{spread}{interval:>18}"
            f"{test['macro_f1']['mean']:>10.3f}{test['n']:>7}"
        )
        if low is None:
            print(f"{'':<{wide}}no interval: {test['accuracy']['ci95_reason']}")
    majority = result["baselines"]["majority"]
    if "majority" not in result["arms"]:
        figures = f"{majority['accuracy']:>15.3f}{'':>18}{majority['macro_f1']:>10.3f}"
        print(f"{'majority':<{wide}}{figures}")
    for line in subject_lines(result):
        print(line)
    for banner in result["banners"]:
        print(f"*** {banner}")
    if "honest" in result["protocol"]:
        print(f"*** {honest_words(result['protocol']['honest'])}")
    print(f"\nReport:  {Path(run) / 'report.html'}")
    if not (Path(run) / "saved_model").is_dir():
        return  # of a table of features there is no picture that one could give it
    python = os.path.relpath(sys.executable)
    given = recordings_arguments(run, result["dataset"]["name"]) or "FILE_OR_FOLDER"
    print(f"Predict: {python} -m affectkeras predict {run} {given}")


def majority_baseline(labels: np.ndarray, splits: Sequence[Split], class_names) -> dict:
    """Return the figures of always naming the commonest training class.

    Args:
        labels: the class index of every table row.
        splits: one, or the folds of a cross-validation, whose test rows are pooled. `class` is the
            commonest class of the first.
        class_names: the names behind the indices.
    """
    labels = np.asarray(labels)
    commonest = [int(np.bincount(labels[split.train]).argmax()) for split in splits]
    true = np.concatenate([labels[split.test] for split in splits])
    predicted = np.repeat(commonest, [len(split.test) for split in splits])
    return {
        "class": class_names[commonest[0]],
        "accuracy": accuracy(true, predicted),
        "macro_f1": macro_f1(true, predicted, len(class_names)),
    }


def dataset_facts(
    name: str,
    frame: pd.DataFrame,
    split: Split,
    *,
    sample: bool,
    quick: bool,
    rejected: int,
    target: str | None = "expression",
) -> dict:
    """Return the `dataset` part of a result: what was used, by part, and what was not.

    `target` is the class target; None of a run with number targets, whose result names them itself.
    """
    groups = frame["group"].to_numpy(dtype=str)
    parts = {part: rows for part, rows in split.parts().items() if len(rows)}
    return {
        "name": name,
        **({} if target is None else {"target": target}),
        "sample": sample,
        "quick": quick,
        "examples": {part: len(rows) for part, rows in parts.items()},
        "groups": {part: len(np.unique(groups[rows])) for part, rows in parts.items()},
        "groups_known": split.groups_known,
        "set_aside": {
            reason: int(count)
            for reason, count in split.set_aside["reason"].value_counts(sort=False).items()
        },
        "rejected": rejected,
    }


def protocol_facts(split: Split) -> dict:
    """Return the `protocol` part of a result."""
    return {"name": split.name, "description": split.description, "notes": list(split.notes)}


def write_result(run: Path, parts: dict, environment_facts: dict | None = None) -> dict:
    """Complete a result, write `result.json` (which marks the run as complete) and return it.

    Args:
        run: the run folder.
        parts: exactly the keys of `RESULT_PARTS`, and those of `OPTIONAL_PARTS` it has; of a run
            with number targets `NUMBER_RESULT_PARTS` and `OPTIONAL_NUMBER_PARTS`. `served_arm`
            names the arm of the served model, whose figures become `metrics`.
        environment_facts: by default `environment()`; a recipe adds its accelerator.
    """
    needed, allowed = RESULT_PARTS, (*RESULT_PARTS, *OPTIONAL_PARTS)
    if "targets" in parts:
        needed, allowed = NUMBER_RESULT_PARTS, (*NUMBER_RESULT_PARTS, *OPTIONAL_NUMBER_PARTS)
    missing, unknown = set(needed) - set(parts), set(parts) - set(allowed)
    if missing or unknown:
        raise ValueError(
            f"a result needs exactly its parts. Missing: {sorted(missing)}; unknown: "
            f"{sorted(unknown)}"
        )
    if parts["served_arm"] not in parts["arms"]:
        raise ValueError(
            f"`served_arm` must be one of {sorted(parts['arms'])}. "
            f"Received: {parts['served_arm']!r}"
        )
    check_subject_parts(parts)
    leakage = parts["leakage"]
    silent = set(CHECKS) - {*leakage["checks"], *leakage["not_checked"]}
    if silent:
        raise ValueError(
            "`leakage` must say of every check what it found or why it was not made. "
            f"Missing: {sorted(silent)}"
        )
    result = {"schema": SCHEMA, "status": "complete"}
    for name in (name for name in allowed if name in parts):
        if name == "arms":
            served = parts["arms"][parts["served_arm"]]
            result["metrics"] = {
                split: _served_figures(found) for split, found in served.items() if split in PARTS
            }
        result[name] = parts[name]
    if parts["protocol"]["name"] in LEAKY_PROTOCOLS:
        result["protocol"] = {**parts["protocol"], "honest": honest_counterpart(run, parts)}
    result["environment"] = environment() if environment_facts is None else environment_facts
    write_json(Path(run) / "result.json", result)
    return result


def _served_figures(found: dict) -> dict:
    """Return the chief figures of one part; of number targets all, target by target."""
    return found["targets"] if "targets" in found else {name: found[name] for name in METRICS}


def _summarise_split(
    rows: pd.DataFrame, true: np.ndarray, class_names: list, repetitions: int, seed: int
) -> dict:
    predicted = _codes(rows["predicted"], class_names)
    seeds, seed_code = np.unique(rows["seed"].to_numpy(), return_inverse=True)
    totals = _confusions(true, predicted, rows["group"], seed_code, len(class_names))
    by_seed = totals.sum(axis=0)
    summary = {
        "n": int(rows["example_id"].nunique()),
        "groups": len(totals),
        "seeds": [int(one) for one in seeds],
    }
    for name, metric in METRICS.items():
        interval = bootstrap_seeds_and_groups(totals, metric, repetitions=repetitions, seed=seed)
        summary[name] = _spread(metric(by_seed), interval)
    columns = [f"p_{name}" for name in class_names]
    if all(column in rows.columns for column in columns):
        probabilities = rows[columns].to_numpy(dtype=float)
        of_seed = [seed_code == one for one in range(len(seeds))]
        for name, metric in PROBABILITY_METRICS.items():
            found = [metric(true[one], probabilities[one]) for one in of_seed]
            summary[name] = _spread(np.array(found))
    means = {name: values.mean(axis=0) for name, values in per_class(by_seed).items()}
    summary["per_class"] = {
        class_name: {name: float(values[index]) for name, values in means.items()}
        for index, class_name in enumerate(class_names)
    }
    summary["confusion"] = by_seed.sum(axis=0).tolist()
    return summary


def _confusions(true, predicted, groups: pd.Series, seed_code, classes: int) -> np.ndarray:
    """Return counts `(groups, seeds, classes, classes)`."""
    names, group_code = np.unique(groups.to_numpy(dtype=str), return_inverse=True)
    shape = (len(names), seed_code.max() + 1, classes, classes)
    cell = np.ravel_multi_index((group_code, seed_code, true, predicted), shape)
    return np.bincount(cell, minlength=np.prod(shape)).reshape(shape)


def _codes(labels: pd.Series, class_names: list) -> np.ndarray:
    codes = pd.Index(class_names).get_indexer(labels)
    if np.any(codes < 0):
        unknown = sorted(set(labels) - set(class_names))
        raise ValueError(
            f"column {labels.name!r} must hold class names {class_names}. Received: {unknown}"
        )
    return codes


def _spread(per_seed: np.ndarray, interval: Interval | None = None) -> dict:
    """Return mean and sample standard deviation over seeds; one seed has no deviation."""
    spread = {
        "mean": float(per_seed.mean()),
        "sd": float(per_seed.std(ddof=1)) if len(per_seed) > 1 else None,
        "ddof": 1,
    }
    if interval is not None:
        spread["ci95"] = [None, None] if interval.reason else [interval.low, interval.high]
        if interval.reason:
            spread["ci95_reason"] = interval.reason
    return {**spread, "per_seed": [float(one) for one in per_seed]}

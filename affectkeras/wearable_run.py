"""How a run on wearables goes on: all folds of an arm together, the choice, the result."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from affectkeras import results, runs
from affectkeras.deployment import serve_model
from affectkeras.evaluation.seal import Seal
from affectkeras.evaluation.splits import Split
from affectkeras.evaluation.subject_scores import subject_scores
from affectkeras.evaluation.subject_splits import inner_folds
from affectkeras.export_signals import package_signal_model
from affectkeras.fold_training import FoldJob, FoldPlan, set_weights, train_folds
from affectkeras.reporting.report import write_report
from affectkeras.run_result import common_parts
from affectkeras.signal_facts import SignalFacts
from affectkeras.signal_records import write_signal_records
from affectkeras.subject_result import CHIEF_METRIC, arms_with_subjects, keep_subject_scores
from affectkeras.wearable_floors import FLOORS, run_floors
from affectkeras.wearable_settings import fold_plan, wearable_banners
from affectkeras.wearables import Wearables, prediction_rows

SPLIT_SEED = 0  # folds do not change with the seed of a training
CHOSEN = "chosen"


@dataclasses.dataclass(frozen=True, eq=False)
class SignalArm:
    """One arm: a network, its windows, and how it is trained.

    Args:
        name: of the arm.
        build: returns the network with fresh weights, windows → logits.
        inputs: what it takes, a row for each row of the table.
        facts: what whoever serves it must know.
    """

    name: str
    build: Callable[[], keras.Model]
    inputs: np.ndarray
    facts: SignalFacts


def run_experiment(
    run: Path,
    config,
    data: Wearables,
    arms: Sequence[SignalArm],
    *,
    windows: np.ndarray,
    model: str,
    claims,
) -> dict:
    """Train every arm with every seed, predict as the floors do, and return the result.

    Args:
        run: the run folder.
        config: the recipe's `Config`.
        data: the windows and splits.
        arms: all networks that are compared.
        windows: `(rows, time, channels)`, of which the logistic regression has its features.
        model: the networks' name.
        claims: the published figures.
    """
    nested = config.nested and len(arms) > 1  # of a single arm there is nothing to choose
    with runs.lock_run(run):
        for seed in config.seeds:
            for arm in arms:
                plan = fold_plan(config, seed)
                run_arm(run, data, arm, plan, inner=config.inner_folds, nested=nested)
        run_floors(run, data, config.seeds[0], windows, data.rate_hz, config.scale)
        result = finish(run, config, data, arms, model=model, claims=claims)
    results.print_result(result, run)
    return result


def run_arm(
    run: Path, data: Wearables, arm: SignalArm, plan: FoldPlan, *, inner: int, nested: bool
) -> None:
    """Train an arm in all folds together with one seed and write its part of the run.

    Beside the held-out subjects' rows, every row is predicted once by a network trained on other
    subjects' rows of `inner` folds: by these `validation` rows the served arm is chosen. With
    `nested`, the same is done within the training rows of every fold, which then chooses among the
    arms without any look at the subjects that it tests.

    Args:
        run: the run folder.
        data: the windows and splits.
        arm: what to train.
        plan: how; its seed is the part's.
        inner: folds of the choice.
        nested: whether to choose within every fold.
    """
    part = runs.part_dir(run, plan.seed, arm.name)
    if runs.is_done(part):
        return
    print(f"seed {plan.seed}, arm {arm.name}", flush=True)
    began = time.perf_counter()
    seals = [Seal(split) for split in data.splits]
    jobs = _test_jobs(data, seals, arm.name)
    choices = _choice_pairs(data, everything(data), inner)
    jobs += [FoldJob(train, seen, f"choice {place}") for place, (train, seen) in enumerate(choices)]
    within = _nested_pairs(data, seals, inner) if nested else []
    jobs += [FoldJob(train, seen, name) for name, train, seen in within]
    keras.utils.set_random_seed(plan.seed)
    outcomes = train_folds(arm.build(), arm.inputs, data.labels, jobs, plan)
    found = {outcome.name: outcome for outcome in outcomes}
    place = {"arm": arm.name, "seed": plan.seed}
    frames = [
        prediction_rows(
            data,
            seen,
            found[f"choice {fold}"].probabilities,
            **place,
            fold=fold,
            split="validation",
        )
        for fold, (_, seen) in enumerate(choices)
    ]
    history = []
    for fold, (split, seal) in enumerate(zip(data.splits, seals, strict=True)):
        outcome = found[f"test {fold}"]
        with seal.final_evaluation():
            seal.read(split.test)
            frames.append(
                prediction_rows(
                    data, split.test, outcome.probabilities, **place, fold=fold, split="test"
                )
            )
        history.append(outcome.history.assign(**place, fold=fold))
    history = pd.concat(history, ignore_index=True)
    runs.write_csv(part / "history.csv", history[[*place, "fold", "epoch", "loss", "accuracy"]])
    runs.write_csv(part / "predictions.csv", pd.concat(frames, ignore_index=True))
    facts = {
        "seals": [seal.facts() for seal in seals],
        "seconds": time.perf_counter() - began,
        "folds": len(jobs),
        "way": outcomes[0].way,
        "inner_scores": _inner_scores(data, within, found),
        **place,
    }
    runs.finish_part(part, facts)


def score_inside(
    data: Wearables, arm: SignalArm, plan: FoldPlan, split: Split, inner: int
) -> float:
    """Return how well an arm does on a split's training subjects, each predicted by others.

    Args:
        data: the windows.
        arm: what to train.
        plan: how.
        split: only its training rows are read.
        inner: folds, by subject.

    Returns:
        The mean over subjects of the macro F1.
    """
    pairs = _choice_pairs(data, split, inner)
    jobs = [FoldJob(train, seen, f"inner {place}") for place, (train, seen) in enumerate(pairs)]
    outcomes = train_folds(arm.build(), arm.inputs, data.labels, jobs, plan)
    found = {outcome.name: outcome.probabilities for outcome in outcomes}
    place = {"arm": arm.name, "seed": plan.seed, "fold": 0, "split": "test"}
    frames = [
        prediction_rows(data, seen, found[f"inner {number}"], **place)
        for number, (_, seen) in enumerate(pairs)
    ]
    return _mean_score(pd.concat(frames), data.table.class_target)


def everything(data: Wearables) -> Split:
    """Return the split whose training rows are all rows: what the served network learns from."""
    nothing = np.empty(0, np.int64)
    rows = np.arange(len(data.table))
    return dataclasses.replace(
        data.splits[0], train=rows, validation=nothing, test=nothing, notes=()
    )


def choose_within_folds(run: Path, data: Wearables, arms: Sequence[str]) -> pd.DataFrame | None:
    """Add the arm `chosen` to `predictions.csv`: of each fold, the arm its inner folds favour.

    The score of an arm in a fold is the mean over its seeds of the mean over training subjects of
    the macro F1 of inner predictions.

    Returns:
        The rows of `choices.csv` (`fold`, `held_out`, `chosen`, and each arm's inner score), which
        it writes; None where nothing was chosen within folds.
    """
    parts = [runs.part_facts(part) for part in sorted((run / "parts").iterdir())]
    scores = {
        arm: np.mean([part["inner_scores"] for part in parts if part["arm"] == arm], axis=0)
        for arm in arms
    }
    if not len(next(iter(scores.values()))) or len(arms) < 2:
        return None
    table = pd.DataFrame(scores)
    predictions = runs.read_csv(run / "predictions.csv")
    test = predictions[predictions["split"] == "test"]
    best = table.idxmax(axis=1)
    picked = test[test["arm"] == test["fold"].map(best)].assign(arm=CHOSEN)
    runs.write_csv(run / "predictions.csv", pd.concat([predictions, picked], ignore_index=True))
    held_out = [
        ", ".join(np.unique(data.table.frame["subject"].to_numpy()[split.test]))
        for split in data.splits
    ]
    table = table.rename_axis("fold").reset_index()
    table.insert(1, "held_out", held_out)
    table.insert(2, "chosen", best.to_numpy())
    runs.write_csv(run / "choices.csv", table)
    return table


def finish(
    run: Path,
    config,
    data: Wearables,
    arms: Sequence[SignalArm],
    *,
    model: str,
    claims,
) -> dict:
    """Join the parts, choose an arm, train it on all subjects, and write result and report.

    Args:
        run: the run folder, its parts done.
        config: the recipe's `Config`.
        data: the windows and splits.
        arms: all networks that were trained.
        model: the networks' name.
        claims: as in `run_result.common_parts`.

    Returns:
        The result.
    """
    trained = [runs.part_facts(part) for part in runs.merge_parts(run)]
    names = [arm.name for arm in arms]
    choices = choose_within_folds(run, data, names)
    target = data.table.class_target
    predictions = runs.read_csv(run / "predictions.csv")
    found = results.summarise(predictions, target.class_names, target=target.name)
    said = keep_subject_scores(run, target.class_names, target.name, FLOORS)
    ordered = [*names, *([] if choices is None else [CHOSEN]), *FLOORS]
    figures = arms_with_subjects({name: found[name] for name in ordered}, said["by_subject"])
    said["by_subject"] = {name: said["by_subject"][name] for name in ordered}
    favourite = _favourite(predictions, target, names)
    served = next(arm for arm in arms if arm.name == favourite)
    began = time.perf_counter()
    exports = {f"{model}-{favourite}": _train_served(run, config, data, served, model)}
    serve_s = time.perf_counter() - began
    serve_model(run, run / "models" / f"{model}-{favourite}")
    runs.write_csv(run / "rejected.csv", data.table.rejected)
    write_signal_records(run, data.stretches, data.table, data.channels, rate_hz=data.rate_hz)
    seals = [
        {"seal": seal, "seconds": facts["seconds"] / len(facts["seals"])}
        for facts in trained
        for seal in facts["seals"]
    ]
    parts = common_parts(
        run,
        config,
        data.table,
        data.splits,
        data.findings,
        target=target.name,
        claims=claims,
        banners=wearable_banners(config),
        model=model,
        arms=figures,
        served_arm=favourite,
        exports=exports,
        trained=seals,
        prepare_s=data.prepare_s,
    )
    parts["timing"]["served_s"] = serve_s
    if hasattr(config, "target"):
        parts["dataset"]["rating"] = config.target  # the one that is told as low or high
    majority = results.majority_baseline(data.labels, data.splits, target.class_names)
    parts |= {"class_names": list(target.class_names), "baselines": {"majority": majority}, **said}
    result = results.write_result(run, parts)
    write_report(run)
    runs.drop_parts(run)
    return result


def _test_jobs(data: Wearables, seals: Sequence[Seal], name: str) -> list[FoldJob]:
    jobs = []
    for fold, (split, seal) in enumerate(zip(data.splits, seals, strict=True)):
        seal.fit("normalisation", "z-normalisation", split.train)
        seal.fit("weights", name, split.train)
        jobs.append(FoldJob(split.train, split.test, f"test {fold}"))
    return jobs


def _choice_pairs(data: Wearables, split: Split, inner: int):
    target = data.table.class_target.name
    return inner_folds(split, data.table.frame, inner, SPLIT_SEED, target_column=target)


def _nested_pairs(data: Wearables, seals: Sequence[Seal], inner: int):
    """Return name, training rows and validation rows of all inner folds of all folds."""
    pairs = []
    for fold, (split, seal) in enumerate(zip(data.splits, seals, strict=True)):
        seal.fit("selection", "the choice among arms", split.train)
        for place, (train, seen) in enumerate(_choice_pairs(data, split, inner)):
            pairs.append((f"inner {fold} {place}", train, seen))
    return pairs


def _inner_scores(data: Wearables, within, found) -> list[float]:
    """Return of each fold how well its inner networks did on its training subjects."""
    by_fold: dict[str, list] = {}
    for name, _, seen in within:
        place = {"arm": "", "seed": 0, "fold": 0, "split": "test"}
        rows = prediction_rows(data, seen, found[name].probabilities, **place)
        by_fold.setdefault(name.split()[1], []).append(rows)
    target = data.table.class_target
    return [_mean_score(pd.concat(frames), target) for frames in by_fold.values()]


def _favourite(predictions: pd.DataFrame, target, arms: Sequence[str]) -> str:
    """Return the arm that did best on validation rows, mean over seeds and subjects."""
    seen = predictions[predictions["split"] == "validation"].assign(split="test")
    return max(arms, key=lambda arm: _mean_score(seen[seen["arm"] == arm], target))


def _mean_score(rows: pd.DataFrame, target) -> float:
    return float(subject_scores(rows, target.class_names, target.name)[CHIEF_METRIC].mean())


def _train_served(run, config, data: Wearables, arm: SignalArm, model: str):
    """Train an arm on all subjects and package it; return what its exports were found to be."""
    plan = fold_plan(config, config.seeds[0])
    print(f"arm {arm.name} on all subjects, to be served", flush=True)
    keras.utils.set_random_seed(plan.seed)
    network = arm.build()
    job = FoldJob(np.arange(len(data.table)), np.empty(0, np.int64), "all subjects")
    (outcome,) = train_folds(network, arm.inputs, data.labels, [job], plan)
    set_weights(network, outcome.weights)
    folder = run / "models" / f"{model}-{arm.name}"
    folder.mkdir(parents=True, exist_ok=True)
    network.save(folder / "model.keras")
    return package_signal_model(
        folder / "model.keras", folder, arm.facts.to_json(), arm.inputs[:40], config.export
    )

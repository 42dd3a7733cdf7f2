"""Arms of a run that are no networks: chosen by inner folds, fitted once, told on held-out rows."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from affectkeras import records, runs
from affectkeras.evaluation.seal import Seal
from affectkeras.evaluation.shallow_classifiers import (
    Family,
    Linear,
    as_linear,
    fit,
    softmax,
    tune,
)
from affectkeras.evaluation.splits import Split, subsample
from affectkeras.faces import SPLIT_SEED, inner_face_folds

LINEAR_FILE = "linear.npz"


def choice_folds(
    table, split: Split, folds: int, tune_rows: int | None
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Return the training rows by which settings are chosen, and folds as places in them.

    Args:
        table: the examples.
        split: its training rows alone are used.
        folds: how many.
        tune_rows: so many rows at most, drawn by class; None: all.
    """
    rows = split.train
    if tune_rows is not None:
        labels = table.frame[table.class_target.name].to_numpy()[rows]
        rows = subsample(rows, labels, tune_rows, SPLIT_SEED)
    return rows, inner_face_folds(table, rows, folds, SPLIT_SEED)


def run_shallow_arm(
    arm: str,
    family: Family,
    read: Callable[[np.ndarray], np.ndarray],
    table,
    split: Split,
    seed: int,
    *,
    part: Path,
    choice: tuple[np.ndarray, Sequence[tuple[np.ndarray, np.ndarray]]],
) -> None:
    """Choose the settings of an arm, fit it on all training rows, and write its part of the run.

    Args:
        arm: its name.
        family: the classifier and the settings to choose among.
        read: gives the features of table rows, `(rows, features)`, in their order.
        table: the examples.
        split: test rows are read once, after everything was fitted.
        seed: of classifiers that draw.
        part: the part's folder; nothing is done where it is finished.
        choice: of `choice_folds`.
    """
    if runs.is_done(part):
        return
    print(f"seed {seed}, arm {arm}", flush=True)
    began = time.perf_counter()
    seal = Seal(split)
    labels = table.frame[table.class_target.name].to_numpy()
    rows, folds = choice
    fixed = {"classes": len(table.class_target.class_names), "seed": seed}

    def features_of(rows):
        seal.read(rows)
        return read(rows)

    seal.fit("selection", f"the settings of {arm}", rows)
    training = features_of(split.train)
    place = np.searchsorted(split.train, rows)
    seal.fit("normalisation", "the scales of features", split.train)
    seal.fit("weights", arm, split.train)
    # Steps this small gain little from threads; where others use the cores, threads that wait for
    # each other make a fit of a tenth of a second take minutes.
    with threadpool_limits(1):
        tuned = tune(family, training[place], labels[rows], folds, **fixed)
        fitted = fit(family, tuned, training, labels[split.train], **fixed)
    tell = fitted.probabilities
    if family.linear:
        linear = as_linear(fitted)
        np.savez(part / LINEAR_FILE, **vars(linear))

        def tell(features):
            return softmax(linear.logits(features))

    frames = []
    with seal.final_evaluation():
        for name, seen in (("validation", split.validation), ("test", split.test)):
            found = tell(features_of(seen))
            frames.append(
                records.prediction_rows(table, seen, found, arm=arm, seed=seed, split=name)
            )
    _write_part(part, frames, tuned, arm, seed)
    facts = {"arm": arm, "seed": seed, "settings": tuned.settings, "scale": fitted.scale}
    seconds = time.perf_counter() - began
    runs.finish_part(part, facts | {"seconds": seconds, "seal": seal.facts()})


def read_linear(part: Path) -> Linear:
    """Return the linear classifier that a finished part holds."""
    with np.load(part / LINEAR_FILE) as held:
        return Linear(**held)


def _write_part(part: Path, frames, tuned, arm: str, seed: int) -> None:
    columns = ("arm", "seed", "fold", *records.HISTORY_COLUMNS)
    runs.write_csv(part / "history.csv", pd.DataFrame(columns=list(columns)))  # no epochs
    runs.write_csv(part / "predictions.csv", pd.concat(frames, ignore_index=True))
    tried = [
        {
            "arm": arm,
            "seed": seed,
            **row,
            "settings": json.dumps(row["settings"]),
            "chosen": row["settings"] == tuned.settings,
        }
        for row in tuned.rows
    ]
    runs.write_csv(part / "tuning.csv", pd.DataFrame(tried))

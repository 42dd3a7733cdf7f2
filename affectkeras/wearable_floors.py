"""What a network on wearables must pass to have learnt anything."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from affectkeras import runs
from affectkeras.evaluation.seal import Seal
from affectkeras.pipelines.signal_features import scale_by_subject, simple_features
from affectkeras.wearables import Wearables, prediction_rows

MAJORITY, GUESS, LOGISTIC = "majority", "guess", "logistic"
FLOORS = {
    MAJORITY: "names the commonest training class",
    # Where the classes are weighed alike, a network without any knowledge ends here: above the
    # majority by macro F1, below it by accuracy.
    GUESS: "draws one of the classes for every window, all alike",
    LOGISTIC: "is a logistic regression on mean, deviation, slope and change of every channel",
}


def run_floors(
    run: Path, data: Wearables, seed: int, windows: np.ndarray, rate_hz: float, scale: str
) -> None:
    """Predict as every floor does and write these parts of the run.

    Args:
        run: the run folder.
        data: the windows and splits.
        seed: of the run's first seed: of the draws of `guess`; the others do not depend on it.
        windows: `(rows, time, channels)`, of which the regression has its features.
        rate_hz: of the windows.
        scale: of the signals; unless it is `"none"`, the features are scaled by subject too.
    """
    features = simple_features(windows, rate_hz)
    if scale != "none":
        features = scale_by_subject(features, data.table.frame["subject"].to_numpy())
    draws = np.random.default_rng(seed)
    floors = {
        MAJORITY: _majority,
        GUESS: lambda _, __, classes: (
            lambda rows: np.eye(classes)[draws.integers(classes, size=len(rows))]
        ),
        LOGISTIC: _logistic,
    }
    classes = len(data.table.class_target.class_names)
    for name, fit in floors.items():
        part = runs.part_dir(run, seed, name)
        if runs.is_done(part):
            continue
        began = time.perf_counter()
        frames, seals = [], []
        for fold, split in enumerate(data.splits):
            seal = Seal(split)
            seal.fit("weights", name, split.train)
            predict = fit(features[split.train], data.labels[split.train], classes)
            with seal.final_evaluation():
                seal.read(split.test)
                found = predict(features[split.test])
            place = {"arm": name, "seed": seed, "fold": fold, "split": "test"}
            frames.append(prediction_rows(data, split.test, found, **place))
            seals.append(seal.facts())
        runs.write_csv(part / "predictions.csv", pd.concat(frames, ignore_index=True))
        seconds = time.perf_counter() - began
        runs.finish_part(part, {"seals": seals, "seconds": seconds, "arm": name, "seed": seed})


def _majority(features, labels, classes: int):
    found = np.zeros(classes)
    found[np.bincount(labels, minlength=classes).argmax()] = 1
    return lambda rows: np.tile(found, (len(rows), 1))


def _logistic(features, labels, classes: int):
    regression = LogisticRegression(class_weight="balanced", max_iter=1000)
    fitted = make_pipeline(StandardScaler(), regression).fit(features, labels)

    def predict(rows):
        found = np.zeros((len(rows), classes))
        found[:, fitted.classes_] = fitted.predict_proba(rows)
        return found

    return predict

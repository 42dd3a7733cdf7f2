"""A run folder of a wearable recipe, its figures drawn at random, its signals made by hand."""

from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.evaluation.fold_splits import join_folds
from affectkeras.evaluation.leakage import CHECKS
from affectkeras.evaluation.subject_splits import leave_one_out_splits
from affectkeras.files import write_csv, write_json
from affectkeras.pipelines.signals import Channel, cut_windows
from affectkeras.records import prediction_rows
from affectkeras.results import (
    dataset_facts,
    majority_baseline,
    protocol_facts,
    summarise,
    write_result,
)
from affectkeras.signal_records import write_signal_records
from affectkeras.subject_result import arms_with_subjects, keep_subject_scores
from tests.tiny_recordings import stretch_table

CHANNELS = (
    *(Channel("bvp"), Channel("eda"), Channel("heart_rate")),
    *(Channel("acceleration", axis) for axis in range(3)),
)
NETWORKS = {"EF": 0.65, "SF-HF": 0.85}  # arm → share of right rows
FLOORS = {
    "majority": "names the commonest training class",
    "logistic": "is a logistic regression on simple features",
}


def write_signal_run(
    folder: Path, *, subjects=9, seeds=(0, 1), windows=16, dyads=False, partners_aside=True
) -> Path:
    """Write the run folder of a leave-one-subject-out run with floors; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(3)
    stretches = stretch_table(subjects, 4, seconds=60, dyads=dyads)
    table = cut_windows(stretches, CHANNELS, seconds=240 / windows, place="inside")
    # The subjects differ in how often they are stressed; the first is so never.
    often = np.linspace(0, 0.6, subjects)[pd.factorize(table.frame["subject"])[0]]
    table.frame["stress"] = (random.random(len(table)) < often).astype(int)
    names = table.class_target.class_names
    splits = leave_one_out_splits(
        table.frame, "stress", partners_aside=partners_aside, class_names=names
    )
    predictions, history = _train(random, table, splits, seeds)
    write_csv(folder / "predictions.csv", predictions)
    write_csv(folder / "history.csv", history)
    write_csv(folder / "rejected.csv", table.rejected)
    write_signal_records(folder, stretches, table, CHANNELS, rate_hz=4.0)
    write_json(folder / "config.json", {"recipe": "stress_predict_fusion", "config": {"epochs": 4}})
    found = keep_subject_scores(folder, names, "stress", FLOORS)
    arms = summarise(predictions, names, target="stress", repetitions=100)
    whole = join_folds(splits)
    parts = {
        "recipe": "stress_predict_fusion",
        "command": "python -m recipes.stress_predict_fusion",
        "banners": ["Sample data: synthetic physiology.", "Quick run: few epochs."],
        "dataset": dataset_facts(
            "stress_predict", table.frame, whole, sample=True, quick=True,
            rejected=len(table.rejected), target="stress",
        ),
        "protocol": protocol_facts(whole),
        "seeds": list(seeds),
        "served": "sensor_fusion-SF-HF",
        "served_arm": "SF-HF",
        "class_names": list(names),
        "arms": arms_with_subjects(arms, found["by_subject"]),
        "baselines": {"majority": majority_baseline(table.frame["stress"], splits, names)},
        "claims": [],
        "leakage": {"passed": True, "checks": {}, "not_checked": dict.fromkeys(CHECKS, "a test")},
        "timing": {"prepare_s": 1.0, "train_s": 20.0},
        "exports": {},
    }  # fmt: skip
    write_result(folder, {**parts, **found}, {})
    return folder


def _train(random, table, splits, seeds):
    """Return predictions of all arms and the history of the networks, fold by fold."""
    predictions, history = [], []
    labels = table.frame["stress"].to_numpy()
    for fold, split in enumerate(splits):
        for arm in (*NETWORKS, *FLOORS):
            for seed in seeds if arm in NETWORKS else seeds[:1]:
                # People differ in how well they are predicted.
                share = NETWORKS.get(arm, 0.6) + random.normal(0, 0.08)
                right = random.random(len(split.test)) < share
                named = np.where(right, labels[split.test], 1 - labels[split.test])
                if arm == "majority":
                    named[:] = np.bincount(labels[split.train]).argmax()
                rows = np.where(np.eye(2)[named] == 1, 0.8, 0.2)
                frame = prediction_rows(
                    table, split.test, rows, arm=arm, seed=seed, split="test", fold=fold
                )
                place = frame.columns.get_loc("group") + 1
                frame.insert(place, "subject", table.frame["subject"].to_numpy()[split.test])
                predictions.append(frame)
                if arm in NETWORKS:
                    history += [
                        {"arm": arm, "seed": seed, "fold": fold, "epoch": epoch,
                         "loss": 0.7 / epoch, "accuracy": 0.5 + 0.1 * epoch}
                        for epoch in range(1, 5)
                    ]  # fmt: skip
    return pd.concat(predictions, ignore_index=True), pd.DataFrame(history)

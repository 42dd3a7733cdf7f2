"""A tiny run folder made of random numbers, for the tests of plots and report."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.files import write_csv, write_json

CLASS_NAMES = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
REMOVAL_EPOCH = 3


LEAKING_PAIR = ("Train/Sad/one.png", "Val/Sad/two.png")


def write_synthetic_run(folder: Path, *, arms=("none", "bdr"), seeds=(0, 1, 2), rows=60) -> Path:
    """Write a run folder with every file of a complete run; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    history, predictions, scores, removals = [], [], [], []
    for arm in arms:
        for seed in seeds:
            predictions += _predictions(random, arm, seed)
            history += _history(random, arm, seed)
            new_scores, new_removals = _scores(random, arm, seed, rows)
            scores += new_scores
            removals += new_removals
    write_csv(folder / "history.csv", pd.DataFrame(history))
    write_csv(folder / "predictions.csv", pd.DataFrame(predictions))
    if scores:
        write_csv(folder / "scores.csv", pd.DataFrame(scores))
        write_csv(folder / "removals.csv", pd.DataFrame(removals))
    _write_thumbnails(random, folder / "thumbnails.npz", removals)
    _write_pruning(random, folder, arms[0], seeds)
    _write_comparison(folder)
    _write_backbone_maps(random, folder)
    _write_stress(random, folder, arms[0])
    rejected = [("Train/Sad/broken.png", "damaged", "the file is empty"),
                ("Test/<b>one</b>.png", "unlabelled", "its owner gives no label")]  # fmt: skip
    write_csv(folder / "rejected.csv", pd.DataFrame(rejected, columns=["path", "kind", "reason"]))
    config = {"data_dir": None, "seeds": list(seeds), "epochs": 6, "image_size": 48}
    write_json(folder / "config.json", {"schema": 1, "recipe": "sfew_resnet", "config": config})
    write_json(folder / "result.json", _result(folder, arms, seeds))
    return folder


def _history(random, arm, seed):
    rows = []
    for epoch in range(1, 7):
        loss = 2.0 / epoch + random.normal(0, 0.05)
        rows.append(
            {"arm": arm, "seed": seed, "fold": 0, "stage": "all", "epoch": epoch,
             "step": 10 * epoch, "rows": 60, "loss": loss, "accuracy": min(0.15 * epoch, 1.0),
             "val_loss": loss + 0.4, "val_accuracy": 0.2 + 0.03 * epoch, "seconds": 1.5}
        )  # fmt: skip
    return rows


def _predictions(random, arm, seed):
    rows = []
    for split in ("validation", "test"):
        for i in range(70):
            true = CLASS_NAMES[i % 7]
            predicted = true if random.random() < 0.5 else str(random.choice(CLASS_NAMES))
            rows.append(
                {"arm": arm, "seed": seed, "fold": 0, "split": split,
                 "example_id": f"{split}/{i}.png", "group": f"movie{i % 10}", "expression": true,
                 "predicted": predicted}
                | {f"p_{name}": float(name == predicted) for name in CLASS_NAMES}
            )  # fmt: skip
    return rows


def _scores(random, arm, seed, rows):
    if arm == "none":
        return [], []
    scores, removals = [], []
    kept = list(range(rows))
    for epoch in range(1, 7):
        losses = {row: random.exponential(0.8) + (4 if row % 20 == 0 else 0) for row in kept}
        out = [row for row in kept if epoch == REMOVAL_EPOCH and losses[row] > 3.5]
        for row in kept:
            scores.append(
                {"arm": arm, "seed": seed, "epoch": epoch, "example_id": f"Train/Fear/{row}.png",
                 "loss": losses[row], "removed": row in out}
            )  # fmt: skip
        for row in out:
            removals.append(
                {"arm": arm, "seed": seed, "round": 1, "epoch": epoch,
                 "example_id": f"Train/Fear/{row}.png", "expression": "Fear", "loss": losses[row],
                 "path": ""}
            )  # fmt: skip
        kept = [row for row in kept if row not in out]
    return scores, removals


def _write_pruning(random, folder, arm, seeds):
    """Write a sweep that removes two maps per degree, and the maps of a face in two modules."""
    rows = [
        {"arm": arm, "seed": seed, "threshold": angle, "maps_removed": 2 * (angle or 0),
         "parameters": 1000 - 10 * (angle or 0), "macs": 5000, "latency_ms": 1.0,
         "accuracy": 0.5 - 0.01 * (angle or 0) + 0.02 * seed, "pareto": angle != 20}
        for seed in seeds
        for angle in (None, 10, 20)
    ]  # fmt: skip
    write_csv(folder / "sweep.csv", pd.DataFrame(rows))
    maps = {f"map{number:02d}": random.random((8, 8, 4 + number)) for number in range(2)}
    names = np.array(["module1_activation", "module2_normalization"])
    face = random.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    np.savez_compressed(folder / "feature_maps.npz", face=face, layers=names, **maps)


def _write_comparison(folder: Path) -> None:
    """Write what a run with a paper's comparison table has: two methods, one of them ours too."""
    rows = [
        {"dataset": "SFEW", "method": "ours too", "published": 0.42, "published_on": "test"},
        {"dataset": "SFEW", "method": "quoted", "published": 0.485, "published_on": "validation"},
    ]
    ours = {"run": "this run", "arm": "none", "accuracy": 0.4, "low": 0.3, "high": 0.5, "n": 90}
    rows[0] |= ours | {"measured_on": "sfew, grouped"}
    rows[0] |= {"comparable": False, "note": "quick run"}
    write_csv(folder / "comparison.csv", pd.DataFrame(rows))


def _write_backbone_maps(random, folder: Path) -> None:
    """Write what a run keeps of its backbone: a face, and two maps of three layers each."""
    maps = {f"map{number}": random.random((8 >> number, 8 >> number, 2)) for number in range(3)}
    np.savez_compressed(
        folder / "backbone_maps.npz",
        image=random.integers(0, 256, (16, 16, 3)).astype(np.uint8),
        depths=np.array(["early", "middle", "late"]),
        layers=np.array(["conv1", "conv3", "conv5"]),
        counts=np.array([8, 16, 32]),
        **maps,
    )


def _write_stress(random, folder, arm):
    """Write masks of two layers, the second all zeros, a leak of ten points, two activations."""
    masks = [
        {"example_id": f"row {row}", "layer": layer, "sparsity": zeros, "weight_on_face": weight,
         "face": 0.25, "arm": arm, "seed": 0, "fold": 0}
        for row in range(5)
        for layer, zeros, weight in (("first", 0.5, 0.5), ("second", 0.75, 0.25))
    ]  # fmt: skip
    write_csv(folder / "masks.csv", pd.DataFrame(masks))
    np.savez_compressed(
        folder / "masks.npz",
        image=random.integers(0, 256, (16, 16, 3)).astype(np.uint8),
        layers=np.array(["first", "second"]),
        mask00=random.random((4, 4, 4)),
        mask01=np.zeros((2, 2, 4)),
    )
    leak = [
        {"arm": arm, "protocol": "subject", "accuracy": 0.6, "low": 0.5, "high": 0.7, "n": 100,
         "groups": 9, "leaks": False, "difference": None, "difference_low": None,
         "difference_high": None},
        {"arm": arm, "protocol": "paper", "accuracy": 0.7, "low": 0.6, "high": 0.8, "n": 20,
         "groups": 9, "leaks": True, "difference": 0.1, "difference_low": 0.02,
         "difference_high": 0.18},
    ]  # fmt: skip
    write_csv(folder / "inflation.csv", pd.DataFrame(leak))
    timed = [
        {"activation": name, "seed": 0, "loss_to_reach": 0.5, "epochs": epochs,
         "seconds": 2.0 * epochs, "seconds_per_epoch": 2.0}
        for name, epochs in (("gelu", 2), ("relu", 4))
    ]  # fmt: skip
    write_csv(folder / "activations.csv", pd.DataFrame(timed))
    history = [
        {"arm": name, "seed": 0, "fold": 0, "epoch": epoch, "loss": 1 / epoch, "seconds": 2.0}
        for name in ("gelu", "relu")
        for epoch in (1, 2, 3, 4)
    ]
    write_csv(folder / "activation_history.csv", pd.DataFrame(history))


def _write_thumbnails(random, path, removals):
    names = sorted({*LEAKING_PAIR, *(one["example_id"] for one in removals)})
    pixels = random.integers(0, 256, (len(names), 96, 96, 3)).astype(np.uint8)
    np.savez_compressed(path, example_id=np.array(names), pixels=pixels)


def _result(folder, arms, seeds):
    from affectkeras.files import read_csv
    from affectkeras.results import summarise

    found = summarise(read_csv(folder / "predictions.csv"), CLASS_NAMES, repetitions=50)
    return {
        "schema": 1,
        "status": "complete",
        "recipe": "sfew_resnet",
        "command": "python -m recipes.sfew_resnet --seeds 0 1 2",
        "banners": ["Sample data: rendered faces.", "Quick run: small images."],
        "dataset": {
            "name": "sfew", "sample": True, "quick": True, "groups_known": True, "rejected": 2,
            "examples": {"train": 60, "validation": 70, "test": 70},
            "groups": {"train": 12, "validation": 10, "test": 10},
            "set_aside": {"shown in two classes": 1},
        },
        "protocol": {"name": "grouped", "description": "Whole films on one side.", "notes": []},
        "seeds": list(seeds),
        "served": f"mobilenet-{arms[-1]}",
        "served_arm": arms[-1],
        "class_names": list(CLASS_NAMES),
        "arms": found,
        "metrics": {"test": {"accuracy": found[arms[-1]]["test"]["accuracy"]}},
        "baselines": {"majority": {"class": "Happy", "accuracy": 1 / 7, "macro_f1": 0.0357}},
        "claims": [
            {"id": "table-1.resnet50-none", "source": "Table 1", "arm": "none", "split": "test",
             "metric": "accuracy", "n": 216, "protocol": "paper", "published": 0.42,
             "comparable": False, "why_not": "Ours is measured on <sample> data.",
             "ours": 0.5, "ours_n": 70},
        ],
        "leakage": {
            "passed": True,
            "checks": {
                "group_on_two_sides": {"passed": True, "count": 0, "examples": []},
                "mirrored_copy_on_two_sides": {
                    "passed": False, "count": 1, "examples": [" and ".join(LEAKING_PAIR)],
                    "pairs": [list(LEAKING_PAIR)],
                },
            },
            "not_checked": {"pixel_identical_on_two_sides": "the images were not compared"},
        },
        "timing": {"prepare_s": 2.25, "train_s": 61.0},
        "exports": {"mobilenet-bdr": {"saved_model": {"max_difference": 3e-7,
                                                       "batches": [1, 7, 32]}}},
        "environment": {"keras": "3.15.1", "backend": "tensorflow", "commit": "0123abcd"},
    }  # fmt: skip


def read_result(folder: Path) -> dict:
    """Return the folder's result."""
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def change_result(folder: Path, **changes) -> None:
    """Replace parts of the folder's result."""
    write_json(folder / "result.json", read_result(folder) | changes)

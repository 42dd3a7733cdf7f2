"""A tiny run folder with number targets, of drawn numbers, for tests of results and report."""

from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras import results
from affectkeras.evaluation.leakage import CHECKS
from affectkeras.files import write_csv, write_json
from affectkeras.number_results import ablation_rows, summarise_numbers

TARGETS = ("valence", "arousal")
CONSTANT_VIDEO = "test/003.mp4"  # its annotator never moved: valence 0.2 throughout
# How much of the truth an arm's predictions hold.
SKILL = {"gru": 0.7, "lstm": 0.4, "gru-valence": 0.6, "gru-arousal": 0.6}
PARAMETERS = {"gru": 100_000, "lstm": 130_000}
BASELINE = {
    "valence": {"value": 0.05, "mse": 0.09, "rmse": 0.3, "ccc": 0.0},
    "arousal": {"value": 0.2, "mse": 0.0625, "rmse": 0.25, "ccc": 0.0},
}


def number_predictions(
    arms=("gru", "lstm"), seeds=(0, 1), videos=12, frames=20, skills=SKILL
) -> pd.DataFrame:
    """Return rows of predictions.csv; an arm named after a target predicts only that."""
    generator = np.random.default_rng(0)
    parts = []
    for split in ("validation", "test"):
        rows, video = videos * frames, np.repeat(np.arange(videos), frames)
        names = np.array([f"{split}/{number:03d}.mp4" for number in range(videos)])[video]
        frame = np.tile(40 * np.arange(frames), videos)
        truth = {}
        for number, target in enumerate(TARGETS):
            wave = np.sin(frame / (60 + 9 * number) + video + number)
            truth[target] = np.clip(0.3 * wave + 0.1 * (video % 5) - 0.2, -1, 1)
        truth["valence"][names == CONSTANT_VIDEO] = 0.2
        ids = [f"{one} frame {number:05d}" for one, number in zip(names, frame, strict=True)]
        for arm in arms:
            for seed in seeds:
                found = {
                    "arm": arm, "seed": seed, "fold": 0, "split": split, "example_id": ids,
                    "group": names, **truth,
                }  # fmt: skip
                for target in TARGETS:
                    others = [one for one in TARGETS if one != target]
                    noise = generator.normal(0, 0.15, rows) + 0.02 * seed
                    numbers = skills.get(arm, 0.5) * truth[target] + noise
                    if any(arm.endswith(f"-{other}") for other in others):
                        numbers = np.full(rows, np.nan)
                    found[f"predicted_{target}"] = numbers
                parts.append(pd.DataFrame(found))
    return pd.concat(parts, ignore_index=True)


def number_history(arms=("gru", "lstm"), seeds=(0, 1), epochs=5) -> pd.DataFrame:
    """Return rows of history.csv; the first epoch takes ten seconds, each further two."""
    rows = [
        {"arm": arm, "seed": seed, "fold": 0, "stage": "all", "epoch": epoch, "step": 25 * epoch,
         "loss": 0.2 / epoch + 0.01 * seed, "val_loss": 0.2 / epoch + 0.05,
         "seconds": 10.0 if epoch == 1 else 2.0}
        for arm in arms
        for seed in seeds
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def number_parts(predictions, history, *, repetitions=200, **changes) -> dict:
    """Return what `results.write_result` completes."""
    arms = summarise_numbers(predictions, TARGETS, repetitions=repetitions)
    first = next(iter(arms))
    parts = {
        "recipe": "affwild_cnn_gru",
        "command": "python -m recipes.affwild_cnn_gru --quick",
        "banners": ["Sample data: drawn faces.", "Quick run: few frames."],
        "dataset": {
            "name": "aff_wild", "sample": True, "quick": True, "groups_known": True,
            "examples": {"train": 800, "validation": 240, "test": 240},
            "groups": {"train": 40, "validation": 12, "test": 12},
            "set_aside": {}, "rejected": 0,
        },
        "protocol": {"name": "video", "description": "Whole videos on one side.", "notes": []},
        "seeds": arms[first]["test"]["seeds"],
        "served": f"cnn_gru-{first}",
        "served_arm": first,
        "targets": list(TARGETS),
        "arms": arms,
        "baselines": {"mean": BASELINE},
        "claims": [],
        "leakage": {"passed": True, "checks": {}, "not_checked": dict.fromkeys(CHECKS, "a test")},
        "timing": {"prepare_s": 1.0, "train_s": 40.0},
        "exports": {},
    }  # fmt: skip
    if {"gru", "lstm"} <= set(arms):
        parts["ablation"] = ablation_rows(arms, history, PARAMETERS)
    return parts | changes


def write_number_run(folder: Path, *, arms=("gru", "lstm"), seeds=(0, 1), **options) -> Path:
    """Write a run folder with every file of a complete number run; return the folder."""
    changes = options.pop("changes", {})
    folder.mkdir(parents=True, exist_ok=True)
    predictions, history = number_predictions(arms, seeds, **options), number_history(arms, seeds)
    write_csv(folder / "predictions.csv", predictions)
    write_csv(folder / "history.csv", history)
    config = {"data_dir": None, "seeds": list(seeds), "frames": 10, "image_size": 224}
    write_json(folder / "config.json", {"recipe": "affwild_cnn_gru", "config": config})
    parts = number_parts(predictions, history, **changes)
    results.write_result(folder, parts, {"keras": "3.15.1", "backend": "tensorflow", "cpus": 2})
    return folder

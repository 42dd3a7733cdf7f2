"""`--find-learning-rate` of the recipes on faces: a range test, its table and its picture."""

import dataclasses
from pathlib import Path

import pandas as pd

from affectkeras import runs
from affectkeras.reporting.rate_plot import write_rate_plot
from affectkeras.transfer.fine_tuning import choose_stream
from affectkeras.transfer.learning_rate_finder import STEPS, RateCurve, find_learning_rate
from affectkeras.transfer.stages import Stage, prepare_stage


def search_rate(model, stage: Stage, stream, sampler, features=None) -> RateCurve:
    """Return the range test of a stage at the beginning of a training; nothing is left of it.

    Args:
        model: a backbone classifier.
        stage: the first of a plan; a schedule is left out.
        stream, sampler, features: as in `transfer.fine_tuning.fine_tune`; only training rows flow.
    """
    trained, source, stage = choose_stream(model, stage, stream, features)
    prepare_stage(trained, dataclasses.replace(stage, schedule="constant"), sampler.steps)
    epochs = -(-STEPS // sampler.steps)
    return find_learning_rate(trained, source.training(sampler, 0, epochs))


def write_rate_search(run: Path, curve: RateCurve, stage: Stage, rate: float) -> dict:
    """Write `learning_rate.csv`, `learning_rate.json` and the picture, and print what they say.

    Args:
        run: the run folder.
        curve: of `search_rate`.
        stage: that was tested.
        rate: what the settings say.

    Returns:
        What `learning_rate.json` holds.
    """
    frame = pd.DataFrame({"rate": curve.rates, "loss": curve.losses, "smoothed": curve.smoothed})
    runs.write_csv(run / "learning_rate.csv", frame)
    found = {
        "suggestion": curve.suggestion,
        "steepest": curve.steepest,
        "lowest_loss_at": curve.lowest,
        "given": rate,
        "stage": stage.name,
        "steps": len(curve.rates),
    }
    runs.write_json(run / "learning_rate.json", found)
    picture = run / "plots" / "learning-rate.png"
    picture.parent.mkdir(exist_ok=True)
    write_rate_plot(picture, frame, suggestion=curve.suggestion, steepest=curve.steepest)
    if curve.suggestion is None:
        print("The loss does not fall at any rate: nothing is suggested. Look at the picture.")
    else:
        print(
            f"Suggested: --learning-rate {curve.suggestion:.1e}, a tenth of the rate with the "
            f"lowest loss; the loss falls fastest at {curve.steepest:.1e}; given is {rate:.1e}."
        )
    print(f"Stage {stage.name}, {len(curve.rates)} steps on training rows: {picture}")
    return found

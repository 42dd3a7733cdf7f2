"""Running trials one after another: each measured, kept whole, or recorded with why it failed."""

import gc
import math
import os
import sys
import time
import traceback
from pathlib import Path

import filelock
import pandas as pd
from keras_tuner.src.engine.trial import TrialStatus

from affectkeras.files import write_csv
from affectkeras.searching.folder import TrialFacts
from affectkeras.searching.study import Measured, Study, part_of, trial_config

WAIT_S = 0.2  # before a worker asks again where there is nothing to do yet
LONGEST_CAUSE = 300  # letters
MODEL = "model.keras"


def run_trials(oracle, study: Study, config, fixed, folder: Path, tuner_id: str) -> None:
    """Run trials until the oracle has no more.

    Args:
        oracle: one of `searching.oracles`, or a `RemoteOracle` that asks for one.
        study: what is searched.
        config: the recipe's settings that the search starts from.
        fixed: the fields that the user gave.
        folder: of the search.
        tuner_id: who this process is.
    """
    data = study.prepare(config)
    while True:
        trial = oracle.create_trial(tuner_id)
        if trial.status == TrialStatus.STOPPED:
            return
        if trial.status == TrialStatus.IDLE:
            time.sleep(WAIT_S)
            continue
        part = part_of(folder, trial.trial_id)
        print(f"trial {trial.trial_id} begins: {_shown(trial.hyperparameters.values)}", flush=True)
        try:
            # Whoever was taken for dead wrongly may still be at it.
            with filelock.FileLock(part / ".lock"):
                settings = trial_config(study, trial.hyperparameters, config, fixed)
                facts = run_trial(study, settings, data, part, tuner_id.partition("#")[0])
        except (KeyboardInterrupt, SystemExit):
            oracle.give_back(tuner_id)
            raise
        oracle.end_trial(trial, facts)


def run_trial(study: Study, settings, data, part: Path, worker: str) -> TrialFacts:
    """Measure the settings of one trial and write its folder; never raise what the trial raised."""
    began = time.perf_counter()
    try:
        measured = study.measure(settings, data, part)
        if not math.isfinite(measured.objective):
            raise ArithmeticError(f"{study.objective} is {measured.objective}")
        _keep(measured, part)
        found = {"objective": float(measured.objective), "measures": _floats(measured.measures)}
    except Exception as error:  # whatever a training dies of is a finding about its settings
        (part / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        found = {"cause": describe(error)}
    finally:
        _forget()
    for left in part.glob("*.npz"):
        left.unlink()
    return TrialFacts(**found, seconds=time.perf_counter() - began, worker=worker)


def describe(error: BaseException) -> str:
    """Return what was raised in one line: its type, and the first line of what it says."""
    lines = str(error).strip().splitlines()
    words = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return words[:LONGEST_CAUSE]


def _shown(values: dict) -> str:
    """Return hyperparameters in one line."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )


def _keep(measured: Measured, part: Path) -> None:
    if measured.history:
        write_csv(part / "history.csv", pd.DataFrame(list(measured.history)))
    if measured.model is not None:
        unfinished = part / f"unfinished-{MODEL}"
        measured.model.save(unfinished)  # whole, so that a network cut smaller can be loaded
        os.replace(unfinished, part / MODEL)


def _floats(measures: dict) -> dict:
    return {name: float(value) for name, value in measures.items()}


def _forget() -> None:
    """Free what the last network held; a search would else grow with every trial."""
    if "keras" in sys.modules:
        import keras

        keras.backend.clear_session()
    gc.collect()

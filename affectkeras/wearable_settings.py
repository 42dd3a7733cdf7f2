"""What the settings of all recipes on wearables have in common."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from affectkeras.datasets.sample.marks import find_marks
from affectkeras.errors import UserError
from affectkeras.pipelines.signal_windows import LEAST_STEP
from affectkeras.settling import (
    check_data_dir,
    check_lists,
    check_positive,
    check_shares,
    fill_unset,
    option_of,
)

BOTH, TARGETS = "both", ("arousal", "valence")
POSITIVE = (
    *("epochs", "batch_size", "learning_rate", "seconds", "rate_hz", "hidden_size"),
    *("filters", "kernel_size", "dense", "smooth", "pool", "samples", "step", "step_s"),
)
LISTS = ("seeds", "fusions", "convolutions", "seconds")
SHARES = ("max_gap", "dropout")  # from 0 to below 1


def settle_wearables(config, dataset: str, *layers: Mapping[str, Any]):
    """Return the settings that a new run has.

    Args:
        config: a recipe's `Config`, as given.
        dataset: whose layout the folder must have.
        layers: sizes for fields that were not given, the first that names one counts.

    Raises:
        UserError: for settings that no run can have.
    """
    check_data_dir(config, dataset)
    config = fill_unset(config, *layers)
    _check_numbers(config)
    settings = {one.name: getattr(config, one.name) for one in dataclasses.fields(config)}
    _check_windows(settings)
    return config


def each_target(config) -> Iterator:
    """Yield the settings of a run for each target that is asked for, arousal first.

    Each is a run of its own, in a folder of its own: below `run_dir`, where it is given.

    Raises:
        UserError: before the first run, when the folder of either holds something.
    """
    if config.target != BOTH:
        yield config
        return
    folders = [None if config.run_dir is None else config.run_dir / one for one in TARGETS]
    for folder in folders:
        if folder is not None and folder.is_dir() and any(folder.iterdir()):
            raise UserError(
                f"--run-dir {config.run_dir}: {folder} is not empty. Give another folder, or go on "
                f"with the run that lies there by --resume {folder}."
            )
    for target, folder in zip(TARGETS, folders, strict=True):
        yield dataclasses.replace(config, target=target, run_dir=folder)


def fold_plan(config, seed: int):
    """Return how every fold of a run is trained with a seed."""
    from affectkeras.fold_training import FoldPlan

    return FoldPlan(
        config.epochs, config.batch_size, config.learning_rate, schedule="cosine", seed=seed
    )


def is_sample(config) -> bool:
    """Return whether a run is of sample recordings, also where they were given as a folder."""
    return config.data_dir is None or bool(find_marks(config.data_dir))


def wearable_banners(config) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown."""
    said = {
        "Sample data: synthetic physiology. The figures say nothing about people.": is_sample(
            config
        ),
        "Quick run: few arms, few epochs.": config.quick,
        "Shuffled labels: nothing can be learnt, and every network must fall to the floors.": (
            config.shuffle_labels
        ),
        "Protocol paper: the tested person's partner trains, who shares the conversation. It "
        "leaks, as published; do not quote it as generalisation.": config.protocol == "paper",
    }
    return [text for text, holds in said.items() if holds]


def _check_numbers(config) -> None:
    """Raise `UserError` for a number out of its range, naming the option."""
    check_positive(config, *POSITIVE)
    check_lists(config, *LISTS)
    check_shares(config, *SHARES)
    if min(config.seeds) < 0:
        raise UserError(f"--seeds must be 0 or above. Received: {config.seeds}")
    if not 0 <= config.max_rejected <= 1:
        raise UserError(f"--max-rejected must be from 0 to 1. Received: {config.max_rejected}")
    if config.inner_folds < 2:
        raise UserError(f"--inner-folds must be at least 2. Received: {config.inner_folds}")


def _check_windows(settings: Mapping[str, Any]) -> None:
    """Raise `UserError` for windows that cannot be cut, or of which convolutions leave nothing."""
    if "rate_hz" not in settings:
        return
    rate_hz = settings["rate_hz"]
    if "samples" in settings:
        samples, told = settings["samples"], "--samples"
    else:
        samples, told = round(settings["seconds"] * rate_hz), "--seconds"
        if abs(samples - settings["seconds"] * rate_hz) > 1e-6:
            raise UserError(
                f"--seconds {settings['seconds']:g} at --rate-hz {rate_hz:g} is no whole number of "
                "samples. Change one of them."
            )
    for name, step_s in (
        ("step_s", settings.get("step_s")),
        ("step", settings["step"] / rate_hz if "step" in settings else None),
    ):
        if step_s is not None and step_s < LEAST_STEP:
            raise UserError(
                f"{option_of(name)} must leave at least {LEAST_STEP} s from one window's beginning "
                f"to the next. Received: {step_s:.3g} s"
            )
    left, depth = samples // settings["smooth"], max(settings["convolutions"])
    for _ in range(depth):
        left = (left - settings["kernel_size"] + 1) // settings["pool"]
    if left < 1:
        raise UserError(
            f"--convolutions {depth} with --kernel-size {settings['kernel_size']} and --pool "
            f"{settings['pool']} leave nothing of a window of {samples} samples. Give longer ones "
            f"({told}), smooth or pool less, or take fewer convolutions."
        )

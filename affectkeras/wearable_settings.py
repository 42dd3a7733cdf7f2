"""What the settings of all recipes on wearables have in common."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from affectkeras.datasets import reader
from affectkeras.datasets.sample.marks import find_marks
from affectkeras.errors import UserError

BOTH, TARGETS = "both", ("arousal", "valence")
POSITIVE = (
    *("epochs", "batch_size", "learning_rate", "seconds", "rate_hz", "hidden_size"),
    *("filters", "kernel_size", "dense", "pool", "samples", "step", "step_s"),
)


def settle_wearables(config, dataset: str, *layers: Mapping[str, Any]):
    """Return the settings that a new run has.

    Args:
        config: a recipe's `Config`, as given.
        dataset: whose layout the folder must have.
        layers: sizes for fields that were not given, the first that names one counts.

    Raises:
        UserError: for settings that no run can have.
    """
    if config.data_dir is not None:
        if not config.data_dir.exists():
            raise UserError(f"--data-dir {config.data_dir}: there is nothing. Give the folder.")
        reader(dataset).find(config.data_dir)
    changes: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            if name not in changes and getattr(config, name) == getattr(type(config), name):
                changes[name] = value
    config = dataclasses.replace(config, **changes)
    names = [field.name for field in dataclasses.fields(config)]
    for name in POSITIVE:
        values = getattr(config, name) if name in names else ()
        for value in values if isinstance(values, tuple) else (values,):
            if not value > 0:
                option = "--" + name.replace("_", "-")
                raise UserError(f"{option} must be above 0. Received: {value}")
    for name in ("seeds", "fusions", "convolutions", "seconds"):
        values = getattr(config, name) if name in names else (1,)
        if isinstance(values, tuple) and (not values or len(set(values)) < len(values)):
            raise UserError(f"--{name} must name at least one, none twice. Received: {values}")
    if config.inner_folds < 2:
        raise UserError(f"--inner-folds must be at least 2. Received: {config.inner_folds}")
    return config


def each_target(config) -> Iterator:
    """Yield the settings of a run for each target that is asked for, arousal first.

    Each is a run of its own, in a folder of its own: below `run_dir`, where it is given.
    """
    if config.target != BOTH:
        yield config
        return
    for target in TARGETS:
        run_dir = None if config.run_dir is None else config.run_dir / target
        yield dataclasses.replace(config, target=target, run_dir=run_dir)


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
        "Quick run: few folds, few epochs.": config.quick,
        "Shuffled labels: nothing can be learnt, and every network must fall to the floors.": (
            config.shuffle_labels
        ),
        "Protocol paper: the tested person's partner trains, who shares the conversation. It "
        "leaks, as published; do not quote it as generalisation.": config.protocol == "paper",
    }
    return [text for text, holds in said.items() if holds]

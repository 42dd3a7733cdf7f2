"""What the recipes that fuse sensors have in common: their settings, arms and networks."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from affectkeras.datasets import reader
from affectkeras.datasets.sample.marks import find_marks
from affectkeras.errors import UserError

POSITIVE = (
    *("epochs", "batch_size", "learning_rate", "seconds", "rate_hz", "hidden_size"),
    *("filters", "kernel_size", "dense", "pool"),
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


def wearable_banners(config) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown."""
    sample = config.data_dir is None or bool(find_marks(config.data_dir))
    said = {
        "Sample data: synthetic physiology. The figures say nothing about people.": sample,
        "Quick run: few folds, few epochs.": config.quick,
        "Shuffled labels: nothing can be learnt, and every network must fall to the floors.": (
            config.shuffle_labels
        ),
        "Protocol paper: the tested person's partner trains, who shares the conversation. It "
        "leaks, as published; do not quote it as generalisation.": config.protocol == "paper",
    }
    return [text for text, holds in said.items() if holds]


def fusion_arms(config, data, sensors: Sequence[int], recipe: str) -> list:
    """Return an arm for each fusion and depth that the settings name.

    Args:
        config: a recipe's `Config`: the sizes of `build_sensor_fusion`, `fusions`, `convolutions`,
            `seconds`, `rate_hz`, `scale`, `max_gap`, `quick` and `data_dir` are read from it.
        data: `Wearables` with windows of one length.
        sensors: how many channels each sensor has.
        recipe: whose arms.
    """
    from affectkeras.signal_facts import SignalFacts
    from affectkeras.wearable_run import SignalArm

    ((seconds, inputs),) = data.inputs.items()
    target = data.table.class_target
    facts = SignalFacts(
        recipe=recipe,
        sample=config.data_dir is None or bool(find_marks(config.data_dir)),
        quick=config.quick,
        target=getattr(config, "target", target.name),
        class_names=target.class_names,
        channels=data.channels,
        rate_hz=data.rate_hz,
        seconds=seconds,
        scale=config.scale,
        rows="samples",
        max_gap=config.max_gap,
    )
    return [
        SignalArm(
            arm_name(fusion, depth),
            lambda fusion=fusion, depth=depth: build_fusion(
                config, inputs.shape[1], sensors, len(target.class_names), fusion, depth
            ),
            inputs,
            facts,
        )
        for fusion, depth in itertools.product(config.fusions, config.convolutions)
    ]


def arm_name(fusion: str, convolutions: int) -> str:
    """Return the name of an arm, such as `"early-2"`."""
    return f"{fusion}-{convolutions}"


def build_fusion(config, time: int, sensors, classes: int, fusion: str, convolutions: int):
    """Return the network of one arm, with fresh weights."""
    from affectkeras.models.sensor_fusion import build_sensor_fusion

    return build_sensor_fusion(
        time,
        sensors,
        classes,
        fusion=fusion,
        convolutions=convolutions,
        filters=config.filters,
        kernel_size=config.kernel_size,
        dense=config.dense,
        normalize=config.normalize,
        batch_normalization=config.batch_normalization,
        pool=config.pool,
        dropout=config.dropout,
    )

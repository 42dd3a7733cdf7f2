"""The arms of the recipes that fuse sensors: every fusion with every depth."""

import itertools
from collections.abc import Sequence

from affectkeras.signal_facts import SignalFacts
from affectkeras.wearable_settings import is_sample


def fusion_arms(config, data, sensors: Sequence[int], recipe: str) -> list:
    """Return an arm for each fusion and depth that the settings name.

    Args:
        config: a recipe's `Config`: the sizes of `build_sensor_fusion`, `fusions`, `convolutions`,
            `seconds`, `rate_hz`, `scale`, `max_gap`, `quick` and `data_dir` are read from it.
        data: `Wearables` with windows of one length.
        sensors: how many channels each sensor has.
        recipe: whose arms.
    """
    from affectkeras.wearable_run import SignalArm

    ((seconds, inputs),) = data.inputs.items()
    target = data.table.class_target
    facts = SignalFacts(
        recipe=recipe,
        sample=is_sample(config),
        quick=config.quick,
        target=getattr(config, "target", target.name),
        class_names=target.class_names,
        channels=data.channels,
        rate_hz=data.rate_hz,
        seconds=seconds,
        scale=config.scale,
        rows="samples",
        max_gap=config.max_gap,
        dataset=data.table.name,
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
        smooth=config.smooth,
        pool=config.pool,
        dropout=config.dropout,
    )

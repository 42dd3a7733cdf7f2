"""What of a pretrained network is trained, and in which stages.

Two settings that do not overlap: the regime says which layers train, the plan how their learning
rate goes over the epochs.
"""

import dataclasses
from typing import Literal

from affectkeras.transfer.stages import Stage, cosine_plan, paper_plan, staged_plan

Regime = Literal["head", "last-blocks", "all", "scratch"]
Plan = Literal["paper", "staged", "cosine"]


def plan_regime(
    regime: Regime,
    plan: Plan,
    epochs: int,
    learning_rate: float,
    *,
    last_blocks: int = 1,
    weight_decay: float = 0.0,
    block_rate: float = 1.0,
) -> tuple[Stage, ...]:
    """Return the stages of a training.

    Args:
        regime: `"head"`: the head over a frozen backbone; `"last-blocks"`: the last blocks of the
            backbone too; `"all"`: every layer; `"scratch"`: every layer, of a network that nothing
            was trained of.
        plan: `"paper"`: all that trains does so from the first epoch, at a constant rate;
            `"cosine"`: the same with warm-up and cosine decay; `"staged"`: the head alone first,
            then the rest at a tenth of its rate (of the regime head there is no rest).
        epochs: how many epochs there are.
        learning_rate: Adam's rate for the head, see `Stage`.
        last_blocks: how many blocks (see `find_blocks`) `"last-blocks"` trains.
        weight_decay, block_rate: see `Stage`.
    """
    stages = _stages(regime, plan, epochs, learning_rate, last_blocks)
    return tuple(
        dataclasses.replace(stage, weight_decay=weight_decay, block_rate=block_rate)
        for stage in stages
    )


def _stages(regime, plan, epochs, learning_rate, last_blocks) -> tuple[Stage, ...]:
    if regime in ("all", "scratch"):
        plans = {"paper": paper_plan, "staged": staged_plan, "cosine": cosine_plan}
        return plans[plan](epochs, learning_rate)
    trainable = "head" if regime == "head" else last_blocks
    if plan == "staged" and regime == "last-blocks":
        return staged_plan(epochs, learning_rate, unfreeze=(trainable,))
    return (
        Stage(
            "head" if regime == "head" else f"last-{last_blocks}",
            0,
            epochs,
            trainable,
            learning_rate,
            schedule="cosine" if plan == "cosine" else "constant",
            # What stays frozen was trained with these statistics.
            freeze_normalization=True,
        ),
    )

"""Which part of a backbone classifier trains in which epochs, and how fast."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Literal

import keras

from affectkeras.models.backbone_classifier import backbone_of
from affectkeras.transfer.blocks import find_blocks as find_blocks

Trainable = Literal["head", "all"] | int
# Every variable of the head carries its layer's name in its path; nothing in the zoo starts so.
HEAD_VARIABLES = r"(.*/)?head_[^/]*/[^/]*"


@dataclasses.dataclass(frozen=True)
class Stage:
    """A run of epochs with one set of trainable layers and one optimizer.

    Args:
        name: for the history and for people.
        first_epoch: the first epoch, counted from 0.
        last_epoch: the epoch after its last one.
        trainable: `"head"`, `"all"`, or the head and that many last blocks of the backbone.
        learning_rate: Adam's rate, for the head; the peak where there is a schedule.
        backbone_rate: the backbone's learning rate as a share of the head's.
        schedule: `"constant"`, or `"cosine"`: one epoch of linear warm-up, then half a cosine down
            to 0 at the stage's end (Loshchilov and Hutter 2017, without restarts).
        freeze_normalization: whether the backbone's BatchNormalization layers stay in inference
            mode with the statistics of their pretraining.
        weight_decay: the share of every kernel that each step takes away, times the learning rate
            (decoupled: Loshchilov and Hutter 2019); biases and BatchNormalization keep theirs.
        block_rate: the rate of every block of the backbone (see `find_blocks`) as a share of that
            of what comes after it, the last block's against the head's (discriminative rates:
            Howard and Ruder 2018, section 3.2); on top of `backbone_rate`.
    """

    name: str
    first_epoch: int
    last_epoch: int
    trainable: Trainable
    learning_rate: float
    backbone_rate: float = 1.0
    schedule: Literal["constant", "cosine"] = "constant"
    freeze_normalization: bool = False
    weight_decay: float = 0.0
    block_rate: float = 1.0

    def __post_init__(self):
        if not 0 <= self.first_epoch < self.last_epoch:
            raise ValueError(
                "`first_epoch` must be at least 0 and before `last_epoch`. "
                f"Received: first_epoch={self.first_epoch}, last_epoch={self.last_epoch}"
            )
        is_count = isinstance(self.trainable, int) and self.trainable >= 1
        if self.trainable not in ("head", "all") and not is_count:
            raise ValueError(
                "`trainable` must be 'head', 'all' or a number of blocks of at least 1. "
                f"Received: trainable={self.trainable!r}"
            )
        for argument in ("learning_rate", "backbone_rate"):
            if not getattr(self, argument) > 0:
                value = getattr(self, argument)
                raise ValueError(f"`{argument}` must be above 0. Received: {argument}={value}")
        if not 0 < self.block_rate <= 1:
            raise ValueError(
                f"`block_rate` must be in (0, 1]. Received: block_rate={self.block_rate}"
            )
        if not self.weight_decay >= 0:
            raise ValueError(
                f"`weight_decay` must be at least 0. Received: weight_decay={self.weight_decay}"
            )
        if self.schedule not in ("constant", "cosine"):
            raise ValueError(
                f"`schedule` must be 'constant' or 'cosine'. Received: schedule={self.schedule!r}"
            )

    @property
    def epochs(self) -> int:
        """How many epochs it lasts."""
        return self.last_epoch - self.first_epoch


def paper_plan(
    epochs: int, learning_rate: float = 1e-4, *, weight_decay: float = 0.0
) -> tuple[Stage, ...]:
    """Return the papers' plan: every layer from the first epoch, Adam at a constant rate.

    Args:
        epochs: how many epochs there are.
        learning_rate: 1e-4 in the paper on SFEW and BDR (section 2.2).
        weight_decay: as in `Stage`; the papers have none.
    """
    return (Stage("all", 0, epochs, "all", learning_rate, weight_decay=weight_decay),)


def cosine_plan(
    epochs: int, learning_rate: float, *, weight_decay: float = 0.0
) -> tuple[Stage, ...]:
    """Return one stage of the whole network with warm-up and cosine decay: for small networks."""
    return (
        Stage("all", 0, epochs, "all", learning_rate, schedule="cosine", weight_decay=weight_decay),
    )


def staged_plan(
    epochs: int,
    learning_rate: float,
    *,
    unfreeze: Sequence[Literal["all"] | int] = ("all",),
    backbone_rate: float = 0.1,
    schedule: Literal["constant", "cosine"] = "constant",
) -> tuple[Stage, ...]:
    """Return a plan that trains the head first and then unfreezes the backbone.

    The head has the first third of the epochs (at least one) over a frozen backbone. The others
    are shared evenly by the steps of `unfreeze`, the last ones taking what is left over; steps for
    which no epoch is left are dropped from the front. BatchNormalization stays frozen throughout.

    Args:
        epochs: how many epochs there are.
        learning_rate: Adam's rate for the head, in every stage.
        unfreeze: what trains beside the head: so many last blocks (see `find_blocks`), or `"all"`.
        backbone_rate: the backbone's rate as a share of the head's.
        schedule: of the stages after the first.
    """
    first = max(1, epochs // 3)
    stages = [Stage("head", 0, first, "head", learning_rate, freeze_normalization=True)]
    steps = list(unfreeze)[max(0, len(unfreeze) - (epochs - first)) :]
    for index, trainable in enumerate(steps):
        stages.append(
            Stage(
                "all" if trainable == "all" else f"last-{trainable}",
                first + (epochs - first) * index // len(steps),
                first + (epochs - first) * (index + 1) // len(steps),
                trainable,
                learning_rate,
                backbone_rate=backbone_rate,
                schedule=schedule,
                freeze_normalization=True,
            )
        )
    return tuple(stages)


def prepare_stage(
    model: keras.Model,
    stage: Stage,
    steps_per_epoch: int,
    loss: keras.losses.Loss | None = None,
) -> None:
    """Set what trains and compile afresh, with a new optimizer whose variables exist already.

    The optimizer is made of Keras's own classes, so that a model saved afterwards loads anywhere. A
    model without a layer `"backbone"` trains as a whole, at the head's rate.

    Args:
        model: a backbone classifier, or any classifier with logits if the whole of it trains.
        stage: what to prepare for.
        steps_per_epoch: batches per epoch at the stage's start, for the cosine; rows removed
            later leave the schedule as it was.
        loss: of numbers; absent: the cross-entropy of logits against one-hot or soft targets, with
            the accuracy beside it.

    Raises:
        ValueError: when the backbone has fewer blocks than the stage unfreezes.
    """
    has_backbone = any(layer.name == "backbone" for layer in model.layers)
    set_trainable(model, True)
    if has_backbone:
        _prepare_backbone(backbone_of(model), stage)
    elif stage.trainable != "all":
        raise ValueError(
            f"`trainable` must be 'all' for a model without a backbone. "
            f"Received: trainable={stage.trainable!r}"
        )
    by_block = has_backbone and stage.block_rate != 1.0
    blocks = find_blocks(backbone_of(model)) if by_block else ()
    model.compile(
        optimizer=build_optimizer(stage, steps_per_epoch, has_backbone=has_backbone, blocks=blocks),
        loss=loss or keras.losses.CategoricalCrossentropy(from_logits=True),
        weighted_metrics=([] if loss else [keras.metrics.CategoricalAccuracy(name="accuracy")]),
    )
    # Built now, so that a checkpoint can be put back before the first step.
    model.optimizer.build(model.trainable_variables)


def build_optimizer(
    stage: Stage,
    steps_per_epoch: int,
    *,
    has_backbone: bool = True,
    blocks: Sequence[Sequence[keras.layers.Layer]] = (),
) -> keras.optimizers.Optimizer:
    """Return Adam; where parts of the backbone have rates of their own, one Adam for each rate.

    Args:
        stage: what to prepare for.
        steps_per_epoch: batches per epoch, for the cosine.
        has_backbone: whether the model has one.
        blocks: of the backbone, frozen as the stage asks; needed where they differ in their rates.
    """
    head = _adam(stage, steps_per_epoch, 1.0, "adam")
    if not has_backbone or stage.trainable == "head":
        return head
    if stage.block_rate != 1.0:
        return _adams_by_block(stage, steps_per_epoch, head, blocks)
    if stage.backbone_rate == 1.0:
        return head
    backbone = _adam(stage, steps_per_epoch, stage.backbone_rate, "adam_backbone")
    choice = keras.optimizers.OptimizerMap(backbone, {HEAD_VARIABLES: head})
    return keras.optimizers.MultiOptimizer(choice, name="adam_two_rates")


def _adams_by_block(stage: Stage, steps_per_epoch: int, head: keras.optimizers.Adam, blocks):
    """Return an Adam for the head and one for each block that trains, its rate by its depth."""
    found = []
    share = stage.backbone_rate
    for number, block in reversed(list(enumerate(blocks, start=1))):
        share *= stage.block_rate
        paths = [variable.path for layer in block for variable in layer.trainable_variables]
        if paths:
            pattern = "(.*/)?(" + "|".join(map(re.escape, paths)) + ")"
            found.append((pattern, _adam(stage, steps_per_epoch, share, f"adam_block_{number}")))
    # What stands in no block trains as slowly as the first one that trains.
    *others, (_, slowest) = found
    choice = keras.optimizers.OptimizerMap(slowest, {HEAD_VARIABLES: head, **dict(others)})
    return keras.optimizers.MultiOptimizer(choice, name="adam_by_block")


def _adam(stage: Stage, steps_per_epoch: int, share: float, name: str):
    rate = _learning_rate(stage, steps_per_epoch, share)
    if not stage.weight_decay:
        return keras.optimizers.Adam(rate, name=name)
    adam = keras.optimizers.Adam(rate, weight_decay=stage.weight_decay, name=name)
    adam.exclude_from_weight_decay(var_names=["(^|/)(gamma|beta|bias)(:0)?$"])
    return adam


def _learning_rate(stage: Stage, steps_per_epoch: int, share: float):
    peak = stage.learning_rate * share
    if stage.schedule == "constant":
        return peak
    steps = stage.epochs * steps_per_epoch
    warmup = min(steps_per_epoch, steps // 2)  # a stage of one epoch still gets to decay
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else peak,
        decay_steps=steps - warmup,
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )


def _prepare_backbone(backbone: keras.Model, stage: Stage) -> None:
    if isinstance(stage.trainable, int):
        blocks = find_blocks(backbone)
        if stage.trainable > len(blocks):
            raise ValueError(
                f"`trainable` must be at most the {len(blocks)} blocks of the backbone. "
                f"Received: trainable={stage.trainable}"
            )
        for layer in backbone.layers:
            set_trainable(layer, False)
        for block in blocks[len(blocks) - stage.trainable :]:
            for layer in block:
                set_trainable(layer, True)
    elif stage.trainable == "head":
        set_trainable(backbone, False)
    if stage.freeze_normalization:
        _freeze_normalization(backbone)


def _freeze_normalization(model: keras.Model) -> None:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _freeze_normalization(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def set_trainable(layer: keras.layers.Layer, value: bool) -> None:
    """Set `trainable` of a layer and of everything below it.

    On the TensorFlow backend Keras skips an assignment of the value that is there already, so that
    `model.trainable = True` leaves frozen layers of a model that is trainable itself frozen.
    """
    layer.trainable = value
    if isinstance(layer, keras.Model):
        for part in layer.layers:
            set_trainable(part, value)

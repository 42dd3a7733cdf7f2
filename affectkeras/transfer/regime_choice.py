"""When to transfer what: how much there is to train on, and how alike it is to the pretraining.

The two questions are the table "When to use Transfer Learning" of the lecture "Deep Learning for
Sensing: Emotion Recognition". It gives no numbers; those here are ours, and every decision is
told together with the numbers behind it.
"""

import dataclasses
import math
from typing import Literal

import keras

from affectkeras.models.backbone_classifier import backbone_of, head_of
from affectkeras.transfer.blocks import find_blocks
from affectkeras.transfer.pretraining import Pretraining
from affectkeras.transfer.regimes import Regime

# Weights that no optimizer changes, by the names that Keras gives them.
STATISTICS = ("moving_mean", "moving_variance", "mean", "variance", "count", "seed_generator_state")
# There is a large amount of data where both hold of the whole network.
PARAMETERS_PER_EXAMPLE = 1000
EXAMPLES_PER_CLASS = 100
# What the lecture's four fields say, by the amount of training data, then by similarity.
FIELDS = {
    "large": {
        "high": "fine-tune all layers",
        "low": "train from scratch, or fine-tune all layers",
    },
    "small": {
        "high": "fine-tune the last few layers",
        "low": "tough luck: a smaller network with heavy data augmentation, or more data",
    },
}


@dataclasses.dataclass(frozen=True)
class Situation:
    """What a decision between regimes rests on.

    Args:
        per_class: how many training examples each class has, by name.
        parameters: how many parameters each regime trains: `"head"`, `"last-blocks"`, `"all"`.
        pretraining: what the backbone's weights were trained on.
    """

    per_class: dict[str, int]
    parameters: dict[str, int]
    pretraining: Pretraining

    @property
    def examples(self) -> int:
        """Training examples in all."""
        return sum(self.per_class.values())

    @property
    def size(self) -> Literal["large", "small"]:
        """The amount of training data, against the parameters of the whole network."""
        enough = PARAMETERS_PER_EXAMPLE * self.examples >= self.parameters["all"]
        per_class = self.examples >= EXAMPLES_PER_CLASS * len(self.per_class)
        return "large" if enough and per_class else "small"

    @property
    def similarity(self) -> Literal["high", "low", "none"]:
        """How alike the pretraining is to faces and their expressions."""
        return {"faces": "high", "none": "none"}.get(self.pretraining.domain, "low")


def describe_situation(
    model: keras.Model,
    per_class: dict[str, int],
    pretraining: Pretraining,
    *,
    last_blocks: int = 1,
) -> Situation:
    """Return the situation of a backbone classifier in front of its training examples.

    Args:
        model: the classifier; what is frozen in it does not matter.
        per_class: how many training examples each class has, by name.
        pretraining: what its weights were trained on.
        last_blocks: how many blocks the regime `"last-blocks"` trains.
    """
    head = _count(head_of(model).weights)
    backbone = backbone_of(model)
    last = find_blocks(backbone)[-last_blocks:]
    parameters = {
        "head": head,
        "last-blocks": head + sum(_count(layer.weights) for block in last for layer in block),
        "all": head + _count(backbone.weights),
    }
    return Situation(dict(per_class), parameters, pretraining)


def choose_regime(situation: Situation) -> Regime:
    """Return the regime of the lecture's field in which a situation stands.

    Of the two answers for much data of another kind the second is taken: pretrained weights are
    thrown away only where there are none. "The last few layers" are the last blocks where there
    are examples enough for their parameters, else the head.
    """
    if situation.similarity == "none":
        return "scratch"
    if situation.size == "large":
        return "all"
    allowed = PARAMETERS_PER_EXAMPLE * situation.examples
    return "last-blocks" if situation.parameters["last-blocks"] <= allowed else "head"


def explain_regime(situation: Situation, asked: Regime | Literal["auto"]) -> dict:
    """Return which regime a training has and why, in forms that JSON knows.

    Args:
        situation: see `describe_situation`.
        asked: what the settings say.

    Returns:
        `asked`, `chosen`, `automatic` (what `auto` chooses), `size` and `similarity` (the field
        of the lecture's table), `fields` (what all four say), `examples`, `per_class`,
        `parameters` (by regime), `pretraining` and `reasons`, sentences.
    """
    automatic = choose_regime(situation)
    chosen = automatic if asked == "auto" else asked
    if chosen == "all" and situation.similarity == "none":
        chosen = "scratch"
    return {
        "asked": asked,
        "chosen": chosen,
        "automatic": automatic,
        "size": situation.size,
        "similarity": situation.similarity,
        "fields": FIELDS,
        "examples": situation.examples,
        "per_class": situation.per_class,
        "parameters": situation.parameters,
        "pretraining": dataclasses.asdict(situation.pretraining),
        "reasons": [
            _size_words(situation),
            _similarity_words(situation),
            _choice_words(situation, automatic),
        ],
    }


def _count(weights) -> int:
    """Return the number of parameters among weights, frozen or not; statistics are none."""
    return sum(
        math.prod(weight.shape)
        for weight in weights
        if weight.path.split("/")[-1] not in STATISTICS
    )


def _size_words(situation: Situation) -> str:
    count, classes = situation.examples, len(situation.per_class)
    smallest = min(situation.per_class, key=situation.per_class.get)
    total = situation.parameters["all"]
    return (
        f"The training data is {situation.size}: {count:,} examples, on average "
        f"{count / classes:,.0f} per class ({smallest}: {situation.per_class[smallest]:,}), for "
        f"{total:,} parameters of the whole network, {total / count:,.0f} per example. Large "
        f"is at most {PARAMETERS_PER_EXAMPLE:,} parameters per example and on average at least "
        f"{EXAMPLES_PER_CLASS} examples per class."
    )


def _similarity_words(situation: Situation) -> str:
    if situation.similarity == "none":
        return f"There is nothing to transfer: {situation.pretraining.words}."
    alike = "much alike" if situation.similarity == "high" else "little alike"
    return f"Pretraining and task are {alike}: {situation.pretraining.words}, against expressions."


def _choice_words(situation: Situation, automatic: Regime) -> str:
    if automatic == "scratch":
        return "So every layer trains from scratch."
    advice = FIELDS[situation.size][situation.similarity]
    if automatic == "all":
        return f"The lecture: {advice}. So all layers train, from the pretrained weights on."
    last = situation.parameters["last-blocks"]
    relation = "no more" if automatic == "last-blocks" else "more"
    return (
        f"The lecture: {advice}. With the last blocks {last:,} parameters would train, "
        f"{last / situation.examples:,.0f} per example, {relation} than "
        f"{PARAMETERS_PER_EXAMPLE:,}: so "
        + ("they train with the head." if automatic == "last-blocks" else "the head trains alone.")
    )

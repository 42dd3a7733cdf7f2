import keras
import numpy as np
import pytest

from affectkeras.models.backbone_classifier import build_backbone_classifier, head_of
from affectkeras.transfer.pretraining import Pretraining
from affectkeras.transfer.regime_choice import (
    Situation,
    choose_regime,
    describe_situation,
    explain_regime,
)
from affectkeras.transfer.stages import Stage, prepare_stage

IMAGENET = Pretraining("imagenet", "things")
FACES = Pretraining("faces", "faces")
NOTHING = Pretraining("none", "random weights")


def situation(per_class, parameters=(1_000, 200_000, 500_000), pretraining=IMAGENET):
    names = ("head", "last-blocks", "all")
    counts = {"calm": per_class, "glad": per_class}
    return Situation(counts, dict(zip(names, parameters, strict=True)), pretraining)


def test_much_data_is_a_thousandth_of_the_parameters_and_a_hundred_per_class():
    assert situation(250).size == "large"
    assert situation(249).size == "small"  # 498 examples for 500 000 parameters
    small_network = (100, 1_000, 5_000)
    assert situation(100, small_network).size == "large"
    assert situation(99, small_network).size == "small"


@pytest.mark.parametrize(
    ("per_class", "pretraining", "regime"),
    [
        (250, FACES, "all"),
        (250, IMAGENET, "all"),
        (100, FACES, "last-blocks"),  # 200 examples for 200 000 parameters
        (100, IMAGENET, "last-blocks"),
        (99, FACES, "head"),
        (99, Pretraining("unknown", "a file"), "head"),
        (250, NOTHING, "scratch"),
        (1, NOTHING, "scratch"),
    ],
)
def test_each_field_of_the_lecture_has_its_regime(per_class, pretraining, regime):
    assert choose_regime(situation(per_class, pretraining=pretraining)) == regime


def test_an_explanation_tells_what_auto_would_do_where_the_settings_say_otherwise():
    found = explain_regime(situation(100), "all")
    assert (found["asked"], found["chosen"], found["automatic"]) == ("all", "all", "last-blocks")
    assert (found["size"], found["similarity"]) == ("small", "low")
    assert explain_regime(situation(100), "auto")["chosen"] == "last-blocks"


def test_all_layers_of_a_network_without_pretraining_train_from_scratch():
    assert explain_regime(situation(100, pretraining=NOTHING), "all")["chosen"] == "scratch"
    assert explain_regime(situation(100, pretraining=NOTHING), "head")["chosen"] == "head"


def test_the_reasons_hold_the_numbers():
    size, similarity, choice = explain_regime(situation(99), "auto")["reasons"]
    assert "small: 198 examples, on average 99 per class (calm: 99), for 500,000 parameters" in size
    assert "2,525 per example" in size
    assert "little alike: things" in similarity
    assert "200,000 parameters would train, 1,010 per example, more than 1,000" in choice


def test_parameters_are_counted_alike_before_and_after_a_stage_froze_them():
    model = build_backbone_classifier("mobilenet_0.25", 3, 32, "none", hidden=4)
    head = 256 * 4 + 4 + 4 * 3 + 3
    everything = sum(int(np.prod(one.shape)) for one in model.trainable_variables)
    counts = {"a": 1, "b": 2, "c": 3}
    first = describe_situation(model, counts, NOTHING)
    # The last block of MobileNet 0.25: two depthwise and two pointwise convolutions, and the
    # scales and offsets of four normalisations.
    last = 9 * 128 + 128 * 256 + 9 * 256 + 256 * 256 + 2 * (128 + 3 * 256)
    assert first.parameters == {"head": head, "last-blocks": head + last, "all": everything}
    prepare_stage(model, Stage("head", 0, 1, "head", 0.1, freeze_normalization=True), 1)
    assert len(model.trainable_variables) == len(head_of(model).weights)
    assert describe_situation(model, counts, NOTHING) == first
    assert first.examples == 6


def test_more_last_blocks_are_more_parameters():
    model = build_backbone_classifier("mobilenet_0.25", 3, 32, "none", hidden=4)
    one, two = (
        describe_situation(model, {"a": 1}, NOTHING, last_blocks=blocks).parameters["last-blocks"]
        for blocks in (1, 2)
    )
    assert two > one
    keras.backend.clear_session()

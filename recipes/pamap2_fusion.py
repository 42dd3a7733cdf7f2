"""Activities from body-worn sensors: four ways to fuse them, in two depths.

Lecture: "Sensor Fusion w/ Deep Learning", which shows Münzner et al., "CNN-based sensor fusion
techniques for multimodal human activity recognition", ISWC 2017: early fusion (EF), sensor-based
and channel-based late fusion (SB-LF, CB-LF) and shared-filter hybrid fusion (SF-HF) on PAMAP2, with
networks of two and three convolutions, z-normalisation and BatchNormalization. Table 3: mean F1
over held-out subjects 0.74 to 0.86.

What they leave open is chosen: acceleration (±16 g), gyroscope and magnetometer of hand, chest and
ankle and the heart rate, each a sensor; windows of 128 samples at 33 Hz that do not overlap; the
plan of training. A subject's F1 is the mean over all twelve classes.

    python -m recipes.pamap2_fusion                                    sample recordings
    python -m recipes.pamap2_fusion --data-dir PAMAP2_Dataset
    python -m recipes.pamap2_fusion --data-dir PAMAP2_Dataset --fusions early shared --nested
"""

import dataclasses
import time
from pathlib import Path
from typing import Literal, get_args

from affectkeras import runs
from affectkeras.command_line import run_recipe
from affectkeras.comparing.claims import Claim
from affectkeras.fusion_arms import arm_name, fusion_arms
from affectkeras.quiet import start_tensorflow
from affectkeras.wearable_settings import settle_wearables, wearable_banners

Fusion = Literal["early", "sensor", "channel", "shared"]
PLACES, KINDS = ("hand", "chest", "ankle"), ("acceleration", "gyroscope", "magnetometer")


def table_3(depth: int, fusion: str, value: float) -> Claim:
    """Return a figure of the lecture's Table 3."""
    return Claim(
        f"table-3.{depth}l-cnn.{fusion}", value, "subjects.macro_f1", None, "subject",
        "Table 3", arm_name(fusion, depth), "pamap2", note="How F1 is averaged is not said.",
    )  # fmt: skip


CLAIMS = (
    *map(table_3, (2,) * 4, get_args(Fusion), (0.74, 0.76, 0.81, 0.86)),
    *map(table_3, (3,) * 4, get_args(Fusion), (0.74, 0.81, 0.81, 0.85)),
)


Scale = Literal["none", "subject", "rank"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Train fusion networks to tell activities, leaving one subject out."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample recordings
    optional: bool = False  # read the folder Optional too: six more activities
    max_rejected: float = 0.05  # share of damaged stretches above which the run refuses to start
    protocol: Literal["subject"] = "subject"  # each subject is tested once by a network of others
    samples: int = 128  # of a window (lecture: 128)
    step: int = 128  # samples from one window's beginning to the next (lecture: open)
    rate_hz: float = 33.0  # common rate of all signals (lecture: open)
    scale: Scale = "none"  # of each channel by its subject (none, subject: mean and SD, rank)
    max_gap: float = 0.2  # share of missing samples above which a window is left out
    fusions: tuple[Fusion, ...] = get_args(Fusion)  # EF, SB-LF, CB-LF, SF-HF
    convolutions: tuple[Literal[2, 3], ...] = (2, 3)  # depths, each with every fusion
    filters: int = 32  # of each convolution (lecture: 32)
    kernel_size: int = 3  # samples that a filter spans (lecture: 3)
    dense: int = 256  # units of the dense layer (lecture: 256)
    smooth: int = 1  # samples averaged before the first convolution (lecture: none)
    pool: int = 1  # length of the maximum after each convolution (lecture: none)
    dropout: float = 0.0  # share of the dense layer left out in training (lecture: none)
    normalize: bool = True  # z-normalisation by training rows inside the network (lecture: zNorm)
    batch_normalization: bool = True  # after each convolution (lecture: BN)
    epochs: int = 10  # passes over the training windows
    batch_size: int = 64  # windows per step
    learning_rate: float = 1e-3  # of Adam, falling to 0 along a cosine
    inner_folds: int = 3  # by subject, of training rows: the choice among arms
    nested: bool = False  # choose within every fold too: the arm `chosen`
    shuffle_labels: bool = False  # a check: deal each subject's labels out anew
    seeds: tuple[int, ...] = (0,)  # each trains every arm in every fold
    export: tuple[Literal["litert", "onnx"], ...] = ()  # beside the SavedModel
    run_dir: Path | None = None  # where to write; absent: runs/pamap2_fusion/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # two arms, few epochs: about a minute on 2 cores


# Without data: what two cores train in a few minutes. Of the few windows small batches make steps.
FEW = {"convolutions": (2,), "filters": 8, "batch_size": 16, "learning_rate": 3e-3}
SAMPLE = {**FEW, "dense": 32, "pool": 2, "epochs": 12}
QUICK = {**FEW, "fusions": ("early", "shared"), "dense": 16, "pool": 4, "epochs": 8}


def settle(config: Config) -> Config:
    """Return the settings that a new run has."""
    layers = [QUICK] * config.quick + [SAMPLE] * (config.data_dir is None)
    return settle_wearables(config, "pamap2", *layers)


def channels_of():
    """Return the channels of a window, sensor by sensor, and how many each sensor has."""
    from affectkeras.pipelines.signals import Channel

    sensors = [f"{place}_{kind}" for place in PLACES for kind in KINDS]
    channels = [Channel(sensor, axis) for sensor in sensors for axis in range(3)]
    return [*channels, Channel("heart_rate")], [*(3,) * len(sensors), 1]


def load(config: Config):
    """Return the windows of all recordings and the splits that hold out one subject each."""
    from affectkeras.datasets import pamap2
    from affectkeras.datasets.sample import sample_pamap2
    from affectkeras.wearables import prepare_wearables

    began = time.perf_counter()
    stretches = pamap2.read(config.data_dir or sample_pamap2(), optional=config.optional)
    return prepare_wearables(
        config,
        stretches,
        channels_of()[0],
        seconds=(config.samples / config.rate_hz,),
        rate_hz=config.rate_hz,
        place="inside",
        step_s=config.step / config.rate_hz,
        began=began,
    )


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result."""
    run, config = runs.take_up("pamap2_fusion", config, settle, wearable_banners)
    start_tensorflow()
    from affectkeras.wearable_run import run_experiment

    data = load(config)
    arms = fusion_arms(config, data, channels_of()[1], "pamap2_fusion")
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("pamap2_fusion", config, config.run_dir)
    return run_experiment(
        run, config, data, arms, windows=arms[0].inputs, model="sensor_fusion", claims=CLAIMS
    )


if __name__ == "__main__":
    run_recipe(main, Config)

"""Emotion from wearables: four ways to fuse pulse, skin conductance, temperature and heart rate.

Lecture: "Emotion Recognition w/ K-EmoCon Dataset" (signals, labels and their preparation; fusion
networks of Münzner et al., ISWC 2017; leave one subject out, mean ± SD over 21 subjects). Four
signals at one common rate of 4 Hz: blood volume pulse by rolling mean, skin conductance and
temperature as they are (Empatica E4), heart rate by linear interpolation (Polar H10).

Differs from the lecture: while a subject is tested the partner of the debate is set aside, as both
recordings hold one conversation (`--protocol dyad`: both are tested; `paper`: as published, the
partner trains). What it leaves open is chosen: the windows' length for these networks, their sizes,
and each subject's own scale.

    python -m recipes.kemocon_fusion                                   sample recordings
    python -m recipes.kemocon_fusion --data-dir K_EMOCON --seconds 20
    python -m recipes.kemocon_fusion --data-dir K_EMOCON --target valence --protocol dyad
"""

import dataclasses
import time
from pathlib import Path
from typing import Literal, get_args

from affectkeras import runs
from affectkeras.command_line import run_recipe
from affectkeras.fusion_arms import fusion_arms
from affectkeras.quiet import start_tensorflow
from affectkeras.wearable_settings import each_target, settle_wearables, wearable_banners

CLAIMS = ()  # the lecture publishes no figure on these data
Fusion = Literal["early", "sensor", "channel", "shared"]
SENSORS = (  # devices: what each of them measures
    ("bvp", "eda", "temperature"),  # Empatica E4
    ("heart_rate",),  # Polar H10
)


Scale = Literal["none", "subject", "rank"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Train fusion networks on the arousal or valence of people in debates."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample recordings
    subjects: Literal["complete", "all"] = "complete"  # the authors' 21, or all with both sides
    rater: Literal["self", "partner", "external"] = "self"  # whose ratings (lecture: open)
    align: Literal["start", "cut"] = "start"  # ratings from startTime on, or cut as the authors did
    target: Literal["both", "arousal", "valence"] = "both"  # low or high; both: a run for each
    high_from: Literal[3, 4] = 4  # lowest rating of 1 to 5 that is high (lecture: 4; authors: 3)
    max_rejected: float = 0.05  # share of damaged ratings above which the run refuses to start
    protocol: Literal["subject", "dyad", "paper"] = "subject"  # who is held out; paper leaks
    seconds: float = 20.0  # length of a window, which ends at its rating (lecture: 5, 20, 60)
    rate_hz: float = 4.0  # common rate of all signals (lecture: 4 Hz)
    scale: Scale = "subject"  # each channel by its subject's own (none, subject: mean and SD, rank)
    max_gap: float = 0.2  # share of missing samples above which a window is left out
    fusions: tuple[Fusion, ...] = get_args(Fusion)  # EF, SB-LF, CB-LF, SF-HF
    convolutions: tuple[Literal[2, 3], ...] = (2, 3)  # depths, each with every fusion
    filters: int = 32  # of each convolution (lecture: 32)
    kernel_size: int = 3  # samples that a filter spans (lecture: 3)
    dense: int = 64  # units of the dense layer (lecture: 256)
    smooth: int = 1  # samples averaged before the first convolution (lecture: none)
    pool: int = 2  # length of the maximum after each convolution (lecture: none)
    dropout: float = 0.5  # share of the dense layer left out in training (lecture: none)
    normalize: bool = True  # z-normalisation by training rows inside the network (lecture: zNorm)
    batch_normalization: bool = True  # after each convolution (lecture: BN)
    epochs: int = 15  # passes over the training windows
    batch_size: int = 32  # windows per step
    learning_rate: float = 1e-3  # of Adam, falling to 0 along a cosine
    inner_folds: int = 3  # by dyad, of training rows: the choice among arms
    nested: bool = True  # choose within every fold too: the arm `chosen`
    shuffle_labels: bool = False  # a check: deal each subject's labels out anew
    seeds: tuple[int, ...] = (0,)  # each trains every arm in every fold
    export: tuple[Literal["litert", "onnx"], ...] = ()  # beside the SavedModel
    run_dir: Path | None = None  # where to write; absent: runs/kemocon_fusion/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # two arms, few epochs: about a minute on 2 cores


SAMPLE = {"convolutions": (2,), "filters": 8, "dense": 32, "epochs": 6}
QUICK = {"target": "arousal", "fusions": ("early", "shared"), "convolutions": (2,), "filters": 8,
         "dense": 16, "epochs": 4, "nested": False}  # fmt: skip


def settle(config: Config) -> Config:
    """Return the settings that a new run has."""
    layers = [QUICK] * config.quick + [SAMPLE] * (config.data_dir is None)
    return settle_wearables(config, "k_emocon", *layers)


def load(config: Config):
    """Return the windows that end at the ratings, and the splits."""
    from affectkeras.datasets import k_emocon
    from affectkeras.datasets.sample import sample_k_emocon
    from affectkeras.pipelines.signals import Channel, binary_levels
    from affectkeras.wearables import prepare_wearables

    began = time.perf_counter()
    rated = k_emocon.read(
        config.data_dir or sample_k_emocon(),
        rater=config.rater,
        align=config.align,
        subjects="all" if config.data_dir is None else config.subjects,
    )
    return prepare_wearables(
        config,
        binary_levels(rated, config.target, high_from=config.high_from),
        [Channel(name) for names in SENSORS for name in names],
        seconds=(config.seconds,),
        rate_hz=config.rate_hz,
        began=began,
    )


def run_target(config: Config, run: Path | None) -> dict:
    """Run the experiment for one target, or go on with it, and return its result."""
    from affectkeras.wearable_run import run_experiment

    print(f"{config.target}: low (1 to {config.high_from - 1}) or high ({config.high_from} to 5)")
    data = load(config)
    arms = fusion_arms(config, data, [len(names) for names in SENSORS], "kemocon_fusion")
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("kemocon_fusion", config, config.run_dir)
    return run_experiment(
        run, config, data, arms, windows=arms[0].inputs, model="sensor_fusion", claims=CLAIMS
    )


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result: of both targets, valence's."""
    run, config = runs.take_up("kemocon_fusion", config, settle, wearable_banners)
    start_tensorflow()
    return [run_target(one, run) for one in each_target(config)][-1]


if __name__ == "__main__":
    run_recipe(main, Config)

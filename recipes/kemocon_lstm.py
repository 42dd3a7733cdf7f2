"""Emotion from the pulse at the wrist: an LSTM, and how long a stretch of pulse it should see.

Lecture: "Emotion Recognition w/ K-EmoCon Dataset" ("LSTM - BVP Example (64Hz)"): blood volume pulse
of an Empatica E4, five seconds at 64 Hz as five steps of 64 numbers, ratings of arousal and valence
from 1 to 5 as low (1 to 3) or high (4, 5), leave one subject out, mean ± SD over 21 subjects. It
asks: "What will happen if we increase the time period? (from 5 seconds to 20 seconds or even 1
minute?)". Each length is an arm here, on the same ratings: those that the longest has room for.

Differs from the lecture: while a subject is tested the partner of the debate is set aside, as both
recordings hold one conversation (`--protocol dyad`: both are tested; `paper`: as published, the
partner trains). The size of the state and each subject's own scale are chosen.

    python -m recipes.kemocon_lstm                                     sample recordings
    python -m recipes.kemocon_lstm --data-dir K_EMOCON
    python -m recipes.kemocon_lstm --data-dir K_EMOCON --target valence --high-from 3
"""

import dataclasses
import time
from pathlib import Path
from typing import Literal

from affectkeras import runs
from affectkeras.command_line import run_recipe
from affectkeras.quiet import start_tensorflow
from affectkeras.wearable_settings import (
    each_target,
    is_sample,
    settle_wearables,
    wearable_banners,
)

CLAIMS = ()  # the lecture publishes no figure on these data
RATE_HZ = 64  # of the pulse (lecture, "BVP Example (64Hz)")


Scale = Literal["none", "subject", "rank"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Train an LSTM on the pulse of people in debates, with windows of several lengths."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample recordings
    subjects: Literal["complete", "all"] = "complete"  # the authors' 21, or all with both sides
    rater: Literal["self", "partner", "external"] = "self"  # whose ratings (lecture: open)
    align: Literal["start", "cut"] = "start"  # ratings from startTime on, or cut as the authors did
    target: Literal["both", "arousal", "valence"] = "both"  # low or high; both: a run for each
    high_from: Literal[3, 4] = 4  # lowest rating of 1 to 5 that is high (lecture: 4; authors: 3)
    max_rejected: float = 0.05  # share of damaged ratings above which the run refuses to start
    protocol: Literal["subject", "dyad", "paper"] = "subject"  # who is held out; paper leaks
    seconds: tuple[int, ...] = (5, 20, 60)  # lengths of the windows, arms (lecture: 5; 20 and 60?)
    scale: Scale = "subject"  # the pulse by its subject's own (none, subject: mean and SD, rank)
    max_gap: float = 0.2  # share of missing samples above which a window is left out
    hidden_size: int = 32  # numbers of state of the LSTM (lecture: open)
    dropout: float = 0.0  # share of the last state left out in training (lecture: open)
    normalize: bool = True  # z-normalisation by training rows inside the network
    epochs: int = 15  # passes over the training windows
    batch_size: int = 32  # windows per step
    learning_rate: float = 2e-3  # of Adam, falling to 0 along a cosine
    inner_folds: int = 3  # by dyad, of training rows: the choice among lengths
    nested: bool = True  # choose within every fold too: the arm `chosen`
    shuffle_labels: bool = False  # a check: deal each subject's labels out anew
    seeds: tuple[int, ...] = (0,)  # each trains every arm in every fold
    export: tuple[Literal["litert", "onnx"], ...] = ()  # beside the SavedModel
    run_dir: Path | None = None  # where to write; absent: runs/kemocon_lstm/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # one target, one length, few epochs: about a minute on 2 cores


SAMPLE = {"epochs": 8}
QUICK = {"target": "arousal", "seconds": (5,), "epochs": 5, "nested": False}


def settle(config: Config) -> Config:
    """Return the settings that a new run has."""
    layers = [QUICK] * config.quick + [SAMPLE] * (config.data_dir is None)
    return settle_wearables(config, "k_emocon", *layers)


def load(config: Config):
    """Return the windows of pulse that end at the ratings, and the splits."""
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
        [Channel("bvp")],
        seconds=config.seconds,
        rate_hz=RATE_HZ,
        began=began,
    )


def build_model(config: Config, seconds: int):
    """Return the network for windows of a length, with fresh weights."""
    from affectkeras.models.bvp_lstm import build_bvp_lstm

    return build_bvp_lstm(
        seconds,
        rate=RATE_HZ,
        hidden_size=config.hidden_size,
        dropout=config.dropout,
        normalize=config.normalize,
    )


def arms_of(config: Config, data) -> list:
    """Return an arm for each length of the windows."""
    from affectkeras.pipelines.signals import as_seconds
    from affectkeras.signal_facts import SignalFacts
    from affectkeras.wearable_run import SignalArm

    facts = SignalFacts(
        recipe="kemocon_lstm",
        sample=is_sample(config),
        quick=config.quick,
        target=config.target,
        class_names=data.table.class_target.class_names,
        channels=data.channels,
        rate_hz=RATE_HZ,
        seconds=config.seconds[0],
        scale=config.scale,
        rows="seconds",
        max_gap=config.max_gap,
        dataset=data.table.name,
    )
    return [
        SignalArm(
            f"{seconds}s",
            lambda seconds=seconds: build_model(config, seconds),
            as_seconds(data.inputs[seconds], RATE_HZ),
            dataclasses.replace(facts, seconds=seconds),
        )
        for seconds in config.seconds
    ]


def run_target(config: Config, run: Path | None) -> dict:
    """Run the experiment for one target, or go on with it, and return its result."""
    from affectkeras.wearable_run import run_experiment

    print(f"{config.target}: low (1 to {config.high_from - 1}) or high ({config.high_from} to 5)")
    data = load(config)
    arms = arms_of(config, data)
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("kemocon_lstm", config, config.run_dir)
    return run_experiment(
        run,
        config,
        data,
        arms,
        windows=data.inputs[max(config.seconds)],
        model="bvp_lstm",
        claims=CLAIMS,
    )


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result: of both targets, valence's."""
    run, config = runs.take_up("kemocon_lstm", config, settle, wearable_banners)
    start_tensorflow()
    return [run_target(one, run) for one in each_target(config)][-1]


if __name__ == "__main__":
    run_recipe(main, Config)

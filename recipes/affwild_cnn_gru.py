"""Valence and arousal from face video: a CNN sees every frame, a GRU reads the frames in order.

Report: "50.039 Theory and Practice of Deep Learning Big Project, Team 17" (Singapore University of
Technology and Design), on Aff-Wild: of each video every 40th of the first 400 frames, the face cut
out at 224 × 224, one network for arousal and one for valence, Adam at 1e-3, mean squared error, 5
epochs; a GRU is preferred to an LSTM. It publishes loss curves and no other figure.

Differs from the report: videos are divided 80/10/10 (its 198, 26 and 25 sum to 249 of 252); widths
of features and state are not published: chosen. `--mode dense` uses every frame, in windows, with
a concordance loss; `--predict sectors` names the eight sectors of the circle of affect, its future
work.

    python -m recipes.affwild_cnn_gru                             sample videos, about 12 min
    python -m recipes.affwild_cnn_gru --data-dir AFFWILD          as in the report
    python -m recipes.affwild_cnn_gru --data-dir AFFWILD --mode dense --every 5
    python -m recipes.affwild_cnn_gru --dataset aff_wild2 --data-dir AFFWILD2 --protocol official
"""

import dataclasses
import time
from pathlib import Path
from typing import Literal

from affectkeras import number_results, results, runs
from affectkeras.command_line import run_recipe
from affectkeras.comparing.claims import Claim
from affectkeras.errors import UserError
from affectkeras.quiet import start_tensorflow
from affectkeras.settling import check_data_dir, check_lists, check_positive, fill_unset

MEAN_PIXEL = "mean-pixel"  # the arm of the baseline that knows nothing but a face's mean
TARGETS = ("valence", "arousal")


def challenge(method: str, target: str, value: float) -> Claim:
    """Return a figure of the Aff-Wild challenge, on test labels that were not published."""
    return Claim(
        f"challenge.{method}.{target}", value, f"{target}.ccc", None, "official",
        "Kollias et al. 2019, Aff-Wild challenge", "", "aff_wild",
    )  # fmt: skip


CLAIMS = (
    challenge("baseline", "valence", 0.15),
    challenge("baseline", "arousal", 0.10),
    challenge("affwildnet", "valence", 0.57),
    challenge("affwildnet", "arousal", 0.43),
)

Cell = Literal["gru", "lstm"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Train CNN-GRU on the valence and arousal of faces in videos."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample videos
    dataset: Literal["aff_wild", "aff_wild2"] = "aff_wild"  # whose layout the folder has
    alignment: Literal["auto", "frame", "box"] = "auto"  # aff_wild: whose labels they are
    boxes: Literal["owner", "tracked"] = "owner"  # faces where the owner marked them, or by MTCNN
    max_rejected: float = 0.05  # share of damaged frames above which the run refuses to start
    mode: Literal["sparse", "dense"] = "sparse"  # frames 39, 79 … 399 (report), or all in windows
    every: int | None = None  # dense: one frame of so many; absent: 1, all
    predict: Literal["values", "sectors"] = "values"  # numbers, or eight sectors as classes
    joint: bool = False  # one network for both targets (report: one each)
    cells: tuple[Cell, ...] = ("gru", "lstm")  # arms (report: both compared, GRU chosen)
    encoder: str = "cnn"  # of a frame: cnn (report), or a backbone of the zoo
    weights: str | None = None  # of a backbone: imagenet, none, or a file
    features: int = 128  # of each frame (report: open)
    hidden_size: int = 64  # numbers of state of the GRU or LSTM (report: open)
    window: int | None = None  # frames in a row; absent: 10 sparse (report), 16 dense
    image_size: int = 224  # pixels, each side of a face (report)
    margin: float = 0.1  # added at each side of a face's box (report: open)
    loss: Literal["mse", "ccc"] | None = None  # absent: mse sparse (report), ccc dense
    plan: Literal["paper", "cosine"] = "paper"  # paper: constant rate; cosine: warm-up and decay
    augmentation: Literal["none", "light"] = "none"  # light: flip, gentle warp (report: none)
    protocol: Literal["grouped", "official"] = "grouped"  # by video; the owner's (aff_wild2)
    test_share: float = 0.1  # of the videos (report)
    validation_share: float = 0.1  # of the videos (report)
    epochs: int = 5  # (report)
    batch_size: int = 8  # windows per step (report: videos)
    learning_rate: float = 1e-3  # of Adam (report)
    seeds: tuple[int, ...] = (0, 1, 2)  # each trains every arm
    run_dir: Path | None = None  # where to write; absent: runs/affwild_cnn_gru/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # short videos, small faces, one network: a minute or two on 2 cores


# Without data: what two cores train in twelve minutes.
SAMPLE = {
    **{"mode": "dense", "every": 4, "image_size": 96, "plan": "cosine", "epochs": 6},
    **{"test_share": 0.25, "seeds": (0,)},
}
QUICK = {
    **{"mode": "dense", "every": 3, "image_size": 64, "plan": "cosine", "epochs": 12},
    **{"cells": ("gru",), "joint": True, "features": 64, "window": 8, "seeds": (0,)},
    **{"augmentation": "light", "test_share": 0.25},
}
MODES = {
    "sparse": {"every": 40, "window": 10, "loss": "mse"},
    "dense": {"every": 1, "window": 16, "loss": "ccc"},
}


def settle(config: Config) -> Config:
    """Return the settings that a new run has: sizes of the report, of the sample or a quick run.

    Raises:
        UserError: for settings that no run can have.
    """
    check_data_dir(config)
    if config.data_dir is None and config.dataset != "aff_wild":
        raise UserError(f"--dataset {config.dataset} needs --data-dir: the sample is aff_wild's.")
    if config.mode == "sparse" and config.every not in (None, 40) and config.data_dir is not None:
        raise UserError("--every is for --mode dense; sparse takes every 40th frame.")
    config = fill_unset(config, *([QUICK] * config.quick + [SAMPLE] * (config.data_dir is None)))
    missing = {k: v for k, v in MODES[config.mode].items() if getattr(config, k) is None}
    config = dataclasses.replace(config, **missing)
    sizes = ("epochs", "batch_size", "learning_rate", "image_size", "window", "every")
    check_positive(config, *sizes)
    check_lists(config, "seeds", "cells")
    return config


def banners(config: Config) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown."""
    said = {
        "Sample data: rendered faces. The figures say nothing about people.": (
            config.data_dir is None
        ),
        "Quick run: short videos, small faces, one network.": config.quick,
        f"Sizes for two cores: one frame of {config.every}, {config.image_size} pixels, "
        f"{config.epochs} epochs.": config.data_dir is None and not config.quick,
    }
    return [text for text, holds in said.items() if holds]


def networks_of(config: Config) -> tuple[tuple[str, ...], ...]:
    """Return the targets of each network of an arm."""
    if config.predict == "sectors":
        return (("sector",),)
    return (TARGETS,) if config.joint else tuple((target,) for target in TARGETS)


def build_model(config: Config, outputs: int, cell: str):
    """Return the network of one arm."""
    from affectkeras.models.cnn_gru import build_cnn_gru

    return build_cnn_gru(
        outputs,
        config.image_size,
        encoder=config.encoder,
        weights=config.weights,
        cell=cell,
        features=config.features,
        hidden_size=config.hidden_size,
    )


def build_clips(config: Config, clips, targets, seed: int, seal):
    """Return the stream of windows with the values of their frames."""
    from affectkeras.affect_run import target_values
    from affectkeras.pipelines.augmentation import Augmentation
    from affectkeras.pipelines.clips import ClipPipeline

    choices = {"none": Augmentation.none(), "light": Augmentation.light()}
    return ClipPipeline(
        clips.crops,
        clips.windows,
        target_values(clips, targets),
        batch_size=config.batch_size,
        augmentation=choices[config.augmentation],
        seed=seed,
        seal=seal,
    )


def train(config: Config, clips, split, seal, seed: int, cell: str, targets, part: Path):
    """Train one network and return it with its stream of clips and its history."""
    import keras

    from affectkeras.losses.concordance import ConcordanceLoss
    from affectkeras.pipelines.sampler import RowSampler
    from affectkeras.transfer import stages
    from affectkeras.transfer.fine_tuning import fine_tune

    keras.utils.set_random_seed(seed)
    stream = build_clips(config, clips, targets, seed, seal)
    model = build_model(config, stream.targets.shape[1], cell)
    plan = {"paper": stages.paper_plan, "cosine": stages.cosine_plan}[config.plan]
    losses = {"mse": keras.losses.MeanSquaredError, "ccc": ConcordanceLoss}
    history, _ = fine_tune(
        model,
        plan(config.epochs, config.learning_rate),
        stream,
        RowSampler(clips.windows_of(split.train), seed=seed, batch_size=config.batch_size),
        validation_rows=clips.windows_of(split.validation),
        state_path=part / f"checkpoint-{'-'.join(targets)}.npz",
        loss=None if config.predict == "sectors" else losses[config.loss](),
    )
    return model, stream, history


def run_arm(config: Config, clips, split, seed: int, cell: str, run: Path) -> None:
    """Train the networks of one arm with one seed and write its part of the run."""
    from affectkeras import affect_run, records
    from affectkeras.evaluation.seal import Seal

    part = runs.part_dir(run, seed, cell)
    if runs.is_done(part):
        return
    began = time.perf_counter()
    seal, networks, histories = Seal(split), {}, []
    for targets in networks_of(config):
        print(f"seed {seed}, arm {cell}, {' and '.join(targets)}", flush=True)
        model, stream, history = train(config, clips, split, seal, seed, cell, targets, part)
        model.save(part / f"{'-'.join(targets)}.keras")
        histories += [{**row, "target": " and ".join(targets)} for row in history]
        networks[targets] = model, stream
    place, frames = {"arm": cell, "seed": seed}, []
    # Only now, as nothing may be fitted any more once test rows were read.
    with seal.final_evaluation():
        for name, rows in (("validation", split.validation), ("test", split.test)):
            found = affect_run.predict_rows(networks, clips, rows)
            frames.append(affect_run.prediction_rows(clips, rows, found, **place, split=name))
    records.write_part(part, clips.table, histories, frames, None, **place)
    facts = {"seal": seal.facts(), "seconds": time.perf_counter() - began, **place}
    parameters = sum(model.count_params() for model, _ in networks.values())
    runs.finish_part(part, facts | {"parameters": parameters})


def run_mean_pixel(config: Config, clips, split, run: Path) -> None:
    """Predict from the mean pixel of every face alone and write this part of the run."""
    from affectkeras import affect_run
    from affectkeras.evaluation.seal import Seal

    seed = config.seeds[0]
    part = runs.part_dir(run, seed, MEAN_PIXEL)
    if runs.is_done(part):
        return
    began = time.perf_counter()
    stream = build_clips(config, clips, TARGETS, seed, Seal(split))
    found = affect_run.mean_pixel_values(stream, split, TARGETS)
    place = {"arm": MEAN_PIXEL, "seed": seed}
    rows = affect_run.prediction_rows(clips, split.test, found, **place, split="test")
    runs.write_csv(part / "predictions.csv", rows)
    facts = {"seal": stream.seal.facts(), "seconds": time.perf_counter() - began, **place}
    runs.finish_part(part, facts)


def finish(config: Config, run: Path, clips, split, findings: dict, prepare_s: float) -> dict:
    """Join the parts, choose and package the models, and write result and report."""
    from affectkeras import affect_run
    from affectkeras.deployment import serve_model
    from affectkeras.face_result import write_face_result
    from affectkeras.number_result import write_number_result

    trained = [runs.part_facts(part) for part in runs.merge_parts(run)]
    predictions = runs.read_csv(run / "predictions.csv")
    values = config.predict == "values"
    if values:
        arms = number_results.summarise_numbers(predictions, TARGETS)
        best, score = number_results.best_number_seed, number_results.mean_ccc
    else:
        target = clips.table.class_target
        arms = results.summarise(predictions, target.class_names, target=target.name)
        best, score = results.best_seed, lambda part: part["accuracy"]["mean"]
    arms = {arm: arms[arm] for arm in (*config.cells, MEAN_PIXEL) if arm in arms}
    affect_run.write_face_sheet(run / "face_sheet.npz", clips)
    exports = {}
    for cell in config.cells:
        part = runs.part_dir(run, best(arms[cell]["validation"]), cell)
        exports[f"cnn-{cell}"] = affect_run.package_networks(
            [part / f"{'-'.join(targets)}.keras" for targets in networks_of(config)],
            run / "models" / f"cnn-{cell}",
            facts=affect_run.serving_facts(config),
            clips=affect_run.example_clips(clips, split.test),
        )
    served_arm = max(config.cells, key=lambda cell: score(arms[cell]["validation"]))
    serve_model(run, run / "models" / f"cnn-{served_arm}")
    common = {
        **{"claims": CLAIMS, "banners": banners(config), "model": "cnn", "arms": arms},
        **{"served_arm": served_arm, "exports": exports, "trained": trained},
        "prepare_s": prepare_s,
    }
    if not values:
        return write_face_result(run, config, clips.table, [split], findings, **common)
    parameters = {facts["arm"]: facts["parameters"] for facts in trained if "parameters" in facts}
    history = runs.read_csv(run / "history.csv")
    common["ablation"] = number_results.ablation_rows(arms, history, parameters)
    return write_number_result(run, config, clips.table, [split], findings, **common)


def load(config: Config):
    """Return the clips, the split, the findings of the leakage check, and the time, seconds."""
    from affectkeras.affect_clips import prepare_affect
    from affectkeras.affect_run import with_sectors

    clips, split, findings, prepare_s = prepare_affect(config)
    return (
        (with_sectors(clips) if config.predict == "sectors" else clips),
        split,
        findings,
        prepare_s,
    )


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result."""
    start_tensorflow()
    run, config = runs.take_up("affwild_cnn_gru", config, settle, banners)
    clips, split, findings, prepare_s = load(config)
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("affwild_cnn_gru", config, config.run_dir)
    with runs.lock_run(run):
        for seed in config.seeds:
            for cell in config.cells:
                run_arm(config, clips, split, seed, cell, run)
        if config.predict == "values":
            run_mean_pixel(config, clips, split, run)
        result = finish(config, run, clips, split, findings, prepare_s)
    show = (
        number_results.print_number_result if config.predict == "values" else results.print_result
    )
    show(result, run)
    return result


if __name__ == "__main__":
    run_recipe(main, Config)

"""Stress from thermal video: StressNet, and the dropout layer that learns its own masks.

Paper: H. Wang, "StressNet: A Dynamic Dropout Layer based Neural Network for Stress Recognition",
Australian National University. Five convolution modules, two layers that multiply their maps with a
mask of their own, one sigmoid unit; frames of ANUStressDB's thermal videos, 30 of each film clip.
Published: 89.7 % on the first six clips of each video, 95.8 % on all twenty; without dropout 73.3
and 71.4 %. There, single frames were divided at random: frames a moment apart stand on both sides.

Differs from the paper: by default whole subjects are held out, each tested once (`--protocol paper`
divides as published), and what dividing frames adds is measured beside it. A tenth of the
published training frames validates. Widths, strides and dropout rates are not published: chosen.

    python -m recipes.anustress_stressnet                              sample videos, about 10 min
    python -m recipes.anustress_stressnet --data-dir ANUSTRESS         the paper's smaller set
    python -m recipes.anustress_stressnet --data-dir ANUSTRESS --labels 20 --protocol paper
    python -m recipes.anustress_stressnet --dataset ferplus --data-dir FERPLUS     faces, 48 × 48
    python -m recipes.anustress_stressnet --dataset cifar10        colour pictures, Keras's copy
"""

import dataclasses
import time
from pathlib import Path
from typing import Literal, get_args

from affectkeras import records, results, runs
from affectkeras.command_line import run_recipe
from affectkeras.comparing.claims import Claim
from affectkeras.errors import UserError
from affectkeras.quiet import start_tensorflow
from affectkeras.settling import check_data_dir, check_lists, check_positive, fill_unset

VIDEOS = "anu_stress"
PUBLISHED = {6: {"epochs": 30, "learning_rate": 5e-4}, 20: {"epochs": 100, "learning_rate": 1e-3}}
MEAN_PIXEL = "mean-pixel"  # the arm of the baseline that knows nothing but an image's mean
N_NOTE = "n is inferred: a fifth of 35 videos × clips × 30 frames."


def table_2(labels: int, arm: str, value: float) -> Claim:
    """Return a figure of StressNet's in Table 2."""
    return Claim(
        f"table-2.{labels}-labels.{arm}", value, "accuracy", 35 * labels * 30 // 5, "paper",
        "Table 2", arm, VIDEOS, model=f"stress_net-{labels}", note=N_NOTE,
    )  # fmt: skip


CLAIMS = (
    table_2(6, "dynamic", 0.897),
    table_2(6, "none", 0.733),
    table_2(20, "dynamic", 0.958),
    table_2(20, "none", 0.714),
    Claim("table-2.irani-2016", 0.89, "accuracy", None, "paper", "Table 2", "", VIDEOS),
    Claim("table-2.sharma-2014", 0.86, "accuracy", None, "paper", "Table 2", "", VIDEOS),
)


Dataset = Literal[
    "anu_stress", "sfew", "ferplus", "fer2013", "rafdb", "affectnet", "image_folder", "cifar10"
]
Protocol = Literal["subject", "official", "grouped", "paper"]
Dropout = Literal["dynamic", "none", "standard", "spatial"]
Activation = Literal["gelu", "relu", "prelu"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Train StressNet with several kinds of dropout, on thermal videos or on any images."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample videos
    dataset: Dataset = "anu_stress"  # thermal videos, or any images
    labels: Literal[6, 20] = 6  # first clips of each video (paper: 6, small, and 20, whole)
    frames: int = 30  # of each clip, evenly spaced (paper: 30)
    leave_out: tuple[str, ...] = ()  # classes whose rows are not used, such as contempt
    group_pattern: str | None = None  # image_folder: regular expression, its group = who or which
    max_rejected: float = 0.05  # share of damaged files above which the run refuses to start
    protocol: Protocol | None = None  # absent: subject for videos, official for images; paper leaks
    folds: int = 5  # protocol subject: of the cross-validation
    train_rows: int | None = None  # images: train on so many rows, drawn by class; absent: all
    dropout: tuple[Dropout, ...] = get_args(Dropout)  # arms (paper: all four; Table 2, Figure 7)
    activations: tuple[Activation, ...] = get_args(Activation)  # the first trains; all are timed
    shallow_widths: tuple[int, ...] = (16, 32, 32)  # maps of the shallow modules (paper: open)
    shallow_strides: tuple[int, ...] = (2, 2, 1)  # of each of them (paper: open)
    deep_widths: tuple[int, ...] = (64, 64)  # maps of the deep modules (paper: open, at least 64)
    mask_rate: float = 0.5  # left out by standard and spatial dropout (paper: open)
    last_rate: float = 0.5  # left out before the last unit (paper: open)
    image_size: int | None = None  # pixels, each side; absent: 240 (paper), images 48, CIFAR-10 32
    plan: Literal["paper", "cosine"] = "paper"  # paper: constant rate; cosine: warm-up and decay
    augmentation: Literal["none", "light"] = "none"  # light: flip, gentle warp (paper: none)
    weight_decay: float = 0.0  # share of the kernels, times the learning rate, off at every step
    epochs: int | None = None  # absent: 30 for 6 labels, 100 for 20 (paper, Table 1); images 12
    batch_size: int = 16  # images per step (paper: 16)
    learning_rate: float | None = None  # of Adam; absent: 5e-4 for 6 labels, 1e-3 for 20 (Table 1)
    inflation: bool = True  # videos: train one arm on the published split, to show what leaks
    seeds: tuple[int, ...] = (0, 1, 2)  # each trains every arm in every fold
    export: tuple[Literal["litert", "onnx"], ...] = ()  # beside the SavedModel
    run_dir: Path | None = None  # where to write; absent: runs/anustress_stressnet/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # few frames, folds and epochs: about a minute on 2 cores


# Without data: what two cores train in ten minutes.
SAMPLE = {
    "labels": 20,
    "frames": 5,
    "image_size": 96,
    "epochs": 12,
    "learning_rate": 1e-3,
    "plan": "cosine",
    "seeds": (0,),
}
QUICK = {
    "dropout": ("dynamic", "none"),
    "frames": 2,
    "image_size": 48,
    "epochs": 4,
    "folds": 3,
    "seeds": (0,),
}
IMAGES = {"image_size": 48, "epochs": 12, "learning_rate": 1e-3, "activations": ("gelu",)}


def settle(config: Config) -> Config:
    """Return the settings that a new run has: sizes of the paper, of the sample or of a quick run.

    Raises:
        UserError: for settings that no run can have.
    """
    from affectkeras.datasets import cifar10

    videos = config.dataset == VIDEOS
    if config.dataset == "cifar10" and config.data_dir is None:
        config = dataclasses.replace(config, data_dir=cifar10.keras_cache())
    if not videos and config.data_dir is None:
        raise UserError(f"--dataset {config.dataset} needs --data-dir: only videos have a sample.")
    check_data_dir(config)
    protocols = ("subject", "paper") if videos else ("official", "grouped")
    protocol = config.protocol or protocols[0]
    if protocol not in protocols:
        kind = "videos" if videos else "images"
        raise UserError(f"--protocol {protocol} is not for {kind}: {' or '.join(protocols)}.")
    if videos and (config.leave_out or config.train_rows is not None):
        raise UserError("--leave-out and --train-rows are for images, not for videos.")
    published = {"image_size": 240, **PUBLISHED[config.labels]} if videos else IMAGES
    if config.dataset == "cifar10":
        published = {**published, "image_size": 32}  # their own
    layers = [QUICK] * config.quick + [SAMPLE] * (config.data_dir is None) + [published]
    config = fill_unset(dataclasses.replace(config, protocol=protocol), *layers)
    check_positive(config, "epochs", "batch_size", "learning_rate", "frames", "image_size")
    check_lists(config, "seeds", "dropout", "activations")
    return config


def banners(config: Config) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown."""
    said = {
        "Sample data: rendered thermal faces. The figures say nothing about people.": (
            config.data_dir is None
        ),
        "Quick run: few frames, few epochs.": config.quick,
        f"Sizes for two cores: {config.frames} frames of each clip, {config.image_size} pixels, "
        f"{config.epochs} epochs.": config.data_dir is None and not config.quick,
        "Protocol paper: frames of one clip stand on both sides of the split. It leaks, as "
        "published; do not quote it as generalisation.": config.protocol == "paper",
    }
    return [text for text, holds in said.items() if holds]


def build_model(config: Config, classes: int, dropout: str, activation: str):
    """Return StressNet with a logit for each class; of two classes one is always 0."""
    from affectkeras.models.stress_net import both_logits, build_stress_net

    model = build_stress_net(
        classes,
        config.image_size,
        dropout=dropout,
        activation=activation,
        shallow_widths=config.shallow_widths,
        shallow_strides=config.shallow_strides,
        deep_widths=config.deep_widths,
        mask_rate=config.mask_rate,
        last_rate=config.last_rate,
    )
    return both_logits(model) if classes == 2 else model


def build_images(config: Config, table, seed: int, seal):
    """Return the stream of frames or images with their targets."""
    from affectkeras.faces import target_distribution
    from affectkeras.pipelines.augmentation import Augmentation
    from affectkeras.pipelines.images import ImagePipeline

    choices = {"none": Augmentation.none(), "light": Augmentation.light()}
    return ImagePipeline(
        table,
        image_size=(config.image_size, config.image_size),
        batch_size=config.batch_size,
        targets=target_distribution(table),
        augmentation=choices[config.augmentation],
        seed=seed,
        seal=seal,
    )


def train(config: Config, table, split, seed: int, dropout: str, activation: str, part: Path):
    """Train one network and return it with its stream of images and its history."""
    import keras

    from affectkeras.evaluation.seal import Seal
    from affectkeras.pipelines.sampler import RowSampler
    from affectkeras.transfer import stages
    from affectkeras.transfer.fine_tuning import fine_tune

    keras.utils.set_random_seed(seed)
    images = build_images(config, table, seed, Seal(split))
    model = build_model(config, images.targets.shape[1], dropout, activation)
    plan = {"paper": stages.paper_plan, "cosine": stages.cosine_plan}[config.plan]
    history, _ = fine_tune(
        model,
        plan(config.epochs, config.learning_rate, weight_decay=config.weight_decay),
        images,
        RowSampler(split.train, seed=seed, batch_size=config.batch_size),
        validation_rows=split.validation,
        state_path=part / "checkpoint.npz",
    )
    return model, images, history


def run_fold(config: Config, table, split, fold: int, seed: int, arm: str, run: Path) -> None:
    """Train one arm in one fold with one seed and write its part of the run."""
    from affectkeras import stress_run
    from affectkeras.transfer.fine_tuning import predict_logits, probabilities

    part = runs.part_dir(run, seed, f"{arm}-fold{fold}")
    if runs.is_done(part):
        return
    print(f"seed {seed}, fold {fold + 1}, arm {arm}", flush=True)
    began = time.perf_counter()
    model, images, history = train(config, table, split, seed, arm, config.activations[0], part)
    place = {"arm": arm, "seed": seed, "fold": fold}
    frames = []
    with images.seal.final_evaluation():
        for name, rows in (("validation", split.validation), ("test", split.test)):
            found = probabilities(predict_logits(model, images, rows))
            frames.append(records.prediction_rows(table, rows, found, **place, split=name))
        if arm == "dynamic":
            sample = stress_run.sample_folder(config.data_dir, table)
            masks, first = stress_run.measure_masks(model, images, table, split.test, sample)
            runs.write_csv(part / "masks.csv", masks.assign(**place))
            stress_run.write_mask_pictures(part / "masks.npz", first)
    records.write_part(part, table, history, frames, None, **place)
    model.save(part / "model.keras")
    facts = {"seal": images.seal.facts(), "seconds": time.perf_counter() - began, **place}
    runs.finish_part(part, facts | {"validation_accuracy": history[-1]["val_accuracy"]})


def run_mean_pixel(config: Config, table, split, fold: int, seed: int, run: Path) -> None:
    """Predict from the mean of every image's pixels alone and write this part of the run."""
    from affectkeras.evaluation.seal import Seal
    from affectkeras.stress_run import mean_pixel_probabilities

    part = runs.part_dir(run, seed, f"{MEAN_PIXEL}-fold{fold}")
    if runs.is_done(part):
        return
    place = {"arm": MEAN_PIXEL, "seed": seed, "fold": fold}
    began = time.perf_counter()
    images = build_images(config, table, seed, Seal(split))
    found = mean_pixel_probabilities(images, split)
    rows = records.prediction_rows(table, split.test, found, **place, split="test")
    runs.write_csv(part / "predictions.csv", rows)
    facts = {"seal": images.seal.facts(), "seconds": time.perf_counter() - began, **place}
    runs.finish_part(part, facts)


def measure_inflation(config: Config, table, run: Path) -> None:
    """Train the first arm on frames divided as published, into `published/` of the run.

    Every frame is tested once there as well, so that both figures are of the same frames.
    """
    from affectkeras.evaluation.fold_splits import frame_folds
    from affectkeras.faces import SPLIT_SEED

    target = table.class_target.name
    print("The same network with single frames divided as published, which leaks:")
    splits = frame_folds(table.frame, target, folds=config.folds, seed=SPLIT_SEED)
    for seed in config.seeds:
        for fold, split in enumerate(splits):
            run_fold(config, table, split, fold, seed, config.dropout[0], run / "published")


def time_activations(config: Config, table, split, run: Path) -> None:
    """Train the first arm with every activation in one fold: into `activations/` of the run."""
    for seed in config.seeds:
        for activation in config.activations if len(config.activations) > 1 else ():
            part = runs.part_dir(run / "activations", seed, activation)
            if runs.is_done(part):
                continue
            print(f"seed {seed}, activation {activation}, for its time", flush=True)
            began = time.perf_counter()
            _, _, history = train(config, table, split, seed, config.dropout[0], activation, part)
            records.write_part(part, table, history, [], None, arm=activation, seed=seed)
            runs.finish_part(part, {"seconds": time.perf_counter() - began})


def finish(config: Config, run: Path, table, splits, findings: dict, prepare_s: float) -> dict:
    """Join the parts, choose and package the models, and write result and report."""
    from affectkeras import stress_run
    from affectkeras.deployment import package_model, serve_model
    from affectkeras.face_result import write_face_result

    model = f"stress_net-{config.labels}" if config.dataset == VIDEOS else "stress_net"
    target = table.class_target
    trained = [runs.part_facts(part) for part in runs.merge_parts(run)]
    found = results.summarise(
        runs.read_csv(run / "predictions.csv"), target.class_names, target=target.name
    )
    arms = {arm: found[arm] for arm in (*config.dropout, MEAN_PIXEL)}
    stress_run.keep_inflation(run, config.dropout[0], target)
    stress_run.keep_activations(run, config.activations)
    exports = {}
    for arm in config.dropout:
        best = stress_run.best_part(run, arm)
        if arm == "dynamic":
            stress_run.keep_mask_pictures(run, best)
        exports[f"{model}-{arm}"] = package_model(
            best / "model.keras",
            run / "models" / f"{model}-{arm}",
            class_names=target.class_names,
            image_size=(config.image_size, config.image_size),
            formats=config.export,
            encoded_images=records.encoded_images(table, splits[0].test[:40]),
        )
    served_arm = max(config.dropout, key=lambda arm: arms[arm]["validation"]["accuracy"]["mean"])
    serve_model(run, run / "models" / f"{model}-{served_arm}")
    return write_face_result(
        run,
        config,
        table,
        splits,
        findings,
        claims=CLAIMS,
        banners=banners(config),
        model=model,
        arms=arms,
        served_arm=served_arm,
        exports=exports,
        trained=trained,
        prepare_s=prepare_s,
    )


def load(config: Config):
    """Return the table, its splits, the findings of the leakage check, and the time, seconds."""
    from affectkeras.faces import prepare_faces
    from affectkeras.stress_frames import prepare_frames

    if config.dataset == VIDEOS:
        return prepare_frames(config)
    table, split, findings, prepare_s = prepare_faces(config, leave_out=config.leave_out)
    return table, [split], findings, prepare_s


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result."""
    start_tensorflow()
    run, config = runs.take_up("anustress_stressnet", config, settle, banners)
    table, splits, findings, prepare_s = load(config)
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("anustress_stressnet", config, config.run_dir)
    with runs.lock_run(run):
        for seed in config.seeds:
            for fold, split in enumerate(splits):
                for arm in config.dropout:
                    run_fold(config, table, split, fold, seed, arm, run)
                run_mean_pixel(config, table, split, fold, seed, run)
        if config.inflation and config.protocol == "subject":
            measure_inflation(config, table, run)
        time_activations(config, table, splits[0], run)
        result = finish(config, run, table, splits, findings, prepare_s)
    results.print_result(result, run)
    return result


if __name__ == "__main__":
    run_recipe(main, Config)

"""Faces on an ImageNet backbone, with and without Bimodal Distribution Removal (BDR).

Paper: S. Wang, "Faces Emotion Classification with Bimodal Distribution Removal based on ResNet",
Australian National University. ResNet50 under a small SELU head, every layer trained with Adam
1e-4 in batches of 64 for 31 epochs; at epoch 6 the training rows with outlying losses are removed
once. Published on a random half of SFEW 2.0's Val part (216 images): 42 % without removal, 46 %
with it.

Differs from the paper: by default no movie stands on both sides of the split (`--protocol paper`
divides as published), several seeds, and a control that removes as many random rows of the same
classes (`--removal none bdr random`).

    python -m recipes.sfew_resnet                                       rendered sample faces
    python -m recipes.sfew_resnet --data-dir SFEW                       the paper's experiment
    python -m recipes.sfew_resnet --dataset image_folder --data-dir D   your own faces
"""

import dataclasses
import time
from pathlib import Path
from typing import Literal

from affectkeras import records, results, runs
from affectkeras.command_line import run_recipe
from affectkeras.comparing.claims import Claim
from affectkeras.errors import UserError
from affectkeras.face_settings import face_banners, with_quick_sizes
from affectkeras.quiet import start_tensorflow
from affectkeras.settling import check_data_dir
from affectkeras.transfer_settings import check_transfer_settings

# On a random half of the owner's validation part, 216 images.
CLAIMS = tuple(
    Claim(
        f"table-1.resnet50-{arm}",
        value,
        "accuracy",
        216,
        "paper",
        "Table 1",
        arm,
        "sfew",
        model="resnet50",
    )  # fmt: skip
    for arm, value in (("none", 0.42), ("bdr", 0.46))
)

# In the order they are trained: the random control needs the counts of bdr.
ARMS = ("none", "bdr", "random", "slade-gedeon")
REMOVAL_EPOCH = 6  # counted from 1 (paper, section 3.2); the arms are equal before its end


@dataclasses.dataclass(frozen=True)
class Config:
    """Train faces on a pretrained backbone, with and without removal of outlying rows."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample faces, quick
    dataset: Literal["sfew", "ferplus", "fer2013", "rafdb", "affectnet", "image_folder"] = "sfew"
    label_mode: Literal["majority", "probability", "crossentropy"] = "majority"  # of FER+ votes
    group_pattern: str | None = None  # image_folder: regular expression, its group = who or which
    max_rejected: float = 0.05  # share of damaged files above which the run refuses to start
    protocol: Literal["grouped", "official", "paper"] = "grouped"  # paper leaks, as published
    train_rows: int | None = None  # train on so many rows, drawn by class; absent: all
    backbone: str = "resnet50"  # any of keras.applications, such as mobilenet_0.25
    weights: str = "imagenet"  # imagenet, none, or the path of a weights file
    image_size: int = 224  # pixels, height and width (paper: 224)
    regime: Literal["auto", "head", "last-blocks", "all", "scratch"] = "all"  # what trains
    last_blocks: int = 1  # regime last-blocks: so many of the backbone's, mostly of 5
    plan: Literal["paper", "staged", "cosine"] = "paper"  # how: one rate; head first; decay
    hidden: int = 512  # units of the head's hidden layer (paper: 512)
    dropout: tuple[float, float] = (0.6, 0.8)  # of the head (paper, section 2.2)
    augmentation: Literal["paper", "light", "none"] = "paper"  # light: flip, gentle warp
    epochs: int = 31  # over all stages together (paper: 31)
    batch_size: int = 64  # images per step (paper: 64)
    learning_rate: float = 1e-4  # of Adam (paper: 1e-4)
    block_rate: float = 1.0  # a block's rate as a share of the next one's, below 1: discriminative
    find_learning_rate: bool = False  # only look for a rate on training rows, show it, and end
    weight_decay: float = 0.0  # share of a kernel per step and rate, decoupled (paper: none)
    feature_cache: bool = True  # compute the outputs of a frozen backbone once
    removal: tuple[Literal["none", "bdr", "slade-gedeon", "random"], ...] = ("none", "bdr")  # arms
    seeds: tuple[int, ...] = (0, 1, 2)  # each trains every arm
    export: tuple[Literal["litert", "onnx"], ...] = ()  # beside the SavedModel
    devices: int = 1  # divide every batch among so many; virtual ones where there are fewer GPUs
    run_dir: Path | None = None  # where to write; absent: runs/sfew_resnet/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # small sizes: a complete run in a few minutes on 2 cores


QUICK = {
    "image_size": 48,
    "dropout": (0.2, 0.2),
    "augmentation": "light",
    "epochs": 7,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "train_rows": 700,
    "seeds": (0,),
}


def settle(config: Config) -> Config:
    """Return the settings that a new run has: quick sizes, and weights that are within reach."""
    from affectkeras.transfer.weight_files import WeightsUnreachable
    from affectkeras.transfer.zoo import find_backbone, weights_path

    check_transfer_settings(config)
    check_data_dir(config)  # told before any weights are fetched
    if "random" in config.removal and "bdr" not in config.removal:
        raise UserError("--removal random removes as many rows as bdr does: name bdr as well.")
    config = with_quick_sizes(config, QUICK)
    config = dataclasses.replace(
        config, removal=tuple(arm for arm in ARMS if arm in config.removal)
    )
    if {"bdr", "random"} & set(config.removal) and config.epochs <= REMOVAL_EPOCH:
        raise UserError(
            f"--removal removes rows at the end of epoch {REMOVAL_EPOCH}: --epochs must be above "
            f"that. Received: {config.epochs}. Give more epochs, or --removal none."
        )
    if config.regime == "scratch":
        config = dataclasses.replace(config, weights="none")
    changes = {}
    try:
        weights_path(find_backbone(config.backbone), config.weights, (config.image_size,) * 2)
    except WeightsUnreachable:
        if config.data_dir is not None:
            raise
        changes["weights"] = "none"  # said in the banner
    return dataclasses.replace(config, **changes)


def banners(config: Config) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown."""
    return face_banners(config, "small images, few rows, few epochs")


def build_model(config: Config, classes: int):
    """Return the classifier: images → preprocessing → backbone → the paper's head → logits."""
    from affectkeras.models.backbone_classifier import build_backbone_classifier

    return build_backbone_classifier(
        config.backbone,
        classes,
        config.image_size,
        config.weights,
        dropout=config.dropout,
        hidden=config.hidden,
    )


def build_removal(config: Config, arm: str, sampler, labels, seed: int, run: Path, seal):
    """Return what makes the arm's removal callback of a scoring function; None without need."""
    from affectkeras.callbacks.bimodal_distribution_removal import BimodalDistributionRemoval
    from affectkeras.callbacks.random_removal import RandomRemoval, plan_from_log
    from affectkeras.callbacks.slade_gedeon_removal import SladeGedeonRemoval

    if config.removal == ("none",):
        return None
    if arm == "bdr":
        return lambda score: BimodalDistributionRemoval(
            sampler, seal.fitting("selection", "bdr", score), labels, start_epoch=REMOVAL_EPOCH
        )
    if arm == "slade-gedeon":
        return lambda score: SladeGedeonRemoval(
            sampler, seal.fitting("selection", "slade-gedeon", score), labels
        )
    plan = {}  # the arm none removes nothing, but its losses are scored for the plots
    if arm == "random":
        plan = plan_from_log(runs.part_facts(runs.part_dir(run, seed, "bdr"))["removals"])
    return lambda score: RandomRemoval(sampler, labels, plan, seed, score=score)


def assemble(config: Config, table, split, seed: int, seal):
    """Return what a training needs: model, images, their cached features (or None), rows, stages.

    Args:
        seal: of the split; it refuses whatever reads a test row.
    """
    import keras

    from affectkeras.face_regime import explain_face_regime
    from affectkeras.faces import target_distribution
    from affectkeras.pipelines.augmentation import Augmentation
    from affectkeras.pipelines.images import ImagePipeline
    from affectkeras.pipelines.sampler import RowSampler
    from affectkeras.transfer.regimes import plan_regime

    keras.utils.set_random_seed(seed)
    targets = target_distribution(table)
    augmentations = {"paper": Augmentation(), "light": Augmentation.light()}
    images = ImagePipeline(
        table,
        image_size=(config.image_size, config.image_size),
        batch_size=config.batch_size,
        targets=targets,
        augmentation=augmentations.get(config.augmentation, Augmentation.none()),
        seed=seed,
        seal=seal,
    )
    sampler = RowSampler(split.train, seed=seed, batch_size=config.batch_size)
    model = build_model(config, targets.shape[1])
    regime = explain_face_regime(config, model, table, split)
    if regime["asked"] == "auto":
        print(f"--regime auto: {regime['chosen']}. {' '.join(regime['reasons'][1:])}", flush=True)
    stages = plan_regime(
        regime["chosen"],
        config.plan,
        config.epochs,
        config.learning_rate,
        last_blocks=config.last_blocks,
        weight_decay=config.weight_decay,
        block_rate=config.block_rate,
    )
    features = None
    if config.feature_cache and any(stage.trainable == "head" for stage in stages):
        from affectkeras.pipelines.cached_features import cached_features

        features = cached_features(model, images)
    return model, images, features, sampler, stages


def find_rate(config: Config, table, split, run: Path) -> dict:
    """Look for a learning rate with the first seed, on training rows, and write what was found."""
    from affectkeras.evaluation.seal import Seal
    from affectkeras.rate_search import search_rate, write_rate_search

    model, images, features, sampler, stages = assemble(
        config, table, split, config.seeds[0], Seal(split)
    )
    curve = search_rate(model, stages[0], images, sampler, features)
    return write_rate_search(run, curve, stages[0], config.learning_rate)


def train(config: Config, table, split, seed: int, arm: str, run: Path, *, part: Path, seal):
    """Train one arm with one seed on the split's training rows; the test rows stay unread.

    Args:
        run: the run's folder, where the arm `random` finds how many rows `bdr` removed.
        part: folder of the training's own state, to go on from after a kill.
        seal: of the split; it refuses whatever reads a test row.

    Returns:
        the trained model, what `predict_logits` reads rows from (its images, or their cached
        features where the backbone never trained), the history and the removal (None without).
    """
    from affectkeras.devices import divide_stream, spread, synchronize_normalization
    from affectkeras.transfer.fine_tuning import Branch, fine_tune

    labels = table.frame["expression"].to_numpy()
    # Several arms of one seed are equal until rows are removed: the first leaves its state to all.
    trunk = part.with_name(f"trunk-{seed}.npz")
    shared = len(config.removal) > 1 and arm != "slade-gedeon"
    with spread(config.devices):
        model, images, features, sampler, stages = assemble(config, table, split, seed, seal)
        images = divide_stream(images, config.devices)
        features = divide_stream(features, config.devices)
        synchronize_normalization(model, config.devices > 1)
        history, removal = fine_tune(
            model,
            stages,
            images,
            sampler,
            validation_rows=split.validation,
            state_path=part / "checkpoint.npz",
            features=features,
            make_removal=build_removal(config, arm, sampler, labels, seed, run, seal),
            branch=Branch(trunk, REMOVAL_EPOCH - 1) if shared else None,
        )
        synchronize_normalization(model, False)
    frozen = all(stage.trainable == "head" for stage in stages)
    return model, features if features and frozen else images, history, removal


def run_fold(config: Config, table, split, seed: int, arm: str, run: Path) -> None:
    """Train one arm with one seed and write its part of the run: model, predictions, logs."""
    from affectkeras.evaluation.seal import Seal
    from affectkeras.face_regime import explain_face_regime
    from affectkeras.transfer.fine_tuning import predict_logits, probabilities

    part = runs.part_dir(run, seed, arm)
    if runs.is_done(part):
        return
    print(f"seed {seed}, arm {arm}", flush=True)
    began = time.perf_counter()
    seal = Seal(split)
    model, source, history, removal = train(
        config, table, split, seed, arm, run, part=part, seal=seal
    )
    frames = []
    with seal.final_evaluation():
        for name, rows in (("validation", split.validation), ("test", split.test)):
            found = probabilities(predict_logits(model, source, rows))
            rows = records.prediction_rows(table, rows, found, arm=arm, seed=seed, split=name)
            frames.append(rows)
    records.write_part(part, table, history, frames, removal, arm=arm, seed=seed)
    model.save(part / "model.keras")
    runs.finish_part(
        part,
        {
            "removals": removal.removals if removal else [],
            "seconds": time.perf_counter() - began,
            "seal": seal.facts(),
            "regime": explain_face_regime(config, model, table, split),
        },
    )


def finish(config: Config, run: Path, table, split, findings: dict, prepare_s: float) -> dict:
    """Join the parts, choose and package the models, and write result and report."""
    from affectkeras.backbone_pictures import keep_backbone_maps
    from affectkeras.deployment import package_model, serve_model
    from affectkeras.face_result import write_face_result

    names = table.target("expression").class_names
    parts = runs.merge_parts(run)
    trained = [runs.part_facts(part) for part in parts]
    found = results.summarise(runs.read_csv(run / "predictions.csv"), names)
    arms = {arm: found[arm] for arm in config.removal}
    exports = {}
    for arm, found in arms.items():
        seed = results.best_seed(found["validation"])
        exports[f"{config.backbone}-{arm}"] = package_model(
            runs.part_dir(run, seed, arm) / "model.keras",
            run / "models" / f"{config.backbone}-{arm}",
            class_names=names,
            image_size=(config.image_size, config.image_size),
            formats=config.export,
            encoded_images=records.encoded_images(table, split.test[:40]),
        )
    served_arm = max(arms, key=lambda arm: max(arms[arm]["validation"]["accuracy"]["per_seed"]))
    serve_model(run, run / "models" / f"{config.backbone}-{served_arm}")
    keep_backbone_maps(run, run / "model.keras", table, split.validation[0])
    return write_face_result(
        run,
        config,
        table,
        [split],
        findings,
        claims=CLAIMS,
        banners=banners(config),
        model=config.backbone,
        arms=arms,
        served_arm=served_arm,
        exports=exports,
        trained=trained,
        prepare_s=prepare_s,
        regime=trained[0]["regime"],
    )


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result."""
    from affectkeras.devices import prepare_devices
    from affectkeras.faces import prepare_faces

    start_tensorflow()
    prepare_devices(config.devices)
    run, config = runs.take_up("sfew_resnet", config, settle, banners)
    table, split, findings, prepare_s = prepare_faces(config, label_mode=config.label_mode)
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("sfew_resnet", config, config.run_dir)
    with runs.lock_run(run):
        if config.find_learning_rate:
            return find_rate(config, table, split, run)
        for seed in config.seeds:
            for arm in config.removal:
                run_fold(config, table, split, seed, arm, run)
        result = finish(config, run, table, split, findings, prepare_s)
    results.print_result(result, run)
    return result


if __name__ == "__main__":
    run_recipe(main, Config)

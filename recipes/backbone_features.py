"""Features of a frozen backbone for other classifiers: which of six tells expressions best?

Lecture: "Deep Learning for Sensing: Emotion Recognition": "neural networks are commonly used for
task adaptation … but other classifiers could be also used such as decision trees, gradient boost,
and SVM". It publishes no figures for them.

Every image goes through an ImageNet backbone once (its outputs stay in the feature cache). Logistic
regression, support vector machines with a linear and a radial kernel, a decision tree, a random
forest and gradient boosting learn from the pooled features. Their settings are chosen by folds of
the training rows, groups and copies of a picture kept whole. The best linear one on validation rows
is served: it is one Dense layer on the backbone.

    python -m recipes.backbone_features                                   rendered sample faces
    python -m recipes.backbone_features --dataset ferplus --data-dir FERPLUS --protocol official \\
        --backbone mobilenet_0.25 --image-size 96
"""

import dataclasses
from pathlib import Path
from typing import Literal

from affectkeras import records, results, runs
from affectkeras.command_line import run_recipe
from affectkeras.errors import UserError
from affectkeras.face_settings import face_banners, with_quick_sizes
from affectkeras.quiet import start_tensorflow
from affectkeras.settling import check_data_dir, check_lists, check_positive

CLAIMS = ()

# In the order of the table; the linear ones can be served.
CLASSIFIERS = ("logistic", "linear-svm", "rbf-svm", "tree", "forest", "boosting")
LINEAR = CLASSIFIERS[:2]
BATCH = 64  # images that go through the backbone at once


@dataclasses.dataclass(frozen=True)
class Config:
    """Tell faces by classifiers on the features of a frozen backbone."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample faces, quick
    dataset: Literal["sfew", "ferplus", "fer2013", "rafdb", "affectnet", "image_folder"] = "sfew"
    label_mode: Literal["majority", "probability", "crossentropy"] = "majority"  # of FER+ votes
    group_pattern: str | None = None  # image_folder: regular expression, its group = who or which
    max_rejected: float = 0.05  # share of damaged files above which the run refuses to start
    protocol: Literal["grouped", "official", "paper"] = "grouped"  # paper leaks, as published
    train_rows: int | None = None  # fit on so many rows, drawn by class; absent: all
    backbone: str = "resnet50"  # any of keras.applications, such as mobilenet_0.25
    weights: str = "imagenet"  # imagenet, none, or the path of a weights file
    image_size: int = 224  # pixels, height and width
    classifiers: tuple[
        Literal["logistic", "linear-svm", "rbf-svm", "tree", "forest", "boosting"], ...
    ] = CLASSIFIERS  # arms
    folds: int = 3  # of the training rows, by which settings are chosen
    tune_rows: int | None = 6000  # rows of these folds, drawn by class; the fit is on all
    seeds: tuple[int, ...] = (0,)  # of the tree, forest and boosting; the others draw nothing
    export: tuple[Literal["litert", "onnx"], ...] = ()  # beside the SavedModel
    run_dir: Path | None = None  # where to write; absent: runs/backbone_features/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # a small backbone, few rows: a complete small run


QUICK = {"backbone": "mobilenet_0.25", "image_size": 48, "train_rows": 300, "folds": 2}


def settle(config: Config) -> Config:
    """Return the settings that a new run has: quick sizes, and weights that are within reach."""
    from affectkeras.transfer.weight_files import WeightsUnreachable
    from affectkeras.transfer.zoo import find_backbone, weights_path

    check_positive(config, "image_size", "folds", "tune_rows", "train_rows")
    check_lists(config, "seeds", "classifiers")
    if not set(LINEAR) & set(config.classifiers):
        raise UserError(
            "--classifiers must name logistic or linear-svm: one of them is served, as a layer on "
            f"the backbone. Received: {' '.join(config.classifiers)}"
        )
    check_data_dir(config)  # told before any weights are fetched
    config = with_quick_sizes(config, QUICK)
    config = dataclasses.replace(
        config, classifiers=tuple(one for one in CLASSIFIERS if one in config.classifiers)
    )
    try:
        weights_path(find_backbone(config.backbone), config.weights, (config.image_size,) * 2)
    except WeightsUnreachable:
        if config.data_dir is not None:
            raise
        return dataclasses.replace(config, weights="none")  # said in the banner
    return config


def banners(config: Config) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown."""
    return face_banners(config, "a small backbone, small images, few rows")


def load(config: Config):
    """Return the table, its split, the findings of the leakage check, and the seconds it took."""
    from affectkeras.faces import prepare_faces

    return prepare_faces(config, label_mode=config.label_mode)


def build_model(config: Config, classes: int):
    """Return the backbone classifier whose features are read; its head is replaced at the end."""
    import keras

    from affectkeras.models.backbone_classifier import build_backbone_classifier

    keras.utils.set_random_seed(0)  # of weights that were never trained: --weights none
    return build_backbone_classifier(config.backbone, classes, config.image_size, config.weights)


def build_features(config: Config, table, split, model):
    """Return a function of table rows that gives their features, each computed once and kept."""
    import numpy as np

    from affectkeras.faces import target_distribution
    from affectkeras.pipelines.augmentation import Augmentation
    from affectkeras.pipelines.cached_features import cached_features
    from affectkeras.pipelines.images import ImagePipeline
    from affectkeras.transfer.random_features import SETTLING_ROWS, settle_normalization

    images = ImagePipeline(
        table,
        image_size=(config.image_size, config.image_size),
        batch_size=BATCH,
        targets=target_distribution(table),
        augmentation=Augmentation.none(),
        seed=0,
    )
    if config.weights == "none":
        rows = split.train[:: max(1, len(split.train) // SETTLING_ROWS)]
        settle_normalization(model, [pixels.numpy() for pixels, _ in images.clean(rows)])
    features = cached_features(model, images)
    return lambda rows: np.concatenate([found.numpy() for found, _ in features.clean(rows)])


def run_fold(config: Config, table, split, seed: int, arm: str, run: Path, read, choice) -> None:
    """Choose the settings of one classifier, fit it, and write its part of the run.

    Args:
        read: gives the features of table rows.
        choice: the training rows and folds by which settings are chosen.
    """
    from affectkeras.evaluation.shallow_classifiers import FAMILIES
    from affectkeras.shallow_arms import run_shallow_arm

    family = next(one for one in FAMILIES if one.name == arm)
    part = runs.part_dir(run, seed, arm)
    run_shallow_arm(arm, family, read, table, split, seed, part=part, choice=choice)


def finish(config: Config, run: Path, table, split, findings, prepare_s: float, model) -> dict:
    """Join the parts, serve the best linear classifier, and write result and report."""
    from affectkeras.deployment import package_model, serve_model
    from affectkeras.face_result import write_face_result
    from affectkeras.models.linear_head import build_linear_head, replace_head
    from affectkeras.shallow_arms import read_linear

    names = table.target("expression").class_names
    trained = [runs.part_facts(part) for part in runs.merge_parts(run)]
    found = results.summarise(runs.read_csv(run / "predictions.csv"), names)
    arms = {arm: found[arm] for arm in config.classifiers}
    exports = {}
    for arm in (one for one in config.classifiers if one in LINEAR):
        part = runs.part_dir(run, results.best_seed(arms[arm]["validation"]), arm)
        whole = replace_head(model, build_linear_head(**vars(read_linear(part))))
        whole.save(part / "model.keras")
        exports[f"{config.backbone}-{arm}"] = package_model(
            part / "model.keras",
            run / "models" / f"{config.backbone}-{arm}",
            class_names=names,
            image_size=(config.image_size, config.image_size),
            formats=config.export,
            encoded_images=records.encoded_images(table, split.test[:40]),
        )
    served_arm = max(
        (arm for arm in arms if arm in LINEAR),
        key=lambda arm: arms[arm]["validation"]["accuracy"]["mean"],
    )
    serve_model(run, run / "models" / f"{config.backbone}-{served_arm}")
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
    )


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result."""
    start_tensorflow()
    from affectkeras.shallow_arms import choice_folds

    run, config = runs.take_up("backbone_features", config, settle, banners)
    table, split, findings, prepare_s = load(config)
    model = build_model(config, len(table.class_target.class_names))
    read = build_features(config, table, split, model)
    choice = choice_folds(table, split, config.folds, config.tune_rows)
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("backbone_features", config, config.run_dir)
    with runs.lock_run(run):
        for seed in config.seeds:
            for arm in config.classifiers:
                run_fold(config, table, split, seed, arm, run, read, choice)
        result = finish(config, run, table, split, findings, prepare_s, model)
    results.print_result(result, run)
    return result


if __name__ == "__main__":
    run_recipe(main, Config)

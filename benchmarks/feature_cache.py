"""Training a head over a frozen backbone: from the feature cache against plain `model.fit`.

    python -m benchmarks.feature_cache [--quick]

20 epochs of the paper's head on MobileNet 0.25 with ImageNet weights, with cosine decay, validated
after each epoch. The peer is `model.fit` of the frozen classifier on the images, through the same
`ImagePipeline` and augmentation, which computes the backbone for every image in every epoch. Ours
trains the head on four cached views per image: *cold* with an empty cache, computing them first;
*warm* from what a run before left on the disk. In each repetition all three begin with the same
head, row order and dropout masks, so that their accuracies differ by the images only; each traces
its train step anew. Building the model and reading the table are left out.

Data: FER+ where `AFFECTKERAS_REAL_DATA` names a folder with `data/ferplus` and `weights/`, else
sample faces, whose accuracy says nothing. The promise: at least 4 times as fast cold, 50 times
warm, and a validation accuracy (mean of the last five epochs) at most 1.5 points below the peer's.
"""

import dataclasses
import os
import shutil
import statistics
import tempfile
from pathlib import Path

BARS = {"cold": 4.0, "warm": 50.0}
MOST_POINTS_LOST = 1.5
JUDGED_EPOCHS = 5
WEIGHTS = "mobilenet_2_5_224_tf_no_top.h5"


@dataclasses.dataclass(frozen=True)
class Config:
    train_rows: int = 1500  # drawn once, the same for everybody
    validation_rows: int = 1000
    image_size: int = 224  # pixels, height and width: what the weights were trained at
    batch_size: int = 64
    epochs: int = 20
    views: int = 4  # augmented views per image in the cache
    learning_rate: float = 1e-3  # of Adam, before it decays
    repetitions: int = 2  # runs of each, alternating
    weights: str | None = None  # a file, imagenet or none; absent: the real file, else imagenet
    quick: bool = False  # 64 rows of 64 pixels, 4 epochs: shows that it runs, measures nothing


def load(config: Config):
    """Return the table, the training rows, the validation rows and the weights to use."""
    import numpy as np

    from affectkeras.faces import load_faces

    real = os.environ.get("AFFECTKERAS_REAL_DATA")
    folder = Path(real) / "data" / "ferplus" if real else None
    table = load_faces("ferplus" if real else "sfew", folder)
    weights = config.weights or "imagenet"
    if config.weights is None and real:
        weights = str(Path(real) / "weights" / WEIGHTS)
    elif config.weights is None and config.quick:
        weights = "none"
    chosen = np.zeros(len(table), bool)
    for split, count in (("train", config.train_rows), ("validation", config.validation_rows)):
        rows = np.flatnonzero(table.frame["split"] == split)
        chosen[np.random.default_rng(0).permutation(rows)[:count]] = True
    # A table of these rows alone: the pipeline then holds their decoded pixels for the peer.
    table = table.keep(chosen, "not drawn for the benchmark")
    splits = table.frame["split"].to_numpy()
    return table, np.flatnonzero(splits == "train"), np.flatnonzero(splits != "train"), weights


def make_runs(config: Config, folder: Path):
    """Return the three runs by name, the accuracies they will note, and facts of the data."""
    from affectkeras.faces import target_distribution
    from affectkeras.models.backbone_classifier import build_backbone_classifier, head_of
    from affectkeras.pipelines.augmentation import Augmentation
    from affectkeras.pipelines.cached_features import cached_features
    from affectkeras.pipelines.images import ImagePipeline
    from affectkeras.pipelines.sampler import RowSampler
    from affectkeras.transfer.stages import Stage, prepare_stage

    table, train, validation, weights = load(config)
    targets = target_distribution(table)
    model = build_backbone_classifier(
        "mobilenet_0.25", targets.shape[1], config.image_size, weights
    )
    head = head_of(model)
    beginning = head.get_weights()
    dropout_states = [variable for variable in head.variables if "seed" in variable.path]
    accuracies: dict[str, list[float]] = {"peer": [], "cold": [], "warm": []}

    def make_images():
        return ImagePipeline(
            table,
            image_size=(config.image_size, config.image_size),
            batch_size=config.batch_size,
            targets=targets,
            augmentation=Augmentation.light(),
            seed=0,
        )

    def train_on(source, network, trainable, name):
        repetition = len(accuracies[name])
        sampler = RowSampler(train, seed=repetition, batch_size=config.batch_size)
        head.set_weights(beginning)
        for place, state in enumerate(dropout_states):
            state.assign([repetition, place])
        rate = config.learning_rate
        stage = Stage("head", 0, config.epochs, trainable, rate, schedule="cosine")
        prepare_stage(network, stage, sampler.steps)
        history = network.fit(
            source.training(sampler, 0, config.epochs),
            steps_per_epoch=sampler.steps,
            epochs=config.epochs,
            validation_data=source.clean(validation),
            shuffle=False,
            verbose=0,
        ).history
        accuracies[name].append(statistics.mean(history["val_accuracy"][-JUDGED_EPOCHS:]))

    def run_cached(name):
        features = cached_features(model, make_images(), views=config.views, folder=folder)
        train_on(features, head, "all", name)

    def cold():
        shutil.rmtree(folder, ignore_errors=True)
        run_cached("cold")

    runs = {
        "peer": lambda: train_on(make_images(), model, "head", "peer"),
        "cold": cold,
        "warm": lambda: run_cached("warm"),
    }
    facts = {"name": table.name, "train": len(train), "validation": len(validation)}
    return runs, accuracies, {**facts, "weights": Path(weights).name}


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/feature_cache.json` (not when quick), return it."""
    from benchmarks.keeping import keep_result
    from benchmarks.side_by_side import measure_alternately

    if config.quick:
        sizes = {"train_rows": 64, "validation_rows": 32, "image_size": 64}
        config = dataclasses.replace(config, **sizes, epochs=4, repetitions=1)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        runs, accuracies, data = make_runs(config, Path(folder) / "features")
        measured = measure_alternately(runs, config.repetitions)
    accuracy = {name: statistics.mean(values) for name, values in accuracies.items()}
    cases = []
    for name, bar in BARS.items():
        lost = 100 * (accuracy["peer"] - accuracy[name])
        ratio = measured["ratios"][name]  # the peer's seconds over ours
        cases.append(
            {
                "case": f"{name} cache, {config.epochs} head epochs, {config.views} views, "
                f"{data['train']} images of {config.image_size}², seconds",
                "ours": measured["medians"][name],
                "peer": measured["medians"]["peer"],
                "ratio": ratio,
                "bar": bar,
                "points_lost": lost,
                "most_points_lost": MOST_POINTS_LOST,
                "passed": ratio >= bar and lost <= MOST_POINTS_LOST,
            }
        )
        print(
            f"{name}: {measured['medians'][name]:.2f} s, model.fit "
            f"{measured['medians']['peer']:.2f} s: {ratio:.1f} times (bar {bar:g}); validation "
            f"accuracy {accuracy[name]:.3f} against {accuracy['peer']:.3f}"
        )
    found = {
        "cases": cases,
        "data": data,
        "validation_accuracy": accuracy,
        "settings": {**dataclasses.asdict(config), "weights": data["weights"]},
        "measured": measured,
    }
    return keep_result("feature_cache", config, found, load_before=load_before)


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))

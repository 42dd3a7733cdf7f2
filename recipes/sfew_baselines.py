"""What the ResNet paper compares with: SVM on LPQ and on PHOG, and small networks on both.

Paper: S. Wang, "Faces Emotion Classification with Bimodal Distribution Removal based on ResNet",
Australian National University, sections 1.1 and 3.4, Table 1 and Figure 12. It quotes an SVM on LPQ
(43.71 %) and on PHOG (46.28 %) from Dhall et al. 2011, a deep network (48.5 % on validation, 55.6 %
on test rows) from Ng et al. 2015, and its author's earlier networks on five LPQ and five PHOG
components: simple without BDR 25.2 %, with BDR 27.3 %, with BatchNormalization and dropout 37.1 %.
How those networks look, and how their rows were divided, it does not say.

LPQ and PHOG are ours, computed from the pictures; `--dataset sfew_features` takes the components of
the circulating SFEW.xlsx. `--with RUN …` adds finished runs, such as those of sfew_resnet: together
they are the paper's comparison table (comparison.csv, in the report with its Figure 12).

Differs from the paper: PHOG counts every pixel by its gradient, not those on Canny's edges alone,
so that the served model can compute it; no film stands on both sides of the split; several seeds.

    python -m recipes.sfew_baselines                                    rendered sample faces
    python -m recipes.sfew_baselines --data-dir SFEW --with runs/sfew_resnet/RUN
    python -m recipes.sfew_baselines --dataset sfew_features --data-dir SFEW.xlsx
"""

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro

from affectkeras import records, results, runs
from affectkeras.command_line import run_recipe
from affectkeras.comparing.claims import Claim
from affectkeras.comparing.published_table import (
    PublishedRow,
    compare_with_published,
    read_class_result,
)
from affectkeras.errors import UserError
from affectkeras.face_settings import face_banners, with_quick_sizes
from affectkeras.quiet import start_tensorflow
from affectkeras.settling import check_data_dir, check_lists, check_positive

RECIPE = "sfew_baselines"
UNTOLD = "untold"  # how rows were divided: no protocol of ours
PICTURES, NUMBERS = "SFEW(image)", "SFEW(LPQ feature and PHOG feature)"
# Table 1 in its order; the deep network's figure on validation rows stands in the text above it.
PUBLISHED = (
    *(
        PublishedRow(PICTURES, f"SVM, {kind}", value, recipe=RECIPE, arm=f"svm-{kind.lower()}",
                     protocol=UNTOLD)
        for kind, value in (("LPQ", 0.4371), ("PHOG", 0.4628))
    ),
    *(
        PublishedRow(NUMBERS, method, value, recipe=RECIPE, arm=arm, data="sfew_features",
                     protocol=UNTOLD)
        for method, value, arm in (
            ("Simple neural network without BDR", 0.252, "simple"),
            ("Simple neural network with the BDR", 0.273, "simple-bdr"),
            ("Neural network with BN and dropout", 0.371, "bn-dropout"),
        )
    ),
    *(
        PublishedRow(PICTURES, method, value, recipe="sfew_resnet", arm=arm, model="resnet50")
        for method, value, arm in (
            ("ResNet50 without BDR", 0.42, "none"),
            ("ResNet50 with BDR", 0.46, "bdr"),
        )
    ),
    PublishedRow(PICTURES, "Deep Convolutional Neural Network", 0.485, part="validation"),
    PublishedRow(PICTURES, "Deep Convolutional Neural Network", 0.556),
)  # fmt: skip
_NOT_TOLD = "How the rows were divided, and how many were tested, the paper does not say."
_QUOTED = "Quoted from Dhall et al. 2011, measured on the set of that year. " + _NOT_TOLD
CLAIMS = (
    *(
        Claim(f"table-1.{arm}", value, "accuracy", None, UNTOLD, "Table 1", arm, "sfew",
              note=_QUOTED)
        for arm, value in (("svm-lpq", 0.4371), ("svm-phog", 0.4628))
    ),
    *(
        Claim(f"table-1.{arm}", value, "accuracy", None, UNTOLD, "Table 1", arm, "sfew_features",
              note=_NOT_TOLD)
        for arm, value in (("simple", 0.252), ("simple-bdr", 0.273), ("bn-dropout", 0.371))
    ),
    *(
        Claim(f"section-3.4.deep-network-{split}", value, "accuracy", None, "official",
              "Section 3.4", "", "sfew", split=split, note="Quoted from Ng et al. 2015.")
        for split, value in (("validation", 0.485), ("test", 0.556))
    ),
)  # fmt: skip

MACHINES = {"svm-lpq": "lpq", "svm-phog": "phog"}  # arm → the features it learns from
NETWORKS = {"simple": "simple", "simple-bdr": "simple", "bn-dropout": "deep"}
ARMS = (*MACHINES, *NETWORKS)
MODEL = "baseline"
NOT_SERVED = (
    "Support vector machines are not served: the served model is the network that does best on "
    "validation rows."
)
FOLDS = 3  # of the training rows, by which an SVM's settings are chosen
TUNE_ROWS = 3000  # training rows in them at most


@dataclasses.dataclass(frozen=True)
class Config:
    """Tell faces by LPQ and PHOG, with support vector machines and small networks."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample faces, quick
    dataset: Literal[
        "sfew", "sfew_features", "ferplus", "fer2013", "rafdb", "affectnet", "image_folder"
    ] = "sfew"
    label_mode: Literal["majority", "probability", "crossentropy"] = "majority"  # of FER+ votes
    group_pattern: str | None = None  # image_folder: regular expression, its group = who or which
    max_rejected: float = 0.05  # share of damaged files above which the run refuses to start
    protocol: Literal["grouped", "official", "paper"] = "grouped"  # paper leaks, as published
    train_rows: int | None = None  # train on so many rows, drawn by class; absent: all
    image_size: int = 64  # pixels at which LPQ and PHOG are computed, height and width
    components: int = 5  # of LPQ and of PHOG each, that networks learn from (SFEW.xlsx: 5)
    arms: tuple[Literal["svm-lpq", "svm-phog", "simple", "simple-bdr", "bn-dropout"], ...] = ARMS
    hidden: int = 50  # units of a hidden layer (the paper does not say)
    epochs: int = 100  # of the networks (the paper does not say)
    batch_size: int = 64  # rows per step (the paper does not say)
    learning_rate: float = 1e-3  # of Adam (the paper does not say)
    seeds: tuple[int, ...] = (0, 1, 2)  # each trains every network; an SVM draws nothing
    with_runs: Annotated[tuple[Path, ...], tyro.conf.arg(name="with")] = ()  # to compare with
    run_dir: Path | None = None  # where to write; absent: runs/sfew_baselines/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # few rows and epochs: a complete small run


QUICK = {"train_rows": 400, "image_size": 48, "epochs": 12, "batch_size": 32, "seeds": (0,)}


def settle(config: Config) -> Config:
    """Return the settings that a new run has: quick sizes where they were not set."""
    sizes = ("image_size", "components", "hidden", "epochs", "batch_size", "learning_rate")
    check_positive(config, *sizes)
    check_lists(config, "seeds")
    if not set(NETWORKS) & set(config.arms):
        raise UserError(f"--arms must name one of {', '.join(NETWORKS)}: one of them is served.")
    for run in config.with_runs:
        read_class_result(run)
    check_data_dir(config)
    config = with_quick_sizes(config, QUICK)
    return dataclasses.replace(config, arms=tuple(arm for arm in ARMS if arm in config.arms))


def banners(config: Config) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown."""
    return face_banners(config, "few rows, few epochs")


def load(config: Config):
    """Return the table, its split, the findings of the leakage check, and the seconds it took.

    The set of 2011 has no parts of its owner's: its table is divided 80/10/10 as published of it
    (J. Narayan and W. Ge, section 3.1) under the protocol paper.
    """
    from affectkeras.faces import prepare_faces

    published = "all-rows" if config.dataset == "sfew_features" else "halved-validation"
    return prepare_faces(config, label_mode=config.label_mode, published=published)


def build_model(config: Config, arm: str, numbers, classes: int, training):
    """Return the network of an arm, numbers → logits, scaled by the training rows."""
    from affectkeras.models.feature_networks import build_feature_network

    few = numbers.few[training].astype(float)
    return build_feature_network(
        few.shape[1],
        classes,
        NETWORKS[arm],
        hidden=config.hidden,
        mean=few.mean(axis=0),
        scale=few.std(axis=0).clip(1e-6),
    )


def removal_epoch(config: Config) -> int:
    """Return the epoch at whose end rows are removed: after "dozens of epochs" (section 2.3)."""
    return max(1, config.epochs // 4)


def train(config: Config, table, split, numbers, seed: int, arm: str, *, part: Path, seal):
    """Train the network of an arm on the split's training rows; the test rows stay unread.

    Returns:
        the network, the stream of its numbers, the history and the removal (None without).
    """
    import keras

    from affectkeras.callbacks.bimodal_distribution_removal import BimodalDistributionRemoval
    from affectkeras.faces import target_distribution
    from affectkeras.pipelines.feature_rows import FeatureRows
    from affectkeras.pipelines.sampler import RowSampler
    from affectkeras.transfer.fine_tuning import fine_tune
    from affectkeras.transfer.stages import paper_plan

    keras.utils.set_random_seed(seed)
    targets = target_distribution(table)
    seal.fit("normalisation", "principal components and scales", split.train)
    stream = FeatureRows(numbers.few, targets, seal)
    sampler = RowSampler(split.train, seed=seed, batch_size=config.batch_size)
    model = build_model(config, arm, numbers, targets.shape[1], split.train)
    labels = table.frame["expression"].to_numpy()

    def make_removal(score):
        score = seal.fitting("selection", "bdr", score)
        return BimodalDistributionRemoval(
            sampler, score, labels, start_epoch=removal_epoch(config), score_every_epoch=True
        )

    history, removal = fine_tune(
        model,
        paper_plan(config.epochs, config.learning_rate),
        stream,
        sampler,
        validation_rows=split.validation,
        state_path=part / "checkpoint.npz",
        make_removal=make_removal if arm == "simple-bdr" else None,
        verbose=0,
    )
    return model, stream, history, removal


def run_network(config: Config, table, split, numbers, seed: int, arm: str, run: Path) -> None:
    """Train one network with one seed and write its part of the run."""
    from affectkeras.evaluation.seal import Seal
    from affectkeras.face_numbers import build_layers
    from affectkeras.models.feature_networks import put_on_pictures
    from affectkeras.transfer.fine_tuning import predict_logits, probabilities

    part = runs.part_dir(run, seed, arm)
    if runs.is_done(part):
        return
    print(f"seed {seed}, arm {arm}", flush=True)
    began = time.perf_counter()
    seal = Seal(split)
    model, stream, history, removal = train(
        config, table, split, numbers, seed, arm, part=part, seal=seal
    )
    frames = []
    with seal.final_evaluation():
        for name, rows in (("validation", split.validation), ("test", split.test)):
            found = probabilities(predict_logits(model, stream, rows))
            frames.append(
                records.prediction_rows(table, rows, found, arm=arm, seed=seed, split=name)
            )
    records.write_part(part, table, history, frames, removal, arm=arm, seed=seed)
    if numbers.components:
        layers = zip(build_layers(), numbers.components.values(), strict=True)
        kinds = [(layer, found.mean, found.axes) for layer, found in layers]
        model = put_on_pictures(model, config.image_size, kinds)
    model.save(part / "model.keras")
    facts = {"seconds": time.perf_counter() - began, "seal": seal.facts()}
    runs.finish_part(part, facts | {"removals": removal.removals if removal else []})


def run_machine(config: Config, table, split, numbers, arm: str, run: Path, choice) -> None:
    """Choose the settings of a support vector machine, fit it, and write its part of the run."""
    from affectkeras.evaluation.shallow_classifiers import RBF_SVM
    from affectkeras.shallow_arms import run_shallow_arm

    seed, whole = config.seeds[0], numbers.whole[MACHINES[arm]]
    part = runs.part_dir(run, seed, arm)
    run_shallow_arm(
        arm, RBF_SVM, lambda rows: whole[rows], table, split, seed, part=part, choice=choice
    )


def package(config: Config, run: Path, table, split, arms: dict) -> dict:
    """Keep the best network of each arm, exported where it takes pictures; return the proofs."""
    from affectkeras.deployment import package_model
    from affectkeras.files import copy_whole

    exports = {}
    for arm in (one for one in arms if one in NETWORKS):
        file = runs.part_dir(run, results.best_seed(arms[arm]["validation"]), arm) / "model.keras"
        folder = run / "models" / f"{MODEL}-{arm}"
        if config.dataset == "sfew_features":  # who has no picture has nothing to serve
            folder.mkdir(parents=True, exist_ok=True)
            copy_whole(file, folder / "model.keras")
            continue
        exports[f"{MODEL}-{arm}"] = package_model(
            file,
            folder,
            class_names=table.target("expression").class_names,
            image_size=(config.image_size, config.image_size),
            encoded_images=records.encoded_images(table, split.test[:40]),
        )
    return exports


def write_comparison(config: Config, run: Path, result: dict) -> None:
    """Write the paper's table with this run and those of `--with`, and draw it into the report."""
    from affectkeras.reporting.report import write_report

    others = [(path.name, read_class_result(path)) for path in config.with_runs]
    table = compare_with_published(PUBLISHED, [("this run", result), *others])
    runs.write_csv(run / "comparison.csv", table)
    write_report(run)


def finish(config: Config, run: Path, table, split, findings: dict, prepare_s: float) -> dict:
    """Join the parts, choose and package the networks, and write result, comparison and report."""
    from affectkeras.deployment import serve_model
    from affectkeras.face_result import write_face_result
    from affectkeras.files import copy_whole

    trained = [runs.part_facts(part) for part in runs.merge_parts(run)]
    names = table.target("expression").class_names
    found = results.summarise(runs.read_csv(run / "predictions.csv"), names)
    arms = {arm: found[arm] for arm in config.arms}
    exports = package(config, run, table, split, arms)
    served_arm = max(
        (arm for arm in arms if arm in NETWORKS),
        key=lambda arm: max(arms[arm]["validation"]["accuracy"]["per_seed"]),
    )
    served = run / "models" / f"{MODEL}-{served_arm}"
    if exports:
        serve_model(run, served)
    else:
        copy_whole(served / "model.keras", run / "model.keras")
    result = write_face_result(
        run,
        config,
        table,
        [dataclasses.replace(split, notes=(*split.notes, NOT_SERVED))],
        findings,
        claims=CLAIMS,
        banners=banners(config),
        model=MODEL,
        arms=arms,
        served_arm=served_arm,
        exports=exports,
        trained=trained,
        prepare_s=prepare_s,
    )
    write_comparison(config, run, result)
    print(NOT_SERVED)
    return result


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result."""
    start_tensorflow()
    from affectkeras.face_numbers import compute_numbers
    from affectkeras.shallow_arms import choice_folds

    run, config = runs.take_up(RECIPE, config, settle, banners)
    table, split, findings, prepare_s = load(config)
    began = time.perf_counter()
    numbers = compute_numbers(table, split, image_size=config.image_size, count=config.components)
    prepare_s += time.perf_counter() - began
    choice = choice_folds(table, split, FOLDS, TUNE_ROWS)
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run(RECIPE, config, config.run_dir)
    with runs.lock_run(run):
        for arm in (one for one in config.arms if one in MACHINES):
            run_machine(config, table, split, numbers, arm, run, choice)
        for seed in config.seeds:
            for arm in (one for one in config.arms if one in NETWORKS):
                run_network(config, table, split, numbers, seed, arm, run)
        result = finish(config, run, table, split, findings, prepare_s)
    results.print_result(result, run)
    return result


if __name__ == "__main__":
    run_recipe(main, Config)

"""Several backbones on faces, and what their votes together are worth.

Paper: S. Wang, "Faces Emotion Classification with Bimodal Distribution Removal based on ResNet",
Australian National University, names it as future work: "try to use other models like VGG and
inception, and try to combine the advantages of several models for ensemble learning" (section 4).
So there is no published figure to repeat. Every member is trained as the paper trains ResNet50,
each at the image size and under the preprocessing of its backbone.

Three rules join them: the mean of their probabilities (uniform), a mean whose weights say most
about validation rows (weighted), and a multinomial regression on their log-probabilities (stacked)
that leans on the average as far as left-out validation groups ask for it. The validation figures of
both fitted rules are of groups that their weights never saw.

    python -m recipes.sfew_ensemble                                  rendered sample faces
    python -m recipes.sfew_ensemble --data-dir SFEW                  four backbones
    python -m recipes.sfew_ensemble --from RUN RUN:MODEL …           models of finished runs
"""

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro

from affectkeras import ensemble_run, ensemble_settings, records, results, runs
from affectkeras.command_line import run_recipe
from affectkeras.errors import UserError
from affectkeras.face_settings import face_banners, with_quick_sizes
from affectkeras.quiet import start_tensorflow
from affectkeras.settling import check_data_dir, check_lists, check_positive

CLAIMS = ()  # the paper proposes it and measures nothing

MEMBERS = ("vgg16", "inception_v3", "resnet50", "mobilenet_v2_1.0")


@dataclasses.dataclass(frozen=True)
class Config:
    """Train several backbones on faces, or take trained ones, and join them."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample faces, quick
    dataset: Literal["sfew", "ferplus", "fer2013", "rafdb", "affectnet", "image_folder"] = "sfew"
    label_mode: Literal["majority", "probability", "crossentropy"] = "majority"  # of FER+ votes
    group_pattern: str | None = None  # image_folder: regular expression, its group = who or which
    max_rejected: float = 0.05  # share of damaged files above which the run refuses to start
    protocol: Literal["grouped", "official", "paper"] = "grouped"  # paper leaks, as published
    train_rows: int | None = None  # train on so many rows, drawn by class; absent: all
    members: tuple[str, ...] = ()  # backbones to train; absent: the four above, with --from none
    from_runs: Annotated[tuple[str, ...], tyro.conf.arg(name="from")] = ()  # RUN or RUN:MODEL
    rules: tuple[Literal["uniform", "weighted", "stacked"], ...] = (
        "uniform",
        "weighted",
        "stacked",
    )
    weights: tuple[str, ...] = ("imagenet",)  # imagenet, none or a file; one, or one per member
    image_size: tuple[int, ...] = ()  # pixels, one or one per member; absent: its backbone's own
    regime: Literal["head", "last-blocks", "all", "scratch"] = "all"  # what trains (paper: all)
    plan: Literal["paper", "staged", "cosine"] = "paper"  # how: one rate; head first; decay
    dropout: tuple[float, float] = (0.6, 0.8)  # of the heads (paper, section 2.2)
    augmentation: Literal["paper", "light", "none"] = "paper"  # light: flip, gentle warp
    epochs: int = 31  # over all stages together (paper: 31)
    batch_size: int = 64  # images per step (paper: 64)
    learning_rate: float = 1e-4  # of Adam (paper: 1e-4)
    feature_cache: bool = True  # compute the outputs of a frozen backbone once
    seeds: tuple[int, ...] = (0, 1, 2)  # each trains every member
    run_dir: Path | None = None  # where to write; absent: runs/sfew_ensemble/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # small members, few rows: a complete run in a few minutes on 2 cores


QUICK = {
    "members": ("mobilenet_0.25", "mobilenet_v2_0.35", "mobilenet_0.5"),
    "image_size": (48, 48, 64),
    "dropout": (0.2, 0.2),
    "augmentation": "light",
    "epochs": 7,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "train_rows": 700,
    "seeds": (0,),
}


def settle(config: Config) -> Config:
    """Return the settings that a new run has: members, their sizes and weights, quick sizes."""
    check_positive(config, "epochs", "batch_size", "learning_rate")
    check_lists(config, "rules", "seeds")
    if config.from_runs:
        config = ensemble_settings.settle_from(config)
    else:
        # Sizes that were not given belong to the quick members.
        config = with_quick_sizes(config, QUICK | ({"image_size": (48,)} if config.members else {}))
    check_data_dir(config)  # told before any weights are fetched
    if not config.members and not config.from_runs:
        config = dataclasses.replace(config, members=MEMBERS)
    if len(config.members) + len(config.from_runs) < 2:
        raise UserError("an ensemble needs at least two members: give more --members or --from.")
    return ensemble_settings.settle_backbones(config)


def banners(config: Config) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown."""
    return face_banners(config, "small images, few rows, few epochs")


def build_model(config: Config, member, classes: int):
    """Return a member: images → preprocessing → backbone → the paper's head → logits."""
    from affectkeras.models.backbone_classifier import build_backbone_classifier

    return build_backbone_classifier(
        member.backbone, classes, member.image_size, member.weights, dropout=config.dropout
    )


def train(config: Config, member, table, split, seed: int, *, part: Path, seal):
    """Train one member with one seed on the split's training rows; the test rows stay unread.

    Args:
        member: of `ensemble_settings.backbone_members`.
        part: folder of the training's own state, to go on from after a kill.
        seal: of the split; it refuses whatever reads a test row.

    Returns:
        the trained model, what `predict_logits` reads rows from (its images, or their cached
        features where the backbone never trained) and the history.
    """
    import keras

    from affectkeras.pipelines.augmentation import Augmentation
    from affectkeras.pipelines.sampler import RowSampler
    from affectkeras.transfer.fine_tuning import fine_tune
    from affectkeras.transfer.regimes import plan_regime

    keras.utils.set_random_seed(seed)
    augmentations = {"paper": Augmentation(), "light": Augmentation.light()}
    images = ensemble_run.image_stream(
        table,
        member.image_size,
        config.batch_size,
        augmentation=augmentations.get(config.augmentation, Augmentation.none()),
        seed=seed,
        seal=seal,
    )
    model = build_model(config, member, images.targets.shape[1])
    stages = plan_regime(config.regime, config.plan, config.epochs, config.learning_rate)
    features = None
    if config.feature_cache and any(stage.trainable == "head" for stage in stages):
        from affectkeras.pipelines.cached_features import cached_features

        features = cached_features(model, images)
    history, _ = fine_tune(
        model,
        stages,
        images,
        RowSampler(split.train, seed=seed, batch_size=config.batch_size),
        validation_rows=split.validation,
        state_path=part / "checkpoint.npz",
        features=features,
    )
    frozen = all(stage.trainable == "head" for stage in stages)
    return model, features if features and frozen else images, history


def run_fold(config: Config, member, table, split, seed: int, run: Path) -> None:
    """Train one member with one seed and write its part of the run: model, predictions, log."""
    from affectkeras.evaluation.seal import Seal
    from affectkeras.transfer.fine_tuning import predict_logits, probabilities

    part = runs.part_dir(run, seed, member.name)
    if runs.is_done(part):
        return
    print(f"seed {seed}, member {member.name}", flush=True)
    began = time.perf_counter()
    seal = Seal(split)
    model, source, history = train(config, member, table, split, seed, part=part, seal=seal)
    frames = []
    with seal.final_evaluation():
        for name, rows in (("validation", split.validation), ("test", split.test)):
            found = probabilities(predict_logits(model, source, rows))
            rows = records.prediction_rows(
                table, rows, found, arm=member.name, seed=seed, split=name
            )
            frames.append(rows)
    records.write_part(part, table, history, frames, None, arm=member.name, seed=seed)
    model.save(part / "model.keras")
    facts = {"seconds": time.perf_counter() - began, "seal": seal.facts()}
    runs.finish_part(part, facts)


def finish(config: Config, run: Path, table, split, findings: dict, prepare_s: float) -> dict:
    """Join members and rules, choose and package the ensemble, write result and report."""
    from affectkeras.face_result import write_face_result

    names = table.target("expression").class_names
    parts = runs.merge_parts(run)
    facts = [runs.part_facts(part) for part in parts]
    members = ensemble_settings.member_names(config)
    found = results.summarise(runs.read_csv(run / "predictions.csv"), names)
    arms = {arm: found[arm] for arm in ensemble_run.order_arms(found, members, config.rules)}
    served = ensemble_run.choose_rule(arms, config.rules)
    seed = results.best_seed(arms[served]["validation"])
    shown = split.test[:40]
    exported = ensemble_run.package_ensemble(
        config,
        run,
        served,
        seed,
        class_names=names,
        encoded_images=records.encoded_images(table, shown),
        expected=ensemble_run.test_probabilities(run, served, seed)[: len(shown)],
    )
    return write_face_result(
        run,
        config,
        table,
        [split],
        findings,
        claims=CLAIMS,
        banners=banners(config),
        model="ensemble",
        arms=arms,
        served_arm=served,
        exports={f"ensemble-{served}": exported},
        trained=[one for one in facts if "seal" in one],
        prepare_s=prepare_s,
    )


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result."""
    from affectkeras.comparing.compare import compare_command
    from affectkeras.faces import prepare_faces

    start_tensorflow()
    run, config = runs.take_up("sfew_ensemble", config, settle, banners)
    table, split, findings, prepare_s = prepare_faces(config, label_mode=config.label_mode)
    units = ensemble_run.validation_units(config, table, split)
    split = ensemble_run.note_fitting(split, config.rules)
    finished = ensemble_run.check_finished(config, table, split)
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("sfew_ensemble", config, config.run_dir)
    with runs.lock_run(run):
        for seed in config.seeds:
            for member in ensemble_settings.backbone_members(config):
                run_fold(config, member, table, split, seed, run)
            for member in finished:
                ensemble_run.predict_finished(member, table, split, seed, run, config.batch_size)
            ensemble_run.combine(config, table, split, units, seed, run)
        result = finish(config, run, table, split, findings, prepare_s)
    results.print_result(result, run)
    print()
    # The best member stands first: every other arm is held against it.
    compare_command([str(run)], out=run / "comparison")
    return result


if __name__ == "__main__":
    run_recipe(main, Config)

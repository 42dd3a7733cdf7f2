"""A six-module network on 48×48 faces, and what of it can go: pruning by distinctiveness.

Paper: J. Narayan and W. Ge, "Emotion Detection through Static Images using Pruned Convolutional
Neural Networks", Australian National University. Six modules of convolution, BatchNormalization and
pooling, trained from nothing on SFEW's 700 frames of 2011 (675 faces) in seven settings; then those
of the 256 maps that enter the last module are removed whose activations over the data are nearly
the same, or nearly opposite (Table 1: up to 191 of them). Published: 49.09 % at best on 55 images,
61.5 % on FER2013.

The paper swaps two words: its "test" part is watched during training and its "validation" part is
read once at the end. Here they are validation and test as everywhere; Table 1 keeps its names.

Differs from the paper: by default no group stands on both sides of the split (`--protocol paper`
divides 80/10/10 at random, as published), and several seeds.

    python -m recipes.fer_pruned_cnn                                rendered sample faces
    python -m recipes.fer_pruned_cnn --data-dir SFEW                the paper's seven settings
    python -m recipes.fer_pruned_cnn --dataset fer2013 --data-dir FER2013 --protocol official \\
        --plan cosine --seeds 0                                     one network, trained well
"""

import dataclasses
import time
from pathlib import Path
from typing import Literal

import numpy as np

from affectkeras import records, results, runs
from affectkeras.command_line import run_recipe
from affectkeras.comparing.claims import Claim
from affectkeras.errors import UserError
from affectkeras.face_settings import face_banners, with_quick_sizes
from affectkeras.files import copy_whole
from affectkeras.quiet import start_tensorflow
from affectkeras.settling import check_data_dir, check_lists, check_positive, check_shares

IMAGE_SIZE = 48  # pixels, height and width (paper, section 3)
MODULES = tuple(f"module{number}" for number in range(1, 6))  # with maximum pooling
LAST = "module5_conv"  # makes the maps that enter the last module, the only ones the paper prunes
# Degrees, twenty of them (paper, Figure 2).
SWEEP = (2, 4, 6, 8, 10, 12, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30, 35, 40, 45, 50)
LATENCY_BATCH = 16  # images whose time a sweep measures
FITTED_ROWS = 2000  # training rows that a layer is fitted on where the module before it goes
SIX = "six-block"
ALL = "everywhere"


@dataclasses.dataclass(frozen=True)
class Setting:
    """A row of Table 1: how long and how fast to train, the angle in degrees, and what came out."""

    epochs: int
    learning_rate: float
    angle: float | None = None
    average_watched: float | None = None  # "average test accuracy": of all epochs, while watched
    before: float | None = None  # "validation accuracy", of the part that is read once
    removed: int | None = None  # maps of 256
    after: float | None = None

    @property
    def arm(self) -> str:
        """The name of the whole network's arm; the pruned one's adds the angle."""
        return f"{self.epochs}x{self.learning_rate:g}"


TABLE_1 = (
    Setting(10, 0.001, 8, 0.2183, 0.2182, 111, 0.2545),
    Setting(10, 0.0001, 8, 0.2605, 0.3273, 7, 0.3455),
    Setting(20, 0.001, 10, 0.2683, 0.4545, 148, 0.4364),
    Setting(20, 0.0001, 10, 0.2781, 0.4182, 36, 0.4364),
    Setting(40, 0.0001, 8, 0.3011, 0.4909, 16, 0.4364),
    Setting(50, 0.001, 10, 0.3374, 0.3273, 191, 0.3636),
    Setting(50, 0.0001, 10, 0.3115, 0.4000, 43, 0.4000),
)
N_NOTE = "n is inferred: every final accuracy of the table is a multiple of 1/55."


def table_claims(row: Setting) -> tuple[Claim, ...]:
    """Return the four published figures of a row of Table 1."""
    claim = {"protocol": "paper", "source": "Table 1", "dataset": "sfew"}
    read = claim | {"n": 55, "note": N_NOTE}
    name, pruned = f"table-1.{row.arm}", f"{row.arm}-{row.angle:g}deg"
    return (
        Claim(
            f"{name}.average-test", row.average_watched, "average_accuracy", None, arm=row.arm,
            split="validation", **claim, note="The mean over the epochs, of the part watched.",
        ),
        Claim(f"{name}.validation", row.before, "accuracy", arm=row.arm, **read),
        Claim(
            f"{name}.maps-pruned", row.removed / 256, "removed_share", None, arm=pruned,
            split="model", **claim, note=f"{row.removed} of 256 maps.",
        ),
        Claim(f"{name}.after-pruning", row.after, "accuracy", arm=pruned, **read),
    )  # fmt: skip


CLAIMS = (
    *(claim for row in TABLE_1 for claim in table_claims(row)),
    Claim(
        "section-4.kaggle",
        0.615,
        "accuracy",
        None,
        "paper",
        "Section 4",
        "40x0.0001",
        "fer2013",
        note='"The same hyper-parameters": which of the seven settings is not said.',
    ),  # fmt: skip
)


@dataclasses.dataclass(frozen=True)
class Config:
    """Train the six-module network on faces and prune it by distinctiveness."""

    data_dir: Path | None = None  # the data set as its owner ships it; absent: sample faces, quick
    dataset: Literal["sfew", "fer2013", "ferplus", "rafdb", "image_folder"] = "sfew"
    group_pattern: str | None = None  # image_folder: regular expression, its group = who or which
    max_rejected: float = 0.05  # share of damaged files above which the run refuses to start
    protocol: Literal["grouped", "official", "paper"] = "grouped"  # paper: 80/10/10 at random
    train_rows: int | None = None  # train on so many rows, drawn by class; absent: all
    plan: Literal["paper", "cosine"] = "paper"  # paper: Table 1's settings; cosine: one, decaying
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)  # maps of the pooled modules (paper: 16 … 256)
    dropout: float = 0.0  # share left out before the last module in training (paper: none)
    augmentation: Literal["paper", "strong", "none"] = "paper"  # strong: shifted, scaled, harder
    label_smoothing: float = 0.0  # share of the target that all classes have evenly
    weight_decay: float = 0.0  # share of the kernels, times the learning rate, off at every step
    epochs: int = 50  # plan cosine; plan paper has Table 1's, up to these
    batch_size: int = 64  # images per step (the paper does not say)
    learning_rate: float = 1.5e-3  # of Adam, at its peak; plan paper has Table 1's
    thresholds: tuple[float, ...] = (8.0, 10.0, 15.0)  # degrees, plan cosine; else Table 1's
    merge: Literal["sum", "least-squares"] = "sum"  # of similar maps; sum: weights added, as is
    rounds: int = 1  # of pruning, each among the maps that the one before left (paper: 1)
    everywhere: tuple[float, ...] = ()  # degrees: further networks, pruned in all modules
    tune_epochs: int = 0  # train pruned networks on for so many epochs, at a tenth of the rate
    mirror: bool = False  # further arms: predictions averaged over a face and its mirror image
    seeds: tuple[int, ...] = (0, 1, 2)  # each trains every setting
    export: tuple[Literal["litert", "onnx"], ...] = ()  # beside the SavedModel
    run_dir: Path | None = None  # where to write; absent: runs/fer_pruned_cnn/<time>
    resume: Path | None = None  # go on with this unfinished run, under its own settings
    quick: bool = False  # few rows and epochs: a complete run in about a minute on 2 cores


# In eight epochs few maps grow alike: the angles of a quick run are wide enough to show something.
QUICK = {
    "plan": "cosine",
    "epochs": 8,
    "batch_size": 32,
    "train_rows": 700,
    "thresholds": (30.0, 40.0),
    "seeds": (0,),
}


def settle(config: Config) -> Config:
    """Return the settings that a new run has: quick sizes where they were not set."""
    check_positive(config, "epochs", "batch_size", "learning_rate", "rounds")
    check_shares(config, "label_smoothing", "dropout")
    check_lists(config, "seeds", "thresholds")
    for name in ("thresholds", "everywhere"):
        angles = getattr(config, name)
        if not all(0 <= angle < 90 for angle in angles):
            raise UserError(f"--{name} must be in [0, 90) degrees. Received: {angles}")
    if min(config.widths) < 1 or len(config.widths) != 5:
        raise UserError(f"--widths must be five numbers above 0. Received: {config.widths}")
    if min(config.weight_decay, config.tune_epochs) < 0:
        raise UserError("--weight-decay and --tune-epochs must be at least 0.")
    check_data_dir(config)
    return with_quick_sizes(config, QUICK)


def banners(config: Config) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown."""
    return face_banners(
        config, "few rows, few epochs", "all rows divided at random, whatever belongs together"
    )


def settings(config: Config) -> tuple[Setting, ...]:
    """Return what is trained: Table 1's settings, the short before the long, or the one given."""
    if config.plan == "cosine":
        return (Setting(config.epochs, config.learning_rate),)
    rows = [row for row in TABLE_1 if row.epochs <= config.epochs] or [TABLE_1[0]]
    return tuple(sorted(rows, key=lambda row: (row.learning_rate, row.epochs)))


def pruned_arms(config: Config, setting: Setting) -> dict[str, tuple[str, float]]:
    """Return the arms of a setting's pruned networks: where they are pruned, at which angle.

    As published, only the maps that enter the last module go; pruning `everywhere` is the paper's
    future work (section 5).
    """
    angles = config.thresholds if setting.angle is None else (setting.angle,)
    last = {f"{setting.arm}-{angle:g}deg": (LAST, angle) for angle in angles}
    deep = {f"{setting.arm}-{ALL}-{angle:g}deg": (ALL, angle) for angle in config.everywhere}
    return last | deep


def build_augmentation(config: Config):
    """Return the paper's random changes (section 3), harder ones with shift and scale, or none."""
    from affectkeras.pipelines.augmentation import Augmentation

    strong = Augmentation.rotate_and_colour(20, 0.3)
    choices = {
        "paper": Augmentation.rotate_and_colour(),
        "strong": dataclasses.replace(strong, shift_limit=0.1, scale_limit=0.15),
        "none": Augmentation.none(),
    }
    return choices[config.augmentation]


def build_images(config: Config, table, seed: int, seal):
    """Return the stream of faces with their targets, smoothed where that is asked for."""
    from affectkeras.faces import target_distribution
    from affectkeras.pipelines.images import ImagePipeline

    targets = target_distribution(table)
    share = config.label_smoothing
    return ImagePipeline(
        table,
        image_size=(IMAGE_SIZE, IMAGE_SIZE),
        batch_size=config.batch_size,
        targets=(1 - share) * targets + share / targets.shape[1],
        augmentation=build_augmentation(config),
        seed=seed,
        seal=seal,
    )


def train(config: Config, model, images, split, stage_plan, state: Path, seed: int) -> list[dict]:
    """Train a network, whole or pruned, and return its history."""
    from affectkeras.pipelines.sampler import RowSampler
    from affectkeras.transfer.fine_tuning import fine_tune

    history, _ = fine_tune(
        model,
        stage_plan,
        images,
        RowSampler(split.train, seed=seed, batch_size=config.batch_size),
        validation_rows=split.validation,
        state_path=state,
    )
    return history


def train_whole(config: Config, setting: Setting, table, split, seed: int, part: Path, seal):
    """Train the whole network in one setting; return it, the stream of faces and the history."""
    import keras

    from affectkeras.models.six_block_cnn import build_six_block_cnn
    from affectkeras.transfer import stages

    keras.utils.set_random_seed(seed)
    images = build_images(config, table, seed, seal)
    model = build_six_block_cnn(
        images.targets.shape[1], IMAGE_SIZE, widths=config.widths, dropout=config.dropout
    )
    plans = {"paper": stages.paper_plan, "cosine": stages.cosine_plan}
    # At a constant rate, a longer training begins as a shorter one: it goes on from its end.
    state, trunk = part / "checkpoint.npz", part.with_name(f"{seed}-{setting.learning_rate:g}.npz")
    if config.plan == "paper" and trunk.exists() and not state.exists():
        copy_whole(trunk, state)
    stage_plan = plans[config.plan](
        setting.epochs, setting.learning_rate, weight_decay=config.weight_decay
    )
    history = train(config, model, images, split, stage_plan, state, seed)
    if config.plan == "paper":
        copy_whole(state, trunk)
    return model, images, history


def prune(
    config: Config, setting: Setting, model, images, table, split, *, timed: bool, angles=SWEEP
):
    """Return the sweeps by arm, and (network, plan, maps) of each pruned arm.

    The maps are compared on the training rows without random changes; the sweeps are scored on
    validation rows. Nothing of the test part is read. `timed`: the sweeps measure latency, too.
    `angles`: of the sweeps, in degrees.
    """
    from affectkeras.pruning.activations import Activations
    from affectkeras.pruning.surgery import prune_model
    from affectkeras.pruning.sweep import sweep_thresholds

    images.seal.fit("selection", "which maps go", split.train)
    labels = table.frame["expression"].to_numpy()[split.validation]
    faces = np.concatenate([batch[0] for batch in images.clean(split.validation)])
    sweeps, pruned = {}, {}
    for place, arm in ((LAST, setting.arm), (ALL, f"{setting.arm}-{ALL}")):
        chosen = {
            name: at for name, (of, at) in pruned_arms(config, setting).items() if of == place
        }
        if not chosen:
            continue
        # The last module weighs every position alike: of what enters it the mean says all. The
        # others look at the neighbours of a position, too.
        everywhere = place == ALL
        activations = Activations(model, None if everywhere else [LAST], positions=everywhere)
        activations.gather(images.clean(split.train))
        sweeps[arm] = sweep_thresholds(
            activations,
            angles,
            faces,
            lambda logits: (logits.argmax(axis=1) == labels).mean(),
            latency_batch=LATENCY_BATCH if timed else None,
            scale=config.merge,
            rounds=config.rounds,
        )
        maps = sum(group.channels for group in activations.groups)
        for name, angle in chosen.items():
            plan = activations.plan(angle, scale=config.merge, rounds=config.rounds)
            pruned[name] = prune_model(model, plan), plan, maps  # proved equal to the masked one
    return sweeps, pruned


def drop_whole_modules(pruned: dict, images, table, split) -> dict[str, list]:
    """Leave out of every network pruned everywhere the modules that cost nothing (section 5).

    Costing nothing: the accuracy on validation rows does not fall. Replaces the networks in
    `pruned` and returns what was tried, by arm.
    """
    from affectkeras.pruning.modules import drop_modules

    labels = table.frame["expression"].to_numpy()[split.validation]
    fitted = split.train[:: max(1, len(split.train) // FITTED_ROWS)]
    parts = ("conv", "normalization", "activation")
    modules = {name: [f"{name}_{part}" for part in parts] for name in MODULES}

    def score(model) -> float:
        logits = model.predict(images.clean(split.validation), verbose=0)
        return float((logits.argmax(axis=1) == labels).mean())

    rows = {}
    for arm, (smaller, plan, maps) in pruned.items():
        if ALL in arm:
            smaller, rows[arm] = drop_modules(smaller, modules, lambda: images.clean(fitted), score)
            pruned[arm] = smaller, plan, maps
    return rows


def train_on(
    config: Config, setting: Setting, pruned: dict, images, split, part: Path, seed: int
) -> list[dict]:
    """Train every pruned network on for `tune_epochs`; return their histories, by `arm`."""
    from affectkeras.transfer import stages

    if not config.tune_epochs:
        return []
    stage_plan = stages.cosine_plan(
        config.tune_epochs, setting.learning_rate / 10, weight_decay=config.weight_decay
    )
    rows = []
    for arm, (smaller, _, _) in pruned.items():
        print(f"seed {seed}, {arm}: trained on", flush=True)
        found = train(config, smaller, images, split, stage_plan, part / f"{arm}.npz", seed)
        rows += [{**row, "arm": arm} for row in found]
    return rows


def run_fold(config: Config, table, split, seed: int, setting: Setting, run: Path) -> None:
    """Train a network in one setting, prune it, and write this part of the run."""
    from affectkeras import pruning_run
    from affectkeras.evaluation.seal import Seal
    from affectkeras.models.six_block_cnn import average_mirrored
    from affectkeras.transfer.fine_tuning import predict_logits, probabilities

    part = runs.part_dir(run, seed, setting.arm)
    if runs.is_done(part):
        return
    print(f"seed {seed}, {setting.epochs} epochs at {setting.learning_rate:g}", flush=True)
    began = time.perf_counter()
    seal = Seal(split)
    model, images, history = train_whole(config, setting, table, split, seed, part, seal)
    # Timing compiles a network per threshold: one seed says as much as three.
    timed = seed == config.seeds[0]
    sweeps, pruned = prune(config, setting, model, images, table, split, timed=timed)
    modules = drop_whole_modules(pruned, images, table, split)
    tuned = train_on(config, setting, pruned, images, split, part, seed)
    maps = model.get_layer(LAST).filters
    models = {setting.arm: (model, None, maps), **pruned}
    if config.mirror:
        models |= {
            f"{arm}-mirrored": (average_mirrored(one), plan, maps)
            for arm, (one, plan, maps) in models.items()
        }
    frames = []
    with seal.final_evaluation():
        for arm, (one, _, _) in models.items():
            for name, rows in (("validation", split.validation), ("test", split.test)):
                found = probabilities(predict_logits(one, images, rows))
                frames.append(
                    records.prediction_rows(table, rows, found, arm=arm, seed=seed, split=name)
                )
    records.write_part(part, table, history + tuned, frames, None, arm=setting.arm, seed=seed)
    runs.write_csv(part / "sweep.csv", pruning_run.sweep_frame(sweeps, seed))
    if modules:
        runs.write_csv(part / "modules.csv", pruning_run.modules_frame(modules, seed))
    for arm, (one, plan, _) in models.items():
        one.save(part / f"{arm}.keras")
        if arm in pruned:
            (part / f"{arm}.json").write_text(plan.to_json(), encoding="utf-8")
    runs.finish_part(
        part,
        {
            **{"seed": seed, "arm": setting.arm, "place": settings(config).index(setting)},
            **{"epochs": setting.epochs, "learning_rate": setting.learning_rate},
            "thresholds": {arm: at for arm, (_, at) in pruned_arms(config, setting).items()},
            "average_accuracy": float(np.mean([row["val_accuracy"] for row in history])),
            "sizes": {
                arm: pruning_run.size_facts(one, maps, plan)
                for arm, (one, plan, maps) in models.items()
            },
            "seal": seal.facts(),
            "seconds": time.perf_counter() - began,
        },
    )


def finish(config: Config, run: Path, table, split, findings: dict, prepare_s: float) -> dict:
    """Join the parts, choose and package the models, and write result and report."""
    from affectkeras import pruning_run
    from affectkeras.face_result import write_face_result

    trained = [runs.part_facts(part) for part in runs.merge_parts(run)]
    arms = pruning_run.summarise(run, table)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    exports, served_arm = pruning_run.package(
        run, table, split, arms, model=SIX, image_size=size, formats=config.export
    )
    pruning_run.write_table_1(run, arms)
    whole = f"{SIX}-{pruning_run.whole_of(run, served_arm)}"
    pruning_run.show_maps(run, run / "models" / whole / "model.keras", table, split.validation[0])
    return write_face_result(
        run,
        config,
        table,
        [split],
        findings,
        claims=CLAIMS,
        banners=banners(config),
        model=SIX,
        arms=arms,
        served_arm=served_arm,
        exports=exports,
        trained=trained,
        prepare_s=prepare_s,
    )


def main(config: Config) -> dict:
    """Run the experiment, or go on with it, and return its result."""
    from affectkeras.faces import prepare_faces

    start_tensorflow()
    run, config = runs.take_up("fer_pruned_cnn", config, settle, banners)
    table, split, findings, prepare_s = prepare_faces(config, published="all-rows")
    # Made only now, so that a start that was refused leaves no folder behind.
    run = run or runs.create_run("fer_pruned_cnn", config, config.run_dir)
    with runs.lock_run(run):
        for seed in config.seeds:
            for setting in settings(config):
                run_fold(config, table, split, seed, setting, run)
        result = finish(config, run, table, split, findings, prepare_s)
    results.print_result(result, run)
    return result


if __name__ == "__main__":
    run_recipe(main, Config)

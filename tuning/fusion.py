"""Search the settings of the recipes that fuse sensors: which fusion, how deep, how wide.

The recipe is the first word: pamap2, stress_predict or kemocon. A trial trains one arm and is
compared by macro F1, mean over subjects, each predicted by a network trained on others
(--inner-folds). Every third subject stays out of the search: no trial reads a window of theirs. The
best settings become a run of the recipe, in best/, which leaves out each subject once; of its
figures those of the subjects that stayed out (named in the report) owe nothing to the search.

    python -m tuning.fusion pamap2                                       synthetic recordings
    python -m tuning.fusion stress_predict --data-dir STRESS_PREDICT --trials 30 --seconds 3600
    python -m tuning.fusion kemocon --target arousal --recipe-seconds 5  windows of five seconds
"""

import dataclasses
import importlib
import sys
from pathlib import Path

import numpy as np

from affectkeras.errors import UserError
from affectkeras.searching.folder import read_search
from affectkeras.searching.search import run_search
from affectkeras.searching.study import Measured, Study

RECIPES = {
    "pamap2": "pamap2_fusion",
    "stress_predict": "stress_predict_fusion",
    "kemocon": "kemocon_fusion",
}
KEPT_OUT = 3  # every third subject


def space(hp, config):
    """Return the settings of a trial: what is searched, and over what."""
    if getattr(config, "target", None) == "both":
        raise UserError("--target both has two results: search for one, arousal or valence.")
    fusions, depths = config.fusions, config.convolutions
    if not hp.is_fixed("fusions"):
        fusions = (hp.Choice("fusions.one", config.fusions),)
    if not hp.is_fixed("convolutions"):
        depths = (hp.Choice("convolutions.one", config.convolutions),)
    return dataclasses.replace(
        config,
        fusions=fusions,
        convolutions=depths,
        filters=hp.Choice("filters", (8, 16, 32, 64)),
        kernel_size=hp.Choice("kernel_size", (3, 5, 7)),
        dense=hp.Choice("dense", (16, 32, 64, 128, 256)),
        pool=hp.Choice("pool", (1, 2, 4)),
        dropout=hp.Float("dropout", 0.0, 0.6, step=0.1),
        batch_size=hp.Choice("batch_size", (16, 32, 64, 128)),
        learning_rate=hp.Float("learning_rate", 3e-4, 1e-2, sampling="log"),
    )


def kept_out(subjects) -> list[str]:
    """Return the subjects that no trial sees: every third by name, and never all but two."""
    names = sorted(set(subjects))
    if len(names) < 4:
        raise UserError(f"a search needs at least four subjects. Received: {len(names)}")
    return names[KEPT_OUT - 1 :: KEPT_OUT]


def prepare_of(recipe):
    """Return `prepare` of a recipe."""

    def prepare(config):
        """Return the windows, empty where they are of subjects kept out, and the split."""
        from affectkeras.quiet import start_tensorflow
        from affectkeras.wearable_run import everything

        start_tensorflow()
        data = recipe.load(config)
        subjects = data.table.frame["subject"].to_numpy()
        out = kept_out(subjects)
        hidden = np.isin(subjects, out)
        frame = data.table.frame.copy()
        frame.loc[hidden, data.table.class_target.name] = 0
        inputs = {length: found.copy() for length, found in data.inputs.items()}
        for found in inputs.values():
            found[hidden] = np.nan
        print(f"kept out of the search: {', '.join(out)}", flush=True)
        table = dataclasses.replace(data.table, frame=frame)
        split = dataclasses.replace(
            everything(data), train=np.flatnonzero(~hidden), test=np.flatnonzero(hidden)
        )
        return dataclasses.replace(data, table=table, inputs=inputs), split

    return prepare


def measure_of(recipe):
    """Return `measure` of a recipe."""

    def measure(config, data, part: Path) -> Measured:
        """Train the arm in inner folds by subject and return the mean macro F1 of subjects."""
        import keras

        from affectkeras.fusion_arms import fusion_arms
        from affectkeras.wearable_run import score_inside
        from affectkeras.wearable_settings import fold_plan

        wearables, split = data
        arm = fusion_arms(config, wearables, sensors_of(recipe, config), name_of(recipe))[0]
        keras.utils.set_random_seed(config.seeds[0])
        score = score_inside(
            wearables, arm, fold_plan(config, config.seeds[0]), split, config.inner_folds
        )
        return Measured(score, {"parameters": arm.build().count_params()})

    return measure


def sensors_of(recipe, config) -> list[int]:
    """Return how many channels each sensor of a recipe has."""
    if hasattr(recipe, "SENSORS") and not hasattr(recipe, "channels_of"):
        return [len(names) for names in recipe.SENSORS]
    found = recipe.channels_of(config) if name_of(recipe).startswith("stress") else None
    return (found or recipe.channels_of())[1]


def name_of(recipe) -> str:
    """Return a recipe's name."""
    return recipe.__name__.rpartition(".")[2]


def find_recipe(arguments: list[str]):
    """Return the recipe that a command line begins with, or goes on with, and the other words."""
    name = RECIPES["pamap2"]
    if arguments and arguments[0] in RECIPES:
        name, arguments = RECIPES[arguments[0]], arguments[1:]
    elif "--resume" in arguments[:-1]:
        name = read_search(Path(arguments[arguments.index("--resume") + 1]))["search"]
    return importlib.import_module(f"recipes.{name}"), arguments


def study_of(recipe) -> Study:
    """Return the search over a recipe."""
    return Study(
        recipe,
        space,
        prepare_of(recipe),
        measure_of(recipe),
        objective="subject_macro_f1",
        notes=(
            "No trial saw a window of every third subject (by name). Of best/, only these "
            "subjects' figures are of people that nobody chose settings by.",
        ),
    )


if __name__ == "__main__":
    found, words = find_recipe(sys.argv[1:])
    run_search(study_of(found), __spec__.name, words)

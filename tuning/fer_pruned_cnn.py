"""Search the settings of recipes/fer_pruned_cnn, thresholds of pruning included.

Outside, keras-tuner tries the network's widths, its dropout, its training; inside every trial all
thresholds of the recipe's sweep prune the trained network, each scored on validation rows (in the
last module, and everywhere where --everywhere names an angle). With --tune-epochs the networks that
--thresholds and --everywhere name are trained on, and scored again. Of all networks of all trials,
pareto.csv tells accuracy and parameters and which are beaten by none. The smallest that is within
one point of the best becomes a run of the recipe, in best/, with its threshold; only that run reads
test rows.

    python -m tuning.fer_pruned_cnn                                      rendered sample faces
    python -m tuning.fer_pruned_cnn --dataset fer2013 --data-dir FER2013 --protocol official \\
        --epochs 20 --trials 20 --everywhere 8                           real ones
"""

import dataclasses
from pathlib import Path

from affectkeras.searching.search import run_search
from affectkeras.searching.study import Choice, Measured, Study
from recipes import fer_pruned_cnn as recipe

# Beyond the paper's: a network trained for few epochs has few maps that are nearly the same.
ANGLES = (*recipe.SWEEP, 55, 60, 65, 70, 75, 80, 85)


def space(hp, config: recipe.Config) -> recipe.Config:
    """Return the settings of a trial: what is searched, and over what."""
    widths = config.widths
    if not hp.is_fixed("widths"):
        share = hp.Choice("widths.share", (0.5, 1.0, 1.5), default=1.0)
        # Three quarters of the parameters stand before the maps of the last module.
        last = hp.Choice("widths.last", (0.25, 1.0), default=1.0)
        shares = (share,) * (len(widths) - 1) + (share * last,)
        widths = tuple(
            int(each * width) for each, width in zip(shares, recipe.Config.widths, strict=True)
        )
    return dataclasses.replace(
        config,
        plan="cosine",  # of one setting; the paper's plan has seven
        widths=widths,
        dropout=hp.Float("dropout", 0.0, 0.6, step=0.1),
        augmentation=hp.Choice("augmentation", ("paper", "strong", "none")),
        label_smoothing=hp.Choice("label_smoothing", (0.0, 0.05, 0.1)),
        weight_decay=hp.Choice("weight_decay", (0.0, 1e-3, 1e-2, 5e-2)),
        batch_size=hp.Choice("batch_size", (32, 64, 128)),
        learning_rate=hp.Float("learning_rate", 3e-4, 6e-3, sampling="log"),
    )


def prepare(config: recipe.Config):
    """Return the table, of which no test row can be read, and the split."""
    from affectkeras.faces import prepare_faces
    from affectkeras.quiet import start_tensorflow
    from affectkeras.searching.hidden_rows import hide_rows

    start_tensorflow()
    table, split, _, _ = prepare_faces(config, published="all-rows")
    return hide_rows(table, split.test), split


def measure(config: recipe.Config, data, part: Path) -> Measured:
    """Train the whole network and prune it at every threshold, all scored on validation rows."""
    from affectkeras import pruning_run
    from affectkeras.evaluation.seal import Seal
    from affectkeras.files import write_csv
    from affectkeras.searching.pareto import SWEEP_FILE, TUNED, WITHIN, choose_small

    table, split = data
    seed, (setting,) = config.seeds[0], recipe.settings(config)
    model, images, history = recipe.train_whole(
        config, setting, table, split, seed, part, Seal(split)
    )
    arms = recipe.pruned_arms(config, setting)
    angles = sorted({*ANGLES, *(angle for _, angle in arms.values())})
    sweeps, pruned = recipe.prune(
        config, setting, model, images, table, split, timed=False, angles=angles
    )
    sweep = pruning_run.sweep_frame(sweeps, seed)
    tuned = recipe.train_on(config, setting, pruned, images, split, part, seed)
    # Of each network the last epoch counts, as in the recipe.
    reached = {row["arm"]: row["val_accuracy"] for row in tuned}
    own = {name: _row_of(sweep, *arms[name]) for name in pruned}
    for name, accuracy in reached.items():
        own[name] |= {"arm": f"{own[name]['arm']}{TUNED}", "accuracy": accuracy}
        sweep.loc[len(sweep)] = own[name]
    write_csv(part / SWEEP_FILE, sweep)
    whole, small = sweep[sweep["threshold"].isna()].iloc[0], choose_small(sweep)
    good = whole["accuracy"] - WITHIN
    near = [model, *(pruned[name][0] for name, row in own.items() if row["accuracy"] >= good)]
    kept = min(near, key=lambda one: one.count_params())
    measures = {
        "parameters": whole["parameters"],
        "accuracy_within_point": small["accuracy"],
        "parameters_within_point": small["parameters"],
        "kept_parameters": kept.count_params(),
    }
    return Measured(float(whole["accuracy"]), measures, history, kept)


def _row_of(sweep, place: str, angle: float) -> dict:
    """Return the row of a sweep that tells what an angle does in the last module, or everywhere."""
    of_place = sweep["arm"].str.endswith(recipe.ALL) == (place == recipe.ALL)
    return sweep[of_place & (sweep["threshold"] == angle)].iloc[0].to_dict()


def choose(folder: Path, rows) -> Choice:
    """Return the smallest network of all trials that is within one point of the best."""
    from affectkeras.searching.pareto import TUNED, best_of, choose_small, join_sweeps
    from affectkeras.searching.plots import draw_pareto, save_figures

    points = join_sweeps(folder, rows)
    small, best = choose_small(points), best_of(points)
    save_figures(folder, {"pareto": draw_pareto(points, small, "accuracy")})
    changes, cut = {}, "whole"
    if small["threshold"] == small["threshold"]:  # not missing: it was pruned
        place, tuned = small["arm"].removesuffix(TUNED), small["arm"].endswith(TUNED)
        angles = (float(small["threshold"]),)
        everywhere = place.endswith(recipe.ALL)
        changes = {"everywhere": angles} if everywhere else {"thresholds": angles, "everywhere": ()}
        changes |= {} if tuned else {"tune_epochs": 0}
        cut = f"pruned at {small['threshold']:g} degrees{' and trained on' if tuned else ''}"
    words = (
        f"The smallest network within one point of the best: {cut}, {small['accuracy']:.4f} with "
        f"{small['parameters']:,} parameters. The best, of trial {best['trial']}: "
        f"{best['accuracy']:.4f} with {best['parameters']:,}."
    )
    return Choice(small["trial"], changes, words)


STUDY = Study(
    recipe,
    space,
    prepare,
    measure,
    choose=choose,
    notes=(
        "The objective is the whole network's accuracy. The chosen network is the smallest of all "
        "trials and thresholds within one point of the best: a choice on validation rows.",
    ),
)

if __name__ == "__main__":
    run_search(STUDY, __spec__.name)

"""Search the settings of recipes/anustress_stressnet: the network's sizes and its training.

A trial trains the first arm of --dropout with the first seed on the training rows of the first fold
and is compared by its accuracy on that fold's validation rows; the fold's test rows cannot be read.
The best settings become a run of the recipe, in best/, with all its arms, folds and seeds. With
several folds its other test subjects were among those that the trials saw: only the first fold's
figure is of people that nobody chose settings by.

    python -m tuning.anustress_stressnet                                 rendered sample videos
    python -m tuning.anustress_stressnet --data-dir ANU_STRESS --trials 30 --dropout dynamic
"""

import dataclasses
from pathlib import Path

from affectkeras.searching.search import run_search
from affectkeras.searching.study import Measured, Study
from recipes import anustress_stressnet as recipe


def space(hp, config: recipe.Config) -> recipe.Config:
    """Return the settings of a trial: what is searched, and over what."""
    shallow, deep = config.shallow_widths, config.deep_widths
    if not hp.is_fixed("shallow_widths"):
        share = hp.Choice("shallow_widths.share", (0.5, 1.0, 1.5), default=1.0)
        shallow = tuple(int(share * width) for width in config.shallow_widths)
    if not hp.is_fixed("deep_widths"):
        deep = (hp.Choice("deep_widths.each", (64, 96, 128)),) * len(config.deep_widths)
    activations = config.activations
    if not hp.is_fixed("activations"):
        activations = (hp.Choice("activations.first", ("gelu", "relu", "prelu")),)
    return dataclasses.replace(
        config,
        shallow_widths=shallow,
        deep_widths=deep,
        activations=activations,
        mask_rate=hp.Float("mask_rate", 0.1, 0.8, step=0.1),
        last_rate=hp.Float("last_rate", 0.0, 0.8, step=0.1),
        plan=hp.Choice("plan", ("paper", "cosine")),
        augmentation=hp.Choice("augmentation", ("none", "light")),
        weight_decay=hp.Choice("weight_decay", (0.0, 1e-3, 1e-2, 5e-2)),
        batch_size=hp.Choice("batch_size", (8, 16, 32, 64)),
        learning_rate=hp.Float("learning_rate", 1e-4, 1e-2, sampling="log"),
    )


def prepare(config: recipe.Config):
    """Return the table, of which no test row of the first fold can be read, and that fold."""
    from affectkeras.quiet import start_tensorflow
    from affectkeras.searching.hidden_rows import hide_rows

    start_tensorflow()
    table, splits, _, _ = recipe.load(config)
    return hide_rows(table, splits[0].test), splits[0]


def measure(config: recipe.Config, data, part: Path) -> Measured:
    """Train under the settings and return the accuracy on validation rows."""
    from affectkeras.evaluation.metrics import macro_f1
    from affectkeras.transfer.fine_tuning import predict_logits

    table, split = data
    model, images, history = recipe.train(
        config, table, split, config.seeds[0], config.dropout[0], config.activations[0], part
    )
    target = table.class_target
    labels = table.frame[target.name].to_numpy()[split.validation]
    found = predict_logits(model, images, split.validation).argmax(axis=1)
    measures = {
        "macro_f1": macro_f1(labels, found, len(target.class_names)),
        "parameters": model.count_params(),
    }
    return Measured(float((found == labels).mean()), measures, history, model)


STUDY = Study(
    recipe,
    space,
    prepare,
    measure,
    notes=(
        "Trials train the first arm of --dropout with the first of --seeds in the first fold; "
        "best/ trains all. The other folds' test subjects were among those that trials saw.",
    ),
)

if __name__ == "__main__":
    run_search(STUDY, __spec__.name)

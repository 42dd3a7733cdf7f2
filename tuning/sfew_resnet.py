"""Search the settings of recipes/sfew_resnet: its head, its rates, what of the backbone trains.

A trial trains one arm with the first seed on the training rows and is compared by its accuracy on
validation rows; the test rows cannot be read before the best settings become a run of the recipe
(in best/, with all its arms and seeds). Options of the recipe that are given stay as they are, all
that `space` names are searched. While the backbone is frozen (--regime head) all trials share its
cached features, so that a trial takes seconds.

    python -m tuning.sfew_resnet                                         rendered sample faces
    python -m tuning.sfew_resnet --data-dir SFEW --trials 40             all but what is given
    python -m tuning.sfew_resnet --dataset ferplus --data-dir FERPLUS --protocol official \\
        --backbone mobilenet_0.25 --regime head --image-size 96          the head alone
    python -m tuning.sfew_resnet ... --workers 3                         trials side by side
"""

import dataclasses
from pathlib import Path

from affectkeras.searching.search import run_search
from affectkeras.searching.study import Measured, Study
from recipes import sfew_resnet as recipe


def space(hp, config: recipe.Config) -> recipe.Config:
    """Return the settings of a trial: what is searched, and over what."""
    config = dataclasses.replace(
        config,
        regime=hp.Choice("regime", ("head", "last-blocks", "all")),
        plan=hp.Choice("plan", ("paper", "cosine")),
        hidden=hp.Choice("hidden", (64, 128, 256, 512, 1024)),
        dropout=(
            hp.Float("dropout.0", 0.0, 0.8, step=0.1),
            hp.Float("dropout.1", 0.0, 0.8, step=0.1),
        ),
        learning_rate=hp.Float("learning_rate", 1e-5, 1e-1, sampling="log"),
        weight_decay=hp.Choice("weight_decay", (0.0, 1e-4, 1e-3, 1e-2, 1e-1)),
        batch_size=hp.Choice("batch_size", (32, 64, 128, 256)),
    )
    if hp.is_fixed("regime") and config.regime == "head":
        return config  # other random changes would be other features, computed anew
    return dataclasses.replace(
        config, augmentation=hp.Choice("augmentation", ("paper", "light", "none"))
    )


def prepare(config: recipe.Config):
    """Return the table, of which no test row can be read, and the split."""
    from affectkeras.faces import prepare_faces
    from affectkeras.quiet import start_tensorflow
    from affectkeras.searching.hidden_rows import hide_rows

    start_tensorflow()
    table, split, _, _ = prepare_faces(config, label_mode=config.label_mode)
    return hide_rows(table, split.test), split


def measure(config: recipe.Config, data, part: Path) -> Measured:
    """Train under the settings and return the accuracy on validation rows."""
    from affectkeras.evaluation.metrics import macro_f1
    from affectkeras.evaluation.seal import Seal
    from affectkeras.transfer.fine_tuning import predict_logits

    table, split = data
    arm = config.removal[0]
    config = dataclasses.replace(config, removal=(arm,))
    model, source, history, _ = recipe.train(
        config, table, split, config.seeds[0], arm, part, part=part, seal=Seal(split)
    )
    labels = table.frame["expression"].to_numpy()[split.validation]
    found = predict_logits(model, source, split.validation).argmax(axis=1)
    measures = {
        "macro_f1": macro_f1(labels, found, len(table.target("expression").class_names)),
        "parameters": model.count_params(),
    }
    return Measured(float((found == labels).mean()), measures, history, model)


STUDY = Study(
    recipe,
    space,
    prepare,
    measure,
    notes=(
        "Trials train the first arm of --removal with the first of --seeds; best/ trains them all.",
    ),
)

if __name__ == "__main__":
    run_search(STUDY, __spec__.name)

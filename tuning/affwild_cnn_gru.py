"""Search the settings of recipes/affwild_cnn_gru: the network's sizes, its loss and its training.

A trial trains the first arm of --cells with the first seed on the training videos and is compared
by its concordance (CCC, mean over the targets) on the validation videos; the faces of the test
videos cannot be read. The best settings become a run of the recipe, in best/, with all its arms and
seeds.

    python -m tuning.affwild_cnn_gru                                     rendered sample videos
    python -m tuning.affwild_cnn_gru --data-dir AFF_WILD --mode dense --trials 30 --joint
"""

import dataclasses
from pathlib import Path

import numpy as np

from affectkeras.errors import UserError
from affectkeras.searching.search import run_search
from affectkeras.searching.study import Measured, Study
from recipes import affwild_cnn_gru as recipe


def space(hp, config: recipe.Config) -> recipe.Config:
    """Return the settings of a trial: what is searched, and over what."""
    if config.predict != "values":
        raise UserError("--predict sectors cannot be searched: trials are compared by their CCC.")
    return dataclasses.replace(
        config,
        features=hp.Choice("features", (32, 64, 128, 256)),
        hidden_size=hp.Choice("hidden_size", (16, 32, 64, 128)),
        loss=hp.Choice("loss", ("mse", "ccc")),
        plan=hp.Choice("plan", ("paper", "cosine")),
        augmentation=hp.Choice("augmentation", ("none", "light")),
        batch_size=hp.Choice("batch_size", (4, 8, 16)),
        learning_rate=hp.Float("learning_rate", 1e-4, 1e-2, sampling="log"),
    )


def prepare(config: recipe.Config):
    """Return the clips, of which no face and value of a test video can be read, and the split."""
    from affectkeras.quiet import start_tensorflow

    start_tensorflow()
    clips, split, _, _ = recipe.load(config)
    return hide_videos(clips, split.test), split


def hide_videos(clips, rows: np.ndarray):
    """Return the clips with black faces and no values where these table rows are."""
    frame = clips.table.frame.copy()
    for name in recipe.TARGETS:
        frame.iloc[rows, frame.columns.get_loc(name)] = np.nan
    ends = np.cumsum([len(video) for video in clips.crops])
    hidden = set(np.searchsorted(ends, rows, side="right").tolist())
    crops = [
        np.broadcast_to(np.uint8(0), video.shape) if number in hidden else video
        for number, video in enumerate(clips.crops)
    ]
    table = dataclasses.replace(clips.table, frame=frame)
    return dataclasses.replace(clips, table=table, crops=crops)


def measure(config: recipe.Config, data, part: Path) -> Measured:
    """Train under the settings and return the CCC on validation videos, mean over targets."""
    from affectkeras import affect_run
    from affectkeras.evaluation.number_metrics import concordance
    from affectkeras.evaluation.seal import Seal

    clips, split = data
    cell, seal, networks, histories = config.cells[0], Seal(split), {}, []
    for targets in recipe.networks_of(config):
        model, stream, history = recipe.train(
            config, clips, split, seal, config.seeds[0], cell, targets, part
        )
        networks[targets] = model, stream
        histories += [{**row, "target": " and ".join(targets)} for row in history]
    found = affect_run.predict_rows(networks, clips, split.validation)
    frame = clips.table.frame.iloc[split.validation]
    figures = {name: concordance(frame[name].to_numpy(), found[name]) for name in recipe.TARGETS}
    # Who says the same of every frame agrees with nothing.
    ccc = float(np.mean(np.nan_to_num(list(figures.values()))))
    parameters = sum(model.count_params() for model, _ in networks.values())
    kept = model if len(networks) == 1 else None  # of two networks, best/ keeps both
    return Measured(ccc, {**figures, "parameters": parameters}, histories, kept)


STUDY = Study(
    recipe,
    space,
    prepare,
    measure,
    objective="ccc",
    notes=("Trials train the first arm of --cells with the first of --seeds; best/ trains all.",),
)

if __name__ == "__main__":
    run_search(STUDY, __spec__.name)

"""What each threshold angle would cost a model: `python -m affectkeras sweep MODEL_OR_RUN OUT`."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affectkeras.errors import UserError
from affectkeras.files import read_csv, write_csv
from affectkeras.prune import ImageBatches, find_model, load_model
from affectkeras.quiet import start_tensorflow

THRESHOLDS = tuple(float(angle) for angle in range(2, 42, 2))  # degrees


def sweep_command(
    source: Path,
    out: Path,
    *,
    images: Sequence[Path],
    labelled: Path,
    thresholds: Sequence[float] = THRESHOLDS,
    layers: Sequence[str] = (),
) -> None:
    """Measure a model's maps once and tell what every threshold would remove and cost.

    Args:
        source: a `.keras` file or a run folder.
        out: a new folder, for `sweep.csv` and `plots/sweep.png`.
        images: files and folders that the maps are measured on, best training images.
        labelled: a folder with one folder of images per class, best validation images.
        thresholds: in degrees, [0, 90).
        layers: only the maps of these layers; empty: all that may go.

    Raises:
        UserError: when the model, the images or the settings cannot be used.
    """
    if not thresholds or not all(0 <= angle < 90 for angle in thresholds):
        raise UserError(f"--thresholds must be in [0, 90) degrees. Received: {list(thresholds)}")
    if not images:
        raise UserError("Give --images, files or folders to measure the maps on, best training.")
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty. Give a new folder.")
    file = find_model(source)
    start_tensorflow()
    from affectkeras.pruning.activations import Activations
    from affectkeras.pruning.errors import PruningError
    from affectkeras.pruning.sweep import sweep_thresholds
    from affectkeras.pruning_run import sweep_frame
    from affectkeras.reporting.plots import plot_run

    model = load_model(file)
    pixels, labels = _read_labelled(model, source, labelled)
    seen = _count_test_rows(source, labelled)
    if seen:
        print(
            f"*** {seen} of these images have the names of test rows of {source}: an angle chosen "
            "on them is chosen by the test. Give validation images."
        )
    try:
        activations = Activations(model, list(layers) or None)
        rows = sweep_thresholds(
            activations.gather(ImageBatches(model, images)),
            sorted(thresholds),
            pixels,
            lambda outputs: float((outputs.argmax(axis=1) == labels).mean()),
            latency_batch=min(16, len(pixels)),
        )
    except PruningError as refused:
        raise UserError(f"{file}: {refused}") from refused
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "sweep.csv", sweep_frame({model.name: rows}, seed=0))
    plot_run(out)
    print(
        f"{'angle':>6}{'maps removed':>14}{'parameters':>14}{'MACs':>16}{'ms':>9}{'accuracy':>10}"
    )
    for row in rows:
        angle = "whole" if row.threshold is None else f"{row.threshold:g}°"
        print(
            f"{angle:>6}{row.maps_removed:>14}{row.parameters:>14,}{row.macs:>16,}"
            f"{row.latency_ms:>9.2f}{row.score:>10.1%}{'  Pareto' * row.pareto}"
        )
    print(f"Nothing was trained. Written: {out}/sweep.csv, {out}/plots/sweep.png")


def _read_labelled(model, source: Path, labelled: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images `(rows, height, width, channels)` and the model's output of each."""
    names = _class_names(source)
    folders = sorted(path for path in Path(labelled).glob("*") if path.is_dir())
    if not folders:
        raise UserError(f"--labelled {labelled}: there must be one folder of images per class.")
    outputs = model.output_shape[-1]
    if names is None:  # a lone file tells no names: the outputs are taken in the names' order
        names = [folder.name for folder in folders]
        if len(names) != outputs:
            raise UserError(
                f"--labelled {labelled} has {len(names)} folders, but the model {outputs} outputs: "
                "give one folder per output, in the order of their names."
            )
    places = {name.casefold(): place for place, name in enumerate(names)}
    unknown = [folder.name for folder in folders if folder.name.casefold() not in places]
    if unknown:
        raise UserError(
            f"--labelled {labelled}: no class of the model is called {', '.join(unknown)}. Its "
            f"classes are {', '.join(names)}."
        )
    images, labels = [], []
    for folder in folders:
        found = [np.asarray(batch, np.float32) for batch in ImageBatches(model, [folder])]
        images += found
        labels += [places[folder.name.casefold()]] * sum(len(batch) for batch in found)
    return np.concatenate(images), np.array(labels)


def _count_test_rows(source: Path, labelled: Path) -> int:
    """Return how many images have the class folder and name of a test row of the run."""
    if not (source / "predictions.csv").is_file():
        return 0
    rows = read_csv(source / "predictions.csv")
    names = rows.loc[rows["split"] == "test", "example_id"].unique()
    tested = {tuple(name.split("/")[-2:]) for name in names}
    found = {(path.parent.name, path.name) for path in Path(labelled).glob("*/*")}
    return len(tested & found)


def _class_names(source: Path) -> list[str] | None:
    try:
        return json.loads((source / "result.json").read_text(encoding="utf-8"))["class_names"]
    except (OSError, ValueError, KeyError):
        return None

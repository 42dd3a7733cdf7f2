"""What a run on stress keeps beside its predictions: baseline, masks, what a leak adds, time."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from affectkeras import results, runs
from affectkeras.datasets.sample import sample_anu_stress
from affectkeras.datasets.sample.marks import find_marks
from affectkeras.datasets.sample.thermal_truth import face_shares
from affectkeras.datasets.table import ExampleTable
from affectkeras.evaluation.intervals import bootstrap_interval
from affectkeras.files import atomic_file, copy_whole
from affectkeras.models.stress_net import masks_of

SHOWN_MASKS = 64  # of each layer (paper, Figure 8)
MASKED_ROWS = 200  # test rows of a fold whose masks are measured
_CHUNK = 32  # images whose masks are held at once


def mean_pixel_probabilities(images, split) -> np.ndarray:
    """Return what the mean of an image's pixels alone tells of the class of its test rows.

    A logistic regression on the training rows: a model that does no better than it may have learnt
    how bright or warm a picture is on the whole.

    Args:
        images: the `ImagePipeline`, with its seal.
        split: whose test rows.

    Returns:
        `(test rows, classes)`.
    """
    with images.seal.final_evaluation():
        images.seal.fit("weights", "logistic regression on the mean pixel", split.train)
        known, new = (_mean_pixels(images, rows) for rows in (split.train, split.test))
    labels = images.targets[split.train].argmax(axis=1)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(known, labels)
    found = np.zeros((len(split.test), images.targets.shape[1]))
    found[:, model.classes_] = model.predict_proba(new)
    return found


def _mean_pixels(images, rows) -> np.ndarray:
    means = [batch[0].mean(axis=(1, 2, 3)) for batch in _batches(images, rows)]
    return np.concatenate(means)[:, np.newaxis]


def _batches(images, rows):
    return images.clean(rows).as_numpy_iterator()


def measure_masks(model: keras.Model, images, table: ExampleTable, rows, sample: Path | None):
    """Return the masks' figures as rows of `masks.csv`, and what Figure 8 shows.

    Args:
        model: with `DynamicDropout` layers.
        images: the stream of images; its seal must be open for the rows.
        rows: table rows; `MASKED_ROWS` of them, evenly chosen, are measured.
        sample: the folder of the sample videos, where it is known in each frame what is face.

    Returns:
        A frame with a row per image and layer: `example_id`, `layer`, `sparsity` (share of zeros),
        `weight_on_face` (share of the mask's sum that lies on the face) and `face` (share of the
        picture that is face; both NaN where the truth is not known); and `{"image", layer:
        masks}`, of the first row.
    """
    rows = rows[np.linspace(0, len(rows) - 1, min(MASKED_ROWS, len(rows))).astype(int)]
    found, first = [], None
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        pixels = np.concatenate([batch[0] for batch in _batches(images, chunk)])
        masks = masks_of(model, pixels)
        if first is None:
            first = {"image": pixels[0].astype(np.uint8)}
            first |= {layer: of_layer[0][..., :SHOWN_MASKS] for layer, of_layer in masks.items()}
        for layer, of_layer in masks.items():
            shape = of_layer.shape[1:3]
            faces = None if sample is None else face_shares(sample, table.frame.iloc[chunk], shape)
            found.append(_mask_figures(table, chunk, layer, of_layer, faces))
    return pd.concat(found, ignore_index=True), first


def _mask_figures(table, rows, layer: str, masks: np.ndarray, faces) -> pd.DataFrame:
    unknown = np.full(len(rows), np.nan)
    return pd.DataFrame(
        {
            "example_id": table.frame["example_id"].to_numpy()[rows],
            "layer": layer,
            "sparsity": (masks == 0).mean(axis=(1, 2, 3)),
            "weight_on_face": unknown if faces is None else weight_on_face(masks, faces),
            "face": unknown if faces is None else faces.mean(axis=(1, 2)),
        }
    )


def weight_on_face(masks: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return which share of a mask's sum lies on the face: `(batch,)`, NaN for a mask of zeros.

    A mask that does not care where the face is has the share of the picture that is face.

    Args:
        masks: from 0, `(batch, height, width, filters)`.
        faces: how much of each position is face, 0 to 1, `(batch, height, width)`.
    """
    by_place = masks.sum(axis=-1, dtype=np.float64)
    total = by_place.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return (by_place * faces).sum(axis=(1, 2)) / total


def write_mask_pictures(path: Path, first: dict) -> None:
    """Write what `measure_masks` returned for Figure 8 as `masks.npz`: `image`, `layers`, masks."""
    layers = [name for name in first if name != "image"]
    with atomic_file(path) as file:
        arrays = {f"mask{number:02d}": first[layer] for number, layer in enumerate(layers)}
        np.savez_compressed(file, image=first["image"], layers=np.array(layers), **arrays)


def inflation_frame(
    published: pd.DataFrame, honest: pd.DataFrame, arm: str, target: str, names
) -> pd.DataFrame:
    """Return the accuracy of one arm under both protocols as rows of `inflation.csv`.

    `difference` is what the published division adds on the same frames, with a 95 % interval that
    resamples subjects.

    Args:
        published, honest: predictions under either; the same frames are tested.
        arm: the arm.
        target, names: of the class.
    """
    rows, right = [], {}
    for protocol, predictions in (("subject", honest), ("paper", published)):
        test = predictions[(predictions["arm"] == arm) & (predictions["split"] == "test")]
        found = results.summarise(test, names, target=target)[arm]["test"]
        right[protocol] = (test[target] == test["predicted"]).groupby(test["example_id"]).mean()
        low, high = found["accuracy"]["ci95"]
        rows.append(
            {
                "arm": arm,
                "protocol": protocol,
                "accuracy": found["accuracy"]["mean"],
                "low": low,
                "high": high,
                "n": found["n"],
                "groups": found["groups"],
                "leaks": protocol == "paper",
            }
        )
    groups = honest.drop_duplicates("example_id").set_index("example_id")["group"]
    more = right["paper"] - right["subject"]
    interval = bootstrap_interval(more.to_numpy(), groups.loc[more.index].to_numpy(dtype=str))
    frame = pd.DataFrame(rows)
    frame["difference"] = [np.nan, more.mean()]
    frame["difference_low"] = [np.nan, interval.low]
    frame["difference_high"] = [np.nan, interval.high]
    return frame


def activation_frame(histories: dict[str, Sequence[pd.DataFrame]]) -> pd.DataFrame:
    """Return how long each activation takes to one and the same loss, as `activations.csv`.

    The loss to reach is the lowest that all of them reach: the highest of their lowest training
    losses. Time is that of training and validation, the first epoch's compiling included.

    Args:
        histories: activation → its history of every seed (`epoch`, `loss`, `seconds`).

    Returns:
        A row per activation and seed: `loss_to_reach`, `epochs` and `seconds` until it is reached,
        `seconds_per_epoch` (median without the first epoch).
    """
    aim = max(one["loss"].min() for found in histories.values() for one in found)
    rows = []
    for activation, found in histories.items():
        for history in found:
            reached = int(np.argmax(history["loss"].to_numpy() <= aim))
            later = history["seconds"].iloc[1:]
            rows.append(
                {
                    "activation": activation,
                    "seed": int(history["seed"].iloc[0]),
                    "loss_to_reach": aim,
                    "epochs": reached + 1,
                    "seconds": float(history["seconds"].iloc[: reached + 1].sum()),
                    "seconds_per_epoch": float(
                        (later if len(later) else history["seconds"]).median()
                    ),
                }
            )
    return pd.DataFrame(rows)


def best_part(run: Path, arm: str) -> Path:
    """Return the part of an arm, among seeds and folds, that did best on its validation rows."""
    parts = [part for part in (run / "parts").iterdir() if runs.part_facts(part)["arm"] == arm]
    parts.sort(key=lambda part: part.name)
    return max(parts, key=lambda part: runs.part_facts(part)["validation_accuracy"])


def keep_inflation(run: Path, arm: str, target) -> None:
    """Write `inflation.csv` of an arm that was trained on the published split, if it was."""
    if not (run / "published").exists():
        return
    runs.merge_parts(run / "published")
    published = runs.read_csv(run / "published" / "predictions.csv")
    honest = runs.read_csv(run / "predictions.csv")
    frame = inflation_frame(published, honest, arm, target.name, target.class_names)
    runs.write_csv(run / "inflation.csv", frame)
    runs.write_csv(run / "published_predictions.csv", published)
    shutil.rmtree(run / "published")


def keep_activations(run: Path, activations: Sequence[str]) -> None:
    """Write `activations.csv` and the histories behind it, if activations were timed."""
    if not (run / "activations").exists():
        return
    runs.merge_parts(run / "activations")
    history = runs.read_csv(run / "activations" / "history.csv")
    found = {
        name: [one for _, one in history[history["arm"] == name].groupby("seed")]
        for name in activations
    }
    runs.write_csv(run / "activations.csv", activation_frame(found))
    runs.write_csv(run / "activation_history.csv", history)
    shutil.rmtree(run / "activations")


def keep_mask_pictures(run: Path, part: Path) -> None:
    """Keep the masks that the best network makes of a picture."""
    copy_whole(part / "masks.npz", run / "masks.npz")


def sample_folder(data_dir: Path | None, table: ExampleTable) -> Path | None:
    """Return the folder of the sample videos if the table is theirs: there faces are known."""
    if table.name != "anu_stress":
        return None
    folder = sample_anu_stress() if data_dir is None else Path(data_dir)
    return folder if find_marks(folder) else None

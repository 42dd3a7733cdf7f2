"""The rows a training leaves behind, with names in the place of numbers: see a run's CSV files."""

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from affectkeras.datasets.table import ExampleTable, FilePayload
from affectkeras.files import atomic_file, read_csv, write_csv

THUMBNAIL = 96  # pixels, height and width
REMOVAL_COLUMNS = ("arm", "seed", "round", "epoch", "example_id", "expression", "loss", "path")
HISTORY_COLUMNS = (
    *("stage", "epoch", "step", "rows", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"),
)
SCORE_COLUMNS = ("arm", "seed", "epoch", "example_id", "loss", "removed")


def prediction_rows(
    table: ExampleTable,
    rows: np.ndarray,
    probabilities: np.ndarray,
    *,
    arm: str,
    seed: int,
    split: str,
    fold: int = 0,
) -> pd.DataFrame:
    """Return the rows of `predictions.csv` for some table rows.

    Args:
        rows: table rows.
        probabilities: `(rows, classes)`, theirs.
        split: the part they belong to.
    """
    target = table.class_target.name
    names = np.array(table.class_target.class_names, dtype=object)
    frame = table.frame.iloc[rows]
    columns = {
        "arm": arm,
        "seed": seed,
        "fold": fold,
        "split": split,
        "example_id": frame["example_id"].to_numpy(),
        "group": frame["group"].to_numpy(),
        target: names[frame[target].to_numpy()],
        "predicted": names[probabilities.argmax(axis=1)],
    }
    columns |= {f"p_{name}": probabilities[:, index] for index, name in enumerate(names)}
    return pd.DataFrame(columns)


def removal_rows(table: ExampleTable, removals: list[dict], *, arm: str, seed: int):
    """Return the rows of `removals.csv` for the log of a removal callback."""
    names = table.target("expression").class_names
    files = table.payload.paths if isinstance(table.payload, FilePayload) else None
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "round": entry["round"],
            "epoch": entry["epoch"],
            "example_id": table.frame["example_id"].iloc[entry["row"]],
            "expression": names[entry["class"]],
            "loss": entry["loss"],
            "path": _printable(files[entry["row"]]) if files is not None else "",
        }
        for entry in removals
    ]
    return pd.DataFrame(rows, columns=list(REMOVAL_COLUMNS))


def score_rows(table: ExampleTable, scores: dict[str, np.ndarray], *, arm: str, seed: int):
    """Return the rows of `scores.csv` for the scores of a removal callback."""
    columns = {
        "arm": arm,
        "seed": seed,
        "epoch": scores["epoch"],
        "example_id": table.frame["example_id"].to_numpy()[scores["row"]],
        "loss": scores["loss"],
        "removed": scores["removed"],
    }
    return pd.DataFrame(columns, columns=list(SCORE_COLUMNS))


def write_part(
    part: Path, table, history, predictions, removal, *, arm: str, seed: int, fold: int = 0
) -> None:
    """Write the CSV files of one arm and seed into its part of the run.

    Args:
        part: the part's folder.
        history: the rows of `fine_tune`; one with an `arm` of its own is that arm's. Where an arm
            has several networks, each row tells the `target` of its own.
        predictions: frames of `prediction_rows`; without one there is no such file.
        removal: the removal callback, or `None`.
    """
    history = [
        {"arm": row.get("arm", arm), "seed": seed, "fold": fold}
        | {name: row[name] for name in ("target",) if name in row}
        | {name: row.get(name) for name in HISTORY_COLUMNS}
        for row in history
    ]
    write_csv(part / "history.csv", pd.DataFrame(history))
    if predictions:
        write_csv(part / "predictions.csv", pd.concat(predictions, ignore_index=True))
    if removal is not None:
        removals = removal_rows(table, removal.removals, arm=arm, seed=seed)
        write_csv(part / "removals.csv", removals)
        write_csv(part / "scores.csv", score_rows(table, removal.scores(), arm=arm, seed=seed))


def write_run_records(run: Path, table: ExampleTable, findings: dict) -> None:
    """Write what belongs to all parts of a run: rejected files, and pictures for the report.

    Args:
        findings: of the leakage check; the pairs it names are pictured, and the removed faces.
    """
    write_csv(run / "rejected.csv", table.rejected)
    pictured = [
        name
        for check in findings["checks"].values()
        for pair in check.get("pairs", [])
        for name in pair
    ]
    if (run / "removals.csv").exists():
        pictured += read_csv(run / "removals.csv")["example_id"].tolist()
    rows = np.flatnonzero(table.frame["example_id"].isin(pictured))
    write_thumbnails(run / "thumbnails.npz", table, rows)


def encoded_images(table: ExampleTable, rows: np.ndarray) -> list[bytes]:
    """Return the rows' images as their files hold them; pixels held as arrays as PNG."""
    if isinstance(table.payload, FilePayload):
        encoded = []
        for path in table.payload.paths[rows]:
            with open(path, "rb") as file:
                encoded.append(file.read())
        return encoded
    return [_png(pixels) for pixels in _pixels(table, rows)]


def write_thumbnails(path, table: ExampleTable, rows: np.ndarray) -> None:
    """Write an npz of `example_id` and `pixels` uint8 `(rows, 96, 96, 3)`, for the report."""
    images = [Image.open(io.BytesIO(data)) for data in encoded_images(table, rows)]
    small = [np.asarray(each.convert("RGB").resize((THUMBNAIL, THUMBNAIL))) for each in images]
    pixels = np.stack(small) if small else np.empty((0, THUMBNAIL, THUMBNAIL, 3), np.uint8)
    names = table.frame["example_id"].to_numpy(dtype=str)[rows]
    with atomic_file(path) as file:
        np.savez_compressed(file, example_id=names, pixels=pixels)


def _pixels(table: ExampleTable, rows: np.ndarray) -> np.ndarray:
    return table.payload.arrays["pixels"][table.payload.index[rows]]


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(buffer, "PNG")
    return buffer.getvalue()


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")

"""The flattened copy of SFEW: all images in one folder, renamed, and a table of labels.

What is known of it: `sfew2.0_images/image_000000.png …` and `sfew_2.0_labels.csv` with the columns
image_name, label, emotion, original_split. The names of the films are lost.
"""

from pathlib import Path

import pandas as pd

from affectkeras.datasets.file_walk import walk_files
from affectkeras.datasets.folders import find_child, open_child
from affectkeras.datasets.image_rows import is_image_name
from affectkeras.datasets.sfew_folders import expression_of
from affectkeras.datasets.table import example_id
from affectkeras.errors import UserError

_LABELS = "sfew_2.0_labels.csv"
_IMAGES = "sfew2.0_images"
_COLUMNS = ("image_name", "emotion", "original_split")
_SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
_UNLABELLED = ("", "nan", "none", "unknown", "unlabelled", "unlabeled", "test", "-1")


def find_flat(top: Path) -> tuple[Path, Path] | None:
    """Return the table of labels and the folder of images, or None.

    Raises:
        UserError: when the table is there without the images.
    """
    labels = find_child(top, _LABELS)
    if labels is None:
        return None
    images = open_child(top, _IMAGES)
    if images is None:
        raise UserError(
            f"{labels}: expected the folder {_IMAGES} (or {_IMAGES}.zip) beside it. Unpack the "
            "whole archive."
        )
    return labels, images


def read_flat(
    labels: Path, images: Path, class_names: tuple[str, ...]
) -> tuple[pd.DataFrame, list[tuple[str, str, str]]]:
    """Return the rows (without `group`) and what was set aside.

    Raises:
        UserError: when the table is no CSV file or lacks a column.
    """
    table = _read_labels(labels)
    rows, rejected, listed = [], [], set()
    for image_name, emotion, original_split in table.itertuples(index=False):
        listed.add(image_name)
        identity = f"{_IMAGES}/{image_name}"
        split = _SPLITS.get(original_split.strip().casefold())
        expression = expression_of(emotion, class_names)
        if Path(image_name).name != image_name:
            reason = f"image_name must be a file name. Found: {image_name!r} in {labels.name}"
        elif split is None:
            reason = f"original_split must be Train, Val or Test. Found: {original_split!r}"
        elif expression is None and emotion.strip().casefold() not in _UNLABELLED:
            reason = f"emotion must be one of {', '.join(class_names)}. Found: {emotion!r}"
        elif expression is None:
            rejected.append((identity, "unlabelled", f"no emotion in {labels.name}"))
            continue
        else:
            path = images / image_name
            rows.append((identity, split, labels.name, expression, path))
            continue
        rejected.append((identity, "damaged", reason))
    files, unreadable = walk_files(images)
    for path in files:
        identity = f"{_IMAGES}/{example_id(path, images)}"
        if is_image_name(path) and identity.removeprefix(f"{_IMAGES}/") not in listed:
            rejected.append((identity, "unlabelled", f"{labels.name} does not name it"))
    for path, reason in unreadable:
        rejected.append((f"{_IMAGES}/{example_id(path, images)}", "damaged", reason))
    columns = ["example_id", "split", "source", "expression", "path"]
    return pd.DataFrame(rows, columns=columns), rejected


def _read_labels(labels: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(labels, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(
            f"{labels}: cannot be read as a CSV file ({error}). Take it anew from the archive."
        ) from error
    table.columns = [column.strip() for column in table.columns]
    missing = [column for column in _COLUMNS if column not in table]
    if missing:
        raise UserError(
            f"{labels}: expected the columns {', '.join(_COLUMNS)}. Found: "
            f"{', '.join(table.columns)}. Take the file anew from the archive."
        )
    return table[list(_COLUMNS)]

"""AffectNet's manually labelled faces: eight expressions, valence and arousal.

Source: Mollahosseini, Hasani, Mahoor, "AffectNet: A Database for Facial Expression, Valence, and
Arousal Computing in the Wild", IEEE Transactions on Affective Computing, 2019. Persons are not
known, so a row is its own group.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from affectkeras.datasets.fer_csv import read_rows
from affectkeras.datasets.folders import (
    find_below,
    find_child,
    find_top,
    layout_error,
    list_folder,
    open_child,
    stays_inside,
)
from affectkeras.datasets.image_rows import build_image_table, is_image_name
from affectkeras.datasets.table import ExampleTable, Target, example_id

NAME = "affectnet"
CLASS_NAMES = ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
TARGETS = (
    Target("expression", "class", CLASS_NAMES),
    Target("valence", "number"),
    Target("arousal", "number"),
)
LAYOUT = """
the older form:
Manually_Annotated_file_lists/{training,validation}.csv
Manually_Annotated_Images/<subDirectory_filePath>
or the newer form:
{train_set,val_set}/images/<id>.jpg
{train_set,val_set}/annotations/<id>_{exp,val,aro}.npy
"""

_NO_EXPRESSION = {8: "None", 9: "Uncertain", 10: "No face"}
_INVALID = -2.0
_LISTS = {"training.csv": "train", "validation.csv": "validation"}
_SETS = {"train_set": "train", "val_set": "validation"}
_COLUMNS = ("subDirectory_filePath", "expression", "valence", "arousal")
_FACE_BOX = ("face_x", "face_y", "face_width", "face_height")


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found: the older form's lists and image folder, or the newer form's sets."""

    lists: tuple[Path, ...] = ()
    images: Path | None = None
    sets: tuple[tuple[str, Path], ...] = ()


def find(folder: Path) -> Layout:
    """Return which form of AffectNet lies in `folder` (or one level below, or in a .zip there).

    Raises:
        UserError: when none does; the message says what was looked for and what was seen.
    """
    top = find_top(folder, lambda place: _form(place) is not None)
    layout = None if top is None else _form(top)
    if layout is None:
        looked_for = (
            "Manually_Annotated_file_lists/training.csv or validation.csv with "
            "Manually_Annotated_Images/, and train_set or val_set with images/ and annotations/"
        )
        raise layout_error("AffectNet", Path(folder), looked_for, LAYOUT)
    return layout


def read(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return the faces with the targets `expression`, `valence` and `arousal` (both in [-1, 1]).

    The owner's -2 (no value) becomes NaN in valence and arousal. Faces marked None, Uncertain or No
    face (8 to 10) are excluded. The older form's images are larger than the face: its box is kept
    in `face_x`, `face_y`, `face_width`, `face_height` (pixels), and nothing is cropped here; its
    `facial_landmarks` are not read. Splits: validation stays validation.

    Rejected as damaged: a list's row or an annotation that cannot be understood, a face that is
    missing or broken; as unlabelled: a face without annotation in the newer form (in the older one,
    images that no list names are not looked at, for there are hundreds of thousands of them).

    Raises:
        UserError: when the layout is not found or a list lacks columns.
    """
    layout = find(folder)
    rows, rejected = [], []
    examples = _list_rows(layout) if layout.lists else _set_rows(layout.sets)
    for row, kind, reason in examples:
        label = row["expression"]
        if not kind and label in _NO_EXPRESSION:
            kind, reason = "excluded", f"expression {label} ({_NO_EXPRESSION[label]})"
        if kind:
            rejected.append((row["example_id"], kind, reason))
        else:
            rows.append(row)
    columns = ["example_id", "split", "source", "expression", "valence", "arousal", "path"]
    boxes = _FACE_BOX if layout.lists else ()
    frame = pd.DataFrame(rows, columns=[*columns, *boxes])
    for side in boxes:
        frame[side] = pd.to_numeric(frame[side], errors="coerce")
    return build_image_table(NAME, frame, TARGETS, rejected=rejected, progress=progress)


def _form(folder: Path) -> Layout | None:
    lists = find_child(folder, "Manually_Annotated_file_lists")
    images = open_child(folder, "Manually_Annotated_Images")
    if lists is not None and images is not None:
        found = tuple(path for name in _LISTS if (path := find_child(lists, name)) is not None)
        if found:
            return Layout(lists=found, images=images)
    sets = tuple(
        (name, part)
        for name in _SETS
        if (part := open_child(folder, name)) is not None
        and find_below(part, "images") is not None
        and find_below(part, "annotations") is not None
    )
    return Layout(sets=sets) if sets else None


def _list_rows(layout: Layout) -> Iterator[tuple[dict, str, str]]:
    """Yield (row, kind of rejection or "", reason) of each line of the older form's lists."""
    for path in layout.lists:
        for line, cells, reason in read_rows(path, _COLUMNS):
            name = cells["subDirectory_filePath"]
            row = {"example_id": f"{path.name}:{line}", "expression": None}
            if not reason and not stays_inside(name):
                reason = f"subDirectory_filePath must name a file in the folder. Found: {name!r}"
            values, why_not = _parse_values(*(cells[column] for column in _COLUMNS[1:]))
            reason = reason or why_not
            if reason:
                yield row, "damaged", reason
                continue
            row = {
                "example_id": f"Manually_Annotated_Images/{name}",
                "split": _LISTS[path.name.casefold()],
                "source": path.name,
                "path": layout.images / name,
                **values,
                **{side: cells.get(side) for side in _FACE_BOX},
            }
            yield row, "", ""


def _set_rows(sets: tuple[tuple[str, Path], ...]) -> Iterator[tuple[dict, str, str]]:
    """Yield (row, kind of rejection or "", reason) of each face of the newer form."""
    for name, folder in sets:
        images, annotations = find_child(folder, "images"), find_child(folder, "annotations")
        for path in list_folder(images):
            if not is_image_name(path):
                continue
            row = {
                "example_id": f"{name}/images/{example_id(path, images)}",
                "split": _SETS[name],
                "source": f"{name}/annotations",
                "path": path,
                "expression": None,
            }
            files = [annotations / f"{path.stem}_{part}.npy" for part in ("exp", "val", "aro")]
            missing = [example_id(file, annotations) for file in files if not file.exists()]
            if missing:
                yield row, "unlabelled", f"no annotation: {', '.join(missing)} is not there"
                continue
            values, reason = _load_values(files)
            yield row | values, "damaged" if reason else "", reason


def _load_values(files: list[Path]) -> tuple[dict, str]:
    texts = []
    for file in files:
        try:
            # Without pickle: a pickled object could run any code.
            value = np.load(file, allow_pickle=False)
        except (ValueError, OSError, EOFError, BadZipFile) as error:
            return {}, f"{example_id(file, file.parent)} cannot be read: {error}"
        if not isinstance(value, np.ndarray) or value.size != 1:
            return {}, f"{example_id(file, file.parent)} does not hold exactly one value"
        texts.append(str(value.reshape(-1)[0]))
    return _parse_values(*texts)


def _parse_values(expression: str, valence: str, arousal: str) -> tuple[dict, str]:
    """Return the three targets of a face, or {} and why they cannot be understood."""
    try:
        label, *pair = float(expression), float(valence), float(arousal)
    except ValueError:
        found = f"{expression!r}, {valence!r}, {arousal!r}"
        return {}, f"expression, valence and arousal must be numbers. Found: {found}"
    if label not in range(len(CLASS_NAMES) + len(_NO_EXPRESSION)):
        return {}, f"expression must be 0 to 10. Found: {expression!r}"
    if any(number != _INVALID and not -1 <= number <= 1 for number in pair):
        return {}, f"valence and arousal must be in [-1, 1] or -2. Found: {valence}, {arousal}"
    first, second = (np.nan if number == _INVALID else number for number in pair)
    return {"expression": int(label), "valence": first, "arousal": second}, ""

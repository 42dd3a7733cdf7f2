"""FER2013: 48 × 48 grey faces with seven expressions, in each of the forms that circulate.

Source: Goodfellow et al., "Challenges in Representation Learning", ICONIP 2013. Persons are not
known, so a row is its own group; some validation and test faces are pixel-identical to training
faces.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.fer_csv import read_faces
from affectkeras.datasets.folders import (
    find_child,
    find_tops,
    layout_error,
    list_folder,
    open_child,
)
from affectkeras.datasets.image_rows import build_image_table, is_image_name, with_default_columns
from affectkeras.datasets.table import (
    ArrayPayload,
    ExampleTable,
    Target,
    example_id,
    rejected_frame,
)
from affectkeras.errors import UserError

NAME = "fer2013"
CLASS_NAMES = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
TARGET = Target("expression", "class", CLASS_NAMES)
LAYOUT = """
one of (first match wins), also inside a .zip:
fer2013.csv          emotion,pixels,Usage
icml_face_data.csv   emotion, Usage, pixels
train.csv            emotion,pixels          and test.csv (pixels, without labels)
{train,test}/{angry,disgust,fear,happy,neutral,sad,surprise}/{Training,PublicTest,PrivateTest}_*.jpg
"""
USAGE_SPLITS = {"training": "train", "publictest": "validation", "privatetest": "test"}
USAGE_EXPECTED = "Usage must be Training, PublicTest or PrivateTest"

_WHOLE_CSVS = ("fer2013.csv", "icml_face_data.csv")
_OTHER_FOLDER_NAMES = {"anger": "Angry", "happiness": "Happy", "sadness": "Sad"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        csvs: (file, split of all its rows or "" where their Usage tells it).
        folders: ("train" or "test", folder of class folders); several archives may add to one.
    """

    csvs: tuple[tuple[Path, str], ...] = ()
    folders: tuple[tuple[str, Path], ...] = ()


def find(folder: Path) -> Layout:
    """Return which form of FER2013 lies in `folder` (or one level below, or in a .zip there).

    Raises:
        UserError: when none does; the message says what was looked for and what was seen.
    """
    forms = [_form(top) for top in find_tops(folder, lambda place: _form(place) is not None)]
    if not forms:
        looked_for = "fer2013.csv, icml_face_data.csv, train.csv, and train/<class>/ folders"
        raise layout_error("FER2013", Path(folder), looked_for, LAYOUT)
    if len(forms) == 1:
        return forms[0]
    if any(form.csvs for form in forms):
        found = ", ".join(str(csv) for form in forms for csv, _ in form.csvs)
        raise UserError(f"{folder}: FER2013 lies here in several copies ({found}). Name one.")
    return Layout(folders=tuple(part for form in forms for part in form.folders))


def read(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return FER2013's faces with the class target `expression`.

    Class indices are those of the owner's CSV in every form (4 Sad, 5 Surprise, 6 Neutral); class
    folders are matched by name. Splits: Training → train, PublicTest → validation, PrivateTest →
    test; in the folder form by the prefix of the file's name, and by the folder only where the name
    has none of the prefixes. Faces from a CSV stay in memory as uint8 `(rows, 48, 48)`.

    Rejected: a CSV row without exactly 2304 whole numbers in 0…255 or with an unknown label or
    Usage (damaged, `file:line`), the rows of test.csv (unlabelled), and files that are no usable
    image.

    Raises:
        UserError: when the layout, a column or every example is missing.
    """
    layout = find(folder)
    if layout.csvs:
        return _read_csvs(layout, progress)
    return _read_folders(layout, progress)


def _form(folder: Path) -> Layout | None:
    for name in _WHOLE_CSVS:
        csv = find_child(folder, name)
        if csv is not None and csv.is_file():
            return Layout(csvs=((csv, ""),))
    train, test = find_child(folder, "train.csv"), find_child(folder, "test.csv")
    if train is not None:
        return Layout(csvs=((train, "train"), *([(test, "test")] if test is not None else [])))
    parts = [(name, open_child(folder, name)) for name in ("train", "test")]
    folders = tuple((name, part) for name, part in parts if part and _class_folders(part))
    return Layout(folders=folders) if folders else None


def _read_csvs(layout: Layout, progress: bool) -> ExampleTable:
    frames, pixels, rejected = [], [], []
    for csv, split in layout.csvs:
        faces = read_faces(csv, _wanted_columns(csv, split), progress=progress)
        frame = faces.frame.assign(source=csv.name)
        kinds, reasons = _label_rows(frame, split)
        damaged = faces.reasons != ""
        kinds[damaged], reasons[damaged] = "damaged", faces.reasons[damaged]
        set_aside = zip(frame["example_id"], kinds, reasons, strict=True)
        rejected += [row for row in set_aside if row[1]]
        frames.append(frame[kinds == ""])
        pixels.append(faces.pixels[kinds == ""])
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[["example_id", "split", "source", "expression"]]
    return ExampleTable(
        name=NAME,
        frame=with_default_columns(frame.astype({"expression": np.int64})),
        targets=(TARGET,),
        payload=ArrayPayload({"pixels": np.concatenate(pixels)}, np.arange(len(frame))),
        groups_known=False,
        rejected=rejected_frame(rejected),
        read=len(frame) + len(rejected),
    )


def _wanted_columns(csv: Path, split: str) -> list[str]:
    if not split:
        return ["emotion", "pixels", "Usage"]
    return ["emotion", "pixels"] if split == "train" else ["pixels"]


def _label_rows(frame: pd.DataFrame, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Write `expression` and `split`; return each row's kind and reason of rejection, else ""."""
    kinds = np.full(len(frame), "", dtype=object)
    reasons = np.full(len(frame), "", dtype=object)
    if "emotion" in frame:
        labels = frame["emotion"]
        numbers = pd.to_numeric(labels, errors="coerce")
        known = numbers.isin(range(len(CLASS_NAMES))).to_numpy()
        kinds[~known] = "damaged"
        reasons[~known] = [f"emotion must be 0 to 6. Found: {label!r}" for label in labels[~known]]
        frame["expression"] = numbers.where(known, -1)
    else:
        kinds[:], reasons[:] = "unlabelled", "the file has no column emotion"
        frame["expression"] = -1
    frame["split"] = split
    if not split:
        splits = frame["Usage"].str.casefold().map(USAGE_SPLITS)
        strange = splits.isna().to_numpy()
        kinds[strange] = "damaged"
        reasons[strange] = [
            f"{USAGE_EXPECTED}. Found: {usage!r}" for usage in frame["Usage"][strange]
        ]
        frame["split"] = splits
    return kinds, reasons


def _read_folders(layout: Layout, progress: bool) -> ExampleTable:
    rows = []
    for part, part_folder in layout.folders:
        for class_name, folder in _class_folders(part_folder):
            source = f"{part}/{folder.name}"
            label = CLASS_NAMES.index(class_name)
            for path in list_folder(folder):
                if is_image_name(path):
                    split = USAGE_SPLITS.get(path.name.split("_")[0].casefold(), part)
                    identity = f"{source}/{example_id(path, folder)}"
                    rows.append((identity, split, source, label, path))
    columns = ["example_id", "split", "source", "expression", "path"]
    frame = pd.DataFrame(rows, columns=columns)
    return build_image_table(NAME, frame, (TARGET,), progress=progress)


def _class_folders(part: Path) -> list[tuple[str, Path]]:
    """Return (class name, folder) for each class folder below `part`, in the order of classes."""
    names = {name.casefold(): name for name in CLASS_NAMES} | _OTHER_FOLDER_NAMES
    if not part.is_dir():
        return []
    found = [
        (names[entry.name.casefold()], entry)
        for entry in list_folder(part)
        if entry.is_dir() and entry.name.casefold() in names
    ]
    return sorted(found, key=lambda pair: CLASS_NAMES.index(pair[0]))

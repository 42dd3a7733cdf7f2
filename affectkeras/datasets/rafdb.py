"""RAF-DB, the single-label ("basic") part: aligned 100 × 100 faces from the web, seven expressions.

Source: Li, Deng, Du, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression
Recognition in the Wild", CVPR 2017. Persons are not known, so a row is its own group.
"""

import dataclasses
from pathlib import Path

import pandas as pd

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
from affectkeras.errors import UserError

NAME = "rafdb"
# The owner's labels 1 … 7 are the indices 0 … 6.
CLASS_NAMES = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
TARGET = Target("expression", "class", CLASS_NAMES)
LAYOUT = """
basic/EmoLabel/list_patition_label.txt          lines "train_00001.jpg 5" (the owner spells it so)
basic/Image/aligned/train_00001_aligned.jpg     the folder may still be aligned.zip
"""

_LIST_NAMES = ("list_patition_label.txt", "list_partition_label.txt")
# The owner's test part is the one that papers report on: here it is kept for the end.
_SPLITS = {"train": "train", "test": "test"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found: the list of labels and the folder of aligned faces."""

    labels: Path
    aligned: Path


def find(folder: Path) -> Layout:
    """Return where the labels and aligned faces lie in `folder` (or one level below, or in a .zip).

    Raises:
        UserError: when either is missing; the message says what was looked for and what was seen.
    """
    top = find_top(folder, lambda place: _find_labels(place) is not None)
    if top is None:
        looked_for = f"basic/EmoLabel/{_LIST_NAMES[0]} (or {_LIST_NAMES[1]})"
        raise layout_error("RAF-DB", Path(folder), looked_for, LAYOUT)
    images = find_below(_basic(top), "Image")
    aligned = open_child(images, "aligned") if images is not None else None
    if aligned is None:
        looked_for = f"Image/aligned/ or Image/aligned.zip in {_basic(top)}"
        raise layout_error("RAF-DB", images or _basic(top), looked_for, LAYOUT)
    return Layout(_find_labels(top), aligned)


def read(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return the aligned faces with the class target `expression`.

    Splits: `train_…` → train, `test_…` → test. Rejected: a line that is not a name and a label from
    1 to 7, or a listed face that is missing or broken (damaged); a face that is not listed
    (unlabelled).

    Raises:
        UserError: when the layout is not found or the list is not a text file.
    """
    layout = find(folder)
    list_name = layout.labels.name
    rows, rejected, listed = [], [], set()
    for line, words in _read_lines(layout.labels):
        name, label, reason = _parse_words(words)
        if reason:
            rejected.append((f"EmoLabel/{list_name}:{line}", "damaged", reason))
            continue
        file_name = f"{Path(name).stem}_aligned{Path(name).suffix}"
        listed.add(file_name)
        split = _SPLITS[name.split("_")[0].casefold()]
        path = layout.aligned / file_name
        rows.append((f"Image/aligned/{file_name}", split, f"EmoLabel/{list_name}", label, path))
    for path in list_folder(layout.aligned):
        if is_image_name(path) and path.name not in listed:
            identity = f"Image/aligned/{example_id(path, layout.aligned)}"
            rejected.append((identity, "unlabelled", f"{list_name} does not name it"))
    frame = pd.DataFrame(rows, columns=["example_id", "split", "source", "expression", "path"])
    return build_image_table(NAME, frame, (TARGET,), rejected=rejected, progress=progress)


def _basic(folder: Path) -> Path:
    """Return the folder `basic`, whether the user named it or the folder above."""
    return find_child(folder, "basic") or folder


def _find_labels(folder: Path) -> Path | None:
    for name in _LIST_NAMES:
        labels = find_below(_basic(folder), "EmoLabel", name)
        if labels is not None:
            return labels
    return None


def _read_lines(labels: Path) -> list[tuple[int, list[str]]]:
    try:
        text = labels.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(
            f"{labels}: cannot be read as a text file ({error}). Take it anew from the archive."
        ) from error
    numbered = [(line, row.split()) for line, row in enumerate(text.splitlines(), start=1)]
    return [(line, words) for line, words in numbered if words]


def _parse_words(words: list[str]) -> tuple[str, int, str]:
    """Return (name, class index, "") of a line, or ("", -1, why it cannot be used)."""
    if len(words) != 2:
        return "", -1, f"expected a file name and a label. Found: {' '.join(words)!r}"
    name, label = words
    if "/" in name or not stays_inside(name) or name.split("_")[0].casefold() not in _SPLITS:
        return "", -1, f"the name must begin with train_ or test_. Found: {name!r}"
    if label not in {str(number + 1) for number in range(len(CLASS_NAMES))}:
        return "", -1, f"the label must be 1 to {len(CLASS_NAMES)}. Found: {label!r}"
    return name, int(label) - 1, ""

"""SFEW 2.0, or the set of 2011: stills from films, seven expressions, aligned or originals.

Aligned faces have 143 × 181 pixels, originals 720 × 576.
Source: Dhall, Goecke, Lucey, Gedeon, "Static Facial Expression Analysis in Tough Conditions: Data,
Evaluation Protocol and Benchmark", ICCV Workshops 2011. Who is shown is not told; films are: the
group of an image is its film, films of one series together.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import pandas as pd

from affectkeras.datasets.file_walk import list_entries, reject_unlisted
from affectkeras.datasets.folders import find_child, find_top, layout_error, open_child
from affectkeras.datasets.image_rows import build_image_table, is_image_name
from affectkeras.datasets.sfew_2011 import (
    PUBLISHED,
    is_features,
    looks_like_2011,
    read_2011,
    refuse_features,
    refuse_part,
)
from affectkeras.datasets.sfew_flat import find_flat, read_flat
from affectkeras.datasets.sfew_folders import (
    FILM_COLUMNS,
    find_classes,
    name_absent,
    read_classes,
    tell_films,
)
from affectkeras.datasets.table import ExampleTable, Target, example_id
from affectkeras.errors import UserError

NAME = "sfew"
CLASS_NAMES = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
TARGET = Target("expression", "class", CLASS_NAMES)
LAYOUT = """
Train/Train_Aligned_Faces/{Angry,Disgust,Fear,Happy,Neutral,Sad,Surprise}/*.png   aligned faces
Val/Val_Aligned_Faces_new/Val_Aligned_Faces/<class>/*.png    (or Val/Val_Aligned_Faces/<class>/)
Test/Test_Aligned_Faces/*.png                                without labels; may be absent
Train/<class>/*.png and Val/Val/<class>/*.png                the originals (--images original)
Each part may still be a .zip. Or the flattened copy: sfew_2.0_labels.csv and sfew2.0_images/*.png
Or the set of 2011: {Angry,Disgust,Fear,Happy,Neutral,Sad,Surprise}/*.png or *.jpg, without parts;
a class folder may also be named Anger, Disgusted, Happiness, Sadness or Surprised
"""
# Aligned images per class, Angry … Surprise: Figures 2 and 3 of Wang, "Faces Emotion Classification
# with Bimodal Distribution Removal based on ResNet".
PAPER_COUNTS = {
    "train": (178, 52, 78, 184, 144, 161, 94),
    "validation": (77, 23, 46, 84, 72, 73, 56),
}

Images = Literal["aligned", "original"]

_OWNERS = {"train": "Train", "validation": "Val", "test": "Test"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        train, validation: the folder that holds the class folders.
        test: the folder of the unlabelled images.
        flat_labels, flat_images: the flattened copy, instead of the three above.
        set_of_2011: the folder that holds the class folders of that set, instead of all above.
        missing: a sentence for each part that should be there and is not, with the mend.
        published: how many examples its owners tell of, where they are not those of SFEW 2.0.
    """

    train: Path | None = None
    validation: Path | None = None
    test: Path | None = None
    flat_labels: Path | None = None
    flat_images: Path | None = None
    set_of_2011: Path | None = None
    missing: tuple[str, ...] = ()
    published: str = ""


def find(folder: Path, *, images: Images = "aligned") -> Layout:
    """Return where the parts lie in `folder` (or one level below, or in a .zip).

    Raises:
        UserError: when neither the training nor the validation part is there, nor one of the other
            forms; the message says what was looked for and what was seen.
    """
    if images not in ("aligned", "original"):
        raise UserError(f"`images` must be 'aligned' or 'original'. Received: images={images!r}")
    folder = Path(folder)
    if is_features(folder):
        refuse_features(folder)
    top = find_top(folder, lambda place: _form(place) is not None)
    if top is None:
        refuse_part(folder, CLASS_NAMES)
        refuse_features(folder)
        looked_for = "Train, Val, sfew_2.0_labels.csv or class folders"
        raise layout_error("SFEW", folder, looked_for, LAYOUT)
    form = _form(top)
    if form != "parts" and images == "original":
        raise UserError(
            f"{folder}: the {form} holds one kind of images only. Leave out --images original."
        )
    if form == "flattened copy":
        labels, flat_images = find_flat(top)
        return Layout(flat_labels=labels, flat_images=flat_images)
    if form == "set of 2011":
        missing = tuple(name_absent(top, CLASS_NAMES, f"the {form}"))
        return Layout(set_of_2011=top, missing=missing, published=PUBLISHED)
    parts = {split: _find_part(top, owner, images) for split, owner in _OWNERS.items()}
    if parts["train"] is None and parts["validation"] is None:
        other = "original" if images == "aligned" else "aligned"
        looked_for = f"the {images} images of Train and Val"
        if _find_part(top, "Train", other) or _find_part(top, "Val", other):
            looked_for += f" (the {other} ones are there: --images {other})"
        raise layout_error("SFEW", Path(top), looked_for, LAYOUT)
    return Layout(**parts, missing=_name_missing(parts, images))


def read(folder: Path, *, images: Images = "aligned", progress: bool = True) -> ExampleTable:
    """Return the images with the class target `expression`.

    Columns beside the fixed ones: `movie` (as the file names it), `clip` (movie and time),
    `frame_number`, `width`, `height` (pixels). `group` is the film's series, see `franchise`.
    Splits: Train → train, Val → validation. Rejected: an image that is broken, or whose name does
    not tell its film (damaged); the Test images and those in no class folder (unlabelled); other
    files and folders (excluded). The flattened copy has lost the films: its groups are unknown. The
    set of 2011 has no split, and where none of its names tells a film, its groups are unknown too.

    Args:
        images: the aligned faces or the original stills.

    Raises:
        UserError: when the layout is not found.
    """
    layout = find(folder, images=images)
    if layout.flat_labels is not None:
        frame, rejected = read_flat(layout.flat_labels, layout.flat_images, CLASS_NAMES)
        return build_image_table(NAME, frame, (TARGET,), rejected=rejected, progress=progress)
    if layout.set_of_2011 is not None:
        frame, rejected = read_2011(layout.set_of_2011, CLASS_NAMES)
        return build_image_table(NAME, frame, (TARGET,), rejected=rejected, progress=progress)
    rows, rejected = [], []
    for split in ("train", "validation"):
        part = getattr(layout, split)
        if part is not None:
            name = _part_name(split, images)
            found, left_out = read_classes(part, _identifier(part, name), CLASS_NAMES)
            found, nameless = tell_films(found)
            rows += [(row[0], split, name, *row[1:]) for row in found]
            rejected += left_out + nameless
    if layout.test is not None:
        identify = _identifier(layout.test, _part_name("test", images))
        reason = "the owner keeps the labels of the test part"
        rejected += reject_unlisted(layout.test, identify, "unlabelled", reason)
    columns = ["example_id", "split", "source", "expression", "path", *FILM_COLUMNS]
    frame = pd.DataFrame(rows, columns=columns)
    return build_image_table(NAME, frame, (TARGET,), rejected=rejected, progress=progress)


def _form(place: Path) -> str | None:
    """Return in which form the data set lies in a folder: what to call it, or None."""
    names = ("Train", "Val", "Train_Aligned_Faces", "Val_Aligned_Faces", "Val_Aligned_Faces_new")
    if find_flat(place) is not None:
        return "flattened copy"
    if any(find_child(place, name, f"{name}.zip") for name in names):
        return "parts"
    return "set of 2011" if looks_like_2011(place, CLASS_NAMES) else None


def _find_part(top: Path, owner: str, images: Images) -> Path | None:
    """Return the folder that holds the class folders (for Test: the images) of one part."""
    inside = find_child(top, owner)
    if inside is None and find_child(top, f"{owner}.zip") is not None:
        inside = open_child(top, owner)
    if images == "original":
        # Val/Val/<class>, but Train/<class>.
        part = (open_child(inside, owner) or inside) if inside is not None else None
        return part if part is not None and _holds_examples(part, owner) else None
    names = (f"{owner}_Aligned_Faces_new", f"{owner}_Aligned_Faces")
    for place in [inside, top]:
        for name in names:
            part = open_child(place, name) if place is not None else None
            if part is not None:
                inner = [open_child(part, inner_name) for inner_name in names]
                return next((child for child in inner if child is not None), part)
    return None


def _holds_examples(part: Path, owner: str) -> bool:
    if owner == "Test":
        return any(is_image_name(path) for path in list_entries(part)[1])
    return bool(find_classes(part, CLASS_NAMES))


def _name_missing(parts: dict[str, Path | None], images: Images) -> tuple[str, ...]:
    missing = []
    for split in ("train", "validation"):
        name = _part_name(split, images)
        if parts[split] is None:
            owner = _OWNERS[split]
            missing.append(
                f"the {images} images of the {split} part ({owner}/…): unpack {name} into {owner}/"
            )
        else:
            missing += name_absent(parts[split], CLASS_NAMES, name)
    return tuple(missing)


def _part_name(split: str, images: Images) -> str:
    return _OWNERS[split] + ("_Aligned_Faces" if images == "aligned" else "")


def _identifier(part: Path, part_name: str):
    """Return path → example id: the same whether a part is a folder or a .zip, doubled or not."""
    return lambda path: f"{part_name}/{example_id(path, part)}"

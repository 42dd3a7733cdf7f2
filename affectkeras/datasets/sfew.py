"""SFEW 2.0: stills from films, seven expressions; aligned faces 143 × 181 or originals 720 × 576.

Source: Dhall, Goecke, Lucey, Gedeon, "Static Facial Expression Analysis in Tough Conditions: Data,
Evaluation Protocol and Benchmark", ICCV Workshops 2011. Who is shown is not told; films are: the
group of an image is its film, films of one series together.
"""

import dataclasses
import re
from pathlib import Path
from typing import Literal

import pandas as pd

from affectkeras.datasets.file_walk import list_entries, reject_unlisted, walk_files
from affectkeras.datasets.folders import find_child, find_top, layout_error, open_child
from affectkeras.datasets.image_rows import build_image_table, is_image_name
from affectkeras.datasets.sfew_flat import find_flat, read_flat
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
"""
# Aligned images per class, Angry … Surprise: Figures 2 and 3 of Wang, "Faces Emotion Classification
# with Bimodal Distribution Removal based on ResNet".
PAPER_COUNTS = {
    "train": (178, 52, 78, 184, 144, 161, 94),
    "validation": (77, 23, 46, 84, 72, 73, 56),
}

Images = Literal["aligned", "original"]

_OWNERS = {"train": "Train", "validation": "Val", "test": "Test"}
# Film, time of the clip (HHMMSSmmm), number of the frame. Films may hold digits and underscores,
# so the name is read from its right end; one file has a hyphen before the time.
_NAME = re.compile(r"(.+)[_-](\d{9})_(\d{8})\.(?:png|jpe?g)", re.IGNORECASE)
# Series whose films do not share their whole title.
_SERIES = ("harrypotter", "oceans")
_SEQUEL = re.compile(
    r"(?:\d+"  # Grudge2
    r"|(?<=[a-z0-9_ -])(?:II|III|IV|VI{1,3}|IX)"  # RockyII; I, V and X alone also end whole titles
    r"|[_ -](?:[IVX]+|(?i:part|chapter|episode|vol|volume|two|three|sequel|returns|reloaded)))$"
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        train, validation: the folder that holds the class folders.
        test: the folder of the unlabelled images.
        flat_labels, flat_images: the flattened copy, instead of the three above.
        missing: a sentence for each part that should be there and is not, with the mend.
    """

    train: Path | None = None
    validation: Path | None = None
    test: Path | None = None
    flat_labels: Path | None = None
    flat_images: Path | None = None
    missing: tuple[str, ...] = ()


def find(folder: Path, *, images: Images = "aligned") -> Layout:
    """Return where the parts lie in `folder` (or one level below, or in a .zip).

    Raises:
        UserError: when neither the training nor the validation part is there; the message says
            what was looked for and what was seen.
    """
    if images not in ("aligned", "original"):
        raise UserError(f"`images` must be 'aligned' or 'original'. Received: images={images!r}")
    top = find_top(folder, _looks_right)
    if top is None:
        raise layout_error("SFEW", Path(folder), "Train, Val or sfew_2.0_labels.csv", LAYOUT)
    flat = find_flat(top)
    if flat is not None:
        if images == "original":
            raise UserError(
                f"{folder}: the flattened copy holds one kind of images only. Leave out "
                "--images original."
            )
        return Layout(flat_labels=flat[0], flat_images=flat[1])
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
    files and folders (excluded). The flattened copy has lost the films: its groups are unknown.

    Args:
        images: the aligned faces or the original stills.

    Raises:
        UserError: when the layout is not found.
    """
    layout = find(folder, images=images)
    if layout.flat_labels is not None:
        frame, rejected = read_flat(layout.flat_labels, layout.flat_images, CLASS_NAMES)
        return build_image_table(NAME, frame, (TARGET,), rejected=rejected, progress=progress)
    rows, rejected = [], []
    for split in ("train", "validation"):
        part = getattr(layout, split)
        if part is not None:
            found, left_out = _read_part(part, split, _part_name(split, images))
            rows += found
            rejected += left_out
    if layout.test is not None:
        identify = _identifier(layout.test, _part_name("test", images))
        reason = "the owner keeps the labels of the test part"
        rejected += reject_unlisted(layout.test, identify, "unlabelled", reason)
    columns = ["example_id", "split", "source", "expression", "path"]
    columns += ["group", "movie", "clip", "frame_number"]
    frame = pd.DataFrame(rows, columns=columns)
    return build_image_table(NAME, frame, (TARGET,), rejected=rejected, progress=progress)


def parse_name(name: str) -> tuple[str, str, int] | None:
    """Return (movie, time of the clip as HHMMSSmmm, frame number) of a file name, or None."""
    match = _NAME.fullmatch(name)
    return (match[1], match[2], int(match[3])) if match else None


def franchise(movie: str) -> str:
    """Return the series a film belongs to, in lower case without separators.

    Films of one series share their cast, so they must not be split: all of Harry Potter and of
    Ocean's are one group each, and what marks a sequel at the end of a title (digits, Roman
    numerals, words such as `_Part`) is taken off. A title that consists of such a mark alone,
    as the films `21` and `v`, stays.
    """
    plain = re.sub(r"[\W_]+", "", movie).casefold()
    for series in _SERIES:
        if plain.startswith(series):
            return series
    title = movie
    while True:
        shorter = _SEQUEL.sub("", title).rstrip("_ -")
        if not shorter or shorter == title:
            return re.sub(r"[\W_]+", "", title).casefold() or movie
        title = shorter


def _looks_right(place: Path) -> bool:
    names = ("Train", "Val", "Train_Aligned_Faces", "Val_Aligned_Faces", "Val_Aligned_Faces_new")
    found = [find_child(place, name, f"{name}.zip") for name in names]
    return any(found) or find_flat(place) is not None


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
    return any(find_child(part, name) for name in CLASS_NAMES)


def _name_missing(parts: dict[str, Path | None], images: Images) -> tuple[str, ...]:
    missing = []
    for split in ("train", "validation"):
        name = _part_name(split, images)
        if parts[split] is None:
            owner = _OWNERS[split]
            missing.append(
                f"the {images} images of the {split} part ({owner}/…): unpack {name} into {owner}/"
            )
            continue
        absent = [label for label in CLASS_NAMES if find_child(parts[split], label) is None]
        if absent:
            missing.append(
                f"the class folders {', '.join(absent)} of {name}: unpack the whole archive again"
            )
    return tuple(missing)


def _part_name(split: str, images: Images) -> str:
    return _OWNERS[split] + ("_Aligned_Faces" if images == "aligned" else "")


def _identifier(part: Path, part_name: str):
    """Return path → example id: the same whether a part is a folder or a .zip, doubled or not."""
    return lambda path: f"{part_name}/{example_id(path, part)}"


def _read_part(part: Path, split: str, part_name: str) -> tuple[list, list]:
    """Return (rows, rejected) of the class folders below `part`."""
    identify = _identifier(part, part_name)
    classes = {name.casefold(): index for index, name in enumerate(CLASS_NAMES)}
    rows, rejected = [], []
    try:
        folders, files = list_entries(part)
    except OSError as error:
        raise UserError(
            f"{part}: cannot be listed ({error.strerror}). Make it readable for you."
        ) from error
    for path in files:
        rejected += reject_unlisted(path, identify, "unlabelled", "it lies in no class folder")
    for folder in folders:
        expression = classes.get(folder.name.casefold())
        if expression is not None:
            found, left_out = _read_class(folder, identify)
            rows += [(row[0], split, part_name, expression, *row[1:]) for row in found]
            rejected += left_out
        elif "_aligned_faces" not in folder.name.casefold():  # the other kind of images
            reason = f"the folder {folder.name} is none of the classes {', '.join(CLASS_NAMES)}"
            rejected += reject_unlisted(folder, identify, "excluded", reason)
    return rows, rejected


def _read_class(folder: Path, identify) -> tuple[list, list]:
    files, unreadable = walk_files(folder)
    rows = []
    rejected = [(identify(path), "damaged", reason) for path, reason in unreadable]
    for path in files:
        identity = identify(path)
        parsed = parse_name(identity.rsplit("/", 1)[-1])
        if not is_image_name(path):
            rejected.append((identity, "excluded", "not a JPEG or PNG by its name"))
        elif parsed is None:
            reason = (
                "its name does not tell the film, so it cannot be kept on one side of a split: "
                "expected Film_HHMMSSmmm_NNNNNNNN.png. Restore the owner's name"
            )
            rejected.append((identity, "damaged", reason))
        else:
            movie, time, frame_number = parsed
            clip = f"{movie}_{time}"
            row = (identity, path, franchise(movie), movie, clip, frame_number)
            rows.append(row)
    return rows, rejected

"""Any folder of labelled images: one folder per class, with or without a folder per split."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.file_walk import list_entries, reject_unlisted, walk_files
from affectkeras.datasets.folders import layout_error
from affectkeras.datasets.image_rows import IMAGE_SUFFIXES, build_image_table, is_image_name
from affectkeras.datasets.table import ExampleTable, Target, example_id
from affectkeras.errors import UserError

NAME = "image_folder"
# The names of the folders are the names of the classes.
CLASS_NAMES: tuple[str, ...] = ()
LAYOUT = """
<class>/**/*.{jpg,jpeg,png}             at least two class folders
train/<class>/…, val/<class>/…, test/<class>/…     or one such folder per split (also training,
                                                    valid, validation, testing)
"""

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        top: the folder below which example ids are paths.
        parts: (split or "", folder that holds class folders).
        class_names: the names of the class folders of all parts, sorted.
    """

    top: Path
    parts: tuple[tuple[str, Path], ...]
    class_names: tuple[str, ...]


def find(folder: Path) -> Layout:
    """Return the split and class folders below `folder` (a folder or .zip, possibly doubled).

    Raises:
        UserError: when there are fewer than two classes, or two whose names differ in case only.
    """
    folder = Path(folder)
    top = _enter_doubled(open_folder(folder), folder.stem)
    parts = _split_folders(top) or (("", top),)
    names = {_printable(child) for _, part in parts for child in _list(part)[0]}
    names = tuple(sorted(names))
    if len(names) < 2:
        found = f"two or more class folders (found {', '.join(names) or 'none'})"
        raise layout_error("a folder of labelled images", top, found, LAYOUT)
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise UserError(
                f"{folder}: the class folders {other!r} and {name!r} differ in case only. Rename "
                "one of them."
            )
    return Layout(top, parts, names)


def read(folder: Path, *, group_pattern: str | None = None, progress: bool = True) -> ExampleTable:
    """Return the images with the class target `expression`: the name of their class folder.

    Rejected: an image that is broken (damaged); an image outside every class folder (unlabelled);
    another kind of file, or a folder beside the split folders (excluded). Columns beside the fixed
    ones: `width`, `height` (pixels).

    Args:
        group_pattern: a regular expression, searched in each image's path below the folder; what
            its capturing group (the one it has, or the one named `group`) finds is the image's
            group: person, film, video. None: groups are unknown.

    Raises:
        UserError: when there are fewer than two classes, a class without a single image, or the
            pattern is invalid or does not match an image's path.
    """
    find_group = None if group_pattern is None else _compile_group(group_pattern)
    layout = find(folder)
    classes = {name: index for index, name in enumerate(layout.class_names)}
    rows, rejected = [], _reject_siblings(layout)
    for split, part in layout.parts:
        for class_folder in _list(part)[0]:
            _list(class_folder)  # a class that cannot be listed must not pass for an empty one
            found, left_out = _read_class(class_folder, layout.top)
            expression = classes[_printable(class_folder)]
            source = example_id(class_folder, layout.top)
            rows += [(identity, split, source, expression, path) for identity, path in found]
            rejected += left_out
    columns = ["example_id", "split", "source", "expression", "path"]
    frame = pd.DataFrame(rows, columns=columns)
    for name, expression in classes.items():
        if not (frame["expression"] == expression).any():
            raise UserError(
                f"{folder}: the class folder {name!r} holds no image "
                f"({', '.join(IMAGE_SUFFIXES)}). Remove the folder or put images into it."
            )
    if find_group is not None:
        frame["group"] = [find_group(identity) for identity in frame["example_id"]]
    target = Target("expression", "class", layout.class_names)
    return build_image_table(NAME, frame, (target,), rejected=rejected, progress=progress)


def _compile_group(pattern: str) -> Callable[[str], str]:
    """Return a function from an example id to its group."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(
            f"`group_pattern` is no valid regular expression: {error}. Received: "
            f"group_pattern={pattern!r}"
        ) from error
    if "group" in compiled.groupindex:
        key = "group"
    elif compiled.groups == 1:
        key = 1
    else:
        raise UserError(
            "`group_pattern` must have one capturing group, such as '(s\\d+)_', or one named "
            f"'(?P<group>…)'. Received: group_pattern={pattern!r} with {compiled.groups} groups"
        )

    def find_group(identity: str) -> str:
        match = compiled.search(identity)
        if match is None or not match[key]:
            raise UserError(
                f"{identity}: `group_pattern` finds no group in this path. Received: "
                f"group_pattern={pattern!r}. Change the pattern or the file's name, or leave the "
                "pattern out: groups then count as unknown."
            )
        return match[key]

    return find_group


def _enter_doubled(folder: Path, name: str) -> Path:
    """Return the only folder in `folder` if it repeats its name or holds the splits."""
    folders, files = _list(folder)
    if len(folders) == 1 and not any(is_image_name(file) for file in files):
        only = folders[0]
        if only.name.casefold() == name.casefold() or _split_folders(only):
            return only
    return folder


def _split_folders(top: Path) -> tuple[tuple[str, Path], ...]:
    """Return the split folders of `top`; none where it holds no `train` with folders in it."""
    folders = [folder for folder in _list(top)[0] if folder.name.casefold() in _SPLITS]
    if not any(_list(folder)[0] for folder in folders):
        return ()
    return tuple((_SPLITS[folder.name.casefold()], folder) for folder in folders)


def _reject_siblings(layout: Layout) -> list[tuple[str, str, str]]:
    """Return rejected rows for images outside the class folders."""

    def identify(path):
        return example_id(path, layout.top)

    rejected = []
    for folder in dict.fromkeys([layout.top, *(part for _, part in layout.parts)]):
        for path in _list(folder)[1]:
            rejected += reject_unlisted(path, identify, "unlabelled", "it lies in no class folder")
    parts = [part for _, part in layout.parts]
    if parts != [layout.top]:
        for other in _list(layout.top)[0]:
            if other not in parts:
                reason = "its folder stands beside the split folders"
                rejected += reject_unlisted(other, identify, "excluded", reason)
    return rejected


def _read_class(folder: Path, top: Path) -> tuple[list, list]:
    files, unreadable = walk_files(folder)
    rejected = [(example_id(path, top), "damaged", reason) for path, reason in unreadable]
    rows = []
    for path in files:
        if is_image_name(path):
            rows.append((example_id(path, top), path))
        else:
            row = (example_id(path, top), "excluded", "not a JPEG or PNG by its name")
            rejected.append(row)
    return rows, rejected


def _list(folder: Path) -> tuple[list[Path], list[Path]]:
    try:
        return list_entries(folder)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be listed ({error.strerror}). Make it readable for you."
        ) from error


def _printable(folder: Path) -> str:
    return example_id(folder, folder.parent)

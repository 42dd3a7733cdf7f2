"""Which photographs `crop-faces` looks at, and where their crops must not go."""

import collections
import os
from collections.abc import Sequence
from pathlib import Path

from affectkeras.cropping.crop_folder import printable
from affectkeras.datasets.file_walk import walk_files
from affectkeras.datasets.image_rows import IMAGE_SUFFIXES, is_image_name
from affectkeras.errors import UserError


def find_photos(
    inputs: Sequence[Path], destination: Path
) -> tuple[list[tuple[str, Path, Path]], collections.Counter]:
    """Return the photographs to look at.

    Returns:
        `(source, file, path below the folder of crops without .png)` of each, and how many other
        files of which suffix lie beside them.

    Raises:
        UserError: when there is none, an input is missing, or the destination lies among them.
    """
    inputs = list(dict.fromkeys(map(Path, inputs)))
    for given in inputs:
        if not os.path.lexists(given):
            raise UserError(f"{given}: no such file or folder. Give photographs or a folder.")
        _refuse_overlap(given, Path(destination))
    if not any(given.is_dir() for given in inputs):
        files = {os.path.abspath(given): given for given in inputs}
        found = [(printable(p), path, Path(path.name)) for p, path in files.items()]
        return found, collections.Counter()
    if len(inputs) > 1:
        raise UserError("Give one folder, or files: several folders could hold equal names.")
    files, unreadable = walk_files(inputs[0])
    if unreadable:
        folder, reason = unreadable[0]
        raise UserError(f"{folder}: {reason}. Allow reading it, or give other folders.")
    images = [path for path in files if is_image_name(path)]
    if not images:
        raise UserError(
            f"{inputs[0]}: no image below this folder: looked for names ending in "
            f"{', '.join(IMAGE_SUFFIXES)} at any depth."
        )
    below = [path.relative_to(inputs[0]) for path in images]
    others = collections.Counter(path.suffix.casefold() for path in set(files) - set(images))
    found = [(printable(b.as_posix()), path, b) for path, b in zip(images, below, strict=True)]
    return found, others


def _refuse_overlap(given: Path, destination: Path) -> None:
    source, target = Path(os.path.realpath(given)), Path(os.path.realpath(destination))
    if given.is_dir() and target.is_relative_to(source):
        raise UserError(
            f"{destination}: lies in {given}, where the crops would be taken for photographs. Give "
            "a folder outside."
        )
    if source.is_relative_to(target):
        raise UserError(
            f"{given}: lies in {destination}, where crops could be written over photographs. Give "
            "another folder for the crops."
        )

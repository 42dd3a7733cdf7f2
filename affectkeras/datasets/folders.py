"""Finding the parts of a raw folder: names in any case, archives still zipped, a doubled top."""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.table import example_id
from affectkeras.errors import UserError


def find_child(folder: Path, *names: str) -> Path | None:
    """Return the entry of `folder` with the first of `names` that is there, in any case."""
    entries = {entry.name.casefold(): entry for entry in list_folder(folder)}
    for name in names:
        if name.casefold() in entries:
            return entries[name.casefold()]
    return None


def find_below(folder: Path, *parts: str) -> Path | None:
    """Return the entry `folder/parts[0]/parts[1]/…`, each name in any case, or None."""
    for part in parts:
        found = find_child(folder, part) if folder.is_dir() else None
        if found is None:
            return None
        folder = found
    return folder


def open_child(folder: Path, name: str) -> Path | None:
    """Return the folder `name` below `folder`, or `name.zip` opened; None when neither is there.

    Archives often hold one more folder of their own name: that one is entered.
    """
    child = find_child(folder, name)
    if child is None or not child.is_dir():
        archive = find_child(folder, f"{name}.zip")
        if archive is None:
            return None
        child = open_folder(archive)
    doubled = find_child(child, name)
    return doubled if doubled is not None and doubled.is_dir() else child


def find_tops(folder: Path, looks_right: Callable[[Path], bool]) -> list[Path]:
    """Return the folders that hold a data set: `folder`, else those one level below, else in zips.

    Args:
        folder: what the user named: a folder or a .zip file.
        looks_right: whether a folder holds the data set's parts.

    Raises:
        UserError: when `folder` is not there, or no folder nor a .zip file.
    """
    folder = open_folder(folder)
    if looks_right(folder):
        return [folder]
    for level in (_folders_below, _archives_below):
        right = [place for place in level(folder) if looks_right(place)]
        if right:
            return right
    return []


def find_top(folder: Path, looks_right: Callable[[Path], bool]) -> Path | None:
    """Return the one folder that `find_tops` finds, or None.

    Raises:
        UserError: when `folder` is not there, or several places one level below look right.
    """
    right = find_tops(folder, looks_right)
    if len(right) > 1:
        names = ", ".join(place.name for place in right)
        raise UserError(
            f"{folder}: several places below look like the data set: {names}. Name one of them."
        )
    return right[0] if right else None


def describe(folder: Path, most: int = 8) -> str:
    """Return what a folder holds as a short text for error messages."""
    names = [
        example_id(entry, folder) + ("/" if entry.is_dir() else "")
        for entry in list_folder(Path(folder))
    ]
    if not names:
        return "nothing" if Path(folder).is_dir() else "a file, not a folder"
    more = f" … ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def layout_error(name: str, folder: Path, looked_for: str, layout: str) -> UserError:
    """Return the error of a folder in which a data set's parts were not found."""
    return UserError(
        f"{folder}: this does not look like {name}. Looked for {looked_for}; found "
        f"{describe(open_folder(folder))}. Expected layout:\n{layout.strip()}\nUnpack or move the "
        "files so, or name the folder that holds them."
    )


def stays_inside(name: str) -> bool:
    """Return whether a relative name from a list of labels can name a file below its folder."""
    path = PurePosixPath(name)
    return (
        bool(path.name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name
    )


def list_folder(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted, without hidden ones; none where it is no folder.

    Raises:
        UserError: when the folder cannot be listed.
    """
    if not folder.is_dir():
        return []
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be listed ({error.strerror}). Make it readable for you."
        ) from error


def _folders_below(folder: Path) -> list[Path]:
    # "__MACOSX" is what macOS adds to archives: a shadow of every folder without its data.
    return [entry for entry in list_folder(folder) if entry.is_dir() and entry.name != "__MACOSX"]


def _archives_below(folder: Path) -> list[Path]:
    """Return each .zip of the folder, opened: its content, or the folders one level below."""
    places = []
    for entry in list_folder(folder):
        if entry.suffix.casefold() == ".zip" and entry.is_file():
            opened = open_folder(entry)
            places += [opened, *_folders_below(opened)]
    return places

"""Listing the files below a folder, whatever links and litter lie in it."""

import os
from collections.abc import Callable
from pathlib import Path

from affectkeras.datasets.image_rows import is_image_name

_LITTER = ("__macosx", "thumbs.db", "desktop.ini")


def walk_files(folder: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Return all files below `folder`, sorted, and the folders that cannot be listed.

    Links to folders are followed, but no folder is entered twice, and a link that leads to a folder
    above is not followed: what lies beside `folder` must not seem to lie in it. Hidden files and
    what macOS and Windows leave behind are passed over.

    Returns:
        The files, and `(folder, reason)` of each folder that cannot be listed.
    """
    files, unreadable = [], []
    seen = set()
    own = Path(os.path.realpath(folder))
    folders, links = [Path(folder)], []
    # Links come last, so that a file is listed by its own name rather than by one that leads to it.
    while folders or links:
        current = folders.pop() if folders else links.pop(0)
        try:
            status = os.stat(current)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(current) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            unreadable.append((current, f"the folder cannot be listed: {error.strerror}"))
            continue
        for entry in entries:
            if is_litter(entry.name):
                continue
            path = current / entry.name
            if not path.is_dir():
                files.append(path)
            elif not entry.is_symlink():
                folders.append(path)
            elif not own.is_relative_to(os.path.realpath(path)):
                links.append(path)
    return sorted(files), unreadable


def list_entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders and the files right below `folder`, sorted, without litter.

    A link that leads back to `folder` or above is left out.

    Raises:
        OSError: when the folder cannot be listed.
    """
    entries = [Path(folder) / name for name in sorted(os.listdir(folder)) if not is_litter(name)]
    real = Path(os.path.realpath(folder))
    above = (real, *real.parents)
    folders = [
        entry for entry in entries if entry.is_dir() and Path(os.path.realpath(entry)) not in above
    ]
    return folders, [entry for entry in entries if not entry.is_dir()]


def is_litter(name: str) -> bool:
    """Return whether a file or folder of that name is hidden or left behind by a system."""
    return name.startswith(".") or name.casefold() in _LITTER


def reject_unlisted(
    folder: Path, identify: Callable[[Path], str], kind: str, reason: str
) -> list[tuple[str, str, str]]:
    """Return a rejected row for every image below `folder` (a folder or a file).

    Args:
        identify: path → its example id.
        kind: why, in one word, as in `ExampleTable.rejected`.
        reason: why, as a sentence.
    """
    files, unreadable = walk_files(folder) if folder.is_dir() else ([folder], [])
    rows = [(identify(path), kind, reason) for path in files if is_image_name(path)]
    return rows + [(identify(path), "damaged", why) for path, why in unreadable]

"""Finding the recordings of an Empatica E4 below a folder, unpacked or still zipped."""

import zipfile
from pathlib import Path, PurePosixPath

from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.e4_files import is_e4_folder
from affectkeras.datasets.e4_numbers import show_path
from affectkeras.datasets.file_walk import is_litter, walk_files
from affectkeras.datasets.table import example_id
from affectkeras.errors import UserError


def find_e4_folders(folder: Path) -> dict[str, Path]:
    """Return the folders with an E4's files, `folder` itself and any below it, by their names.

    A name is the path below `folder`, or its own name where it is the recording; that of a
    recording in a .zip is the path the .zip would unpack to. Where a recording lies there both
    zipped and unpacked, the unpacked one is taken.

    Args:
        folder: a folder or an archive.

    Raises:
        UserError: when `folder` is not there, a folder in it cannot be listed or a .zip with an
            E4's files cannot be unpacked.
    """
    top = open_folder(folder)
    found = _find_unpacked(top)
    if top in found.values():
        # A recording is not looked through for others.
        return {_own_name(folder, top): top}
    for path in walk_files(top)[0]:
        if path.suffix.casefold() == ".zip" and _holds_e4(path):
            opened = open_folder(path)
            stem = example_id(path.with_suffix(""), top)
            for name, place in _find_unpacked(opened).items():
                # Archives often hold one more folder of their own name.
                repeats = place == opened or name == path.stem
                found.setdefault(stem if repeats else f"{stem}/{name}", place)
    return dict(sorted(found.items()))


def _find_unpacked(top: Path) -> dict[str, Path]:
    files, unreadable = walk_files(top)
    if unreadable:
        path, reason = unreadable[0]
        raise UserError(f"{show_path(path)}: {reason}. Make it readable for you, or move it away.")
    names: dict[Path, list[str]] = {}
    for path in files:
        names.setdefault(path.parent, []).append(path.name)
    return {example_id(parent, top): parent for parent, own in names.items() if is_e4_folder(own)}


def _own_name(folder: Path, top: Path) -> str:
    folder = Path(folder).absolute()
    return example_id(folder if folder == top.absolute() else folder.with_suffix(""), folder.parent)


def _holds_e4(path: Path) -> bool:
    """Return whether a .zip lists an E4's files; a damaged one does, so that it is named."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [PurePosixPath(name) for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError):
        return True
    return is_e4_folder(
        member.name for member in members if not any(is_litter(part) for part in member.parts)
    )

"""Reading data sets that are still zipped, as their owner sent them."""

import hashlib
import lzma
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from filelock import FileLock

from affectkeras.cache import cache_dir
from affectkeras.errors import UserError

# No data set of still images read here is larger once unpacked.
MAXIMUM_BYTES = 300 * 1024**3
# Deflate cannot do better than about 1 : 1032; images stay below 1 : 50.
MAXIMUM_RATIO = 200
_SMALL = 100 * 1024**2


def open_folder(path: Path) -> Path:
    """Return a folder with the content of `path`: a folder itself, a .zip file extracted once.

    The extracted copy lies in the cache, named by the archive's path, size and time of change, and
    is put there in one step: it is whole, or not there, also when two processes ask at once.

    Raises:
        UserError: when `path` is not there or no .zip file, or the archive is damaged, encrypted,
            would write outside its folder or is absurdly large.
    """
    path = Path(path)
    if path.is_dir():
        return path
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(
            f"{path}: expected a folder or a .zip file ({error.strerror}). Check the path."
        ) from error
    key = repr((os.fspath(path.resolve()), status.st_size, status.st_mtime_ns))
    digest = hashlib.sha256(os.fsencode(key)).hexdigest()[:16]
    root = cache_dir("extracted")
    target = root / f"{path.stem[:60]}-{digest}"
    if target.is_dir():
        return target
    with FileLock(os.fspath(root / f"{digest}.lock")):
        if not target.is_dir():
            _extract_whole(path, target)
    return target


def _extract_whole(path: Path, target: Path) -> None:
    """Extract beside the target and move there at the end, so that no half folder is ever seen."""
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=target.parent))
    try:
        with zipfile.ZipFile(path) as archive:
            members = _check_members(path, archive.infolist(), target.parent)
            for member in members:
                archive.extract(member, unfinished)
        unfinished.chmod(0o755)
        os.replace(unfinished, target)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise UserError(
            f"{path}: expected a .zip file that can be unpacked. Found: {error}. Fetch the archive "
            "again; if it is of another kind (.rar, .7z, .tar.gz), unpack it and name the folder."
        ) from error
    except NotImplementedError as error:
        raise UserError(
            f"{path}: uses a way of packing unknown to Python ({error}). Unpack it with the "
            "program that made it and name the folder."
        ) from error
    except OSError as error:
        raise UserError(
            f"{path}: could not be unpacked into {target.parent}: {error}. Unpack it yourself and "
            "name the folder, or set AFFECTKERAS_CACHE to a place that can be written and has room."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _check_members(
    path: Path, members: list[zipfile.ZipInfo], place: Path
) -> list[zipfile.ZipInfo]:
    """Return the members to extract, or raise `UserError` before a single byte is written."""
    for member in members:
        name = member.filename.replace("\\", "/")
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or (parts and parts[0].endswith(":")):
            raise UserError(
                f"{path}: the member {member.filename!r} would be written outside the folder. This "
                "is not an archive as its owner made it: fetch it again."
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UserError(
                f"{path}: the member {member.filename!r} is a symbolic link, which is not followed "
                "in archives. Unpack it yourself and name the folder."
            )
        if member.flag_bits & 0x1:
            raise UserError(
                f"{path}: the archive is encrypted. Unpack it with its password and name the "
                "folder."
            )
    total = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    if total > MAXIMUM_BYTES or (total > _SMALL and total > MAXIMUM_RATIO * packed):
        raise UserError(
            f"{path}: {packed} packed bytes claim to hold {total} bytes, which no set of images "
            "does. If it is right all the same, unpack it yourself and name the folder."
        )
    free = shutil.disk_usage(place).free
    if total > free:
        raise UserError(
            f"{path}: unpacking needs {total} bytes, {place} has {free} free. Set "
            "AFFECTKERAS_CACHE to a larger place, or unpack the archive yourself and name the "
            "folder."
        )
    # What macOS adds to archives: a shadow of every file, without its data.
    return [member for member in members if not member.filename.startswith("__MACOSX/")]

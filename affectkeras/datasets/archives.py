"""Reading data sets that are still packed (.zip, .tar.gz), as their owner sent them."""

import gzip
import hashlib
import lzma
import os
import shutil
import stat
import tarfile
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
_GZIP = b"\x1f\x8b"  # how such a file begins, whatever its name


def open_folder(path: Path) -> Path:
    """Return a folder with the content of `path`: a folder itself, an archive extracted once.

    Archives are .zip and .tar.gz files.

    The extracted copy lies in the cache, named by the archive's path, size and time of change, and
    is put there in one step: it is whole, or not there, also when two processes ask at once.

    Raises:
        UserError: when `path` is not there or no archive, or the archive is damaged, encrypted,
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
    kind = ".zip"
    try:
        with open(path, "rb") as file:
            if file.read(len(_GZIP)) == _GZIP:
                kind = ".tar.gz"
        extract = _extract_tar if kind == ".tar.gz" else _extract_zip
        extract(path, unfinished)
        unfinished.chmod(0o755)
        os.replace(unfinished, target)
    except (
        *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile),
        *(zlib.error, lzma.LZMAError, EOFError),
    ) as error:
        raise UserError(
            f"{path}: expected a {kind} file that can be unpacked. Found: {error}. Fetch the "
            "archive again; if it is of another kind (.rar, .7z), unpack it and name the folder."
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


def _extract_zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            _check_name(path, member.filename)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _link_error(path, member.filename)
            if member.flag_bits & 0x1:
                raise UserError(
                    f"{path}: the archive is encrypted. Unpack it with its password and name the "
                    "folder."
                )
        packed = sum(member.compress_size for member in members)
        _check_size(path, sum(member.file_size for member in members), packed, folder)
        for member in members:
            # What macOS adds to archives: a shadow of every file, without its data.
            if not member.filename.startswith("__MACOSX/"):
                archive.extract(member, folder)


def _extract_tar(path: Path, folder: Path) -> None:
    """Write the files of a .tar.gz; links and devices are never made, so nothing leads outside."""
    with tarfile.open(path, "r:gz") as archive:
        members, total = [], 0
        for member in archive:
            _check_name(path, member.name)
            if member.size < 0:
                raise tarfile.ReadError(f"a member of {member.size} bytes")
            if member.issym():
                raise _link_error(path, member.name)
            if not (member.isfile() or member.isdir()):
                raise UserError(
                    f"{path}: the member {member.name!r} is neither a file nor a folder. Unpack it "
                    "yourself and name the folder."
                )
            total += member.size
            # One by one: to reach the next member, all of this one is unpacked.
            _check_size(path, total, path.stat().st_size, folder)
            members.append(member)
        # Only at its end gzip tells whether all came through undamaged.
        while archive.fileobj.read(2**20):
            pass
        for member in members:
            target = folder / member.name
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.extractfile(member) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)


def _check_name(path: Path, name: str) -> None:
    """Raise `UserError` where a member would be written outside the folder."""
    plain = name.replace("\\", "/")
    parts = PurePosixPath(plain).parts
    leaves = plain.startswith("/") or ".." in parts or (parts and parts[0].endswith(":"))
    if leaves or "\0" in name:
        raise UserError(
            f"{path}: the member {name!r} would be written outside the folder. This is not an "
            "archive as its owner made it: fetch it again."
        )


def _link_error(path: Path, name: str) -> UserError:
    return UserError(
        f"{path}: the member {name!r} is a symbolic link, which is not followed in archives. "
        "Unpack it yourself and name the folder."
    )


def _check_size(path: Path, total: int, packed: int, place: Path) -> None:
    """Raise `UserError` where the unpacked files would be absurdly large, or have no room."""
    packed = max(1, packed)
    if total > MAXIMUM_BYTES or (total > _SMALL and total > MAXIMUM_RATIO * packed):
        raise UserError(
            f"{path}: {packed} packed bytes claim to hold {total} bytes, which no set of images "
            "does. If it is right all the same, unpack it yourself and name the folder."
        )
    free = shutil.disk_usage(place).free
    if total > free:
        raise UserError(
            f"{path}: unpacking needs {total} bytes, {place.parent} has {free} free. Set "
            "AFFECTKERAS_CACHE to a larger place, or unpack the archive yourself and name the "
            "folder."
        )

"""The folder that `crop-faces` writes: crops, faces.csv and the settings they were made with."""

import contextlib
import csv
import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

from affectkeras.errors import UserError
from affectkeras.files import atomic_file
from affectkeras.media.faces import LANDMARKS

TABLE, SETTINGS, LOCK = "faces.csv", "faces.json", ".faces.lock"
DAMAGED = "damaged"
POINTS = tuple(f"{point}_{axis}" for point in LANDMARKS for axis in "xy")
COLUMNS = (
    *("source", "outcome", "face", "faces_found", "x", "y", "width", "height", "confidence"),
    *POINTS,
    *("image_width", "image_height", "padded", "output", "reason", "sha256"),
)
_SECONDS_BETWEEN_SAVES = 10


class CropFolder:
    """What a folder of crops holds; rows of faces.csv are dicts of text by column.

    Args:
        path: the folder, which is there.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows: dict[str, list[dict[str, str]]] = {}
        for row in _read_table(path / TABLE):
            self.rows.setdefault(row["source"], []).append(row)
        self._saved = time.monotonic()

    def is_done(self, source: str, digest: str) -> bool:
        """Return whether a picture of that content needs nothing any more."""
        rows = self.rows.get(source, [])
        return bool(rows) and all(
            row["sha256"] == digest
            and row["outcome"] != DAMAGED
            and (not row["output"] or (self.path / row["output"]).is_file())
            for row in rows
        )

    def record(self, source: str, rows: list[dict]) -> None:
        """Put the rows of a picture in place of those it had; crops it no longer has are deleted.

        faces.csv is written anew every few seconds, and by `save`.
        """
        texts = [{name: _text(row.get(name)) for name in COLUMNS} for row in rows]
        kept = {row["output"] for row in texts}
        for row in self.rows.get(source, []):
            if row["output"] and row["output"] not in kept:
                (self.path / row["output"]).unlink(missing_ok=True)
        self.rows[source] = texts
        if time.monotonic() - self._saved > _SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Write faces.csv, sorted by source."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for source in sorted(self.rows):
            writer.writerows(self.rows[source])
        self.write(Path(TABLE), text.getvalue().encode())
        self._saved = time.monotonic()

    def write(self, name: Path, data: bytes) -> None:
        """Write a file of the folder, whole or not at all."""
        path = self.path / name
        with _mending(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as file:
                file.write(data)


@contextlib.contextmanager
def open_crop_folder(path: Path, settings: dict) -> Iterator[CropFolder]:
    """Make a folder of crops, or go on with one that was made with the same settings.

    faces.csv is saved at the end, whatever happens.

    Args:
        path: the folder.
        settings: everything that decides what is written, in forms that JSON knows.

    Raises:
        UserError: when it holds something else, was made with other settings, is damaged or
            another process is writing there.
    """
    _refuse_foreign(path)
    with _mending(path):
        path.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path / LOCK, timeout=0)
    try:
        with _mending(path / LOCK):
            lock.acquire()
    except filelock.Timeout:
        raise UserError(
            f"{path}: another crop-faces is writing there. Wait for it, or give another folder."
        ) from None
    try:
        folder = CropFolder(path)
        _settle(folder, json.loads(json.dumps(settings)))
        try:
            yield folder
        finally:
            folder.save()
    finally:
        lock.release()


def printable(path: str | os.PathLike) -> str:
    """Return a path as text that every table can hold: bytes that are no UTF-8 as `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _refuse_foreign(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: is a file. Give a folder for the crops.")
    if not path.is_dir() or (path / SETTINGS).exists():
        return
    with _mending(path):
        found = sorted(name for name in os.listdir(path) if not name.startswith("."))
    if found:
        raise UserError(
            f"{path}: holds {', '.join(map(printable, found[:3]))}{' …' if found[3:] else ''} but "
            f"no {SETTINGS}, so it was not written by crop-faces, which never writes among other "
            "files. Give a new or an empty folder."
        )


def _settle(folder: CropFolder, settings: dict) -> None:
    """Keep the settings of a new folder; refuse other ones than those it was made with."""
    path = folder.path / SETTINGS
    if not path.exists():
        folder.write(Path(SETTINGS), (json.dumps(settings, indent=2) + "\n").encode())
        return
    try:
        before = dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: cannot be read: {error}. Give another folder, or delete {folder.path}."
        ) from error
    differing = [
        f"{name} {before.get(name)!r} there, {settings.get(name)!r} now"
        for name in [*settings, *(name for name in before if name not in settings)]
        if before.get(name) != settings.get(name)
    ]
    if differing:
        raise UserError(
            f"{folder.path}: its crops were made with other settings: {'; '.join(differing)}. Give "
            "another folder (faces that were found already are not looked for again), the same "
            "settings, or delete that folder."
        )


def _read_table(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            columns = tuple(reader.fieldnames or ())
            rows = list(reader)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: {error}. Delete it to begin anew.") from error
    whole = all(None not in row and None not in row.values() for row in rows)
    if columns != COLUMNS or not whole:
        raise UserError(
            f"{path}: is not as crop-faces wrote it: other columns or rows that are cut off. "
            "Delete it to begin anew."
        )
    return rows


def _text(value: object) -> str:
    if value is None:
        return ""
    return printable(value) if isinstance(value, (str, os.PathLike)) else str(value)


@contextlib.contextmanager
def _mending(path: Path) -> Iterator[None]:
    """Say with this command's own mend that something cannot be written."""
    try:
        yield
    except filelock.Timeout:
        raise
    except (OSError, UserError) as error:
        cause = error.__cause__ if isinstance(error, UserError) else error
        raise UserError(
            f"{printable(path)}: cannot be written: {getattr(cause, 'strerror', None) or cause}. "
            "Check the permissions and the free space, or give another folder for the crops."
        ) from error

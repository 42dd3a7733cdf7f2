"""Files written whole or not at all: JSON, CSV and bytes."""

import contextlib
import dataclasses
import json
import math
import os
import secrets
import shutil
import typing
from collections.abc import Iterator
from pathlib import Path

import filelock
import numpy as np
import pandas as pd

from affectkeras.errors import UserError

# Columns of words: a group called 007, NA or None must come back as it was written.
TEXT_COLUMNS = (
    *("arm", "class_name", "example_id", "expression", "group", "kind", "object", "path"),
    *("predicted", "reason", "recording", "rule", "signal", "source", "split", "stage", "stress"),
    *("subject", "activity", "condition", "label", "level"),
)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[typing.BinaryIO]:
    """Open a file for writing that appears under its name only when it is whole and on disk."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with as_user_error(path, "written"):
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that it is under its name whole or not at all."""
    with atomic_file(target) as file, open(source, "rb") as content:
        shutil.copyfileobj(content, file)


def write_json(path: Path, value) -> None:
    """Write JSON atomically. NaN and infinity, which JSON has not, become null."""
    text = json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as file:
        file.write((text + "\n").encode("utf-8", "backslashreplace"))


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as CSV atomically; numbers keep every digit, so that metrics repeat."""
    text = frame.to_csv(index=False, lineterminator="\n")
    with atomic_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def read_csv(path: Path) -> pd.DataFrame:
    """Read a run's CSV: words stay words (`TEXT_COLUMNS`), empty numbers become NaN."""
    columns = list(pd.read_csv(path, nrows=0).columns)
    words = [column for column in columns if column in TEXT_COLUMNS]
    return pd.read_csv(
        path,
        dtype=dict.fromkeys(words, str),
        keep_default_na=False,
        na_values={column: ["", "nan"] for column in columns if column not in words},
    )


@contextlib.contextmanager
def as_user_error(path: Path, verb: str) -> Iterator[None]:
    """Say as a `UserError` why a file or folder could not be made or written."""
    try:
        yield
    except filelock.Timeout:
        raise
    except OSError as error:
        raise UserError(
            f"{path} could not be {verb}: {error.strerror or error}. Check the permissions and "
            "the free space, or give another --run-dir."
        ) from error


def _plain(value):
    """Return a value as JSON knows it; ValueError for what it does not."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"JSON has no form for {type(value).__name__}: {value!r}")

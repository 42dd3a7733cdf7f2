"""The CSV files of K-EmoCon: columns by their names, and rows that do not fit under them told.

Columns may stand in any order, their names in any case. No cell of the owner's holds a comma or a
line break, so a quote is taken as a character that counts for nothing: one that is never closed
spoils its own row and not those below it.
"""

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.e4_numbers import read_lines, show_path
from affectkeras.errors import UserError

_COMMA, _NEWLINE = b",\n"
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SHOWN = 12


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """Columns of a large table.

    Args:
        numbers: name → float64 `(rows,)`, NaN where a cell holds no number.
        words: name → the different texts and which of them each row has, int64 `(rows,)`; of
            those columns asked for that are there. "" where a cell is empty.
        uneven: rows that have more or fewer cells than the first line: left out.
    """

    numbers: dict[str, np.ndarray]
    words: dict[str, tuple[np.ndarray, np.ndarray]]
    uneven: int


def read_cells(path: Path, wanted: Sequence[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return a small table: its columns' names, in lower case, and its rows as text.

    Args:
        path: the file.
        wanted: names, in lower case, of columns that must be there.

    Returns:
        The names, and `(line number from 1, cells)` of every row with text.

    Raises:
        UserError: when the file cannot be read or lacks a wanted column.
    """
    lines = read_lines(path)[0].decode("utf-8", "replace").split("\n")
    names = _find_columns(path, lines[0], wanted)
    rows = [
        (number, [_clean(cell) for cell in line.split(",")])
        for number, line in enumerate(lines[1:], 2)
        if line.strip(" ,\t")
    ]
    return names, rows


def read_columns(path: Path, numbers: Sequence[str], words: Sequence[str]) -> Columns:
    """Return some columns of a large table.

    Args:
        path: the file.
        numbers: names, in lower case, of columns that must be there.
        words: the same of columns that may be there.

    Raises:
        UserError: when the file cannot be read, lacks a column of numbers, or has no rows.
    """
    content = read_lines(path)[0]
    head, _, body = content.partition(b"\n")
    names = _find_columns(path, head.decode("utf-8", "replace"), numbers)
    body, uneven = _keep_even(body, len(names) - 1)
    if not body:
        told = f"none of {uneven} rows has as many cells as" if uneven else "no rows below"
        raise UserError(f"{show_path(path)}: {told} the first line. Take the file anew.")
    chosen = [names.index(name) for name in (*numbers, *words) if name in names]
    frame = pd.read_csv(
        io.BytesIO(body),
        header=None,
        usecols=chosen,
        quoting=3,  # csv.QUOTE_NONE
        dtype={names.index(name): "category" for name in words if name in names},
        encoding_errors="replace",
        low_memory=False,
        names=range(len(names)),
    )
    return Columns(
        {name: _to_numbers(frame[names.index(name)]) for name in numbers},
        {name: _to_words(frame[names.index(name)]) for name in words if name in names},
        uneven,
    )


def _find_columns(path: Path, head: str, wanted: Sequence[str]) -> list[str]:
    """Return the names in a table's first line, in lower case."""
    names = [_clean(cell).casefold() for cell in head.split(",")]
    missing = [name for name in wanted if name not in names]
    if missing:
        separated = next((word for mark, word in _OTHER_SEPARATORS.items() if mark in head), "")
        mend = (
            f"The cells seem to be separated by {separated}: save the file with commas."
            if separated
            else f"The first line must name {', '.join(wanted)}."
        )
        found = ", ".join(filter(None, names[:_SHOWN])) or "an empty file"
        raise UserError(
            f"{show_path(path)}: the columns {', '.join(missing)} are missing. Found: "
            f"{ascii(found)[1:-1]}. {mend}"
        )
    return names


def _keep_even(body: bytes, commas: int) -> tuple[bytes, int]:
    """Return the rows that have so many commas, and how many others there are.

    Lines without text are no rows.
    """
    characters = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(characters == _NEWLINE)
    starts = np.concatenate([[0], ends + 1])
    ends = np.concatenate([ends, [len(body)]])
    at = np.flatnonzero(characters == _COMMA)
    even = np.searchsorted(at, ends) - np.searchsorted(at, starts) == commas
    even &= ends > starts
    if even.sum() >= len(ends) - 1 and not even[-1] and starts[-1] == ends[-1]:
        return body, 0  # nothing but what stands behind the last line end
    lines = body.split(b"\n")
    kept = [line for line, fits in zip(lines, even.tolist(), strict=True) if fits]
    uneven = sum(bool(line.strip()) for line in lines) - len(kept)
    return b"\n".join([*kept, b""]) if kept else b"", uneven


def _to_numbers(column: pd.Series) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(column.dtype) or column.dtype == bool:
        column = pd.to_numeric(column.astype(str).str.strip(' \t"'), errors="coerce")
    numbers = column.to_numpy(dtype=np.float64, copy=True)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _to_words(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    # The last one stands for the code -1, that of an empty cell.
    texts = np.array([*(_clean(str(text)) for text in column.cat.categories), ""], dtype=object)
    different, of_text = np.unique(texts, return_inverse=True)
    of_row = of_text[column.cat.codes.to_numpy()]
    used = np.bincount(of_row, minlength=len(different)) > 0
    return different[used], (np.cumsum(used) - 1)[of_row]


def _clean(cell: str) -> str:
    return cell.strip(' \t"')

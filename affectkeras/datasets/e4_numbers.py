"""Numbers from the text files of an Empatica E4: a quick way for sound files, a careful one else.

What another program may have done to a file without harm to its numbers is taken as it is: a mark
of the byte order, UTF-16, Windows line ends, blank lines at the end.
"""

import codecs
import dataclasses
import os
from pathlib import Path

import numpy as np

from affectkeras.errors import UserError

_DIGITS = 15  # more do not fit into a float64 without rounding on the way
_SHOWN = 40
_NEWLINE, _COMMA, _MINUS, _POINT, _ZERO = b"\n,-.0"


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """The rows of numbers below the head of a file.

    Args:
        values: float64 `(rows, columns)`; NaN in rows that are not as many numbers.
        bad: which rows these are, int64.
        text: the rows as they stand in the file.
        head: how many lines stand above them.
    """

    values: np.ndarray
    bad: np.ndarray
    text: bytes
    head: int

    def line(self, row: int) -> int:
        """Return the number of a row's line in the file, from 1."""
        return int(row) + self.head + 1

    def show(self, row: int) -> str:
        """Return a row as it stands in the file, quoted and shortened."""
        return shorten(self.text.split(b"\n")[row])


def read_lines(path: Path) -> tuple[bytes, bool]:
    """Return a file's text with plain line ends, and whether it ends in the middle of a line.

    Blank lines at the end are left out; the text ends with a line end unless it is empty.

    Raises:
        UserError: when the file cannot be read.
    """
    content = decode(read_bytes(path))
    if b"\r" in content:
        content = content.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    cut = not content.endswith(b"\n") and bool(content.strip())
    content = content.rstrip()
    return content + b"\n" if content else b"", cut


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        UserError: when the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{show_path(path)}: cannot be read ({error.strerror}). Make it a file that you may "
            "read."
        ) from error


def decode(content: bytes) -> bytes:
    """Return text as UTF-8 without a mark of the byte order; UTF-16 is known with or without."""
    if content.startswith(codecs.BOM_UTF8):
        return content[len(codecs.BOM_UTF8) :]
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace").encode()
    first = content[:64]
    for zeros, name in ((first[1::2], "utf-16-le"), (first[::2], "utf-16-be")):
        if len(first) > 3 and not any(zeros) and first.strip(b"\0"):
            return content.decode(name, "replace").encode()
    return content


def split_head(content: bytes, lines: int) -> tuple[list[str], bytes]:
    """Return the first lines as text, without blanks around, and what stands below them."""
    *head, body = [*content.split(b"\n", lines), *[b""] * lines][: lines + 1]
    return [line.decode("utf-8", "replace").strip() for line in head], body


def drop_last_row(text: bytes) -> bytes:
    """Return the rows without the last one."""
    return text[: text[:-1].rfind(b"\n") + 1]


def parse_rows(text: bytes, columns: int, head: int) -> Rows:
    """Return the numbers of rows whose cells have commas between.

    Args:
        text: the rows, each with its line end.
        columns: how many numbers make a row.
        head: how many lines stand above in the file.
    """
    if not text:
        return Rows(np.empty((0, columns)), np.empty(0, np.int64), text, head)
    values = _parse_plain(text, columns)
    if values is not None:
        return Rows(values, np.empty(0, np.int64), text, head)
    values = _parse_any(text, columns)
    bad = np.flatnonzero(np.isnan(values).any(axis=1))
    values[bad] = np.nan
    return Rows(values, bad, text, head)


def _parse_plain(text: bytes, columns: int) -> np.ndarray | None:
    """Return the numbers, or None where they are not all written as `-12.34`, equally precise.

    All numbers are put together at once, digit by digit from the right: the hour of BVP takes a
    third of the time that pandas needs. The whole numbers are exact and divided once, so the
    results are the float64 nearest to the text.
    """
    characters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(characters < _MINUS)
    if len(ends) % columns or characters[-1] != _NEWLINE:
        return None
    marks = characters[ends].reshape(-1, columns)
    if (marks[:, -1] != _NEWLINE).any() or (marks[:, :-1] != _COMMA).any():
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    negative = characters[starts] == _MINUS
    points = np.flatnonzero(characters == _POINT)
    # Of an unsigned number below "0" the difference wraps around to a large one.
    digits = np.count_nonzero((characters - np.uint8(_ZERO)) < 10)
    if digits + len(points) + np.count_nonzero(negative) + len(ends) != len(text):
        return None
    decimals = 0
    if len(points):
        decimals = int(ends[0] - points[0]) - 1
        if decimals < 1 or not np.array_equal(ends - decimals - 1, points):
            return None
    lengths = ends - starts - negative - bool(decimals)
    if lengths.min() <= decimals or lengths.max() > _DIGITS:
        return None
    numbers = _join_digits(characters, ends, lengths, decimals) / 10.0**decimals
    np.negative(numbers, out=numbers, where=negative)
    return numbers.reshape(-1, columns)


def _join_digits(
    characters: np.ndarray, ends: np.ndarray, lengths: np.ndarray, decimals: int
) -> np.ndarray:
    """Return the whole numbers that stand before `ends`, the points left out."""
    most = int(lengths.max())
    kind = np.int32 if most < 10 else np.int64
    numbers = np.zeros(len(ends), kind)
    chosen = slice(None)
    for digit in range(most):
        if digit > decimals:  # up to the first before the point every number has them all
            longer = lengths[chosen] > digit
            chosen = np.flatnonzero(longer) if isinstance(chosen, slice) else chosen[longer]
        places = ends[chosen] - (1 + digit + (0 < decimals <= digit))
        found = (characters[places] - np.uint8(_ZERO)).astype(kind)
        numbers[chosen] += found * kind(10**digit)
    return numbers


def _parse_any(text: bytes, columns: int) -> np.ndarray:
    nothing = [np.nan] * columns
    rows = []
    for line in text.decode("utf-8", "replace").split("\n")[:-1]:
        cells = line.split(",")
        try:
            # Python reads 1_0 as 10.
            rows.append(
                [float(cell) for cell in cells]
                if len(cells) == columns and "_" not in line
                else nothing
            )
        except ValueError:
            rows.append(nothing)
    return np.array(rows, dtype=np.float64).reshape(-1, columns)


def shorten(text: bytes | str) -> str:
    """Return a text quoted, what is not printable escaped, with the end left out if long."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def show_path(path: Path) -> str:
    """Return a path as text that can be printed; what is not UTF-8 shows its bytes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")

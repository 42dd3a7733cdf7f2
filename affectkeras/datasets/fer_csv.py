"""The CSV files of FER2013: each row's `pixels` is a text of 2304 numbers, a 48 × 48 grey face."""

import csv
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from affectkeras.errors import UserError

SIDE = 48


@dataclasses.dataclass(frozen=True)
class CsvFaces:
    """The rows of one CSV file.

    Args:
        frame: the columns other than `pixels` as text, and `example_id`, `<file name>:<line>`.
        pixels: uint8 `(rows, 48, 48)`; zeros where the row is damaged.
        reasons: `(rows,)` why a row cannot be used, "" where it can.
    """

    frame: pd.DataFrame
    pixels: np.ndarray
    reasons: np.ndarray


def read_faces(path: Path, wanted: Sequence[str], *, progress: bool = True) -> CsvFaces:
    """Read a CSV of faces row by row, so that its long texts are never all in memory.

    Blanks around names and cells count for nothing; lines without any text are no rows.

    Args:
        path: the file.
        wanted: the columns it must have, `pixels` among them.
        progress: whether to show a progress bar.

    Raises:
        UserError: when a column or every row is missing, or the file is no CSV file.
    """
    records, pixels, reasons = [], [], []
    rows = read_rows(path, wanted)
    for line, cells, reason in tqdm(
        rows, desc=f"Reading {path.name}", unit=" faces", disable=None if progress else True
    ):
        face, damage = parse_pixels(cells.pop("pixels", ""))
        records.append({"example_id": f"{path.name}:{line}", **cells})
        pixels.append(face)
        reasons.append(reason or damage)
    if not records:
        raise UserError(f"{path}: no rows below the first line. Take the file anew from its owner.")
    return CsvFaces(pd.DataFrame(records), np.stack(pixels), np.array(reasons, dtype=object))


def read_rows(path: Path, wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, str], str]]:
    """Yield (line number from 1, column → cell, reason against the row or "") below a header line.

    Raises:
        UserError: when a wanted column is missing or the file is no CSV file.
    """
    lines = read_cells(path)
    _, names = next(lines, (0, []))
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UserError(
            f"{path}: the columns {', '.join(missing)} are missing. Found: "
            f"{', '.join(names[:12]) or 'an empty file'}. The first line must name "
            f"{', '.join(wanted)}."
        )
    for line, cells in lines:
        reason = ""
        if len(cells) != len(names):
            reason = f"{len(cells)} cells for {len(names)} columns"
            cells = (cells + [""] * len(names))[: len(names)]
        yield line, dict(zip(names, cells, strict=True)), reason


def read_cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number from 1, cells) of each line with text, without blanks around the cells.

    Raises:
        UserError: when the file is no CSV file.
    """
    line = 0
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for row in reader:
                line = reader.line_num
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield line, cells
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UserError(
            f"{path}: cannot be read as a CSV file after line {line} ({error}). Take it anew from "
            "its owner."
        ) from error


def parse_pixels(text: str) -> tuple[np.ndarray, str]:
    """Return the face `(48, 48)` uint8 of one cell and "", or zeros and why it cannot be used."""
    blank = np.zeros((SIDE, SIDE), np.uint8)
    try:
        # Several times as quick as splitting the text and converting each word.
        numbers = np.fromstring(text, dtype=np.int64, sep=" ")
    except ValueError:
        return blank, "a pixel is not a whole number"
    if len(numbers) != SIDE * SIDE:
        return blank, f"{len(numbers)} pixels instead of {SIDE * SIDE}"
    if numbers.min() < 0 or numbers.max() > 255:
        return blank, "a pixel is not in 0 to 255"
    return numbers.astype(np.uint8).reshape(SIDE, SIDE), ""

"""The table SFEW.xlsx: ten numbers for each still of the SFEW of 2011, without the pictures.

A row is the still's name, its label 1 … 7 (Angry, Disgust, Fear, Happy, Neutral, Sad, Surprise),
then the first five principal components of LPQ and the first five of PHOG. 675 rows, of the stills
in which a face was detected. Source: Dhall, Goecke, Lucey, Gedeon, "Static Facial Expression
Analysis in Tough Conditions: Data, Evaluation Protocol and Benchmark", ICCV Workshops 2011.
"""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.folders import find_tops, layout_error, list_folder
from affectkeras.datasets.sfew_2011 import is_features
from affectkeras.datasets.sfew_folders import FILM_COLUMNS, franchise, parse_name
from affectkeras.datasets.table import ArrayPayload, ExampleTable, Target, rejected_frame
from affectkeras.errors import UserError

NAME = "sfew_features"
CLASS_NAMES = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
TARGET = Target("expression", "class", CLASS_NAMES)
COMPONENTS = tuple(f"{kind} {number}" for kind in ("LPQ", "PHOG") for number in range(1, 6))
LAYOUT = """
SFEW.xlsx     a row per still: name, label 1-7, five LPQ components, five PHOG components; a row of
              headings may stand above; where the two halves are two sheets, they are told apart
The file itself, or the folder that holds it.
"""
PUBLISHED = "675 rows"

_COLUMNS = 2 + len(COMPONENTS)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        table: the file.
        sheets: the names of the sheets that hold rows.
        published: how many examples its owners tell of.
    """

    table: Path
    sheets: tuple[str, ...]
    published: str = PUBLISHED


def find(folder: Path) -> Layout:
    """Return where the table lies: `folder` itself, in it or one level below.

    Raises:
        UserError: when it is not there, cannot be read or holds no row.
    """
    path = _find_table(Path(folder))
    sheets = tuple(name for name, _ in _sheets(path))
    if not sheets:
        raise UserError(f"{path}: no sheet holds a row. Get the table from the owners of SFEW.")
    return Layout(path, sheets)


def read(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return the rows with the class target `expression`.

    The payload's array `features` is float64 `(rows, 10)`, the columns `COMPONENTS`. Columns of the
    frame beside the fixed ones: `half` (the sheet, where there are two; else empty) and, where the
    names tell films, those of `sfew`. `group` is the film's series: who is shown is not told, and
    films of different series share no person as far as known. There is no owner's split.

    Rejected as damaged: a row whose label is none, in which a component is no number, or whose name
    does not tell the film while others' do.

    Args:
        folder: of the table, or the table.
        progress: not used; reading takes a second.

    Raises:
        UserError: as `find`, or when a row has another number of cells.
    """
    layout = find(folder)
    found, rejected = [], []
    for sheet, rows in _sheets(layout.table):
        half = sheet if len(layout.sheets) == 2 else ""
        for number, cells in rows:
            name, reason = _name_of(cells, sheet, number), _fault(cells)
            if reason is None:
                found.append((name, half, int(cells[1]) - 1, *map(float, cells[2:])))
            else:
                rejected.append((name, "damaged", reason))
    columns = ["example_id", "half", "expression", *COMPONENTS]
    frame = pd.DataFrame(found, columns=columns)
    frame["example_id"] = _tell_apart(frame["example_id"])
    frame, nameless = _tell_films(frame)
    rejected += nameless
    features = frame[list(COMPONENTS)].to_numpy(np.float64)
    known = "movie" in frame
    frame = frame.drop(columns=list(COMPONENTS)).assign(
        subject="", split="", source=layout.table.name
    )
    if not known:
        frame["group"] = frame["example_id"]
    payload = ArrayPayload({"features": features}, np.arange(len(frame)))
    read = len(frame) + len(rejected)
    return ExampleTable(NAME, frame, (TARGET,), payload, known, rejected_frame(rejected), read)


def _find_table(folder: Path) -> Path:
    if not folder.exists():
        raise UserError(f"{folder}: there is nothing. Name SFEW.xlsx or its folder.")
    if folder.is_file():
        if folder.suffix.casefold() != ".xlsx":
            raise UserError(f"{folder}: this is no .xlsx file. Name SFEW.xlsx or its folder.")
        return folder
    places = find_tops(folder, lambda place: any(map(is_features, list_folder(place))))
    tables = [path for place in places for path in list_folder(place) if is_features(path)]
    if not tables:
        raise layout_error("SFEW's table of features", folder, "SFEW.xlsx", LAYOUT)
    if len(tables) > 1:
        raise UserError(f"{folder} holds several: {', '.join(map(str, tables))}. Name one.")
    return _find_table(tables[0])


def _sheets(path: Path) -> Iterator[tuple[str, list[tuple[int, tuple]]]]:
    """Yield the name and the rows, each with its number in the sheet, of sheets that hold any."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # zipfile's, openpyxl's and the XML parser's, by where it is damaged
        raise UserError(
            f"{path}: this is no Excel workbook that can be read ({error}). Get it again."
        ) from None
    try:
        for sheet in book.worksheets:
            rows = [
                (number, _trim(cells))
                for number, cells in enumerate(sheet.iter_rows(values_only=True), 1)
            ]
            rows = [(number, cells) for number, cells in rows if cells]
            if rows and _is_heading(rows[0][1]):
                rows = rows[1:]
            for number, cells in rows:
                if len(cells) > _COLUMNS or len(cells) < 2:
                    raise UserError(
                        f"{path}, sheet {sheet.title!r}, row {number}: {len(cells)} cells, where "
                        f"{_COLUMNS} are expected: name, label, five LPQ and five PHOG components."
                    )
            if rows:
                filled = [
                    (number, (*cells, *[None] * (_COLUMNS - len(cells)))) for number, cells in rows
                ]
                yield sheet.title, filled
    finally:
        book.close()


def _trim(cells: tuple) -> tuple:
    """Return cells without empty ones at the end."""
    cells = list(cells)
    while cells and (cells[-1] is None or cells[-1] == ""):
        cells.pop()
    return tuple(cells)


def _is_heading(cells: tuple) -> bool:
    return not any(_number(cell) is not None for cell in cells[1:])


def _number(cell) -> float | None:
    """Return a cell's number, None where it holds none; NaN and words of errors are none."""
    if isinstance(cell, bool) or cell is None:
        return None
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _name_of(cells: tuple, sheet: str, number: int) -> str:
    name = "" if cells[0] is None else str(cells[0]).strip()
    return name or f"{sheet} row {number}"


def _fault(cells: tuple) -> str | None:
    """Return why a row cannot be used, None where it can."""
    label = _number(cells[1])
    if label is None or label not in range(1, len(CLASS_NAMES) + 1):
        return f"its label is none of 1 to {len(CLASS_NAMES)}: {cells[1]!r}"
    absent = [
        name for name, cell in zip(COMPONENTS, cells[2:], strict=True) if _number(cell) is None
    ]
    return f"not a number: {', '.join(absent)}" if absent else None


def _tell_apart(names: pd.Series) -> pd.Series:
    """Return names of which none stands twice: a repeated one has its place added."""
    place = names.groupby(names).cumcount()
    return names.where(place == 0, names + " (" + (place + 1).astype(str) + ")")


def _tell_films(frame: pd.DataFrame) -> tuple[pd.DataFrame, list]:
    """Add `FILM_COLUMNS` where names tell films; then rows whose name does not are set aside."""
    parsed = [_parse(name) for name in frame["example_id"]]
    told = np.array([one is not None for one in parsed], dtype=bool)
    if not told.any():
        return frame, []
    reason = "its name does not tell the film, as others' do: Film_HHMMSSmmm_NNNNNNNN"
    nameless = [(name, "damaged", reason) for name in frame.loc[~told, "example_id"]]
    films = [
        (franchise(movie), movie, f"{movie}_{time}", number)
        for movie, time, number in (one for one in parsed if one is not None)
    ]
    frame = frame[told].reset_index(drop=True)
    return pd.concat([frame, pd.DataFrame(films, columns=list(FILM_COLUMNS))], axis=1), nameless


def _parse(name: str):
    """Return what `parse_name` does, of a name with or without suffix."""
    plain = name.split(" (")[0].rsplit("/", 1)[-1]
    return parse_name(plain) or parse_name(f"{plain}.png")

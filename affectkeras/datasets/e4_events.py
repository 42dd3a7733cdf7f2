"""The table of labelled stretches that a person writes beside their own recordings: events.csv."""

import csv
import dataclasses
import datetime
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from affectkeras.datasets.e4_head import EARLIEST_S, LATEST_S
from affectkeras.datasets.e4_numbers import decode, read_bytes, shorten, show_path
from affectkeras.errors import UserError

EVENTS = "events.csv"
WANTED = ("start", "end", "label")
WHOSE = ("recording", "subject")
TEMPLATE_COLUMNS = ("recording", "subject", *WANTED)

_SEPARATORS = (",", ";", "\t")
_TIME = "Unix seconds, or ISO 8601 with its offset from UTC such as 2026-03-01T14:30:00+01:00"


@dataclasses.dataclass(frozen=True)
class Event:
    """A row of the table.

    Args:
        place: where it stands, `events.csv:line`.
        recording: the path of an E4 folder below the table's folder; "" where only the subject is
            told.
        subject: who wore the device; "" where only the recording is told.
        start_s, end_s: Unix seconds.
        label: what the stretch is; "" where it is not told.
    """

    place: str
    recording: str
    subject: str
    start_s: float
    end_s: float
    label: str


def read_events(path: Path) -> tuple[Event, ...]:
    """Return the rows of the table, in its order.

    Raises:
        UserError: with file, line and the mend, for whatever is not as it should be.
    """
    events = []
    names: list[str] | None = None
    rows, separator = _rows(path)
    for line, cells in rows:
        if names is None:
            names = _check_header(path, line, [cell.casefold() for cell in cells])
            continue
        if len(cells) > len(names) and any(cells[len(names) :]):
            raise _error(
                *(path, line),
                f"{len(cells)} cells for {len(names)} columns. Put a cell that holds a "
                f"{'tab' if separator == chr(9) else repr(separator)} into quotes.",
            )
        events.append(_read_row(path, line, dict(zip(names, cells, strict=False))))
    if not events:
        raise UserError(f"{show_path(path)}: no rows below the first line. Write one a stretch.")
    spellings: dict[str, Event] = {}
    for event in events:
        other = spellings.setdefault(event.label.casefold(), event)
        if other.label != event.label:
            raise UserError(
                f"{show_path(path.parent / event.place)}: the label {event.label!r} is written "
                f"{other.label!r} in {other.place}. Write one label one way."
            )
    return tuple(events)


def template(spans: Mapping[str, tuple[float, float] | None]) -> str:
    """Return a table to fill in, a row for each recording from its start to its end.

    Args:
        spans: start and end of every recording in Unix seconds, by name; None: not known.
    """
    lines = [",".join(TEMPLATE_COLUMNS)]
    for name, times in spans.items():
        shown = ["?", "?"] if times is None else [_write_time(time) for time in times]
        quoted = f'"{name}"' if "," in name else name
        lines.append(",".join([quoted, "?", *shown, "?"]))
    return "\n".join(lines)


def match_recording(cell: str, names: Sequence[str]) -> str | None:
    """Return the recording that a cell of the table names: its path, or its last part alone."""
    wanted = cell.replace("\\", "/").strip("/").removeprefix("./").casefold().removesuffix(".zip")
    for own in (lambda name: name, lambda name: name.rpartition("/")[2]):
        found = [name for name in names if own(name).casefold() == wanted]
        if len(found) == 1:
            return found[0]
    return None


def parse_time(text: str) -> float | None:
    """Return Unix seconds from a number of them, or from ISO 8601 with an offset; None else."""
    try:
        time = float(text)
    except ValueError:
        try:
            told = datetime.datetime.fromisoformat(text)
        except ValueError:
            return None
        if told.tzinfo is None:
            return None
        time = told.timestamp()
    return time if EARLIEST_S <= time < LATEST_S else None


def _rows(path: Path) -> tuple[list[tuple[int, list[str]]], str]:
    """Return `(line, cells)` of every line that is not blank, and what separates the cells."""
    try:
        text = decode(read_bytes(path)).decode("utf-8")
        first = text.lstrip().partition("\n")[0].casefold()
        separator = next((mark for mark in _SEPARATORS if mark in first), ",")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        rows = []
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append((reader.line_num, cells))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{show_path(path)}: cannot be read as a CSV file ({error}). Save it anew as CSV, in "
            "UTF-8."
        ) from error
    if not rows:
        raise UserError(f"{show_path(path)}: the file is empty. Its first line must be {_form()}.")
    return rows, separator


def _check_header(path: Path, line: int, names: list[str]) -> list[str]:
    missing = [name for name in WANTED if name not in names]
    if not set(WHOSE) & set(names):
        missing.insert(0, " or ".join(WHOSE))
    repeated = [name for name in (*WHOSE, *WANTED) if names.count(name) > 1]
    if missing or repeated:
        what = (
            f"the columns {', '.join(missing)} are missing"
            if missing
            else f"the column {repeated[0]} stands twice"
        )
        raise _error(
            path, line, f"{what}. The first line must be {_form()}. Found: {shorten(str(names))}."
        )
    return names


def _form() -> str:
    return f"{','.join(TEMPLATE_COLUMNS)}, with commas between; recording or subject may be absent"


def _read_row(path: Path, line: int, cells: dict[str, str]) -> Event:
    for column in (*WHOSE, *WANTED):
        if cells.get(column) == "?":
            raise _error(path, line, f"{column} is still ?. Fill it in.")
    if not any(cells.get(column) for column in WHOSE):
        raise _error(path, line, "neither recording nor subject is told. Fill one in.")
    times = {column: parse_time(cells.get(column, "")) for column in ("start", "end")}
    for column, time in times.items():
        if time is None:
            found = cells.get(column, "")
            raise _error(
                path, line, f"{column} must be {_TIME}, in the years 2000 to 2099. Found: {found!r}"
            )
    if not times["start"] < times["end"]:
        raise _error(
            path, line, f"end must be later than start. Found: {cells['start']} to {cells['end']}."
        )
    return Event(
        f"{path.name}:{line}",
        cells.get("recording", ""),
        cells.get("subject", ""),
        times["start"],
        times["end"],
        cells.get("label", ""),
    )


def _error(path: Path, line: int, text: str) -> UserError:
    return UserError(f"{show_path(path)}:{line}: {text}")


def _write_time(time: float) -> str:
    told = datetime.datetime.fromtimestamp(round(time), tz=datetime.UTC)
    return told.isoformat()

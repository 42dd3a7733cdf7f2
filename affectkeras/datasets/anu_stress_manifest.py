"""The table of videos and clips that a user of ANUStressDB writes: `manifest.csv`, in two forms."""

import csv
import dataclasses
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from affectkeras.datasets.table import example_id
from affectkeras.errors import UserError
from affectkeras.media.clip_times import CLIPS, GAP_S, PREPARATION_S

CLASS_NAMES = CALM, STRESSFUL = ("Calm", "Stressful")
BY_ORDER = ("subject", "modality", "path")
BY_TIME = ("subject", "clip", "label", "start_s", "end_s", "path")
VIDEO_SUFFIXES = (
    *(".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"),
)

_LABELS = {"s": STRESSFUL, "stress": STRESSFUL, "stressed": STRESSFUL, "stressful": STRESSFUL}
_LABELS |= {"c": CALM, "calm": CALM}
_FORMS = f"{','.join(BY_ORDER)}[,clip_count,order] or {','.join(BY_TIME)}"


@dataclasses.dataclass(frozen=True)
class Clip:
    """A film clip that a subject watched.

    Args:
        number: from 1, in the order of showing.
        label: `Calm`, `Stressful`, or "" where it is not told.
        start_s, end_s: where it lies in the video; NaN where the protocol tells it.
    """

    number: int
    label: str
    start_s: float = math.nan
    end_s: float = math.nan


@dataclasses.dataclass(frozen=True)
class Recording:
    """A video and what was shown during it.

    Args:
        subject: who is seen.
        modality: such as thermal; "" where the manifest does not tell it.
        path: the video.
        name: its path as the manifest's folder sees it.
        place: where it is named first, `manifest.csv:line`.
        clips: in the order of showing.
        preparation_s, gap_s, clip_s: where the clips lie unless they tell it; `clip_s` None: they
            share what is left of the video.
    """

    subject: str
    modality: str
    path: Path
    name: str
    place: str
    clips: tuple[Clip, ...]
    preparation_s: float = PREPARATION_S
    gap_s: float = GAP_S
    clip_s: float | None = None


def read_manifest(path: Path) -> tuple[Recording, ...]:
    """Return the videos that a manifest names, in its order.

    Raises:
        UserError: with file, line and the mend, for whatever is not as it should be.
    """
    rows = list(_rows(path))
    if not rows:
        raise UserError(f"{path}: no rows below the first line. Write one for each video.")
    read = _by_time if "start_s" in rows[0].cells else _by_order
    return tuple(read(path.parent, rows))


def template(folder: Path, videos: Sequence[Path]) -> str:
    """Return a manifest to fill in, with a row for each of the videos found in a folder.

    The last three columns hold the owner's times in seconds; an empty `clip_s` means that the clips
    share what is left of the video.
    """
    names = [example_id(video, folder) for video in videos]
    names = names or ["thermal/S01.avi", "thermal/S02.avi"]
    columns = (*BY_ORDER, "clip_count", "order", "preparation_s", "gap_s", "clip_s")
    lines = [",".join(columns)]
    lines += [f"?,?,{_quoted(name)},{CLIPS},?,{PREPARATION_S:g},{GAP_S:g}," for name in names]
    return "\n".join(lines)


class _Row:
    """A row of the file: its cells, where it stands, and complaints that say so."""

    def __init__(self, path: Path, line: int, cells: dict[str, str]):
        self.path, self.line, self.cells = path, line, cells

    def error(self, text: str) -> UserError:
        return UserError(f"{self.path}:{self.line}: {text}")

    def get(self, column: str) -> str:
        text = self.cells.get(column, "")
        return "" if text == "?" else text

    def need(self, column: str) -> str:
        if not self.get(column):
            found = "still ?" if self.cells.get(column) == "?" else "empty"
            raise self.error(f"{column} is {found}. Fill it in.")
        return self.get(column)

    def number(self, column: str, least: float = 0.0) -> float | None:
        text = self.get(column)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf:
            raise self.error(f"{column} must be a number from {least:g}. Found: {text!r}.")
        return value

    def whole(self, column: str) -> int | None:
        value = self.number(column, least=1)
        if value is not None and value != int(value):
            raise self.error(f"{column} must be a whole number. Found: {self.get(column)!r}.")
        return None if value is None else int(value)


def _rows(path: Path) -> Iterator[_Row]:
    line = 0
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            names = None
            for cells in reader:
                line = reader.line_num
                cells = [cell.strip() for cell in cells]
                if not any(cells):
                    continue
                if names is None:
                    names = _check_header(path, [cell.casefold() for cell in cells])
                elif len(cells) > len(names) and any(cells[len(names) :]):
                    raise UserError(
                        f"{path}:{line}: {len(cells)} cells for {len(names)} columns. Put a cell "
                        "that holds a comma into quotes."
                    )
                else:
                    yield _Row(path, line, dict(zip(names, cells, strict=False)))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UserError(
            f"{path}: cannot be read as a CSV file after line {line} ({error}). Save it anew as "
            "CSV, in UTF-8."
        ) from error


def _check_header(path: Path, names: list[str]) -> list[str]:
    wanted = BY_TIME if {"start_s", "end_s", "label"} & set(names) else BY_ORDER
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UserError(
            f"{path}:1: the columns {', '.join(missing)} are missing. Found: {', '.join(names)}. "
            f"The first line must be {_FORMS}, with commas between."
        )
    return names


def _by_order(folder: Path, rows: list[_Row]) -> Iterator[Recording]:
    named: dict[str, _Row] = {}
    for row in rows:
        path, name = _video(folder, row)
        if name in named:
            raise row.error(f"{name} is named in line {named[name].line} already. Keep one row.")
        named[name] = row
        letters = "".join(row.get("order").split()).upper()
        if strange := sorted(set(letters) - {"S", "C"}):
            raise row.error(
                "order must be one letter per clip, S (Stressful) or C (Calm), such as SCCSSC. "
                f"Found: {', '.join(strange)}."
            )
        count = row.whole("clip_count")
        if count is not None and letters and len(letters) != count:
            raise row.error(
                f"order tells {len(letters)} clips, but clip_count is {count}. Mend one of them."
            )
        letters = letters or " " * (count or CLIPS)
        labels = [_LABELS.get(letter.casefold(), "") for letter in letters]
        preparation, gap = row.number("preparation_s"), row.number("gap_s")
        yield Recording(
            row.need("subject"),
            row.need("modality").casefold(),
            path,
            name,
            f"{row.path.name}:{row.line}",
            tuple(Clip(number, label) for number, label in enumerate(labels, 1)),
            PREPARATION_S if preparation is None else preparation,
            GAP_S if gap is None else gap,
            row.number("clip_s", least=0.001),
        )


def _by_time(folder: Path, rows: list[_Row]) -> Iterator[Recording]:
    videos: dict[str, tuple[_Row, Path, list[tuple[Clip, _Row]]]] = {}
    for row in rows:
        path, name = _video(folder, row)
        first, _, clips = videos.setdefault(name, (row, path, []))
        for column in ("subject", "modality"):
            if row.get(column) != first.get(column):
                raise row.error(
                    f"{name} has the {column} {row.get(column)!r} here, but "
                    f"{first.get(column)!r} in line {first.line}. Mend one of them."
                )
        clips.append((_timed_clip(row), row))
    for name, (first, path, clips) in videos.items():
        clips.sort(key=lambda pair: pair[0].start_s)
        _check_clips(name, clips)
        yield Recording(
            first.need("subject"),
            first.get("modality").casefold(),
            path,
            name,
            f"{first.path.name}:{first.line}",
            tuple(clip for clip, _ in clips),
        )


def _timed_clip(row: _Row) -> Clip:
    row.need("clip"), row.need("start_s"), row.need("end_s")
    label = row.get("label")
    if label and label.casefold() not in _LABELS:
        raise row.error(f"label must be Stressful (S) or Calm (C). Found: {label!r}.")
    start, end = row.number("start_s"), row.number("end_s")
    if not start < end:
        raise row.error(f"end_s must be greater than start_s. Found: {start:g} to {end:g}.")
    return Clip(row.whole("clip"), _LABELS.get(label.casefold(), ""), start, end)


def _check_clips(name: str, clips: list[tuple[Clip, _Row]]) -> None:
    lines: dict[int, int] = {}
    latest: tuple[Clip, _Row] | None = None
    for clip, row in clips:
        if clip.number in lines:
            raise row.error(
                f"clip {clip.number} of {name} stands in line {lines[clip.number]} too. Number "
                "the clips of a video apart."
            )
        lines[clip.number] = row.line
        if latest is not None and clip.start_s < latest[0].end_s:
            raise row.error(
                f"clip {clip.number} of {name} begins at {clip.start_s:g} s, before clip "
                f"{latest[0].number} (line {latest[1].line}) ends at {latest[0].end_s:g} s. Mend "
                "the times."
            )
        latest = (clip, row)


def _video(folder: Path, row: _Row) -> tuple[Path, str]:
    text = row.need("path").replace("\\", "/")
    if "\0" in text:
        raise row.error("path holds a zero byte. Write the video's name.")
    path = Path(os.path.normpath(folder / text))
    return path, example_id(path, folder)


def _quoted(name: str) -> str:
    return f'"{name}"' if "," in name else name

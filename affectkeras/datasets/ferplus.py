"""FER+: FER2013's faces with the votes of ten people each, and labels made of the votes.

Source: Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution", ICMI 2016; github.com/microsoft/FERPlus. Persons are not known, so a row is its
own group.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets import fer2013
from affectkeras.datasets.fer_csv import read_cells, read_faces, read_rows
from affectkeras.datasets.folders import (
    find_child,
    find_top,
    layout_error,
    list_folder,
    open_child,
    stays_inside,
)
from affectkeras.datasets.image_rows import build_image_table, is_image_name, with_default_columns
from affectkeras.datasets.label_modes import (
    CLASS_NAMES,
    NO_FACE,
    VOTE_COLUMNS,
    VOTE_NAMES,
    LabelMode,
    apply_label_mode,
)
from affectkeras.datasets.table import ArrayPayload, ExampleTable, example_id, rejected_frame
from affectkeras.errors import UserError

__all__ = ["CLASS_NAMES", "LAYOUT", "Layout", "find", "read", "read_votes"]

NAME = "ferplus"
LAYOUT = """
either the folders that the FER+ authors' script writes (any of them may still be a .zip):
FER2013Train/label.csv   without header: name, "(0, 0, 48, 48)", ten votes; the PNGs beside it
FER2013Valid/ …
FER2013Test/ …
or the two tables:
fer2013.csv      emotion,pixels,Usage
fer2013new.csv   Usage,Image name,neutral,…,contempt,unknown,NF   (the same rows in the same order)
"""
FOLDER_SPLITS = {"FER2013Train": "train", "FER2013Valid": "validation", "FER2013Test": "test"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found: (owner's name, folder) of each part, or the pair of tables."""

    folders: tuple[tuple[str, Path], ...] = ()
    tables: tuple[Path, Path] | None = None


def find(folder: Path) -> Layout:
    """Return which form of FER+ lies in `folder` (or one level below, or in a .zip there).

    Raises:
        UserError: when none does; the message says what was looked for and what was seen.
    """
    top = find_top(folder, lambda place: _form(place) is not None)
    layout = None if top is None else _form(top)
    if layout is None:
        looked_for = (
            "FER2013Train, FER2013Valid or FER2013Test (folders with a label.csv, or .zip files), "
            "and fer2013.csv beside fer2013new.csv"
        )
        raise layout_error("FER+", Path(folder), looked_for, LAYOUT)
    return layout


def read(
    folder: Path, *, progress: bool = True, label_mode: LabelMode = "majority"
) -> ExampleTable:
    """Return the FER+ faces with the class target `expression` (eight classes).

    The votes stay in the columns `votes_neutral` … `votes_NF`. Splits: Train → train, Valid →
    validation, Test → test.

    Args:
        folder: the raw folder, see `LAYOUT`.
        progress: whether to show progress bars.
        label_mode: what the votes become: see `label_modes.apply_label_mode`.

    Raises:
        UserError: when the layout is not found, a table lacks columns, or the rows of the two
            tables do not belong together.
    """
    return apply_label_mode(read_votes(folder, progress=progress), label_mode)


def read_votes(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return all faces with their votes and no target yet."""
    layout = find(folder)
    if layout.tables is not None:
        return _read_tables(*layout.tables, progress)
    return _read_folders(layout.folders, progress)


def _form(folder: Path) -> Layout | None:
    parts = [(name, open_child(folder, name)) for name in FOLDER_SPLITS]
    folders = tuple(
        (name, part) for name, part in parts if part is not None and find_child(part, "label.csv")
    )
    if folders:
        return Layout(folders=folders)
    tables = (find_child(folder, "fer2013.csv"), find_child(folder, "fer2013new.csv"))
    return Layout(tables=tables) if None not in tables else None


def _read_folders(folders: tuple[tuple[str, Path], ...], progress: bool) -> ExampleTable:
    rows, rejected = [], []
    for name, folder in folders:
        listed = set()
        for line, cells in read_cells(find_child(folder, "label.csv")):
            votes, reason = _parse_votes(cells)
            if reason:
                kind = "excluded" if reason == NO_FACE else "damaged"
                rejected.append((f"{name}/label.csv:{line}", kind, reason))
                if cells:
                    listed.add(cells[0])
                continue
            listed.add(cells[0])
            identity, source = f"{name}/{cells[0]}", f"{name}/label.csv"
            rows.append(
                (identity, FOLDER_SPLITS[name], source, *votes, cells[1], folder / cells[0])
            )
        for path in list_folder(folder):
            if is_image_name(path) and path.name not in listed:
                reason = f"{name}/label.csv does not name it"
                rejected.append((f"{name}/{example_id(path, folder)}", "unlabelled", reason))
    columns = ["example_id", "split", "source", *VOTE_COLUMNS, "box", "path"]
    frame = pd.DataFrame(rows, columns=columns)
    return build_image_table(NAME, frame, (), rejected=rejected, progress=progress)


def _parse_votes(cells: list[str]) -> tuple[list[int], str]:
    """Return the ten votes of a label.csv row, or why they cannot be used."""
    if len(cells) != 2 + len(VOTE_NAMES):
        return [], f"{len(cells)} columns instead of a name, a box and ten votes"
    name, _, *counts = cells
    reason = _why_no_votes(counts)
    if reason:
        return [], reason
    votes = [int(count) for count in counts]
    if not name:
        # The authors give no name to what all ten saw as no face.
        return [], NO_FACE if votes[-1] == sum(votes) > 0 else "the name of the image is missing"
    if "/" in name or not stays_inside(name):
        return [], f"{name!r} is not a plain file name"
    return votes, ""


def _why_no_votes(counts: list[str]) -> str:
    if all(count.isdecimal() and len(count) < 6 for count in counts):
        return ""
    return f"the ten votes must be whole numbers. Found: {', '.join(counts)}"


def _read_tables(faces_csv: Path, votes_csv: Path, progress: bool) -> ExampleTable:
    """Join the two tables by row order only: the number in `Image name` is not the row."""
    faces = read_faces(faces_csv, ["pixels", "Usage"], progress=progress)
    names, votes, vote_usages, why_not = _read_votes_table(votes_csv)
    usages = list(faces.frame["Usage"])
    _check_rows_match(faces_csv, usages, votes_csv, vote_usages)
    splits = [fer2013.USAGE_SPLITS.get(usage.casefold(), "") for usage in usages]
    reasons = np.where(faces.reasons != "", faces.reasons, why_not)
    reasons[np.array(splits, dtype=object) == ""] = fer2013.USAGE_EXPECTED
    frame = pd.DataFrame(
        {
            "example_id": faces.frame["example_id"],
            "split": splits,
            "source": faces_csv.name,
            "image_name": names,
        }
    )
    frame[list(VOTE_COLUMNS)] = votes
    kept = reasons == ""
    set_aside = zip(frame["example_id"][~kept], reasons[~kept], strict=True)
    return ExampleTable(
        name=NAME,
        frame=with_default_columns(frame[kept].reset_index(drop=True)),
        targets=(),
        payload=ArrayPayload({"pixels": faces.pixels}, np.flatnonzero(kept)),
        groups_known=False,
        rejected=rejected_frame((identity, "damaged", reason) for identity, reason in set_aside),
        read=len(frame),
    )


def _read_votes_table(votes_csv: Path) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """Return the image names, votes `(rows, 10)`, usages and reasons against the rows, or ""."""
    names, votes, usages, reasons = [], [], [], []
    for _, cells, reason in read_rows(votes_csv, ["Usage", "Image name", *VOTE_NAMES]):
        counts = [cells[name] for name in VOTE_NAMES]
        reason = reason or _why_no_votes(counts)
        names.append(cells["Image name"])
        usages.append(cells["Usage"])
        votes.append([0] * len(counts) if reason else list(map(int, counts)))
        reasons.append(f"{votes_csv.name}: {reason}" if reason else "")
    votes = np.array(votes, dtype=np.int64).reshape(-1, len(VOTE_NAMES))
    return names, votes, usages, np.array(reasons, dtype=object)


def _check_rows_match(
    faces_csv: Path, face_usages: list[str], votes_csv: Path, vote_usages: list[str]
) -> None:
    """Raise `UserError` unless both tables have the same Usage row by row."""
    mend = "They are joined by row order: take both files unchanged, neither sorted nor filtered."
    if len(face_usages) != len(vote_usages):
        raise UserError(
            f"{votes_csv}: {len(vote_usages)} rows, but {faces_csv.name} has {len(face_usages)}. "
            f"{mend}"
        )
    pairs = enumerate(zip(face_usages, vote_usages, strict=True))
    different = [row for row, (face, votes) in pairs if face.casefold() != votes.casefold()]
    if different:
        row = different[0]
        raise UserError(
            f"{votes_csv}: Usage differs from {faces_csv.name} in {len(different)} rows, the first "
            f"is row {row + 1}: {vote_usages[row]!r} against {face_usages[row]!r}. {mend}"
        )

"""The one form in which every data set leaves its reader: a row per example."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from affectkeras.datasets.recordings import RecordingPayload
from affectkeras.errors import UserError

COLUMNS = ("example_id", "subject", "group", "split", "source")
SPLITS = ("train", "validation", "test", "")
REJECTED_COLUMNS = ("path", "kind", "reason")

RejectedKind = Literal["damaged", "unlabelled", "excluded"]


@dataclasses.dataclass(frozen=True)
class Target:
    """A column to predict.

    Args:
        name: the column of the frame: class indices (int) or numbers (float).
        kind: `"class"` or `"number"`.
        class_names: the names of classes 0, 1, …; empty for numbers.
        distribution: for soft labels, one column per class holding its probability; else empty.
    """

    name: str
    kind: Literal["class", "number"]
    class_names: tuple[str, ...] = ()
    distribution: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class FilePayload:
    """Encoded files, one per row: `paths` has shape `(rows,)`, dtype object (str)."""

    paths: np.ndarray

    def take(self, rows: np.ndarray) -> "FilePayload":
        return FilePayload(self.paths[rows])

    def __len__(self) -> int:
        return len(self.paths)


@dataclasses.dataclass(frozen=True)
class ArrayPayload:
    """Decoded arrays, one row each, in memory or memory-mapped.

    Args:
        arrays: name → array whose first axis is the row. Faces are `{"pixels": uint8 (rows, height,
            width) or (rows, height, width, 3)}`.
        index: the array row of each table row, so that choosing rows copies no data.
    """

    arrays: dict[str, np.ndarray]
    index: np.ndarray

    def take(self, rows: np.ndarray) -> "ArrayPayload":
        return ArrayPayload(self.arrays, self.index[rows])

    def __len__(self) -> int:
        return len(self.index)


@dataclasses.dataclass(frozen=True)
class ExampleTable:
    """Examples as they were found, and what was set aside while finding them.

    Args:
        name: the data set's short name, such as `"sfew"`.
        frame: one row per example, index 0…n-1, with the columns `example_id` (unique, readable:
            the path below the raw folder), `subject` (empty where unknown), `group` (the smallest
            set that must not be split), `split` (the owner's: train, validation, test or empty),
            `source` (the file it came from), every target's column, and whatever raw facts the
            owner gives (votes, original sizes …).
        targets: what can be predicted.
        payload: one encoded file, one row of arrays or one recording per row.
        groups_known: whether `group` comes from the owner's files; where not, it is the row itself.
        rejected: `path, kind, reason` of every source example that is not in the frame. `damaged`
            could not be used, `unlabelled` has no label from its owner, `excluded` was left out by
            a choice such as a label mode.
        read: how many source examples were seen: always `len(frame) + len(rejected)`.

    Raises:
        UserError: when the columns, ids or counts break the contract above.
    """

    name: str
    frame: pd.DataFrame
    targets: tuple[Target, ...]
    payload: FilePayload | ArrayPayload | RecordingPayload
    groups_known: bool
    rejected: pd.DataFrame
    read: int

    def __post_init__(self):
        wanted = [*COLUMNS, *(target.name for target in self.targets)]
        wanted += [column for target in self.targets for column in target.distribution]
        missing = [column for column in wanted if column not in self.frame.columns]
        if missing:
            raise UserError(f"{self.name}: the example table lacks the columns {missing}.")
        if list(self.rejected.columns) != list(REJECTED_COLUMNS):
            raise UserError(
                f"{self.name}: rejected must have the columns {list(REJECTED_COLUMNS)}. "
                f"Received: {list(self.rejected.columns)}"
            )
        if len(self.payload) != len(self.frame):
            raise UserError(
                f"{self.name}: {len(self.frame)} rows but {len(self.payload)} payloads."
            )
        repeated = self.frame["example_id"][self.frame["example_id"].duplicated()]
        if len(repeated):
            raise UserError(f"{self.name}: example_id {repeated.iloc[0]!r} stands more than once.")
        unknown = sorted(set(self.frame["split"]) - set(SPLITS))
        if unknown:
            raise UserError(f"{self.name}: split must be one of {SPLITS}. Received: {unknown}")
        if self.read != len(self.frame) + len(self.rejected):
            raise UserError(
                f"{self.name}: read {self.read} examples, but {len(self.frame)} are used and "
                f"{len(self.rejected)} rejected."
            )

    def __len__(self) -> int:
        return len(self.frame)

    def target(self, name: str) -> Target:
        """Return the target of that name, or raise `UserError` naming those there are."""
        for target in self.targets:
            if target.name == name:
                return target
        known = [target.name for target in self.targets]
        raise UserError(f"{self.name} has no target {name!r}; it has {known}.")

    @property
    def class_target(self) -> Target:
        """The first target that is a class; raises `UserError` where there is none."""
        for target in self.targets:
            if target.kind == "class":
                return target
        raise UserError(f"{self.name} has no class to predict.")

    def keep(
        self, mask: np.ndarray, reason: str, kind: RejectedKind = "excluded"
    ) -> "ExampleTable":
        """Return a table of the rows where `mask` holds; the others are counted as rejected."""
        mask = np.asarray(mask, dtype=bool)
        left_out = self.frame.loc[~mask, "example_id"]
        rejected = rejected_frame((path, kind, reason) for path in left_out)
        rows = np.flatnonzero(mask)
        return dataclasses.replace(
            self,
            frame=self.frame.iloc[rows].reset_index(drop=True),
            payload=self.payload.take(rows),
            rejected=pd.concat([self.rejected, rejected], ignore_index=True),
        )

    def check_rejected(self, allowed: float = 0.05) -> None:
        """Raise `UserError` when more than the allowed share of the examples is damaged."""
        damaged = self.rejected[self.rejected["kind"] == "damaged"]
        if self.read and len(damaged) > allowed * self.read:
            first = damaged.iloc[0]
            raise UserError(
                f"{self.name}: {len(damaged)} of {self.read} files cannot be used, more than the "
                f"allowed {allowed:.1%}. The first: {first['path']}: {first['reason']}. Mend the "
                f"files (python -m affectkeras doctor {self.name} DIR lists them all), or allow "
                "more with --max-rejected."
            )


def rejected_frame(rows: Iterable[tuple[str, str, str]] = ()) -> pd.DataFrame:
    """Return a frame of `(path, kind, reason)` rows, empty when there are none."""
    return pd.DataFrame(list(rows), columns=list(REJECTED_COLUMNS), dtype=object)


def example_id(path: Path, folder: Path) -> str:
    """Return the path below the raw folder as printable text.

    A name that is not UTF-8 keeps its bytes visible as `\\xNN`, so that it can be written to CSV
    and recognised by a person; the payload keeps the real name.
    """
    relative = os.path.relpath(os.fspath(path), os.fspath(folder)).replace(os.sep, "/")
    return os.fsencode(relative).decode("utf-8", "backslashreplace")

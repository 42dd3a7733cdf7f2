"""A split in the making, as `splits` builds it."""

import numpy as np

from affectkeras.errors import UserError
from affectkeras.evaluation.assignment import divide, join_units


class SplitDraft:
    """A split in the making: the owner's part, unit and class of each row, and our part."""

    def __init__(self, frame, target_column, ties, groups_known, seed):
        self.owner = frame["split"].to_numpy(dtype=str)
        self.labels = frame[target_column].to_numpy()
        self.ties = ties
        together = [rows for codes in ties.values() for rows in _sets(codes)]
        self.units = join_units(np.arange(len(frame)), together)
        self.groups_known = groups_known
        self.seed = seed
        self.part = np.full(len(frame), "", dtype="<U10")
        self.reason = np.full(len(frame), "", dtype=object)

    def owned(self, part: str) -> np.ndarray:
        """Return the rows of an owner's part that have not been set aside."""
        return np.flatnonzero((self.owner == part) & (self.reason == ""))

    def set_aside(self, rows: np.ndarray, reason: str) -> None:
        self.reason[rows] = reason

    def set_aside_shared(self, part: str, other: str) -> None:
        """Set aside the rows of an owner's part that are tied to a row in another.

        Only the tied rows themselves: a film does not go because one of its frames has a copy.
        """
        others = np.flatnonzero(self.owner == other)
        for name, codes in self.ties.items():
            rows = self.owned(part)
            shared = rows[(codes[rows] >= 0) & np.isin(codes[rows], codes[others])]
            self.set_aside(shared, f"its {name} is also in the owner's {other} part")

    def divide(self, rows, shares, parts, *, whole_units: bool, source: str) -> None:
        """Divide rows into named parts, by unit or row by row, classes evenly."""
        units = self.units[rows] if whole_units else np.arange(len(rows))
        found = len(np.unique(units))
        if found < len(parts):
            what = "group" if whole_units else "row"
            raise UserError(
                f"{source} holds {found} {what}{'' if found == 1 else 's'}; dividing it into "
                f"{', '.join(parts)} needs at least {len(parts)}. Choose another --protocol, or, "
                "for a folder of images, a group pattern that tells the groups apart."
            )
        complete_first = parts[0] == "train"
        chosen = divide(
            units, self.labels[rows], shares, seed=self.seed, complete_first=complete_first
        )
        self.part[rows] = np.asarray(parts)[chosen]


def _sets(codes: np.ndarray) -> list[np.ndarray]:
    """Return the row numbers of every code from 0 that several rows have."""
    told = np.flatnonzero(codes >= 0)
    told = told[np.argsort(codes[told], kind="stable")]
    cuts = np.flatnonzero(np.diff(codes[told])) + 1
    return [rows for rows in np.split(told, cuts) if len(rows) > 1]

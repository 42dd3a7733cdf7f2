"""A split in the making, as `splits` builds it."""

import numpy as np

from affectkeras.errors import UserError
from affectkeras.evaluation.assignment import divide


class SplitDraft:
    """A split in the making: the owner's part, unit and class of each row, and our part."""

    def __init__(self, frame, target_column, units, groups_known, seed):
        self.owner = frame["split"].to_numpy(dtype=str)
        self.labels = frame[target_column].to_numpy()
        self.groups = frame["group"].to_numpy(dtype=str)
        self.units = units
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
        """Set aside the rows of an owner's part whose unit also has rows in another."""
        rows, others = self.owned(part), np.flatnonzero(self.owner == other)
        shared = rows[np.isin(self.units[rows], self.units[others])]
        same_group = np.isin(self.groups[shared], self.groups[others]) & self.groups_known
        self.set_aside(shared[same_group], f"its group is also in the owner's {other} part")
        self.set_aside(
            shared[~same_group],
            f"a copy of an image, or of one of its group, in the owner's {other} part",
        )

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

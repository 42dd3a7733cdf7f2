"""The doctor's report as it grows, section by section."""

import dataclasses
from collections.abc import Iterable, Sequence

LISTED = 20  # lines of each kind of finding; the others are counted
NO_SPLIT = "no split"


@dataclasses.dataclass
class Report:
    """The text of the report as it grows, and the problems met on the way."""

    lines: list[str] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)

    def add(self, title: str, lines: Iterable[str] = ()) -> None:
        """Append a section: a title and its indented lines."""
        self.lines += ["", title, *(f"  {line}" for line in lines)]


def shorten(lines: Sequence[str], most: int = LISTED) -> list[str]:
    """Return the first lines, and how many more there are."""
    more = len(lines) - most
    return [*lines[:most], *([f"… and {more} more"] if more > 0 else [])]

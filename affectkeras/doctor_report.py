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


def align(rows: list[list[str]]) -> list[str]:
    """Return the rows as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return lines

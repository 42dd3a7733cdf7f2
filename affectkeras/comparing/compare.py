"""The command that compares arms of runs: printed, and as Markdown, CSV and a plot."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from affectkeras.comparing import comparison_words, number_words
from affectkeras.comparing.comparison_arms import MatchedArms, compare_class_arms
from affectkeras.comparing.comparison_plot import write_plot
from affectkeras.comparing.comparison_words import notes
from affectkeras.comparing.number_arms import MatchedNumbers, compare_number_arms
from affectkeras.comparing.run_arms import read_arms
from affectkeras.errors import UserError
from affectkeras.evaluation.comparison import Comparison
from affectkeras.evaluation.number_comparison import NumberComparison
from affectkeras.files import as_user_error, atomic_file, write_csv

Matched = MatchedArms | MatchedNumbers
Compared = list[Comparison] | list[NumberComparison]


def compare_command(
    arguments: Sequence[str], *, out: Path | None = None, worth_points: float = 3.0
) -> None:
    """Compare arms with the first and say what is shown.

    Args:
        arguments: as `run_arms.read_arms` takes them.
        out: the folder for comparison.md, comparison.csv and comparison.png.
        worth_points: the difference worth finding, in percentage points; of a CCC in hundredths.
    """
    if not 0 < worth_points < 100:
        raise UserError(
            f"--worth must be a number of points in (0, 100). Received: {worth_points:g}"
        )
    worth = worth_points / 100
    matched, compared = compare_named(arguments)
    print("\n".join(printed_lines(matched, compared, worth)))
    if out is None:
        return
    with as_user_error(out, "made"):
        out.mkdir(parents=True, exist_ok=True)
    with atomic_file(out / "comparison.md") as file:
        file.write(markdown(matched, compared, worth).encode("utf-8", "backslashreplace"))
    rows = _words_of(matched).csv_rows(matched, compared, worth)
    write_csv(out / "comparison.csv", pd.DataFrame(rows))
    write_plot(out / "comparison.png", matched, compared)
    print(f"\nWritten: {out}/comparison.md, comparison.csv and comparison.png")


def compare_named(arguments: Sequence[str]) -> tuple[Matched, Compared]:
    """Read, match and compare the arms that `read_arms` takes; the first is the reference."""
    arms = read_arms(arguments)
    return compare_number_arms(arms) if arms[0].targets else compare_class_arms(arms)


def _words_of(matched: Matched):
    """Return the module that says what such a comparison found."""
    return number_words if isinstance(matched, MatchedNumbers) else comparison_words


def verdicts(matched: Matched, compared: Compared, worth: float) -> list[str]:
    """Return all sentences of a comparison."""
    return _words_of(matched).verdicts(matched, compared, worth)


def title(matched: Matched, compared: Compared) -> str:
    """Return what was compared with what, on which rows."""
    one = compared[0]
    groups = f"{one.groups:,} group{'s' if one.groups != 1 else ''}"
    references = " and ".join(dict.fromkeys(each.reference for each in compared))
    return f"Compared with {references} on {one.rows:,} test rows in {groups}"


def printed_lines(matched: Matched, compared: Compared, worth: float) -> list[str]:
    """Return the lines for the terminal."""
    seeds = {one.name: " ".join(map(str, one.seeds)) for one in matched.predictions}
    lines = [title(matched, compared)]
    lines += [f"  {name}: seeds {numbers}" for name, numbers in seeds.items()]
    lines += [f"*** {note}" for note in notes(matched)] + [""]
    words = _words_of(matched)
    cells = [list(words.HEADER), *words.table_rows(compared)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(words.HEADER))]
    names = words.HEADER.index("Value")  # what stands before it is words
    for row in cells:
        padded = list(zip(row, widths, strict=True))
        left = [cell.ljust(width) for cell, width in padded[:names]]
        right = [cell.rjust(width) for cell, width in padded[names:]]
        lines.append("  ".join(left + right).rstrip())
    return [*lines, "", *verdicts(matched, compared, worth), "", words.METHOD]


def markdown(matched: Matched, compared: Compared, worth: float) -> str:
    """Return the comparison as a Markdown document."""
    said = _words_of(matched)
    table = [said.HEADER, ["---"] * len(said.HEADER), *said.table_rows(compared)]
    lines = [f"# {title(matched, compared)}", ""]
    lines += [f"**{note}**\n" for note in notes(matched)]
    lines += [f"- {one.name}: seeds {' '.join(map(str, one.seeds))}" for one in matched.predictions]
    lines += [""]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
    lines += ["", *(f"- {words}" for words in verdicts(matched, compared, worth)), "", said.METHOD]
    lines += ["", "![Differences with their intervals](comparison.png)", ""]
    return "\n".join(lines)

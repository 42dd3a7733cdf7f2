"""The command that compares arms of runs: printed, and as Markdown, CSV and a plot."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from affectkeras.comparing.comparison_arms import MatchedArms, compare_named
from affectkeras.comparing.comparison_plot import write_plot
from affectkeras.comparing.comparison_words import (
    METHOD,
    METRIC_WORDS,
    bracketed,
    csv_rows,
    labels_of,
    mcnemar_words,
    notes,
    p_value,
    verdict,
)
from affectkeras.errors import UserError
from affectkeras.evaluation.comparison import METRICS, Comparison
from affectkeras.files import as_user_error, atomic_file, write_csv
from affectkeras.wording import points

HEADER = ("Arm", "Metric", "Value", "Difference", "95 % interval", "p", "Holm", "Cohen's h")


def compare_command(
    arguments: Sequence[str], *, out: Path | None = None, worth_points: float = 3.0
) -> None:
    """Compare arms with the first and say what is shown.

    Args:
        arguments: as `comparison_arms.read_arms` takes them.
        out: the folder for comparison.md, comparison.csv and comparison.png.
        worth_points: the difference worth finding, in percentage points.
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
    write_csv(out / "comparison.csv", pd.DataFrame(csv_rows(matched, compared, worth)))
    write_plot(out / "comparison.png", matched, compared)
    print(f"\nWritten: {out}/comparison.md, comparison.csv and comparison.png")


def title(matched: MatchedArms, compared: list[Comparison]) -> str:
    """Return what was compared with what, on which rows."""
    one = compared[0]
    groups = f"{one.groups:,} group{'s' if one.groups != 1 else ''}"
    return f"Compared with {one.reference} on {one.rows:,} test rows in {groups}"


def table_rows(compared: list[Comparison]) -> list[list[str]]:
    """Return the cells below `HEADER`."""
    rows = []
    for metric in METRICS:
        first = compared[0].differences[metric]
        name = METRIC_WORDS[metric]
        rows.append([compared[0].reference, name, f"{first.reference:.1%}", *[""] * 5])
        for one in compared:
            found = one.differences[metric]
            p_values = [p_value(p).removeprefix("= ") for p in (found.p_value, found.p_adjusted)]
            effect = f"{one.cohens_h:+.3f}" if metric == "accuracy" else ""
            rows.append(
                [one.arm, name, f"{found.arm:.1%}", points(found.difference), bracketed(found)]
                + [*p_values, effect]
            )
    return rows


def verdicts(matched: MatchedArms, compared: list[Comparison], worth: float) -> list[str]:
    """Return all sentences: a verdict per arm and metric, and McNemar's test."""
    found = []
    for number, one in enumerate(compared, start=1):
        labels = labels_of(matched, number)
        found += [verdict(one, metric, worth, labels) for metric in METRICS]
        tested = mcnemar_words(one)
        found += [tested] if tested else []
        if math.isfinite(one.design_effect):
            found.append(
                f"{one.arm}: on {one.discordance:.1%} of the rows exactly one of both arms is "
                f"right; groups multiply the variance by {one.design_effect:.2f} (design effect)."
            )
    return found


def printed_lines(matched: MatchedArms, compared: list[Comparison], worth: float) -> list[str]:
    """Return the lines for the terminal."""
    seeds = {one.name: " ".join(map(str, one.seeds)) for one in matched.predictions}
    lines = [title(matched, compared)]
    lines += [f"  {name}: seeds {numbers}" for name, numbers in seeds.items()]
    lines += [f"*** {note}" for note in notes(matched)] + [""]
    cells = [list(HEADER), *table_rows(compared)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADER))]
    for row in cells:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(left + right).rstrip())
    return [*lines, "", *verdicts(matched, compared, worth), "", METHOD]


def markdown(matched: MatchedArms, compared: list[Comparison], worth: float) -> str:
    """Return the comparison as a Markdown document."""
    table = [HEADER, ["---"] * len(HEADER), *table_rows(compared)]
    lines = [f"# {title(matched, compared)}", ""]
    lines += [f"**{note}**\n" for note in notes(matched)]
    lines += [f"- {one.name}: seeds {' '.join(map(str, one.seeds))}" for one in matched.predictions]
    lines += [""]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
    lines += ["", *(f"- {words}" for words in verdicts(matched, compared, worth)), "", METHOD]
    lines += ["", "![Differences with their intervals](comparison.png)", ""]
    return "\n".join(lines)

"""The ledger as a table: Markdown to read, CSV to compute with."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from affectkeras.comparing.claims import SUBJECTS, Claim
from affectkeras.comparing.ledger import (
    LedgerRow,
    digits,
    figure_words,
    make_ledger,
    percents,
    recipe_claims,
)
from affectkeras.comparing.ledger_runs import Found, Ours, counted, find_results
from affectkeras.errors import UserError
from affectkeras.files import atomic_file, write_csv

NONE = "–"
HEADER = (
    *("Figure", "Measure", "Published", "n", "95 % interval at that n", "Protocol"),
    *("Ours, same data and protocol", "Ours, honest protocol", "Verdict"),
)
LEGEND = (
    "Shares are in percent. The interval is Wilson's, of an accuracy on n independent rows; frames "
    "of one film are not independent, so the truth is wider. Other metrics have none: n alone does "
    "not tell their spread. Two figures of one table are compared as independent samples "
    "(Newcombe), since no paper gives its predictions row by row. Ours: mean ± standard deviation "
    "over seeds (of a mean over subjects, over subjects) and, in brackets, the 95 % interval that "
    "resamples groups. Leaky: the split has "
    "frames of one film, video or person on both sides, as published; do not quote such a figure "
    "as generalisation."
)


def ledger_command(runs_dir: Path, package: str, out: Path | None = None) -> None:
    """Print the ledger of a folder of runs and, if asked, write it to a file.

    Args:
        runs_dir: where `result.json` files are looked for, at any depth.
        package: whose modules have the published figures as `CLAIMS`.
        out: `.md` or `.csv`.
    """
    if out is not None and out.suffix not in (".md", ".csv"):
        raise UserError(f"--out must end in .md or .csv. Received: {out}")
    claims = recipe_claims(package)
    found = find_results(runs_dir, claims)
    rows = make_ledger(claims, found)
    text = f"{ledger_table(rows)}\n\n{LEGEND}\n\n{found_words(found)}\n"
    print(text, end="")
    if out is None:
        return
    if out.suffix == ".csv":
        write_csv(out, ledger_frame(rows))
    else:
        with atomic_file(out) as file:
            file.write(text.encode("utf-8", "backslashreplace"))


def ledger_table(rows: Sequence[LedgerRow]) -> str:
    """Return the ledger as a Markdown table."""
    return markdown_table(HEADER, [_cells(row) for row in rows], "No published figures.")


def ledger_frame(rows: Sequence[LedgerRow]) -> pd.DataFrame:
    """Return the ledger as a frame: a column per fact, shares as shares."""
    records = []
    for row in rows:
        low, high = row.interval or (None, None)
        record = {"recipe": row.recipe, **dataclasses.asdict(row.claim)}
        record["published"] = record.pop("value")
        record |= {"low": low, "high": high, "right_rows": row.count, "leaky": row.leaky}
        for name, ours in (("same", row.same), ("honest", row.honest)):
            facts = dataclasses.asdict(ours) if isinstance(ours, Ours) else {}
            record[f"{name}_missing"] = "" if facts else ours
            fields = [field.name for field in dataclasses.fields(Ours)]
            record |= {f"{name}_{field}": facts.get(field) for field in fields}
        records.append(record | {"verdict": row.verdict, "notes": row.notes})
    columns = {"n": "Int64", "right_rows": "Int64"}
    columns |= {
        f"{name}_{field}": "Int64" for name in ("same", "honest") for field in ("n", "seeds")
    }
    return pd.DataFrame(records).astype(columns if records else {})


def found_words(found: Found) -> str:
    """Say how many result files were found, used and set aside, and why."""
    total = len(found.runs) + len(found.set_aside)
    words = f"{total} result files found: {len(found.runs)} used, {len(found.set_aside)} set aside"
    if not found.set_aside:
        return f"{words}."
    reasons = counted([reason for _, _, reason in found.set_aside])
    names = ", ".join(name for name, _, _ in found.set_aside)
    return f"{words} ({reasons}): {names}."


def markdown_table(header: Sequence[str], rows: Iterable[Sequence], empty: str) -> str:
    """Return a Markdown table; `empty` where it has no rows. None becomes a dash."""
    rows = list(rows)
    if not rows:
        return empty
    cells = [[_cell(value) for value in line] for line in (header, ["---"] * len(header), *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _cells(row: LedgerRow) -> list:
    claim, leaky = row.claim, " (leaky)" if row.leaky else ""
    published = digits(claim) + leaky
    if row.count is not None:
        published += f", {row.count} rows right"
    interval = row.interval and f"{percents(row.interval[0])} to {percents(row.interval[1])}"
    honest = "as on the left" if row.honest == row.same else row.honest
    return [
        f"{row.recipe}: {claim.id}",
        f"{_measure(claim)}, {claim.dataset} {claim.split}",
        published,
        claim.n,
        interval,
        claim.protocol + leaky,
        _ours(claim, row.same),
        _ours(claim, honest),
        "; ".join(filter(None, (row.verdict, row.notes))),
    ]


def _measure(claim: Claim) -> str:
    words = claim.metric.removeprefix(SUBJECTS).replace("_", " ")
    return f"{words}, mean over subjects" if claim.metric.startswith(SUBJECTS) else words


def _ours(claim: Claim, ours: Ours | str) -> str:
    if isinstance(ours, str):
        return ours
    text = f"{ours.protocol}{' (leaky)' if ours.leaky else ''}: {figure_words(claim, ours.value)}"
    if ours.sd is not None:
        text += f" ± {figure_words(claim, ours.sd)}"
    if ours.low is not None:
        text += f" [{figure_words(claim, ours.low)}, {figure_words(claim, ours.high)}]"
    seeds = "1 seed" if ours.seeds == 1 else f"{ours.seeds} seeds"
    return ", ".join(filter(None, (text, f"n {ours.n}", seeds, ours.model)))


def _cell(value) -> str:
    return NONE if value is None else str(value).replace("|", "\\|").replace("\n", " ")

"""One page that tells what a search found: `report.html`, whole in itself."""

import base64
import html
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from affectkeras.files import atomic_file
from affectkeras.given import without_option
from affectkeras.reporting.html_page import (
    Cell,
    page,
    paragraph,
    preformatted,
    section,
    table,
)
from affectkeras.searching.folder import read_search, read_trials
from affectkeras.searching.importance import Importance, find_importance
from affectkeras.searching.plots import plot_search

SHOWN = 25  # trials in the table
CAPTIONS = {
    "history": "Every trial, in the order they ended. Dashed: the settings that the search began "
    "with. The best of many trials is flattered by chance on the validation rows: what it is worth "
    "stands in the run below best/, on rows that no trial has read.",
    "parallel-coordinates": "One line per trial. Where good trials pass through one place of an "
    "axis, that value mattered.",
    "importance": "How much worse a random forest predicts the objective once a hyperparameter is "
    "shuffled among the trials. It is worth what its R² out of bag is: near 0 or below, the trials "
    "do not tell.",
    "pareto": "Every network of every trial, whole and pruned at every threshold.",
}


def write_search_report(folder: Path) -> Path:
    """Draw the plots of a search and write its `report.html`; return the page's path."""
    rows, facts = read_trials(folder), read_search(folder)
    importance = find_importance(rows)
    plots = plot_search(folder, rows, facts, importance)
    # Drawn by the script that knows what it shows.
    plots |= {path.stem: path for path in (folder / "plots").glob("pareto.png")}
    path = folder / "report.html"
    with atomic_file(path) as file:
        file.write(_render(folder, rows, facts, plots, importance).encode("utf-8"))
    return path


def _render(folder: Path, rows, facts: dict, plots, importance: Importance | None) -> str:
    objective = facts["objective"]["name"]
    settings = facts["settings"]
    counts = facts["trials"]
    found = [
        section("Found", *_found(rows, facts), _figure("pareto", plots)),
        section(
            "Trials",
            paragraph(
                f"{counts['completed']} completed, {counts['failed']} failed. "
                f"Compared by {objective} on validation rows; test rows were never read."
            ),
            _figure("history", plots),
            _figure("parallel-coordinates", plots),
            _trials(rows, facts),
        ),
        section(
            "What mattered",
            _figure("importance", plots)
            if importance is not None
            else paragraph("Fewer than 8 trials were completed: too few to tell."),
        ),
        section("Failed", _failed(rows)),
        section("Notes", *(paragraph(note) for note in facts["notes"])),
        section("Repeat this search", preformatted(_command(facts))),
        section("Settings", _settings(facts)),
    ]
    subtitle = (
        f"{settings['tuner']} · {len(rows)} trials · {folder.resolve().name} · "
        f"status: {facts['status']}"
    )
    title = f"search over {facts['search']}"
    return page(title, subtitle, facts["banners"], [part for part in found if part])


def _found(rows, facts: dict):
    best, objective = facts["best"], facts["objective"]["name"]
    words = (facts["choice"] or {}).get("words") or ""
    line = f"Trial {best['trial']}: {objective} {best['objective']:.4f} on validation rows. {words}"
    yield paragraph(line)
    first = facts["first"]
    if facts["first_is_default"] and first["status"] == "completed":
        change = best["objective"] - first["objective"]
        yield paragraph(
            f"The settings that the search began with (trial {first['trial']}) reached "
            f"{first['objective']:.4f}: a change of {change:+.4f}. Chosen among {len(rows)}, so "
            "partly by luck; compare the runs themselves with python -m affectkeras compare."
        )
    values = best["values"] | (facts["choice"] or {}).get("changes", {})
    yield table(("setting", "value"), [(name, _word(value)) for name, value in values.items()])
    yield Cell('<p>Its run: <a href="best/report.html">best/report.html</a></p>')


def _trials(rows: Sequence[dict], facts: dict) -> str:
    sign = -1 if facts["objective"]["direction"] == "max" else 1
    done = [row for row in rows if row["status"] == "completed"]
    done.sort(key=lambda row: (sign * row["objective"], row["trial"]))
    names = list(dict.fromkeys(name for row in done for name in row["values"]))
    measures = list(dict.fromkeys(name for row in done for name in row["measures"]))
    header = ["trial", facts["objective"]["name"], *measures, "seconds", *names]
    body = [
        [
            row["trial"],
            f"{row['objective']:.4f}",
            *(_word(row["measures"].get(name)) for name in measures),
            f"{row['seconds']:.1f}",
            *(_word(row["values"].get(name)) for name in names),
        ]
        for row in done[:SHOWN]
    ]
    note = f"The best {SHOWN} of {len(done)}; all stand in trials.csv." if len(done) > SHOWN else ""
    return table(header, body, range(1, len(header)), (0,)) + (paragraph(note, "note"))


def _failed(rows: Sequence[dict]) -> str:
    failed = [row for row in rows if row["status"] == "failed"]
    if not failed:
        return ""
    values = [", ".join(f"{k} {_word(v)}" for k, v in row["values"].items()) for row in failed]
    return table(
        ("trial", "cause", "settings"),
        [(row["trial"], row["cause"], said) for row, said in zip(failed, values, strict=True)],
    )


def _settings(facts: dict) -> str:
    rows = [(name, _word(value)) for name, value in facts["settings"].items()]
    rows.append(("kept as given", ", ".join(facts["fixed"]) or "nothing"))
    rows += [(name, _word(value)) for name, value in facts["environment"].items()]
    return table(("setting", "value"), rows)


def _command(facts: dict) -> str:
    words = without_option(facts["command"][1:], "--run-dir")  # it holds this search
    return " ".join(["python -m", facts["module"], *map(shlex.quote, words)])


def _figure(name: str, plots: dict[str, Path]) -> str:
    if name not in plots:
        return ""
    encoded = base64.b64encode(plots[name].read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{html.escape(name)}" src="data:image/png;base64,{encoded}">'
        f"<figcaption>{html.escape(CAPTIONS[name])}</figcaption></figure>"
    )


def _word(value) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:.4g}"
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)

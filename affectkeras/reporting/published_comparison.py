"""A paper's comparison table and its figure, with ours beside them."""

import math

from matplotlib.figure import Figure

from affectkeras.reporting.html_page import paragraph, table
from affectkeras.reporting.plot_style import FAINT, INK
from affectkeras.reporting.run_data import RunData
from affectkeras.wording import percent

OURS = "#0072B2"
_MARKS = {
    True: "ours, with 95 % interval",
    False: "ours, of other data or another division: not to be compared",
}


def comparison(run: RunData) -> str:
    """The paper's methods in its order, what it tells of each, and ours."""
    if run.comparison is None:
        return ""
    rows = []
    for one in run.comparison.to_dict("records"):
        low, high = percent(one["low"]), percent(one["high"])
        rows.append(
            [
                _text(one["dataset"]),
                _text(one["method"]),
                percent(one["published"]),
                _text(one["published_on"]),
                percent(one["accuracy"]),
                None if low is None or high is None else f"{low[:-2]} – {high}",
                _whole(one["n"]),
                _text(one["measured_on"]),
                {True: "yes", False: "no"}.get(one["comparable"]) if one["accuracy"] > 0 else None,
                _text(one["note"]),
            ]
        )
    header = ["data", "method", "published", "on", "ours, on the test part", "95 % interval", "n",
              "measured on", "comparable", "note"]  # fmt: skip
    words = (
        "Published figures are of one run on one division; where ours is measured on other data or "
        "under another protocol, the two must not be compared."
    )
    return paragraph(words, "note") + table(header, rows, (2, 4, 5, 6))


def draw_comparison(run: RunData) -> Figure | None:
    """Draw a bar for every method as published, and ours with its interval [Figure 12]."""
    if run.comparison is None:
        return None
    rows = run.comparison.to_dict("records")
    figure = Figure(figsize=(9.5, 1.4 + 0.44 * len(rows)))
    axes = figure.subplots()
    for place, one in enumerate(rows):
        if not math.isnan(one["published"]):
            axes.barh(place, one["published"], height=0.62, color="#d9d9d9", edgecolor=FAINT,
                      label="published")  # fmt: skip
            axes.text(0.004, place, f"{one['published']:.1%}", va="center", color=INK, fontsize=8)
        if not math.isnan(one["accuracy"]):
            same = one["comparable"] is True
            if not (math.isnan(one["low"]) or math.isnan(one["high"])):
                ends, width = [one["low"], one["high"]], 3 if same else 1
                axes.plot(ends, [place] * 2, color=OURS, linewidth=width)
            axes.plot(one["accuracy"], place, "o", markersize=8, markeredgecolor=OURS,
                      color=OURS if same else "white", label=_MARKS[same])  # fmt: skip
    axes.set_yticks(range(len(rows)), [_label(one) for one in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlim(0, 1)
    axes.set_xlabel("accuracy")
    axes.grid(visible=False, axis="y")
    named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(named.values(), named.keys(), loc="outside upper left", ncols=3, fontsize=8)
    return figure


def _label(one: dict) -> str:
    part = _text(one["published_on"])
    return f"{one['method']}{' (validation)' if part == 'validation' else ''}"


def _text(value) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: float) -> int | None:
    return None if math.isnan(value) else int(value)

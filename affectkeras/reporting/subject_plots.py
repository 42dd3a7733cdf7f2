"""Plots by subject: the score of each, and how the labels of each are divided."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from affectkeras.reporting.plot_style import INK, arm_color
from affectkeras.reporting.run_data import RunData
from affectkeras.reporting.subject_tables import subject_label_counts
from affectkeras.subject_result import CHIEF_METRIC

_MARKERS = "sD^v<>"
_CLASS_COLORS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#785EF0", "#F0E442", "#117733", "#882255", "#999999", "#6B4C2A"),
)
_ROOM = 40  # letters of subjects' names side by side


def draw_subject_scores(run: RunData) -> Figure | None:
    """Draw the macro F1 of every subject: the served arm, sorted, and the floors.

    The lines are means over subjects, the band is one standard deviation (divisor n) either side.
    """
    if run.subject_scores is None:
        return None
    scores = run.subject_scores.pivot_table(index="subject", columns="arm", values=CHIEF_METRIC)
    served = run.result.get("served_arm")
    served = served if served in scores.columns else scores.mean().idxmax()
    floors = [arm for arm in run.floors if arm in scores.columns and arm != served]
    # Of equals the names decide, so that the picture is the same every time.
    scores = scores.sort_index().sort_values(served, kind="stable")
    place = np.arange(len(scores))
    figure = Figure(figsize=(min(16.0, max(6.5, 2.6 + 0.34 * len(scores))), 4.2))
    axes = figure.subplots()
    mean, sd = scores[served].mean(), scores[served].std(ddof=0)
    color = arm_color(served, run.arms)
    axes.axhspan(mean - sd, mean + sd, color=color, alpha=0.12, linewidth=0)
    axes.axhline(mean, color=color, linewidth=1.6)
    axes.plot(place, scores[served], "o", color=color, markersize=9, markeredgecolor="white",
              label=f"{served}: {mean:.1%} ± {sd:.1%}", zorder=4)  # fmt: skip
    for number, floor in enumerate(floors):
        tone = arm_color(floor, run.arms)
        marker = _MARKERS[number % len(_MARKERS)]
        average, spread = scores[floor].mean(), scores[floor].std(ddof=0)
        axes.plot(place, scores[floor], marker, color=tone, markersize=5.5, zorder=5,
                  label=f"{floor}: {average:.1%} ± {spread:.1%}")  # fmt: skip
        axes.axhline(average, color=tone, linewidth=1.1, linestyle="--")
    _name_subjects(axes, scores.index)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylabel("macro F1 of the subject's windows")
    axes.set_xlabel("subject, in the order of the served arm")
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside upper left", ncols=min(3, 1 + len(floors)), fontsize=9)
    return figure


def draw_label_skew(run: RunData) -> Figure | None:
    """Draw how many windows of each class there are, over all and by subject."""
    if run.label_counts is None or not run.label_counts["windows"].sum():
        return None
    counts = subject_label_counts(run)
    counts = counts[counts.sum(axis=1) > 0]
    colors = [_CLASS_COLORS[one % len(_CLASS_COLORS)] for one in range(counts.shape[1])]
    figure = Figure(figsize=(min(16.0, max(9.5, 5.4 + 0.34 * len(counts))), 3.6))
    widths = [1.5, max(2.2, 0.16 * len(counts))]
    overall, by_subject = figure.subplots(1, 2, width_ratios=widths)
    _draw_counts(overall, counts.sum(), colors)
    _draw_shares(by_subject, counts, colors)
    return figure


def _draw_counts(axes, total: pd.Series, colors: list[str]) -> None:
    """Draw a bar per class, over all subjects."""
    place = np.arange(len(total))
    axes.barh(place, total, color=colors)
    for row, count in enumerate(total):
        words = f" {count / total.sum():.0%}, {count:,}"
        axes.text(count, row, words, va="center", fontsize=8, color=INK)
    axes.set_yticks(place, total.index, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.4 * total.max())
    axes.set_xlabel("windows")
    axes.set_title("all subjects")
    axes.grid(visible=False, axis="y")


def _draw_shares(axes, counts: pd.DataFrame, colors: list[str]) -> None:
    """Draw each subject's shares of the classes, sorted by that of the commonest."""
    total = counts.sum()
    shares = counts.div(counts.sum(axis=1), axis=0)
    order = shares[total.idxmax()].sort_index().sort_values(kind="stable").index
    place, bottom = np.arange(len(order)), np.zeros(len(order))
    for name, color in zip(counts.columns, colors, strict=True):
        height = shares.loc[order, name].to_numpy()
        axes.bar(place, height, 0.86, bottom, color=color)
        bottom += height
    if len(total) == 2:
        axes.axhline(total.iloc[0] / total.sum(), color=INK, linestyle="--", linewidth=1)
    _name_subjects(axes, order)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_title("share by subject")
    axes.grid(visible=False)


def _name_subjects(axes, names: pd.Index) -> None:
    crowded = len(names) * max(map(len, names)) > _ROOM
    axes.set_xticks(range(len(names)), names, rotation=60 if crowded else 0, fontsize=8)
    axes.set_xlim(-0.7, len(names) - 0.3)

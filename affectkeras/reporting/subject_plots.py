"""Plots by subject: the score of each, and how the labels of each are divided."""

import numpy as np
from matplotlib.figure import Figure

from affectkeras.reporting.plot_style import INK, OTHER_COLORS, arm_color
from affectkeras.reporting.run_data import RunData
from affectkeras.reporting.subject_tables import subject_label_counts
from affectkeras.subject_result import CHIEF_METRIC

_MARKERS = "sD^v<>"
_CLASS_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", *OTHER_COLORS)


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
    axes.set_xticks(place, scores.index, rotation=60 if len(scores) > 12 else 0, fontsize=8)
    axes.set_xlim(-0.7, len(scores) - 0.3)
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
    shares = counts.div(counts.sum(axis=1), axis=0)
    total = counts.sum()
    order = shares[total.idxmax()].sort_index().sort_values(kind="stable").index
    width = min(16.0, max(7.5, 4.4 + 0.34 * len(counts)))
    figure = Figure(figsize=(width, 3.8))
    overall, by_subject = figure.subplots(1, 2, width_ratios=[1.5, max(3.0, 0.3 * len(counts))])
    bottom = np.zeros(len(counts))
    for number, name in enumerate(counts.columns):
        color = _CLASS_COLORS[number % len(_CLASS_COLORS)]
        overall.bar(number, total[name], color=color)
        words = f"{total[name] / total.sum():.0%}\n{total[name]:,}"
        overall.text(number, total[name], words, ha="center", va="bottom", fontsize=8, color=INK)
        height = shares.loc[order, name].to_numpy()
        by_subject.bar(np.arange(len(order)), height, 0.86, bottom, color=color, label=name)
        bottom += height
    names = list(counts.columns)
    overall.set_xticks(range(len(names)), names, rotation=40 if len(names) > 2 else 0,
                       ha="right" if len(names) > 2 else "center", fontsize=8)  # fmt: skip
    overall.set_ylim(0, 1.22 * total.max())
    overall.set_ylabel("windows")
    overall.set_title("all subjects")
    overall.grid(visible=False, axis="x")
    by_subject.axhline(total[names[0]] / total.sum(), color=INK, linestyle="--", linewidth=1)
    by_subject.set_xticks(
        range(len(order)), order, rotation=60 if len(order) > 12 else 0, fontsize=8
    )
    by_subject.set_xlim(-0.7, len(order) - 0.3)
    by_subject.set_ylim(0, 1)
    by_subject.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    by_subject.set_title("share by subject")
    by_subject.grid(visible=False)
    figure.legend(loc="outside lower center", ncols=min(6, len(names)), fontsize=9)
    return figure

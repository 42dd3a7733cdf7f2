"""The plot of a comparison: differences with their intervals, and a line at none."""

import math
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from affectkeras.comparing.comparison_arms import MatchedArms
from affectkeras.comparing.comparison_words import METRIC_WORDS, bracketed, notes
from affectkeras.evaluation.comparison import METRICS, Comparison
from affectkeras.files import atomic_file
from affectkeras.reporting.plot_style import FAINT, INK, STYLE, arm_color
from affectkeras.wording import points


def write_plot(path: Path, matched: MatchedArms, compared: list[Comparison]) -> None:
    """Write the plot as PNG."""
    with matplotlib.rc_context(STYLE):
        figure = draw_differences(matched, compared)
        FigureCanvasAgg(figure)
        with atomic_file(path) as file:
            figure.savefig(file, format="png", dpi=130)


def draw_differences(matched: MatchedArms, compared: list[Comparison]) -> Figure:
    """Draw a panel per metric with a line per arm; a filled mark where a difference is shown."""
    said = notes(matched)
    height = 1.5 + 0.55 * len(compared) + 0.25 * len(said)
    figure = Figure(figsize=(10, height))
    panels = figure.subplots(1, len(METRICS), sharey=True, sharex=True)
    arms = [one.arm for one in matched.runs]
    for axes, metric in zip(panels, METRICS, strict=True):
        axes.axvline(0, color=INK, linewidth=1)
        for row, one in enumerate(compared):
            found = one.differences[metric]
            color = arm_color(matched.runs[row + 1].arm, arms)
            if math.isfinite(found.low):
                ends = [100 * found.low, 100 * found.high]
                axes.plot(ends, [row, row], color=color, linewidth=3, solid_capstyle="round")
            fill = color if found.shown else "white"
            middle = 100 * found.difference
            axes.plot(middle, row, "o", color=fill, markeredgecolor=color, markersize=9)
            words = f"{points(found.difference)} {bracketed(found)}"
            # On white, so that the line at zero does not strike the figures through.
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            axes.text(middle, row - 0.22, words, ha="center", va="bottom", fontsize=9, bbox=box)
        axes.set_title(METRIC_WORDS[metric])
        axes.set_ylim(len(compared) - 0.5, -0.75)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"points more than {compared[0].reference}")
    panels[0].set_yticks(range(len(compared)), [one.arm for one in compared])
    key = "● a difference is shown   ○ none is shown   — 95 % interval"
    figure.supxlabel("\n".join([key, *said]), fontsize=9, color=INK if said else FAINT)
    return figure

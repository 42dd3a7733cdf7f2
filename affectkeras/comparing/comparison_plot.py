"""The plot of a comparison: differences with their intervals, and a line at none."""

import math
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from affectkeras.comparing import number_words
from affectkeras.comparing.comparison_arms import MatchedArms
from affectkeras.comparing.comparison_words import METRIC_WORDS, bracketed, notes
from affectkeras.comparing.number_arms import MatchedNumbers
from affectkeras.evaluation.comparison import METRICS, Comparison
from affectkeras.evaluation.number_comparison import NumberComparison
from affectkeras.files import atomic_file
from affectkeras.reporting.plot_style import FAINT, INK, STYLE, arm_color
from affectkeras.wording import points


def write_plot(path: Path, matched: MatchedArms | MatchedNumbers, compared: list) -> None:
    """Write the plot as PNG."""
    draw = draw_number_differences if isinstance(matched, MatchedNumbers) else draw_differences
    with matplotlib.rc_context(STYLE):
        figure = draw(matched, compared)
        FigureCanvasAgg(figure)
        with atomic_file(path) as file:
            figure.savefig(file, format="png", dpi=130)


def draw_differences(matched: MatchedArms, compared: list[Comparison]) -> Figure:
    """Draw a panel per metric with a line per arm; a filled mark where a difference is shown."""
    figure, panels = _panels(matched, compared, len(METRICS))
    arms = [one.arm for one in matched.runs]
    for axes, metric in zip(panels, METRICS, strict=True):
        axes.axvline(0, color=INK, linewidth=1)
        for row, one in enumerate(compared):
            found = one.differences[metric]
            figures = [100 * value for value in (found.low, found.difference, found.high)]
            words = f"{points(found.difference)} {bracketed(found)}"
            color = arm_color(matched.runs[row + 1].arm, arms)
            _draw_line(axes, row, figures, found.shown, words, color)
        axes.set_title(METRIC_WORDS[metric])
        axes.set_xlabel(f"points more than {compared[0].reference}")
    return figure


def draw_number_differences(matched: MatchedNumbers, compared: list[NumberComparison]) -> Figure:
    """Draw a panel per target with the CCC's difference of every arm that predicts it."""
    targets = [
        target
        for target in matched.true
        if any(target == found.target for one in compared for found in one.differences)
    ]
    figure, panels = _panels(matched, compared, len(targets))
    arms = [one.arm for one in matched.runs]
    own = {one.name: one.arm for one in matched.runs}
    for axes, target in zip(panels, targets, strict=True):
        axes.axvline(0, color=INK, linewidth=1)
        for row, one in enumerate(compared):
            for found in one.differences:
                if (found.target, found.metric) == (target, "ccc"):
                    figures = [found.low, found.difference, found.high]
                    words = f"{number_words.plus(found)} {number_words.bracketed(found)}"
                    color = arm_color(own[one.arm], arms)
                    _draw_line(axes, row, figures, found.shown, words, color)
                    axes.set_xlabel(f"more than {one.reference}")
        axes.set_title(f"CCC of {target}")
    return figure


def _panels(matched, compared: list, number: int):
    """Return a figure and its panels, a line of each for every arm compared."""
    said = notes(matched)
    height = 1.5 + 0.55 * len(compared) + 0.25 * len(said)
    figure = Figure(figsize=(10, height))
    panels = figure.subplots(1, number, sharey=True, sharex=True, squeeze=False)[0]
    for axes in panels:
        axes.set_ylim(len(compared) - 0.5, -0.75)
        axes.grid(visible=False, axis="y")
    panels[0].set_yticks(range(len(compared)), [one.arm for one in compared])
    key = "● a difference is shown   ○ none is shown   — 95 % interval"
    figure.supxlabel("\n".join([key, *said]), fontsize=9, color=INK if said else FAINT)
    return figure, panels


def _draw_line(axes, row: int, figures: list[float], shown: bool, words: str, color: str) -> None:
    """Draw low end, difference and high end of one arm."""
    low, middle, high = figures
    if math.isfinite(low):
        axes.plot([low, high], [row, row], color=color, linewidth=3, solid_capstyle="round")
    fill = color if shown else "white"
    axes.plot(middle, row, "o", color=fill, markeredgecolor=color, markersize=9)
    # On white, so that the line at zero does not strike the figures through.
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axes.text(middle, row - 0.22, words, ha="center", va="bottom", fontsize=9, bbox=box)

"""The picture of a search for a learning rate: the loss over the rate."""

from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from affectkeras.files import atomic_file
from affectkeras.reporting.plot_style import FAINT, INK, STYLE

_COLOR = "#0072B2"


def write_rate_plot(
    path: Path, curve: pd.DataFrame, *, suggestion: float | None, steepest: float | None
) -> None:
    """Write the picture as PNG; arguments as in `draw_rates`."""
    with matplotlib.rc_context(STYLE):
        figure = draw_rates(curve, suggestion=suggestion, steepest=steepest)
        FigureCanvasAgg(figure)
        with atomic_file(path) as file:
            figure.savefig(file, format="png", dpi=130)


def draw_rates(curve: pd.DataFrame, *, suggestion: float | None, steepest: float | None) -> Figure:
    """Draw the loss of every step over its rate, and what is suggested.

    Args:
        curve: a row per step with the columns `rate`, `loss` and `smoothed`.
        suggestion, steepest: rates to mark; None: not marked.
    """
    figure = Figure(figsize=(7.5, 4.2))
    axes = figure.subplots()
    axes.plot(curve["rate"], curve["loss"], color=FAINT, linewidth=0.8, label="loss of a batch")
    axes.plot(curve["rate"], curve["smoothed"], color=_COLOR, linewidth=2, label="smoothed")
    for rate, style, name in ((suggestion, "-", "suggested"), (steepest, ":", "steepest")):
        if rate is not None:
            axes.axvline(
                rate, color=INK, linestyle=style, linewidth=1.3, label=f"{name} {rate:.1e}"
            )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0e}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    # A loss that left the others far behind would press them flat.
    low, high = curve["smoothed"].min(), curve["smoothed"].iloc[0]
    axes.set_ylim(low - 0.15 * max(high - low, 0.1), high + 1.0 * max(high - low, 0.1))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss before the step")
    axes.set_title("a training whose learning rate grows from step to step")
    axes.legend(loc="best", fontsize=9)
    return figure

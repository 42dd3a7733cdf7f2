"""Plots of a search, made from what lies in its folder."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import rankdata

from affectkeras.reporting.plot_style import FAINT, INK, STYLE
from affectkeras.searching.importance import Importance
from affectkeras.searching.pareto import TUNED

BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = matplotlib.colormaps["viridis"]
FEW = 6  # numbers that are shown one by one


def plot_search(folder: Path, rows, facts: dict, importance: Importance | None) -> dict[str, Path]:
    """Draw the plots of a search into `plots/` and return them by name.

    Args:
        folder: of the search.
        rows: of its `trials.csv`.
        facts: its `search.json`.
        importance: of its hyperparameters; None: it cannot be told.
    """
    with matplotlib.rc_context(STYLE):
        figures = {
            "history": draw_history(rows, facts),
            "parallel-coordinates": draw_parallel(rows, facts),
            "importance": None if importance is None else draw_importance(importance),
        }
    return save_figures(folder, figures)


def save_figures(folder: Path, figures: dict) -> dict[str, Path]:
    """Write figures into `plots/`, those that are None left out; return their files by name."""
    (folder / "plots").mkdir(exist_ok=True)
    paths = {}
    for name, figure in figures.items():
        if figure is not None:
            paths[name] = folder / "plots" / f"{name}.png"
            with matplotlib.rc_context(STYLE):
                figure.savefig(paths[name], dpi=110)
    return paths


def draw_history(rows: Sequence[dict], facts: dict) -> Figure:
    """Draw the objective of every trial in the order they ended, and the best so far."""
    name, sign = facts["objective"]["name"], 1 if facts["objective"]["direction"] == "max" else -1
    ended = sorted((row for row in rows if row["ended"] is not None), key=lambda row: row["ended"])
    found = [(place + 1, row) for place, row in enumerate(ended)]
    done = [(place, row) for place, row in found if row["status"] == "completed"]
    places = [place for place, _ in done]
    values = np.array([row["objective"] for _, row in done])
    figure = Figure(figsize=(8.5, 4))
    axes = figure.subplots()
    axes.plot(places, values, "o", color=BLUE, alpha=0.65, label="a trial")
    axes.step(
        places, sign * np.maximum.accumulate(sign * values), where="post", color=RED, linewidth=2,
        label="best so far",
    )  # fmt: skip
    first = facts["first"]
    if facts["first_is_default"] and first and first["status"] == "completed":
        axes.axhline(first["objective"], color=FAINT, linestyle="--", label="where it began")
    failed = [place for place, row in found if row["status"] == "failed"]
    if failed:
        low = axes.get_ylim()[0]
        axes.plot(failed, [low] * len(failed), "x", color=INK, label="failed", clip_on=False)
    axes.set_title(f"{name} on validation rows by trial")
    axes.set_xlabel("trials that ended")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def draw_parallel(rows: Sequence[dict], facts: dict) -> Figure | None:
    """Draw each completed trial as a line over its values; better ones lighter and on top."""
    done = [row for row in rows if row["status"] == "completed"]
    names = [
        name
        for name in dict.fromkeys(name for row in done for name in row["values"])
        if not name.startswith("tuner/")
    ]
    axes_of = {name: _Scale([row["values"].get(name) for row in done]) for name in names}
    if len(done) < 2 or not names:
        return None
    objective = facts["objective"]
    scores = np.array([row["objective"] for row in done])
    goodness = scores if objective["direction"] == "max" else -scores
    ranks = (rankdata(goodness, "max") - 1) / (len(done) - 1)
    # The first of equals is the best, as in the tables: drawn last, on top.
    order = np.lexsort((-np.arange(len(done)), goodness))
    axes_of[objective["name"]] = _Scale(list(scores), few=1)
    figure = Figure(figsize=(max(8.5, 1.35 * len(axes_of)), 4.6))
    axes = figure.subplots()
    for trial in order:
        values = [*(done[trial]["values"].get(name) for name in names), scores[trial]]
        heights = [
            scale.place(value) for scale, value in zip(axes_of.values(), values, strict=True)
        ]
        axes.plot(
            range(len(heights)), heights, color=COLOURS(0.05 + 0.9 * ranks[trial]),
            linewidth=2.4 if trial == order[-1] else 1.0, alpha=0.9 if ranks[trial] > 0.8 else 0.5,
        )  # fmt: skip
    for place, scale in enumerate(axes_of.values()):
        axes.axvline(place, color=INK, linewidth=0.8)
        for height, word in scale.ticks():
            look = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.6}
            axes.text(place + 0.03, height, word, fontsize=7.5, va="center", bbox=look)
    axes.set_xticks(range(len(axes_of)), list(axes_of), fontsize=9)
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xlim(-0.1, len(axes_of) - 0.5)
    axes.set_title("every trial as a line, lighter is better, thick the best")
    return figure


def draw_importance(importance: Importance) -> Figure:
    """Draw how much each hyperparameter mattered."""
    figure = Figure(figsize=(8.5, 1.4 + 0.36 * len(importance.names)))
    axes = figure.subplots()
    places = range(len(importance.names))
    axes.barh(
        places, importance.means, xerr=importance.deviations, color=BLUE, ecolor=FAINT, height=0.6
    )
    axes.set_yticks(places, importance.names)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("loss of R² when shuffled among the trials")
    axes.set_title(f"importance; R² of the forest out of bag: {importance.out_of_bag:.2f}")
    return figure


def draw_pareto(points, best: dict, objective: str) -> Figure:
    """Draw what every network of every trial reached against its size.

    Args:
        points: frame with the columns `arm`, `parameters`, `accuracy`, `pareto`, `threshold`
            (missing: the whole network).
        best: the point that was chosen, with the same names.
        objective: what is on the upward axis.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.5, 4.6))
        axes = figure.subplots()
        whole = points[points["threshold"].isna()]
        cut = points[points["threshold"].notna()]
        tuned = cut["arm"].str.endswith(TUNED)
        for kind, marker, of_kind in (("pruned", ".", ~tuned), ("and trained on", "^", tuned)):
            if of_kind.any():
                axes.plot(
                    cut[of_kind]["parameters"] / 1e3, cut[of_kind]["accuracy"], marker,
                    color=FAINT, label=kind,
                )  # fmt: skip
        axes.plot(whole["parameters"] / 1e3, whole["accuracy"], "o", color=BLUE, label="whole")
        front = points[points["pareto"]].sort_values("parameters")
        axes.step(
            front["parameters"] / 1e3, front["accuracy"], where="post", color=RED, linewidth=1.6,
            marker="o", fillstyle="none", label="beaten by none",
        )  # fmt: skip
        axes.axhline(
            points["accuracy"].max() - 0.01, color=GREEN, linestyle="--", linewidth=1,
            label="best less one point",
        )  # fmt: skip
        axes.plot(
            best["parameters"] / 1e3, best["accuracy"], "*", color=GREEN, markersize=16,
            label="chosen",
        )  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel("parameters in thousands")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
        axes.set_title(f"{objective} on validation rows against size, all trials")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


class _Scale:
    """Where values of a hyperparameter stand between 0 and 1.

    Words, and numbers of which there are few, stand at equal distances one above the other.
    """

    def __init__(self, values: list, few: int = FEW):
        known = [value for value in values if value is not None]
        numbers = all(isinstance(value, (int, float)) for value in known)
        found = sorted(set(known)) if numbers else sorted(set(map(str, known)))
        self.steps = found if not numbers or len(found) <= few else None
        self.low, self.high = (float(found[0]), float(found[-1])) if numbers else (0.0, 0.0)
        self.logarithmic = self.low > 0 and self.high / self.low > 50

    def place(self, value) -> float:
        """Return the height of a value; NaN, a gap in the line, where a trial has none."""
        if value is None:
            return float("nan")
        if self.steps is not None:
            shown = value if value in self.steps else str(value)
            return self.steps.index(shown) / (len(self.steps) - 1) if len(self.steps) > 1 else 0.5
        if self.logarithmic:
            return float(np.log(value / self.low) / np.log(self.high / self.low))
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Return heights and their labels."""
        if self.steps is not None:
            return [
                (self.place(step), str(step) if isinstance(step, (str, bool)) else f"{step:.4g}")
                for step in self.steps
            ]
        middle = np.sqrt(self.low * self.high) if self.logarithmic else (self.low + self.high) / 2
        return [(self.place(one), f"{one:.4g}") for one in (self.low, middle, self.high)]

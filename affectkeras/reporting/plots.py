"""The figures of a run, drawn from its folder alone.

`plot_run` writes `plots/*.png`; the numbers in brackets below are the paper's figures that ours
repeat.
"""

import math
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from affectkeras.files import atomic_file
from affectkeras.reporting.backbone_plot import draw_backbone_maps
from affectkeras.reporting.face_sheet_plot import draw_face_sheet
from affectkeras.reporting.leak_plots import draw_leaking_pairs
from affectkeras.reporting.number_plots import NUMBER_PLOTS
from affectkeras.reporting.plot_style import FAINT, INK, STYLE, arm_color, draw_seeds
from affectkeras.reporting.pruning_plots import draw_feature_maps, draw_sweep
from affectkeras.reporting.published_comparison import draw_comparison
from affectkeras.reporting.reliability_plot import draw_reliability
from affectkeras.reporting.removal_plots import (
    draw_loss_histogram,
    draw_loss_variance,
    draw_removed_faces,
)
from affectkeras.reporting.run_data import RunData, has_accuracy, read_run
from affectkeras.reporting.signal_plots import draw_signals, draw_smoothing
from affectkeras.reporting.stress_plots import (
    draw_activations,
    draw_arms_together,
    draw_inflation,
    draw_mask_weight,
    draw_masks,
)
from affectkeras.reporting.subject_plots import draw_label_skew, draw_subject_scores


def plot_run(run_dir: Path) -> dict[str, Path]:
    """Write every plot that the run folder has the data for.

    Returns:
        name → file, in the order in which a report shows them.
    """
    run = read_run(run_dir)
    folder = run.folder / "plots"
    written = {}
    with matplotlib.rc_context(STYLE):
        for name, draw in PLOTS.items():
            figure = draw(run)
            if figure is None:
                continue
            folder.mkdir(exist_ok=True)
            written[name] = folder / f"{name}.png"
            FigureCanvasAgg(figure)
            with atomic_file(written[name]) as file:
                figure.savefig(file, format="png", dpi=130)
    return written


def draw_accuracy(run: RunData) -> Figure | None:
    """Draw the test accuracy of every arm with its 95 % interval."""
    arms = run.result.get("arms") or {}
    found = {arm: (one.get("test") or {}).get("accuracy") for arm, one in arms.items()}
    found = {arm: one for arm, one in found.items() if one and one.get("mean") is not None}
    if not found:
        return None
    figure = Figure(figsize=(7.5, 1.7 + 0.62 * len(found)))
    axes = figure.subplots()
    claims = [one for one in run.result.get("claims") or [] if _can_be_drawn(one)]
    for row, (arm, one) in enumerate(found.items()):
        color = arm_color(arm, run.arms)
        low, high = one.get("ci95") or (None, None)
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=color, linewidth=3, solid_capstyle="round")
        seeds = one.get("per_seed") or []
        axes.plot(seeds, [row + 0.2] * len(seeds), ".", color=color, markersize=6, alpha=0.6)
        axes.plot(one["mean"], row, "o", color=color, markersize=10, markeredgecolor="white")
        axes.text(one["mean"], row - 0.2, f"{one['mean']:.1%}", ha="center", va="bottom")
        for claim in claims:
            if claim["arm"] == arm:
                axes.plot(claim["published"], row, "D", color="none", markeredgecolor=INK)
    majority = ((run.result.get("baselines") or {}).get("majority") or {}).get("accuracy")
    if majority is not None:
        axes.axvline(majority, color=FAINT, linestyle="--")
        axes.text(
            majority, -0.78, f" majority {majority:.1%}", color=FAINT, va="center", fontsize=9
        )
    axes.set_yticks(range(len(found)), list(found))
    axes.set_ylim(len(found) - 0.4, -1.0)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    key = "accuracy on the test part   ● mean   — 95 % interval   · seeds"
    axes.set_xlabel(key + ("   ◇ published" if claims else ""))
    return figure


def _can_be_drawn(claim: dict) -> bool:
    """Whether a published figure may stand beside ours: drawn side by side they are compared."""
    return (
        claim.get("comparable", False)
        and claim.get("arm") is not None
        and claim.get("published") is not None
        and claim.get("metric", "accuracy") == "accuracy"
        and claim.get("split", "test") == "test"
    )


def draw_learning_curves(run: RunData) -> Figure | None:
    """Draw loss and accuracy against steps, or epochs, a row per arm [Figures 5, 6, 10 and 11]."""
    if not has_accuracy(run.history):
        return None
    arms = run.chief_arms(run.history["arm"])
    x = "step" if run.history["step"].notna().all() else "epoch"
    figure = Figure(figsize=(9.5, 2.9 * len(arms)))
    panels = figure.subplots(len(arms), 2, squeeze=False, sharex=True, sharey="col")
    for arm, row in zip(arms, panels, strict=True):
        history = run.history[run.history["arm"] == arm]
        for axes, metric in zip(row, ("loss", "accuracy"), strict=True):
            for column, color, label in (
                (metric, INK, "training"),
                (f"val_{metric}", arm_color(arm, arms), "validation"),
            ):
                if history[column].notna().any():
                    draw_seeds(axes, history, x, column, color, label)
            _mark_removal(axes, history, run.removal_epochs(arm))
            axes.set_title(f"{arm}: {metric}")
            axes.legend(loc="best", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("training steps" if x == "step" else "epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _mark_removal(axes, history: pd.DataFrame, epochs: list[int]) -> None:
    for number, epoch in enumerate(epochs):
        step = history.loc[history["epoch"] == epoch, "step"].mean()
        if math.isfinite(step):
            label = "rows removed" if number == 0 else None
            axes.axvline(step, color=FAINT, linestyle=":", linewidth=1.5, label=label)


def draw_confusion(run: RunData) -> Figure | None:
    """Draw a confusion matrix per arm: rows add up to one, counts below."""
    names = run.class_names
    if run.predictions is None or not names:
        return None
    test = run.predictions[run.predictions["split"] == "test"]
    arms = run.chief_arms(test["arm"])
    if not arms:
        return None
    columns = min(2, len(arms))
    rows = math.ceil(len(arms) / columns)
    side = max(3.5, 1.6 + 0.52 * len(names))
    figure = Figure(figsize=(side * columns, (side + 0.5) * rows))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, arm in zip(panels, arms, strict=False):
        found = test[test["arm"] == arm]
        counts = pd.crosstab(found[run.target], found["predicted"])
        counts = counts.reindex(index=names, columns=names, fill_value=0).to_numpy()
        _draw_matrix(axes, counts, names)
        seeds = found["seed"].nunique()
        together = f" ({seeds} seeds together)" if seeds > 1 else ""
        axes.set_title(f"{arm}{together}", fontsize=11 if len(names) > 3 else 9)
    for axes in panels[len(arms) :]:
        axes.set_visible(False)
    return figure


def _draw_matrix(axes, counts: np.ndarray, names: list[str]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shares[row, column] > 0.55 else INK
            text = f"{shares[row, column]:.0%}\n{count}"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=7)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")


def draw_class_f1(run: RunData) -> Figure | None:
    """Draw the F1 of every class and arm beside that of always naming the commonest class."""
    arms = {
        arm: (one.get("test") or {}).get("per_class") or {}
        for arm, one in (run.result.get("arms") or {}).items()
    }
    arms = {arm: arms[arm] for arm in run.chief_arms(arm for arm, found in arms.items() if found)}
    if not arms:
        return None
    names = run.class_names or list(next(iter(arms.values())))
    majority = (run.result.get("baselines") or {}).get("majority") or {}
    share = majority.get("accuracy")
    floor = [
        2 * share / (1 + share) if share is not None and name == majority.get("class") else 0.0
        for name in names
    ]
    bars = {arm: [_f1(found.get(name)) for name in names] for arm, found in arms.items()}
    figure = Figure(figsize=(max(6.5, 1.15 * len(names)), 3.4))
    axes = figure.subplots()
    width = 0.8 / (len(bars) + 1)
    for number, (arm, values) in enumerate(bars.items()):
        place = np.arange(len(names)) + (number - len(bars) / 2) * width
        axes.bar(place, values, width * 0.92, color=arm_color(arm, list(arms)), label=arm)
        for x in place[np.array(values) == 0]:  # a bar that cannot be seen looks like one left out
            axes.text(x, 0.01, "0", color=arm_color(arm, list(arms)), ha="center", fontsize=8)
    if "majority" not in bars:
        place = np.arange(len(names)) + len(bars) / 2 * width
        axes.bar(place, floor, width * 0.92, color="#c9c9c9", label="majority")
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, 1)
    axes.set_ylabel("F1 on the test part")
    axes.grid(visible=False, axis="x")
    axes.legend(ncols=min(4, len(bars) + 1), loc="upper right", fontsize=8)
    return figure


def _f1(found: dict | None) -> float:
    value = (found or {}).get("f1")
    return 0.0 if value is None else value


PLOTS: dict[str, Callable[[RunData], Figure | None]] = {
    "accuracy": draw_accuracy,
    "comparison": draw_comparison,
    "subject-scores": draw_subject_scores,
    "label-skew": draw_label_skew,
    "signals": draw_signals,
    "smoothing": draw_smoothing,
    "leaking-pairs": draw_leaking_pairs,
    "face-sheet": draw_face_sheet,
    "learning-curves": draw_learning_curves,
    "arms-together": draw_arms_together,
    "inflation": draw_inflation,
    "masks": draw_masks,
    "mask-weight": draw_mask_weight,
    "activations": draw_activations,
    "class-f1": draw_class_f1,
    "confusion": draw_confusion,
    "reliability": draw_reliability,
    "sweep": draw_sweep,
    "feature-maps": draw_feature_maps,
    "backbone-maps": draw_backbone_maps,
    "loss-variance": draw_loss_variance,
    "loss-histogram": draw_loss_histogram,
    "removed-faces": draw_removed_faces,
    **NUMBER_PLOTS,
}

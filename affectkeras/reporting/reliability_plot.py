"""How far a model's probabilities can be taken at their word, drawn from its test predictions."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from affectkeras.evaluation.metrics import calibration_bins
from affectkeras.reporting.plot_style import FAINT, arm_color
from affectkeras.reporting.run_data import RunData

FEW_ROWS = 10  # a share of fewer rows is mostly chance; such bins are drawn hollow


def draw_reliability(run: RunData) -> Figure | None:
    """Draw accuracy against confidence, a panel per arm, with the rows of each bin beneath.

    The bins hold the rows of all seeds; the calibration error is the mean over seeds, as in the
    report's table.
    """
    names = run.class_names
    columns = [f"p_{name}" for name in names]
    if run.predictions is None or not names or not {*columns} <= {*run.predictions.columns}:
        return None
    test = run.predictions[run.predictions["split"] == "test"].dropna(subset=columns)
    arms = run.chief_arms(test["arm"])
    if not arms:
        return None
    wide = min(4, len(arms))
    high = math.ceil(len(arms) / wide)
    figure = Figure(figsize=(max(4.2, 3.1 * wide), 4.2 * high))
    panels = figure.subplots(
        2 * high, wide, squeeze=False, sharex=True, height_ratios=[3.2, 1] * high
    )
    for place in range(high * wide):
        row, column = divmod(place, wide)
        upper, lower = panels[2 * row, column], panels[2 * row + 1, column]
        if place < len(arms):
            rows = test[test["arm"] == arms[place]]
            _draw_arm(upper, lower, rows, run, arms[place], arm_color(arms[place], arms))
        else:
            upper.set_visible(False)
            lower.set_visible(False)
    return figure


def _draw_arm(upper, lower, rows: pd.DataFrame, run: RunData, arm: str, color: str) -> None:
    bins = _bins(rows, run)
    error = np.mean([_bins(one, run).error for _, one in rows.groupby("seed")])
    upper.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1)
    held = bins.counts > 0
    confidence, right = bins.confidence[held], bins.accuracy[held]
    upper.vlines(confidence, confidence, right, color, alpha=0.5)
    for few, face in ((True, "white"), (False, color)):
        shown = held & ((bins.counts < FEW_ROWS) == few)
        upper.plot(
            bins.confidence[shown], bins.accuracy[shown], "o", color=color, markerfacecolor=face
        )
    upper.set_title(f"{arm}\nECE {100 * error:.1f} %", fontsize=9)  # names may be long
    upper.set_xlim(-0.03, 1.03)
    upper.set_ylim(-0.03, 1.03)
    upper.set_ylabel("share of right rows")
    upper.tick_params(bottom=False)
    lower.tick_params(labelbottom=True)
    lower.bar(
        bins.edges[:-1],
        bins.counts,
        np.diff(bins.edges) * 0.92,
        align="edge",
        color=color,
        alpha=0.6,
    )
    lower.set_ylabel("rows")
    lower.set_xlabel("confidence")


def _bins(rows: pd.DataFrame, run: RunData):
    names = run.class_names
    true = pd.Index(names).get_indexer(rows[run.target])
    return calibration_bins(true, rows[[f"p_{name}" for name in names]].to_numpy(dtype=float))

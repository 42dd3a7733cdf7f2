"""The look that all plots share."""

import pandas as pd

# Okabe and Ito's palette: told apart with any colour vision.
ARM_COLORS = {
    **{"none": "#0072B2", "bdr": "#D55E00", "random": "#009E73", "slade-gedeon": "#CC79A7"},
    **{"gru": "#0072B2", "lstm": "#D55E00"},
    **{"dynamic": "#D55E00", "standard": "#009E73", "spatial": "#CC79A7", "mean-pixel": "#8a8a8a"},
    **{"majority": "#8a8a8a"},
}
OTHER_COLORS = ("#56B4E9", "#E69F00", "#785EF0", "#000000", "#117733", "#AA4499")
INK, FAINT = "#222222", "#8a8a8a"
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
}


def arm_color(arm: str, arms: list[str]) -> str:
    """Return an arm's colour; the known arms have the same in every run."""
    if arm in ARM_COLORS:
        return ARM_COLORS[arm]
    others = [name for name in arms if name not in ARM_COLORS]
    return OTHER_COLORS[others.index(arm) % len(OTHER_COLORS)]


def draw_seeds(axes, frame: pd.DataFrame, x: str, y: str, color: str, label: str) -> None:
    """Draw a thin line per seed and fold, and their mean over epochs as a thick one.

    Args:
        axes: where to draw.
        frame: one row per epoch and seed, with the columns `epoch`, `seed`, `x` and `y`.
        x: `epoch`, or a column that grows with it.
        y: the column to draw.
        color, label: of the lines.
    """
    keys = [key for key in ("seed", "fold") if key in frame.columns]
    lines = [line.sort_values("epoch") for _, line in frame.groupby(keys)]
    if len(lines) > 1:
        for line in lines:
            axes.plot(line[x], line[y], color=color, linewidth=0.7, alpha=0.4)
    means = frame.groupby("epoch", as_index=False)[[y] if x == "epoch" else [x, y]].mean()
    marker = "o" if len(means) < 3 else None
    axes.plot(means[x], means[y], color=color, linewidth=2, label=label, marker=marker)

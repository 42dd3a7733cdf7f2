"""Plots of what a threshold angle costs, and of what the modules of a network see."""

import numpy as np
from matplotlib.figure import Figure

from affectkeras.reporting.plot_style import FAINT, INK, arm_color
from affectkeras.reporting.run_data import RunData

_LINES = 8  # arms that a plot can still tell apart
_SHOWN = 16  # maps per module


def draw_sweep(run: RunData) -> Figure | None:
    """Draw accuracy and removed maps over the threshold angle [Figure 2], and what is best."""
    if run.sweep is None:
        return None
    arms = run.sweep["arm"].unique().tolist()[:_LINES]
    served = f"{run.result.get('served_arm')}-"
    figure = Figure(figsize=(10.5, 5.6))
    panels = figure.subplot_mosaic([["accuracy", "sizes"], ["maps", "sizes"]])
    accuracy, maps, sizes = (panels[name] for name in ("accuracy", "maps", "sizes"))
    for arm in arms:
        found = run.sweep[run.sweep["arm"] == arm]
        whole, angles = found[found["threshold"].isna()], found[found["threshold"].notna()]
        means = angles.groupby("threshold")[["accuracy", "maps_removed"]].mean()
        look = {
            "color": arm_color(arm, arms),
            "linewidth": 2.4 if served.startswith(f"{arm}-") or len(arms) == 1 else 1.1,
            "label": arm,
        }
        accuracy.plot(means.index, means["accuracy"], **look)
        accuracy.axhline(whole["accuracy"].mean(), color=look["color"], linestyle=":", linewidth=1)
        maps.plot(means.index, means["maps_removed"], **look)
        by_size = found.groupby(found["threshold"].fillna(0.0))
        points = by_size[["parameters", "accuracy", "pareto"]].mean()
        sizes.plot(points["parameters"] / 1e3, points["accuracy"], ".", color=look["color"])
        best = points[points["pareto"] >= 0.5].sort_values("parameters")
        sizes.plot(best["parameters"] / 1e3, best["accuracy"], "o-", fillstyle="none", **look)
    accuracy.set_title("accuracy, whole network dotted")
    maps.set_title("maps removed")
    maps.set_xlabel("threshold angle in degrees")
    maps.set_ylim(bottom=0)
    sizes.set_title("accuracy by size, Pareto points circled")
    sizes.set_xlabel("parameters in thousands")
    for axes in (accuracy, sizes):
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    if len(arms) > 1:
        maps.legend(loc="upper left", fontsize=8)
    return figure


def draw_feature_maps(run: RunData) -> Figure | None:
    """Draw what every module makes of one face [Figure 1], its most active maps first."""
    path = run.folder / "feature_maps.npz"
    if not path.exists():
        return None
    with np.load(path) as content:
        names, face = content["layers"].tolist(), content["face"]
        modules = [content[f"map{number:02d}"] for number in range(len(names))]
    figure = Figure(figsize=(11, 1.0 + 0.78 * len(modules)), layout="none")
    grid = figure.add_gridspec(
        len(modules), _SHOWN + 3, left=0.02, right=0.99, top=0.96, bottom=0.02,
        wspace=0.08, hspace=0.12,
    )  # fmt: skip
    axes = figure.add_subplot(grid[:, :2])
    axes.imshow(face.squeeze(), cmap="gray", vmin=0, vmax=255)
    axes.axis("off")
    axes.set_title("the face", fontsize=9, loc="center")
    for row, (name, maps) in enumerate(zip(names, modules, strict=True)):
        spread = maps.reshape(-1, maps.shape[-1]).std(axis=0)
        label = figure.add_subplot(grid[row, 2])
        label.axis("off")
        height, width, count = maps.shape
        label.text(
            1.0, 0.5, f"{name.split('_')[0]}\n{count} maps\n{height}×{width}",
            ha="right", va="center", fontsize=6.5, color=INK, transform=label.transAxes,
        )  # fmt: skip
        for place, number in enumerate(np.argsort(-spread, kind="stable")[:_SHOWN]):
            axes = figure.add_subplot(grid[row, place + 3])
            axes.imshow(maps[..., number], cmap="magma")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(visible=False)
            for side in axes.spines.values():
                side.set_visible(True)
                side.set_color(FAINT)
                side.set_linewidth(0.5)
    return figure

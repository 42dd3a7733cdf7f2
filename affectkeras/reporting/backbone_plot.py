"""The picture of what early, middle and late layers of a backbone see in one face [Figure 3-3]."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from affectkeras.files import atomic_file
from affectkeras.reporting.plot_style import FAINT, INK, STYLE
from affectkeras.reporting.run_data import RunData

FILE = "backbone_maps.npz"
_COLUMNS = 6


def draw_backbone_maps(run: RunData) -> Figure | None:
    """Draw the maps that a run kept of its backbone."""
    path = run.folder / FILE
    if not path.exists():
        return None
    with np.load(path) as content:
        return draw_maps(dict(content))


def write_maps_picture(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the picture as PNG; `arrays` as in `draw_maps`."""
    with matplotlib.rc_context(STYLE):
        figure = draw_maps(arrays)
        FigureCanvasAgg(figure)
        with atomic_file(path) as file:
            figure.savefig(file, format="png", dpi=130)


def draw_maps(arrays: Mapping[str, np.ndarray]) -> Figure:
    """Draw the image and, a band per depth, the most varied maps.

    Args:
        arrays: `image` uint8 `(height, width, 3)`; `depths`, `layers` and `counts` of every layer;
            `map0`, `map1` … `(height, width, maps)`.
    """
    layers = len(arrays["layers"])
    figure = Figure(figsize=(11, 2.75 * layers), layout="none")
    bands = figure.add_gridspec(
        layers, 2, width_ratios=(1, 3.2), left=0.01, right=0.99, top=0.95, bottom=0.01,
        wspace=0.03, hspace=0.16,
    )  # fmt: skip
    axes = figure.add_subplot(bands[0, 0])
    axes.imshow(arrays["image"])
    _bare(axes)
    axes.set_title("the face")
    for row in range(layers):
        _draw_band(figure, bands[row, 1], arrays, row)
        if row:
            _say(figure.add_subplot(bands[row, 0]), _generality(str(arrays["depths"][row])))
    return figure


def _draw_band(figure: Figure, place, arrays: Mapping[str, np.ndarray], row: int) -> None:
    maps = np.asarray(arrays[f"map{row}"], np.float32)
    height, width, shown = maps.shape
    rows = -(-max(shown, 1) // _COLUMNS)
    grid = place.subgridspec(rows, _COLUMNS, wspace=0.05, hspace=0.05)
    for number in range(shown):
        axes = figure.add_subplot(grid[divmod(number, _COLUMNS)])
        axes.imshow(maps[..., number], cmap="magma", interpolation="nearest")
        _bare(axes)
        if number == 0:
            axes.set_title(
                f"{arrays['depths'][row]}: {arrays['layers'][row]}, "
                f"{arrays['counts'][row]} maps of {height}×{width}",
                fontsize=10,
            )


def _generality(depth: str) -> str:
    words = {
        "middle": "further in:\nparts and textures",
        "late": "at the end: what the\nnetwork tells apart,\nif it was trained",
    }
    return words.get(depth, "")


def _say(axes, text: str) -> None:
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center", color=INK, transform=axes.transAxes)


def _bare(axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(True)
        side.set_color(FAINT)
        side.set_linewidth(0.5)

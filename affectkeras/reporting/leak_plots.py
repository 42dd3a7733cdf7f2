"""Plot of what a leakage check found on two sides of a split."""

import math

from matplotlib.figure import Figure

from affectkeras.reporting.plot_style import INK
from affectkeras.reporting.run_data import RunData

_PAIRS = 24
_COLUMNS = 4  # pairs in a row


def draw_leaking_pairs(run: RunData) -> Figure | None:
    """Draw the pairs of pictures that stand against each other, each under the check's name."""
    checks = (run.result.get("leakage") or {}).get("checks") or {}
    pairs = [
        (name, pair)
        for name, check in checks.items()
        for pair in check.get("pairs") or []
        if len(pair) == 2 and all(one in run.thumbnails for one in pair)
    ]
    pairs = _of_each(pairs, _PAIRS)
    if not pairs:
        return None
    rows = math.ceil(len(pairs) / _COLUMNS)
    figure = Figure(figsize=(2.4 * _COLUMNS, 1.75 * rows), layout="none")
    figure.subplots_adjust(0.01, 0.06 / rows, 0.99, 1 - 0.16 / rows, 0.04, 0.5)
    panels = figure.subplots(rows, 2 * _COLUMNS, squeeze=False).reshape(-1, 2)
    for axes in panels.ravel():
        axes.axis("off")
    for (name, pair), (left, right) in zip(pairs, panels, strict=False):
        for axes, one in ((left, pair[0]), (right, pair[1])):
            axes.imshow(run.thumbnails[one])
            axes.text(0.5, -0.03, _end(one), fontsize=5, color=INK, ha="center", va="top",
                      transform=axes.transAxes)  # fmt: skip
        title = name.removesuffix("_on_two_sides").replace("_", " ")
        left.set_title(title, fontsize=8, fontweight="normal", loc="left", pad=3)
    return figure


def _of_each(pairs: list, most: int) -> list:
    """Return at most so many pairs, as evenly of each check as there are."""
    names = list(dict.fromkeys(name for name, _ in pairs))
    share = max(1, most // max(1, len(names)))
    kept = [pair for name in names for pair in [p for p in pairs if p[0] == name][:share]]
    return kept[:most]


def _end(example_id: str) -> str:
    """Return the end of the file's name: films differ at its start, frames at its end."""
    return example_id.rsplit("/", 1)[-1].rsplit(".", 1)[0][-22:]

"""Plots of what a removal arm saw and took out."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from affectkeras.reporting.plot_style import INK, arm_color, draw_seeds
from affectkeras.reporting.run_data import RunData

_SHEET = 36  # faces on the contact sheet
_COLUMNS = 6


def draw_loss_variance(run: RunData) -> Figure | None:
    """Draw the variance of the training rows' losses per epoch [Figure 7]."""
    if run.scores is None:
        return None
    spread = run.scores.groupby(["arm", "seed", "epoch"])["loss"].var(ddof=0)
    spread = spread.rename("variance").reset_index()
    figure = Figure(figsize=(7.5, 3.3))
    axes = figure.subplots()
    for arm in [arm for arm in run.arms if arm in set(spread["arm"])]:
        color = arm_color(arm, run.arms)
        draw_seeds(axes, spread[spread["arm"] == arm], "epoch", "variance", color, arm)
        for number, epoch in enumerate(run.removal_epochs(arm)):
            label = f"{arm}: rows removed" if number == 0 else None
            axes.axvline(epoch, color=color, linestyle=":", linewidth=1.5, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel("variance of the losses")
    axes.set_ylim(bottom=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper right", fontsize=9)
    return figure


def draw_loss_histogram(run: RunData) -> Figure | None:
    """Draw the losses before and after the first removal, a row per arm [Figures 8 and 9].

    The counts are on a logarithmic axis: on a plain one the few outlying losses cannot be seen.
    """
    if run.scores is None:
        return None
    rounds = {arm: _first_round(run.scores[run.scores["arm"] == arm]) for arm in run.arms}
    rounds = {arm: rows for arm, rows in rounds.items() if rows is not None}
    if not rounds:
        return None
    figure = Figure(figsize=(9.5, 2.9 * len(rounds)))
    panels = figure.subplots(len(rounds), 2, squeeze=False, sharex="row", sharey="row")
    for (arm, rows), (before, after) in zip(rounds.items(), panels, strict=True):
        color = arm_color(arm, run.arms)
        bins = np.linspace(0, max(rows["loss"].max(), 1e-6), 41)
        kept = rows[~rows["removed"]]
        epoch, seed = rows["epoch"].iloc[0], rows["seed"].iloc[0]
        for axes, losses, title in (
            (before, rows["loss"], f"{arm}, epoch {epoch}, seed {seed}: {len(rows)} rows"),
            (after, kept["loss"], f"after removal: {len(kept)} rows"),
        ):
            axes.hist(losses, bins, color=color, edgecolor="white", linewidth=0.5)
            axes.set_yscale("symlog", linthresh=1)
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.set_title(title)
            axes.set_xlabel("loss of a training row")
        before.set_ylabel("rows")
        if arm == "bdr":
            _mark_rule(before, rows["loss"].to_numpy())
            handles, labels = before.get_legend_handles_labels()
            after.legend(handles, labels, loc="upper right", fontsize=9)  # no bars are left there
    return figure


def _first_round(scores: pd.DataFrame) -> pd.DataFrame | None:
    """Return the scores of the first seed's first epoch that removed rows."""
    removed = scores[scores["removed"]]
    if not len(removed):
        return None
    seed = removed["seed"].iloc[0]
    epoch = removed.loc[removed["seed"] == seed, "epoch"].min()
    return scores[(scores["seed"] == seed) & (scores["epoch"] == epoch)]


def _mark_rule(axes, losses: np.ndarray) -> None:
    """Mark the means of the paper's rule with k = 1 (section 2.3)."""
    mean = losses.mean()
    upper = losses[losses > mean]
    if not len(upper):
        return
    for value, style, label in (
        (mean, ":", "M1, mean"),
        (upper.mean(), "--", "M2, mean above M1"),
        (upper.mean() + upper.std(), "-", "M2 + 1 SD: removed above"),
    ):
        axes.axvline(value, color=INK, linestyle=style, linewidth=1.3, label=label)


def draw_removed_faces(run: RunData) -> Figure | None:
    """Draw the removed faces with the highest losses, each with file, class and loss."""
    if run.removals is None:
        return None
    # What was drawn at random shows nothing about the rule.
    chosen = run.removals[run.removals["arm"] != "random"]
    if not len(chosen):
        return None
    arm = "bdr" if "bdr" in set(chosen["arm"]) else chosen["arm"].iloc[0]
    faces = _removed_examples(run, chosen[chosen["arm"] == arm])
    shown = [(face, _picture(run, face)) for face in faces]
    shown = [(face, pixels) for face, pixels in shown if pixels is not None][:_SHEET]
    if not shown:
        return None
    rows = math.ceil(len(shown) / _COLUMNS)
    # Placed by hand: a layout that makes room for the captions would shrink the faces instead.
    height = 2.1 * rows + 0.4
    figure = Figure(figsize=(1.55 * _COLUMNS, height), layout="none")
    figure.subplots_adjust(0.01, 0.42 / height, 0.99, 1 - 0.65 / height, 0.06, 0.42)
    figure.suptitle(
        f"Removed by {arm}: {len(shown)} of {len(faces)}, the highest losses first",
        **{"fontsize": 11, "fontweight": "bold", "y": 1 - 0.1 / height, "va": "top"},
    )
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    seeds = run.scores["seed"].nunique() if run.scores is not None else 1
    for axes in panels:
        axes.axis("off")
    for (face, pixels), axes in zip(shown, panels, strict=False):
        axes.imshow(pixels)
        axes.set_title(
            f"{face.expression} {face.loss:.2f}",
            fontsize=8,
            fontweight="normal",
            loc="center",
            pad=3,
        )
        below = _short(face.example_id)
        if seeds > 1:
            below += f"\nremoved with {face.seeds} of {seeds} seeds"
        axes.text(0.5, -0.03, below, fontsize=5.5, color=INK, ha="center",
                  va="top", transform=axes.transAxes)  # fmt: skip
    return figure


def _removed_examples(run: RunData, removals: pd.DataFrame) -> list:
    """Return one row per removed example: class, mean loss, number of seeds; highest loss first."""
    paths = removals["path"] if "path" in removals.columns else ""
    found = removals.assign(path=paths).groupby("example_id", as_index=False)
    found = found.agg(
        expression=("expression", "first"),
        loss=("loss", "mean"),
        seeds=("seed", "nunique"),
        path=("path", "first"),
    )
    return list(found.sort_values("loss", ascending=False).itertuples(index=False))


def _picture(run: RunData, face) -> np.ndarray | None:
    """Return the face's thumbnail, else its file where that is still there."""
    if face.example_id in run.thumbnails:
        return run.thumbnails[face.example_id]
    path = Path(str(face.path)) if face.path else None
    if path is None or not path.is_file():
        return None
    with Image.open(path) as image:
        image.draft("RGB", (192, 192))
        return np.asarray(image.convert("RGB").resize((96, 96)))


def _short(example_id: str) -> str:
    """Return the file's name on at most two lines of 24 letters, its start left out if longer."""
    name = example_id.rsplit("/", 1)[-1].rsplit(".", 1)[0][-48:]
    if len(name) <= 24:
        return name
    cut = max(name.find("_", len(name) - 24), len(name) - 24)
    return f"{name[:cut]}\n{name[cut:].lstrip('_')}"

"""Plots of runs with number targets: concordance, losses, curves over frames, the circumplex."""

import math

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from affectkeras.circumplex import NEUTRAL, SECTORS, WIDTH, sectors
from affectkeras.number_results import PREDICTED, video_ccc
from affectkeras.reporting.plot_style import FAINT, INK, arm_color, draw_seeds
from affectkeras.reporting.run_data import RunData, has_accuracy
from affectkeras.wording import absent, signed

_VIDEOS = 6  # of which curves are drawn
_SINGLE = 3000  # points that can be told apart; of more, their density is drawn
_NEUTRAL_RADIUS = 0.1
_AXIS_NAMES = {"valence": "valence (unpleasant to pleasant)", "arousal": "arousal (calm to active)"}


def draw_ccc(run: RunData) -> Figure | None:
    """Draw the test CCC of every arm and target with its 95 % interval, and the line of none."""
    found = {
        target: {
            arm: splits["test"]["targets"][target]
            for arm, splits in (run.result.get("arms") or {}).items()
            if target in ((splits.get("test") or {}).get("targets") or {})
        }
        for target in run.number_targets
    }
    found = {target: arms for target, arms in found.items() if arms}
    if not found:
        return None
    most = max(map(len, found.values()))
    figure = Figure(figsize=(5.2 * len(found), 1.9 + 0.62 * most))
    panels = figure.subplots(1, len(found), squeeze=False, sharex=True)[0]
    for axes, (target, arms) in zip(panels, found.items(), strict=True):
        axes.axvline(0, color=FAINT, linestyle="--")
        for row, (arm, one) in enumerate(arms.items()):
            _draw_interval(axes, row, one, arm_color(arm, run.arms))
        axes.set_yticks(range(len(arms)), list(arms))
        axes.set_ylim(most - 0.4, -0.8)
        axes.grid(visible=False, axis="y")
        axes.set_title(target)
    low, high = panels[0].get_xlim()
    panels[0].set_xlim(min(low, -0.1), max(high, 0.3))
    key = "CCC on the test part   ● pooled   — 95 % interval   · seeds   ◇ mean of videos"
    figure.supxlabel(f"{key}   ┆ mean of training", fontsize=9)
    return figure


def _draw_interval(axes, row: int, found: dict, color: str) -> None:
    ccc, per_video = found["ccc"], found.get("ccc_per_video") or {}
    if absent(ccc.get("mean")):
        return
    low, high = ccc.get("ci95") or (None, None)
    if not (absent(low) or absent(high)):
        axes.plot([low, high], [row, row], color=color, linewidth=3, solid_capstyle="round")
    seeds = ccc.get("per_seed") or []
    axes.plot(seeds, [row + 0.2] * len(seeds), ".", color=color, markersize=6, alpha=0.6)
    axes.plot(ccc["mean"], row, "o", color=color, markersize=10, markeredgecolor="white")
    axes.text(ccc["mean"], row - 0.2, signed(ccc["mean"]), ha="center", va="bottom")
    if not absent(per_video.get("mean")):
        axes.plot(per_video["mean"], row + 0.2, "D", color="none", markeredgecolor=color)


def draw_loss_curves(run: RunData) -> Figure | None:
    """Draw training and validation loss over epochs, a panel per arm [Figures 8 and 9].

    A history with the column `target` has a panel per arm and target.
    """
    if run.history is None or has_accuracy(run.history) or not run.number_targets:
        return None
    history = run.history
    keys = ["arm", "target"] if "target" in history.columns else ["arm"]
    arms = run.chief_arms(history["arm"])
    parts = [(names, rows) for names, rows in history.groupby(keys, sort=False) if names[0] in arms]
    columns = 2 if len(parts) in (2, 4) else min(3, len(parts))  # an arm with two networks: a line
    lines = math.ceil(len(parts) / columns)
    figure = Figure(figsize=(4.2 * columns + 0.6, 3.1 * lines))
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axes, (names, rows) in zip(panels.ravel(), parts, strict=False):
        draw_seeds(axes, rows, "epoch", "loss", INK, "training")
        draw_seeds(axes, rows, "epoch", "val_loss", arm_color(names[0], run.arms), "validation")
        axes.set_title(": ".join(names))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels.ravel()[len(parts) :]:
        axes.set_visible(False)
    panels[0, 0].legend(fontsize=9)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("loss", fontsize=10)
    return figure


def draw_prediction_curves(run: RunData) -> Figure | None:
    """Draw truth and prediction over the frames of the best, middle and worst test videos."""
    arms = _arms_of_targets(run)
    if not arms:
        return None
    series = {arm: _series(_test_rows(run, arm)) for arm in dict.fromkeys(arms.values())}
    ranked = pd.DataFrame({target: video_ccc(series[arm], target) for target, arm in arms.items()})
    means = ranked.mean(axis=1).dropna().sort_values(ascending=False, kind="stable")
    chosen = _best_middle_worst(len(means))
    if not chosen:
        return None
    names = means.index[[place for place, _ in chosen]]
    series = {arm: rows[rows["group"].isin(names)] for arm, rows in series.items()}
    figure = Figure(figsize=(5.2 * len(arms), 0.8 + 1.5 * len(chosen)))
    panels = figure.subplots(len(chosen), len(arms), squeeze=False, sharey=True, sharex="row")
    for name, (_, word), line in zip(names, chosen, panels, strict=True):
        for axes, (target, arm) in zip(line, arms.items(), strict=True):
            rows = series[arm][series[arm]["group"] == name]
            _draw_curves(axes, rows, target, arm, arm_color(arm, run.arms))
            ccc = signed(ranked.loc[name, target]) or "none"
            title = f"{_short(name)}, {word}: {target} CCC {ccc}"
            axes.set_title(title, fontsize=9, fontweight="normal")
    for axes in panels[0]:
        axes.legend(fontsize=8, ncols=2, loc="lower right")
    figure.supxlabel("frame", fontsize=10)
    return figure


def _draw_curves(axes, rows: pd.DataFrame, target: str, arm: str, color: str) -> None:
    means = rows.groupby("frame")[[target, PREDICTED + target]].mean()
    # Of long videos the truth lies on top, and lines are thin.
    style = {"marker": "."} if len(means) <= 30 else {"linewidth": 1.4 if len(means) < 400 else 0.8}
    axes.plot(means.index, means[target], color=INK, label="true", zorder=3, **style)
    axes.plot(means.index, means[PREDICTED + target], color=color, label=arm, **style)
    if means[target].abs().max() <= 1:
        axes.set_ylim(-1.05, 1.05)


def draw_circumplex(run: RunData) -> Figure | None:
    """Draw truth and predictions of the test part in the plane of valence and arousal."""
    arms = _arms_of_targets(run)
    if not {"valence", "arousal"} <= set(arms):
        return None
    means = _both_targets(run, arms)
    figure = Figure(figsize=(10.4, 5.4))
    panels = figure.subplots(1, 2)
    named = dict.fromkeys(arms[target] for target in ("valence", "arousal"))
    for axes, prefix, title in zip(
        panels, ("", PREDICTED), ("true", f"predicted by {' and '.join(named)}"), strict=True
    ):
        pair = means[prefix + "valence"].to_numpy(), means[prefix + "arousal"].to_numpy()
        _draw_plane(axes, *pair)
        axes.set_title(title)
    return figure


def _both_targets(run: RunData, arms: dict[str, str]) -> pd.DataFrame:
    """Return truth and predictions of valence and arousal, means over seeds."""
    pairs = {name: [name, PREDICTED + name] for name in ("valence", "arousal")}
    columns = [*pairs["valence"], *pairs["arousal"]]
    if arms["valence"] == arms["arousal"]:
        rows = _test_rows(run, arms["valence"])
    else:
        rows, other = (
            _test_rows(run, arms[target])[["seed", "example_id", *pair]]
            for target, pair in pairs.items()
        )
        rows = rows.merge(other, on=["seed", "example_id"])
    if rows["seed"].nunique() == 1:
        return rows[columns]
    return rows.groupby("example_id", sort=False)[columns].mean()


def _draw_plane(axes, valence: np.ndarray, arousal: np.ndarray) -> None:
    names = sectors(valence, arousal, _NEUTRAL_RADIUS)
    edges = np.radians(WIDTH * np.arange(len(SECTORS)) + WIDTH / 2)
    for edge in edges:
        ends = np.array([_NEUTRAL_RADIUS, 1.0])
        axes.plot(ends * np.cos(edge), ends * np.sin(edge), color="#bbbbbb", linewidth=0.8)
    circle = np.linspace(0, 2 * np.pi, 200)
    for radius in (_NEUTRAL_RADIUS, 1.0):
        axes.plot(radius * np.cos(circle), radius * np.sin(circle), color="#bbbbbb", linewidth=0.8)
    if len(valence) <= _SINGLE:
        axes.plot(valence, arousal, ".", color="#0072B2", markersize=4, alpha=0.35, mew=0)
    else:
        axes.hexbin(
            valence, arousal, gridsize=60, extent=(-1, 1, -1, 1), mincnt=1, cmap="Blues",
            norm=LogNorm(), linewidths=0.1,
        )  # fmt: skip
    for number, name in enumerate(SECTORS):
        angle = np.radians(WIDTH * number)
        words = f"{name}\n{np.mean(names == name):.0%}"
        place = 1.25 * np.cos(angle), 1.2 * np.sin(angle)
        # On white: pairs reach beyond the circle, as far as (1, 1).
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
        axes.text(*place, words, ha="center", va="center", fontsize=8, color=INK, bbox=box)
    middle = f"{NEUTRAL} {np.mean(names == NEUTRAL):.0%}"
    axes.text(-1.45, -1.38, f"{middle} (inside {_NEUTRAL_RADIUS:g})", fontsize=8, color=INK)
    axes.set_xlim(-1.5, 1.5)
    axes.set_ylim(-1.42, 1.42)
    axes.set_aspect("equal")
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    axes.grid(visible=False)
    axes.set_xlabel(_AXIS_NAMES["valence"])
    axes.set_ylabel(_AXIS_NAMES["arousal"])


def draw_per_video(run: RunData) -> Figure | None:
    """Draw the CCC of every test video and target, sorted by the arm that stands for the target."""
    chief = _arms_of_targets(run)
    if not chief:
        return None
    figure = Figure(figsize=(10, 2.7 * len(chief) + 0.4))
    panels = figure.subplots(len(chief), 1, squeeze=False, sharey=True)[:, 0]
    for axes, (target, first) in zip(panels, chief.items(), strict=True):
        tested = run.number_predictions[run.number_predictions["split"] == "test"]
        able = tested.loc[tested[PREDICTED + target].notna(), "arm"].unique()
        order = video_ccc(_test_rows(run, first), target).index
        for arm in sorted(run.chief_arms(able), key=lambda arm: arm != first):
            found = video_ccc(_test_rows(run, arm), target).reindex(order)
            style = {"color": arm_color(arm, run.arms), "label": arm}
            if arm == first:
                axes.bar(range(len(order)), found, width=0.75, alpha=0.85, **style)
            else:
                axes.plot(range(len(order)), found, "_", markersize=9, mew=2, **style)
            if found.isna().any():
                gone = np.flatnonzero(found.isna())
                axes.plot(gone, np.zeros(len(gone)), "x", color=style["color"])
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_title(f"{target}: CCC of each of {len(order)} test videos")
        axes.set_xlim(-0.7, len(order) - 0.3)
        axes.grid(visible=False, axis="x")
        many = len(order) > 40
        axes.set_xticks([] if many else range(len(order)))
        if not many:
            axes.set_xticklabels(
                [_short(one) for one in order], rotation=60, ha="right", fontsize=7
            )
        axes.legend(fontsize=8, loc="upper right", ncols=3)
    return figure


def _arms_of_targets(run: RunData) -> dict[str, str]:
    """Return target → the arm that stands for it, where its test predictions are there."""
    if run.number_predictions is None:
        return {}
    arms = {target: run.arm_for(target) for target in run.number_targets}
    there = set(run.number_predictions["arm"])
    return {target: arm for target, arm in arms.items() if arm in there}


def _test_rows(run: RunData, arm: str) -> pd.DataFrame:
    rows = run.number_predictions
    return rows[(rows["split"] == "test") & (rows["arm"] == arm)]


def _series(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with each annotated video as its group, and their frame.

    Two people of one film are one group, but two series. Where a name tells no frame, rows are
    counted.
    """
    told = [name.rpartition(" frame ") for name in rows["example_id"]]
    if all(frame.isdecimal() for _, _, frame in told):
        videos, _, frames = zip(*told, strict=True)
        return rows.assign(group=videos, frame=np.array(frames, dtype=int))
    return rows.assign(frame=rows.groupby(["group", "seed"]).cumcount())


def _best_middle_worst(number: int) -> list[tuple[int, str]]:
    """Return the places and names of up to six of so many videos that are sorted by CCC."""
    if number <= _VIDEOS:
        words = {0: "best", number - 1: "worst"} if number > 1 else {}
        return [(place, words.get(place, "between")) for place in range(number)]
    middle = number // 2
    return [
        *((0, "best"), (1, "second best"), (middle - 1, "middle"), (middle, "middle")),
        *((number - 2, "second worst"), (number - 1, "worst")),
    ]


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0][-24:]


NUMBER_PLOTS = {
    "ccc": draw_ccc,
    "loss-curves": draw_loss_curves,
    "prediction-curves": draw_prediction_curves,
    "circumplex": draw_circumplex,
    "per-video": draw_per_video,
}

"""What was read in a face over the time of a video, as curves."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from affectkeras.files import atomic_file
from affectkeras.reporting.plot_style import FAINT, OTHER_COLORS, STYLE

CURVE_COLORS = {"valence": "#0072B2", "arousal": "#D55E00"}
_MOST_CLASSES = 4  # of which curves are drawn: those of the highest mean probability
_POINTS = 4000  # of a curve; an hour has more frames than a picture has columns


def plot_video(frame: pd.DataFrame, path: Path, *, title: str) -> None:
    """Write a PNG of valence and arousal, or of the likeliest classes, over time.

    Where the face is not seen the ground is grey and no curve is drawn.

    Args:
        frame: of `video_analysis.analyse_video`, a row per frame.
        path: the file.
        title: such as the video's name.
    """
    with rc_context(STYLE):
        figure = draw_video(frame, title)
        with atomic_file(path) as file:
            figure.savefig(file, dpi=110, format="png")


def draw_video(frame: pd.DataFrame, title: str) -> Figure:
    """Return the figure of `plot_video`."""
    figure = Figure(figsize=(9, 3.2))
    axes = figure.subplots()
    times = frame["time_s"].to_numpy(float)
    thin = slice(None, None, max(1, len(frame) // _POINTS))
    values = "valence" in frame or "arousal" in frame
    for name, column, color in _curves(frame, values):
        axes.plot(times[thin], frame[column].to_numpy(float)[thin], color=color, label=name)
    _shade_gaps(axes, times, frame["confidence"].notna().to_numpy())
    axes.set_ylim(*((-1.05, 1.05) if values else (-0.02, 1.02)))
    if values:
        axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.set_ylabel("" if values else "probability")
    axes.set_xlabel("time (s)")
    if len(times) > 1:
        axes.set_xlim(times[0], times[-1])
    axes.set_title(title)
    figure.legend(loc="outside right center")
    return figure


def _curves(frame: pd.DataFrame, values: bool):
    """Yield name, column and colour of each curve."""
    if values:
        for name, color in CURVE_COLORS.items():
            if name in frame:
                yield name, name, color
        return
    columns = [column for column in frame if column.startswith("p_")]
    means = frame[columns].mean().fillna(0).sort_values(ascending=False, kind="stable")
    chosen = set(means.index[:_MOST_CLASSES])
    shown = [column for column in columns if column in chosen]
    for column, color in zip(shown, OTHER_COLORS, strict=False):
        yield column.removeprefix("p_"), column, color


def _shade_gaps(axes, times: np.ndarray, seen: np.ndarray) -> None:
    edges = np.flatnonzero(np.diff(np.r_[False, ~seen, False].astype(np.int8))).reshape(-1, 2)
    for number, (first, end) in enumerate(edges):
        right = times[min(end, len(times) - 1)]
        label = "no face" if number == 0 else None
        axes.axvspan(times[first], right, color="#dddddd", linewidth=0, label=label)

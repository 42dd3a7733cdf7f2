"""What was read in a recording of signals over time, above the signals themselves."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from affectkeras.files import atomic_file
from affectkeras.reporting.plot_style import FAINT, INK, OTHER_COLORS, STYLE

_MOST_CLASSES = 4  # of which curves are drawn: those of the highest mean probability
_MOST_WINDOWS = 240  # of more, means over neighbours are drawn, and the windows themselves pale
_COLUMNS = 2000  # of a picture: of more samples the least and greatest in each are drawn
_AXIS_COLORS = ("#0072B2", "#D55E00", "#009E73")
_PAST = 1e8  # s; clocks that tell more count from 1970, others from the device's start


class ShownSignal(NamedTuple):
    """A signal as it was recorded.

    Args:
        name: such as "bvp".
        unit: "" where there is none.
        values: `(samples,)` or `(samples, axes)`.
        start_s: of the first sample, on the recording's clock.
        rate_hz: samples of a second.
    """

    name: str
    unit: str
    values: np.ndarray
    start_s: float
    rate_hz: float


def plot_signal_predictions(
    rows: pd.DataFrame, signals: Sequence[ShownSignal], path: Path, *, title: str
) -> None:
    """Write a PNG of the classes' probabilities over time, above the signals they were read in.

    A probability stands over the middle of its window, as wide as windows are apart. Of two classes
    the second is drawn, of many the likeliest; of very many windows the mean over neighbours, and
    the windows themselves pale. Where no prediction is, the ground is grey.

    Args:
        rows: of one recording, in order of time: `window_start_s`, `window_end_s`, `error` and
            `p_<class>` columns.
        signals: those that the model reads.
        path: the file.
        title: such as the recording's name.
    """
    with rc_context(STYLE):
        figure = draw_signal_predictions(rows, signals, title)
        with atomic_file(path) as file:
            figure.savefig(file, dpi=110, format="png")


def draw_signal_predictions(
    rows: pd.DataFrame, signals: Sequence[ShownSignal], title: str
) -> Figure:
    """Return the figure of `plot_signal_predictions`."""
    figure = Figure(figsize=(9, 2.6 + 1.3 * len(signals)))
    heights = [2.0, *[1.0] * len(signals)]
    panels = figure.subplots(len(heights), sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    ends = [signal.start_s + len(signal.values) / signal.rate_hz for signal in signals]
    begin = min([*(signal.start_s for signal in signals), rows["window_start_s"].min()])
    end = max([*ends, rows["window_end_s"].max()])
    unit, length = _time_unit(end - begin)
    _draw_probabilities(panels[0], rows, begin, length)
    for panel, signal in zip(panels[1:], signals, strict=True):
        _draw_signal(panel, signal, begin, length)
    panels[0].set_title(title)
    panels[-1].set_xlim(0, (end - begin) / length)
    since = (
        ""
        if begin < _PAST
        else f" since {datetime.fromtimestamp(begin, UTC):%Y-%m-%d %H:%M:%S} UTC"
    )
    panels[-1].set_xlabel(f"time ({unit}){since}")
    figure.align_ylabels(panels)
    return figure


def _draw_probabilities(axes, rows: pd.DataFrame, begin: float, length: float) -> None:
    starts, ends = rows["window_start_s"].to_numpy(float), rows["window_end_s"].to_numpy(float)
    step = np.diff(starts).min(initial=np.inf)
    half = min(step, (ends - starts).min()) / 2
    middles = (starts + ends) / 2 - begin
    edges = np.stack([middles - half, middles + half], axis=1) / length
    apart = step > 2 * half * (1 + 1e-6)
    columns = [column for column in rows if column.startswith("p_")]
    together = 1 if len(rows) <= _MOST_WINDOWS else 2 * (len(rows) // _MOST_WINDOWS) + 1
    for column, color in zip(_shown(rows, columns), OTHER_COLORS, strict=False):
        x, y = edges, np.repeat(rows[column].to_numpy(float)[:, np.newaxis], 2, axis=1)
        if apart:  # nothing was read between two windows
            x, y = (np.pad(one, ((0, 0), (0, 1)), constant_values=np.nan) for one in (x, y))
        name = column.removeprefix("p_")
        if together == 1:
            axes.plot(x.ravel(), y.ravel(), color=color, label=name)
            continue
        axes.plot(x.ravel(), y.ravel(), color=color, alpha=0.25, linewidth=0.6)
        smooth = rows[column].rolling(together, center=True, min_periods=1).mean()
        smooth = smooth.where(rows[column].notna())
        label = f"{name}, mean\nof {together} windows"
        axes.plot(middles / length, smooth, color=color, label=label)
    _shade(axes, edges, rows[columns[0]].isna().to_numpy())
    axes.axhline(1 / len(columns), color=FAINT, linewidth=0.8, linestyle="--", label="equal odds")
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("probability")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _shown(rows: pd.DataFrame, columns: list[str]) -> list[str]:
    """Return whose curves are drawn; of two classes one tells all."""
    if len(columns) == 2:
        return columns[1:]
    means = rows[columns].mean().fillna(0).sort_values(ascending=False, kind="stable")
    chosen = set(means.index[:_MOST_CLASSES])
    return [column for column in columns if column in chosen]


def _shade(axes, edges: np.ndarray, left_out: np.ndarray) -> None:
    """Draw the ground of every run of windows without a prediction in grey."""
    runs = np.flatnonzero(np.diff(np.r_[False, left_out, False].astype(np.int8))).reshape(-1, 2)
    for number, (first, end) in enumerate(runs):
        label = "set aside" if number == 0 else None
        axes.axvspan(edges[first, 0], edges[end - 1, 1], color="#dddddd", linewidth=0, label=label)


def _draw_signal(axes, signal: ShownSignal, begin: float, length: float) -> None:
    values = signal.values.reshape(len(signal.values), -1)
    axis_names = "xyz" if values.shape[1] > 1 else ""
    colors = _AXIS_COLORS if axis_names else (INK,)
    for number, color in zip(range(values.shape[1]), colors, strict=False):
        numbers, thinned = _envelope(values[:, number])
        times = (signal.start_s - begin + numbers / signal.rate_hz) / length
        axes.plot(times, thinned, color=color, linewidth=0.7, label=axis_names[number : number + 1])
    name = signal.name.replace("_", "\n")
    axes.set_ylabel(f"{name}\n({signal.unit})" if signal.unit else name)
    if axis_names:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _envelope(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sample numbers and values to draw: of long signals the extremes of every column."""
    width = len(values) // _COLUMNS
    if width < 4:
        return np.arange(len(values)), values
    kept = len(values) // width * width
    parts = values[:kept].reshape(-1, width)
    # Without warnings where a column is all NaN.
    extremes = np.stack([np.fmin.reduce(parts, axis=1), np.fmax.reduce(parts, axis=1)], axis=1)
    numbers = np.arange(len(parts))[:, np.newaxis] * width + [0, width // 2]
    return numbers.ravel(), extremes.ravel()


def _time_unit(seconds: float) -> tuple[str, float]:
    if seconds <= 300:
        return "s", 1.0
    return ("min", 60.0) if seconds <= 3 * 3600 else ("h", 3600.0)

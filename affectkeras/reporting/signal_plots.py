"""Plots of a piece of the recordings: signals as they are and at the common rate, smoothing."""

import numpy as np
from matplotlib.figure import Figure

from affectkeras.reporting.plot_style import FAINT, INK
from affectkeras.reporting.run_data import RunData

_RAW, _COMMON, _SLOW = "#9aa5b1", "#D55E00", "#0072B2"
_AXES = (("#b9a3a3", "#D55E00"), ("#a3b9a9", "#009E73"), ("#a3adb9", "#0072B2"))  # x, y, z
_LABEL_TONES = ("#e8eef5", "#fbe6c8", "#dff0e4", "#f2e0ee", "#eeeeee")
_PULSE = "bvp"
_SMOOTHED_SECONDS, _SMOOTHED_POINTS = 10.0, 80  # shown at most
_SLOW_SECONDS = 1.0


def draw_signals(run: RunData) -> Figure | None:
    """Draw every signal of the excerpt: as recorded (grey) and at the common rate (colour)."""
    found = read_excerpt(run)
    if found is None or not len(found["signals"]):
        return None
    count = len(found["signals"])
    figure = Figure(figsize=(10.5, 1.0 + 1.35 * count))
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    rate = float(found["rate_hz"])
    for number, axes in enumerate(panels):
        _shade_labels(axes, found, named=number == 0)
        _draw_both(axes, found, number)
        raw_rate = found["raw_rate_hz"][number]
        axes.set_title(
            f"{found['signals'][number]}: {raw_rate:g} Hz → {rate:g} Hz", fontsize=9, pad=3
        )
        axes.set_ylabel(str(found["units"][number]), fontsize=8)
        axes.tick_params(labelsize=8)
        axes.margins(x=0)
    panels[-1].set_xlim(0, float(found["seconds"]))
    panels[-1].set_xlabel(f"seconds · recording {found['recording']} of {found['subject']}")
    return figure


def draw_smoothing(run: RunData) -> Figure | None:
    """Draw rolling means of the pulse, a low-pass filter: the lecture's "Rolling average"."""
    found = read_excerpt(run)
    number = None if found is None else _fast_signal(found)
    if number is None:
        return None
    times, values = found[f"raw_seconds{number:02d}"], found[f"raw{number:02d}"]
    values = values if values.ndim == 1 else values[:, 0]
    raw_rate, rate = float(found["raw_rate_hz"][number]), float(found["rate_hz"])
    seconds = _SMOOTHED_SECONDS
    if rate < raw_rate:
        seconds = min(seconds, max(2.5 * _SLOW_SECONDS, _SMOOTHED_POINTS / rate))
    shown = (times >= times[0]) & (times < times[0] + seconds)
    times, values = times[shown], values[shown]
    figure = Figure(figsize=(10.5, 3.2))
    axes = figure.subplots()
    axes.plot(times, values, color=_RAW, linewidth=1.2, label=f"as recorded, {raw_rate:g} Hz")
    # Where nothing is reduced, a quarter of a second shows what 4 Hz would do.
    fine = max(2, round(raw_rate / (rate if rate < raw_rate else 4.0)))
    for width, color, line in ((fine, _COMMON, 1.8), (round(_SLOW_SECONDS * raw_rate), _SLOW, 2.4)):
        if width < len(values):
            label = f"rolling mean of {width} samples ({width / raw_rate:.3g} s)"
            middle, means = rolling_mean(times, values, width)
            axes.plot(middle, means, color=color, linewidth=line, label=label)
    if rate < raw_rate:
        common = found[f"common{number:02d}"]
        common = common if common.ndim == 1 else common[:, 0]
        slots = _middles(found, number)
        inside = (slots >= times[0]) & (slots <= times[-1])
        axes.plot(slots[inside], common[inside], "o", color=_COMMON, markersize=5,
                  markeredgecolor="white", label=f"kept at {rate:g} Hz", zorder=4)  # fmt: skip
    unit = str(found["units"][number])
    name = str(found["signals"][number]) + (".x" if found[f"raw{number:02d}"].ndim > 1 else "")
    axes.set_ylabel(f"{name} ({unit})" if unit else name)
    axes.set_xlabel("seconds")
    axes.margins(x=0)
    figure.legend(loc="outside upper left", ncols=4, fontsize=8)
    return figure


def rolling_mean(
    times: np.ndarray, values: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of `width` neighbouring samples and the middle of their times.

    A mean over anything missing is missing.
    """
    weights = np.ones(width) / width
    return (
        np.convolve(times, weights, mode="valid"),
        np.convolve(np.asarray(values, dtype=float), weights, mode="valid"),
    )


def read_excerpt(run: RunData) -> dict[str, np.ndarray] | None:
    """Return what `signal_excerpt.npz` of a run holds; None where there is none."""
    path = run.folder / "signal_excerpt.npz"
    if not path.exists():
        return None
    with np.load(path) as content:
        return {name: content[name] for name in content.files}


def _fast_signal(found: dict) -> int | None:
    """Return the number of the pulse, or else of the first signal that the common rate reduces.

    A heart rate is smooth by itself, at whatever rate it is told.
    """
    names = found["signals"].tolist()
    able = [
        number
        for number, rate in enumerate(found["raw_rate_hz"])
        if len(found[f"raw{number:02d}"]) > 2 * rate and not names[number].endswith("heart_rate")
    ]
    if _PULSE in names and names.index(_PULSE) in able:
        return names.index(_PULSE)
    return next((one for one in able if found["raw_rate_hz"][one] > found["rate_hz"]), None)


def _draw_both(axes, found: dict, number: int) -> None:
    """Draw one signal's samples and, over them, its values at the common rate."""
    raw, common = found[f"raw{number:02d}"], found[f"common{number:02d}"]
    tones = _AXES if raw.ndim == 2 else ((_RAW, _COMMON),)
    raw, common = (one.reshape(len(one), -1) for one in (raw, common))
    rate = float(found["rate_hz"])
    slow = found["raw_rate_hz"][number] < rate
    slots = _middles(found, number)
    for axis in range(raw.shape[1]):
        faint, strong = tones[axis % len(tones)]
        # Few samples are points over the line that joins them, many are a line below it.
        axes.plot(found[f"raw_seconds{number:02d}"], raw[:, axis], "o" if slow else "-",
                  color=INK if slow else faint, markersize=3, linewidth=0.8,
                  zorder=3 if slow else 2)  # fmt: skip
        axes.plot(slots, common[:, axis], color=strong, linewidth=1.3, zorder=2.5)
    if raw.shape[1] > 1:
        for axis, name in enumerate("xyz"[: raw.shape[1]]):
            axes.plot([], [], color=tones[axis % len(tones)][1], label=name)
        axes.legend(loc="upper right", ncols=3, fontsize=7)


def _middles(found: dict, number: int) -> np.ndarray:
    """Return when to draw a signal's values at the common rate, in seconds.

    The mean of several samples stands in the middle of their times, any other value in its place.
    """
    raw_rate, rate = float(found["raw_rate_hz"][number]), float(found["rate_hz"])
    return found["common_seconds"] + max(0.0, 0.5 / rate - 0.5 / raw_rate)


def _shade_labels(axes, found: dict, *, named: bool) -> None:
    """Shade the time of each label; write it above the first panel, once for neighbours alike."""
    if "label" not in found:
        return
    names = list(dict.fromkeys(found["label"].tolist()))
    runs = []
    for label, start, end in zip(
        found["label"].tolist(), found["label_from"], found["label_to"], strict=True
    ):
        if runs and runs[-1][0] == label and start <= runs[-1][2] + 1e-6:
            runs[-1][2] = max(end, runs[-1][2])
        else:
            runs.append([label, start, end])
    for label, start, end in runs:
        tone = _LABEL_TONES[names.index(label) % len(_LABEL_TONES)]
        axes.axvspan(start, end, color=tone, linewidth=0, zorder=0)
        if named:
            axes.text((start + end) / 2, 1.0, label, transform=axes.get_xaxis_transform(),
                      ha="center", va="top", fontsize=8, color=FAINT)  # fmt: skip

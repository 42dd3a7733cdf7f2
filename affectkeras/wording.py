"""Figures as a report says them."""

import math


def percent(value: float | None) -> str | None:
    """Return a share as a percentage; None for what is absent or not a number."""
    return None if absent(value) else f"{100 * value:.1f} %"


def number(value: float | None) -> str | None:
    """Return a number with two decimals."""
    return None if absent(value) else f"{value:.2f}"


def seconds(value: float | None) -> str | None:
    """Return a time as a person would say it."""
    if absent(value):
        return None
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def absent(value) -> bool:
    """Return whether a figure is missing or not a number."""
    return value is None or not math.isfinite(value)


def mean_sd(found: dict) -> str | None:
    """Return a metric's mean and its deviation over seeds."""
    mean, sd = percent(found.get("mean")), found.get("sd")
    return mean if mean is None or absent(sd) else f"{mean[:-2]} ± {100 * sd:.1f} %"


def interval(found: dict) -> str | None:
    """Return a metric's 95 % interval, or why it has none."""
    low, high = found.get("ci95") or (None, None)
    if absent(low) or absent(high):
        return found.get("ci95_reason")
    return f"{100 * low:.1f} – {100 * high:.1f} %"


def points(difference: float) -> str:
    """Return a difference of two shares in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float | None, places: int = 2) -> str | None:
    """Return a number that may lie below zero, with a proper minus; None for what is absent."""
    if absent(value):
        return None
    text = f"{value:.{places}f}"
    if not float(text):
        text = text.removeprefix("-")
    return text.replace("-", "\N{MINUS SIGN}")


def signed_sd(found: dict) -> str | None:
    """Return the mean of a metric that is no share, and its deviation over seeds."""
    mean, sd = signed(found.get("mean"), 3), found.get("sd")
    return mean if mean is None or absent(sd) else f"{mean} ± {sd:.3f}"


def signed_interval(found: dict) -> str | None:
    """Return the 95 % interval of a metric that is no share, or why it has none."""
    low, high = found.get("ci95") or (None, None)
    if absent(low) or absent(high):
        return found.get("ci95_reason")
    return f"[{signed(low, 3)}, {signed(high, 3)}]"

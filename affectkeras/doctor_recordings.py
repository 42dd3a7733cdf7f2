"""What the doctor says of recordings: what is in them, how they are rated, what stands twice."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from affectkeras.datasets.recordings import UNITS, Recording, RecordingPayload, Signal
from affectkeras.datasets.table import ExampleTable
from affectkeras.doctor_report import Report, align, shorten

_MOST_LEVELS = 20  # a number with more values than that is no rating on a scale


def report_recordings(
    report: Report,
    table: ExampleTable,
    *,
    notes: Sequence[str] | None = None,
    units: Mapping[str, str] = UNITS,
) -> None:
    """Report recordings, signals, ratings, irregularities, and signals that two people share.

    Args:
        report: the report to append to.
        table: stretches, its payload a `RecordingPayload`.
        notes: what the reader says of it, irregularities included; None: it says nothing.
        units: signal → unit.
    """
    payload = table.payload
    lines = [_counted(table)] if len(table) else ["none that can be used"]
    report.add("Recordings", lines if notes is None else notes or lines)
    report.add(f"Signals: {_hours(payload.recordings):.2f} h", _signal_lines(payload, units))
    for target in table.targets:
        if target.kind == "number":
            found = _levels(table.frame[target.name])
            report.add(f"Stretches by {target.name}", found)
    if notes is None and len(payload.irregularities):
        report.add("Irregularities", irregularity_lines(payload.irregularities))
    _report_shared(report, payload)


def irregularity_lines(irregularities: pd.DataFrame) -> list[str]:
    """Return a line for each kind: signal, how often, in how many recordings, and the rule."""
    lines = []
    for (signal, kind, rule), rows in irregularities.groupby(["signal", "kind", "rule"], sort=True):
        what = f"{signal}, {kind}" if signal else kind
        number = rows["recording"].nunique()
        lines.append(f"{what}: {rows['count'].sum()} in {number} recordings; {rule}")
    return lines


def _counted(table: ExampleTable) -> str:
    frame = table.frame
    hours = (frame["end_s"] - frame["start_s"]).sum() / 3600
    return (
        f"{frame['recording'].nunique()} recordings of {frame['subject'].nunique()} subjects, "
        f"{len(frame)} labelled stretches, {hours:.2f} h together"
    )


def _hours(recordings: Iterable[Recording]) -> float:
    """Return how long all recordings last, each from its first signal's start to the last's end."""
    seconds = 0.0
    for recording in recordings:
        signals = recording.signals.values()
        if signals:
            seconds += max(one.end_s for one in signals) - min(one.start_s for one in signals)
    return seconds / 3600


def _signal_lines(payload: RecordingPayload, units: Mapping[str, str]) -> list[str]:
    """Return a table: each signal's rate, unit, axes, recordings, and the share missing."""
    found: dict[str, list[Signal]] = {}
    for recording in payload.recordings:
        for name, signal in recording.signals.items():
            found.setdefault(name, []).append(signal)
    rows = [["", "rate", "unit", "axes", "recordings", "missing"]]
    for name, signals in found.items():
        rates = sorted({one.rate_hz for one in signals})
        missing = sum(int(np.isnan(one.values).sum()) for one in signals)
        total = sum(one.values.size for one in signals)
        axes = sorted({one.values.shape[1] if one.values.ndim == 2 else 1 for one in signals})
        rows.append(
            [
                name,
                " or ".join(f"{rate:g}" for rate in rates) + " Hz",
                units.get(name, ""),
                " or ".join(map(str, axes)),
                f"{len(signals)} of {len(payload.recordings)}",
                f"{missing / total:.1%}" if total else "all",
            ]
        )
    return align(rows) if found else ["there are none"]


def _levels(values: pd.Series) -> list[str]:
    """Return how often each rating occurs, or where the numbers lie when they are no ratings."""
    told = values.dropna()
    lines = []
    if told.nunique() > _MOST_LEVELS:
        lines.append(f"from {told.min():g} to {told.max():g}, mean {told.mean():.3g}")
    else:
        counts = told.value_counts().sort_index()
        rows = [
            [f"{level:g}", str(count), f"{count / len(told):.1%}"]
            for level, count in counts.items()
        ]
        lines += align(rows) if rows else []
    if len(told) < len(values):
        lines.append(f"without: {len(values) - len(told)}")
    return lines


def _report_shared(report: Report, payload: RecordingPayload) -> None:
    """Report signals that are the same to the last value in recordings of two people."""
    owners: dict[bytes, list[tuple[str, Recording]]] = {}
    for recording in payload.recordings:
        for name, signal in recording.signals.items():
            if _tells(signal.values):
                owners.setdefault(_digest(signal), []).append((name, recording))
    pairs: dict[tuple[str, str], list[str]] = {}
    for held in owners.values():
        (name, first), *others = held
        for _, other in others:
            if other.subject != first.subject:
                pairs.setdefault((first.name, other.name), []).append(name)
    lines = [f"{one} = {other}: {', '.join(names)}" for (one, other), names in pairs.items()]
    if lines:
        report.add(f"The same signals in recordings of two subjects: {len(lines)}", shorten(lines))
        report.problems.append(
            f"recordings of different subjects share signals ({len(lines)} pairs): one is a copy "
            "in the wrong place, and leaving one subject out leaks; mend the files"
        )


def _tells(values: np.ndarray) -> bool:
    """Return whether values differ at all: two flat lines are the same by nature."""
    there = values[~np.isnan(values)]
    return bool(len(there)) and bool((there != there[0]).any())


def _digest(signal: Signal) -> bytes:
    values = np.ascontiguousarray(signal.values)
    return hashlib.blake2b(values.tobytes(), digest_size=16).digest()

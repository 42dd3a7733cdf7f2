"""Stretches of recordings in pieces that a process can prepare by itself: one recording each."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from affectkeras.datasets.recordings import Recording
from affectkeras.datasets.signal_slices import slice_signal
from affectkeras.datasets.table import ExampleTable

TEXTS = ("example_id", "subject", "group", "recording")
TIMES = ("start_s", "end_s")


@dataclasses.dataclass(frozen=True, eq=False)
class SignalJob:
    """Stretches of one recording.

    Args:
        recording: with its signals.
        axes: signal → axes, of all that are stored.
        features: of each stretch all but its signals.
    """

    recording: Recording
    axes: dict[str, int]
    features: list[dict[str, object]]


def signal_jobs(table: ExampleTable, rows: np.ndarray, axes: dict[str, int]) -> list[SignalJob]:
    """Return a job for every recording of the rows."""
    by_recording: dict[int, list[int]] = {}
    for row in rows:
        by_recording.setdefault(int(table.payload.index[row]), []).append(row)
    return [
        SignalJob(table.payload.recordings[place], axes, [_describe(table, row) for row in same])
        for place, same in by_recording.items()
    ]


def prepare_signals(job: SignalJob) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield `(example_id, features)` of a job's stretches with the samples taken within them."""
    for features in job.features:
        signals = _stored_signals(job.recording, job.axes, features["start_s"], features["end_s"])
        yield features["example_id"], {**features, "signals": signals}


def _describe(table: ExampleTable, row: int) -> dict[str, object]:
    stretch = table.frame.iloc[row]
    features = {name: stretch[name] for name in TEXTS}
    features |= {name: float(stretch[name]) for name in TIMES}
    for target in table.targets:
        if target.kind == "class":
            features["label"] = int(stretch[target.name])
        else:
            features[target.name] = float(stretch[target.name])
    return features


def _stored_signals(
    recording: Recording, wanted: dict[str, int], start_s: float, end_s: float
) -> dict[str, dict[str, object]]:
    """Return the samples of every signal that were taken within a stretch."""
    stored = {}
    for name, axes in wanted.items():
        if name not in recording.signals:
            empty = np.empty((0,) if axes == 1 else (0, axes), np.float32)
            stored[name] = {"values": empty, "rate_hz": 0.0, "start_s": float(start_s)}
            continue
        piece = slice_signal(recording.signals[name], start_s, end_s)
        values = np.ascontiguousarray(piece.values, np.float32)
        stored[name] = {"values": values, "rate_hz": piece.rate_hz, "start_s": piece.start_s}
    return stored

"""What a run on wearables keeps of its signals: label counts, irregularities, a short excerpt."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets import NAMES, reader
from affectkeras.datasets.recordings import UNITS, Recording
from affectkeras.datasets.signal_slices import slice_signal
from affectkeras.datasets.table import ExampleTable, Target
from affectkeras.files import atomic_file, write_csv
from affectkeras.pipelines.signals import Channel, cut_channels, resample

LABEL_COUNT_COLUMNS = ("subject", "class_name", "windows")
EXCERPT_SECONDS = 60.0
# Where an excerpt is looked for: enough for a good one, little to resample.
_RECORDINGS, _PLACES = 8, 200


def write_signal_records(
    run: Path,
    stretches: ExampleTable,
    windows: ExampleTable,
    channels: Sequence[Channel],
    *,
    rate_hz: float,
    target: str | None = None,
    seconds: float = EXCERPT_SECONDS,
    units: Mapping[str, str] | None = None,
) -> None:
    """Write `label_counts.csv`, `irregularities.csv` and `signal_excerpt.npz` for the report.

    Args:
        run: the run folder.
        stretches: labelled stretches with a `RecordingPayload`, as a reader returns them, or as
            `binary_levels` does.
        windows: what was cut from them and is trained on and tested, of all subjects.
        channels: what the model is given.
        rate_hz: the common rate of the windows.
        target: the class target that is predicted; None: the first of `windows`.
        seconds: length of the excerpt.
        units: signal → unit; one that is not in it is shown without. None: those of the reader
            that `stretches` is named after.
    """
    run = Path(run)
    units = _units_of(stretches.name) if units is None else units
    chosen = windows.class_target if target is None else windows.target(target)
    write_csv(run / "label_counts.csv", label_counts(windows, chosen))
    write_csv(run / "irregularities.csv", stretches.payload.irregularities)
    excerpt = signal_excerpt(
        stretches, channels, rate_hz=rate_hz, target=chosen, seconds=seconds, units=units
    )
    with atomic_file(run / "signal_excerpt.npz") as file:
        np.savez_compressed(file, **excerpt)


def label_counts(windows: ExampleTable, target: Target) -> pd.DataFrame:
    """Count windows by subject and class: `LABEL_COUNT_COLUMNS`, classes without windows too."""
    names = list(target.class_names)
    subject = windows.frame["subject"]
    counts = pd.crosstab(subject, windows.frame[target.name])
    counts = counts.reindex(columns=range(len(names)), fill_value=0)
    rows = [
        (subject, name, int(count))
        for subject, of_subject in counts.iterrows()
        for name, count in zip(names, of_subject, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(LABEL_COUNT_COLUMNS))


def signal_excerpt(
    stretches: ExampleTable,
    channels: Sequence[Channel],
    *,
    rate_hz: float,
    target: Target,
    seconds: float = EXCERPT_SECONDS,
    units: Mapping[str, str] = UNITS,
) -> dict[str, np.ndarray]:
    """Return some seconds of one recording as it is and at the common rate.

    Of the places around the beginnings of stretches, in the first recordings, the one with the
    least missing is taken, and of those one in which the label changes.

    Args:
        stretches, channels, rate_hz, seconds, units: see `write_signal_records`.
        target: whose labels stand above the signals, where `stretches` has its column.

    Returns:
        Arrays for an npz file: `subject`, `recording`, `start_s` (on the signals' clock),
        `rate_hz`, `seconds`; `signals`, `units`, `raw_rate_hz`, an entry per signal; for the signal
        of number 00, 01 …: `raw00` `(samples,)` or `(samples, axes)` with `raw_seconds00`, and
        `common00`, whose times are `common_seconds`; and `label`, `label_from`, `label_to`, an
        entry per stretch. Times count from the excerpt's beginning.
    """
    number, start = _place_of_excerpt(stretches, channels, rate_hz, target, seconds)
    recording = stretches.payload.recordings[number]
    samples = round(seconds * rate_hz)
    names = [
        name for name in dict.fromkeys(c.signal for c in channels) if name in recording.signals
    ]
    found = {
        "subject": np.array(recording.subject),
        "recording": np.array(recording.name),
        "start_s": np.array(start),
        "rate_hz": np.array(float(rate_hz)),
        "seconds": np.array(float(seconds)),
        "signals": np.array(names, dtype=str),
        "units": np.array([units.get(name, "") for name in names], dtype=str),
        "raw_rate_hz": np.array([recording.signals[name].rate_hz for name in names]),
        "common_seconds": np.arange(samples) / rate_hz,
    }
    for place, name in enumerate(names):
        signal = recording.signals[name]
        raw = slice_signal(signal, start, start + seconds)
        times = raw.start_s - start + np.arange(len(raw.values)) / raw.rate_hz
        found[f"raw_seconds{place:02d}"], found[f"raw{place:02d}"] = times, raw.values
        found[f"common{place:02d}"] = resample(signal, rate_hz, start, samples)
    return found | _labels(stretches, number, start, seconds, target)


def _units_of(name: str) -> Mapping[str, str]:
    return getattr(reader(name), "UNITS", UNITS) if name in NAMES else UNITS


def _place_of_excerpt(stretches, channels, rate_hz, target, seconds) -> tuple[int, float]:
    """Return the number of the recording and the second at which the excerpt begins."""
    best = None
    for number in list(dict.fromkeys(stretches.payload.index.tolist()))[:_RECORDINGS]:
        rows = np.flatnonzero(stretches.payload.index == number)
        rows = rows[np.linspace(0, len(rows) - 1, min(_PLACES, len(rows))).astype(int)]
        starts = np.unique(stretches.frame["start_s"].to_numpy()[rows] - seconds / 2)
        missing = _missing(stretches.payload.recordings[number], channels, starts, rate_hz, seconds)
        for start, share in zip(starts.tolist(), missing, strict=True):
            labels = _labels(stretches, number, start, seconds, target).get("label", ())
            score = (round(float(share), 2), len(set(labels)) < 2)
            if best is None or score < best[0]:
                best = score, number, start
    return best[1:]


def _missing(recording: Recording, channels, starts, rate_hz: float, seconds: float) -> np.ndarray:
    """Return the share of missing values in the channels of each place, `(places,)`."""
    windows = cut_channels(
        recording, channels, starts, samples=round(seconds * rate_hz), rate_hz=rate_hz
    )
    return np.isnan(windows).mean(axis=(1, 2))


def _labels(stretches, number: int, start: float, seconds: float, target: Target) -> dict:
    """Return what the stretches within the excerpt are labelled, in the order of time."""
    frame = stretches.frame[stretches.payload.index == number]
    if target.name not in frame.columns:
        return {}
    inside = (frame["end_s"] > start) & (frame["start_s"] < start + seconds)
    frame = frame[inside].sort_values("start_s")
    return {
        "label": np.array([target.class_names[one] for one in frame[target.name]], dtype=str),
        "label_from": np.clip(frame["start_s"].to_numpy() - start, 0, seconds),
        "label_to": np.clip(frame["end_s"].to_numpy() - start, 0, seconds),
    }

"""The pickles of WESAD: labels and the signals of wrist and chest, checked against each other."""

import statistics
from pathlib import Path

import numpy as np

from affectkeras.datasets.labelled_recordings import (
    Irregularity,
    LabelledRecording,
    RecordingDamaged,
    Stretch,
    find_runs,
)
from affectkeras.datasets.recordings import Signal
from affectkeras.datasets.safe_pickle import load_plain
from affectkeras.errors import UserError

LABEL_HZ = 700
LABELS = {1: "baseline", 2: "stress", 3: "amusement", 4: "meditation"}
_TO_IGNORE = (5, 6, 7)
# Each signal's key, rate (Hz), axes, and how many of its units make one of ours.
_WRIST = {
    "bvp": ("BVP", 64.0, 1, 1),
    "eda": ("EDA", 4.0, 1, 1),
    "temperature": ("TEMP", 4.0, 1, 1),
    "acceleration": ("ACC", 32.0, 3, 64),
}
_CHEST = {
    "chest_ecg": ("ECG", 700.0, 1, 1),
    "chest_emg": ("EMG", 700.0, 1, 1),
    "chest_eda": ("EDA", 700.0, 1, 1),
    "chest_temperature": ("Temp", 700.0, 1, 1),
    "chest_respiration": ("Resp", 700.0, 1, 1),
    "chest_acceleration": ("ACC", 700.0, 3, 1),
}
_DEVICES = {"wrist": _WRIST, "chest": _CHEST}
_MOST_APART = 0.05  # share of the usual length of a signal or of the labels
RULES = {
    "other subject": "where file and folder do not name one subject, the folder's name counts",
    "no signal": "the recording is used without a signal that is not in its file",
    "wrong form": "the recording is used without a signal that is no table of numbers as expected",
    "wrong length": (
        "the recording is used without a signal that is more than 5 % longer or shorter than "
        "most of its signals"
    ),
    "no number": "what is no number is a missing value",
    "short signal": "samples that a signal lacks at its end are missing",
    "undefined": "label 0, between two conditions, is no example",
    "to be ignored": "labels 5 to 7, which the owner tells to ignore, are no examples",
    "no label": "a label that is no whole number is no example",
    "label without signals": "a stretch ends where the last signal does",
    "signals without label": "signals behind the last label are no examples",
}


def read_file(path: Path, subject: str, *, chest: bool) -> LabelledRecording:
    """Return what a pickle holds; time starts at 0 with its first value.

    Args:
        path: the file.
        subject: whose it is by its folder's name.
        chest: whether to return the signals of the chest too.

    Raises:
        RecordingDamaged: when it cannot be used.
    """
    try:
        content = load_plain(path, encoding="latin1")
    except UserError as error:
        raise RecordingDamaged(str(error).removeprefix(f"{path}: ")) from error
    if not isinstance(content, dict):
        raise RecordingDamaged(f"a dict is expected in the file. Found: {type(content).__name__}")
    labels, stretches, odd = _read_labels(content)
    promised = [
        f"{start:.3f} s {LABELS.get(label, f'label {label}')}" for start, _, label in stretches
    ]
    named = content.get("subject")
    if not isinstance(named, str) or named.casefold() != subject.casefold():
        odd.append(_odd("all", "other subject", 1))
    arrays, unusable = _read_arrays(content.get("signal"))
    wanted = [*_WRIST, *(_CHEST if chest else ())]
    odd += [one for one in unusable if one.signal in wanted]
    lengths = [len(values) / rate for values, rate, _ in arrays.values()]
    usual = statistics.median([labels / LABEL_HZ, *lengths])
    signals = {}
    for name in wanted:
        if name not in arrays:
            continue
        values, rate, unit = arrays[name]
        if abs(len(values) / rate - usual) > _MOST_APART * usual:
            odd.append(_odd(name, "wrong length", 1))
            continue
        signals[name], irregularity = _make_signal(name, values, rate, unit)
        odd.append(irregularity)
    if not signals:
        devices = "wrist or chest" if chest else "wrist"
        raise RecordingDamaged(f"no usable signal of the {devices}", promised)
    if abs(labels / LABEL_HZ - usual) > _MOST_APART * usual:
        raise RecordingDamaged(
            f"its labels last {labels / LABEL_HZ:.2f} s, its signals {usual:.2f} s", promised
        )
    odd += _compare_ends(labels, signals)
    return LabelledRecording(signals, stretches, [one for one in odd if one.count])


def _read_labels(content: dict) -> tuple[int, list[Stretch], list[Irregularity]]:
    """Return how many labels there are, the labelled stretches, and what was odd of them."""
    if "label" not in content:
        raise RecordingDamaged("it has no labels (the key 'label' is missing)")
    array = _as_numbers(content["label"])
    if array is None or array.size == 0 or array.size != len(array):
        raise RecordingDamaged(f"a row of numbers is expected as 'label', {LABEL_HZ} a second")
    values = array.ravel().astype(np.float64)
    whole = (np.abs(values) < 1e6) & (values == np.rint(values))
    labels = np.where(whole, values, 0).astype(np.int64)
    ignored = np.isin(labels, _TO_IGNORE)
    stretches = [
        Stretch(first / LABEL_HZ, behind / LABEL_HZ, label)
        for first, behind, label in find_runs(labels)
        if label not in (0, *_TO_IGNORE)
    ]
    undefined = int((labels == 0).sum() - (~whole).sum())
    return (
        len(labels),
        stretches,
        [
            _odd("labels", "undefined", undefined),
            _odd("labels", "to be ignored", int(ignored.sum())),
            _odd("labels", "no label", int((~whole).sum())),
        ],
    )


def _read_arrays(
    devices: object,
) -> tuple[dict[str, tuple[np.ndarray, float, int]], list[Irregularity]]:
    """Return `(values, rate, unit)` of each signal of both devices, and which cannot be used.

    Those of the chest count in how long a recording is, also where they are not wanted.
    """
    arrays, odd = {}, []
    for device, layout in _DEVICES.items():
        found = _by_name(devices).get(device.casefold())
        sensors = _by_name(found)
        for name, (key, rate, axes, unit) in layout.items():
            if key.casefold() not in sensors:
                odd.append(_odd(name, "no signal", 1))
                continue
            values = _as_numbers(sensors[key.casefold()])
            if values is not None and values.ndim == 2 and axes == 1 and values.shape[1] == 1:
                values = values[:, 0]
            shape = () if axes == 1 else (axes,)
            if values is None or not values.size or values.shape[1:] != shape:
                odd.append(_odd(name, "wrong form", 1))
                continue
            arrays[name] = (values, rate, unit)
    return arrays, odd


def _make_signal(
    name: str, values: np.ndarray, rate: float, unit: int
) -> tuple[Signal, Irregularity]:
    with np.errstate(over="ignore"):  # what float32 cannot hold is counted
        scaled = values.astype(np.float32) / np.float32(unit)
    missing = ~np.isfinite(scaled)
    scaled[missing] = np.nan
    count = int(missing.reshape(len(missing), -1).any(axis=1).sum())
    return Signal(scaled, 0.0, rate), _odd(name, "no number", count)


def _compare_ends(labels: int, signals: dict[str, Signal]) -> list[Irregularity]:
    """Return where signals and labels end before or behind each other."""
    cover = max(signal.end_s for signal in signals.values())
    more = round(labels - cover * LABEL_HZ)
    odd = [
        _odd("labels", "label without signals", max(more, 0)),
        _odd("labels", "signals without label", max(-more, 0)),
    ]
    for name, signal in signals.items():
        lacking = int((cover - signal.end_s) * signal.rate_hz + 1e-6)
        odd.append(_odd(name, "short signal", lacking))
    return odd


def _odd(signal: str, kind: str, count: int) -> Irregularity:
    return Irregularity(signal, kind, count, RULES[kind])


def _as_numbers(value: object) -> np.ndarray | None:
    """Return an array of whole or real numbers, or None."""
    if not isinstance(value, np.ndarray | list | tuple):
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        return None
    return array if array.ndim and array.dtype.kind in "iuf" else None


def _by_name(value: object) -> dict[str, object]:
    """Return a dict's entries whose keys are texts, by those in small letters."""
    if not isinstance(value, dict):
        return {}
    return {key.casefold(): part for key, part in value.items() if isinstance(key, str)}

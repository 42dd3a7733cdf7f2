"""A run's model that reads windows of signals, as it is asked about recordings of wearables."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.recordings import Recording, RecordingPayload, irregularity_frame
from affectkeras.datasets.table import COLUMNS, ExampleTable, rejected_frame
from affectkeras.errors import UserError
from affectkeras.pipelines.resampling import fill_gaps
from affectkeras.pipelines.signal_channels import channel_windows, subject_scales
from affectkeras.pipelines.signal_scales import SubjectScale
from affectkeras.predict import find_saved_model, load_saved_model
from affectkeras.signal_facts import FACTS_FILE, FACTS_FOLDER, SignalFacts, parse_facts

BATCH = 256  # windows given to a network at once
DECIMALS = 6
_UNIX = 1e8  # s, of 1973: clocks that tell more count from 1970, others from the device's start
_WINDOWS_AT_ONCE = 4096  # that are held in memory

Scale = Sequence[SubjectScale]  # a subject's, of each channel


@dataclasses.dataclass(frozen=True, eq=False)
class SignalModel:
    """What a run on signals serves.

    Args:
        facts: of its windows and classes.
        predict: windows float32 `(windows, time, channels)` → probabilities float32 `(windows,
            classes)`.
    """

    facts: SignalFacts
    predict: Callable[[np.ndarray], np.ndarray]


def load_signal_model(run: Path) -> SignalModel:
    """Load what a run on signals serves. Neither Keras nor the model's code is needed.

    Args:
        run: a run folder, or a SavedModel folder.

    Raises:
        UserError: when there is no usable model, or it reads something else than signals.
    """
    folder = find_saved_model(run)
    loaded = load_saved_model(folder)
    facts = facts_of_loaded(loaded, folder)
    if facts is None:
        raise UserError(
            f"{folder}: this model reads faces in images or videos, no signals of wearables. Give "
            "the run of a recipe on wearables."
        )
    return SignalModel(facts, lambda windows: _predict(loaded, facts, windows))


def reads_signals(run: Path, *, look_inside: bool = False) -> bool:
    """Return whether a run's model reads signals.

    Args:
        run: a run folder, or a SavedModel folder.
        look_inside: whether to load the model and ask it where nothing beside it tells, which takes
            seconds.

    Raises:
        UserError: when there is no usable model.
    """
    folder = find_saved_model(run)
    places = (folder / FACTS_FOLDER / FACTS_FILE, folder.parent / FACTS_FILE)
    if any(place.is_file() for place in places):
        return True
    return look_inside and facts_of_loaded(load_saved_model(folder), folder) is not None


def facts_of_loaded(loaded, folder: Path) -> SignalFacts | None:
    """Return the facts that a loaded SavedModel tells of itself; None where it reads no signals.

    Raises:
        UserError: when they cannot be understood.
    """
    if "describe" not in loaded.signatures:
        return None
    described = loaded.signatures["describe"]()
    if "facts" not in described:
        return None
    facts = json.loads(described["facts"].numpy())
    return parse_facts(facts, folder) if "channels" in facts else None


def scales_of(recordings: Sequence[Recording], facts: SignalFacts) -> dict[str, Scale]:
    """Return every subject's scale of each channel, over all that is given.

    Empty for a model of signals that are not scaled.
    """
    used = [r for r in recordings if set(facts.signals) <= set(r.signals)]
    if facts.scale == "none" or not used:
        return {}
    names, extents = [r.name for r in used], np.array([_extent(r, facts) for r in used])
    frame = pd.DataFrame(dict.fromkeys(COLUMNS, names)).assign(
        subject=[r.subject for r in used],
        split="",
        recording=names,
        start_s=extents[:, 0],
        end_s=extents[:, 1],
    )
    payload = RecordingPayload(tuple(used), np.arange(len(used)), irregularity_frame())
    table = ExampleTable(
        "recordings", frame, (), payload, True, rejected=rejected_frame(), read=len(used)
    )
    return subject_scales(table, facts.channels, facts.rate_hz, facts.scale)


def window_starts(recording: Recording, facts: SignalFacts, step_s: float) -> np.ndarray:
    """Return when windows begin, in seconds; none where the recording lacks a signal."""
    if not set(facts.signals) <= set(recording.signals):
        return np.empty(0)
    begin, end = _extent(recording, facts)
    # What is missing to a window by rounding of the clock is there.
    count = int(np.floor((end - begin - facts.seconds) / step_s + 1e-4)) + 1
    return begin + step_s * np.arange(max(0, count))


def predict_recording(
    model: SignalModel,
    recording: Recording,
    step_s: float,
    scale: Scale | None = None,
    *,
    on_windows: Callable[[int], object] = lambda count: None,
) -> pd.DataFrame:
    """Return a row per window of a recording, in order of time.

    Args:
        model: that reads its windows.
        recording: of one person.
        step_s: seconds from one window's beginning to the next.
        scale: the subject's, of each channel, for a model of signals scaled by subject.
        on_windows: is told how many more windows are done.

    Returns:
        `recording`, `subject`, `window_start_s` and `window_end_s` (on the recording's clock),
        `start` (UTC as in ISO 8601, where the clock is that of Unix), `class_name`, `probability`,
        `p_<class>` of every class, and `error`: why there is no prediction, else "". A recording in
        which no window has room, or that lacks a signal, is one row without times.
    """
    facts = model.facts
    starts = window_starts(recording, facts, step_s)
    if facts.scale != "none" and scale is None and len(starts):
        raise ValueError("`scale` must be given for a model of signals scaled by subject.")
    probabilities = np.full((len(starts), len(facts.class_names)), np.nan)
    reasons = np.full(len(starts), "", dtype=object)
    for begin in range(0, len(starts), _WINDOWS_AT_ONCE):
        part = slice(begin, begin + _WINDOWS_AT_ONCE)
        windows, reasons[part] = served_windows(recording, facts, starts[part], scale)
        usable = reasons[part] == ""
        probabilities[part][usable] = model.predict(windows[usable])
        on_windows(len(windows))
    if not len(starts):
        starts, probabilities = np.array([np.nan]), np.full((1, len(facts.class_names)), np.nan)
        reasons = [_why_no_window(recording, facts)]
    return _rows(recording, facts, starts, probabilities, reasons)


def served_windows(
    recording: Recording,
    facts: SignalFacts,
    starts_s: np.ndarray,
    scale: Scale | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return windows as `pipelines.signals.cut_windows` gives them, and why some are of no use.

    Args:
        recording: of one person.
        facts: of the model that will read them.
        starts_s: when the windows begin, `(windows,)`.
        scale: see `predict_recording`.

    Returns:
        float32 `(windows, time, channels)`, and the reasons `(windows,)`: "" where all is well.
    """
    channels = facts.channels
    samples = round(facts.seconds * facts.rate_hz)
    windows = np.full((len(starts_s), samples, len(channels)), np.nan, np.float32)
    missing = np.ones((len(starts_s), len(channels)))
    for place, values in channel_windows(recording, channels, starts_s, samples, facts.rate_hz):
        share = np.isnan(values).mean(axis=1)
        missing[:, place], gaps = share, (share > 0) & (share <= facts.max_gap)
        if gaps.any():
            values = values.copy()
            values[gaps] = fill_gaps(values[gaps])
        if scale is not None:
            values = scale[place].apply(values)
        windows[:, :, place] = values
    reasons = np.full(len(windows), "", dtype=object)
    worst = missing.argmax(axis=1)
    for row in np.flatnonzero(missing.max(axis=1) > facts.max_gap):
        name, share = channels[worst[row]].name, missing[row, worst[row]]
        reasons[row] = (
            f"{name}: {share:.1%} of the window is missing, more than {facts.max_gap:.1%}"
        )
    return windows, reasons


def _extent(recording: Recording, facts: SignalFacts) -> tuple[float, float]:
    """Return from when to when there is anything of what the model reads."""
    signals = [recording.signals[name] for name in facts.signals]
    return min(signal.start_s for signal in signals), max(signal.end_s for signal in signals)


def _why_no_window(recording: Recording, facts: SignalFacts) -> str:
    missing = [name for name in facts.signals if name not in recording.signals]
    if missing:
        there = ", ".join(sorted(recording.signals)) or "none"
        return f"no signal {', '.join(missing)}; there are {there}"
    begin, end = _extent(recording, facts)
    return f"{end - begin:.1f} s long, shorter than a window of {facts.seconds:g} s"


def _rows(recording, facts: SignalFacts, starts, probabilities, reasons) -> pd.DataFrame:
    predicted = ~np.isnan(probabilities[:, 0])
    best = np.where(predicted, np.nan_to_num(probabilities).argmax(axis=1), 0)
    names = np.array(facts.class_names, dtype=object)[best]
    told = np.full(len(starts), "", dtype=object)
    if len(starts) and starts[0] > _UNIX:
        milliseconds = np.round(starts * 1000).astype("datetime64[ms]")
        told = np.datetime_as_string(milliseconds, timezone="UTC")
    columns = {
        "recording": recording.name,
        "subject": recording.subject,
        "window_start_s": starts,
        "window_end_s": starts + facts.seconds,
        "start": told,
        "class_name": np.where(predicted, names, ""),
        "probability": probabilities.max(axis=1),
    }
    columns |= {f"p_{name}": probabilities[:, n] for n, name in enumerate(facts.class_names)}
    return pd.DataFrame(columns | {"error": reasons}).round(DECIMALS)


def _predict(loaded, facts: SignalFacts, windows: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    serve = loaded.signatures["serving_default"]
    shaped = np.ascontiguousarray(windows, np.float32).reshape(-1, *facts.window_shape)
    found = [np.zeros((0, len(facts.class_names)), np.float32)]
    for start in range(0, len(shaped), BATCH):
        batch = tf.constant(shaped[start : start + BATCH])
        found.append(serve(windows=batch)["probabilities"].numpy())
    return np.concatenate(found)

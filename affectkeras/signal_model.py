"""A run's model that reads windows of signals of wearables, as it is asked about recordings."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from affectkeras.errors import UserError
from affectkeras.predict import find_saved_model, load_saved_model

FACTS_FILE = "signal_model.json"
FACTS_FOLDER = "assets.extra"  # of a SavedModel: where others than TensorFlow may put their own
SCHEMA = 1
SCALES, ROWS = ("none", "subject"), ("samples", "seconds")
BATCH = 256  # windows given to a network at once


@dataclasses.dataclass(frozen=True)
class SignalFacts:
    """What whoever serves a model of signals must know.

    Args:
        recipe: whose model it is.
        sample, quick: whether it was trained on sample data, or in a quick run.
        target: what is predicted, such as `"arousal"`.
        class_names: the name of each output.
        channels: of each channel, in their order, the signal and the axis (0, 1, 2; None where the
            signal has none).
        rate_hz: samples of a second.
        seconds: length of a window.
        scale: `"subject"`: of every channel the subject's mean is taken off and it is divided by
            the subject's standard deviation; `"none"`: the signals as they are.
        rows: `"samples"`: a window is `(time, channels)`; `"seconds"`: of a single channel,
            `(seconds, rate)`.

    Raises:
        ValueError: when a fact is none that is known.
    """

    recipe: str
    sample: bool
    quick: bool
    target: str
    class_names: tuple[str, ...]
    channels: tuple[tuple[str, int | None], ...]
    rate_hz: float
    seconds: float
    scale: str = "none"
    rows: str = "samples"

    def __post_init__(self):
        for name, value, known in (("scale", self.scale, SCALES), ("rows", self.rows, ROWS)):
            if value not in known:
                raise ValueError(f"`{name}` must be one of {known}. Received: {name}={value!r}")
        if not self.channels or not self.rate_hz > 0 or not self.seconds > 0:
            raise ValueError(
                "`channels` must name at least one, `rate_hz` and `seconds` be above 0. Received: "
                f"channels={self.channels}, rate_hz={self.rate_hz}, seconds={self.seconds}"
            )
        if self.rows == "seconds" and len(self.channels) > 1:
            raise ValueError(
                "`rows` can be 'seconds' for a single channel only. "
                f"Received: channels={self.channels}"
            )

    @property
    def window_shape(self) -> tuple[int, int]:
        """The shape of one window as the model takes it."""
        if self.rows == "seconds":
            return round(self.seconds), round(self.rate_hz)
        return round(self.seconds * self.rate_hz), len(self.channels)

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals that are read, each once."""
        return tuple(dict.fromkeys(signal for signal, _ in self.channels))

    @property
    def note(self) -> str:
        """What must be said wherever the predictions are shown; "" for nothing."""
        if self.sample:
            return (
                "Sample model: trained on synthetic signals. What it reads in real ones means "
                "nothing."
            )
        if self.quick:
            return "Quick run: the model was trained for a moment only, to see that all works."
        return ""


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


def reads_signals(run: Path) -> bool:
    """Return whether a run's model reads signals, from what lies beside it: nothing is loaded.

    Args:
        run: a run folder, or a SavedModel folder.

    Raises:
        UserError: when there is no exported model.
    """
    folder = find_saved_model(run)
    places = (folder / FACTS_FOLDER / FACTS_FILE, folder.parent / FACTS_FILE)
    return any(place.is_file() for place in places)


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


def parse_facts(facts: Mapping, where: Path) -> SignalFacts:
    """Return facts as they stand in JSON as `SignalFacts`.

    Args:
        facts: `schema`, `channels` as `{"signal", "axis"}` each, and the other fields.
        where: named when they cannot be understood.

    Raises:
        UserError: naming what is wrong.
    """
    if facts.get("schema") != SCHEMA:
        raise UserError(
            f"{where}: the model's facts have the schema {facts.get('schema')!r}; this version "
            f"reads {SCHEMA}. Use the version of affectkeras that wrote them."
        )
    names = [field.name for field in dataclasses.fields(SignalFacts)]
    missing = [name for name in names if name not in facts]
    if missing:
        raise UserError(f"{where}: the model's facts lack {', '.join(missing)}. Export it again.")
    known = {name: facts[name] for name in names}
    channels = tuple((channel["signal"], channel.get("axis")) for channel in facts["channels"])
    known |= {"channels": channels, "class_names": tuple(facts["class_names"])}
    try:
        return SignalFacts(**known)
    except ValueError as error:
        raise UserError(f"{where}: the model's facts are wrong: {error}") from error


def _predict(loaded, facts: SignalFacts, windows: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    serve = loaded.signatures["serving_default"]
    shaped = np.ascontiguousarray(windows, np.float32).reshape(-1, *facts.window_shape)
    found = [np.zeros((0, len(facts.class_names)), np.float32)]
    for start in range(0, len(shaped), BATCH):
        batch = tf.constant(shaped[start : start + BATCH])
        found.append(serve(windows=batch)["probabilities"].numpy())
    return np.concatenate(found)

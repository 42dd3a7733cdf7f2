"""What a model that reads windows of signals tells of itself, so that it can be served."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from affectkeras.errors import UserError
from affectkeras.pipelines.signal_scales import SCALES
from affectkeras.pipelines.signals import Channel

FACTS_FILE = "signal_model.json"
FACTS_FOLDER = "assets.extra"  # of a SavedModel: where others than TensorFlow may put their own
SCHEMA = 1
MAX_GAP = 0.2  # as `cut_windows` has it where nothing else is said
ROWS = ("samples", "seconds")
OWN_RECORDINGS = "empatica_e4"  # the layout that `predict` takes where none is named


@dataclasses.dataclass(frozen=True)
class SignalFacts:
    """What whoever serves a model of signals must know.

    Args:
        recipe: whose model it is.
        sample, quick: whether it was trained on sample data, or in a quick run.
        target: what is predicted, such as `"arousal"`.
        class_names: the name of each output.
        channels: of the windows, in their order.
        rate_hz: samples of a second.
        seconds: length of a window.
        scale: `"subject"`: of every channel the subject's mean is taken off and it is divided by
            the subject's standard deviation; `"rank"`: it becomes its rank among the subject's
            values; `"none"`: the signals as they are.
        rows: `"samples"`: a window is `(time, channels)`; `"seconds"`: of a single channel,
            `(seconds, rate)`.
        max_gap: the largest share of missing values of a channel with which a window is read.
        dataset: the short name of the data set that it was trained on; "": not known.

    Raises:
        ValueError: when a fact is none that is known.
    """

    recipe: str
    sample: bool
    quick: bool
    target: str
    class_names: tuple[str, ...]
    channels: tuple[Channel, ...]
    rate_hz: float
    seconds: float
    scale: str
    rows: str
    max_gap: float = MAX_GAP
    dataset: str = ""

    def __post_init__(self):
        for name, value, known in (("scale", self.scale, SCALES), ("rows", self.rows, ROWS)):
            if value not in known:
                raise ValueError(f"`{name}` must be one of {known}. Received: {name}={value!r}")
        if not self.channels or not self.rate_hz > 0 or not self.seconds > 0:
            raise ValueError(
                "`channels` must name at least one, `rate_hz` and `seconds` be above 0. Received: "
                f"channels={self.channels}, rate_hz={self.rate_hz}, seconds={self.seconds}"
            )
        if not 0 <= self.max_gap < 1:
            raise ValueError(f"`max_gap` must be in [0, 1). Received: max_gap={self.max_gap}")
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
        return tuple(dict.fromkeys(channel.signal for channel in self.channels))

    def to_json(self) -> dict:
        """Return the facts as they stand in JSON, see `parse_facts`."""
        return {"schema": SCHEMA, **json.loads(json.dumps(dataclasses.asdict(self)))}

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


def parse_facts(facts: Mapping, where: Path) -> SignalFacts:
    """Return facts as they stand in JSON as `SignalFacts`.

    Args:
        facts: `schema` 1, `channels` as `{"signal", "axis"}` each, and the other fields of
            `SignalFacts`; `max_gap` may be left out, and what is unknown is passed over.
        where: named when they cannot be understood.

    Raises:
        UserError: naming what is wrong.
    """
    if facts.get("schema") != SCHEMA:
        raise UserError(
            f"{where}: the model's facts have the schema {facts.get('schema')!r}; this version "
            f"reads {SCHEMA}. Use the version of affectkeras that wrote them."
        )
    fields = dataclasses.fields(SignalFacts)
    missing = [
        field.name
        for field in fields
        if field.name not in facts and field.default is dataclasses.MISSING
    ]
    if missing:
        raise UserError(f"{where}: the model's facts lack {', '.join(missing)}. Export it again.")
    known = {field.name: facts[field.name] for field in fields if field.name in facts}
    channels = tuple(
        Channel(one["signal"], one.get("axis"), one.get("change", False))
        for one in facts["channels"]
    )
    known |= {"channels": channels, "class_names": tuple(facts["class_names"])}
    try:
        return SignalFacts(**known)
    except ValueError as error:
        raise UserError(f"{where}: the model's facts are wrong: {error}") from error


def recordings_arguments(run: Path, dataset: str | None) -> str | None:
    """Return what follows `predict RUN` where a run's model reads recordings; else None.

    Args:
        run: a run folder.
        dataset: the run's data set, whose layout recordings are likely to have.
    """
    places = (Path(run), Path(run) / "saved_model" / FACTS_FOLDER)
    if not any((place / FACTS_FILE).is_file() for place in places):
        return None
    return "FOLDER" if dataset in (None, OWN_RECORDINGS) else f"--dataset {dataset} FOLDER"

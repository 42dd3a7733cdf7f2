"""Recordings of wearables: the form in which their signals leave a reader, labels beside them.

A reader of recordings returns an `ExampleTable` with one row per labelled stretch of time, its
payload a `RecordingPayload`. Windows are cut from it later (`pipelines.signals`), as their length
is a recipe's choice and not the owner's.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

# Beside the fixed columns of an `ExampleTable`: which recording a stretch is of, and from when to
# when it lasts, in seconds on the clock of its signals.
STRETCH_COLUMNS = ("recording", "start_s", "end_s")
IRREGULARITY_COLUMNS = ("recording", "signal", "kind", "count", "rule")

# Names of signals and their units, the same in every reader.
UNITS = {
    "bvp": "device units",
    "eda": "µS",
    "temperature": "°C",
    "heart_rate": "beats/min",
    "wrist_heart_rate": "beats/min",
    "ibi": "s",
    "acceleration": "g",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Signal:
    """Values at a steady rate; what is missing is NaN.

    Args:
        values: float32, `(samples,)`, or `(samples, axes)`, such as x, y, z.
        start_s: when the first value was taken, in seconds on the recording's clock: since
            1970-01-01 UTC where the owner tells it.
        rate_hz: values per second.
    """

    values: np.ndarray
    start_s: float
    rate_hz: float

    def __post_init__(self):
        if self.values.ndim not in (1, 2):
            raise ValueError(
                "`values` must have the shape (samples,) or (samples, axes). "
                f"Received: {self.values.shape}"
            )
        if not self.rate_hz > 0 or not np.isfinite(self.start_s):
            raise ValueError(
                "`rate_hz` must be above 0 and `start_s` finite. "
                f"Received: rate_hz={self.rate_hz}, start_s={self.start_s}"
            )

    @property
    def end_s(self) -> float:
        """When the last value's time is over, in seconds."""
        return self.start_s + len(self.values) / self.rate_hz


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """What one device, or several at one time, took of one person.

    Args:
        name: unique in the data set: the path of its folder or file below the raw folder.
        subject: whose.
        signals: by name; see `UNITS` for the usual ones.
    """

    name: str
    subject: str
    signals: Mapping[str, Signal]


@dataclasses.dataclass(frozen=True, eq=False)
class RecordingPayload:
    """The recordings that the rows of a table lie in.

    Args:
        recordings: each of them once.
        index: the number of each table row's recording, int64 `(rows,)`.
        irregularities: what was not as the layout promises, `IRREGULARITY_COLUMNS`: of which
            recording and signal, which kind, how many samples or rows, and the rule that was
            followed, in words.
    """

    recordings: tuple[Recording, ...]
    index: np.ndarray
    irregularities: pd.DataFrame

    def take(self, rows: np.ndarray) -> "RecordingPayload":
        return dataclasses.replace(self, index=self.index[rows])

    def __len__(self) -> int:
        return len(self.index)


def irregularity_frame(rows: Sequence[tuple[str, str, str, int, str]] = ()) -> pd.DataFrame:
    """Return a frame of `IRREGULARITY_COLUMNS`; what was counted 0 times is left out."""
    found = [row for row in rows if row[3]]
    return pd.DataFrame(found, columns=list(IRREGULARITY_COLUMNS)).astype({"count": np.int64})

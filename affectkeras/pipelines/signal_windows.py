"""Windows of signals, cut from the labelled stretches of recordings."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

from affectkeras.datasets.recordings import STRETCH_COLUMNS, RecordingPayload
from affectkeras.datasets.table import COLUMNS, ArrayPayload, ExampleTable, rejected_frame
from affectkeras.errors import UserError
from affectkeras.pipelines.resampling import fill_gaps
from affectkeras.pipelines.signal_channels import (
    Channel,
    channel_windows,
    check_channels,
    subject_scales,
)
from affectkeras.pipelines.signal_scales import Scale

Place = Literal["end", "inside"]

LEAST_STEP = 0.2  # s: ids tell a window's end to a tenth of a second


def cut_windows(
    table: ExampleTable,
    channels: Sequence[Channel],
    *,
    seconds: float,
    rate_hz: float = 4.0,
    place: Place = "end",
    step_s: float | None = None,
    scale: Scale = "none",
    max_gap: float = 0.2,
) -> ExampleTable:
    """Return one row per window of signals, all of one rate (see `resample`) and length.

    With `place="end"` every stretch gives one window that ends where the stretch ends and reaches
    back `seconds`, before its beginning too. With `place="inside"` it gives as many as lie wholly
    in it, the first at its beginning, one `step_s` after another.

    With `scale="subject"` every channel has the subject's mean subtracted and is divided by the
    subject's standard deviation (divisor n; where a channel stands still, it is not divided). Both
    are taken at the common rate over the time from the first stretch to the last of each of the
    subject's recordings, all together. With `scale="rank"` a value becomes its rank among these
    values, see `subject_scale`. No label is used, but the signals of the subjects in the
    test part are, beyond the single window: it tells how well a model does for a person whose
    recording is known as a whole.

    Gaps: a window with a larger share of missing values than `max_gap` in any channel is excluded;
    in the others, missing values are interpolated linearly within the window, and the nearest is
    taken at its ends.

    Args:
        table: labelled stretches of recordings: `recording`, `start_s`, `end_s` beside the fixed
            columns, and a `RecordingPayload`.
        channels: in the order wanted.
        seconds: length of a window; `seconds * rate_hz` must be whole.
        rate_hz: values per second.
        place: where windows lie, see above.
        step_s: seconds from one window's beginning to the next with `place="inside"`; None: as long
            as a window, so that none overlap.
        scale: see above.
        max_gap: share of missing values from 0 to below 1.

    Returns:
        A table with the stretch's columns and `window_start_s`, `window_end_s`, its `example_id`
        the stretch's with the window's end in seconds from the recording's first sample, its
        payload `{"signals": float32 (windows, time, channels)}`. Excluded windows, and stretches
        shorter than one, are rejected with the reason; what the source had rejected stays so.

    Raises:
        UserError: when no recording has a signal of that name, or every window is excluded.
        ValueError: when an argument is out of range.
    """
    channels = tuple(channels)
    samples = _window_samples(seconds, rate_hz)
    _check_choices(place, step_s, scale, max_gap)
    if not isinstance(table.payload, RecordingPayload) or not len(table):
        raise UserError(f"{table.name}: there are no recordings to cut windows from.")
    check_channels(table, channels)
    stretches, starts, ends = _lay_windows(table.frame, seconds, place, step_s)
    owners = table.payload.index[stretches]
    scales = subject_scales(table, channels, rate_hz, scale)
    signals = np.full((len(starts), samples, len(channels)), np.nan, np.float32)
    missing = np.ones((len(starts), len(channels)))
    for number in np.unique(owners):
        recording, rows = table.payload.recordings[number], np.flatnonzero(owners == number)
        found = channel_windows(recording, channels, starts[rows], samples, rate_hz)
        for column, values in found:
            missing[rows, column], values = _fill(values, max_gap)
            if scales:
                values = scales[recording.subject][column].apply(values)
            signals[rows, :, column] = values
    frame = _window_frame(table, stretches, starts, ends)
    reasons = _reasons(missing, channels, max_gap)
    short = _short_stretches(table.frame, stretches, seconds)
    return _window_table(table, frame, signals, reasons, short)


def _window_samples(seconds: float, rate_hz: float) -> int:
    if not (seconds > 0 and rate_hz > 0):
        raise ValueError(
            "`seconds` and `rate_hz` must be above 0. "
            f"Received: seconds={seconds}, rate_hz={rate_hz}"
        )
    samples = round(seconds * rate_hz)
    if samples < 1 or abs(samples - seconds * rate_hz) > 1e-6:
        raise ValueError(
            "`seconds * rate_hz` must be a whole number. "
            f"Received: seconds={seconds}, rate_hz={rate_hz}"
        )
    return samples


def _check_choices(place: str, step_s: float | None, scale: str, max_gap: float) -> None:
    for name, value, known in (("place", place, Place), ("scale", scale, Scale)):
        if value not in get_args(known):
            raise ValueError(f"`{name}` must be one of {get_args(known)}. Received: {value!r}")
    if step_s is not None and (place != "inside" or not step_s >= LEAST_STEP):
        raise ValueError(
            f"`step_s` must be at least {LEAST_STEP} s, and goes with place='inside' only. "
            f"Received: step_s={step_s}, place={place!r}"
        )
    if not 0 <= max_gap < 1:
        raise ValueError(f"`max_gap` must be in [0, 1). Received: max_gap={max_gap}")


def _lay_windows(
    frame: pd.DataFrame, seconds: float, place: str, step_s: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the stretch, the beginning and the end in seconds of every window, in order."""
    missing = [column for column in STRETCH_COLUMNS if column not in frame]
    if missing:
        raise ValueError(f"`table` must have the columns {STRETCH_COLUMNS}. It lacks: {missing}")
    begin, end = frame["start_s"].to_numpy(np.float64), frame["end_s"].to_numpy(np.float64)
    if place == "end":
        return np.arange(len(frame)), end - seconds, end
    step = seconds if step_s is None else step_s
    # What is missing to a window by rounding of the clock (2e-7 s) is there.
    fitting = np.floor((end - begin - seconds) / step + 1e-4).astype(np.int64) + 1
    fitting = np.maximum(fitting, 0)
    stretches = np.repeat(np.arange(len(frame)), fitting)
    number = np.arange(len(stretches)) - np.repeat(np.cumsum(fitting) - fitting, fitting)
    # Rounded before the clock's large number is added: where one window ends and another begins at
    # the same time, the two numbers are the same.
    since = np.round(number * step, 6), np.round(number * step + seconds, 6)
    return stretches, begin[stretches] + since[0], begin[stretches] + since[1]


def _fill(values: np.ndarray, max_gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the share that is missing of each window, and the windows with small gaps filled."""
    share = np.isnan(values).mean(axis=1)
    gaps = (share > 0) & (share <= max_gap)
    if gaps.any():
        values = values.copy()
        values[gaps] = fill_gaps(values[gaps])
    return share, values


def _window_frame(
    table: ExampleTable, stretches: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> pd.DataFrame:
    begun = np.array(
        [
            min((signal.start_s for signal in recording.signals.values()), default=0.0)
            for recording in table.payload.recordings
        ]
    )
    since = ends - begun[table.payload.index[stretches]]
    frame = table.frame.iloc[stretches].reset_index(drop=True)
    names = frame["example_id"]
    frame["example_id"] = [
        f"{name} {time:.1f} s" for name, time in zip(names, since.tolist(), strict=True)
    ]
    frame["window_start_s"], frame["window_end_s"] = starts, ends
    first = [*COLUMNS, *(target.name for target in table.targets)]
    return frame[[*first, *(column for column in frame.columns if column not in first)]]


def _reasons(missing: np.ndarray, channels: Sequence[Channel], max_gap: float) -> np.ndarray:
    """Return why each window is excluded, by the channel that misses most; "" where it is not."""
    reasons = np.full(len(missing), "", dtype=object)
    worst = missing.argmax(axis=1)
    for row in np.flatnonzero(missing.max(axis=1, initial=0) > max_gap):
        name, share = channels[worst[row]].name, missing[row, worst[row]]
        reasons[row] = f"{name}: {share:.1%} of the window is missing, more than {max_gap:.1%}"
    return reasons


def _short_stretches(
    frame: pd.DataFrame, stretches: np.ndarray, seconds: float
) -> list[tuple[str, str, str]]:
    """Return the rejections of stretches in which no window has room."""
    rows = np.setdiff1d(np.arange(len(frame)), stretches)
    lengths = frame["end_s"].to_numpy() - frame["start_s"].to_numpy()
    return [
        (
            frame["example_id"].iloc[row],
            "excluded",
            f"too short: the stretch lasts {lengths[row]:.1f} s, a window {seconds:g} s",
        )
        for row in rows
    ]


def _window_table(
    table: ExampleTable,
    frame: pd.DataFrame,
    signals: np.ndarray,
    reasons: np.ndarray,
    short: list[tuple[str, str, str]],
) -> ExampleTable:
    used = reasons == ""
    if not used.any():
        told = [*reasons, *(reason for _, _, reason in short)]
        kinds = [reason.split(":")[0] for reason in told]  # the channel, or too short
        kind, count = Counter(kinds).most_common(1)[0]
        raise UserError(
            f"{table.name}: none of {len(told)} windows can be used; {count} of them for a reason "
            f"such as: {told[kinds.index(kind)]}. Allow larger gaps, leave the channel out or take "
            "shorter windows."
        )
    left_out = zip(frame.loc[~used, "example_id"], reasons[~used], strict=True)
    rejected = rejected_frame([*((name, "excluded", reason) for name, reason in left_out), *short])
    if not used.all():
        frame, signals = frame[used].reset_index(drop=True), signals[used]
    return dataclasses.replace(
        table,
        frame=frame,
        payload=ArrayPayload({"signals": signals}, np.arange(len(signals))),
        rejected=pd.concat([table.rejected, rejected], ignore_index=True),
        read=len(reasons) + len(short) + len(table.rejected),
    )

"""Heartbeats of an Empatica E4: IBI.csv, made into a signal at a steady rate."""

from pathlib import Path

import numpy as np

from affectkeras.datasets.e4_head import damage, read_start
from affectkeras.datasets.e4_numbers import Rows, drop_last_row, parse_rows, read_lines, split_head
from affectkeras.datasets.recordings import Signal

RATE_HZ = 4.0
# Two beats that are further apart (30 beats/min) have others between them that were not found.
LONGEST_GAP_S = 2.0
SHORTEST_S, LONGEST_S = 0.2, 3.0  # 300 and 20 beats/min
_AFTER_END_S = 60.0

RULES = {
    "no number": "a row that is no two numbers is left out",
    "absurd value": (
        f"a beat that lasts less than {SHORTEST_S:g} s or more than {LONGEST_S:g} s, or comes "
        f"before the start or {_AFTER_END_S:g} s behind the recording's end, is left out"
    ),
    "time not later": "a beat that is not later than the one before is left out",
    "no beat": (
        f"between beats at most {LONGEST_GAP_S:g} s apart the interval is interpolated linearly, "
        f"at {RATE_HZ:g} Hz; elsewhere it is missing"
    ),
    "no values": "fewer than two beats: the recording is used without them",
    "cut last row": "the file ends in the middle of a row: the row is left out",
}


def read_beats(path: Path, length_s: float) -> tuple[Signal | None, dict[str, int]]:
    """Return the signal `ibi` in s, at 4 Hz from the file's start, and counts of `RULES`.

    The first line is the start and a word, every other one the time of a beat after the start and
    how long it took since the beat before, in seconds. A value of the signal is interpolated
    between the two beats around it.

    Args:
        path: IBI.csv.
        length_s: how long the recording's other signals last.

    Raises:
        UserError: when the file is no such file, or most of it is damaged.
    """
    content, cut = read_lines(path)
    if not content:  # so the device leaves it where it found no beat
        return None, {"no values": 1}
    (first,), body = split_head(content, 1)
    start_s = read_start(path, first.split(",")[0], 1)
    rows = parse_rows(drop_last_row(body) if cut else body, 2, head=1)
    times, intervals = rows.values.T
    number = ~np.isnan(times)
    sound = (times >= 0) & (times <= length_s + _AFTER_END_S)
    sound &= (intervals >= SHORTEST_S) & (intervals <= LONGEST_S)
    _refuse_most(path, rows, sound)
    sound_rows = np.flatnonzero(sound)
    later = _is_later(times[sound])
    if np.count_nonzero(~later) > max(1, len(later) // 2):
        row = sound_rows[np.argmin(later)]
        raise damage(
            *(path, rows.line(row)),
            f"the times of beats must rise. Found {rows.show(row)} and {np.sum(~later) - 1} more "
            "that are not later than a beat before.",
        )
    counts = {
        "no number": int(np.sum(~number)),
        "absurd value": int(np.sum(number & ~sound)),
        "time not later": int(np.sum(~later)),
        "cut last row": int(cut),
    }
    kept = sound_rows[later]
    if len(kept) < 2:
        return None, counts | {"no values": 1}
    values = interpolate_beats(times[kept], intervals[kept])
    counts["no beat"] = int(np.isnan(values).sum())
    return Signal(values, start_s, RATE_HZ), counts


def interpolate_beats(times: np.ndarray, intervals: np.ndarray) -> np.ndarray:
    """Return the intervals at 0, 1/4, 2/4 … s up to the last beat, float32 `(samples,)`.

    Args:
        times: of the beats in s, rising, `(beats,)`.
        intervals: how long each took, in s.
    """
    grid = np.arange(int(np.floor(times[-1] * RATE_HZ)) + 1) / RATE_HZ
    values = np.interp(grid, times, intervals)
    after = np.searchsorted(times, grid, side="right")
    before = np.maximum(after - 1, 0)
    gap = times[np.minimum(after, len(times) - 1)] - times[before]
    known = (after > 0) & ((gap <= LONGEST_GAP_S) | (times[before] == grid))
    return np.where(known, values, np.nan).astype(np.float32)


def _is_later(times: np.ndarray) -> np.ndarray:
    """Return which times are later than all before."""
    later = np.ones(len(times), bool)
    later[1:] = times[1:] > np.maximum.accumulate(times)[:-1]
    return later


def _refuse_most(path: Path, rows: Rows, sound: np.ndarray) -> None:
    """Raise `UserError` where more than half of the rows cannot be used."""
    wrong = np.flatnonzero(~sound)
    if len(wrong) <= max(1, len(sound) // 2):
        return
    times, intervals = rows.values.T
    swapped = (times >= SHORTEST_S) & (times <= LONGEST_S) & (intervals > LONGEST_S)
    hint = ": are the columns swapped?" if np.mean(swapped) > 0.5 else "."
    raise damage(
        *(path, rows.line(wrong[0])),
        "a row must be the time of a beat after the start and the interval before it, both in s"
        f"{hint} Found {rows.show(wrong[0])} and {len(wrong) - 1} more of {len(sound)}.",
    )

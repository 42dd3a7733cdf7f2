"""What was felt every five seconds of a K-EmoCon debate: the ratings of one file.

`seconds` is where a stretch ends, counted from the debate's start. Arousal and valence are whole
numbers from 1 to 5, five emotions from 1 to 4; the other columns hold an x where something was seen
(which they are is told by get_rater_agreement in the vote_majority.py of the authors).
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from affectkeras.datasets.k_emocon_signals import Found, is_pid
from affectkeras.datasets.k_emocon_subjects import Subject
from affectkeras.datasets.k_emocon_tables import read_cells

STRETCH_S = 5.0
AFFECT = ("arousal", "valence")
EMOTIONS = ("cheerful", "happy", "angry", "nervous", "sad")
RATINGS = {**dict.fromkeys(AFFECT, 5), **dict.fromkeys(EMOTIONS, 4)}
MARKS = (
    *("boredom", "confusion", "delight", "concentration", "frustration", "surprise", "none_1"),
    *("confrustion", "contempt", "dejection", "disgust", "eureka", "pride", "sorrow", "none_2"),
)
Alignment = Literal["start", "cut"]
ALIGNMENTS = ("start", "cut")
_BLANK = ("", "x", "nan", "na", "n/a", "none", "null")
# No debate lasted as long, and what is written in milliseconds lies behind it.
_LONGEST_S = 3600

Rejected = tuple[str, str, str]


@dataclasses.dataclass(frozen=True)
class Annotation:
    """The rows of a file.

    Args:
        name: the file's path below the folder of annotations.
        frame: the rows that can be used, by time: `example_id`, `seconds`, the ratings as float64
            (NaN where there is none), the marks and other columns as text.
        rejected: the other rows.
        last_s: the latest time of any row, whether its ratings can be used or not; 0 without rows.
        found: what was irregular: kind, count, rule.
    """

    name: str
    frame: pd.DataFrame
    rejected: tuple[Rejected, ...]
    last_s: float
    found: tuple[tuple[str, int, str], ...]

    def reject(self, kind: str, reason: str) -> list[Rejected]:
        """Return every row as rejected: those that could be used for this reason."""
        return [
            *((row, kind, reason) for row in self.frame["example_id"]),
            *self.rejected,
        ]


def read_annotation(path: Path, name: str, pid: int) -> Annotation:
    """Return the ratings in a file.

    Rejected: a row with more or fewer cells than the first line, with a pid that is not the file's,
    without a time, with a time that an earlier row has, or with an arousal or valence that is no
    whole number from 1 to 5 (damaged); a row without both (unlabelled).

    Args:
        path: the file.
        name: what its rows are called by.
        pid: whose stretches it should rate.

    Raises:
        UserError: when the file cannot be read or lacks seconds, arousal or valence.
    """
    names, rows = read_cells(path, ("seconds", *AFFECT))
    used, rejected, times = [], [], []
    emptied = dict.fromkeys(EMOTIONS, 0)
    for line, cells in rows:
        reason = _refuse_row(names, cells, pid)
        if reason:
            rejected.append((f"{name} line {line}", "damaged", reason))
            continue
        row = dict(zip(names, cells, strict=True))
        seconds = _to_time(row["seconds"])
        place = f"{name} label {seconds:04d}"
        if seconds in times:
            reason = f"line {line}: {seconds} seconds stand there again; the first row is used"
            rejected.append((place, "damaged", reason))
            continue
        times.append(seconds)
        ratings, bad = _rate(row)
        wrong = [f"{column} is {row[column][:20]!r}" for column in AFFECT if column in bad]
        if wrong:
            reason = f"{' and '.join(wrong)}; it must be 1, 2, 3, 4 or 5"
            rejected.append((place, "damaged", reason))
        elif all(np.isnan(ratings[column]) for column in AFFECT):
            rejected.append((place, "unlabelled", "neither arousal nor valence is told"))
        else:
            for column in bad:
                emptied[column] += 1
            used.append({"example_id": place, "seconds": seconds, **ratings, **_others(row)})
    found = [("row out of order", int((np.diff(times) < 0).sum()), "the rows are sorted by time")]
    rule = "the rating is missing: it must be 1, 2, 3 or 4"
    found += [(f"{column} out of range", count, rule) for column, count in emptied.items()]
    lacking = [column for column in EMOTIONS if column not in names]
    rule = f"the file has no {', '.join(lacking)}: these ratings are missing"
    found.append(("missing column", len(lacking), rule))
    kept = tuple(row for row in found if row[1])
    return Annotation(name, _to_frame(used), tuple(rejected), float(max(times, default=0)), kept)


def place_stretches(
    annotation: Annotation, subject: Subject, align: Alignment
) -> tuple[pd.DataFrame, list[Rejected], list[Found]]:
    """Return the rows with `start_s` and `end_s`, those left out, and what was irregular.

    Args:
        annotation: of the subject.
        subject: whose debate has a place in time.
        align: `"start"`: the first stretch begins with the debate, whatever lies behind its end.
            `"cut"`, as in the authors' preprocess.py: of an annotation that lasts as long as the
            debate or longer so many stretches are left out at its beginning that as many are kept
            as fit into the debate, and the first of these begins with the debate.

    Returns:
        The frame, the rows left out, and `(signal, kind, count, rule)` of what was irregular.
    """
    frame = annotation.frame
    length_s = subject.end_s - subject.start_s
    kept_s = STRETCH_S * np.floor(length_s / STRETCH_S)
    found = [("", *row) for row in annotation.found]
    cut_s, rejected = 0.0, []
    if align == "cut" and annotation.last_s >= length_s:
        cut_s = annotation.last_s - kept_s
        early = frame["seconds"] <= cut_s
        reason = (
            f"the annotation lasts {annotation.last_s:.0f} s, the debate {length_s:.0f} s: its "
            f"first {cut_s:.0f} s are cut"
        )
        rejected = [(row, "excluded", reason) for row in frame.loc[early, "example_id"]]
        frame = frame[~early]
        rule = "its beginning is left out, the rest moved to the debate's start"
        found.append(("", "annotation longer than the debate", len(rejected), rule))
    else:
        behind = int((frame["seconds"] > length_s).sum())
        rule = "the stretch ends behind endTime and is kept; a window needs signals there"
        found.append(("", "annotation longer than the debate", behind, rule))
    ends = subject.start_s + (frame["seconds"].to_numpy(np.float64) - cut_s)
    frame = frame.assign(start_s=ends - STRETCH_S, end_s=ends)
    return frame.reset_index(drop=True), rejected, found


def _refuse_row(names: list[str], cells: list[str], pid: int) -> str:
    """Return why a row is of no stretch; "" where it is of one."""
    if len(cells) != len(names):
        return f"{len(cells)} cells for {len(names)} columns"
    row = dict(zip(names, cells, strict=True))
    if not is_pid(row.get("pid", ""), pid):
        return f"its pid is {row['pid'][:20]!r}, that of the file's name {pid}"
    if _to_time(row["seconds"]) is None:
        return f"seconds is {row['seconds'][:20]!r}; it must be 5, 10, 15 …"
    return ""


def _rate(row: dict[str, str]) -> tuple[dict[str, float], list[str]]:
    """Return the ratings, NaN where there is none, and the columns that hold something else."""
    ratings, bad = {}, []
    for column, most in RATINGS.items():
        cell = row.get(column, "").casefold()
        ratings[column] = np.nan
        if cell not in _BLANK:
            whole = cell.removesuffix(".0")
            if whole in map(str, range(1, most + 1)):
                ratings[column] = float(whole)
            else:
                bad.append(column)
    return ratings, bad


def _others(row: dict[str, str]) -> dict[str, str]:
    """Return the marks, and columns that no owner wrote, by names that are none of ours."""
    marks = {column: row.get(column, "") for column in MARKS}
    known = (*marks, *RATINGS, "seconds", "pid", "")
    return marks | {f"raw_{column}": row[column] for column in row if column not in known}


def _to_time(cell: str) -> int | None:
    """Return a positive multiple of 5, or None."""
    try:
        value = float(cell) if "_" not in cell else np.nan
    except ValueError:
        return None
    return int(value) if 0 < value <= _LONGEST_S and value % STRETCH_S == 0 else None


def _to_frame(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    columns = ["example_id", "seconds", *RATINGS, *MARKS]
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
    numbers = {"seconds": np.int64, **dict.fromkeys(RATINGS, np.float64)}
    return frame.astype(numbers).sort_values("seconds", ignore_index=True)

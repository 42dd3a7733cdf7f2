"""The first lines of a file of an Empatica E4: when it starts and how many values a second holds.

Every complaint names the file, the line, what was found and the mend.
"""

import math
import re
from pathlib import Path

from affectkeras.datasets.e4_numbers import shorten, show_path
from affectkeras.errors import UserError

# Unix seconds of the years 2000 to 2100: no E4 took anything before or after.
EARLIEST_S, LATEST_S = 946_684_800.0, 4_102_444_800.0

_MEND = (
    "Copy the file anew from the export, or move it away: the recording is then used without it."
)


def damage(path: Path, line: int | None, text: str) -> UserError:
    """Return the error of a file that cannot be used."""
    place = "" if line is None else f":{line}"
    return UserError(f"{show_path(path)}{place}: {text} {_MEND}")


def read_start(path: Path, line: str, columns: int) -> float:
    """Return the start in Unix seconds from the first line, once in each of the columns.

    Raises:
        UserError: when it is none.
    """
    _refuse_other_marks(path, line)
    found = f"Found: {shorten(line)}."
    starts = _numbers(line)
    if len(starts) != columns or any(math.isnan(start) for start in starts):
        times = "Unix seconds" if columns == 1 else f"Unix seconds, {columns} times"
        raise damage(path, 1, f"the first line must be the start ({times}). {found}")
    if EARLIEST_S <= starts[0] / 1000 < LATEST_S:
        raise damage(path, 1, f"the start must be in seconds, this one is in ms. {found}")
    if not all(EARLIEST_S <= start < LATEST_S for start in starts):
        raise damage(
            *(path, 1),
            "the first line must be the start (Unix seconds, in the years 2000 to 2099): is the "
            f"head missing, or in another order? {found}",
        )
    if len(set(starts)) > 1:
        raise damage(path, 1, f"the columns must start at one time. {found}")
    return starts[0]


def check_rate(path: Path, line: str, columns: int, rate_hz: float) -> None:
    """Raise `UserError` unless the second line tells the rate that the E4 has for this file."""
    rates = _numbers(line)
    if len(rates) == columns and all(abs(rate - rate_hz) < 1e-6 * rate_hz for rate in rates):
        return
    found = f"Found: {shorten(line)}." if line else "Found: nothing."
    raise damage(
        *(path, 2),
        f"the second line must be the rate, for {path.name} of an E4 {rate_hz:g} Hz"
        f"{'' if columns == 1 else f', {columns} times'}: is the head missing, or is this another "
        f"sensor's file? {found}",
    )


def _refuse_other_marks(path: Path, line: str) -> None:
    if ";" in line or "\t" in line or re.fullmatch(r"\d+,\d+", line):
        raise damage(
            *(path, 1),
            "numbers must have points in them and commas between; this file has semicolons, tabs "
            f"or commas within numbers: another program has saved it. Found: {shorten(line)}.",
        )


def _numbers(line: str) -> list[float]:
    try:
        return [float(cell) for cell in line.split(",")]
    except ValueError:
        return [math.nan]

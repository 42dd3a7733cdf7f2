"""Writes sample recordings of a wristband as somebody keeps their own: exports and `events.csv`."""

import csv
import dataclasses
import datetime
import shutil
import zipfile
from pathlib import Path

import numpy as np

from affectkeras.datasets.sample.physiology_devices import draw_someone, wear
from affectkeras.datasets.sample.physiology_files import (
    Planted,
    cached_sample,
    for_each,
    write_e4,
    write_truth,
)
from affectkeras.datasets.sample.physiology_paths import draw_path, step_path

VERSION = 1  # raise it when what is written changes: cached copies of older ones are left alone

EVENTS = "events.csv"
LABELS = ("calm", "tense")
_LEVELS = {"calm": (1.2, 2.8), "tense": (3.6, 4.8)}
_SECONDS = 480
_STRETCH_S = (40, 65)
_PAUSE_S = (4, 9)  # between two stretches of the table
_FIRST_DAY_S = 1_772_000_000
_ZIPPED, _TWICE = 3, 5  # whose export is still packed, and who recorded twice
_NO_ACCELERATION, _NO_BEATS = 4, 6
_SERIALS = ("A0034F", "A00F45", "A01525")
_HOUR_EAST = datetime.timezone(datetime.timedelta(hours=1))


@dataclasses.dataclass(frozen=True)
class Session:
    """A recording of the sample.

    Args:
        person: whose, from 1.
        number: which of that person's, from 0; the last one of `_TWICE` is in no row of the table.
        seed: of the person.
        start_s: when it begins, seconds since 1970-01-01 UTC.
    """

    person: int
    number: int
    seed: tuple[int, ...]
    start_s: int

    @property
    def subject(self) -> str:
        """Whose it is, as the table tells it."""
        return f"person {self.person}"

    @property
    def folder(self) -> str:
        """Where it lies below the raw folder, as the device's site names exports."""
        return f"{self.subject}/{self.start_s}_{_SERIALS[self.person % len(_SERIALS)]}"


def sample_empatica_e4(*, seed: int = 0, progress: bool = True) -> Path:
    """Return a folder of sample recordings with `events.csv`, written at the first call.

    Args:
        seed: another seed draws other people and events.
        progress: whether to show a progress bar while writing, or one line where there is no
            terminal.
    """

    def write(folder: Path) -> None:
        write_sample_empatica_e4(folder, seed=seed, progress=progress)

    return cached_sample("empatica-e4", VERSION, seed, write)


def write_sample_empatica_e4(
    folder: Path, *, seed: int = 0, people: int = 6, progress: bool = False
) -> None:
    """Write sample recordings of a wristband and the table of what happened when.

    The same arguments write the same bytes. Beside the layout lie `sample_truth.csv`, by which the
    doctor knows the sample, and `sample_planted.json`, see `physiology_files.planted`. The kinds
    and what they count:

    - `packed`: 1; an export that is still a .zip
    - `missing file`: 1
    - `no beats`: 1; IBI with no more than its first row
    - `zeros`: values of 0 at the beginning of EDA
    - `unlabelled`: rows of the table without a label
    - `beyond the end`: rows that end after the recording's last signal
    - `no row`: 1; a recording that the table does not name

    Args:
        folder: where to write; made if absent.
        seed: of everything that is drawn.
        people: how many; one of them records twice.
        progress: whether to show a progress bar, or one line where there is no terminal.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sessions = plan_sessions(seed, people)
    rows: list[tuple[str, ...]] = []
    found = for_each(
        lambda one: _write_session(folder, one, rows), sessions, folder, progress=progress
    )
    with (folder / EVENTS).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("recording", "subject", "start", "end", "label"))
        writer.writerows(rows)
    write_truth(folder, found)


def plan_sessions(seed: int, people: int = 6) -> list[Session]:
    """Return who records when; somebody's second recording is on the day after."""
    sessions = []
    for person in range(1, people + 1):
        random = np.random.default_rng([seed, person, 30])
        start = _FIRST_DAY_S + person * 2 * 86_400 + int(random.integers(0, 8 * 3600))
        for number in range(1 + (person == _TWICE)):
            sessions.append(Session(person, number, (seed, person, 31), start + number * 86_400))
    return sessions


def draw_session(
    session: Session,
) -> tuple[np.ndarray, np.ndarray, list[tuple[float, float, str]]]:
    """Return the arousal and valence along a recording and what its events are.

    Returns:
        levels at `PATH_HZ`, each `(steps,)`, and from when to when each label is true, seconds
        from the recording's beginning.
    """
    random = np.random.default_rng([*session.seed, session.number, 2])
    events, stretches, now = [], [], 15.0
    stretches.append((now, 2.0))
    for place in range(int(random.integers(0, 2)), 99):
        length, label = float(np.rint(random.uniform(*_STRETCH_S))), LABELS[place % 2]
        if now + length > _SECONDS - 10:
            break
        events.append((now, now + length, label))
        pause = float(np.rint(random.uniform(*_PAUSE_S)))
        stretches.append((length + pause, random.uniform(*_LEVELS[label])))
        now += length + pause
    arousal = step_path([*stretches, (_SECONDS, 2.0)], _SECONDS)
    # Moments that nobody wrote down.
    moments = draw_path(random, _SECONDS, high_share=0.06, calm=(1.0, 1.0))
    return np.maximum(arousal, moments), draw_path(random, _SECONDS, high_share=0.3), events


def _write_session(folder: Path, session: Session, rows: list[tuple[str, ...]]) -> list[Planted]:
    arousal, valence, events = draw_session(session)
    person = draw_someone(session.seed)
    worn = wear((*session.seed, session.number), arousal, valence, person)
    place = session.folder
    found = [Planted(f"{place}/EDA.csv", "zeros", int((worn.eda == 0).sum()))]
    leave_out = []
    if session.person == _NO_ACCELERATION:
        leave_out = ["ACC"]
        found.append(Planted(f"{place}/ACC.csv", "missing file", 1))
    if session.person == _NO_BEATS:
        worn = dataclasses.replace(worn, ibi=worn.ibi[:0])
        found.append(Planted(f"{place}/IBI.csv", "no beats", 1))
    write_e4(folder / place, worn, session.start_s, leave_out=leave_out)
    presses = "".join(f"{session.start_s + start:.2f}\n" for start, *_ in events)
    (folder / place / "tags.csv").write_text(presses, encoding="ascii")
    if session.person == _ZIPPED:
        _pack(folder / place)
        found.append(Planted(f"{place}.zip", "packed", 1))
    if session.number:
        return [*found, Planted(place, "no row", 1)]
    return found + _tell_events(session, events, rows)


def _tell_events(
    session: Session, events: list[tuple[float, float, str]], rows: list[tuple[str, ...]]
) -> list[Planted]:
    """Add the rows of a recording to the table; its times are told one way or the other."""
    found = []
    for number, (start, end, label) in enumerate(events):
        if session.person == 1 and number == 1:
            label = ""
            found.append(Planted(EVENTS, "unlabelled", 1, f"{session.folder} from {start:.0f} s"))
        if session.person == 2 and number == len(events) - 1:
            end = _SECONDS + 20.0
            found.append(Planted(EVENTS, "beyond the end", 1, f"{session.folder}, 20 s"))
        times = [_tell_time(session, session.start_s + moment) for moment in (start, end)]
        named = session.folder if session.person % 3 else ""
        rows.append((named, session.subject, *times, label))
    return found


def _tell_time(session: Session, time_s: float) -> str:
    """Return a time as Unix seconds, or, of every second person, as ISO 8601 with an offset."""
    if session.person % 2:
        return f"{time_s:.0f}"
    return datetime.datetime.fromtimestamp(time_s, _HOUR_EAST).isoformat()


def _pack(folder: Path) -> None:
    """Replace a folder by a .zip of its files, always the same bytes."""
    with zipfile.ZipFile(f"{folder}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(path.name, (2026, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    shutil.rmtree(folder)

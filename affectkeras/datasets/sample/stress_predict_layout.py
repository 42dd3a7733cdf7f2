"""Writes sample recordings of stress tasks as the owners of Stress-Predict lay theirs out.

Each person rests and works on three tasks in turn. A task stresses some more than others, and rests
have moments of their own.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.sample.physiology_devices import HEART_MEAN_S, Worn, wear
from affectkeras.datasets.sample.physiology_files import (
    Planted,
    cached_sample,
    for_each,
    write_e4,
    write_truth,
)
from affectkeras.datasets.sample.physiology_paths import draw_path, step_path

VERSION = 4  # raise it when what is written changes: cached copies of older ones are left alone

TABLE = "Processed_data/Improved_All_Combined_hr_rsp_binary.csv"
UNLABELLED = 1  # the participant whom the owners' table leaves out
# Rest, Stroop test, rest, interview, rest, hyperventilation, rest: seconds, before each is drawn
# a little longer or shorter. About a third of the time is stress.
_STRETCHES_S = (230, 150, 120, 180, 130, 90, 240)
_TASK_LEVELS = (3.1, 4.6)
_REST_HIGH_SHARE = 0.12  # of rest, in which somebody is excited all the same
_FIRST_DAY_S = 1_644_000_000
_EMPTY_IBI, _HEADER_ONLY_IBI = 7, 9
_NO_TAGS = 3
_EARLY_TEMPERATURE = {5: 60}  # samples by which TEMP ends before the other signals

_INFO = """Each file begins with two rows: when the recording begins (seconds since 1970-01-01 UTC)
and how many values a second follow (Hz).

ACC.csv: acceleration along x, y, z, 1/64 g
BVP.csv: blood volume pulse, device units
EDA.csv: skin conductance, microsiemens
HR.csv: mean heart rate, beats per minute; begins ten seconds later
TEMP.csv: skin temperature, degrees Celsius
IBI.csv: the beginning, then for each beat its time from the beginning and the time since the beat
before, seconds
tags_SXX.csv: when the button was pressed, seconds since 1970-01-01 UTC
"""


@dataclasses.dataclass(frozen=True)
class Session:
    """A participant's session.

    Args:
        participant: the owners' number.
        seed: of everything that is drawn of this person.
        start_s: when the recording begins, seconds since 1970-01-01 UTC.
        bounds_s: when rests and tasks begin, in turn, and when the last rest ends: whole seconds
            from that moment.
    """

    participant: int
    seed: tuple[int, ...]
    start_s: int
    bounds_s: tuple[int, ...]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"S{self.participant:02}"

    def labels(self, times_s: np.ndarray) -> np.ndarray:
        """Return 1 at times within a task and 0 at others, `(times,)`."""
        return np.searchsorted(self.bounds_s[1:-1], times_s, side="right") % 2


def sample_stress_predict(*, seed: int = 0, progress: bool = True) -> Path:
    """Return a folder of sample recordings in Stress-Predict's layout, written at the first call.

    Args:
        seed: another seed draws other people and sessions.
        progress: whether to show a progress bar while writing, or one line where there is no
            terminal.
    """

    def write(folder: Path) -> None:
        write_sample_stress_predict(folder, seed=seed, progress=progress)

    return cached_sample("stress-predict", VERSION, seed, write)


def write_sample_stress_predict(
    folder: Path, *, seed: int = 0, participants: int = 12, progress: bool = False
) -> None:
    """Write sample recordings of stress tasks and the table of their labels.

    The same arguments write the same bytes. Beside the layout lie `sample_truth.csv`, by which the
    doctor knows the sample, and `sample_planted.json`, see `physiology_files.planted`. The kinds
    and what they count:

    - `late heart rate`: seconds by which HR begins after the other signals
    - `zeros`: values of 0 at the beginning of EDA
    - `empty file`: 1; IBI without a byte, or tags without a row
    - `no beats`: 1; IBI with no more than its first row
    - `early end`: samples by which a signal ends before the others
    - `unlabelled`: 1; a participant of whom the table has no row
    - `early labels`: seconds by which the table's rows of a participant begin before its HR
    - `blank heart rate`: rows of the table without one

    Args:
        folder: where to write; made if absent.
        seed: of everything that is drawn.
        participants: numbered from 1, of whom the first has no labels.
        progress: whether to show a progress bar, or one line where there is no terminal.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sessions = plan_sessions(seed, participants)
    tables: list[pd.DataFrame] = []
    found = for_each(
        lambda session: _write_session(folder, session, tables), sessions, folder, progress=progress
    )
    table = pd.concat(tables)
    (folder / TABLE).parent.mkdir(exist_ok=True)
    table.to_csv(folder / TABLE, index=False, lineterminator="\n")
    blank = table["HR"].isna().groupby(table["Participant"]).sum()
    found += [
        Planted(TABLE, "blank heart rate", int(count), f"participant {participant}")
        for participant, count in blank.items()
    ]
    write_truth(folder, found)


def plan_sessions(seed: int, participants: int = 12) -> list[Session]:
    """Return when each participant rests and works."""
    sessions = []
    for number in range(1, participants + 1):
        random = np.random.default_rng([seed, number, 20])
        lengths = np.rint(np.array(_STRETCHES_S) * random.uniform(0.88, 1.12, 7)).astype(int)
        bounds = tuple(int(bound) for bound in np.concatenate([[0], np.cumsum(lengths)]))
        start = _FIRST_DAY_S + number * 43_200 + int(random.integers(0, 6 * 3600))
        sessions.append(Session(number, (seed, number, 21), start, bounds))
    return sessions


def draw_session(session: Session) -> tuple[np.ndarray, np.ndarray]:
    """Return the arousal and valence along a session: levels at `PATH_HZ`, each `(steps,)`."""
    random = np.random.default_rng([*session.seed, 2])
    seconds = session.bounds_s[-1]
    rest = draw_path(random, seconds, high_share=_REST_HIGH_SHARE)
    stretches = []
    for place, length in enumerate(np.diff(session.bounds_s)):
        if place % 2 == 0:
            stretches.append((float(length), 0.0))
            continue
        # Each task is worked on in parts, which stress more or less.
        level = random.uniform(*_TASK_LEVELS)
        parts = random.dirichlet(np.full(4, 4.0)) * length
        stretches += [(part, level + random.normal(scale=0.6)) for part in parts]
    tasks = step_path(stretches, seconds)
    valence = draw_path(random, seconds, high_share=0.3)
    return np.clip(np.maximum(rest, tasks), 1, 5), valence


def _write_session(folder: Path, session: Session, tables: list[pd.DataFrame]) -> list[Planted]:
    name, number = session.name, session.participant
    worn = wear(session.seed, *draw_session(session))
    below = f"Raw_data/{name}"
    found = [
        Planted(f"{below}/HR.csv", "late heart rate", HEART_MEAN_S),
        Planted(f"{below}/EDA.csv", "zeros", int((worn.eda == 0).sum())),
    ]
    if number in _EARLY_TEMPERATURE:
        lost = _EARLY_TEMPERATURE[number]
        worn = dataclasses.replace(worn, temperature=worn.temperature[:-lost])
        found.append(Planted(f"{below}/TEMP.csv", "early end", lost))
    if number == _HEADER_ONLY_IBI:
        worn = dataclasses.replace(worn, ibi=worn.ibi[:0])
        found.append(Planted(f"{below}/IBI.csv", "no beats", 1))
    write_e4(folder / below, worn, session.start_s)
    if number == _EMPTY_IBI:
        (folder / below / "IBI.csv").write_bytes(b"")
        found.append(Planted(f"{below}/IBI.csv", "empty file", 1))
    tags = "".join(f"{session.start_s + bound}\r\n" for bound in session.bounds_s[1:-1])
    if number == _NO_TAGS:
        tags = ""
        found.append(Planted(f"{below}/tags_{name}.csv", "empty file", 1))
    (folder / below / f"tags_{name}.csv").write_bytes(tags.encode("ascii"))
    (folder / below / "info.txt").write_text(_INFO, encoding="utf-8")
    if number == UNLABELLED:
        return [*found, Planted(below, "unlabelled", 1)]
    tables.append(_label(session, worn))
    return [*found, Planted(TABLE, "early labels", 1, f"participant {number}")]


def _label(session: Session, worn: Worn) -> pd.DataFrame:
    """Return the owners' rows of a participant, one a second.

    As in the real table they begin a second before HR does, and the last two have no heart rate.
    """
    seconds = np.arange(len(worn.heart_rate) + 2) + HEART_MEAN_S - 1
    breath = np.random.default_rng([*session.seed, 8]).normal(13, 0.8, len(seconds) // 30 + 1)
    return pd.DataFrame(
        {
            "Participant": session.participant,
            "HR": np.concatenate([worn.heart_rate, [np.nan, np.nan]]),
            "respr": np.round(np.repeat(breath, 30)[: len(seconds)], 7),
            "Time(sec)": session.start_s + seconds,
            "Label": session.labels(seconds),
        }
    )

"""Writes sample recordings of debates as the owners of K-EmoCon lay theirs out.

Two people each debate for about ten minutes; each wears a wristband and a chest belt, and each is
rated every five seconds: by itself, by its partner and by five who watch. What is irregular in the
real files is so here, in known places: see `kemocon_faults`.
"""

import dataclasses
from pathlib import Path

import numpy as np

from affectkeras.datasets.sample.kemocon_faults import (
    LONGER_AT_BEGINNING,
    LONGER_AT_END,
    UNRATED,
    spoil_e4,
    spoil_polar,
)
from affectkeras.datasets.sample.kemocon_ratings import RATERS, Ratings, rate_debate, write_ratings
from affectkeras.datasets.sample.physiology_devices import Worn, wear
from affectkeras.datasets.sample.physiology_files import (
    Planted,
    cached_sample,
    for_each,
    write_rows,
    write_truth,
)
from affectkeras.datasets.sample.physiology_paths import draw_path, mean_levels

VERSION = 3  # raise it when what is written changes: cached copies of older ones are left alone

# Those whose files hold two devices in the real set are among them.
PIDS = (*range(1, 13), 29, 30, 31, 32)
STEP_S = 5  # between two ratings
LEAD_S, TAIL_S = 70, 5  # recorded before the debate and after it
_DEBATE_S = (540, 600)
_FIRST_DAY_S = 1_548_000_000  # the first debate takes place on that day
_NEUROSKY = "neurosky_polar_data/neurosky_polar_data"  # doubled, as archives come out at times


@dataclasses.dataclass(frozen=True)
class Participant:
    """Who takes part and when.

    Args:
        pid: the owner's number; 2k - 1 and 2k debate with each other.
        seed: of everything that is drawn of this person.
        start_s: when the debate starts, seconds since 1970-01-01 UTC.
        debate_s: how long it lasts, seconds.
    """

    pid: int
    seed: tuple[int, ...]
    start_s: int
    debate_s: int

    @property
    def dyad(self) -> int:
        """The number of the debate."""
        return (self.pid + 1) // 2


def sample_k_emocon(*, seed: int = 0, progress: bool = True) -> Path:
    """Return a folder of sample recordings in K-EmoCon's layout, written at the first call.

    Args:
        seed: another seed draws other people, debates and ratings.
        progress: whether to show a progress bar while writing, or one line where there is no
            terminal.
    """

    def write(folder: Path) -> None:
        write_sample_k_emocon(folder, seed=seed, progress=progress)

    return cached_sample("k-emocon", VERSION, seed, write)


def write_sample_k_emocon(
    folder: Path, *, seed: int = 0, pids: tuple[int, ...] = PIDS, progress: bool = False
) -> None:
    """Write sample recordings and ratings of debates.

    The same arguments write the same bytes. Beside the layout lie `sample_truth.csv`, by which the
    doctor knows the sample, and `sample_planted.json`, see `physiology_files.planted`. The kinds
    and what they count:

    - `other device`: rows of a device that is not this person's, in the file of an E4 signal
    - `zeros`: values of 0 that mean missing (those of the first moment of EDA among them)
    - `several in a second`: values of Polar_HR beyond the first one in a second
    - `gap`: samples left out in the middle of a signal
    - `late start`: samples left out at the beginning, the recording having started late
    - `early end`: samples left out at the end
    - `missing file`: 1
    - `unrated`: rows whose arousal and valence are blank or x
    - `longer at beginning`, `longer at end`: rows of ratings more than the debate has
    - `doubled folder`: 1

    Args:
        folder: where to write; made if absent.
        seed: of everything that is drawn.
        pids: numbers of the participants.
        progress: whether to show a progress bar, or one line where there is no terminal.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    participants = plan_participants(seed, pids)
    found = for_each(
        lambda one: _write_participant(folder, one), participants, folder, progress=progress
    )
    found.append(Planted(_NEUROSKY, "doubled folder", 1))
    _write_metadata(folder, participants)
    write_truth(folder, found)


def plan_participants(seed: int, pids: tuple[int, ...] = PIDS) -> list[Participant]:
    """Return who takes part and when: the two of a debate at the same time."""
    participants = []
    for pid in pids:
        dyad = (pid + 1) // 2
        debate = np.random.default_rng([seed, dyad, 10])
        length = STEP_S * int(debate.integers(_DEBATE_S[0] // STEP_S, _DEBATE_S[1] // STEP_S + 1))
        # The time of day is anything between nine and seventeen o'clock.
        start = _FIRST_DAY_S + dyad * 86_400 + int(debate.integers(0, 8 * 3600))
        participants.append(Participant(pid, (seed, pid), start, length))
    return participants


def draw_participant(participant: Participant) -> tuple[np.ndarray, np.ndarray]:
    """Return the arousal and valence of a participant: levels at `PATH_HZ`, each `(steps,)`.

    They begin `LEAD_S` before the debate and end `TAIL_S` after it.
    """
    random = np.random.default_rng([*participant.seed, 2])
    seconds = LEAD_S + participant.debate_s + TAIL_S
    arousal = draw_path(random, seconds, high_share=random.uniform(0.22, 0.4))
    valence = draw_path(random, seconds, high_share=random.uniform(0.25, 0.45))
    return arousal, valence


def _write_participant(folder: Path, participant: Participant) -> list[Planted]:
    arousal, valence = draw_participant(participant)
    worn = wear(participant.seed, arousal, valence)
    found = _write_e4_data(folder, participant, worn)
    found += _write_neurosky_polar(folder, participant, worn)
    ends = np.arange(STEP_S, participant.debate_s + 1, STEP_S)
    levels = [mean_levels(path, -LEAD_S, ends, STEP_S) for path in (arousal, valence)]
    random = np.random.default_rng([*participant.seed, 6])
    for rater, place in RATERS:
        ratings = rate_debate(random, rater, *levels)
        found += _write_rater(folder, participant, rater, place, ratings)
    return found


def _write_e4_data(folder: Path, participant: Participant, worn: Worn) -> list[Planted]:
    pid, start = participant.pid, (participant.start_s - LEAD_S) * 1000
    found = []
    for name, table in spoil_e4(participant.pid, participant.seed, worn, participant.debate_s):
        file = f"e4_data/{pid}/E4_{name}.csv"
        found += [dataclasses.replace(one, file=file) for one in table.planted]
        if table.times_s is None:
            continue
        times = start + np.rint(1000 * table.times_s).astype(np.int64)
        if name == "ACC":
            header, form = "timestamp,pid,x,y,z,device_serial", f"%d,{pid},%d,%d,%d,%s"
        else:
            digits = 6 if name in ("EDA", "IBI") else 2
            header, form = "timestamp,pid,value,device_serial", f"%d,{pid},%.{digits}f,%s"
        write_rows(folder / file, header, form, times, *table.columns, table.devices)
    return found


def _write_neurosky_polar(folder: Path, participant: Participant, worn: Worn) -> list[Planted]:
    pid, start = participant.pid, (participant.start_s - LEAD_S) * 1000
    random = np.random.default_rng([*participant.seed, 7])
    below = f"{_NEUROSKY}/{pid}"
    file = f"{below}/Polar_HR.csv"
    times, values, found = spoil_polar(random, pid, worn)
    if times is not None:
        times = start + np.rint(1000 * times).astype(np.int64)
        write_rows(folder / file, "timestamp,value", "%d,%d", times, values)
    # The headset for brain waves knows nothing of the path; nobody here reads it.
    seconds = np.arange(len(worn.eda) // 4)
    waves = np.cumsum(random.integers(-9, 10, (2, len(seconds))), axis=1)
    for name, wave in zip(("Attention", "Meditation"), waves, strict=True):
        times = start + 1000 * seconds + random.integers(0, 900, len(seconds))
        level = 50 + (wave - wave.mean()) * 30 / max(np.ptp(wave), 1)
        write_rows(folder / below / f"{name}.csv", "timestamp,value", "%d,%d", times, level)
    bands = "delta,lowAlpha,highAlpha,lowBeta,highBeta,lowGamma,middleGamma,theta"
    powers = random.lognormal(10, 1, (8, len(seconds))).astype(np.int64)
    form = "%d" + ",%d" * len(powers)
    times = start + 1000 * seconds + random.integers(0, 900, len(seconds))
    write_rows(folder / below / "BrainWave.csv", f"timestamp,{bands}", form, times, *powers)
    return [dataclasses.replace(one, file=file) for one in found]


def _write_rater(
    folder: Path, participant: Participant, rater: str, place: str, ratings: Ratings
) -> list[Planted]:
    pid = participant.pid
    file = f"emotion_annotations/{place}/P{pid}.{rater}.csv"
    found, random = [], np.random.default_rng([*participant.seed, 8])
    if rater == "self":
        for where, rows in (("beginning", LONGER_AT_BEGINNING), ("end", LONGER_AT_END)):
            if pid in rows:
                ratings = ratings.lengthened(rows[pid], where)
                found.append(Planted(file, f"longer at {where}", rows[pid]))
        if pid in UNRATED:
            mark, count = UNRATED[pid]
            rows = np.sort(random.choice(np.arange(4, len(ratings) - 4), count, replace=False))
            ratings = ratings.unrated(rows, mark)
            seconds = ", ".join(str(STEP_S * (row + 1)) for row in rows)
            found.append(Planted(file, "unrated", count, f"at {seconds} s"))
    write_ratings(folder / file, ratings, STEP_S, random)
    return found


def _write_metadata(folder: Path, participants: list[Participant]) -> None:
    pids = [one.pid for one in participants]
    random = np.random.default_rng([participants[0].seed[0], 9])
    ages = random.integers(19, 37, len(pids))
    genders = [("F", "M")[number] for number in random.integers(0, 2, len(pids))]
    starts = np.array([one.start_s for one in participants]) * 1000
    ends = starts + 1000 * np.array([one.debate_s for one in participants])
    write_rows(
        folder / "metadata/subjects.csv",
        "pid,age,gender,initTime,startTime,endTime",
        "%d,%d,%s,%d,%d,%d",
        *(pids, ages, genders, starts - 1000 * LEAD_S, starts, ends),
    )
    places = {f"E4_{name}": f"e4_data/{{}}/E4_{name}.csv" for name in _E4_FILES}
    for name in ("Attention", "BrainWave", "Meditation", "Polar_HR"):
        places[name] = f"{_NEUROSKY}/{{}}/{name}.csv"
    for rater, place in RATERS:
        column = place if rater in ("self", "partner", "external") else f"{place}_{rater}"
        places[column] = f"emotion_annotations/{place}/P{{}}.{rater}.csv"
    there = [
        [str((folder / path.format(pid)).is_file()).upper() for pid in pids]
        for path in places.values()
    ]
    header = ",".join(["pid", *places])
    form = "%d" + ",%s" * len(places)
    write_rows(folder / "metadata/data_availability.csv", header, form, pids, *there)


_E4_FILES = ("ACC", "BVP", "EDA", "HR", "IBI", "TEMP")

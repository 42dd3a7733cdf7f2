"""Writes sample recordings of everyday activities as the owners of PAMAP2 lay theirs out."""

import dataclasses
from pathlib import Path

import numpy as np

from affectkeras.datasets.sample.everyday_motion import (
    ACTIVITIES,
    MOTION_HZ,
    PLACES,
    Activity,
    Mover,
    draw_mover,
    heart_rates,
    move,
)
from affectkeras.datasets.sample.physiology_files import (
    Planted,
    cached_sample,
    for_each,
    write_truth,
)

VERSION = 1  # raise it when what is written changes: cached copies of older ones are left alone

SUBJECTS = (*range(101, 109), 109)
_ALONE = {109: (24,)}  # who did one activity only
_LEFT_OUT = {102: (24,), 103: (6, 24), 104: (5, 24), 107: (5,)}  # what somebody did not do
# The order of the protocol; stairs are gone up and down in turn.
_PROTOCOL = (1, 2, 3, 17, 16, 12, 13, 12, 13, 4, 7, 6, 5, 24)
_SECONDS = (17.0, 21.0)
_STAIRS_SECONDS = (9.0, 11.0)
_TRANSIENT_S = (2.0, 4.0)
_HEART_EVERY = 11  # rows: about 9 values a second
# Seconds in which nothing arrives from a device, for each subject: place and how often.
_DROPS = {101: ("hand", 2), 104: ("ankle", 3), 106: ("hand", 1), 108: ("chest", 1)}
_DROP_S = (0.1, 0.6)
_LOST_ROWS = {105: 40}  # rows left out at one point
_RANGE = 61.0  # m/s²: where the sensor of ±6 g saturates
_DEVICE_FORM = " ".join(["%.4g", *["%.2f"] * 3, *["%.1f"] * 3, *["%.3f"] * 3, *["%.1f"] * 3])
_ROW_FORM = "%.2f %d %s " + " ".join([f"{_DEVICE_FORM} 1 0 0 0"] * len(PLACES)) + "\n"


@dataclasses.dataclass(frozen=True, eq=False)
class Recorded:
    """What a subject's devices sent.

    Args:
        activities: the owners' number for each row, 0 between two activities, `(rows,)`.
        heart_rate: beats/min, `(rows,)`.
        devices: temperature, acceleration of ±16 g and of ±6 g, turning and field of each place,
            `(rows, 3, 13)`.
    """

    activities: np.ndarray
    heart_rate: np.ndarray
    devices: np.ndarray


def sample_pamap2(*, seed: int = 0, progress: bool = True) -> Path:
    """Return a folder of sample recordings in PAMAP2's layout, written at the first call.

    Args:
        seed: another seed draws other people.
        progress: whether to show a progress bar while writing, or one line where there is no
            terminal.
    """

    def write(folder: Path) -> None:
        write_sample_pamap2(folder, seed=seed, progress=progress)

    return cached_sample("pamap2", VERSION, seed, write)


def write_sample_pamap2(
    folder: Path,
    *,
    seed: int = 0,
    subjects: tuple[int, ...] = SUBJECTS,
    progress: bool = False,
) -> None:
    """Write sample recordings of everyday activities, a file for each subject.

    The same arguments write the same bytes. Beside the layout lie `sample_truth.csv`, by which the
    doctor knows the sample, and `sample_planted.json`, see `physiology_files.planted`. The kinds
    and what they count:

    - `transient`: rows between two activities
    - `no heart rate`: rows without one
    - `drop-out`: rows without anything of a device, which the note names
    - `lost rows`: rows left out at one point
    - `one activity`: 1

    Args:
        folder: where to write; made if absent.
        seed: of everything that is drawn.
        subjects: the owners' numbers.
        progress: whether to show a progress bar, or one line where there is no terminal.
    """
    folder = Path(folder)
    (folder / "Protocol").mkdir(parents=True, exist_ok=True)
    found = for_each(
        lambda subject: _write_subject(folder, seed, subject), subjects, folder, progress=progress
    )
    write_truth(folder, found)


def draw_recording(seed: int, subject: int) -> Recorded:
    """Return what a subject's devices sent before anything was lost."""
    random = np.random.default_rng([seed, subject, 2])
    mover = draw_mover(np.random.default_rng([seed, subject, 1]))
    if subject in _ALONE:
        protocol = _ALONE[subject]
    else:
        protocol = [one for one in _PROTOCOL if one not in _LEFT_OUT.get(subject, ())]
    stretches = [(0, _draw_transient(random), _TRANSIENT_S)]
    for number in protocol:
        seconds = _STAIRS_SECONDS if number in (12, 13) else _SECONDS
        stretches.append((number, ACTIVITIES[number], seconds))
        stretches.append((0, _draw_transient(random), _TRANSIENT_S))
    numbers, above_rest, devices = [], [], []
    for number, activity, seconds in stretches:
        samples = round(random.uniform(*seconds) * MOTION_HZ)
        numbers.append(np.full(samples, number))
        above_rest.append(np.full(samples, activity.heart_rate))
        devices.append(_record(random, mover, activity, samples))
    rates = heart_rates(random, mover, np.concatenate(above_rest))
    return Recorded(np.concatenate(numbers), rates, np.concatenate(devices))


def _draw_transient(random: np.random.Generator) -> Activity:
    """Return something between two activities: getting up, walking to the next place."""
    strengths = tuple(random.uniform((0.5, 0.3, 0.3), (5, 3, 6)))
    swings = tuple(random.uniform(0.4, 1.8, 3))
    tilts = tuple(map(tuple, random.uniform(-20, 60, (len(PLACES), 2))))
    return Activity(tilts, swings, strengths, random.uniform(), 0.8, 25.0)


def _record(
    random: np.random.Generator, mover: Mover, activity: Activity, samples: int
) -> np.ndarray:
    """Return the values of the three devices but orientation, `(samples, 3, 13)`."""
    moved = move(random, mover, activity, samples)
    warm = mover.temperatures + 0.1 * random.normal(size=3)
    other = moved.acceleration + random.normal(scale=0.15, size=moved.acceleration.shape)
    parts = (
        np.broadcast_to(warm[:, None], (samples, len(PLACES), 1)),
        moved.acceleration,
        np.clip(other, -_RANGE, _RANGE),
        moved.turning,
        moved.field,
    )
    return np.concatenate(parts, axis=2)


def _write_subject(folder: Path, seed: int, subject: int) -> list[Planted]:
    random = np.random.default_rng([seed, subject, 3])
    recorded = draw_recording(seed, subject)
    file = f"Protocol/subject{subject}.dat"
    rows = len(recorded.activities)
    devices, found = recorded.devices.copy(), []
    if subject in _DROPS:
        place, times = _DROPS[subject]
        lost = _draw_drops(random, rows, times)
        devices[lost, PLACES.index(place)] = np.nan
        found.append(Planted(file, "drop-out", int(lost.sum()), place))
    kept = np.ones(rows, bool)
    if subject in _LOST_ROWS:
        begin = int(0.6 * rows)
        kept[begin : begin + _LOST_ROWS[subject]] = False
        found.append(Planted(file, "lost rows", int((~kept).sum())))
    told = np.arange(rows) % _HEART_EVERY == random.integers(_HEART_EVERY)
    heart = np.where(told, np.rint(recorded.heart_rate).astype(int).astype("<U3"), "NaN")
    times = random.integers(300, 900) / MOTION_HZ + np.arange(rows) / MOTION_HZ
    columns = [times, recorded.activities, heart, *devices.reshape(rows, -1).T]
    lists = [column[kept].tolist() for column in columns]
    lines = "".join([_ROW_FORM % row for row in zip(*lists, strict=True)])
    (folder / file).write_text(lines.replace("nan", "NaN"), encoding="ascii", newline="\n")
    found.append(Planted(file, "transient", int((recorded.activities[kept] == 0).sum())))
    found.append(Planted(file, "no heart rate", int((~told[kept]).sum())))
    if subject in _ALONE:
        found.append(Planted(file, "one activity", 1))
    return found


def _draw_drops(random: np.random.Generator, rows: int, times: int) -> np.ndarray:
    """Return in which rows nothing arrives, bool `(rows,)`: `times` runs that do not touch."""
    lost = np.zeros(rows, bool)
    for part in np.array_split(np.arange(rows), times):
        length = round(random.uniform(*_DROP_S) * MOTION_HZ)
        begin = random.integers(part[0] + 100, part[-1] - length - 100)
        lost[begin : begin + length] = True
    return lost

"""Writes sample recordings of wrist and chest as the owners of WESAD lay theirs out."""

import dataclasses
from pathlib import Path

import numpy as np

from affectkeras.datasets.sample.physiology import BVP_HZ, slow_noise
from affectkeras.datasets.sample.physiology_devices import Worn, draw_someone, wear
from affectkeras.datasets.sample.physiology_files import (
    Planted,
    cached_sample,
    for_each,
    write_truth,
)
from affectkeras.datasets.sample.physiology_paths import draw_path, step_path
from affectkeras.datasets.sample.python2_pickle import write_python2_pickle

VERSION = 1  # raise it when what is written changes: cached copies of older ones are left alone

CHEST_HZ = 700  # also of the labels
LABELS = {"baseline": 1, "stress": 2, "amusement": 3, "meditation": 4}
# Levels of arousal and valence, before each is drawn a little higher or lower, and seconds.
_CONDITIONS = {
    "baseline": (2.0, 2.5, 80),
    "stress": (4.3, 2.0, 70),
    "amusement": (3.0, 4.2, 50),
    "meditation": (1.3, 2.8, 60),
}
# As the owners did it: baseline first, then stress and amusement in one order or the other, each
# followed by meditation (here only the last).
_ORDERS = (("baseline", "stress", "amusement"), ("baseline", "amusement", "stress"))
_PAUSE_S = 6  # before, between and after the conditions
_IGNORED = (5, 6, 7)  # labels that the owners tell to ignore, in the last pauses
_IGNORED_S = 3
_SHORT = {4: ("TEMP", 12)}  # samples by which a signal of the wrist ends early
_NO_NUMBERS = {5: ("Temp", 700)}  # of the chest


@dataclasses.dataclass(frozen=True)
class Session:
    """A subject's session.

    Args:
        number: of the subject; the owners have none with 1 and 12.
        seed: of everything that is drawn of this person.
        stretches: label, seconds, level of arousal and of valence, one after the other.
    """

    number: int
    seed: tuple[int, ...]
    stretches: tuple[tuple[int, float, float, float], ...]

    @property
    def seconds(self) -> int:
        """How long it lasts."""
        return round(sum(length for _, length, *_ in self.stretches))


def sample_wesad(*, seed: int = 0, progress: bool = True) -> Path:
    """Return a folder of sample recordings in WESAD's layout, written at the first call.

    Args:
        seed: another seed draws other people.
        progress: whether to show a progress bar while writing, or one line where there is no
            terminal.
    """

    def write(folder: Path) -> None:
        write_sample_wesad(folder, seed=seed, progress=progress)

    return cached_sample("wesad", VERSION, seed, write)


def write_sample_wesad(
    folder: Path, *, seed: int = 0, subjects: int = 5, progress: bool = False
) -> None:
    """Write sample recordings of wrist and chest, a pickle of Python 2 for each subject.

    The same arguments write the same bytes. Beside the layout lie `sample_truth.csv`, by which the
    doctor knows the sample, and `sample_planted.json`, see `physiology_files.planted`. The kinds
    and what they count:

    - `undefined`: labels 0
    - `to be ignored`: labels 5 to 7
    - `early end`: samples by which a signal of the wrist ends before the others
    - `no numbers`: values that are NaN

    Args:
        folder: where to write; made if absent.
        seed: of everything that is drawn.
        subjects: numbered from 2.
        progress: whether to show a progress bar, or one line where there is no terminal.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sessions = [plan_session(seed, number) for number in range(2, 2 + subjects)]
    found = for_each(lambda one: _write_session(folder, one), sessions, folder, progress=progress)
    write_truth(folder, found)


def plan_session(seed: int, number: int) -> Session:
    """Return what a subject goes through."""
    random = np.random.default_rng([seed, number, 40])
    stretches = []
    for condition in (*_ORDERS[random.integers(len(_ORDERS))], "meditation"):
        arousal, valence, seconds = _CONDITIONS[condition]
        length = seconds + int(random.integers(-5, 6))
        levels = random.normal((arousal, valence), 0.35)
        stretches.append((0, _PAUSE_S, *np.clip((levels + 2) / 2, 1, 5)))
        stretches.append((LABELS[condition], length, *np.clip(levels, 1, 5)))
    stretches += [(label, _IGNORED_S, 2.0, 2.5) for label in _IGNORED]
    stretches.append((0, _PAUSE_S, 2.0, 2.5))
    return Session(number, (seed, number, 41), tuple(stretches))


def draw_session(session: Session) -> tuple[np.ndarray, np.ndarray]:
    """Return the arousal and valence along a session: levels at `PATH_HZ`, each `(steps,)`."""
    random = np.random.default_rng([*session.seed, 2])
    arousal = step_path(
        [(length, level) for _, length, level, _ in session.stretches], session.seconds
    )
    valence = step_path(
        [(length, level) for _, length, _, level in session.stretches], session.seconds
    )
    moments = draw_path(random, session.seconds, high_share=0.06, calm=(1.0, 1.0))
    return np.maximum(arousal, moments), valence


def _write_session(folder: Path, session: Session) -> list[Planted]:
    name = f"S{session.number}"
    file = f"{name}/{name}.pkl"
    worn = wear(session.seed, *draw_session(session))
    labels = np.repeat(
        np.array([label for label, *_ in session.stretches], np.int32),
        [round(CHEST_HZ * length) for _, length, *_ in session.stretches],
    )
    wrist = {
        "ACC": worn.acceleration.astype(np.float64),
        "BVP": worn.bvp[:, None],
        "EDA": worn.eda[:, None],
        "TEMP": worn.temperature[:, None],
    }
    chest = _wear_chest(session, worn)
    found = [
        Planted(file, "undefined", int((labels == 0).sum())),
        Planted(file, "to be ignored", int((labels > 4).sum())),
    ]
    if session.number in _SHORT:
        signal, lost = _SHORT[session.number]
        wrist[signal] = wrist[signal][:-lost]
        found.append(Planted(file, "early end", lost, f"wrist {signal}"))
    if session.number in _NO_NUMBERS:
        signal, lost = _NO_NUMBERS[session.number]
        chest[signal][5000 : 5000 + lost] = np.nan
        found.append(Planted(file, "no numbers", lost, f"chest {signal}"))
    content = {"signal": {"wrist": wrist, "chest": chest}, "label": labels, "subject": name}
    write_python2_pickle(folder / file, content)
    return found


def _draw_ecg() -> np.ndarray:
    """Return a beat of the heart's electrical signal: P, Q, R, S and T, mV."""
    phase = np.arange(1024) / 1024
    wave = np.zeros_like(phase)
    for center, width, height in (
        *((0.2, 0.025, 0.12), (0.345, 0.01, -0.12), (0.37, 0.011, 1.1), (0.395, 0.011, -0.25)),
        (0.62, 0.045, 0.28),
    ):
        wave += height * np.exp(-0.5 * ((phase - center) / width) ** 2)
    return wave


_ECG = _draw_ecg()


def _wear_chest(session: Session, worn: Worn) -> dict[str, np.ndarray]:
    """Return the signals of the chest belt: the same body, float32 `(samples, axes)`."""
    random = np.random.default_rng([*session.seed, 7])
    person, body = draw_someone(session.seed), worn.body
    times = np.arange(CHEST_HZ * session.seconds) / CHEST_HZ
    count = len(times)
    beats = np.interp(times, body.beats_s, np.arange(len(body.beats_s)))
    breath = np.interp(times, np.arange(len(body.breath)) / BVP_HZ, np.sin(body.breath))
    slow_times = np.arange(len(body.conductance)) / 4
    lying = random.normal(size=3) * 0.15 + (0.9, 0.0, -0.3)
    sway = np.stack([slow_noise(random, count, 20 * CHEST_HZ) for _ in range(3)], axis=1)
    signals = {
        "ACC": lying + 0.02 * sway + 0.01 * breath[:, None],
        "ECG": _ECG[(beats % 1 * len(_ECG)).astype(np.int64)] + 0.05 * breath,
        "EMG": random.normal(scale=0.012, size=count),
        # The chest conducts in its own way.
        "EDA": random.uniform(0.8, 1.6) * np.interp(times, slow_times, body.conductance),
        "Temp": person.temperature * 0.2 + 27 + 0.1 * slow_noise(random, count, 60 * CHEST_HZ),
        "Resp": 3.5 * breath + 0.2 * slow_noise(random, count, CHEST_HZ / 4),
    }
    signals["ECG"] = signals["ECG"] + random.normal(scale=0.015, size=count)
    return {name: values.astype(np.float32).reshape(count, -1) for name, values in signals.items()}

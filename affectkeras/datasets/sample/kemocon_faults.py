"""What is irregular in the sample of K-EmoCon, and where: as in the real files, in known places."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from affectkeras.datasets.sample.physiology_devices import HEART_MEAN_S, RATES, Worn, wear
from affectkeras.datasets.sample.physiology_files import Planted
from affectkeras.datasets.sample.physiology_paths import draw_path

# Whose file holds a second device, and the device that is this person's, as the owners tell it.
OWN_DEVICE = {29: "A013E1", 30: "A01A3A", 31: "A013E1", 32: "A01A3A"}
OWN_IBI_DEVICE = {31: "A01525"}
OTHER_DEVICE = {29: "A01A3A", 30: "A013E1", 31: "A01525", 32: "A013E1"}
_DEVICES = ("A00F45", "A01525")  # of all others, odd and even
# From when to when the second device's rows are there, seconds from the beginning of the recording.
_OTHER_S = (60, 240)

# Ratings that the debate has no time for: the owners cut from the beginning.
LONGER_AT_BEGINNING = {2: 2}
LONGER_AT_END = {9: 4}
UNRATED = {4: ("", 3), 11: ("x", 2)}

# Seconds from the beginning of the recording (70 s before the debate), or before its end.
_ZEROS = {(3, "EDA"): (200, 212), (6, "TEMP"): (310, 315), (8, "HR"): (250, 254)}
_GAPS = {
    (4, "BVP"): ((150, 153.5), (400, 420)),
    (9, "EDA"): ((330, 342),),
    (9, "ACC"): ((330, 342),),
    (5, "TEMP"): ((500, 501.5),),
}
_LATE_S = {10: 95}  # all signals of the wristband: 25 s after the debate began
_EARLY_S = {7: 35}  # all signals of the wristband, before the end of the recording
_MISSING = {12: ("IBI",)}

_NO_POLAR = (6,)
_POLAR_SEVERAL = (2, 7, 11)
_POLAR_ZEROS = {5: (300, 306), 1: (140, 142)}
_POLAR_LATE_S = {12: 110}
_POLAR_GAP = {10: (420, 450)}


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """What is written of a signal.

    Args:
        times_s: of the rows, seconds from the beginning; None where there is to be no file.
        columns: the values, each `(rows,)`.
        devices: whose each row is.
        planted: what is irregular in it; the file's name is not filled in.
    """

    times_s: np.ndarray | None
    columns: Sequence[np.ndarray] = ()
    devices: np.ndarray | None = None
    planted: tuple[Planted, ...] = ()


def spoil_e4(
    pid: int, seed: tuple[int, ...], worn: Worn, debate_s: int
) -> Iterator[tuple[str, Rows]]:
    """Return what is written of each signal of the wristband, by the names of the files.

    Args:
        pid: the participant.
        seed: its seed.
        worn: what its wristband measured.
        debate_s: how long the debate lasts, seconds.
    """
    other = _wear_other(seed) if pid in OTHER_DEVICE else None
    for name in (*RATES, "IBI"):
        if name in _MISSING.get(pid, ()):
            yield name, Rows(None, planted=(Planted("", "missing file", 1),))
            continue
        times, values, found = _spoil_one(pid, name, *_signal(worn, name))
        own = OWN_DEVICE.get(pid, _DEVICES[pid % 2 == 0])
        if name == "IBI":
            own = OWN_IBI_DEVICE.get(pid, own)
        devices = np.full(len(times), own)
        if other is not None:
            strange = _strange_device(pid, name)
            times, values, devices = _mix_in(
                (times, values, devices), _signal(other, name), strange
            )
            found.append(Planted("", "other device", int((devices == strange).sum()), strange))
        columns = values.T if values.ndim == 2 else (values,)
        yield name, Rows(times, columns, devices, tuple(found))


def spoil_polar(
    random: np.random.Generator, pid: int, worn: Worn
) -> tuple[np.ndarray | None, np.ndarray | None, list[Planted]]:
    """Return the times and values of the chest belt's heart rate and what is irregular in them.

    Args:
        random: of when within a second a value comes.
        pid: the participant.
        worn: what its wristband measured; the belt hears the same heart.
    """
    if pid in _NO_POLAR:
        return None, None, [Planted("", "missing file", 1)]
    rate = worn.body.heart_rate
    seconds = np.arange(1, len(rate) // RATES["BVP"])
    values = np.rint(rate[seconds * RATES["BVP"]]).astype(np.int64)
    times = seconds + random.uniform(0.1, 0.4) + random.uniform(-0.05, 0.05, len(seconds))
    found = []
    if pid in _POLAR_ZEROS:
        zeros = _within(times, _POLAR_ZEROS[pid])
        values[zeros] = 0
        found.append(Planted("", "zeros", int(zeros.sum())))
    if pid in _POLAR_SEVERAL:
        # The belt's connection stops for a moment and what waited comes at once.
        late = np.sort(random.choice(np.arange(50, len(times) - 50), 12, replace=False))
        late = late[np.diff(late, append=np.inf) > 2]
        times[late] = np.floor(times[late + 1]) + 0.02
        found.append(Planted("", "several in a second", len(late)))
        # So the second before has none, which is a gap of one value.
        found.append(Planted("", "gap", len(late), "the second before each"))
    kept = np.ones(len(times), bool)
    if pid in _POLAR_LATE_S:
        kept &= times >= _POLAR_LATE_S[pid]
        found.append(Planted("", "late start", int((~kept).sum())))
    if pid in _POLAR_GAP:
        lost = _within(times, _POLAR_GAP[pid])
        kept &= ~lost
        found.append(Planted("", "gap", int(lost.sum())))
    return times[kept], values[kept], found


def _strange_device(pid: int, name: str) -> str:
    if name == "IBI" and pid in OWN_IBI_DEVICE:
        return OWN_DEVICE[pid]
    return OTHER_DEVICE[pid]


def _signal(worn: Worn, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the times in seconds and the values of a signal."""
    if name == "IBI":
        return worn.ibi[:, 0], worn.ibi[:, 1]
    values = worn.signals[name]
    start = HEART_MEAN_S if name == "HR" else 0
    return start + np.arange(len(values)) / RATES[name], values


def _within(times: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (times >= limits[0]) & (times < limits[1])


def _spoil_one(
    pid: int, name: str, times: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[Planted]]:
    found, values = [], values.copy()
    lost = {
        "late start": times < _LATE_S.get(pid, -1),
        "early end": times >= times[-1] - _EARLY_S.get(pid, -1),
        "gap": np.zeros(len(times), bool),
    }
    for limits in _GAPS.get((pid, name), ()):
        lost["gap"] |= _within(times, limits)
    if (pid, name) in _ZEROS:
        values[_within(times, _ZEROS[pid, name])] = 0
    kept = np.ones(len(times), bool)
    for kind, rows in lost.items():
        kept &= ~rows
        if rows.any() and name != "IBI":
            found.append(Planted("", kind, int(rows.sum())))
    zeros = int((values[kept] == 0).sum())
    if name in ("EDA", "TEMP", "HR") and zeros:
        found.append(Planted("", "zeros", zeros))
    return times[kept], values[kept], found


def _wear_other(seed: tuple[int, ...]) -> Worn:
    """Return what somebody else's wristband measured meanwhile."""
    random = np.random.default_rng([*seed, 11])
    seconds = _OTHER_S[1] + 1
    paths = [draw_path(random, seconds, high_share=0.3) for _ in range(2)]
    return wear((*seed, 12), *paths)


def _mix_in(own: tuple, other: tuple, device: str) -> tuple:
    """Return the rows of two devices in the order of time, this person's first at equal times."""
    times, values = other
    rows = _within(times, _OTHER_S)
    devices = np.full(int(rows.sum()), device)
    parts = (times[rows], values[rows], devices)
    joined = [np.concatenate(pair) for pair in zip(own, parts, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    return tuple(part[order] for part in joined)

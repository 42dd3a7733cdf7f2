"""How the sample's people move hand, chest and ankle in everyday activities.

An activity is told by how its motion goes: how a place is held against gravity, how often and how
strongly it swings, and how much the swing is smooth or struck. How a device sits on a person, which
way that person faces and how lively it moves differ from person to person.
"""

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from affectkeras.datasets.sample.physiology import follow, slow_noise

MOTION_HZ = 100
PLACES = ("hand", "chest", "ankle")
_GRAVITY = 9.81  # m/s²
_FIELD = np.array([18.0, 0.0, -44.0])  # of the earth, µT: north and down
_HEART_S = 8.0  # how long the heart takes to follow
_STRUCK = np.array([0.35, 0.6, 0.7, 0.45])  # shares of the multiples of a struck swing
_SMOOTH = np.array([1.0, 0.15, 0.05, 0.0])


@dataclasses.dataclass(frozen=True)
class Activity:
    """How an activity goes, at hand, chest and ankle.

    Args:
        tilts: how the device is turned about its x and y axes against upright, degrees.
        swings: how often a place swings, Hz.
        strengths: of the swings, m/s².
        struck: 0 for smooth swings to 1 for struck ones.
        unsteady: 0 for even motion to 1 for one that comes and goes.
        heart_rate: beats/min above rest.
    """

    tilts: tuple[tuple[float, float], ...]
    swings: tuple[float, float, float]
    strengths: tuple[float, float, float]
    struck: float
    unsteady: float
    heart_rate: float


_UPRIGHT = (0, 0)
_STEPPING = ((75, 10), _UPRIGHT, _UPRIGHT)
# By the owners' numbers.
ACTIVITIES = {
    1: Activity(((10, 70), (85, 0), (80, 10)), (0.25, 0.25, 0.25), (0.12, 0.12, 0.04), 0, 0.5, 0),
    2: Activity(((15, 10), (15, 0), (35, 0)), (0.3, 0.25, 0.3), (0.3, 0.1, 0.08), 0, 0.8, 6),
    3: Activity(((60, 5), _UPRIGHT, _UPRIGHT), (0.3, 0.3, 0.3), (0.4, 0.2, 0.12), 0, 0.8, 14),
    4: Activity(_STEPPING, (0.9, 1.8, 0.9), (2.4, 2.2, 6.5), 0.6, 0.1, 36),
    5: Activity(((40, 20), (12, 0), _UPRIGHT), (1.3, 2.6, 1.3), (9, 8, 14), 0.8, 0.1, 85),
    6: Activity(((30, 5), (35, 0), (15, 0)), (1.1, 1.1, 1.1), (0.8, 0.7, 3.8), 0.1, 0.2, 50),
    7: Activity(((50, 15), (8, 0), _UPRIGHT), (0.9, 1.8, 0.9), (5.5, 2.3, 6.8), 0.7, 0.1, 50),
    12: Activity(((68, 10), (14, 0), (10, 0)), (0.75, 1.5, 0.75), (2.0, 1.9, 4.4), 0.4, 0.3, 58),
    13: Activity(((70, 10), (-3, 0), (-5, 0)), (0.9, 1.8, 0.9), (2.3, 2.9, 6.2), 1.0, 0.3, 46),
    16: Activity(((35, 15), (22, 0), (6, 0)), (0.6, 0.6, 0.5), (2.4, 0.9, 1.1), 0.2, 0.6, 32),
    17: Activity(((25, 10), (14, 0), _UPRIGHT), (0.7, 0.4, 0.3), (1.8, 0.35, 0.15), 0.2, 0.6, 18),
    24: Activity(((30, 20), _UPRIGHT, _UPRIGHT), (2.1, 2.1, 2.1), (7, 9, 12), 0.9, 0.2, 88),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Mover:
    """How a person moves and wears the devices.

    Args:
        heart_rate: at rest, beats/min.
        quickness: of swings, 1 on average.
        liveliness: of their strength, 1 on average, for each place.
        worn: how each device is turned on the body.
        heading: which way the person faces, radians.
        temperatures: of the devices, °C.
    """

    heart_rate: float
    quickness: float
    liveliness: np.ndarray
    worn: tuple[Rotation, ...]
    heading: float
    temperatures: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Moved:
    """What the devices of a stretch of time measured, each `(samples, 3 places, 3 axes)`.

    Args:
        acceleration: m/s², gravity in it.
        turning: rad/s.
        field: µT.
    """

    acceleration: np.ndarray
    turning: np.ndarray
    field: np.ndarray


def draw_mover(random: np.random.Generator) -> Mover:
    """Return a person."""
    return Mover(
        heart_rate=random.uniform(60, 82),
        quickness=random.normal(1, 0.06),
        liveliness=random.lognormal(0, 0.18, 3),
        worn=tuple(Rotation.from_rotvec(random.normal(scale=0.22, size=3)) for _ in PLACES),
        heading=random.uniform(-np.pi, np.pi),
        temperatures=random.uniform((30, 32, 29), (33.5, 35.5, 32.5)),
    )


def move(random: np.random.Generator, mover: Mover, activity: Activity, samples: int) -> Moved:
    """Return what the devices measure while a person does something.

    Args:
        random: for what differs each time.
        mover: who moves.
        activity: what is done.
        samples: their number, at 100 Hz.
    """
    quickness = mover.quickness * random.normal(1, 0.05)
    pace = quickness * (1 + 0.05 * slow_noise(random, samples, 4 * MOTION_HZ))
    heading = mover.heading + random.uniform(-np.pi, np.pi)
    heading = heading + 0.25 * slow_noise(random, samples, 6 * MOTION_HZ)
    parts = [
        _move_place(random, mover, activity, place, pace, heading) for place in range(len(PLACES))
    ]
    return Moved(*(np.stack(kind, axis=1) for kind in zip(*parts, strict=True)))


def heart_rates(random: np.random.Generator, mover: Mover, above_rest: np.ndarray) -> np.ndarray:
    """Return the heart rate at 100 Hz, beats/min, as it follows what is done, `(samples,)`."""
    wanted = mover.heart_rate + follow(above_rest, _HEART_S, MOTION_HZ)
    own = 3 * slow_noise(random, len(wanted), 10 * MOTION_HZ)
    return np.clip(wanted + own, 45, 195)


def _move_place(
    random: np.random.Generator,
    mover: Mover,
    activity: Activity,
    place: int,
    pace: np.ndarray,
    heading: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = len(pace)
    strength = activity.strengths[place] * mover.liveliness[place] * random.lognormal(0, 0.12)
    even = 1 + activity.unsteady * slow_noise(random, count, 1.2 * MOTION_HZ)
    strength = strength * np.maximum(even, 0.05)
    phase = 2 * np.pi * np.cumsum(activity.swings[place] * pace) / MOTION_HZ
    shares = activity.struck * _STRUCK + (1 - activity.struck) * _SMOOTH
    # How each axis takes part in each multiple of the swing, and when.
    parts = random.normal(size=(3, len(shares))) * 0.25 + np.array([[1.0], [0.45], [0.6]])
    starts = random.uniform(0, 2 * np.pi, (3, len(shares)))
    angles = phase[:, None, None] * np.arange(1, len(shares) + 1) + starts
    swing = strength[:, None] * (np.sin(angles) * parts * shares).sum(axis=2)
    # The place turns as it swings; devices that swing slowly turn further.
    turn = 0.07 * strength[:, None] * (np.cos(angles[:, :, :2]) * parts[:, :2]).sum(axis=2)
    turn /= max(activity.swings[place], 0.5)
    lean = np.radians(activity.tilts[place]) + random.normal(scale=0.1, size=2)
    lean = lean + 0.05 * np.stack([slow_noise(random, count, 3 * MOTION_HZ) for _ in "xy"], axis=1)
    angles = np.concatenate([heading[:, None], lean], axis=1) + turn[:, [2, 0, 1]]
    frames = (Rotation.from_euler("zxy", angles) * mover.worn[place]).inv()
    turning = np.gradient(angles[:, [1, 2, 0]], 1 / MOTION_HZ, axis=0)
    return (
        frames.apply([0, 0, _GRAVITY]) + swing + random.normal(scale=0.06, size=(count, 3)),
        turning + random.normal(scale=0.015, size=(count, 3)),
        frames.apply(_FIELD) + random.normal(scale=0.4, size=(count, 3)),
    )

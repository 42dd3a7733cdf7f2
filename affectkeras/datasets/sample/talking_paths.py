"""What a sample speaker feels and does from frame to frame: valence, arousal, talking, moving.

The path of valence and arousal is drawn first. Arousal makes talking quicker and wider and the head
move more; when a syllable comes, how the head sways and when the eyes blink knows nothing else of
the path.
"""

import dataclasses

import numpy as np

from affectkeras.datasets.sample.face_parameters import Expression

LIMIT = 0.9  # valence and arousal stay within ±LIMIT
QUADRANTS = ((1, 1), (-1, 1), (-1, -1), (1, -1))  # signs of the mean valence and arousal


@dataclasses.dataclass(frozen=True)
class Motion:
    """A speaker's numbers per frame, each float64 `(frames,)`.

    Args:
        valence: in [-LIMIT, LIMIT].
        arousal: in [-LIMIT, LIMIT].
        opening: of the mouth by talking, 0 closed … 1 wide.
        blink: 0 eyes as they are … 1 closed.
        yaw: turning of the head, radians.
        pitch: nodding, radians.
        roll: tilting, radians.
        x: where the head is from its rest, face units to the right.
        y: the same, down.
        zoom: size of the head, 1 at rest.
        gain: how the camera's exposure drifts, 1 on average.
    """

    valence: np.ndarray
    arousal: np.ndarray
    opening: np.ndarray
    blink: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    x: np.ndarray
    y: np.ndarray
    zoom: np.ndarray
    gain: np.ndarray

    def __len__(self) -> int:
        return len(self.valence)


def draw_affect(
    random: np.random.Generator, frames: int, rate: int, quadrant: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a smooth path of valence and arousal, each float64 `(frames,)` within ±`LIMIT`.

    Args:
        random: where the numbers come from.
        frames: their number.
        rate: frames per second.
        quadrant: signs of the means that the path sways about.
    """
    paths = []
    for sign in quadrant:
        mean = sign * random.uniform(0.08, 0.6)
        reach = random.uniform(0.3, 0.55)
        sway = _wander(random, frames, rate, slowest_s=22, fastest_s=5)
        paths.append(LIMIT * np.tanh((mean + reach * sway) / LIMIT))
    return paths[0], paths[1]


def draw_motion(
    random: np.random.Generator, valence: np.ndarray, arousal: np.ndarray, rate: int
) -> Motion:
    """Return how a speaker with that path talks and moves.

    Args:
        random: where the numbers come from.
        valence: float64 `(frames,)`.
        arousal: float64 `(frames,)`.
        rate: frames per second.
    """
    count = len(valence)
    slow = {name: _wander(random, count, rate, 15, 4) for name in ("yaw", "pitch", "roll", "x")}
    quick = {name: _wander(random, count, rate, 2.5, 0.8) for name in slow}
    liveliness = 0.35 + 0.3 * (1 + arousal)
    sway = {name: 0.7 * slow[name] + liveliness * quick[name] for name in slow}
    return Motion(
        valence=valence,
        arousal=arousal,
        opening=_talk(random, arousal, rate),
        blink=_blink(random, count, rate),
        yaw=0.09 * sway["yaw"],
        pitch=0.05 * sway["pitch"],
        roll=0.035 * sway["roll"] + random.normal(0, 0.02),
        x=0.05 * sway["x"],
        y=0.03 * sway["pitch"],
        zoom=1 + 0.02 * _wander(random, count, rate, 15, 4),
        gain=1 + 0.02 * _wander(random, count, rate, 15, 3),
    )


def express(valence: float, arousal: float, opening: float = 0.0, blink: float = 0.0) -> Expression:
    """Return what a face shows.

    Valence pulls the mouth's corners up (and the cheeks) or down (and lowers the brows); arousal
    widens or droops the eyes and raises the brows. Talking opens the mouth and says nothing.

    Args:
        valence: in [-1, 1].
        arousal: in [-1, 1].
        opening: of the mouth by talking, 0 to 1.
        blink: 0 to 1.
    """
    glad, sad = max(valence, 0.0), max(-valence, 0.0)
    awake, tired = max(arousal, 0.0), max(-arousal, 0.0)
    raised = 0.6 * (1 + arousal)
    return Expression(
        inner_brow_raise=0.6 * raised,
        outer_brow_raise=raised,
        brow_lower=0.3 - 0.3 * glad + 0.9 * sad,
        upper_lid_raise=1.2 * awake,
        cheek_raise=0.55 * glad,
        corner_pull=1.2 * glad,
        corner_depress=1.25 * sad,
        chin_raise=0.4 * sad,
        lips_part=0.15 + opening,
        jaw_drop=0.1 + 0.9 * opening,
        lid_droop=1.15 * tired + 1.6 * blink,
    )


def _talk(random: np.random.Generator, arousal: np.ndarray, rate: int) -> np.ndarray:
    """Return how far talking opens the mouth: syllables in phrases with pauses between."""
    count = len(arousal)
    habit, speed = random.uniform(0.6, 1.0), random.uniform(2.6, 3.8)
    turns = random.uniform() + np.cumsum(speed * (1 + 0.35 * arousal)) / rate
    syllable = np.sin(np.pi * turns) ** 2
    # Each syllable is of another size; the mouth opens from nothing to it and back.
    sizes = random.uniform(0.35, 1.0, int(turns[-1]) + 2)
    phrase = _wander(random, count, rate, 6, 1.5) + random.uniform(0.1, 0.6)
    speaking = 1 / (1 + np.exp(-8 * phrase))
    wide = habit * (0.5 + 0.3 * arousal)
    return np.clip(wide * speaking * syllable * sizes[turns.astype(int)], 0, 1)


def _blink(random: np.random.Generator, frames: int, rate: int) -> np.ndarray:
    blink = np.zeros(frames)
    time = random.uniform(0.5, 4)
    while time * rate < frames:
        since = np.abs(np.arange(frames) / rate - time)
        blink = np.maximum(blink, np.clip(1.5 - since / 0.08, 0, 1))
        time += random.uniform(2.5, 6)
    return blink


def _wander(
    random: np.random.Generator, frames: int, rate: int, slowest_s: float, fastest_s: float
) -> np.ndarray:
    """Return a smooth movement about 0, most of it within ±1.5; periods in s."""
    times = np.arange(frames) / rate
    periods = np.exp(random.uniform(np.log(fastest_s), np.log(slowest_s), 4))
    phases = random.uniform(0, 2 * np.pi, 4)
    return np.sin(2 * np.pi * times[:, None] / periods + phases).sum(axis=1) / np.sqrt(2)

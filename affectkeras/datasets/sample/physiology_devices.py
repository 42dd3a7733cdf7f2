"""What a sample wristband measures of a body that moves now and then: the signals of an E4.

When and how a wrist moves knows nothing of the path of affect.
"""

import dataclasses

import numpy as np

from affectkeras.datasets.sample.physiology import (
    BVP_HZ,
    SLOW_HZ,
    Body,
    Person,
    draw_person,
    live,
    slow_noise,
)

ACC_HZ = 32
HR_HZ = 1
RATES = {"ACC": ACC_HZ, "BVP": BVP_HZ, "EDA": SLOW_HZ, "TEMP": SLOW_HZ, "HR": HR_HZ}
G = 64  # units of the acceleration in 1 g
# Heart rates are means over this long; the first is told when that time is over.
HEART_MEAN_S = 10

_MOVES_PER_MINUTE = 2.0
_MOVE_S = (1.0, 4.0)
_DISTURBED = 0.5  # strength of a movement from which on beats are missed


@dataclasses.dataclass(frozen=True, eq=False)
class Worn:
    """What a wristband measured from one moment on, rounded as an E4 does.

    Args:
        acceleration: 1/64 g at 32 Hz, int64 `(samples, 3)`.
        bvp: device units at 64 Hz, `(samples,)`.
        eda: µS at 4 Hz, `(samples,)`.
        temperature: °C at 4 Hz, `(samples,)`.
        heart_rate: beats/min at 1 Hz from 10 s on, `(samples,)`.
        ibi: when a beat came and how long after the one before, seconds, `(beats, 2)`.
        body: what was measured.
    """

    acceleration: np.ndarray
    bvp: np.ndarray
    eda: np.ndarray
    temperature: np.ndarray
    heart_rate: np.ndarray
    ibi: np.ndarray
    body: Body

    @property
    def signals(self) -> dict[str, np.ndarray]:
        """The signals at a steady rate, by the names of their files."""
        return {
            "ACC": self.acceleration,
            "BVP": self.bvp,
            "EDA": self.eda,
            "TEMP": self.temperature,
            "HR": self.heart_rate,
        }


def draw_someone(seed: tuple[int, ...]) -> Person:
    """Return the person of a seed, the same one whatever it lives through."""
    return draw_person(np.random.default_rng([*seed, 1]))


def wear(
    seed: tuple[int, ...],
    arousal: np.ndarray,
    valence: np.ndarray,
    person: Person | None = None,
) -> Worn:
    """Return what a wristband measures along a path.

    Args:
        seed: of what the body does by itself and of how the wrist moves.
        arousal: level from 1 to 5 at `PATH_HZ`, `(steps,)`.
        valence: the same.
        person: who wears it; by default the one of the seed.
    """
    person = person or draw_someone(seed)
    body = live(np.random.default_rng([*seed, 3]), person, arousal, valence)
    moves = np.random.default_rng([*seed, 4])
    strength = _draw_moves(moves, len(body.pulse))
    heart = np.random.default_rng([*seed, 5])
    mean = np.convolve(body.heart_rate, np.full(HEART_MEAN_S * BVP_HZ, 1), mode="valid")
    # The last one would be told when the other signals are over.
    heart_rate = mean[: -1 : BVP_HZ // HR_HZ] / (HEART_MEAN_S * BVP_HZ)
    eda = np.round(body.conductance, 6)
    eda[0] = 0.0  # as the device begins
    return Worn(
        acceleration=_accelerate(moves, strength[:: BVP_HZ // ACC_HZ]),
        bvp=_see_pulse(moves, person, body.pulse, strength),
        eda=eda,
        temperature=np.round(body.temperature * 50) / 50,
        heart_rate=np.round(heart_rate + heart.normal(scale=0.8, size=len(heart_rate)), 2),
        ibi=_intervals(heart, body.beats_s, strength),
        body=body,
    )


def _draw_moves(random: np.random.Generator, samples: int) -> np.ndarray:
    """Return how strongly the wrist moves at 64 Hz, 0 at rest, `(samples,)`."""
    strength = np.zeros(samples)
    for _ in range(random.poisson(_MOVES_PER_MINUTE * samples / BVP_HZ / 60)):
        length = round(random.uniform(*_MOVE_S) * BVP_HZ)
        begin = random.integers(0, samples)
        piece = strength[begin : begin + length]
        piece += random.lognormal(-0.3, 0.5) * np.hanning(length)[: len(piece)]
    return strength


def _accelerate(random: np.random.Generator, strength: np.ndarray) -> np.ndarray:
    """Return the acceleration of a wrist that lies in some way, moves, and turns at times."""
    count = len(strength)
    direction = random.normal(size=3) * (0.8, 0.6, 0.5) + (-0.4, 0.0, 0.9)
    sway = np.stack([slow_noise(random, count, 50 * ACC_HZ) for _ in range(3)], axis=1)
    gravity = direction / np.linalg.norm(direction) + 0.12 * sway
    gravity /= np.linalg.norm(gravity, axis=1, keepdims=True)
    shakes = np.stack([slow_noise(random, count, ACC_HZ / 8) for _ in range(3)], axis=1)
    still = random.normal(scale=0.006, size=(count, 3))
    values = gravity + 0.35 * strength[:, None] * shakes + still
    return np.clip(np.rint(values * G), -128, 127).astype(np.int64)


def _see_pulse(
    random: np.random.Generator, person: Person, pulse: np.ndarray, strength: np.ndarray
) -> np.ndarray:
    size = person.pulse_size
    values = pulse + random.normal(scale=person.noise * size, size=len(pulse))
    values += 1.8 * size * strength * slow_noise(random, len(pulse), BVP_HZ / 5)
    values[:8] = 0.0  # as the device begins
    return np.round(values, 2)


def _intervals(
    random: np.random.Generator, beats_s: np.ndarray, strength: np.ndarray
) -> np.ndarray:
    """Return the beats that are told: the device leaves out what it is not sure of."""
    times, lengths = beats_s[1:], np.diff(beats_s)
    places = np.minimum((times * BVP_HZ).astype(np.int64), len(strength) - 1)
    sure = (strength[places] < _DISTURBED) & (random.uniform(size=len(times)) > 0.12)
    sure &= times > HEART_MEAN_S
    # The device counts in samples of its pulse signal.
    return np.round(np.stack([times, lengths], axis=1)[sure] * BVP_HZ) / BVP_HZ

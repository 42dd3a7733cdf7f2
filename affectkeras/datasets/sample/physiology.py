"""The body of a sample person: what its heart, skin and pulse do along a known path of affect.

Arousal quickens the heart and the breath, lets the skin conduct better and cools it slowly. Valence
shows in nothing but how large the pulse is. What a person is like at rest and how large a device
draws its pulse know nothing of the path, so that a person's means tell nearly nothing of it.
"""

import dataclasses

import numpy as np
from scipy.signal import lfilter

from affectkeras.datasets.sample.physiology_paths import PATH_HZ

BVP_HZ = 64  # also the rate at which the heart is drawn
SLOW_HZ = 4  # of skin conductance and temperature

# How much changes from one level of arousal to the next, of five, for an average person.
HEART_PER_LEVEL = 9.0  # beats/min
CONDUCTANCE_PER_LEVEL = 0.16  # share of the level at rest
TEMPERATURE_PER_LEVEL = -0.3  # °C
BREATH_PER_LEVEL = 0.02  # Hz
PULSE_PER_LEVEL = 0.28  # of valence: natural logarithm of the pulse's size
CALM = 2.0  # the level at which a person is as at rest
# How long the body takes to follow, seconds.
_HEART_S, _PULSE_S, _TONIC_S, _TEMPERATURE_S = 2.0, 1.5, 12.0, 20.0
# Responses of the skin a minute: at rest and more per level; how long they rise and fall, seconds.
_RESPONSES, _RESPONSES_PER_LEVEL = 2.5, 4.0
_RISE_S, _FALL_S = 0.8, 3.5


@dataclasses.dataclass(frozen=True)
class Person:
    """What differs from person to person.

    Args:
        heart_rate: at rest, beats/min.
        pulse_size: of the device's pulse signal, its units.
        conductance: of the skin at rest, µS.
        temperature: of the skin at rest, °C.
        breath_hz: breaths per second at rest.
        reaction: how strongly the body answers, 1 on average.
        steadiness_ms: how much the time between two beats differs by itself, standard deviation.
        noise: of the pulse signal, share of its size.
    """

    heart_rate: float
    pulse_size: float
    conductance: float
    temperature: float
    breath_hz: float
    reaction: float
    steadiness_ms: float
    noise: float


@dataclasses.dataclass(frozen=True, eq=False)
class Body:
    """What a body did, from one moment on.

    Args:
        heart_rate: beats/min at 64 Hz, `(samples,)`.
        beats_s: when the heart beat, seconds from that moment.
        breath: phase at 64 Hz, radians, `(samples,)`.
        pulse: without noise or motion, at 64 Hz, `(samples,)`.
        conductance: µS at 4 Hz, `(samples,)`.
        temperature: °C at 4 Hz, `(samples,)`.
    """

    heart_rate: np.ndarray
    beats_s: np.ndarray
    breath: np.ndarray
    pulse: np.ndarray
    conductance: np.ndarray
    temperature: np.ndarray


def draw_person(random: np.random.Generator) -> Person:
    """Return a person."""
    return Person(
        heart_rate=random.uniform(60, 75),
        pulse_size=float(np.exp(random.uniform(np.log(25), np.log(110)))),
        conductance=float(np.exp(random.uniform(np.log(0.4), np.log(6)))),
        temperature=random.uniform(29.5, 34.5),
        breath_hz=random.uniform(0.2, 0.3),
        reaction=random.uniform(0.75, 1.3),
        steadiness_ms=random.uniform(10, 30),
        noise=random.uniform(0.04, 0.12),
    )


def live(
    random: np.random.Generator, person: Person, arousal: np.ndarray, valence: np.ndarray
) -> Body:
    """Return what the body does along a path.

    Args:
        random: for what a body does by itself.
        person: whose body.
        arousal: level from 1 to 5 at `PATH_HZ`, `(steps,)`.
        valence: the same.
    """
    seconds = len(arousal) / PATH_HZ
    times = np.arange(round(seconds * BVP_HZ)) / BVP_HZ
    path_times = np.arange(len(arousal)) / PATH_HZ
    excited = person.reaction * (np.interp(times, path_times, arousal) - CALM)
    pleased = person.reaction * (np.interp(times, path_times, valence) - CALM)
    breath = _breathe(random, person, excited)
    rate = _heart_rate(random, person, excited, breath)
    phase = np.cumsum(rate / 60 / BVP_HZ) + random.uniform()
    size = person.pulse_size * np.exp(PULSE_PER_LEVEL * follow(pleased, _PULSE_S, BVP_HZ))
    size *= 1 + 0.06 * np.sin(breath) + 0.06 * slow_noise(random, len(times), 8 * BVP_HZ)
    pulse = size * _WAVE[(phase % 1 * len(_WAVE)).astype(np.int64)]
    pulse += 0.1 * person.pulse_size * np.sin(breath + 1)
    slow = excited[:: BVP_HZ // SLOW_HZ]
    return Body(
        heart_rate=rate,
        beats_s=_beats(phase, times),
        breath=breath,
        pulse=pulse,
        conductance=_skin_conductance(random, person, slow),
        temperature=_skin_temperature(random, person, slow),
    )


def follow(values: np.ndarray, seconds: float, rate: float) -> np.ndarray:
    """Return values that run after the given ones with a time constant (a low pass, order 1)."""
    kept = np.exp(-1 / (seconds * rate))
    return lfilter([1 - kept], [1, -kept], values, zi=[kept * values[0]])[0]


def slow_noise(random: np.random.Generator, samples: int, period: float) -> np.ndarray:
    """Return noise that turns about every `period` samples, its standard deviation about 1."""
    knots = random.normal(size=int(samples / period) + 3) * 1.2
    return np.interp(np.arange(samples) / period, np.arange(len(knots)) - random.uniform(), knots)


def _draw_wave() -> np.ndarray:
    """Return a beat of the pulse: the wave of the heart and the dicrotic one, mean 0, size 1."""
    phase = np.arange(512) / 512
    wave = np.zeros_like(phase)
    for center, width, height in ((0.22, 0.085, 1.0), (0.55, 0.1, 0.38)):
        distance = (phase - center + 0.5) % 1 - 0.5
        wave += height * np.exp(-0.5 * (distance / width) ** 2)
    wave -= wave.mean()
    return wave / wave.max()


_WAVE = _draw_wave()


def _breathe(random: np.random.Generator, person: Person, excited: np.ndarray) -> np.ndarray:
    """Return the phase of the breath, radians."""
    rate = person.breath_hz + BREATH_PER_LEVEL * follow(excited, _HEART_S, BVP_HZ)
    rate = rate * (1 + 0.1 * slow_noise(random, len(excited), 10 * BVP_HZ))
    return 2 * np.pi * (np.cumsum(np.maximum(rate, 0.08)) / BVP_HZ + random.uniform())


def _heart_rate(
    random: np.random.Generator, person: Person, excited: np.ndarray, breath: np.ndarray
) -> np.ndarray:
    rate = person.heart_rate + HEART_PER_LEVEL * follow(excited, _HEART_S, BVP_HZ)
    rate += 2.5 * np.sin(breath)  # respiratory sinus arrhythmia
    rate += 2.0 * slow_noise(random, len(rate), 6 * BVP_HZ)
    rate += 2.5 * slow_noise(random, len(rate), 45 * BVP_HZ)
    # A beat-to-beat difference of d seconds is about d · rate² / 60 beats/min.
    beat = 0.8 * BVP_HZ
    rate += person.steadiness_ms / 1000 * rate**2 / 60 * slow_noise(random, len(rate), beat)
    return np.clip(rate, 45, 150)


def _beats(phase: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return when the phase passes a whole number, seconds."""
    whole = np.arange(np.ceil(phase[0]), np.floor(phase[-1]) + 1)
    return np.interp(whole, phase, times)


def _skin_conductance(
    random: np.random.Generator, person: Person, excited: np.ndarray
) -> np.ndarray:
    count = len(excited)
    tonic = 1 + CONDUCTANCE_PER_LEVEL * follow(excited, _TONIC_S, SLOW_HZ)
    tonic += 0.08 * slow_noise(random, count, 90 * SLOW_HZ)
    tonic += np.linspace(-0.5, 0.5, count) * random.normal(scale=0.2)
    per_minute = np.maximum(_RESPONSES + _RESPONSES_PER_LEVEL * excited, 0.5)
    begins = random.uniform(size=count) < per_minute / 60 / SLOW_HZ
    heights = np.where(begins, random.lognormal(np.log(0.09), 0.5, count), 0)
    # The response is the difference of two decays.
    kernel_times = np.arange(round(25 * SLOW_HZ)) / SLOW_HZ
    kernel = np.exp(-kernel_times / _FALL_S) - np.exp(-kernel_times / _RISE_S)
    phasic = np.convolve(heights, kernel / kernel.max())[:count]
    noise = random.normal(scale=0.004, size=count)
    return np.maximum(person.conductance * (tonic + phasic + noise), 0.02)


def _skin_temperature(
    random: np.random.Generator, person: Person, excited: np.ndarray
) -> np.ndarray:
    count = len(excited)
    change = TEMPERATURE_PER_LEVEL * follow(excited, _TEMPERATURE_S, SLOW_HZ)
    drift = np.linspace(-0.5, 0.5, count) * random.normal(scale=0.4)
    drift += 0.12 * slow_noise(random, count, 80 * SLOW_HZ)
    return person.temperature + change + drift

"""What a sample person feels from moment to moment, and how people rate it.

Levels of arousal and valence run from 1 to 5. A path is drawn first; the body follows it.
"""

import numpy as np

PATH_HZ = 4

CALM_LEVELS = (1.2, 3.0)
HIGH_LEVELS = (3.9, 4.9)
_EPISODE_S = (22.0, 45.0)
_MOOD_S = (12.0, 30.0)  # how long a level is kept between episodes
_TURN_S = 1.5  # how quickly one level becomes the next, standard deviation


def draw_path(
    random: np.random.Generator,
    seconds: float,
    *,
    high_share: float = 0.3,
    calm: tuple[float, float] = CALM_LEVELS,
) -> np.ndarray:
    """Return levels at `PATH_HZ`, float64 `(steps,)`: calm, with episodes at a high level.

    Args:
        random: where the numbers come from.
        seconds: how long the path is.
        high_share: of the time that episodes take, about.
        calm: lowest and highest level between episodes.
    """
    high_s = high_share * seconds
    count = max(1, round(high_s / np.mean(_EPISODE_S)))
    lengths = random.uniform(*_EPISODE_S, count)
    lengths *= high_s / lengths.sum()
    # Between two episodes lie at least 12 s.
    pauses = random.dirichlet(np.full(count + 1, 2.0))
    pauses = 12 + pauses * max(seconds - high_s - 12 * (count + 1), 0)
    stretches = []
    for number, pause in enumerate(pauses):
        while pause > 0:
            length = min(random.uniform(*_MOOD_S), pause)
            stretches.append((length, random.uniform(*calm)))
            pause -= length
        if number < count:
            stretches.append((lengths[number], random.uniform(*HIGH_LEVELS)))
    return step_path(stretches, seconds)


def step_path(stretches: list[tuple[float, float]], seconds: float) -> np.ndarray:
    """Return a path at `PATH_HZ` that keeps a level for a while and turns smoothly to the next.

    Args:
        stretches: seconds and level, one after the other; the last one lasts to the end.
        seconds: how long the path is.
    """
    steps = round(seconds * PATH_HZ)
    lengths = np.array([length for length, _ in stretches])
    ends = np.cumsum(lengths)
    ends[-1] = max(ends[-1], seconds)
    times = (np.arange(steps) + 0.5) / PATH_HZ
    levels = np.array([level for _, level in stretches])[np.searchsorted(ends, times)]
    reach = round(3 * _TURN_S * PATH_HZ)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (_TURN_S * PATH_HZ)) ** 2)
    return np.convolve(np.pad(levels, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def mean_levels(path: np.ndarray, start_s: float, ends_s: np.ndarray, seconds: float) -> np.ndarray:
    """Return the path's mean over stretches of time, `(stretches,)`.

    Args:
        path: levels at `PATH_HZ`.
        start_s: when it begins.
        ends_s: when the stretches end, `(stretches,)`.
        seconds: how long each is.
    """
    sums = np.concatenate([[0.0], np.cumsum(path)])
    places = np.arange(len(sums)) / PATH_HZ + start_s
    until = np.interp(ends_s, places, sums)
    since = np.interp(ends_s - seconds, places, sums)
    return (until - since) / (seconds * PATH_HZ)


def rate_levels(
    random: np.random.Generator, levels: np.ndarray, *, noise: float, slips: float, highest: int = 5
) -> np.ndarray:
    """Return how somebody rates levels in whole numbers from 1, int64 `(stretches,)`.

    Args:
        random: where the numbers come from.
        levels: what is rated, `(stretches,)`.
        noise: standard deviation of the judgement before it is rounded, levels.
        slips: share of ratings that have nothing to do with the level.
        highest: rating.
    """
    ratings = np.rint(levels + random.normal(scale=noise, size=len(levels)))
    slipped = random.uniform(size=len(levels)) < slips
    ratings = np.where(slipped, random.integers(1, highest + 1, len(levels)), ratings)
    return np.clip(ratings, 1, highest).astype(np.int64)

"""Rendered thermal faces: maps of warmth in which stress warms forehead and eye corners.

Stress also cools the nose, and by so much that the sum over the face stays the same: how warm a
picture is on the whole tells nothing. Who is seen, how the head moves, breath, drift of the camera
and background know nothing of the label.
"""

import dataclasses
import math

import cv2
import numpy as np

from affectkeras.datasets.sample.thermal_truth import HEIGHT, WIDTH, FaceEllipse

RATE = 10  # frames per second
NOISE = 0.8  # standard deviation of a pixel, grey levels
_RISE_S, _FALL_S = 0.9, 0.5  # time constants: the body lags behind what is seen


@dataclasses.dataclass(frozen=True)
class Person:
    """A sitter. Warmth in grey levels, lengths in pixels, times in s.

    Args:
        head: warmth `(HEIGHT, WIDTH)` of the head and shoulders at rest, float32.
        cover: how much of each pixel they cover, 0 to 1.
        reaction: what full stress adds to `head`; sums to zero.
        breath: what breathing out adds.
        background: the room behind, with the camera's fixed pattern.
        face: the face's ellipse at rest.
        strength: how strongly the person reacts.
        seed: of how the person moves.
    """

    head: np.ndarray
    cover: np.ndarray
    reaction: np.ndarray
    breath: np.ndarray
    background: np.ndarray
    face: FaceEllipse
    strength: float
    seed: int


def draw_person(random: np.random.Generator) -> Person:
    """Draw a sitter by chance."""
    across, down = random.uniform(19, 25), random.uniform(27, 34)
    face = FaceEllipse(WIDTH / 2 + random.uniform(-4, 4), HEIGHT / 2 + 2, across, down, 0.0)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    x, y = (x - face.center_x) / across, (y - face.center_y) / down  # the face is the unit circle
    inside = _soft(1 - np.hypot(x, y), 0.04)
    cover, head = _draw_body(random, x, y, inside)
    skin = random.uniform(150, 185) + _draw_features(random, x, y)
    skin += 3 * cv2.GaussianBlur(random.standard_normal(x.shape, dtype=np.float32), (0, 0), 5) * 10
    head += inside * (skin - head)
    open_skin = inside * _draw_hair_and_glasses(random, x, y, head)
    weights = random.dirichlet([3, 3, 2]) * random.uniform(0.85, 1.15)
    eyes = _spot(x, y, -0.24, -0.16, 0.15, 0.1) + _spot(x, y, 0.24, -0.16, 0.15, 0.1)
    reaction = 18 * weights[0] * _spot(x, y, 0, -0.55, 0.45, 0.2) + 24 * weights[1] * eyes
    reaction = open_skin * (reaction - 22 * weights[2] * _spot(x, y, 0, 0.22, 0.16, 0.2))
    reaction -= inside * (reaction.sum() / inside.sum())
    return Person(
        head=head,
        cover=cover,
        reaction=reaction.astype(np.float32),
        breath=(open_skin * _spot(x, y, 0, 0.3, 0.14, 0.1)).astype(np.float32),
        background=_draw_room(random),
        face=face,
        strength=float(random.uniform(0.55, 1.25)),
        seed=int(random.integers(2**32)),
    )


def stress_levels(
    person: Person, clips: list[tuple[float, float, bool]], frames: int
) -> np.ndarray:
    """Return how stressed a person is in each frame, from 0: float64 `(frames,)`.

    Args:
        person: who.
        clips: (start s, end s, whether it is stressful) of each clip.
        frames: how many, at `RATE`.
    """
    random = np.random.default_rng([person.seed, 1])
    aims = np.zeros(frames)
    times = np.arange(frames) / RATE
    for start, end, stressful in clips:
        strength = person.strength * random.uniform(0.7, 1.3)
        aims[(times >= start) & (times < end)] = strength * stressful
    level, levels = 0.0, []
    for aim in aims:
        lag = _RISE_S if aim > level else _FALL_S
        level += (aim - level) * (1 - math.exp(-1 / (RATE * lag)))
        levels.append(level)
    return np.array(levels)


def render_frames(person: Person, levels: np.ndarray):
    """Yield (pixels uint8 `(HEIGHT, WIDTH)`, the face's ellipse) of each frame.

    Args:
        person: who.
        levels: how stressed, per frame.
    """
    random = np.random.default_rng([person.seed, 2])
    count = len(levels)
    moves = {
        name: reach * _wander(random, count)
        for name, reach in (("x", 5), ("y", 3.5), ("roll", 4), ("zoom", 0.03))
    }
    drift = 3 * _wander(random, count)
    pulse = random.uniform(0.2, 0.35)
    breath = 4 * np.sin(2 * math.pi * pulse * np.arange(count) / RATE + random.uniform(0, 6))
    covered = person.cover[..., None]
    for i, level in enumerate(levels):
        warmth = person.head + np.float32(level) * person.reaction
        warmth += np.float32(breath[i]) * person.breath
        layers = np.concatenate([warmth[..., None] * covered, covered], axis=-1)
        face = person.face.moved(
            moves["x"][i], moves["y"][i], moves["roll"][i], 1 + moves["zoom"][i]
        )
        turned = cv2.warpAffine(
            layers, _matrix(person.face, face), (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE
        )
        picture = turned[..., 0] + (1 - turned[..., 1]) * person.background
        picture += np.float32(drift[i])
        picture += np.float32(NOISE) * random.standard_normal(picture.shape, dtype=np.float32)
        yield np.rint(picture).clip(0, 255).astype(np.uint8), face


def _draw_body(random, x, y, inside) -> tuple[np.ndarray, np.ndarray]:
    """Return what the person covers and its warmth: hair round the head, neck, clothes."""
    hair = _soft(random.uniform(1.06, 1.22) - np.hypot(x, (y + 0.12) * 0.98), 0.05)
    neck = _soft(random.uniform(0.42, 0.55) - np.abs(x), 0.06) * (y > 0.5)
    slope = random.uniform(0.25, 0.5)
    clothes = _soft(y - 1.25 - slope * np.abs(x) ** 2, 0.05)
    warmth = np.full(x.shape, random.uniform(95, 125), np.float32)
    warmth += neck * (random.uniform(150, 175) - warmth)
    warmth += clothes * (random.uniform(95, 130) - warmth)
    cover = np.maximum.reduce([inside, hair, neck, clothes])
    return cover.astype(np.float32), warmth.astype(np.float32)


def _draw_features(random, x, y) -> np.ndarray:
    """Return how the parts of a face at rest differ from its mean warmth."""
    shift = random.uniform(-0.04, 0.04)
    eyes = _spot(x, y, -0.24, -0.16, 0.13, 0.09) + _spot(x, y, 0.24, -0.16, 0.13, 0.09)
    cheeks = _spot(x, y, -0.5, 0.25, 0.25, 0.25) + _spot(x, y, 0.5 + shift, 0.25, 0.25, 0.25)
    features = random.uniform(3, 13) * eyes
    features += random.uniform(-4, 7) * _spot(x, y, shift, -0.55, 0.5, 0.22)
    features -= random.uniform(5, 18) * _spot(x, y, shift, 0.2, 0.15, 0.22)
    features -= random.uniform(0, 7) * cheeks
    features += random.uniform(0, 6) * _spot(x, y, shift, 0.55, 0.25, 0.08)
    if random.random() < 0.3:  # a beard
        features -= random.uniform(8, 16) * _soft(y - 0.45, 0.1) * (np.hypot(x, y - 0.5) > 0.22)
    return features.astype(np.float32)


def _draw_hair_and_glasses(random, x, y, head) -> np.ndarray:
    """Draw what lies before the face into `head`; return how much of each pixel stays open."""
    hairline = random.uniform(-1.0, -0.7) + random.uniform(0, 0.25) * x**2
    fringe = _soft(hairline - y, 0.06)
    head += fringe * (random.uniform(100, 125) - head)
    hidden = fringe
    if random.random() < 0.25:  # glasses: cold
        lenses = np.maximum(
            _soft(1 - np.hypot((x + 0.42) / 0.3, (y + 0.14) / 0.17), 0.1),
            _soft(1 - np.hypot((x - 0.42) / 0.3, (y + 0.14) / 0.17), 0.1),
        )
        head += lenses * (random.uniform(95, 125) - head)
        hidden = np.maximum(hidden, lenses)
    return (1 - hidden).astype(np.float32)


def _draw_room(random) -> np.ndarray:
    coarse = random.normal(0, 5, (4, 5)).astype(np.float32)
    room = random.uniform(60, 90) + cv2.resize(
        coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    if random.random() < 0.5:  # a radiator or a screen
        left, top = random.integers(0, WIDTH - 30), random.integers(0, HEIGHT - 40)
        room[top : top + 40, left : left + 25] += random.uniform(8, 30)
    room += random.normal(0, 0.7, (1, WIDTH))
    return cv2.GaussianBlur(room, (0, 0), 0.8).astype(np.float32)


def _wander(random: np.random.Generator, count: int) -> np.ndarray:
    """Return a slow movement about 0, most of it within ±1."""
    times = np.arange(count) / RATE
    waves = [
        np.sin(2 * math.pi * random.uniform(0.02, 0.25) * times + random.uniform(0, 2 * math.pi))
        for _ in range(4)
    ]
    return np.sum(waves, axis=0) / 2


def _spot(x, y, left, top, across, down) -> np.ndarray:
    return np.exp(-0.5 * (((x - left) / across) ** 2 + ((y - top) / down) ** 2))


def _soft(distance, width) -> np.ndarray:
    """Return 0 to 1 across an edge at distance 0."""
    return np.clip(distance / width + 0.5, 0, 1)


def _matrix(rest: FaceEllipse, now: FaceEllipse) -> np.ndarray:
    """Return the similarity that moves the face at rest to where it is now, `(2, 3)`."""
    zoom = now.radius_x / rest.radius_x
    angle = math.radians(now.angle_degrees)
    turn = zoom * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    center = np.array([rest.center_x, rest.center_y])
    shift = np.array([now.center_x, now.center_y]) - turn @ center
    return np.concatenate([turn, shift[:, None]], axis=1).astype(np.float32)

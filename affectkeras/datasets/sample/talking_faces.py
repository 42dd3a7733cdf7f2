"""Rendered video of a talking face whose expression follows a path of valence and arousal.

Who is seen, light, room and place in the picture are drawn without looking at the path, and the
camera holds the mean of each colour: how light or red a picture is tells nothing.

What does not change within a video is drawn once: the room with the shoulders, the bare head for
some openings of the jaw, the hair. On a copy of the head the features are drawn; the head is then
turned and moved into the room.
"""

import dataclasses
import math
from collections.abc import Iterator

import cv2
import numpy as np

from affectkeras.datasets.sample import head_parts
from affectkeras.datasets.sample.face_parameters import (
    Shot,
    draw_identity,
    draw_scene,
)
from affectkeras.datasets.sample.faces import draw_features
from affectkeras.datasets.sample.talking_layers import (
    GRAINS,
    HEAD,
    JAWS,
    WIDEST,
    Layers,
    Speaker,
    add_grain,
    draw_layers,
    head_canvas,
    lay_over,
)
from affectkeras.datasets.sample.talking_paths import Motion, express

# Around the face's centre in face units: left, upper, right, lower edge of the box that tells it.
BOX = (-0.68, -0.72, 0.68, 0.98)

_HELD = 3  # frames for which an expression is held, as in animation; the head moves at every one
_NECK = (0.0, 0.9)  # what the head tilts about, face units


def draw_speaker(random: np.random.Generator, width: int, height: int) -> Speaker:
    """Draw a person, a room and a place in the picture by chance."""
    scale = random.uniform(0.19, 0.25) * height
    reach = 1.15 * scale
    shot = Shot(
        yaw=0.0,
        pitch=0.0,
        roll=0.0,
        zoom=1.0,
        offset=(0.0, 0.0),
        gaze=(float(random.normal(0, 0.2)), float(random.normal(0, 0.12))),
        asymmetry=float(random.normal(0, 0.03)),
        occlusion="none",
        seed=0,
    )
    who = draw_identity(random)
    if who.beard == "full":  # MTCNN was hardly ever sure of those
        who = dataclasses.replace(who, beard="stubble")
    return Speaker(
        who=who,
        scene=draw_scene(random),
        width=width,
        height=height,
        center=(random.uniform(2 * reach, width - 2 * reach), random.uniform(0.42, 0.5) * height),
        scale=scale,
        shot=shot,
        seed=int(random.integers(2**32)),
    )


def render_frames(
    speaker: Speaker, motion: Motion, *, step: int = 1, away: range = range(0)
) -> Iterator[np.ndarray]:
    """Yield RGB pixels uint8 `(height, width, 3)` of every `step`-th frame.

    Args:
        speaker: who is filmed.
        motion: what the face does in each frame.
        step: 1 renders all frames.
        away: frames in which the person is not in the picture.
    """
    layers = draw_layers(speaker)
    random = np.random.default_rng([speaker.seed, 1])
    aim = None
    head, held = None, -1
    for number in range(0, len(motion), step):
        picture = layers.room.copy()
        if number not in away:
            if head is None or number // _HELD != held:
                held = number // _HELD
                head = _draw_head(speaker, layers, motion, held * _HELD)
            _place_head(picture, head, _matrix(speaker, motion, number), layers)
        means = np.array(cv2.mean(picture)[:3])
        aim = means if aim is None else aim
        part = picture[layers.region]
        part[:] = add_grain(part, layers.noise[random.integers(GRAINS)])
        yield _expose(picture, aim * motion.gain[number] / np.maximum(means, 1))


def face_boxes(speaker: Speaker, motion: Motion) -> np.ndarray:
    """Return where the face is in every frame: float64 `(frames, 4)`, x, y, width, height, pixels.

    The left upper corner of the picture is (0, 0).
    """
    left, top, right, bottom = BOX
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    corners = (corners - HEAD[:2]) * speaker.scale
    boxes = []
    for number in range(len(motion)):
        moved = cv2.transform(corners[None], _matrix(speaker, motion, number))[0]
        # The upright box of the same size around the tilted one's middle.
        middle = moved.mean(axis=0)
        size = motion.zoom[number] * speaker.scale * np.array([right - left, bottom - top])
        boxes.append([*(middle - size / 2), *size])
    return np.array(boxes).reshape(-1, 4)


def _draw_head(speaker: Speaker, layers: Layers, motion: Motion, number: int) -> np.ndarray:
    """Return the head with the expression of a frame: RGB over black and cover, uint8."""
    what = express(
        motion.valence[number], motion.arousal[number], motion.opening[number], motion.blink[number]
    )
    level = round((JAWS - 1) * min(what.jaw_drop / WIDEST, 1))
    pixels, cover = layers.heads[level]
    canvas = head_canvas(speaker)
    canvas.yaw, canvas.pitch = float(motion.yaw[number]), float(motion.pitch[number])
    canvas.image = pixels.copy()
    draw_features(canvas, speaker.who, what, speaker.scene, speaker.shot)
    hair, hair_cover = layers.hair
    canvas.image = lay_over(canvas.image, hair, hair_cover)
    head_parts.draw_glasses(canvas, speaker.who)
    lit = cv2.multiply(canvas.image, layers.light, dtype=cv2.CV_8U)
    # On a turned head features can reach beyond its edge: over black nothing is brighter than
    # what covers it.
    lit = cv2.min(lit, cv2.cvtColor(cover, cv2.COLOR_GRAY2RGB))
    return np.dstack([lit, cover])


def _matrix(speaker: Speaker, motion: Motion, number: int) -> np.ndarray:
    """Return what takes pixels of the head's canvas to those of the picture, `(2, 3)`."""
    angle, zoom = motion.roll[number], motion.zoom[number]
    cosine, sine = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    neck = (np.array(_NECK) - HEAD[:2]) * speaker.scale
    moved = np.array(_NECK) + (motion.x[number], motion.y[number])
    goal = np.array(speaker.center) + moved * speaker.scale
    return np.concatenate([turn, (goal - turn @ neck)[:, None]], axis=1)


def _place_head(picture: np.ndarray, head: np.ndarray, matrix: np.ndarray, layers: Layers) -> None:
    rows, columns = layers.region
    inside = matrix - np.array([[0, 0, columns.start], [0, 0, rows.start]])
    size = (columns.stop - columns.start, rows.stop - rows.start)
    moved = cv2.warpAffine(head, inside, size, flags=cv2.INTER_LINEAR)
    part = picture[rows, columns]
    pixels = cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)
    part[:] = lay_over(part, pixels, cv2.extractChannel(moved, 3))


def _expose(picture: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Return the picture with each colour multiplied by its gain, so that its mean is as wanted."""
    levels = np.arange(256)[:, None] * gain[None]
    table = np.rint(levels).clip(0, 255).astype(np.uint8)
    return cv2.LUT(picture, table[None])

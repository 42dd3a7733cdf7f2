"""What of a talking face's video is drawn once: room, shoulders, bare heads, hair, light, grain."""

import dataclasses
import math

import cv2
import numpy as np

from affectkeras.datasets.sample import head_parts
from affectkeras.datasets.sample.canvas import Canvas, mix
from affectkeras.datasets.sample.face_parameters import Expression, Identity, Scene, Shot

# Around the face's centre in face units: left, upper, right, lower edge of what is drawn as head.
HEAD = (-1.25, -1.4, 1.25, 1.55)
JAWS = 7  # bare heads, from a closed jaw to one dropped by `WIDEST`
WIDEST = 1.2
GRAINS = 6  # pictures of the sensor's noise, one of which lies over each frame

_MARGIN = 0.35  # how far the head may move, face units
_BRIGHTEST = 165.0  # mean level of a pale skin; in brighter ones detectors see no features


@dataclasses.dataclass(frozen=True)
class Speaker:
    """A person before a camera.

    Args:
        who: the person.
        scene: room and light.
        width: of the picture, pixels.
        height: of the picture, pixels.
        center: where the face's centre rests, pixels.
        scale: half the height of the head, pixels.
        shot: what stays the same of gaze and asymmetry.
        seed: of the sensor's noise.
    """

    who: Identity
    scene: Scene
    width: int
    height: int
    center: tuple[float, float]
    scale: float
    shot: Shot
    seed: int


@dataclasses.dataclass(frozen=True)
class Layers:
    """What is drawn once: RGB uint8, and how much of each pixel it covers (0–255).

    Args:
        room: `(height, width, 3)` of the picture.
        heads: for each opening of the jaw, pixels over black and cover of the bare head.
        hair: pixels over black and cover of the hair before the face.
        light: what the head's colours are multiplied by, float32 `(rows, columns, 3)`.
        noise: of the region in which the head moves, tiles `(rows, columns, 3)` of what is added
            and of what is taken away.
        region: of the picture, rows and columns.
    """

    room: np.ndarray
    heads: tuple[tuple[np.ndarray, np.ndarray], ...]
    hair: tuple[np.ndarray, np.ndarray]
    light: np.ndarray
    noise: tuple[tuple[np.ndarray, np.ndarray], ...]
    region: tuple[slice, slice]


def draw_layers(speaker: Speaker) -> Layers:
    """Draw what does not change within a speaker's video."""
    who, scene = speaker.who, speaker.scene
    heads = []
    for drop in np.linspace(0, WIDEST, JAWS):
        what = Expression(jaw_drop=float(drop))

        def draw_bare(canvas, what=what):
            head_parts.draw_hair_behind(canvas, who)
            head_parts.draw_ears(canvas, who)
            head_parts.draw_skin(canvas, who, what, scene)
            _shade_sockets(canvas, who)

        heads.append(_cut_out(speaker, draw_bare))
    hair = _cut_out(speaker, lambda canvas: head_parts.draw_hair(canvas, who))
    # The hair covers what is bare.
    heads = [(pixels, cv2.max(cover, hair[1])) for pixels, cover in heads]
    region, room = _region(speaker), _draw_room(speaker)
    random = np.random.default_rng([speaker.seed, 2])
    noise = [_draw_grain(random, speaker, room[region]) for _ in range(GRAINS)]
    return Layers(
        room=room,
        heads=tuple(heads),
        hair=hair,
        light=_light(speaker),
        noise=tuple(noise),
        region=region,
    )


def _shade_sockets(canvas: Canvas, who: Identity) -> None:
    """Darken the hollows of the eyes, by which detectors know a face."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for side in (-1, 1):
        hollow = np.stack([0.25 * np.cos(angle), 0.15 * np.sin(angle)], axis=1)
        hollow += (side * who.eye_distance, -0.14)
        canvas.tint(hollow, mix(who.skin, (70, 24, 20), 0.85), 0.65, 0.05)


def _draw_grain(
    random: np.random.Generator, speaker: Speaker, like: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the sensor's noise adds to a picture of that size and what it takes away."""
    grain = random.standard_normal((*like.shape[:2], 1), dtype=np.float32)
    grain = np.repeat(np.rint(0.6 * speaker.scene.noise * grain), 3, axis=-1)
    more, less = (np.clip(part, 0, 255).astype(np.uint8) for part in (grain, -grain))
    return more, less


def add_grain(picture: np.ndarray, grain: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the picture with noise, given as what it adds and what it takes away."""
    return cv2.subtract(cv2.add(picture, grain[0]), grain[1])


def head_canvas(speaker: Speaker) -> Canvas:
    """Return a black canvas for the head alone, upright, the size it has in the picture."""
    left, top, right, bottom = HEAD
    width, height = (right - left) * speaker.scale, (bottom - top) * speaker.scale
    canvas = Canvas(math.ceil(width), math.ceil(height))
    canvas.scale = speaker.scale
    canvas.center = -np.array([left, top]) * speaker.scale
    return canvas


def _cut_out(speaker: Speaker, draw) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels over black and the cover of what a function draws, found by drawing twice."""
    black, white = head_canvas(speaker), head_canvas(speaker)
    white.image[:] = 255
    for canvas in (black, white):
        draw(canvas)
    through = cv2.subtract(white.image, black.image).max(axis=2)
    return black.image, 255 - through


def _draw_room(speaker: Speaker) -> np.ndarray:
    """Return the picture without a head: the room, out of focus, and the shoulders."""
    canvas = Canvas(speaker.width, speaker.height)
    canvas.scale, canvas.center = speaker.scale, np.array(speaker.center)
    head_parts.draw_backdrop(canvas, speaker.scene)
    bare = canvas.image.copy()
    below = [(-1.5, 1.49), (1.5, 1.49), (1.7, 6.0), (-1.7, 6.0)]
    canvas.fill(below, speaker.scene.clothes, flat=True)
    head_parts.draw_shoulders(canvas, speaker.who, speaker.scene)
    body = cv2.absdiff(canvas.image, bare).max(axis=2, keepdims=True) > 0
    dim = 1 - 0.45 * speaker.scene.contrast
    room = np.where(body, (canvas.image * dim).astype(np.uint8), bare)
    # What stands still has still grain, which takes no space in the file.
    return add_grain(room, _draw_grain(np.random.default_rng([speaker.seed, 3]), speaker, room))


def _light(speaker: Speaker) -> np.ndarray:
    """Return the light on an egg-shaped head under one lamp (Lambert's law) and some sky light."""
    left, top, right, bottom = HEAD
    shape = head_canvas(speaker).image.shape[:2]
    y, x = np.mgrid[top : bottom : shape[0] * 1j, left : right : shape[1] * 1j]
    x, y = x / 0.9, y / 1.18
    depth = np.sqrt(np.clip(1 - x**2 - y**2, 0.05, 1))
    normals = np.stack([x, y, depth], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    scene = speaker.scene
    lamp = np.clip(normals @ np.array(scene.light), 0, 1)
    shading = (1 - scene.contrast) + scene.contrast * (0.12 + 1.1 * lamp)
    shading *= min(1.0, _BRIGHTEST / (sum(speaker.who.skin) / 3))
    warm = np.array([1 + scene.warmth, 1.0, 1 - scene.warmth])
    return (shading[..., None] * warm).astype(np.float32)


def lay_over(below: np.ndarray, pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Return pixels over black, laid by their cover over others."""
    through = cv2.cvtColor(cv2.bitwise_not(cover), cv2.COLOR_GRAY2RGB)
    return cv2.add(cv2.multiply(below, through, scale=1 / 255), pixels)


def _region(speaker: Speaker) -> tuple[slice, slice]:
    """Return the rows and columns of the picture that the head can reach."""
    x, y = speaker.center
    left, top, right, bottom = (edge * speaker.scale for edge in HEAD)
    far = _MARGIN * speaker.scale
    rows = slice(max(0, int(y + top - far)), min(speaker.height, math.ceil(y + bottom + far)))
    columns = slice(max(0, int(x + left - far)), min(speaker.width, math.ceil(x + right + far)))
    return rows, columns

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
from affectkeras.datasets.sample.canvas import Canvas, mix
from affectkeras.datasets.sample.face_parameters import (
    Expression,
    Identity,
    Scene,
    Shot,
    draw_identity,
    draw_scene,
)
from affectkeras.datasets.sample.faces import draw_features
from affectkeras.datasets.sample.talking_paths import Motion, express

# Around the face's centre in face units: left, upper, right, lower edge of what is drawn as head,
# and of the box by which the face is told.
_HEAD = (-1.25, -1.4, 1.25, 1.55)
BOX = (-0.68, -0.72, 0.68, 0.98)

_HELD = 2  # frames for which an expression is held, as in animation; the head moves at every one
_JAWS = 7  # bare heads, from a closed jaw to one dropped by `_WIDEST`
_WIDEST = 1.2
_NECK = (0.0, 0.9)  # what the head tilts about, face units
_MARGIN = 0.35  # how far the head may move, face units
_NOISE_TILES = 6
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
class _Layers:
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
        asymmetry=float(random.normal(0, 0.04)),
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
    layers = _draw_layers(speaker)
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
        _add_noise(picture, layers, random)
        yield _expose(picture, aim * motion.gain[number] / np.maximum(means, 1))


def face_boxes(speaker: Speaker, motion: Motion) -> np.ndarray:
    """Return where the face is in every frame: float64 `(frames, 4)`, x, y, width, height, pixels.

    The left upper corner of the picture is (0, 0).
    """
    left, top, right, bottom = BOX
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    corners = (corners - _HEAD[:2]) * speaker.scale
    boxes = []
    for number in range(len(motion)):
        moved = cv2.transform(corners[None], _matrix(speaker, motion, number))[0]
        # The upright box of the same size around the tilted one's middle.
        middle = moved.mean(axis=0)
        size = motion.zoom[number] * speaker.scale * np.array([right - left, bottom - top])
        boxes.append([*(middle - size / 2), *size])
    return np.array(boxes).reshape(-1, 4)


def _draw_layers(speaker: Speaker) -> _Layers:
    who, scene = speaker.who, speaker.scene
    heads = []
    for drop in np.linspace(0, _WIDEST, _JAWS):
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
    region = _region(speaker)
    return _Layers(
        room=_draw_room(speaker),
        heads=tuple(heads),
        hair=hair,
        light=_light(speaker),
        noise=_draw_noise(speaker, region),
        region=region,
    )


def _shade_sockets(canvas: Canvas, who: Identity) -> None:
    """Darken the hollows of the eyes, by which detectors know a face."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for side in (-1, 1):
        hollow = np.stack([0.25 * np.cos(angle), 0.15 * np.sin(angle)], axis=1)
        hollow += (side * who.eye_distance, -0.14)
        canvas.tint(hollow, mix(who.skin, (70, 24, 20), 0.7), 0.5, 0.05)


def _draw_noise(
    speaker: Speaker, region: tuple[slice, slice]
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    random = np.random.default_rng([speaker.seed, 2])
    rows, columns = (part.stop - part.start for part in region)
    tiles = []
    for _ in range(_NOISE_TILES):
        grain = random.standard_normal((rows, columns, 1), dtype=np.float32)
        grain = np.repeat(np.rint(0.6 * speaker.scene.noise * grain), 3, axis=-1)
        more, less = (np.clip(part, 0, 255).astype(np.uint8) for part in (grain, -grain))
        tiles.append((more, less))
    return tuple(tiles)


def _head_canvas(speaker: Speaker) -> Canvas:
    left, top, right, bottom = _HEAD
    width, height = (right - left) * speaker.scale, (bottom - top) * speaker.scale
    canvas = Canvas(math.ceil(width), math.ceil(height))
    canvas.scale = speaker.scale
    canvas.center = -np.array([left, top]) * speaker.scale
    return canvas


def _cut_out(speaker: Speaker, draw) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels over black and the cover of what a function draws, found by drawing twice."""
    black, white = _head_canvas(speaker), _head_canvas(speaker)
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
    return np.where(body, (canvas.image * dim).astype(np.uint8), bare)


def _light(speaker: Speaker) -> np.ndarray:
    """Return the light on an egg-shaped head under one lamp (Lambert's law) and some sky light."""
    left, top, right, bottom = _HEAD
    shape = _head_canvas(speaker).image.shape[:2]
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


def _draw_head(speaker: Speaker, layers: _Layers, motion: Motion, number: int) -> np.ndarray:
    """Return the head with the expression of a frame: RGB over black and cover, uint8."""
    what = express(
        motion.valence[number], motion.arousal[number], motion.opening[number], motion.blink[number]
    )
    level = round((_JAWS - 1) * min(what.jaw_drop / _WIDEST, 1))
    pixels, cover = layers.heads[level]
    canvas = _head_canvas(speaker)
    canvas.yaw, canvas.pitch = float(motion.yaw[number]), float(motion.pitch[number])
    canvas.image = pixels.copy()
    draw_features(canvas, speaker.who, what, speaker.scene, speaker.shot)
    hair, hair_cover = layers.hair
    canvas.image = _lay_over(canvas.image, hair, hair_cover)
    head_parts.draw_glasses(canvas, speaker.who)
    lit = cv2.multiply(canvas.image, layers.light, dtype=cv2.CV_8U)
    return np.dstack([lit, cover])


def _lay_over(below: np.ndarray, pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Return pixels over black, laid by their cover over others."""
    through = cv2.cvtColor(cv2.bitwise_not(cover), cv2.COLOR_GRAY2RGB)
    return cv2.add(cv2.multiply(below, through, scale=1 / 255), pixels)


def _matrix(speaker: Speaker, motion: Motion, number: int) -> np.ndarray:
    """Return what takes pixels of the head's canvas to those of the picture, `(2, 3)`."""
    angle, zoom = motion.roll[number], motion.zoom[number]
    cosine, sine = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    neck = (np.array(_NECK) - _HEAD[:2]) * speaker.scale
    moved = np.array(_NECK) + (motion.x[number], motion.y[number])
    goal = np.array(speaker.center) + moved * speaker.scale
    return np.concatenate([turn, (goal - turn @ neck)[:, None]], axis=1)


def _region(speaker: Speaker) -> tuple[slice, slice]:
    """Return the rows and columns of the picture that the head can reach."""
    x, y = speaker.center
    left, top, right, bottom = (edge * speaker.scale for edge in _HEAD)
    far = _MARGIN * speaker.scale
    rows = slice(max(0, int(y + top - far)), min(speaker.height, math.ceil(y + bottom + far)))
    columns = slice(max(0, int(x + left - far)), min(speaker.width, math.ceil(x + right + far)))
    return rows, columns


def _place_head(picture: np.ndarray, head: np.ndarray, matrix: np.ndarray, layers: _Layers) -> None:
    rows, columns = layers.region
    inside = matrix - np.array([[0, 0, columns.start], [0, 0, rows.start]])
    size = (columns.stop - columns.start, rows.stop - rows.start)
    moved = cv2.warpAffine(head, inside, size, flags=cv2.INTER_LINEAR)
    part = picture[rows, columns]
    part[:] = _lay_over(part, moved[..., :3], moved[..., 3])


def _add_noise(picture: np.ndarray, layers: _Layers, random: np.random.Generator) -> None:
    part = picture[layers.region]
    more, less = layers.noise[random.integers(_NOISE_TILES)]
    part[:] = cv2.subtract(cv2.add(part, more), less)


def _expose(picture: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Return the picture with each colour multiplied by its gain, so that its mean is as wanted."""
    levels = np.arange(256)[:, None] * gain[None]
    table = np.rint(levels).clip(0, 255).astype(np.uint8)
    return cv2.LUT(picture, table[None])

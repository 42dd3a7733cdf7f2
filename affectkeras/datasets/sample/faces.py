"""Rendered faces whose only class signal is their expression."""

import functools

import cv2
import numpy as np

from affectkeras.datasets.sample import face_parts, head_parts
from affectkeras.datasets.sample.canvas import Canvas
from affectkeras.datasets.sample.face_parameters import Expression, Identity, Scene, Shot

CLASS_NAMES = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
FACE_SIZE = (143, 181)  # width, height of SFEW's aligned faces
_OVERSAMPLING = 1.25


def render_face(
    who: Identity,
    what: Expression,
    scene: Scene,
    shot: Shot,
    size: tuple[int, int] = FACE_SIZE,
) -> np.ndarray:
    """Draw one face.

    Drawn larger and scaled down. The camera then sets its exposure so that the mean grey
    value is the scene's: an open mouth makes no picture darker.

    Args:
        who, what, scene, shot: the person, expression, place and moment.
        size: (width, height) in pixels.

    Returns:
        RGB pixels, uint8 `(height, width, 3)`.
    """
    width, height = size
    canvas = Canvas(
        round(_OVERSAMPLING * width), round(_OVERSAMPLING * height),
        shot.yaw, shot.pitch, shot.roll, shot.zoom, shot.offset,
    )  # fmt: skip
    head_parts.draw_backdrop(canvas, scene)
    backdrop = canvas.image.copy()
    head_parts.draw_hair_behind(canvas, who)
    head_parts.draw_body(canvas, who, scene)
    head_parts.draw_skin(canvas, who, what, scene)
    draw_features(canvas, who, what, scene, shot)
    head_parts.draw_hair(canvas, who)
    head_parts.draw_glasses(canvas, who)
    _light_head(canvas, scene, backdrop)
    head_parts.draw_occlusion(canvas, who, shot)
    return _take_picture(canvas.image, size, scene, shot)


def draw_features(
    canvas: Canvas, who: Identity, what: Expression, scene: Scene, shot: Shot
) -> None:
    """Draw what shows the expression onto a bare face."""
    mouth = face_parts.mouth_curves(who, what, shot)
    with canvas.clipped(head_parts.face_outline(who, what), flat=True):
        face_parts.draw_forehead(canvas, who, what)
        face_parts.draw_cheeks(canvas, who, what, shot)
        head_parts.draw_beard(canvas, who, what, mouth)
        for side in (-1, 1):
            face_parts.draw_eye(canvas, who, what, shot, side)
            face_parts.draw_brow(canvas, who, what, shot, side)
        face_parts.draw_nose(canvas, who, what, scene.light[0])
        face_parts.draw_mouth(canvas, who, what, shot)


@functools.cache
def _normals(rows: int, columns: int) -> np.ndarray:
    """Return the surface normals of an egg-shaped head, `(rows, columns, 3)`."""
    y, x = np.mgrid[-1.18 : 1.16 : rows * 1j, -0.92 : 0.92 : columns * 1j]
    x, y = x / 0.9, y / 1.18
    depth = np.sqrt(np.clip(1 - x**2 - y**2, 0.05, 1))
    normals = np.stack([x, y, depth], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return normals.astype(np.float32)


def _light_head(canvas: Canvas, scene: Scene, backdrop: np.ndarray) -> None:
    """Multiply the person by the shading under one lamp (Lambert's law) and some sky light."""
    height, width = canvas.image.shape[:2]
    lamp = np.clip(_normals(46, 36) @ np.float32(scene.light), 0, 1)
    shading = (1 - scene.contrast) + scene.contrast * (0.12 + 1.1 * lamp)
    shading = cv2.resize(shading.astype(np.float32), (width, height))
    tinted = shading[..., None] * np.float32([1 + scene.warmth, 1.0, 1 - scene.warmth])
    lit = cv2.multiply(canvas.image, tinted, dtype=cv2.CV_8U)
    person = cv2.absdiff(canvas.image, backdrop).max(axis=2, keepdims=True) > 0
    canvas.image = np.where(person, lit, backdrop)


def _take_picture(image: np.ndarray, size, scene: Scene, shot: Shot) -> np.ndarray:
    """Scale down, expose, blur and add sensor noise."""
    picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    if scene.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), scene.blur)
    random = np.random.default_rng(shot.seed)
    # Twice, because what is clipped changes the mean again.
    exposure = scene.exposure * np.exp(random.normal(0, 0.05))
    for _ in range(2):
        picture = np.clip(picture * (exposure / max(picture.mean(), 1.0)), 0, 255)
    grain = random.standard_normal((*picture.shape[:2], 1), dtype=np.float32)
    speckle = random.standard_normal(picture.shape, dtype=np.float32)
    picture += np.float32(scene.noise) * (grain + np.float32(0.4) * speckle) + np.float32(0.5)
    return np.clip(picture, 0, 255).astype(np.uint8)

"""What surrounds the expression and tells nothing of it: head, hair, beard, glasses, backdrop."""

import cv2
import numpy as np

from affectkeras.datasets.sample.canvas import Canvas, mix, smooth
from affectkeras.datasets.sample.face_parameters import Expression, Identity, Scene, Shot

_BLACK = (16.0, 12.0, 12.0)
_CIRCLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)


def face_outline(who: Identity, what: Expression, share: float = 1.0) -> np.ndarray:
    """Return the closed outline of the head without hair, `(n, 2)`; the chin follows the jaw."""
    chin = 1.0 + 0.07 * what.jaw_drop
    down = np.sin(np.linspace(0, np.pi / 2, 20))
    half = who.face_width * (1 - down ** (2.3 + 1.4 * who.jaw)) ** (0.6 - 0.1 * who.jaw)
    half *= 1 - (0.24 - 0.12 * who.jaw) * down
    lower = np.stack([half, chin * down], axis=1)
    angle = np.linspace(0, np.pi / 2, 16)[1:]
    round_top = np.cos(angle) ** 0.8
    upper = np.stack([who.face_width * round_top, -1.06 * np.sin(angle)], axis=1)
    right = np.concatenate([lower[::-1], upper])
    left = right[::-1] * (-1, 1)
    return np.concatenate([right, left[1:-1]]) * share


def draw_backdrop(canvas: Canvas, scene: Scene) -> None:
    """Fill the picture with an out-of-focus place."""
    random = np.random.default_rng(scene.seed)
    height, width = canvas.image.shape[:2]
    small = np.zeros((12, 10, 3), dtype=np.float32)
    for row in range(12):
        small[row] = mix(scene.backdrop[0], scene.backdrop[1], row / 11)
    for _ in range(random.integers(2, 7)):
        top, left = random.integers(0, 11), random.integers(0, 9)
        size = random.integers(2, 7, 2)
        small[top : top + size[0], left : left + size[1]] = mix(
            scene.backdrop[2], scene.backdrop[random.integers(2)], random.uniform(0, 0.6)
        )
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    canvas.image = np.clip(picture, 0, 255).astype(np.uint8)


def draw_body(canvas: Canvas, who: Identity, scene: Scene) -> None:
    """Draw ears, neck and shoulders."""
    draw_shoulders(canvas, who, scene)
    draw_ears(canvas, who)


def draw_shoulders(canvas: Canvas, who: Identity, scene: Scene) -> None:
    """Draw neck and shoulders."""
    shadow = mix(who.skin, (50, 22, 18), 0.35)
    canvas.fill([(-0.4, 0.5), (0.4, 0.5), (0.44, 1.5), (-0.44, 1.5)], shadow, flat=True)
    collar = smooth([(-1.5, 1.5), (-1.1, 1.12), (-0.42, 0.98), (0, 1.2), (0.42, 0.98), (1.1, 1.12),
                     (1.5, 1.5)])  # fmt: skip
    canvas.fill(collar, scene.clothes, flat=True)
    canvas.stroke(collar[8:-8], mix(scene.clothes, _BLACK, 0.4), 0.02, flat=True)


def draw_ears(canvas: Canvas, who: Identity) -> None:
    """Draw the ears."""
    for side in (-1, 1):
        middle = np.array([side * (who.face_width + 0.02), 0.0])
        rim = np.stack([0.09 * np.cos(_CIRCLE), 0.19 * np.sin(_CIRCLE)], axis=1)
        canvas.fill(middle + rim, mix(who.skin, (150, 60, 50), 0.18), flat=True)
        hollow = middle + 0.55 * rim
        canvas.tint(hollow, mix(who.skin, (70, 24, 20), 0.5), 0.5, 0.012, flat=True)


def draw_skin(canvas: Canvas, who: Identity, what: Expression, scene: Scene) -> None:
    """Draw the bare face with soft shadows at its rim and on the side away from the lamp."""
    outline = face_outline(who, what)
    canvas.fill(outline, mix(who.skin, (80, 34, 28), 0.2), flat=True)
    with canvas.clipped(outline, flat=True):
        canvas.tint(face_outline(who, what, 0.9), who.skin, 1.0, 0.07, flat=True)
    chin = np.array([0, 0.84 + 0.05 * what.jaw_drop]) + np.stack(
        [0.16 * np.cos(_CIRCLE), 0.09 * np.sin(_CIRCLE)], axis=1
    )
    canvas.tint(chin, mix(who.skin, (255, 246, 236), 0.5), 0.3, 0.05)
    brow = np.array([0.1 * scene.light[0], -0.5]) + np.stack(
        [0.3 * np.cos(_CIRCLE), 0.14 * np.sin(_CIRCLE)], axis=1
    )
    canvas.tint(brow, mix(who.skin, (255, 246, 236), 0.5), 0.32, 0.08)


def draw_hair_behind(canvas: Canvas, who: Identity) -> None:
    """Draw what falls behind the head."""
    if who.hair_style == "long":
        side = who.face_width + 0.16
        outline = smooth([(-side, 1.4), (-side - 0.06, 0.4), (-side, -0.4), (-0.5, -1.12),
                          (0.5, -1.12), (side, -0.4), (side + 0.06, 0.4), (side, 1.4)])  # fmt: skip
        canvas.fill(outline, mix(who.hair, _BLACK, 0.3), flat=True)
        _draw_strands(canvas, who, outline, falling=True)
    elif who.hair_style == "curly":
        random = np.random.default_rng(round(who.face_width * 1e6))
        for angle in np.linspace(-0.15, np.pi + 0.15, 17):
            center = (np.cos(angle) * (who.face_width + 0.08), -0.15 - 0.92 * np.sin(angle))
            radius = random.uniform(0.14, 0.2)
            color = mix(who.hair, _BLACK, random.uniform(0.05, 0.35))
            canvas.disc(center, radius, color, flat=True)


def draw_hair(canvas: Canvas, who: Identity) -> None:
    """Draw the hair that frames the face."""
    if who.hair_style == "bald":
        return
    rim = who.face_width
    height = {"short": -0.66, "parted": -0.68, "fringe": -0.44, "long": -0.7, "curly": -0.62}
    middle = height[who.hair_style]
    hairline = [(-rim, 0.05), (-0.93 * rim, -0.3), (-0.72 * rim, 0.12 + middle), (0, middle),
                (0.72 * rim, 0.12 + middle), (0.93 * rim, -0.3), (rim, 0.05)]  # fmt: skip
    if who.hair_style in ("parted", "long"):
        hairline[2:5] = [(-0.6 * rim, middle - 0.06), (-0.3 * rim, middle - 0.16),
                         (0.62 * rim, middle + 0.24)]  # fmt: skip
    if who.hair_style == "fringe":
        hairline[2:5] = [(-0.8 * rim, middle + 0.03), (0, middle + 0.03),
                         (0.8 * rim, middle + 0.03)]  # fmt: skip
    angle = np.linspace(-0.05, np.pi + 0.05, 24)
    across = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.75
    crown = np.stack([(rim + 0.07) * across, 0.04 - 1.2 * np.sin(angle)], axis=1)
    edge = smooth(hairline, 5)
    outline = np.concatenate([edge, crown])
    shadow = np.concatenate([edge * (0.97, 1), edge[::-1] * (0.97, 1) + (0, 0.05)])
    canvas.tint(shadow, _BLACK, 0.35, 0.02, flat=True)
    canvas.fill(outline, who.hair, flat=True)
    _draw_strands(canvas, who, outline, falling=False)


def _draw_strands(canvas: Canvas, who: Identity, outline: np.ndarray, falling: bool) -> None:
    random = np.random.default_rng(round(who.eye_distance * 1e6))
    with canvas.clipped(outline, flat=True):
        for _ in range(46):
            glint = mix(who.hair, (255, 240, 220), 0.25 if sum(who.hair) > 150 else 0.12)
            color = mix(who.hair, glint if random.random() < 0.45 else mix(who.hair, _BLACK, 0.3),
                        random.uniform(0.3, 1))  # fmt: skip
            width = random.uniform(0.008, 0.022)
            if falling:
                x = random.uniform(-1.0, 1.0)
                line = [(x, -0.6), (x * 1.05 + random.normal(0, 0.04), 0.4), (x * 1.02, 1.4)]
            else:
                x = random.uniform(-0.95, 0.95)
                line = [(-0.2 + 0.3 * x, -1.2), (0.75 * x, -0.9), (0.95 * x, -0.55), (x, 0.05)]
            canvas.stroke(smooth(line, 4), color, width, flat=True)


def draw_beard(canvas: Canvas, who: Identity, what: Expression, mouth: dict) -> None:
    """Draw stubble, moustache or full beard, which move with the mouth."""
    if who.beard == "none":
        return
    color = mix(who.hair, _BLACK, 0.25)
    upper = mouth["upper_outer"]
    lip = np.concatenate([upper[1:-1] - (0, 0.012), (upper[1:-1] * (1.06, 1) - (0, 0.085))[::-1]])
    if who.beard in ("moustache", "full"):
        canvas.tint(lip, color, 0.85, 0.014)
    if who.beard in ("stubble", "full"):
        outer = face_outline(who, what)
        outer = outer[outer[:, 1] > 0.12]
        order = np.argsort(np.arctan2(outer[:, 0], outer[:, 1] - 0.12))
        inner = [(0.64 * who.face_width / 0.74, 0.3), (0.36, 0.44), (0.3, 0.3), (0, 0.33),
                 (-0.3, 0.3), (-0.36, 0.44), (-0.64 * who.face_width / 0.74, 0.3)]  # fmt: skip
        region = np.concatenate([outer[order] * (0.99, 0.99), smooth(inner, 4)])
        canvas.tint(region, color, 0.26 if who.beard == "stubble" else 0.8, 0.025, flat=True)


def draw_glasses(canvas: Canvas, who: Identity) -> None:
    """Draw glasses."""
    if who.glasses == "none":
        return
    frame = mix(who.hair, _BLACK, 0.8)
    power = 1.0 if who.glasses == "round" else 0.45
    for side in (-1, 1):
        cosine, sine = np.cos(_CIRCLE), np.sin(_CIRCLE)
        rim = np.array([side * who.eye_distance, -0.09]) + np.stack(
            [0.225 * np.sign(cosine) * np.abs(cosine) ** power,
             0.185 * np.sign(sine) * np.abs(sine) ** power], axis=1
        )  # fmt: skip
        canvas.tint(rim, (235, 240, 250), 0.08, 0.01)
        canvas.stroke(np.concatenate([rim, rim[:1]]), frame, 0.02)
        canvas.stroke([(side * (who.eye_distance + 0.22), -0.12), (side * who.face_width, -0.14)],
                      frame, 0.02)  # fmt: skip
    bridge = who.eye_distance - 0.22
    canvas.stroke(smooth([(-bridge, -0.11), (0, -0.14), (bridge, -0.11)]), frame, 0.02)


def draw_occlusion(canvas: Canvas, who: Identity, shot: Shot) -> None:
    """Draw what gets between the camera and the face: a hand, a strand of hair, a microphone."""
    random = np.random.default_rng(shot.seed)
    side = 1 if random.random() < 0.5 else -1
    if shot.occlusion == "hand":
        x, y = side * random.uniform(0.5, 0.72), random.uniform(0.2, 0.75)
        for finger in range(4):
            low = (x + side * 0.45, y + 0.05 + 0.15 * finger)
            tip = (x - side * random.uniform(-0.05, 0.1), y - 0.06 + 0.14 * finger)
            canvas.stroke([low, tip], mix(who.skin, (70, 24, 20), 0.4), 0.165, flat=True)
            canvas.stroke([low, tip], mix(who.skin, (90, 30, 24), 0.1), 0.14, flat=True)
    elif shot.occlusion == "strand":
        x, end = side * random.uniform(0.2, 0.4), random.uniform(0.1, 0.6)
        for _ in range(6):
            bend = x + side * random.normal(0, 0.04)
            line = smooth([(0.2 * x, -0.9), (bend, -0.45), (bend * 1.3, -0.1), (bend * 1.1, end)])
            canvas.stroke(line, mix(who.hair, _BLACK, random.uniform(0, 0.3)), 0.018, flat=True)
    elif shot.occlusion == "microphone":
        x = side * random.uniform(0.25, 0.5)
        canvas.stroke([(x * 2.2, 1.4), (x, 0.8)], (40, 40, 44), 0.1, flat=True)
        canvas.disc((x, 0.76), 0.13, (62, 62, 66), flat=True)
        canvas.disc((x - 0.03, 0.72), 0.05, (110, 110, 116), flat=True)

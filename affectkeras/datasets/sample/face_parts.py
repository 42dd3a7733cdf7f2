"""The parts of a face that carry its expression: eyes, brows, nose, mouth and the folds between.

Every function draws on a `Canvas` in face coordinates. `side` is -1 for the viewer's left, 1 for
the right.
"""

import numpy as np

from affectkeras.datasets.sample.canvas import Canvas, mix, smooth
from affectkeras.datasets.sample.face_parameters import Expression, Identity, Shot

BLACK = (18.0, 12.0, 12.0)
WHITE = (250.0, 248.0, 244.0)
EYE_HEIGHT = -0.1
MOUTH_HEIGHT = 0.5

_ACROSS = np.linspace(-1, 1, 13)


def _shade(identity: Identity, share: float):
    """Return the skin's colour in a fold: darker and a little redder."""
    return mix(identity.skin, (70, 24, 20), share)


def draw_eye(canvas: Canvas, who: Identity, what: Expression, shot: Shot, side: int) -> None:
    """Draw one eye with its lids."""
    half = 0.152 * who.eye_size
    center = np.array([side * who.eye_distance, EYE_HEIGHT])
    opening = 1.0 + who.lid_rest + 0.6 * what.upper_lid_raise - 0.3 * what.lid_tighten
    opening -= 0.55 * what.lid_droop + 0.25 * what.cheek_raise + side * 0.4 * shot.asymmetry * 0.5
    upper = 0.088 * who.eye_size * max(opening, 0.18)
    lower = 0.058 * who.eye_size * (1 - 0.5 * what.lid_tighten - 0.55 * what.cheek_raise)
    lower = max(lower, 0.008) + 0.012 * what.upper_lid_raise
    tilt = -who.eye_tilt * side * _ACROSS
    top = center + np.stack([half * _ACROSS, tilt - upper * (1 - np.abs(_ACROSS) ** 2.3)], axis=1)
    bottom = center + np.stack([half * _ACROSS, tilt + lower * (1 - _ACROSS**2)], axis=1)
    socket = center + np.stack([0.22 * np.cos(_CIRCLE), 0.15 * np.sin(_CIRCLE) - 0.02], axis=1)
    canvas.tint(socket, _shade(who, 0.55), 0.35, 0.05)
    outline = np.concatenate([top, bottom[::-1]])
    look = center + (np.clip(shot.gaze, -0.6, 0.6) * (0.09, 0.05)) + (0, -0.012)
    with canvas.clipped(outline):
        canvas.fill(outline, (236, 230, 226))
        canvas.disc(look, 0.082 * who.eye_size, mix(who.iris, BLACK, 0.55))
        canvas.disc(look, 0.071 * who.eye_size, who.iris)
        canvas.disc(look, 0.036 * who.eye_size, BLACK)
        canvas.disc(look + (-0.028, -0.03), 0.017, WHITE)
        canvas.tint(top + (0, 0.006), BLACK, 0.5, 0.02)
    canvas.stroke(top, mix(who.hair, BLACK, 0.65), 0.02)
    canvas.stroke(bottom[1:-1], _shade(who, 0.45), 0.009)
    lift = 0.04 + 0.02 * what.lid_droop - 0.018 * what.upper_lid_raise
    canvas.stroke(smooth(top[::3] - (0, lift)), _shade(who, 0.38), 0.01)
    bag = 0.12 * who.age + 0.4 * what.cheek_raise + 0.2 * what.lid_tighten
    crease = bottom[2:-2] + (0, 0.045 - 0.012 * what.cheek_raise)
    canvas.tint(np.concatenate([crease, crease[::-1] + (0, 0.014)]), _shade(who, 0.7), bag, 0.01)
    if what.cheek_raise > 0.35 or who.age > 0.6:
        corner = center + (side * (half + 0.02), 0.0)
        for angle in (-0.5, 0.0, 0.45):
            end = corner + 0.085 * np.array([side * np.cos(angle), np.sin(angle)])
            fold = np.array([corner, end, end + (0, 0.008), corner + (0, 0.008)])
            canvas.tint(fold, _shade(who, 0.7), 0.5 * what.cheek_raise + 0.2 * who.age, 0.008)


def draw_brow(canvas: Canvas, who: Identity, what: Expression, shot: Shot, side: int) -> None:
    """Draw one brow."""
    strength = 1 + side * shot.asymmetry
    inner_raise = what.inner_brow_raise * strength
    outer_raise = what.outer_brow_raise * strength
    base = -0.295 + who.brow_height + 0.025 * what.nose_wrinkle + 0.015 * what.cheek_raise
    inner_x = 0.135 + 0.1 * (who.eye_distance - 0.33) - 0.04 * what.brow_lower
    heights = np.array(
        [
            0.012 - 0.125 * inner_raise + 0.115 * what.brow_lower * (1 - 0.55 * inner_raise),
            -0.03 - 0.075 * inner_raise - 0.06 * outer_raise + 0.075 * what.brow_lower,
            -0.045 - 0.015 * inner_raise - 0.12 * outer_raise + 0.03 * what.brow_lower,
            0.02 + 0.015 * inner_raise - 0.1 * outer_raise,
        ]
    )
    heights += base + who.brow_tilt * np.array([-1, -0.3, 0.3, 1])
    middle = smooth(
        np.stack([side * np.array([inner_x, 0.26, 0.41, 0.54]), heights], axis=1), steps=5
    )
    thickness = who.brow_thickness * np.interp(
        np.linspace(0, 1, len(middle)), [0, 0.15, 0.6, 1], [0.6, 1.0, 0.85, 0.15]
    )
    outline = np.concatenate([middle - np.c_[0 * thickness, thickness / 2],
                              (middle + np.c_[0 * thickness, thickness / 2])[::-1]])  # fmt: skip
    color = mix(mix(who.hair, BLACK, 0.45), who.skin, 0.12)
    canvas.tint(outline, color, 0.9, 0.012)
    canvas.fill(outline[2:-2], color)


def draw_forehead(canvas: Canvas, who: Identity, what: Expression) -> None:
    """Draw the folds that brows push up (raised) or together (lowered)."""
    raised = max(0.5 * what.inner_brow_raise + 0.5 * what.outer_brow_raise - 0.25, 0)
    alpha = 0.5 * raised + 0.25 * max(who.age - 0.3, 0)
    for i, height in enumerate((-0.47, -0.55, -0.62)):
        width = 0.36 - 0.05 * i
        line = np.stack([width * _ACROSS, height - 0.03 * (1 - _ACROSS**2)], axis=1)
        fold = np.concatenate([line, line[::-1] + (0, 0.014)])
        canvas.tint(fold, _shade(who, 0.75), alpha, 0.008)
    frown = 0.75 * what.brow_lower + 0.15 * who.age
    for side in (-1, 1):
        x = side * (0.05 - 0.01 * what.brow_lower)
        fold = [(x, -0.36), (x + side * 0.014, -0.36), (x + side * 0.006, -0.2), (x, -0.2)]
        canvas.tint(fold, _shade(who, 0.8), frown, 0.009)


def draw_nose(canvas: Canvas, who: Identity, what: Expression, light_x: float) -> None:
    """Draw the nose; it shortens and wrinkles with disgust."""
    tip = EYE_HEIGHT + who.nose_length + 0.09 - 0.03 * what.nose_wrinkle
    width = who.nose_width * (1 + 0.12 * what.nose_wrinkle + 0.08 * what.corner_pull)
    dark = -1 if light_x > 0 else 1
    side = [(dark * 0.05, -0.16), (dark * 0.065, 0.05), (dark * width, tip - 0.02),
            (dark * 0.4 * width, tip), (dark * 0.02, 0.05)]  # fmt: skip
    canvas.tint(side, _shade(who, 0.6), 0.42, 0.03)
    ridge = [(-0.02, -0.1), (0.02, -0.1), (0.03, tip - 0.06), (-0.03, tip - 0.06)]
    canvas.tint(ridge, mix(who.skin, WHITE, 0.5), 0.4, 0.025)
    under = np.stack([width * _ACROSS, tip + 0.035 * (1 - np.abs(_ACROSS)) - 0.01], axis=1)
    canvas.tint(np.concatenate([under, under[::-1] + (0, 0.045)]), _shade(who, 0.7), 0.5, 0.02)
    for end in (-1, 1):
        nostril = np.stack([end * 0.5 * width + 0.3 * width * np.cos(_CIRCLE),
                            tip + 0.004 + 0.017 * np.sin(_CIRCLE)], axis=1)  # fmt: skip
        canvas.fill(nostril, _shade(who, 0.85))
        wing = [(end * width * 0.9, tip - 0.075), (end * width * 1.12, tip - 0.02),
                (end * width * 0.85, tip + 0.014)]  # fmt: skip
        canvas.stroke(smooth(wing, 4), _shade(who, 0.45), 0.012)
    for i in range(3):
        line = [(-0.075, -0.15 + 0.05 * i), (0, -0.125 + 0.05 * i), (0.075, -0.15 + 0.05 * i)]
        curve = smooth(line, 4)
        fold = np.concatenate([curve, curve[::-1] + (0, 0.014)])
        canvas.tint(fold, _shade(who, 0.8), 0.7 * max(what.nose_wrinkle - 0.15, 0), 0.008)


def draw_cheeks(canvas: Canvas, who: Identity, what: Expression, shot: Shot) -> None:
    """Draw the folds from nose to mouth and the raised cheeks."""
    reach = who.mouth_width + 0.09 * what.corner_pull + 0.07 * what.lip_stretch
    alpha = 0.12 + 0.25 * who.age + 0.4 * max(what.corner_pull, what.upper_lip_raise)
    for side in (-1, 1):
        bulge = 0.05 * what.corner_pull
        line = smooth(
            [(side * (who.nose_width + 0.03), 0.2 - 0.03 * what.nose_wrinkle),
             (side * (reach - 0.01 + bulge), 0.33), (side * (reach + 0.07), 0.5)], 6
        )  # fmt: skip
        fold = np.concatenate([line, line[::-1] + (side * 0.018, 0.0)])
        canvas.tint(fold, _shade(who, 0.65), min(alpha * (1 + side * shot.asymmetry), 0.8), 0.012)
        apple = np.array([side * 0.42, 0.16 - 0.04 * what.cheek_raise]) + np.stack(
            [0.15 * np.cos(_CIRCLE), 0.1 * np.sin(_CIRCLE)], axis=1
        )
        canvas.tint(apple, mix(who.skin, (235, 120, 110), 0.4), 0.28, 0.06)
        shine = 0.12 + 0.35 * what.cheek_raise
        canvas.tint(apple * (1, 0.6) + (0, 0.03), mix(who.skin, WHITE, 0.5), shine, 0.05)


def mouth_curves(who: Identity, what: Expression, shot: Shot) -> dict[str, np.ndarray]:
    """Return the four lines of the lips `(13, 2)`, from the left corner to the right.

    `upper_outer` and `lower_outer` bound the lips, `upper_inner` and `lower_inner` the opening.
    """
    width = who.mouth_width * (1 - 0.22 * min(what.jaw_drop, 1) * (1 - what.corner_pull))
    width += 0.085 * what.corner_pull + 0.075 * what.lip_stretch - 0.03 * what.lip_press
    lift = -who.corner_rest - 0.105 * what.corner_pull + 0.1 * what.corner_depress
    lift += 0.03 * what.lip_stretch
    corners = MOUTH_HEIGHT + lift * (1 + shot.asymmetry * _ACROSS)
    bump = 1 - np.abs(_ACROSS) ** 2.2  # 0 in the corners, 1 in the middle
    raised = 0.075 * what.upper_lip_raise + 0.02 * what.nose_wrinkle + 0.02 * what.corner_pull
    parted = np.clip(what.lips_part - 0.25, 0, 1) * 0.045
    dropped = 0.24 * np.clip(what.jaw_drop - 0.12, 0, 1.2)
    center = MOUTH_HEIGHT - 0.035 * what.chin_raise * (1 - min(what.jaw_drop, 1))
    thin = 1 - 0.6 * what.lip_press
    upper_inner = center - 0.6 * raised - 0.4 * parted
    lower_inner = max(center + parted + dropped, upper_inner)
    upper_outer = center - raised - 0.4 * parted - 0.06 * who.lip_fullness * thin
    lower_outer = lower_inner + 0.075 * who.lip_fullness * thin * (1 - 0.15 * what.corner_pull)
    bow = 0.016 * np.exp(-((_ACROSS / 0.16) ** 2)) * who.lip_fullness
    square = 1 - np.abs(_ACROSS) ** (2.2 + 2.0 * max(what.upper_lip_raise, what.lip_stretch))

    def line(middle, shape):
        return np.stack([width * _ACROSS, corners + (middle - corners) * shape], axis=1)

    upper = line(upper_outer, bump)
    upper[:, 1] += bow
    return {
        "upper_outer": upper,
        "upper_inner": line(upper_inner, square),
        "lower_inner": line(lower_inner, square),
        "lower_outer": line(lower_outer, bump),
    }


def draw_mouth(canvas: Canvas, who: Identity, what: Expression, shot: Shot) -> None:
    """Draw lips, teeth and tongue."""
    curves = mouth_curves(who, what, shot)
    opening = np.concatenate([curves["upper_inner"], curves["lower_inner"][::-1]])
    gap = float((curves["lower_inner"] - curves["upper_inner"])[6, 1])
    for name, share in (("lower", 0.06), ("upper", 0.2)):
        outer, inner = curves[f"{name}_outer"], curves[f"{name}_inner"]
        lip = np.concatenate([outer, inner[::-1]])
        canvas.tint(lip, mix(who.lips, BLACK, share), 0.95, 0.008)
    lower = curves["lower_outer"]
    gloss = lower[4:-4] - (0, 0.03)
    canvas.tint(np.concatenate([gloss, gloss[::-1] - (0, 0.014)]), WHITE, 0.25, 0.015)
    shadow = lower[2:-2] + (0, 0.035)
    below = np.concatenate([shadow, shadow[::-1] + (0, 0.03)])
    canvas.tint(below, _shade(who, 0.6), 0.3 + 0.25 * what.chin_raise, 0.025)
    if gap > 0.012:
        with canvas.clipped(opening):
            canvas.fill(opening, (52, 14, 18))
            if gap > 0.1:
                tongue = (0, float(lower[6, 1]) - 0.02) + np.stack(
                    [0.13 * np.cos(_CIRCLE), 0.1 * np.sin(_CIRCLE)], axis=1
                )
                canvas.fill(tongue, (178, 84, 86))
            teeth = curves["upper_inner"][1:-1]
            depth = 0.05 + 0.02 * max(what.corner_pull, what.upper_lip_raise, what.lip_stretch)
            canvas.fill(np.concatenate([teeth, teeth[::-1] + (0, depth)]), (238, 233, 222))
            if what.lip_stretch > 0.5 and gap > 0.07:
                teeth = curves["lower_inner"][2:-2]
                canvas.fill(np.concatenate([teeth, teeth[::-1] - (0, 0.035)]), (228, 222, 210))
    else:
        canvas.stroke(curves["upper_inner"], mix(who.lips, BLACK, 0.6), 0.014)
    for side, corner in ((-1, 0), (1, -1)):
        point = curves["upper_inner"][corner]
        droop = 0.045 * what.corner_depress - 0.03 * what.corner_pull
        fold = [point + (-side * 0.02, 0), point + (side * 0.02, droop - 0.004),
                point + (side * 0.03, droop + 0.014)]  # fmt: skip
        canvas.tint(fold, _shade(who, 0.85), 0.7, 0.009)


_CIRCLE = np.linspace(0, 2 * np.pi, 24, endpoint=False)

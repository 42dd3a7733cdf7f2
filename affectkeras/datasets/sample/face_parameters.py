"""What a sample face is made of: who (identity), what (expression), where (scene), how (shot).

Only the expression depends on the class. Everything else is drawn without looking at it, so that
light, colour, person and place tell a model nothing.
"""

import dataclasses

import numpy as np

from affectkeras.datasets.sample.canvas import Color, mix


@dataclasses.dataclass(frozen=True)
class Expression:
    """Facial action units, 0 = at rest, 1 = strong, with their FACS numbers."""

    inner_brow_raise: float = 0.0  # AU1
    outer_brow_raise: float = 0.0  # AU2
    brow_lower: float = 0.0  # AU4
    upper_lid_raise: float = 0.0  # AU5
    cheek_raise: float = 0.0  # AU6
    lid_tighten: float = 0.0  # AU7
    nose_wrinkle: float = 0.0  # AU9
    upper_lip_raise: float = 0.0  # AU10
    corner_pull: float = 0.0  # AU12
    corner_depress: float = 0.0  # AU15
    chin_raise: float = 0.0  # AU17
    lip_stretch: float = 0.0  # AU20
    lip_press: float = 0.0  # AU24
    lips_part: float = 0.0  # AU25
    jaw_drop: float = 0.0  # AU26
    lid_droop: float = 0.0  # AU43


# Each class has more than one way of being shown (after the EMFACS prototypes).
PROTOTYPES: dict[str, tuple[Expression, ...]] = {
    "Angry": (
        Expression(brow_lower=1.0, upper_lid_raise=0.35, lid_tighten=0.7, lip_press=0.9),
        Expression(
            brow_lower=1.0, upper_lid_raise=0.5, lid_tighten=0.5, upper_lip_raise=0.35,
            lips_part=0.9, jaw_drop=0.25, lip_stretch=0.2,
        ),
    ),
    "Disgust": (
        Expression(
            brow_lower=0.5, lid_tighten=0.6, cheek_raise=0.4, nose_wrinkle=1.0,
            upper_lip_raise=0.9, corner_depress=0.4, chin_raise=0.3,
        ),
        Expression(
            brow_lower=0.4, lid_tighten=0.7, cheek_raise=0.4, nose_wrinkle=0.9,
            upper_lip_raise=1.0, lips_part=0.8, corner_depress=0.3,
        ),
    ),
    "Fear": (
        Expression(
            inner_brow_raise=1.0, outer_brow_raise=0.35, brow_lower=0.45, upper_lid_raise=0.9,
            lip_stretch=0.9, lips_part=0.7, jaw_drop=0.15,
        ),
        Expression(
            inner_brow_raise=1.0, outer_brow_raise=0.4, brow_lower=0.4, upper_lid_raise=1.0,
            lip_stretch=0.8, lips_part=0.7, jaw_drop=0.4, corner_depress=0.2,
        ),
    ),
    "Happy": (
        Expression(cheek_raise=0.9, corner_pull=1.0, lips_part=0.9),
        Expression(cheek_raise=0.7, corner_pull=0.9),
        Expression(cheek_raise=0.9, corner_pull=1.0, lips_part=1.0, jaw_drop=0.35),
    ),
    "Neutral": (Expression(),),
    "Sad": (
        Expression(inner_brow_raise=0.9, brow_lower=0.35, corner_depress=1.0, chin_raise=0.5,
                   lid_droop=0.4),
        Expression(inner_brow_raise=0.8, brow_lower=0.3, corner_depress=0.8, lid_droop=0.6),
    ),
    "Surprise": (
        Expression(inner_brow_raise=1.0, outer_brow_raise=1.0, upper_lid_raise=0.8, lips_part=0.6,
                   jaw_drop=0.9),
        Expression(inner_brow_raise=1.0, outer_brow_raise=1.0, upper_lid_raise=0.9, lips_part=0.5,
                   jaw_drop=0.45),
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Identity:
    """A person: everything that stays the same from picture to picture. Lengths in face units."""

    skin: Color
    hair: Color
    iris: Color
    lips: Color
    hair_style: str  # bald | short | parted | fringe | long | curly
    beard: str  # none | stubble | moustache | full
    glasses: str  # none | round | square
    face_width: float
    jaw: float  # 0 pointed … 1 square
    eye_distance: float
    eye_size: float
    eye_tilt: float
    lid_rest: float  # how open the eyes are at rest, added to the expression's
    brow_height: float
    brow_tilt: float
    brow_thickness: float
    nose_width: float
    nose_length: float
    mouth_width: float
    lip_fullness: float
    corner_rest: float  # height of the mouth corners at rest
    age: float  # 0 smooth … 1 wrinkled


@dataclasses.dataclass(frozen=True)
class Scene:
    """A place and its light, shared by the frames of a clip."""

    backdrop: tuple[Color, Color, Color]
    clothes: Color
    light: tuple[float, float, float]  # unit vector towards the lamp: right, down, to the viewer
    contrast: float  # 0 flat … 1 only the lamp
    warmth: float  # above 0 reddish, below 0 bluish
    exposure: float  # mean grey value of the picture, 0–255
    blur: float  # sigma, pixels of the finished picture
    noise: float  # sigma, grey values
    seed: int


@dataclasses.dataclass(frozen=True)
class Shot:
    """One frame of a clip: how head, eyes and hands happen to be. Angles in radians."""

    yaw: float
    pitch: float
    roll: float
    zoom: float
    offset: tuple[float, float]
    gaze: tuple[float, float]
    asymmetry: float
    occlusion: str  # none | hand | strand | microphone
    seed: int


_SKINS = ((252, 226, 206), (243, 205, 176), (229, 180, 145), (204, 150, 113), (166, 114, 82),
          (126, 83, 58), (92, 60, 45))  # fmt: skip
_HAIRS = ((28, 24, 24), (58, 38, 28), (98, 64, 40), (150, 104, 60), (212, 176, 112), (140, 62, 34),
          (150, 148, 146), (222, 220, 216))  # fmt: skip
_IRISES = ((62, 40, 26), (92, 60, 34), (74, 98, 62), (72, 108, 140), (104, 124, 136))
_STYLES = ("bald", "short", "parted", "fringe", "long", "curly")


def draw_identity(random: np.random.Generator) -> Identity:
    """Return a new person."""
    tone = random.uniform(0, len(_SKINS) - 1.001)
    skin = mix(_SKINS[int(tone)], _SKINS[int(tone) + 1], tone % 1)
    dark = tone > 3.2
    hair = _HAIRS[random.choice([0, 1, 6] if dark else len(_HAIRS))]
    bearded = random.random() < 0.38
    lips = mix(skin, (178, 72, 76), random.uniform(0.35, 0.6))
    if not bearded and random.random() < 0.25:
        lips = mix((176, 30, 52), (206, 88, 104), random.random())
    return Identity(
        skin=skin,
        hair=mix(hair, (90, 70, 60), random.uniform(0, 0.2)),
        iris=_IRISES[0 if dark else random.integers(len(_IRISES))],
        lips=lips,
        hair_style=str(random.choice(_STYLES, p=[0.08, 0.22, 0.2, 0.17, 0.2, 0.13])),
        beard=str(random.choice(["stubble", "moustache", "full"])) if bearded else "none",
        glasses=str(random.choice(["none", "round", "square"], p=[0.8, 0.1, 0.1])),
        face_width=random.uniform(0.68, 0.8),
        jaw=random.uniform(0, 1),
        eye_distance=random.uniform(0.3, 0.36),
        eye_size=random.uniform(0.88, 1.12),
        eye_tilt=random.uniform(-0.03, 0.05),
        lid_rest=random.normal(0, 0.08),
        brow_height=random.normal(0, 0.014),
        brow_tilt=random.normal(0, 0.012),
        brow_thickness=random.uniform(0.028, 0.062),
        nose_width=random.uniform(0.1, 0.155),
        nose_length=random.uniform(0.24, 0.32),
        mouth_width=random.uniform(0.23, 0.29),
        lip_fullness=random.uniform(0.75, 1.25),
        corner_rest=random.normal(0, 0.008),
        age=random.uniform(0, 1) ** 1.6,
    )


def draw_scene(random: np.random.Generator) -> Scene:
    """Return a new place with its light."""
    azimuth, height = random.uniform(-1.1, 1.1), random.uniform(-0.9, 0.15)
    light = np.array([np.sin(azimuth), height, np.cos(azimuth)])
    light /= np.linalg.norm(light)
    base = random.uniform(20, 200) + random.normal(0, 24, 3)  # muted, as film sets are
    shades = tuple(
        tuple(float(value) for value in np.clip(base + random.normal(0, 26, 3), 4, 245))
        for _ in range(3)
    )
    return Scene(
        backdrop=shades,
        clothes=mix(tuple(random.uniform(15, 225, 3).tolist()), (110, 110, 115), 0.35),
        light=tuple(float(value) for value in light),
        contrast=random.uniform(0.2, 0.6),
        warmth=random.normal(0, 0.045),
        exposure=float(np.clip(random.normal(118, 20), 78, 165)),
        blur=random.uniform(0, 0.9),
        noise=random.uniform(1, 6),
        seed=int(random.integers(2**31)),
    )


def draw_shot(random: np.random.Generator) -> Shot:
    """Return how the head happens to be in one frame."""
    return Shot(
        yaw=float(np.clip(random.normal(0, 0.09), -0.3, 0.3)),
        pitch=float(np.clip(random.normal(0, 0.05), -0.12, 0.12)),
        roll=float(np.clip(random.normal(0, 0.05), -0.14, 0.14)),
        zoom=random.uniform(0.95, 1.05),
        offset=(random.normal(0, 0.02), random.normal(0, 0.02)),
        gaze=(float(random.normal(0, 0.3)), float(random.normal(0, 0.2))),
        asymmetry=random.normal(0, 0.12),
        occlusion=str(
            random.choice(["none", "hand", "strand", "microphone"], p=[0.87, 0.05, 0.05, 0.03])
        ),
        seed=int(random.integers(2**31)),
    )


def draw_expression(
    class_name: str, random: np.random.Generator, intensity: float, variation: float = 0.05
) -> Expression:
    """Return an expression of a class.

    Args:
        class_name: a key of `PROTOTYPES`.
        random: where the numbers come from.
        intensity: 0 = nothing shows, 1 = as in the prototype.
        variation: standard deviation of every action unit around the prototype.

    About one face in ten is caught speaking, whatever the class: an open mouth alone says little.
    """
    prototypes = PROTOTYPES[class_name]
    prototype = dataclasses.asdict(prototypes[random.integers(len(prototypes))])
    noise = random.normal(0, variation, len(prototype))
    units = {
        name: float(np.clip(value * intensity + noise[i], 0, 1.25))
        for i, (name, value) in enumerate(prototype.items())
    }
    if random.random() < 0.1:
        units["jaw_drop"] += random.uniform(0.05, 0.25)
        units["lips_part"] += random.uniform(0.3, 0.6)
    return Expression(**units)


def blend_expressions(first: Expression, second: Expression, share: float) -> Expression:
    """Return the expression that lies `share` of the way from `first` to `second`."""
    one, two = dataclasses.astuple(first), dataclasses.astuple(second)
    return Expression(*(a + (b - a) * share for a, b in zip(one, two, strict=True)))

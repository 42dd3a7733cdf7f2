"""Valence and arousal as a place on the circle of affect: angle, intensity and named sector.

Eight concepts lie on a circle at steps of 45 degrees (Russell 1980, "A Circumplex Model of Affect",
Journal of Personality and Social Psychology 39; Figure 1 of the CNN-GRU report): pleasure at 0°,
excitement 45°, arousal 90°, distress 135°, misery 180°, depression 225°, sleepiness 270° and
contentment 315°. Valence points along 0°, arousal along 90°. The report says of the angle that it
is the arctangent of "the side opposite the angle over the side adjacent": arousal over valence. An
angle is given the concept that lies nearest, so every sector is centred on its own.

The report's own screen does not follow that definition. It shows "Sleepiness" for arousal -0.035
and valence 0.108 (Figures 12 and 14; ours 342°, pleasure) and "Relaxation" for arousal -0.0215 and
valence 0.0335 (Figures 13 and 14; ours 327°, contentment, which is another name for it). Both fit
the arctangent of valence over arousal, the axes swapped: 288° and 303°.
"""

import numpy as np

# The concepts in order of their angles, from 0° in steps of 45°.
SECTORS = (
    *("pleasure", "excitement", "arousal", "distress"),
    *("misery", "depression", "sleepiness", "contentment"),
)
WIDTH = 360 / len(SECTORS)  # degrees
NEUTRAL = "neutral"
NONE = "none"  # of a frame before the first that was predicted


def angles(valence: np.ndarray, arousal: np.ndarray) -> np.ndarray:
    """Return the angle `atan2(arousal, valence)` in degrees, in [0, 360); NaN stays NaN.

    Args:
        valence, arousal: numbers of one shape, or of shapes that fit together.
    """
    # Adding 0 turns -0 into 0: no direction is 0°, not 180°.
    valence, arousal = np.asarray(valence, float) + 0.0, np.asarray(arousal, float) + 0.0
    found = np.mod(np.degrees(np.arctan2(arousal, valence)), 360)
    return np.where(found >= 360, 0.0, found)  # just below 0° rounds up to 360°


def intensity(valence: np.ndarray, arousal: np.ndarray) -> np.ndarray:
    """Return the distance from the middle of the circle; up to √2, as valence and arousal to 1."""
    return np.hypot(np.asarray(valence, float), np.asarray(arousal, float))


def sectors_of_angles(degrees: np.ndarray) -> np.ndarray:
    """Return the name of the sector of each angle; "" for NaN.

    A boundary belongs to the sector behind it: pleasure is [337.5°, 22.5°).
    """
    degrees = np.asarray(degrees, float)
    known = np.isfinite(degrees)
    number = np.floor((np.where(known, degrees, 0.0) + WIDTH / 2) / WIDTH).astype(int)
    return np.where(known, np.array(SECTORS)[number % len(SECTORS)], "")


def sectors(valence: np.ndarray, arousal: np.ndarray, neutral_radius: float = 0.1) -> np.ndarray:
    """Return the name of the sector that each pair lies in.

    Args:
        valence, arousal: numbers in [-1, 1]; where either is NaN the name is "".
        neutral_radius: what lies nearer to the middle is "neutral". The middle itself, which has no
            direction, always is.
    """
    if not neutral_radius >= 0:
        raise ValueError(f"`neutral_radius` must be 0 or more. Received: {neutral_radius}")
    radius = intensity(valence, arousal)
    near = (radius < neutral_radius) | (radius == 0)
    found = sectors_of_angles(angles(valence, arousal))
    return np.where(near, NEUTRAL, found)


def held_values(values: np.ndarray, at: np.ndarray, frames: np.ndarray, before) -> np.ndarray:
    """Return for each frame the value that was predicted last.

    For models that predict some frames only: the report's screen shows a prediction until the next.

    Args:
        values: `(predictions,)`, numbers or names.
        at: `(predictions,)`, the frame of each, ascending.
        frames: the frames to fill.
        before: stands before the first prediction: NaN for numbers, `NONE` for names.
    """
    values, at, frames = np.asarray(values), np.asarray(at), np.asarray(frames)
    if values.shape != at.shape or at.ndim != 1:
        raise ValueError(
            "`values` and `at` must be of one length, a frame for each value. "
            f"Received: shapes {values.shape} and {at.shape}"
        )
    if np.any(np.diff(at) <= 0):
        raise ValueError(f"`at` must be ascending, each frame once. Received: {at}")
    if not len(at):
        return np.full(frames.shape, before)
    last = np.searchsorted(at, frames, side="right") - 1
    return np.where(last < 0, before, values[np.maximum(last, 0)])

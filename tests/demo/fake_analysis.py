"""Analyses that need no model: readings known beforehand, and the video with a box drawn in."""

from fractions import Fraction

import av
import numpy as np
import pandas as pd

from affectkeras.circumplex import intensity, sectors
from affectkeras.media.image_check import read_image_file
from affectkeras.media.upright import decode_upright
from affectkeras.media.video_frames import every_frame

CLASSES = ("angry", "happy", "neutral", "sad", "surprise", "fear", "disgust")
BEFORE = 3  # frames before the first reading


def analyse_numbers(path, *, annotate, on_progress):
    """Return valence and arousal that go round, `BEFORE` frames later than the face."""
    times = _annotate(path, annotate, on_progress)
    frame = np.arange(len(times))
    turn = 2 * np.pi * frame / max(40, len(times))
    read = frame >= (BEFORE if len(times) > 1 else 0)
    valence = np.where(read, 0.7 * np.cos(turn) + 0.1 * np.sin(7 * turn), np.nan)
    arousal = np.where(read, 0.6 * np.sin(turn), np.nan)
    sector = np.where(read, sectors(valence, arousal), "none")
    return _faces(times).assign(
        valence=valence, arousal=arousal, intensity=intensity(valence, arousal), sector=sector
    )


def analyse_classes(path, *, annotate, on_progress):
    """Return probabilities of classes; which is the most probable changes with time."""
    times = _annotate(path, annotate, on_progress)
    phase = np.arange(len(times))[:, None] / 15 + np.arange(len(CLASSES))
    raw = np.exp(2 * np.sin(phase))
    share = raw / raw.sum(axis=1, keepdims=True)
    best = share.argmax(axis=1)
    table = _faces(times).assign(
        class_name=np.array(CLASSES)[best], probability=share[np.arange(len(times)), best]
    )
    return table.assign(**{f"p_{name}": share[:, n] for n, name in enumerate(CLASSES)})


def _faces(times):
    return pd.DataFrame(
        {
            "frame": np.arange(len(times)),
            "time_s": times,
            "face": 0,
            "x": 8.0,
            "y": 8.0,
            "width": 24.0,
            "height": 24.0,
            "confidence": 0.99,
        }
    )


def _annotate(path, target, on_progress):
    """Write every frame with a grey level of its own in the upper left corner; return the times."""
    if target is None:  # a photo, of which the page makes a film itself
        decode_upright(read_image_file(path))
        return np.zeros(1)
    frames = list(every_frame(path))
    height, width = (side // 2 * 2 for side in frames[0].pixels.shape[:2])
    with av.open(str(target), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90000)
        for number, shown in enumerate(frames):
            pixels = shown.pixels[:height, :width]
            pixels = np.stack([pixels] * 3, axis=-1) if pixels.ndim == 2 else pixels.copy()
            pixels[:16, :16] = level(number)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            picture.pts = round(shown.shown_s * 90000)
            picture.time_base = Fraction(1, 90000)
            container.mux(stream.encode(picture))
            on_progress((number + 1) / len(frames), f"Frame {number + 1} of {len(frames)}")
        container.mux(stream.encode())
    return np.array([shown.shown_s for shown in frames])


def level(number):
    """Return the grey of the corner of a frame: neighbours differ widely."""
    return 40 + (number * 37) % 7 * 30

"""A video or photo, frame by frame: where the face is and what a model reads in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.circumplex import NONE, intensity, sectors
from affectkeras.media.faces import DetectionSettings, detect_faces
from affectkeras.media.image_check import check_image, read_image_file
from affectkeras.media.parallel import read_ahead
from affectkeras.media.scene_tracker import FaceTrack
from affectkeras.media.upright import decode_upright
from affectkeras.media.video import video_facts
from affectkeras.media.video_annotation import annotate_video
from affectkeras.media.video_faces import VideoFaces, cut_face, cut_faces, find_video_faces
from affectkeras.video_model import SAMPLE_MODEL, VideoModel
from affectkeras.video_model import load_video_model as load_video_model

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")
BOX = ("x", "y", "width", "height", "confidence")
# Shares of the work, as a person waits for it: following the face, the network, drawing.
_SHARES = {"Following the face": 0.6, "Reading the face": 0.4, "Drawing": 0.3}

Progress = Callable[[float, str], None]


def analyse_video(
    model: VideoModel,
    path: Path,
    *,
    annotate: Path | None = None,
    on_progress: Progress = lambda share, doing: None,
) -> pd.DataFrame:
    """Return what a model reads in the face of a video's subject, a row per frame.

    The subject is the largest and most persistent face. However long the video, a second or two of
    its pictures is held at a time; it is decoded once to follow faces (kept in the cache), once to
    read them, and once more to draw.

    Args:
        model: of `load_video_model`.
        path: a video, or a JPEG or PNG photo, which is a video of one frame.
        annotate: write the video with box and sector drawn in to this file, H.264 in MP4. Not for
            a photo.
        on_progress: called with the share that is done, 0 to 1, and what is being done.

    Returns:
        `frame` (from 0), `time_s`, `face` (number of the subject among the faces, from 0), `x`,
        `y`, `width`, `height` (pixels) and `confidence`, NaN and -1 where the face is not seen.
        Then for numbers the targets, `intensity` and `sector`: of a frame that was not predicted
        itself those of the last that was; "none" before the first, "neutral" near the middle, ""
        where the face is not seen. For classes `class_name`, `probability` and `p_<class>`.

    Raises:
        VideoDamaged: when the file is no video that can be opened.
        ImageDamaged: when the photo cannot be decoded.
    """
    path = Path(path)
    work = _Work(on_progress, drawing=annotate is not None)
    if path.suffix.lower() in PHOTO_SUFFIXES:
        if annotate is not None:
            raise ValueError(f"`annotate` needs a video. Received: a photo, {path}")
        frame = _analyse_photo(model, path)
        work.done()
        return frame
    frames = _expected_frames(path)
    found = find_video_faces(path, on_frame=work.begin("Following the face", frames))
    count = len(found.times_s)
    rows = np.full((count, 5), np.nan) if found.subject is None else found.boxes(found.subject)
    predicted = ~np.isnan(rows[:, 4]) & (np.arange(count) % model.every == model.first)
    values = np.full((count, len(model.columns)), np.nan)
    if predicted.any():
        on_frame = work.begin("Reading the face", count)
        values[predicted] = list(model.predict(_chosen(path, rows, predicted, model, on_frame)))
    frame = build_frame(model, found, rows, values)
    if annotate is not None:
        texts = frame["sector" if model.kind == "numbers" else "class_name"]
        said = f" ({SAMPLE_MODEL})" if model.is_sample else ""
        words = [text and text + said for text in texts]
        annotate_video(path, annotate, rows, words, on_frame=work.begin("Drawing", count))
    work.done()
    return frame


def build_frame(
    model: VideoModel, found: VideoFaces, rows: np.ndarray, values: np.ndarray
) -> pd.DataFrame:
    """Return the table of `analyse_video`.

    Args:
        model: whose outputs they are.
        found: the faces of the video.
        rows: boxes of the subject, `(frames, 5)`, NaN where it is not seen.
        values: outputs for every frame, `(frames, outputs)`, NaN for frames not predicted.
    """
    seen = ~np.isnan(rows[:, 4])
    held = hold_values(values, seen, None if model.mode == "sparse" else model.every)
    face = -1 if found.subject is None else found.subject
    columns = {
        "frame": np.arange(len(rows)),
        "time_s": found.times_s,
        "face": np.where(seen, face, -1),
        **dict(zip(BOX, rows.T, strict=True)),
    }
    known = ~np.isnan(held).any(axis=1)
    if model.kind == "classes":
        best = np.where(known, np.nan_to_num(held).argmax(axis=1), 0)
        names = np.array(model.class_names, dtype=object)[best]
        columns["class_name"] = np.where(known, names, np.where(seen, NONE, ""))
        columns["probability"] = np.where(known, np.nan_to_num(held).max(axis=1), np.nan)
    columns |= dict(zip(model.columns, held.T, strict=True))
    if {"valence", "arousal"} <= set(model.targets):
        valence, arousal = columns["valence"], columns["arousal"]
        columns["intensity"] = intensity(valence, arousal)
        named = sectors(valence, arousal, model.neutral_radius)
        columns["sector"] = np.where(known, named, np.where(seen, NONE, ""))
    return pd.DataFrame(columns)


def hold_values(values: np.ndarray, seen: np.ndarray, longest: int | None) -> np.ndarray:
    """Return for each frame in which the face is seen the values predicted last.

    Args:
        values: `(frames, outputs)`, NaN for frames not predicted.
        seen: `(frames,)`, whether the face is seen.
        longest: for how many frames a value stands, its own included; None: to the end.
    """
    number = np.arange(len(values))
    predicted = ~np.isnan(values).any(axis=1)
    last = np.maximum.accumulate(np.where(predicted, number, -1)) if len(number) else number
    holds = seen & (last >= 0)
    if longest is not None:
        holds &= number - last < longest
    return np.where(holds[:, np.newaxis], values[np.maximum(last, 0)], np.nan)


def _chosen(path, rows, predicted, model, on_frame) -> Iterator[np.ndarray]:
    wanted = np.where(predicted[:, np.newaxis], rows, np.nan)
    # The last frames after the last face need not be decoded.
    wanted = wanted[: int(np.flatnonzero(predicted)[-1]) + 1]
    for _, face in read_ahead(cut_faces(path, wanted, model.image_size, model.margin)):
        on_frame()
        if face is not None:
            yield face


def _analyse_photo(model: VideoModel, path: Path) -> pd.DataFrame:
    data = read_image_file(path)
    check_image(data)
    picture = decode_upright(data)
    height, width = picture.shape[:2]
    (faces,) = detect_faces([picture], DetectionSettings())
    tracks = tuple(
        FaceTrack(
            np.zeros(1, np.int64),
            np.float32([[face.x, face.y, face.width, face.height]]),
            np.float32([1.0 if face.confidence is None else face.confidence]),
        )
        for face in faces
    )
    found = VideoFaces(np.zeros(1), width, height, tracks)
    rows = np.full((1, 5), np.nan) if found.subject is None else found.boxes(found.subject)
    values = np.full((1, len(model.columns)), np.nan)
    if found.subject is not None:
        face = cut_face(picture, rows[0], model.image_size, model.margin)
        values[:] = list(model.predict([face]))
    return build_frame(model, found, rows, values)


def _expected_frames(path: Path) -> int:
    facts = video_facts(path)
    return facts.frames or max(1, round(facts.duration_s * facts.rate))


class _Work:
    """Tells how far the whole work is from how far each part of it is."""

    def __init__(self, on_progress: Progress, *, drawing: bool):
        self.on_progress = on_progress
        parts = [name for name in _SHARES if drawing or name != "Drawing"]
        self.whole = sum(_SHARES[name] for name in parts)
        self.before = 0.0

    def begin(self, name: str, frames: int) -> Callable[[], None]:
        began, done = self.before, 0
        self.before += _SHARES[name] / self.whole

        def on_frame():
            nonlocal done
            done += 1
            share = min(1.0, done / max(1, frames))
            self.on_progress(began + share * (self.before - began), name)

        return on_frame

    def done(self) -> None:
        self.on_progress(1.0, "Done")

"""A trained model as it is asked about the frames of a video, whatever kind it is."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from affectkeras.errors import UserError
from affectkeras.pipelines.windows import stream_windows
from affectkeras.predict import classifier_of, find_saved_model, load_saved_model

SAMPLE_MODEL = "sample model"  # said in what is drawn, which goes further than a terminal
BATCH = 32  # faces given to a network at once
STILL_SIZE, STILL_MARGIN = 224, 0.2  # of faces for models of single pictures, as crop-faces cuts


@dataclasses.dataclass(frozen=True, eq=False)
class VideoModel:
    """What a run serves, and how it wants its faces.

    Args:
        kind: "numbers" (valence and arousal) or "classes".
        targets: the names of the numbers; empty for classes.
        class_names: the names of the classes; empty for numbers.
        image_size, margin: of the faces, see `video_faces.cut_faces`.
        mode: "sparse": a frame in 40; "dense": every `every`-th; "still": single pictures.
        every: frames from one that is predicted to the next.
        predict: faces uint8 `(size, size, 3)`, one after another → for each `(outputs,)`: the
            numbers, or probabilities of the classes.
        note: what must be said wherever the figures are shown; "" for nothing.
        neutral_radius: nearer to the middle of the circle of affect no sector is named.
    """

    kind: str
    targets: tuple[str, ...]
    class_names: tuple[str, ...]
    image_size: int
    margin: float
    mode: str
    every: int
    predict: Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]
    note: str = ""
    neutral_radius: float = 0.1

    @property
    def is_sample(self) -> bool:
        """Whether it was trained on drawn faces: what it reads in real ones means nothing."""
        return "sample" in self.note.lower()

    @property
    def first(self) -> int:
        """The first frame that is predicted, from 0."""
        return self.every - 1 if self.mode == "sparse" else 0

    @property
    def frame_columns(self) -> tuple[str, ...]:
        """The columns of what is read of a video, see `video_analysis.analyse_video`."""
        where = ("frame", "time_s", "face", "x", "y", "width", "height", "confidence")
        if self.kind == "classes":
            return (*where, "class_name", "probability", *self.columns)
        return (*where, *self.columns, "intensity", "sector")

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the outputs, as columns."""
        return self.targets or tuple(f"p_{name}" for name in self.class_names)


def load_video_model(run: Path) -> VideoModel:
    """Load what a run serves: a network over time, or a classifier of single pictures.

    Args:
        run: a run folder, or a SavedModel folder.

    Raises:
        UserError: when there is no usable model.
    """
    folder = find_saved_model(run)
    note = _note_of(folder.parent)
    loaded = load_saved_model(folder)
    if "recur" not in loaded.signatures:
        class_names, classify = classifier_of(loaded, folder)
        return VideoModel(
            kind="classes",
            targets=(),
            class_names=tuple(class_names),
            image_size=STILL_SIZE,
            margin=STILL_MARGIN,
            mode="still",
            every=1,
            predict=lambda faces: _classify(faces, classify),
            note=note,
        )
    facts = json.loads(loaded.signatures["describe"]()["facts"].numpy())
    return VideoModel(
        kind=facts["kind"],
        targets=tuple(facts["targets"]),
        class_names=tuple(facts["class_names"]),
        image_size=facts["image_size"],
        margin=facts["margin"],
        mode=facts["mode"],
        every=facts["every"],
        predict=lambda faces: _read_over_time(faces, loaded, facts),
        note=note,
        neutral_radius=facts["neutral_radius"],
    )


def _read_over_time(faces: Iterable[np.ndarray], loaded, facts: dict) -> Iterator[np.ndarray]:
    import tensorflow as tf

    def recur(features: np.ndarray) -> np.ndarray:
        given = tf.constant(features[np.newaxis])
        values = loaded.signatures["recur"](features=given)["values"].numpy()[0]
        if facts["kind"] == "numbers":
            return values
        exponent = np.exp(values - values.max(axis=-1, keepdims=True))
        return exponent / exponent.sum(axis=-1, keepdims=True)

    def encode() -> Iterator[np.ndarray]:
        for batch in _batches(faces):
            found = loaded.signatures["encode"](faces=tf.constant(np.stack(batch)))
            yield from found["features"].numpy()

    window = facts["window"]
    return stream_windows(encode(), window, max(1, window // 2), recur)


def _classify(faces: Iterable[np.ndarray], classify) -> Iterator[np.ndarray]:
    for batch in _batches(faces):
        # As files, so that the model's own decoding and resizing is used; packed lightly.
        files = [
            cv2.imencode(".png", face[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
            for face in batch
        ]
        yield from classify(files)


def _batches(items: Iterable) -> Iterator[list]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _note_of(run: Path) -> str:
    """Return what a run's own result says must stand beside its figures."""
    path = Path(run) / "result.json"
    if not path.is_file():
        return ""
    try:
        return " ".join(json.loads(path.read_text(encoding="utf-8")).get("banners") or [])
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as a run's result ({error}).") from error

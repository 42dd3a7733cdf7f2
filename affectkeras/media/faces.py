"""Finding faces in pictures: MTCNN, and a Haar cascade where MTCNN finds none.

The detectors see a picture reduced to `DetectionSettings.longest_side`; boxes and landmarks come
back in the pixels of the picture that was given. What is found in a picture does not depend on the
pictures beside it in the batch.

mtcnn 1.0.0 returns wrong boxes when a batch mixes sizes and one of its pictures has no face (it
counts the padding of the pictures with faces only), and takes a failed batch for one without faces.
So only pictures of equal size go to it together, whole numbers of `GRID` pixels on each side.
"""

import dataclasses
import functools
import importlib.metadata
import math
from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from affectkeras.errors import UserError

# Landmarks in order, right and left as seen in the picture: a person's own right eye comes first.
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

# Pictures are filled up with grey to whole multiples of this, so that more of them share a size.
GRID = 64
BATCH_SIZE = 16

# The filling is zero once mtcnn has normalised it.
_GREY = 127.5
_CASCADE = "haarcascade_frontalface_alt2.xml"
# As a last resort, and without a probability: few false faces matter more here than small faces.
_HAAR = {"scaleFactor": 1.1, "minNeighbors": 5}
_HAAR_SMALLEST = 48


@dataclasses.dataclass(frozen=True)
class Face:
    """A face as it was found, in pixels of the picture, its left upper corner being (0, 0).

    Args:
        x: left edge of the box.
        y: upper edge of the box.
        width: of the box.
        height: of the box.
        detector: which one found it.
        confidence: probability in [0, 1]; `None` from the Haar cascade, which tells none.
        landmarks: the points `LANDMARKS` as `(x, y)`; `None` from the Haar cascade.
    """

    x: float
    y: float
    width: float
    height: float
    detector: Literal["mtcnn", "haar"]
    confidence: float | None = None
    landmarks: tuple[tuple[float, float], ...] | None = None


@dataclasses.dataclass(frozen=True)
class DetectionSettings:
    """Everything of ours that decides which faces are found.

    Args:
        longest_side: pixels to which larger pictures are reduced for the detectors. At 640, faces
            from 1/32 of the longest side upwards can be found.
        min_confidence: MTCNN's faces below this probability do not count. It tells none below 0.8.
        haar: try the Haar cascade where MTCNN finds no face that counts.
    """

    longest_side: int = 640
    min_confidence: float = 0.9
    haar: bool = True

    def __post_init__(self):
        if self.longest_side < GRID:
            raise UserError(
                f"longest_side must be at least {GRID} pixels. Received: {self.longest_side}"
            )
        if not 0 <= self.min_confidence <= 1:
            raise UserError(f"min_confidence must be in [0, 1]. Received: {self.min_confidence}")

    def describe(self) -> dict:
        """Return these settings and the detectors' own, in forms that JSON knows."""
        return {
            **dataclasses.asdict(self),
            "mtcnn": importlib.metadata.version("mtcnn"),
            "opencv": cv2.__version__,
            "cascade": _CASCADE,
            "grid": GRID,
            "haar_options": {**_HAAR, "smallest": _HAAR_SMALLEST},
        }


def detect_faces(
    images: Sequence[np.ndarray], settings: DetectionSettings | None = None
) -> list[list[Face]]:
    """Return the faces in each picture, those of MTCNN by falling confidence.

    The first call imports TensorFlow and loads the networks.

    Args:
        images: uint8 `(height, width, 3)`, RGB, of any sizes.
        settings: by default `DetectionSettings()`.

    Raises:
        ValueError: when an image has another shape or dtype.
    """
    settings = settings or DetectionSettings()
    for image in images:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(
                "`images` must be uint8 (height, width, 3) and not empty. Received: "
                f"{image.dtype} {image.shape}"
            )
    reduced = [reduce_image(image, settings.longest_side) for image in images]
    found = _detect_by_mtcnn(reduced, settings.min_confidence)
    if settings.haar:
        found = [
            faces or _detect_by_haar(small) for faces, small in zip(found, reduced, strict=True)
        ]
    return [
        [scale_face(face, small.shape, image.shape) for face in faces]
        for faces, small, image in zip(found, reduced, images, strict=True)
    ]


def load_networks() -> None:
    """Import TensorFlow and load MTCNN's networks now, rather than with the first picture."""
    _mtcnn()


def reduce_image(image: np.ndarray, longest_side: int) -> np.ndarray:
    """Return an image `(height, width, 3)` shrunk to that longest side; a smaller one as it is."""
    height, width = image.shape[:2]
    ratio = longest_side / max(height, width)
    if ratio >= 1:
        return image
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def scale_face(face: Face, seen: Sequence[int], full: Sequence[int]) -> Face:
    """Return a face found in a reduced picture in pixels of the full one, to a tenth.

    Args:
        face: as found.
        seen: `(height, width, …)` of the reduced picture.
        full: `(height, width, …)` of the full one.
    """
    across, down = full[1] / seen[1], full[0] / seen[0]
    points = face.landmarks and tuple(
        (round(x * across, 1), round(y * down, 1)) for x, y in face.landmarks
    )
    return dataclasses.replace(
        face,
        x=round(face.x * across, 1),
        y=round(face.y * down, 1),
        width=round(face.width * across, 1),
        height=round(face.height * down, 1),
        landmarks=points,
    )


def faces_of_rows(
    rows: np.ndarray, shape: Sequence[int], min_confidence: float
) -> list[list[Face]]:
    """Return what mtcnn's raw rows say, picture by picture, by falling confidence.

    Boxes are cut at the edges of the picture; a box that lies wholly in the filling is dropped.

    Args:
        rows: `(faces, 16)`: number of the picture, left, upper, right and lower edge, confidence,
            five x and five y of the landmarks.
        shape: `(height, width)` of each picture without its filling, one after another.
        min_confidence: faces below it are dropped.
    """
    faces: list[list[Face]] = [[] for _ in shape]
    for row in sorted(rows.tolist(), key=lambda row: -row[5]):
        height, width = shape[int(row[0])]
        left, right = max(row[1], 0.0), min(row[3], float(width))
        top, bottom = max(row[2], 0.0), min(row[4], float(height))
        if row[5] < min_confidence or not (right > left and bottom > top):
            continue
        points = tuple(zip(row[6:11], row[11:16], strict=True))
        confidence = round(row[5], 4)
        box = (left, top, right - left, bottom - top)
        faces[int(row[0])].append(Face(*box, "mtcnn", confidence, points))
    return faces


def _detect_by_mtcnn(images: Sequence[np.ndarray], min_confidence: float) -> list[list[Face]]:
    """Return the faces of each picture, which are looked at in batches of equal filled size."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for number, image in enumerate(images):
        size = tuple(math.ceil(side / GRID) * GRID for side in image.shape[:2])
        by_size.setdefault(size, []).append(number)
    faces: list[list[Face]] = [[] for _ in images]
    for size, numbers in by_size.items():
        for start in range(0, len(numbers), BATCH_SIZE):
            batch = numbers[start : start + BATCH_SIZE]
            rows = _raw_rows([_fill_up(images[number], size) for number in batch])
            shapes = [images[number].shape[:2] for number in batch]
            for number, found in zip(
                batch, faces_of_rows(rows, shapes, min_confidence), strict=True
            ):
                faces[number] = found
    return faces


def _fill_up(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    # float32: from uint8, mtcnn computes in float64, which takes twice the time.
    filled = np.full((*size, 3), _GREY, np.float32)
    filled[: image.shape[0], : image.shape[1]] = image
    return filled


def _raw_rows(images: list[np.ndarray]) -> np.ndarray:
    """Return mtcnn's `(faces, 16)` rows for float32 images of one size."""
    return np.asarray(
        _mtcnn().detect_faces(images, output_type="numpy", box_format="xyxy", postprocess=False)
    )


@functools.cache
def _mtcnn():
    from mtcnn import MTCNN

    return MTCNN()


@functools.cache
def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + _CASCADE)


def _detect_by_haar(image: np.ndarray) -> list[Face]:
    grey = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    boxes = _cascade().detectMultiScale(grey, minSize=(_HAAR_SMALLEST, _HAAR_SMALLEST), **_HAAR)
    return [Face(*map(float, box), "haar") for box in boxes]

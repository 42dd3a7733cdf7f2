"""Faces out of photographs: `python -m affectkeras crop-faces SRC [SRC …] DST`."""

import collections
import dataclasses
import hashlib
import io
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from affectkeras.cropping.crop_folder import (
    DAMAGED,
    POINTS,
    CropFolder,
    open_crop_folder,
    printable,
)
from affectkeras.cropping.crop_names import name_of_output, output_path, plan_names
from affectkeras.cropping.crop_sources import find_photos
from affectkeras.errors import UserError
from affectkeras.media.face_cache import FaceCache
from affectkeras.media.face_crops import (
    Square,
    cut_square,
    rank_faces,
    resize_square,
    square_around,
    square_whole,
)
from affectkeras.media.faces import BATCH_SIZE, DetectionSettings, Face, detect_faces, load_networks
from affectkeras.media.image_check import ImageDamaged, open_image, read_image_file
from affectkeras.media.upright import decode_upright
from affectkeras.quiet import quiet_start, start_tensorflow

NO_FACE, WHOLE = "no_face", "whole"

# What is held decoded at once: at 3 bytes a pixel about 200 MB.
_PIXELS_AT_ONCE = 64_000_000
_FILES_AT_ONCE = 2 * BATCH_SIZE
_FORMAT = 1  # counted up when the same settings would write other crops


@dataclasses.dataclass(frozen=True)
class CropSettings:
    """What is cut out of a photograph.

    Args:
        size: side of the square crops in pixels; `None`: as they are in the photograph.
        margin: added at each side of a face's box, as a share of its longer side.
        all_faces: cut out every face; otherwise the one that is meant, see `rank_faces`.
        keep_whole: write photographs without a face whole.
        detection: how faces are looked for.
    """

    size: int | None = 224
    margin: float = 0.2
    all_faces: bool = False
    keep_whole: bool = False
    detection: DetectionSettings = dataclasses.field(default_factory=DetectionSettings)

    def __post_init__(self):
        if self.size is not None and not 1 <= self.size <= 4096:
            raise UserError(f"size must be 1 to 4096 pixels, or None. Received: {self.size}")
        if not 0 <= self.margin <= 2:
            raise UserError(f"margin must be from 0 to 2. Received: {self.margin}")

    def describe(self) -> dict:
        """Return everything that decides which crops are written, in forms that JSON knows."""
        own = {name: value for name, value in vars(self).items() if name != "detection"}
        return {"format": _FORMAT, **own, **self.detection.describe()}


@dataclasses.dataclass
class _Photo:
    """A file on its way to its crops; `reason` says why it cannot be used."""

    source: str
    path: Path
    data: bytes = b""
    digest: str = ""
    size: tuple[int, int] = (0, 0)
    reason: str = ""


def crop_faces_command(
    inputs: Sequence[Path], destination: Path, settings: CropSettings | None = None
) -> None:
    """Cut the faces out of photographs, write faces.csv and print how many came to what.

    Args:
        inputs: one folder, or files.
        destination: the folder of crops: a new one, or one to go on with.
        settings: by default `CropSettings()`.

    Raises:
        UserError: when an input does not exist or holds no image, or the destination cannot serve.
    """
    settings = settings or CropSettings()
    sources, passed_over = find_photos(inputs, destination)
    root = printable(os.path.realpath(inputs[0])) if Path(inputs[0]).is_dir() else "files"
    described = {"source": root, **settings.describe()}
    with (
        warnings.catch_warnings(),
        open_crop_folder(Path(destination), described) as folder,
        ThreadPoolExecutor() as pool,
        # `disable=None` is tqdm's way to say: only where standard error is a terminal.
        tqdm(total=len(sources), desc="Cropping faces", unit="image", disable=None) as bar,
    ):
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata
        cropper = _Cropper(settings, folder, sources, pool)
        done_before = 0
        for start in range(0, len(sources), _FILES_AT_ONCE):
            done_before += cropper.crop(sources[start : start + _FILES_AT_ONCE], bar)
    rows = [folder.rows[source] for source, _, _ in sources]
    print(_summary(rows, done_before, passed_over, folder.path))


class _Cropper:
    """Takes photographs through reading, detecting and cutting out."""

    def __init__(self, settings: CropSettings, folder: CropFolder, sources: list, pool):
        self.settings, self.folder, self.pool = settings, folder, pool
        self.cache = FaceCache(settings.detection)
        claimed = {
            source: name_of_output(rows[0]["output"], settings.all_faces)
            for source, rows in folder.rows.items()
            if rows[0]["output"]
        }
        self.names = plan_names([(source, below) for source, _, below in sources], claimed)
        self.networks_loaded = False

    def crop(self, sources: list[tuple[str, Path, Path]], bar: tqdm) -> int:
        """Bring some sources to their rows and return how many had them before."""
        photos = list(
            self.pool.map(_read_photo, [s for s, _, _ in sources], [p for _, p, _ in sources])
        )
        new = [p for p in photos if p.reason or not self.folder.is_done(p.source, p.digest)]
        bar.update(len(photos) - len(new))
        for part in _split_by_pixels(new):
            pictures = list(self.pool.map(_decode, part))
            faces = self._find_faces(part, pictures)
            rows = self.pool.map(self._cut_out, part, pictures, faces)
            for photo, found in zip(part, rows, strict=True):
                self.folder.record(photo.source, found)
            bar.update(len(part))
        return len(photos) - len(new)

    def _find_faces(
        self, photos: list[_Photo], pictures: list[np.ndarray | None]
    ) -> list[list[Face]]:
        """Return the faces of every photograph; detection sees only those not known from before."""
        known = [[] if photo.reason else self.cache.read(photo.digest) for photo in photos]
        unknown = [number for number, faces in enumerate(known) if faces is None]
        if unknown and not self.networks_loaded:
            load_detector()
            self.networks_loaded = True
        found = detect_faces([pictures[number] for number in unknown], self.settings.detection)
        for number, faces in zip(unknown, found, strict=True):
            self.cache.write(photos[number].digest, faces)
            known[number] = faces
        return known

    def _cut_out(self, photo: _Photo, picture: np.ndarray | None, faces: list[Face]) -> list[dict]:
        """Write the crops of a photograph and return its rows of faces.csv."""
        row = {"source": photo.source, "faces_found": len(faces), "sha256": photo.digest}
        if picture is None:
            return [row | {"outcome": DAMAGED, "faces_found": None, "reason": photo.reason}]
        height, width = picture.shape[:2]
        row |= {"image_width": width, "image_height": height}
        size, all_faces = self.settings.size, self.settings.all_faces
        if not faces:
            row["reason"] = _no_face_reason(self.settings.detection)
            if not self.settings.keep_whole:
                return [row | {"outcome": NO_FACE}]
            output = self._write(photo, None, square_whole(picture, size))
            around = Square(0, 0, max(width, height)) if size else None
            padded = f"{around.share_outside(width, height):.3f}" if around else "0.000"
            return [row | {"outcome": WHOLE, "padded": padded, "output": output}]
        rows = []
        for number, face in enumerate(rank_faces(faces, width, height)[: None if all_faces else 1]):
            square = square_around(face, self.settings.margin)
            output = self._write(
                photo, number + 1, resize_square(cut_square(picture, square), size)
            )
            padded = f"{square.share_outside(width, height):.3f}"
            own = {"face": number + 1, "padded": padded, "output": output}
            rows.append(row | _describe_face(face) | own)
        return rows

    def _write(self, photo: _Photo, face: int | None, pixels: np.ndarray) -> str:
        path = output_path(self.names[photo.source], face, self.settings.all_faces)
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "PNG")
        self.folder.write(path, encoded.getvalue())
        return path.as_posix()


def load_detector() -> None:
    """Load the detector's networks without TensorFlow's notes.

    Raises:
        UserError: when Keras runs on another backend already, which MTCNN cannot.
    """
    # Whatever Keras is set to for training: here it only runs the detector.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    start_tensorflow()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"MTCNN needs Keras's TensorFlow backend, but it is {keras.backend.backend()}. Find "
            "faces in a process of its own: python -m affectkeras crop-faces."
        )
    with quiet_start():
        load_networks()


def _read_photo(source: str, path: Path) -> _Photo:
    photo = _Photo(source, path)
    try:
        photo.data = read_image_file(path)
        photo.digest = hashlib.sha256(photo.data).hexdigest()
        photo.size = open_image(photo.data).size
    except ImageDamaged as damaged:
        photo.reason = str(damaged)
    return photo


def _decode(photo: _Photo) -> np.ndarray | None:
    """Return the upright pixels, or `None` and keep the reason."""
    if photo.reason:
        return None
    try:
        return decode_upright(photo.data)
    except ImageDamaged as damaged:
        photo.reason = str(damaged)
        return None


def _split_by_pixels(photos: Iterable[_Photo]) -> Iterator[list[_Photo]]:
    """Yield photographs in parts of one batch, of a bounded number of pixels."""
    part, pixels = [], 0
    for photo in photos:
        more = photo.size[0] * photo.size[1]
        if part and (len(part) == BATCH_SIZE or pixels + more > _PIXELS_AT_ONCE):
            yield part
            part, pixels = [], 0
        part.append(photo)
        pixels += more
    if part:
        yield part


def _describe_face(face: Face) -> dict:
    box = {name: getattr(face, name) for name in ("x", "y", "width", "height", "confidence")}
    numbers = [number for point in face.landmarks or () for number in point]
    points = dict(zip(POINTS, numbers, strict=True)) if numbers else {}
    return {"outcome": face.detector, **box, **points}


def _no_face_reason(detection: DetectionSettings) -> str:
    reason = f"MTCNN finds no face of confidence {detection.min_confidence} or more"
    return f"{reason}, the Haar cascade finds none" if detection.haar else reason


def _summary(
    rows: list[list[dict]], done_before: int, passed_over: collections.Counter, folder: Path
) -> str:
    """Return what is printed at the end: every image read is counted under one outcome."""
    counts = collections.Counter(of_photo[0]["outcome"] for of_photo in rows)
    crops = sum(1 for of_photo in rows for row in of_photo if row["output"])
    kinds = [f"{counts['mtcnn']} by MTCNN", f"{counts['haar']} by Haar cascade"]
    kinds += [f"{counts[WHOLE]} whole without a face"] if counts[WHOLE] else []
    written = counts["mtcnn"] + counts["haar"] + counts[WHOLE]
    lines = [
        f"{len(rows)} images read = {written} written ({', '.join(kinds)}) + {counts[NO_FACE]} "
        f"without a face + {counts[DAMAGED]} damaged."
    ]
    if crops != written:
        lines[0] += f" {crops} crops."
    if done_before:
        lines.append(f"{done_before} of them were done before.")
    if passed_over:
        kinds = ", ".join(f"{suffix or 'no suffix'} {n}" for suffix, n in passed_over.most_common())
        lines.append(f"{sum(passed_over.values())} other files passed over: {kinds}.")
    lines.append(f"Crops, and faces.csv with every outcome and box, in {printable(folder)}.")
    return "\n".join(lines)

"""Writes sample faces the way SFEW 2.0 lies on its owner's disk."""

import csv
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock
from tqdm import tqdm

from affectkeras.cache import cache_dir
from affectkeras.datasets.sample import sfew_plan
from affectkeras.datasets.sample.faces import render_face
from affectkeras.datasets.sample.marks import TRUTH_COLUMNS, TRUTH_FILE, planted_name
from affectkeras.datasets.sample.sfew_plan import PlannedFace

VERSION = 3  # raise it when the drawn pictures change: cached copies of older ones are left alone

_FOLDERS = {
    "train": "Train/Train_Aligned_Faces",
    "validation": "Val/Val_Aligned_Faces_new/Val_Aligned_Faces",
    "test": "Test/Test_Aligned_Faces",
}
_MOVIES = {
    "train": sfew_plan.TRAIN_MOVIES,
    "validation": sfew_plan.VALIDATION_MOVIES,
    "test": sfew_plan.TEST_MOVIES,
}


def sample_sfew(*, seed: int = 0, progress: bool = True) -> Path:
    """Return a folder of sample faces in SFEW's raw layout, drawn at the first call.

    Args:
        seed: another seed draws other people, movies and scenes.
        progress: whether to show a progress bar while drawing, or one line where there is no
            terminal.
    """
    folder = cache_dir("sample") / f"sfew-seed{seed}-v{VERSION}"
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            try:
                write_sample_sfew(unfinished, seed=seed, progress=progress)
                os.replace(unfinished, folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def write_sample_sfew(
    folder: Path,
    *,
    seed: int = 0,
    train: int = 891,
    validation: int = 431,
    test: int = 60,
    damaged: int = 3,
    progress: bool = False,
) -> None:
    """Write sample faces in SFEW 2.0's raw layout; the same arguments write the same bytes.

    Beside the layout lies `sample_truth.csv` (path, label, shown, ambiguous): which labels are
    wrong on purpose, so that a method that looks for them can be scored. No reader needs it; by it
    the doctor knows the sample.

    Args:
        folder: where to write; made if absent.
        seed: of everything that is drawn.
        train, validation, test: faces per part; the test part is flat and unlabelled.
        damaged: further files in the training part that cannot be read: a cut PNG, an empty file
            and a text file named .png, in turn.
        progress: whether to show a progress bar, or one line where there is no terminal.
    """
    folder = Path(folder)
    files = []
    for i, (part, total) in enumerate(
        (("train", train), ("validation", validation), ("test", test))
    ):
        random = np.random.default_rng([seed, i])
        counts = sfew_plan.share_counts(total, sfew_plan.part_proportions(part))
        planned = sfew_plan.plan_part(
            random, _MOVIES[part], counts, wrong_share=sfew_plan.wrong_share(part)
        )
        files += list(_name_files(part, planned))
    for path, _ in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    if progress and not sys.stderr.isatty():
        print(f"Drawing {len(files)} sample faces, which takes a while …", file=sys.stderr)
    # Drawing is mostly OpenCV, which lets other threads run; every face has its own seed.
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        drawn = pool.map(lambda file: _write_face(folder / file[0], file[1]), files)
        hidden = None if progress else True  # None: shown on a terminal only
        for _ in tqdm(drawn, "Drawing sample faces", len(files), disable=hidden, unit="face"):
            pass
    _write_truth(folder / TRUTH_FILE, files)
    _write_damaged(folder, [path for path, _ in files if path.startswith("Train/")], damaged)


def _name_files(part: str, planned: list[PlannedFace]) -> Iterator[tuple[str, PlannedFace]]:
    """Yield the path below the folder of every face.

    As in the real set, one training file has a hyphen instead of an underscore before its time.
    """
    for i, face in enumerate(planned):
        name = face.name
        if part == "train" and i == 0:
            name = name.replace(f"{face.movie}_", f"{face.movie}-", 1)
        inner = "" if part == "test" else f"{face.label}/"
        yield f"{_FOLDERS[part]}/{inner}{name}", face


def _write_face(path: Path, face: PlannedFace) -> None:
    pixels = render_face(face.who, face.what, face.scene, face.shot)
    encoded = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])[1]
    path.write_bytes(encoded.tobytes())


def _write_truth(path: Path, files: list[tuple[str, PlannedFace]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(TRUTH_COLUMNS)
        for name, face in files:
            label = "" if name.startswith("Test/") else face.label
            writer.writerow([name, label, face.shown, face.ambiguous])


def _write_damaged(folder: Path, names: list[str], count: int) -> None:
    """Write files that a reader must set aside, each beside a good one of an invented clip."""
    for i in range(count):
        good = folder / names[(i + 1) * len(names) // (count + 1)]
        movie = good.name[:-23]  # without _ and 9 digits, _ and 8 digits, .png
        bad = good.with_name(planted_name(movie, i))
        if i % 3 == 0:
            content = good.read_bytes()
            bad.write_bytes(content[: len(content) * 2 // 3])
        elif i % 3 == 1:
            bad.write_bytes(b"")
        else:
            bad.write_text("404: this picture has moved\n", encoding="utf-8")

"""Writes sample videos the way ANUStressDB is read: videos and the manifest that names them."""

import csv
import dataclasses
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
from filelock import FileLock
from tqdm import tqdm

from affectkeras.cache import cache_dir
from affectkeras.datasets.sample.marks import TRUTH_FILE, VIDEO_TRUTH_COLUMNS
from affectkeras.datasets.sample.thermal_faces import (
    RATE,
    draw_person,
    render_frames,
    stress_levels,
)
from affectkeras.datasets.sample.thermal_truth import HEIGHT, WIDTH, truth_path, write_faces
from affectkeras.media.clip_times import clip_times

VERSION = 1  # raise it when the drawn videos change: cached copies of older ones are left alone

# The protocol of the real data, about a tenth as long.
CLIPS = 20
PREPARATION_S, CLIP_S, GAP_S = 3.0, 3.5, 0.6
_CUT_SHARE = 0.8  # of the file that is cut off on purpose
_SHORT_SHARE = 0.7  # of the clips in the video that ends too early
_GROUP = 50  # frames between two keyframes


@dataclasses.dataclass(frozen=True)
class PlannedVideo:
    """A video to be drawn: its name, order of clips (S and C), seed, and how it is spoilt."""

    name: str
    order: str
    seed: tuple[int, ...]
    planted: str = ""


def sample_anu_stress(*, seed: int = 0, progress: bool = True) -> Path:
    """Return a folder of sample thermal videos with a manifest, drawn at the first call.

    Args:
        seed: another seed draws other people and orders of clips.
        progress: whether to show a progress bar while drawing, or one line where there is no
            terminal.
    """
    folder = cache_dir("sample") / f"anu-stress-seed{seed}-v{VERSION}"
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            try:
                write_sample_anu_stress(unfinished, seed=seed, progress=progress)
                os.replace(unfinished, folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def write_sample_anu_stress(
    folder: Path,
    *,
    seed: int = 0,
    subjects: int = 12,
    clips: int = CLIPS,
    planted: tuple[str, ...] = ("cut", "short"),
    progress: bool = False,
) -> None:
    """Write sample videos (grey, 8 bits, lossless) and a manifest of the form with an order.

    The same arguments write the same bytes. Beside the layout lie `sample_truth.csv` (path,
    planted, faces), by which the doctor knows the sample, and for each video a file that tells
    where the face is in each frame, see `thermal_truth`.

    Args:
        folder: where to write; made if absent.
        seed: of everything that is drawn.
        subjects: sound videos, one person each.
        clips: per video, half of them stressful.
        planted: further videos that are spoilt on purpose: `cut` (the file ends early) or `short`
            (the recording does).
        progress: whether to show a progress bar, or one line where there is no terminal.
    """
    folder = Path(folder)
    plans = _plan(seed, subjects, clips, planted)
    (folder / "thermal").mkdir(parents=True, exist_ok=True)
    frames = sum(_count_frames(plan) for plan in plans)
    if progress and not sys.stderr.isatty():
        print(f"Drawing {len(plans)} sample videos, once, below {folder.parent} …", file=sys.stderr)
    hidden = None if progress else True  # None: shown on a terminal only
    with (
        ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool,
        tqdm(total=frames, desc="Drawing sample videos", disable=hidden, unit="frame") as bar,
    ):
        list(pool.map(lambda plan: _write_video(folder, plan, bar.update), plans))
    _write_manifest(folder / "manifest.csv", plans)
    with (folder / TRUTH_FILE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(VIDEO_TRUTH_COLUMNS)
        for plan in plans:
            faces = truth_path(folder, plan.name).relative_to(folder)
            writer.writerow([plan.name, plan.planted, faces.as_posix()])


def _plan(seed: int, subjects: int, clips: int, planted: tuple[str, ...]) -> list[PlannedVideo]:
    if unknown := set(planted) - {"cut", "short"}:
        raise ValueError(f"`planted` must be 'cut' or 'short'. Received: {sorted(unknown)}")
    plans = []
    for number, how in enumerate([""] * subjects + list(planted)):
        random = np.random.default_rng([seed, number])
        letters = ["S", "C"] * (clips // 2) + ["C"] * (clips % 2)
        order = "".join(random.permutation(letters))
        plans.append(PlannedVideo(f"thermal/S{number + 1:02}.mkv", order, (seed, number), how))
    return plans


def _count_frames(plan: PlannedVideo) -> int:
    clips = len(plan.order)
    if plan.planted == "short":
        clips = max(1, round(_SHORT_SHARE * clips))
    return round(_times(clips)[-1][1] * RATE)


def _times(clips: int) -> list[tuple[float, float]]:
    return clip_times(0.0, clips, preparation_s=PREPARATION_S, gap_s=GAP_S, clip_s=CLIP_S)


def _write_video(folder: Path, plan: PlannedVideo, advance: Callable[[], object]) -> None:
    person = draw_person(np.random.default_rng([*plan.seed, 7]))
    frames = _count_frames(plan)
    clips = [
        (*times, letter == "S")
        for times, letter in zip(_times(len(plan.order)), plan.order, strict=True)
    ]
    levels = stress_levels(person, clips, frames)
    path = folder / plan.name
    faces = []
    # "bitexact": no version, date or random number in the file.
    with av.open(os.fspath(path), "w", options={"fflags": "bitexact"}) as container:
        settings = {"level": "3", "slices": "4", "slicecrc": "1", "flags": "bitexact"}
        stream = container.add_stream("ffv1", rate=RATE, options=settings)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "gray"
        stream.gop_size = _GROUP
        stream.thread_count = 1
        for number, (pixels, face) in enumerate(render_frames(person, levels)):
            frame = av.VideoFrame.from_ndarray(pixels, format="gray")
            frame.pts = number
            container.mux(stream.encode(frame))
            faces.append((number / RATE, face, levels[number]))
            advance()
        container.mux(stream.encode())
    if plan.planted == "cut":
        content = path.read_bytes()
        path.write_bytes(content[: int(_CUT_SHARE * len(content))])
    write_faces(truth_path(folder, plan.name), faces)


def _write_manifest(path: Path, plans: list[PlannedVideo]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        columns = ("subject", "modality", "path", "clip_count", "order")
        writer.writerow([*columns, "preparation_s", "gap_s", "clip_s"])
        for plan in plans:
            subject = Path(plan.name).stem
            row = [subject, "thermal", plan.name, len(plan.order), plan.order]
            writer.writerow([*row, PREPARATION_S, GAP_S, CLIP_S])

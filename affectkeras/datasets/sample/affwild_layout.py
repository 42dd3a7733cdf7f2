"""Writes sample videos of talking faces as Aff-Wild's owners lay theirs out."""

import contextlib
import csv
import dataclasses
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
from filelock import FileLock
from tqdm import tqdm

from affectkeras.cache import cache_dir
from affectkeras.datasets.sample.marks import TRUTH_FILE, VIDEO_TRUTH_COLUMNS
from affectkeras.datasets.sample.talking_faces import (
    Speaker,
    draw_speaker,
    face_boxes,
    render_frames,
)
from affectkeras.datasets.sample.talking_paths import (
    QUADRANTS,
    Motion,
    draw_affect,
    draw_motion,
)

VERSION = 2  # raise it when the drawn videos change: cached copies of older ones are left alone

SMALL = {"videos": 96, "frames": (48, 60)}
PLANTED = ("cut", "away", "unlabelled")
_FIRST = 101  # the number that is the first video's name
_SIZES = ((640, 360), (640, 360), (480, 360))
_RATES = (25, 30)
_GROUP = 50  # frames between two keyframes
_CUT_SHARE = 0.8  # of the file that is cut off on purpose
_AWAY = (0.3, 0.5)  # share of the video in which nobody is in the picture
_PTS = "version: 1\nn_points: 4\n{{\n{0} {1}\n{0} {3}\n{2} {3}\n{2} {1}\n}}\n"


@dataclasses.dataclass(frozen=True)
class PlannedVideo:
    """A video to be drawn.

    Args:
        number: its name.
        seed: of everything that is drawn.
        frames: their number.
        rate: frames per second.
        size: width and height, pixels.
        quadrant: signs of the mean valence and arousal.
        planted: how it is spoilt: "", or one of `PLANTED`.
    """

    number: int
    seed: tuple[int, ...]
    frames: int
    rate: int
    size: tuple[int, int]
    quadrant: tuple[int, int]
    planted: str = ""

    @property
    def path(self) -> str:
        """The file's path below the folder."""
        part = "test" if self.planted == "unlabelled" else "train"
        return f"videos/{part}/{self.number}.mp4"

    @property
    def away(self) -> range:
        """Frames in which nobody is in the picture."""
        if self.planted != "away":
            return range(0)
        return range(*(round(share * self.frames) for share in _AWAY))


def sample_aff_wild(*, seed: int = 0, small: bool = False, progress: bool = True) -> Path:
    """Return a folder of sample videos in Aff-Wild's layout, drawn at the first call.

    Args:
        seed: another seed draws other people and paths of valence and arousal.
        small: more people, each for two seconds: drawn in a fifth of the time.
        progress: whether to show a progress bar while drawing, or one line where there is no
            terminal.
    """
    size = SMALL if small else {}
    name = f"aff-wild{'-small' if small else ''}-seed{seed}-v{VERSION}"
    folder = cache_dir("sample") / name
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            try:
                write_sample_aff_wild(unfinished, seed=seed, progress=progress, **size)
                os.replace(unfinished, folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def write_sample_aff_wild(
    folder: Path,
    *,
    seed: int = 0,
    videos: int = 60,
    frames: tuple[int, int] = (420, 460),
    planted: tuple[str, ...] = PLANTED,
    progress: bool = False,
) -> None:
    """Write sample videos (H.264, MP4), their valence and arousal, and boxes of faces.

    The same arguments write the same bytes. Of the sound videos, each four in a row have their mean
    valence and arousal in the four quadrants. Beside the layout lies `sample_truth.csv` (path,
    planted, faces: the folder of boxes), by which the doctor knows the sample.

    Args:
        folder: where to write; made if absent.
        seed: of everything that is drawn.
        videos: sound ones, one person each.
        frames: fewest and most frames of a video.
        planted: further videos that are spoilt on purpose: `cut` (the file ends early and cannot be
            opened), `away` (nobody is in the picture for a stretch, which has no boxes) or
            `unlabelled` (in the test part, without annotation).
        progress: whether to show a progress bar, or one line where there is no terminal.
    """
    folder = Path(folder)
    plans = plan_videos(seed, videos, frames, planted)
    for part in ("videos/train", "videos/test"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    if progress and not sys.stderr.isatty():
        print(f"Drawing {len(plans)} sample videos, once, below {folder.parent} …", file=sys.stderr)
    hidden = None if progress else True  # None: shown on a terminal only
    with (
        _one_thread_each(),
        ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool,
        tqdm(
            total=sum(plan.frames for plan in plans),
            desc="Drawing sample videos",
            disable=hidden,
            unit="frame",
        ) as bar,
    ):
        list(pool.map(lambda plan: _write_one(folder, plan, bar.update), plans))
    _write_truth(folder / TRUTH_FILE, plans)


def plan_videos(
    seed: int, videos: int, frames: tuple[int, int], planted: tuple[str, ...] = ()
) -> list[PlannedVideo]:
    """Return the videos to be drawn, the sound ones first.

    Raises:
        ValueError: for a way of spoiling that there is not, or frames out of order.
    """
    if unknown := sorted(set(planted) - set(PLANTED)):
        raise ValueError(f"`planted` must be of {PLANTED}. Received: {unknown}")
    if not 1 <= frames[0] <= frames[1]:
        raise ValueError(f"`frames` must be (fewest, most), from 1. Received: {frames}")
    plans = []
    for place, how in enumerate([""] * videos + list(planted)):
        random = np.random.default_rng([seed, place])
        order = np.random.default_rng([seed, 10**6 + place // len(QUADRANTS)])
        quadrant = QUADRANTS[order.permutation(len(QUADRANTS))[place % len(QUADRANTS)]]
        plans.append(
            PlannedVideo(
                number=_FIRST + place,
                seed=(seed, place),
                frames=int(random.integers(frames[0], frames[1] + 1)),
                rate=int(random.choice(_RATES)),
                size=_SIZES[random.integers(len(_SIZES))],
                quadrant=quadrant,
                planted=how,
            )
        )
    return plans


def draw_video(plan: PlannedVideo) -> tuple[Speaker, Motion]:
    """Return who is seen in a planned video and what happens in it."""
    # Three sources, so that person and place know nothing of the path.
    person, path, moves = (np.random.default_rng([*plan.seed, part]) for part in (1, 2, 3))
    valence, arousal = draw_affect(path, plan.frames, plan.rate, plan.quadrant)
    motion = draw_motion(moves, valence, arousal, plan.rate)
    return draw_speaker(person, *plan.size), motion


def _write_truth(path: Path, plans: list[PlannedVideo]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(VIDEO_TRUTH_COLUMNS)
        for plan in plans:
            boxes = "" if plan.planted == "unlabelled" else f"bboxes/train/{plan.number}"
            writer.writerow([plan.path, plan.planted, boxes])


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Keep OpenCV from dividing small pictures among threads, which takes longer than drawing."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _write_one(folder: Path, plan: PlannedVideo, advance: Callable[[], object]) -> None:
    speaker, motion = draw_video(plan)
    path = folder / plan.path
    _encode(path, plan, render_frames(speaker, motion, away=plan.away), advance)
    if plan.planted == "cut":
        content = path.read_bytes()
        path.write_bytes(content[: int(_CUT_SHARE * len(content))])
    if plan.planted == "unlabelled":
        return
    for name, values in (("valence", motion.valence), ("arousal", motion.arousal)):
        labels = folder / "annotations/train" / name / f"{plan.number}.txt"
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text("".join(f"{value:.4f}\n" for value in values), encoding="ascii")
    boxes = folder / "bboxes/train" / str(plan.number)
    boxes.mkdir(parents=True)
    for number, (x, y, width, height) in enumerate(face_boxes(speaker, motion)):
        if number not in plan.away:
            edges = (f"{edge:.1f}" for edge in (x, y, x + width, y + height))
            (boxes / f"{number + 1}.pts").write_text(_PTS.format(*edges), encoding="ascii")


def _encode(path: Path, plan: PlannedVideo, pictures, advance: Callable[[], object]) -> None:
    # "bitexact": no version, date or random number in the file.
    with av.open(os.fspath(path), "w", options={"fflags": "bitexact"}) as container:
        settings = {"preset": "veryfast", "crf": "21", "flags": "bitexact"}
        stream = container.add_stream("libx264", rate=plan.rate, options=settings)
        stream.width, stream.height = plan.size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = _GROUP
        stream.thread_count = 1
        for number, pixels in enumerate(pictures):
            planes = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
            advance()
        container.mux(stream.encode())

"""From an upload to what the page shows: an annotated video, a row per frame, a table."""

import dataclasses
import json
import math
import os
import shutil
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.circumplex import SECTORS
from affectkeras.demo.results import ROWS, TABLE, VIDEO, Job, Replaced
from affectkeras.demo.uploads import Limits, check_upload, frame_times, is_photo, photo_as_video
from affectkeras.errors import UserError
from affectkeras.files import atomic_file, write_csv
from affectkeras.media.image_check import ImageDamaged
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_annotation import annotate_video

# (video or photo, annotate=new MP4 or None, on_progress=(share, words)) → a row per frame: what
# `affectkeras.video_analysis.analyse_video` is with a model.
Analyse = Callable[..., pd.DataFrame]

_TOLD_EVERY_S = 0.3
_NUMBERS = ("time_s", "x", "y", "width", "height", "confidence")
_OF_NUMBERS = ("valence", "arousal", "intensity")


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far an analysis is.

    Args:
        share: what is done, in [0, 1].
        words: what is being done.
    """

    share: float
    words: str


def follow_analysis(
    job: Job, uploads: Path, analyse: Analyse, limits: Limits
) -> Iterator[Progress | str]:
    """Run `analyse_upload` in a thread; yield its progress a few times a second and how it ended.

    Yields:
        `Progress`, and last "" or else what the person must be told.
    """
    latest = [Progress(0.0, "Looking at the file")]
    ended: list[str] = []

    def run() -> None:
        try:
            analyse_upload(
                job,
                uploads,
                analyse=analyse,
                limits=limits,
                on_progress=lambda share, words: latest.append(Progress(share, words)),
            )
            ended.append("")
        except (UserError, Replaced) as told:
            ended.append(str(told) or "Another upload took its place.")
        except Exception:  # a defect of ours: the terminal gets the traceback, the page a sentence
            traceback.print_exc()
            ended.append(f"{job.name}: the analysis failed. The terminal of the demo tells where.")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            yield latest[-1]
            del latest[:-1]
            thread.join(_TOLD_EVERY_S)
        yield ended[0]
    finally:  # also when nobody listens any more: the next analysis must not run beside this one
        if thread.is_alive():
            job.replaced.set()
            thread.join()


def analyse_upload(
    job: Job,
    uploads: Path,
    *,
    analyse: Analyse,
    limits: Limits,
    on_progress: Callable[[float, str], None],
) -> None:
    """Check an upload, analyse it and lay down in the job's folder what the page then fetches.

    Args:
        job: which upload it is; its folder gets `VIDEO`, `TABLE` and, last, `ROWS`.
        uploads: the folder in which the uploaded file must lie. The file is deleted, whatever
            comes.
        analyse: the analysis of a video.
        limits: what an upload may be at most.
        on_progress: told how much is done, in [0, 1], and what is being done.

    Raises:
        UserError: when the upload cannot be analysed.
        Replaced: when another upload took its place meanwhile.
    """

    def report(share: float, words: str) -> None:
        job.check()
        on_progress(share, words)

    # By its suffix an analysis knows a photo; which of the two kinds it is, it sees by itself.
    source, photo = job.folder / "upload", job.folder / "photo.png"
    try:
        job.check()
        os.replace(_uploaded(job, uploads), source)
        check_upload(source, job.name, limits)
        if is_photo(source):
            table = _analyse_photo(source.rename(photo), job, analyse, report)
        else:
            table = analyse(source, annotate=job.folder / VIDEO, on_progress=report)
        job.check()
        rows = page_rows(table, frame_times(job.folder / VIDEO))
        write_csv(job.folder / TABLE, table)
        text = json.dumps({"file": job.name, **rows}, allow_nan=False)
        with atomic_file(job.folder / ROWS) as file:
            file.write(text.encode())
    except Exception as error:
        if job.replaced.is_set():  # its folder is gone: whatever failed, failed for that
            raise Replaced from error
        if isinstance(error, (ImageDamaged, VideoDamaged)):
            raise UserError(f"{job.name}: {error}. Give another file.") from error
        raise
    finally:
        source.unlink(missing_ok=True)
        photo.unlink(missing_ok=True)
        if job.replaced.is_set():
            shutil.rmtree(job.folder, ignore_errors=True)


def _analyse_photo(photo: Path, job: Job, analyse: Analyse, report: Callable) -> pd.DataFrame:
    """Analyse a photo and lay it down as a video of one frame, so that the page knows only one."""
    table = analyse(photo, annotate=None, on_progress=report)
    film = job.folder / "photo.mov"
    photo_as_video(photo, film)
    boxes = table[["x", "y", "width", "height"]].to_numpy(float)
    annotate_video(film, job.folder / VIDEO, boxes, _words(_names(table)))
    film.unlink()
    return table


def _uploaded(job: Job, uploads: Path) -> Path:
    """Return the uploaded file; what the page tells could be any path of this machine."""
    try:
        found = Path(job.upload).resolve(strict=True)
    except (OSError, ValueError):
        found = None
    if found is None or not found.is_relative_to(uploads.resolve()) or not found.is_file():
        raise UserError(f"{job.name}: the uploaded file is gone. Give it again.")
    return found


def page_rows(table: pd.DataFrame, shown_s: list[float]) -> dict:
    """Return what the page draws, column by column; NaN becomes None.

    Args:
        table: a row per frame, as `analyse_video` gives it.
        shown_s: when each frame of the annotated video is shown, seconds; the page finds frames by
            it.
    """
    if len(table) != len(shown_s):
        raise ValueError(
            f"The annotated video must have a frame per row. Received: {len(shown_s)} frames, "
            f"{len(table)} rows"
        )
    kind = "numbers" if "valence" in table or "arousal" in table else "classes"
    rows = {"kind": kind, "frame": table["frame"].astype(int).tolist(), "shown_s": shown_s}
    rows["face"] = ["" if pd.isna(face) or face < 0 else str(int(face)) for face in table["face"]]
    columns = [*_NUMBERS, *(_OF_NUMBERS if kind == "numbers" else ("probability",))]
    for column in columns:
        values = table[column] if column in table else np.full(len(table), math.nan)
        rows[column] = _plain(values)
    rows["name"] = _words(_names(table))
    if kind == "numbers":
        return rows | {"sectors": list(SECTORS)}
    names = [column.removeprefix("p_") for column in table if column.startswith("p_")]
    probabilities = [_plain(table[f"p_{name}"]) for name in names]
    return rows | {"class_names": names, "probabilities": probabilities}


def _names(table: pd.DataFrame) -> pd.Series:
    """Return what each frame is called: its sector or class; "" where a model gives no such."""
    column = "sector" if "sector" in table else "class_name"
    return table[column] if column in table else pd.Series("", index=table.index)


def _plain(values) -> list[float | None]:
    numbers = np.asarray(values, float)
    return [round(float(value), 6) if np.isfinite(value) else None for value in numbers]


def _words(column: pd.Series) -> list[str]:
    return ["" if pd.isna(word) else str(word) for word in column]

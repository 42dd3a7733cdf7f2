"""Reading the faces of videos: `python -m affectkeras predict RUN VIDEO…`."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from affectkeras.errors import UserError
from affectkeras.files import atomic_file
from affectkeras.media.image_check import ImageDamaged
from affectkeras.media.video import VideoDamaged
from affectkeras.predict import printable_path
from affectkeras.reporting.video_plot import plot_video
from affectkeras.video_analysis import PHOTO_SUFFIXES, analyse_video
from affectkeras.video_model import SAMPLE_MODEL, VideoModel, load_video_model

DECIMALS = 6


def predict_videos(
    run: Path,
    paths: Sequence[Path],
    *,
    csv: Path | None = None,
    annotate: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Write a row per frame of each video: where the face is and what the model reads in it.

    A video that cannot be read gets one row with the reason; it never ends the command.

    Args:
        run: a run folder, or a SavedModel folder.
        paths: videos, and photos, which are videos of one frame.
        csv: where the rows go; None: to standard output.
        annotate: a folder for the videos with box and word drawn in, `<name>.mp4`.
        plot: a folder for the curves over time, `<name>.png`.

    Raises:
        UserError: when there is no usable model, a file cannot be written, or one would be
            overwritten.
    """
    for folder in (annotate, plot):
        if folder is not None:
            _refuse_same_names(paths, folder)
    if annotate is not None:
        _refuse_to_draw(paths, annotate)
    for folder in (annotate, plot):
        if folder is not None:
            _make(folder)
    _check_csv(csv)
    model = load_video_model(run)
    if model.note:
        print(f"*** {model.note}", file=sys.stderr)
    damaged = 0
    with _row_writer(csv) as write:
        for path in paths:
            try:
                drawn = None if annotate is None else annotate / f"{path.stem}.mp4"
                frame = _analyse(model, path, drawn)
            except (VideoDamaged, ImageDamaged) as error:
                damaged += 1
                write(_damaged_row(model, path, str(error)))
                print(f"{printable_path(path)}: {error}", file=sys.stderr)
                continue
            frame.insert(0, "file", printable_path(path))
            write(frame.assign(error=""))
            print(_told(model, path, frame), file=sys.stderr)
            if plot is not None:
                title = path.name + (f" · {SAMPLE_MODEL}" if model.is_sample else "")
                plot_video(frame, plot / f"{path.stem}.png", title=title)
    where = "" if csv is None else f" Written to {csv}."
    good = len(paths) - damaged
    print(f"{len(paths)} files read: {good} analysed, {damaged} damaged.{where}", file=sys.stderr)


def _analyse(model: VideoModel, path: Path, drawn: Path | None) -> pd.DataFrame:
    # `disable=None` is tqdm's way to say: only where standard error is a terminal.
    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, desc=path.name, bar_format=layout, file=sys.stderr, disable=None) as bar:

        def on_progress(share: float, doing: str) -> None:
            bar.set_description(f"{path.name}: {doing}", refresh=False)
            bar.update(share - bar.n)

        return analyse_video(model, path, annotate=drawn, on_progress=on_progress)


def _told(model: VideoModel, path: Path, frame: pd.DataFrame) -> str:
    """Return one line about a video: how many frames, with a face, and what was read most often."""
    seen = frame["confidence"].notna()
    line = f"{printable_path(path)}: {len(frame)} frames, the face in {int(seen.sum())}"
    column = "sector" if model.kind == "numbers" else "class_name"
    read = frame.loc[frame[list(model.columns)].notna().all(axis=1)]
    if not len(read):
        return f"{line}; nothing read"
    means = [f"mean {name} {read[name].mean():+.2f}" for name in model.targets]
    word, count = read[column].value_counts().index[0], read[column].value_counts().iloc[0]
    return "; ".join([line, *means, f"mostly {word} ({count / len(read):.0%})"])


def _damaged_row(model: VideoModel, path: Path, reason: str) -> pd.DataFrame:
    columns = ["file", *model.frame_columns, "error"]
    row = dict.fromkeys(columns, None) | {"file": printable_path(path), "error": reason}
    return pd.DataFrame([row], columns=columns)


def _refuse_same_names(paths: Sequence[Path], folder: Path) -> None:
    stems = [path.stem for path in paths]
    twice = {stem for stem in stems if stems.count(stem) > 1}
    if twice:
        raise UserError(
            f"{folder}: two files named {min(twice)} would be written to one place. Give videos of "
            "different names, or one at a time."
        )


def _refuse_to_draw(paths: Sequence[Path], folder: Path) -> None:
    for path in paths:
        if path.suffix.lower() in PHOTO_SUFFIXES:
            raise UserError(f"--annotate draws into videos; {path} is a photo. Leave it out.")
        if path.resolve() == (folder / f"{path.stem}.mp4").resolve():
            raise UserError(
                f"--annotate {folder}: the video itself would be overwritten. Give another folder."
            )


def _check_csv(path: Path | None) -> None:
    """Say before the work, which may take hours, that its rows could not be written."""
    if path is None:
        return
    _make(path.parent)
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(f"--csv {path}: no file can be written there. Give another place.")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be made: {error.strerror}. Give another place."
        ) from error


@contextlib.contextmanager
def _row_writer(path: Path | None) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Yield a function that writes rows as CSV; the file appears under its name when complete."""
    written = 0

    def write(frame: pd.DataFrame, stream) -> None:
        nonlocal written
        text = frame.round(DECIMALS).to_csv(index=False, header=not written, lineterminator="\n")
        stream.write(text.encode("utf-8", "backslashreplace"))
        written += len(frame)

    if path is None:
        yield lambda frame: write(frame, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    _make(Path(path).parent)
    with atomic_file(Path(path)) as file:
        yield lambda frame: write(frame, file)

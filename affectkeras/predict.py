"""Reading images by what a run exported: `python -m affectkeras predict RUN FILE|FOLDER…`.

Only the SavedModel is used; neither Keras nor the model's code is needed. Videos, and photos for a
model that reads over time, go to `predict_video`, recordings of wearables to `predict_signals`.
"""

import contextlib
import csv as csv_format
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from affectkeras.errors import UserError
from affectkeras.media.image_check import ImageDamaged, check_image, read_image_file
from affectkeras.media.parallel import map_in_threads
from affectkeras.quiet import start_tensorflow

SUFFIXES = (".jpg", ".jpeg", ".png")
RECORDING_SUFFIXES = (".csv", ".dat", ".pkl", ".zip")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")

# What the model is given at once, decoded: at 3 bytes a pixel about 75 MB.
_PIXELS_AT_ONCE = 25_000_000

# A file's row: its class index and probabilities `(classes,)`, or the reason there are none.
Prediction = tuple[int, np.ndarray] | str


class ReadsOverTime(UserError):
    """The model reads the faces of videos, not single pictures."""


def predict_command(
    run: Path,
    inputs: Sequence[Path],
    csv: Path | None = None,
    batch_size: int = 32,
    annotate: Path | None = None,
    plot: Path | None = None,
    dataset: str | None = None,
    step_s: float | None = None,
) -> None:
    """Read images, videos or recordings of wearables with a trained model.

    Of images a table of file, class_name, probability is printed; of videos a row per frame, see
    `predict_video.predict_videos`; of recordings a row per window, see
    `predict_signals.predict_signals`. A file that cannot be used gets a row with the reason; it
    never ends the command.

    Args:
        run: a run folder (its saved_model/ is used), or a SavedModel folder itself.
        inputs: images or videos, and folders in which they are looked for at any depth; or folders
            of recordings.
        csv: write the table to this file, images with the probability of every class.
        batch_size: images given to the model at once.
        annotate, plot: of videos: folders for videos with boxes drawn in, and for curves; of
            recordings the latter.
        dataset, step_s: of recordings, see `predict_signals.predict_signals`.

    Raises:
        UserError: when there is no usable model, an input does not exist or holds nothing, images
            and videos are mixed, or the model reads something else.
    """
    if batch_size < 1:
        raise UserError(f"batch_size must be at least 1. Received: {batch_size}")
    model_folder = find_saved_model(run)
    from affectkeras.signal_model import reads_signals

    recording = _find_recording(inputs)
    if reads_signals(model_folder, look_inside=recording is not None):
        if annotate is not None:
            raise UserError("--annotate draws into videos; this run reads signals. Leave it out.")
        from affectkeras.predict_signals import DEFAULT_DATASET, predict_signals

        dataset = dataset or DEFAULT_DATASET
        predict_signals(run, inputs, csv=csv, dataset=dataset, step_s=step_s, plot=plot)
        return
    _refuse_recordings(run, recording, dataset, step_s)
    paths = find_images(inputs, videos=True)
    videos = [path for path in paths if is_video(path)]
    try:
        if videos and len(videos) == len(paths) or annotate or plot:
            raise ReadsOverTime
        classifier = load_classifier(model_folder)
    except ReadsOverTime:
        from affectkeras.predict_video import predict_videos

        predict_videos(run, paths, csv=csv, annotate=annotate, plot=plot)
        return
    if videos:
        raise UserError(
            f"{len(videos)} videos and {len(paths) - len(videos)} images were found: this model "
            "reads each image as a face, in videos faces are looked for. Give one kind at a time."
        )
    _predict_images(paths, classifier, csv, batch_size)


def _find_recording(inputs: Sequence[Path]) -> Path | None:
    """Return a file that may be of a recording of a wearable, of an input without pictures."""
    for given in map(Path, inputs):
        if not given.is_dir():
            found = given if given.suffix.lower() in RECORDING_SUFFIXES else None
        elif next(_walk(given, (*SUFFIXES, *VIDEO_SUFFIXES)), None) is None:
            found = next(_walk(given, RECORDING_SUFFIXES), None)
        else:
            found = None
        if found is not None:
            return found
    return None


def _refuse_recordings(
    run: Path, recording: Path | None, dataset: str | None, step_s: float | None
) -> None:
    faces = f"{run}: this run reads faces in images or videos"
    if recording is not None:
        raise UserError(
            f"{faces}; {printable_path(recording)} is none. If it is of a recording of a wearable, "
            "give the run of a recipe on wearables."
        )
    for option, value in (("--dataset", dataset), ("--step", step_s)):
        if value is not None:
            raise UserError(f"{option} is for recordings of wearables; {faces}. Leave it out.")


def _predict_images(paths: Sequence[Path], classifier, csv: Path | None, batch_size: int) -> None:
    class_names, classify = classifier
    damaged = 0
    with _csv_writer(csv, class_names) as write_csv, _progress_bar(len(paths)) as bar:
        file_width = max(len(printable_path(path)) for path in paths)
        class_width = max(map(len, (*class_names, "class_name")))
        _print_row("file", "class_name", "probability", "", (file_width, class_width))
        for path, prediction in predict_files(paths, classify, batch_size):
            file, error = printable_path(path), ""
            if isinstance(prediction, str):
                damaged, error = damaged + 1, prediction
                row = (file, "", "", *[""] * len(class_names), error)
            else:
                index, probabilities = prediction
                numbers = [f"{value:.6f}" for value in (probabilities[index], *probabilities)]
                row = (file, class_names[index], *numbers, "")
            _print_row(*row[:3], error, (file_width, class_width))
            write_csv(row)
            bar.update(1)
    written = f" Written to {csv}." if csv else ""
    print(
        f"{len(paths)} images read: {len(paths) - damaged} predicted, {damaged} damaged.{written}",
        file=sys.stderr,
    )


def find_saved_model(run: Path) -> Path:
    """Return the SavedModel folder of a run, or `run` itself if it is one.

    Raises:
        UserError: naming what was looked for.
    """
    run = Path(run)
    looked_for = (run / "saved_model", run)
    for folder in looked_for:
        if (folder / "saved_model.pb").is_file():
            return folder
    if not run.exists():
        found = "there is no such folder"
    elif not run.is_dir():
        found = "it is a file"
    else:
        found = f"it holds {', '.join(sorted(os.listdir(run))[:10]) or 'nothing'}"
    raise UserError(
        f"{run}: no exported model: looked for {' and '.join(str(f) for f in looked_for)} holding "
        f"saved_model.pb, but {found}. Give the folder of a run that has finished, such as "
        "runs/<recipe>/<time>, or a SavedModel folder."
    )


def is_video(path: Path) -> bool:
    """Return whether a file's name is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def find_images(inputs: Iterable[Path], *, videos: bool = False) -> list[Path]:
    """Return the given files, and the JPEG and PNG files below the given folders, sorted.

    With `videos`, videos too.

    Links are followed, but no folder is entered twice: a loop of links ends.

    Raises:
        UserError: when an input does not exist, or a folder holds no such file.
    """
    suffixes = (*SUFFIXES, *VIDEO_SUFFIXES) if videos else SUFFIXES
    what = "image or video" if videos else "image"
    paths: list[Path] = []
    for given in map(Path, inputs):
        if given.is_dir():
            below = sorted(_walk(given, suffixes))
            if not below:
                raise UserError(
                    f"{given}: no {what} below this folder: looked for names ending in "
                    f"{', '.join(suffixes)} at any depth."
                )
            paths += below
        elif os.path.lexists(given):
            paths.append(given)
        else:
            raise UserError(f"{given}: no such file or folder. Give {what}s or folders of {what}s.")
    if not paths:
        raise UserError("Nothing to predict: give at least one image or folder of images.")
    return list(dict.fromkeys(paths))


def load_classifier(folder: Path) -> tuple[list[str], Callable[[list[bytes]], np.ndarray]]:
    """Load a SavedModel written by `affectkeras.export.export_saved_model`.

    Returns:
        The class names, and the function encoded images → probabilities float32 `(images,
        classes)`, which raises `ImageDamaged` when one of them cannot be decoded.

    Raises:
        UserError: when the folder cannot be loaded or is no such model.
    """
    return classifier_of(load_saved_model(folder), folder)


def classifier_of(loaded, folder: Path) -> tuple[list[str], Callable[[list[bytes]], np.ndarray]]:
    """Return what `load_classifier` does of a SavedModel that `load_saved_model` has loaded."""
    import tensorflow as tf

    if "recur" in loaded.signatures:
        raise ReadsOverTime(f"{folder}: this model reads the faces of videos, not single pictures.")
    missing = {"describe", "serving_default"} - set(loaded.signatures)
    if missing:
        raise UserError(
            f"{folder}: this SavedModel has no signature {' or '.join(sorted(missing))}; it was "
            "not exported by affectkeras. Use the saved_model folder of a run."
        )
    described = loaded.signatures["describe"]()
    if "class_names" not in described:
        raise UserError(
            f"{folder}: this model reads no pictures of faces. Use it for what it reads."
        )
    class_names = [name.decode() for name in described["class_names"].numpy()]

    def classify(encoded_images):
        try:
            outputs = loaded.signatures["serving_default"](images=tf.constant(encoded_images))
        except tf.errors.InvalidArgumentError as error:
            raise ImageDamaged(f"the model cannot decode it: {error.message}") from error
        return outputs["probabilities"].numpy()

    return class_names, classify


def load_saved_model(folder: Path):
    """Load a SavedModel, whatever its signatures; keep it as long as they are used.

    Raises:
        UserError: when it cannot be loaded.
    """
    start_tensorflow()  # quietly: its notes would drown the table
    import tensorflow as tf

    try:
        return tf.saved_model.load(os.fspath(folder))
    except Exception as error:
        # What TensorFlow raises (OSError, IndexError, KeyError …) depends on where the damage lies.
        raise UserError(
            f"{folder}: this SavedModel cannot be loaded; it may be damaged or incomplete. Export "
            f"the run again. TensorFlow says: {(str(error) or repr(error)).splitlines()[0]}"
        ) from error


def predict_files(
    paths: Sequence[Path], classify: Callable[[list[bytes]], np.ndarray], batch_size: int
) -> Iterator[tuple[Path, Prediction]]:
    """Yield each path, in order, with its class index and probabilities or the reason for none.

    One batch of files is held in memory at a time; a batch of large images is given to the model in
    several parts.
    """
    for start in range(0, len(paths), batch_size):
        batch = paths[start : start + batch_size]
        read = map_in_threads(_read_checked, batch, description="", progress=False, workers=None)
        predictions: list[Prediction | None] = [
            content if isinstance(content, str) else None for content in read
        ]
        for part in _split_by_pixels(read):
            found = _classify_each([read[number][0] for number in part], classify)
            for number, prediction in zip(part, found, strict=True):
                predictions[number] = prediction
        yield from zip(batch, predictions, strict=True)


def _read_checked(path: Path) -> tuple[bytes, int] | str:
    """Return an image's bytes and number of pixels, or the reason why it cannot be used."""
    try:
        data = read_image_file(path)
        facts = check_image(data)
    except ImageDamaged as damaged:
        return str(damaged)
    return data, facts.width * facts.height


def _split_by_pixels(read: list[tuple[bytes, int] | str]) -> Iterator[list[int]]:
    """Yield the positions of usable images in parts of a bounded number of pixels."""
    part, pixels = [], 0
    for number, content in enumerate(read):
        if isinstance(content, str):
            continue
        if part and pixels + content[1] > _PIXELS_AT_ONCE:
            yield part
            part, pixels = [], 0
        part.append(number)
        pixels += content[1]
    if part:
        yield part


def _classify_each(
    encoded: list[bytes], classify: Callable[[list[bytes]], np.ndarray]
) -> list[Prediction]:
    """Classify images together; if the model refuses the batch, one by one, to find the culprit."""
    try:
        rows = classify(encoded)
    except ImageDamaged as damaged:
        if len(encoded) == 1:
            return [str(damaged)]
        return [_classify_each([image], classify)[0] for image in encoded]
    return [(int(np.argmax(row)), row) for row in rows]


def _walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    def refuse(error):
        raise UserError(
            f"{error.filename}: this folder cannot be read: {error.strerror}. Allow reading it, or "
            "give other folders."
        ) from error

    entered = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders.sort()
        for name in names:
            if name.lower().endswith(suffixes):
                yield Path(parent, name)


def printable_path(path: Path) -> str:
    """Return a path as text for a table: bytes that are no UTF-8 as `\\xNN`, control characters
    escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _print_row(
    file: str, class_name: str, probability: str, error: str, widths: tuple[int, int]
) -> None:
    row = f"{file:<{widths[0]}}  {class_name:<{widths[1]}}  {probability:>11}  {error}".rstrip()
    # Through tqdm, so that the bar on standard error is not torn apart on a shared terminal.
    tqdm.write(row, file=sys.stdout)


def _progress_bar(total: int) -> tqdm:
    # `disable=None` is tqdm's way to say: only where standard error is a terminal.
    return tqdm(total=total, desc="Predicting", unit="image", file=sys.stderr, disable=None)


@contextlib.contextmanager
def _csv_writer(path: Path | None, class_names: Sequence[str]) -> Iterator[Callable]:
    """Yield a function that writes a row; the file appears under its name once it is complete."""
    if path is None:
        yield lambda row: None
        return
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise UserError(f"--csv {path}: cannot be written: {error.strerror}.") from error
    try:
        with open(descriptor, "w", newline="", encoding="utf-8") as file:
            writer = csv_format.writer(file)
            names = [f"p_{name}" for name in class_names]
            writer.writerow(["file", "class_name", "probability", *names, "error"])
            yield writer.writerow
        os.chmod(unfinished, 0o644)  # mkstemp lets only the owner read
        try:
            os.replace(unfinished, path)
        except OSError as error:
            raise UserError(f"--csv {path}: cannot be written: {error.strerror}.") from error
    finally:
        Path(unfinished).unlink(missing_ok=True)

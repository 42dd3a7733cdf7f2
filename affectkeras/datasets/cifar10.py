"""CIFAR-10: 60,000 colour pictures of 32 × 32 pixels, ten kinds of animals and vehicles.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report,
University of Toronto, 2009; www.cs.toronto.edu/~kriz/cifar.html. Nothing tells which pictures
belong together, so a row is its own group.
"""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.folders import find_child, find_tops, layout_error, open_child
from affectkeras.datasets.image_rows import with_default_columns
from affectkeras.datasets.safe_pickle import load_plain
from affectkeras.datasets.table import ArrayPayload, ExampleTable, Target, rejected_frame
from affectkeras.errors import UserError

NAME = "cifar10"
CLASS_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
TARGET = Target("object", "class", CLASS_NAMES)
LAYOUT = """
one of (first match wins), also inside a .zip:
cifar-10-batches-py/{data_batch_1,…,data_batch_5,test_batch,batches.meta}    the python version
cifar-10-batches-py-target/cifar-10-batches-py/…                            as Keras 3 keeps it
cifar-10-batches-bin/{data_batch_1.bin,…,data_batch_5.bin,test_batch.bin,batches.meta.txt}
cifar-10-python.tar.gz or cifar-10-binary.tar.gz                        as the owner gives it out
"""
# Of each class, airplane … truck: the report and its page.
PAPER_COUNTS = {"train": (5000,) * 10, "test": (1000,) * 10}

SIDE = 32
_PIXELS = 3 * SIDE * SIDE
_RECORD = 1 + _PIXELS  # bytes of the binary version: the label, then the planes of R, G and B
# The owner's test batch is the one that papers report on: here it is kept for the end.
_SPLITS = {**{f"data_batch_{number}": "train" for number in range(1, 6)}, "test_batch": "test"}
_PYTHON, _BINARY = "python version", "binary version"
_SUFFIXES = {_PYTHON: "", _BINARY: ".bin"}
_META = {_PYTHON: "batches.meta", _BINARY: "batches.meta.txt"}
_PYTHON_FOLDER, _BINARY_FOLDER = "cifar-10-batches-py", "cifar-10-batches-bin"
_KERAS_FOLDER = f"{_PYTHON_FOLDER}-target"
_ARCHIVES = (
    *("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"),
    # As Keras 2 and Keras 3 name what they fetched.
    *(f"{_PYTHON_FOLDER}.tar.gz", f"{_KERAS_FOLDER}_archive"),
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        form: the python or the binary version.
        batches: (owner's name, file) of each batch.
        class_names: the owner's list of the classes; None where it is not there.
        missing: a sentence for each batch that is not there, with the mend.
    """

    form: str
    batches: tuple[tuple[str, Path], ...]
    class_names: Path | None = None
    missing: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Batch:
    """The records of one file whose pixels are known: uint8 `(records, 32, 32, 3)`."""

    pixels: np.ndarray
    labels: list
    file_names: list[str] | None = None
    rejected: tuple[tuple[str, str, str], ...] = ()


def find(folder: Path) -> Layout:
    """Return which form of CIFAR-10 lies in `folder`, up to two levels below, or in an archive.

    Raises:
        UserError: when none does, or several copies lie side by side; the message says what was
            looked for and what was seen.
    """
    tops = find_tops(folder, lambda place: _find_form(place) is not None)
    # What an archive holds and the folder in it both look right, and lead to the same batches.
    forms = {form.batches: form for form in map(_find_form, tops)}
    if len(forms) > 1:
        found = ", ".join(str(batches[0][1].parent) for batches in forms)
        raise UserError(f"{folder}: CIFAR-10 lies here in several copies ({found}). Name one.")
    if not forms:
        looked_for = (
            f"{_PYTHON_FOLDER} (data_batch_1 …), {_BINARY_FOLDER} (data_batch_1.bin …), "
            f"{_ARCHIVES[0]} and {_ARCHIVES[1]}"
        )
        raise layout_error("CIFAR-10", Path(folder), looked_for, LAYOUT)
    return next(iter(forms.values()))


def read(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return the pictures with the class target `object`; they stay in memory as uint8.

    Splits: data_batch_1 … data_batch_5 → train, test_batch → test. A row is named by its batch and
    its number there, from 0. Column beside the fixed ones: `file_name`, as the python version gives
    it (empty in a batch without; no such column where no batch has any).

    Rejected as damaged: a label outside 0 to 9; a record of the binary version that is cut off; all
    records of a batch whose arrays are of other shapes; a batch without a record. Batches that are
    not there are told by `find`.

    Raises:
        UserError: when the layout is not found, a batch cannot be read or holds more than plain
            data, or the owner's list names other classes.
    """
    layout = find(folder)
    _check_class_names(layout)
    read_batch = _read_python if layout.form == _PYTHON else _read_binary
    rows, pixels, rejected = [], [], []
    place = 0
    for name, path in tqdm(
        layout.batches, desc="Reading CIFAR-10", unit=" batches", disable=None if progress else True
    ):
        batch = read_batch(name, path)
        found, left_out = _list_records(name, batch)
        rows += [(*row, _SPLITS[name], path.name, place + record) for *row, record in found]
        rejected += left_out
        pixels.append(batch.pixels)
        place += len(batch.pixels)
    columns = ["example_id", "object", "file_name", "split", "source", "place"]
    frame = pd.DataFrame(rows, columns=columns).astype({"object": np.int64, "place": np.int64})
    places = frame.pop("place").to_numpy()
    if frame["file_name"].isna().all():
        del frame["file_name"]
    else:
        frame["file_name"] = frame["file_name"].fillna("")
    return ExampleTable(
        name=NAME,
        frame=with_default_columns(frame),
        targets=(TARGET,),
        payload=ArrayPayload({"pixels": np.concatenate(pixels)}, places),
        groups_known=False,
        rejected=rejected_frame(rejected),
        read=len(frame) + len(rejected),
    )


def keras_cache() -> Path:
    """Return the folder of CIFAR-10's batches that Keras has fetched before.

    It lies below `~/.keras`, or where the variable KERAS_HOME says.

    Raises:
        UserError: when none is there; the message says how to get the data.
    """
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    layout = _find_form(home / "datasets")
    if layout is None:
        raise UserError(
            f'{home / "datasets"}: no CIFAR-10. Let Keras fetch it: python -c "import keras; '
            'keras.datasets.cifar10.load_data()". Or fetch an archive from '
            "www.cs.toronto.edu/~kriz/cifar.html and name it."
        )
    return layout.batches[0][1].parent


def _find_form(top: Path) -> Layout | None:
    for place in _places(top):
        for form, suffix in _SUFFIXES.items():
            files = {name: find_child(place, f"{name}{suffix}") for name in _SPLITS}
            batches = tuple(
                (name, file) for name, file in files.items() if file is not None and file.is_file()
            )
            if batches:
                found = dict(batches)
                missing = tuple(
                    f"{name}{suffix} of the {split} part: unpack the whole archive again"
                    for name, split in _SPLITS.items()
                    if name not in found
                )
                return Layout(form, batches, find_child(place, _META[form]), missing)
    return None


def _places(top: Path) -> Iterator[Path]:
    """Yield where batches may lie; archives come last, as they are unpacked to be looked into."""
    yield top
    yield from _owner_folders(top)
    for name in _ARCHIVES:
        archive = find_child(top, name)
        if archive is not None and archive.is_file():
            opened = open_folder(archive)
            yield opened
            yield from _owner_folders(opened)


def _owner_folders(top: Path) -> Iterator[Path]:
    of_keras = find_child(top, _KERAS_FOLDER)
    for parent, name in (
        (top, _PYTHON_FOLDER),
        (of_keras, _PYTHON_FOLDER),
        (top, _BINARY_FOLDER),
    ):
        folder = open_child(parent, name) if parent is not None else None
        if folder is not None:
            yield folder


def _check_class_names(layout: Layout) -> None:
    """Raise `UserError` where the owner's list names other classes, or in another order."""
    if layout.class_names is None:
        return
    if layout.form == _PYTHON:
        listed = _as_list(_load_dict(layout.class_names).get("label_names")) or []
        names = tuple(_as_text(name) for name in listed)
    else:
        names = tuple(_read_bytes(layout.class_names).decode("utf-8", "replace").split())
    if names != CLASS_NAMES:
        raise UserError(
            f"{layout.class_names}: must name the classes {', '.join(CLASS_NAMES)}. Found: "
            f"{', '.join(names[:12])[:200] or 'none'}. This is another data set, or a changed one."
        )


def _list_records(
    name: str, batch: _Batch
) -> tuple[list[tuple[str, int, str | None, int]], list[tuple[str, str, str]]]:
    """Return (example id, class, file name, record) of what can be used, and rejected rows."""
    rows, rejected = [], list(batch.rejected)
    for record, label in enumerate(batch.labels):
        if _is_class(label):
            file_name = batch.file_names[record] if batch.file_names else None
            rows.append((_identify(name, record), int(label), file_name, record))
        else:
            reason = f"the label must be 0 to {len(CLASS_NAMES) - 1}. Found: {label!r:.60}"
            rejected.append((_identify(name, record), "damaged", reason))
    return rows, rejected


def _read_python(name: str, path: Path) -> _Batch:
    batch = _load_dict(path)
    data, labels = batch.get("data"), _as_list(batch.get("labels"))
    file_names = _as_list(batch.get("filenames"))
    rows = len(data) if isinstance(data, np.ndarray) and data.ndim else 0
    known = rows and (data.dtype, data.shape) == (np.uint8, (rows, _PIXELS))
    if known and labels is not None and len(labels) == rows and len(file_names or labels) == rows:
        texts = None if file_names is None else [_as_text(text) for text in file_names]
        return _Batch(_as_pictures(data), labels, texts)
    found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else "none"
    reason = f"data must be uint8 (rows, {_PIXELS}), with a label for each row. Found: {found}, "
    reason += f"{len(labels or ())} labels"
    if file_names is not None:
        reason += f", {len(file_names)} file names"
    return _reject_all(name, max(rows, len(labels or ()), 1), reason)


def _read_binary(name: str, path: Path) -> _Batch:
    content = np.frombuffer(_read_bytes(path), np.uint8)
    whole, left = divmod(len(content), _RECORD)
    if not len(content):
        return _reject_all(name, 1, "the file is empty")
    records = content[: whole * _RECORD].reshape(whole, _RECORD)
    rejected = ()
    if left:
        reason = f"the record is cut off: {left} of {_RECORD} bytes"
        rejected = ((_identify(name, whole), "damaged", reason),)
    pictures = _as_pictures(records[:, 1:])
    return _Batch(pictures, records[:, 0].tolist(), rejected=rejected)


def _as_pictures(planes: np.ndarray) -> np.ndarray:
    """Return `(records, 3072)`, a plane per colour, as pictures `(records, 32, 32, 3)`."""
    channel_first = planes.reshape(len(planes), 3, SIDE, SIDE)
    return np.ascontiguousarray(channel_first.transpose(0, 2, 3, 1))


def _reject_all(name: str, records: int, reason: str) -> _Batch:
    rejected = ((_identify(name, record), "damaged", reason) for record in range(records))
    return _Batch(np.empty((0, SIDE, SIDE, 3), np.uint8), [], rejected=tuple(rejected))


def _identify(batch: str, record: int) -> str:
    return f"{batch}/{record:05d}"


def _is_class(label: object) -> bool:
    whole = isinstance(label, int | np.integer) and not isinstance(label, bool)
    return whole and 0 <= label < len(CLASS_NAMES)


def _load_dict(path: Path) -> dict[str, object]:
    """Return a pickled dictionary by plain names; an empty one where it holds something else."""
    # Python 2 wrote it, and its texts are not always of one encoding: they are taken as bytes.
    content = load_plain(path, encoding="bytes")
    if not isinstance(content, dict):
        return {}
    return {_as_text(key): value for key, value in content.items()}


def _as_list(value: object) -> list | None:
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.tolist()
    return value if isinstance(value, list) else None


def _as_text(value: object) -> str:
    """Return printable text; what is not UTF-8 stays visible as `\\xNN`."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value).encode("utf-8", "backslashreplace").decode()


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}). Make it readable for you."
        ) from error

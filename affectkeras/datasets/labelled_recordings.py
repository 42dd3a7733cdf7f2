"""What readers of large recordings share: a slow file is read once, its stretches become rows."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from filelock import FileLock

from affectkeras.cache import cache_dir
from affectkeras.datasets.recordings import (
    Recording,
    RecordingPayload,
    Signal,
    irregularity_frame,
)
from affectkeras.datasets.table import ExampleTable, RejectedKind, Target, rejected_frame
from affectkeras.errors import UserError
from affectkeras.files import atomic_file, write_json
from affectkeras.media.frame_cache import file_digest

_FORMAT = 1  # counted up when the files in the cache change their form


class Stretch(NamedTuple):
    """From when to when a label holds, in seconds on the signals' clock, and the owner's number."""

    start_s: float
    end_s: float
    label: int


class Irregularity(NamedTuple):
    """What of a signal was not as the layout promises: its kind, how often, and what was done."""

    signal: str
    kind: str
    count: int
    rule: str


class LabelledRecording(NamedTuple):
    """What a file holds: signals by name, labelled stretches in order, and what was odd."""

    signals: dict[str, Signal]
    stretches: list[Stretch]
    irregularities: list[Irregularity]


class RecordingDamaged(Exception):
    """Nothing of a recording can be used.

    Args:
        reason: why, as a sentence.
        promised: the stretches that its labels tell, each in words; empty where they are not known.
    """

    def __init__(self, reason: str, promised: Sequence[str] = ()):
        super().__init__(reason)
        self.promised = tuple(promised)


def read_once(
    kind: str, path: Path, version: int, read: Callable[[Path], LabelledRecording]
) -> LabelledRecording:
    """Return `read(path)`, or what it returned for the same bytes before.

    The values are kept in the cache and memory-mapped from there, so that recordings larger than
    the memory can be worked on. They cannot be written to. Two processes may ask at once.

    Args:
        kind: of reader and choice, such as "wesad wrist".
        path: the file.
        version: of the reader: counted up when other values would come out of the same bytes.
        read: reads the file; what it raises is raised, and nothing is kept.

    Raises:
        OSError: when the file cannot be read.
        UserError: when the cache cannot be written.
    """
    told = json.dumps([_FORMAT, kind, version, file_digest(path)])
    key = hashlib.sha256(told.encode()).hexdigest()[:32]
    folder = cache_dir("recordings")
    values, facts = folder / f"{key}.npy", folder / f"{key}.json"
    with FileLock(folder / f"{key}.lock"):
        known = _load(values, facts)
        if known is None:
            _keep(read(path), values, facts)
            known = _load(values, facts)
    if known is None:
        raise UserError(
            f"{values}: what was just written there cannot be read. Check the disk, or set "
            "AFFECTKERAS_CACHE to another folder."
        )
    return known


def build_stretch_table(
    name: str,
    target: Target,
    found: Sequence[tuple[str, str, LabelledRecording | RecordingDamaged]],
    labels: Mapping[int, str],
    set_aside: Callable[[int], tuple[RejectedKind, str]],
) -> ExampleTable:
    """Return the table of the stretches of all recordings, cut where their signals end.

    Args:
        name: the data set's short name.
        target: the class to predict.
        found: `(path below the raw folder, subject, what was read of it)` of every recording.
        labels: the owner's numbers and their names; those of `target.class_names` become examples.
        set_aside: the kind and reason with which a stretch of any other number is rejected.
    """
    classes = {
        label: target.class_names.index(shown)
        for label, shown in labels.items()
        if shown in target.class_names
    }
    recordings, index, rows, rejected, odd = [], [], [], [], []
    read = 0
    for path, subject, content in found:
        if isinstance(content, RecordingDamaged):
            read += max(len(content.promised), 1)
            rejected += _reject_whole(path, content)
            continue
        read += max(len(content.stretches), 1)
        odd += [(path, *irregularity) for irregularity in content.irregularities]
        kept, left_out = _choose_stretches(path, content, classes, labels, set_aside)
        rejected += left_out
        if kept:
            index += [len(recordings)] * len(kept)
            recordings.append(Recording(path, subject, content.signals))
            rows += [(one[0], subject, subject, "", path, path, *one[1:]) for one in kept]
    columns = dict.fromkeys(
        ("example_id", "subject", "group", "split", "source", "recording"), object
    )
    columns |= {"start_s": float, "end_s": float, target.name: np.int64, "label": np.int64}
    return ExampleTable(
        name=name,
        frame=pd.DataFrame(rows, columns=list(columns)).astype(columns),
        targets=(target,),
        payload=RecordingPayload(
            tuple(recordings), np.array(index, dtype=np.int64), irregularity_frame(odd)
        ),
        groups_known=True,
        rejected=rejected_frame(rejected),
        read=read,
    )


def _reject_whole(path: str, damaged: RecordingDamaged) -> list[tuple[str, RejectedKind, str]]:
    names = [f"{path} {promised}" for promised in damaged.promised] or [path]
    return [(name, "damaged", str(damaged)) for name in names]


def _choose_stretches(
    path: str,
    content: LabelledRecording,
    classes: Mapping[int, int],
    labels: Mapping[int, str],
    set_aside: Callable[[int], tuple[RejectedKind, str]],
) -> tuple[list[tuple[str, float, float, int, int]], list[tuple[str, RejectedKind, str]]]:
    """Return `(example id, start, end, class, label)` of the stretches kept, and those rejected."""
    if not content.stretches:
        return [], [(path, "unlabelled", "no stretch of it has a label")]
    cover = max(signal.end_s for signal in content.signals.values())
    kept, rejected = [], []
    for start, end, label in content.stretches:
        example = f"{path} {start:.3f} s {labels.get(label, f'label {label}')}"
        if label not in classes:
            rejected.append((example, *set_aside(label)))
        elif start >= cover:
            rejected.append((example, "damaged", "it begins behind the end of the signals"))
        else:
            kept.append((example, start, min(end, cover), classes[label], label))
    return kept, rejected


def describe_irregularities(table: ExampleTable) -> list[str]:
    """Return a line for each kind of irregularity: how often, in how many recordings, the rule."""
    lines = []
    odd = table.payload.irregularities
    for (kind, rule), rows in odd.groupby(["kind", "rule"], sort=False):
        number = rows["recording"].nunique()
        recordings = "1 recording" if number == 1 else f"{number} recordings"
        lines.append(f"{kind}: {rows['count'].sum()} in {recordings}; {rule}")
    return lines


def find_runs(labels: np.ndarray, apart: np.ndarray | None = None) -> list[tuple[int, int, int]]:
    """Return `(first, behind the last, label)` of every run of one label.

    Args:
        labels: int64 `(samples,)`.
        apart: whether a sample does not belong with the one before, `(samples,)`.
    """
    if not len(labels):
        return []
    begins = np.ones(len(labels), dtype=bool)
    begins[1:] = labels[1:] != labels[:-1]
    if apart is not None:
        begins |= apart
    first = np.flatnonzero(begins)
    behind = np.append(first[1:], len(labels))
    return list(zip(first.tolist(), behind.tolist(), labels[first].tolist(), strict=True))


def _keep(recording: LabelledRecording, values: Path, facts: Path) -> None:
    """Write the values, then the facts, which say that all is there."""
    signals = recording.signals
    flat = [signal.values.astype(np.float32, copy=False).ravel() for signal in signals.values()]
    told = {
        "signals": [
            [name, signal.start_s, signal.rate_hz, signal.values.shape]
            for name, signal in signals.items()
        ],
        "stretches": recording.stretches,
        "irregularities": recording.irregularities,
    }
    try:
        with atomic_file(values) as file:
            np.save(file, np.concatenate([np.empty(0, np.float32), *flat]))
        write_json(facts, told)
    except UserError as error:
        raise UserError(
            f"{values}: signals cannot be kept: {error.__cause__ or error}. Check the permissions "
            "and the free space, or set AFFECTKERAS_CACHE to another folder."
        ) from error


def _load(values: Path, facts: Path) -> LabelledRecording | None:
    """Return what is kept; None where it is not there or not whole."""
    try:
        told = json.loads(facts.read_bytes())
        shapes = [tuple(shape) for *_, shape in told["signals"]]
        size = sum(map(int, map(np.prod, shapes)))
        flat = np.asarray(np.load(values, mmap_mode="r" if size else None))
        if flat.shape != (size,):
            return None
        signals, begin = {}, 0
        for name, start, rate, shape in told["signals"]:
            end = begin + int(np.prod(shape))
            signals[name] = Signal(flat[begin:end].reshape(shape), start, rate)
            begin = end
        stretches = [Stretch(*stretch) for stretch in told["stretches"]]
        return LabelledRecording(
            signals, stretches, [Irregularity(*one) for one in told["irregularities"]]
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError):  # cut off, or another's
        return None

"""Reading recordings of wearables: `python -m affectkeras predict RUN FOLDER…`."""

import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pandas as pd
from tqdm import tqdm

from affectkeras import datasets
from affectkeras.datasets.recordings import UNITS, Recording
from affectkeras.datasets.table import ExampleTable
from affectkeras.errors import UserError
from affectkeras.files import write_csv
from affectkeras.predict import printable_path
from affectkeras.reporting.signal_prediction_plot import ShownSignal, plot_signal_predictions
from affectkeras.signal_facts import OWN_RECORDINGS, SignalFacts
from affectkeras.signal_model import (
    Scale,
    load_signal_model,
    predict_recording,
    scales_of,
    window_starts,
)
from affectkeras.video_model import SAMPLE_MODEL

DEFAULT_DATASET = OWN_RECORDINGS


def predict_signals(
    run: Path,
    folders: Sequence[Path],
    *,
    csv: Path | None = None,
    dataset: str = DEFAULT_DATASET,
    step_s: float | None = None,
    plot: Path | None = None,
) -> None:
    """Write a row per window of each recording: its class and the probability of every class.

    Windows are cut as the model was trained on them, the first at the recording's beginning. A
    window with larger gaps than in training, and a recording without a window, get a row with the
    reason. A model of signals scaled by subject is given each subject's signals less their mean and
    divided by their standard deviation over all that is given of the subject in a folder.

    Args:
        run: a run folder, or a SavedModel folder.
        folders: of recordings.
        csv: where the rows go; None: to standard output.
        dataset: the reader of the folders.
        step_s: seconds from one window's beginning to the next; None: as long as a window.
        plot: a folder for probabilities above signals, `<recording>.png`.

    Raises:
        UserError: when there is no usable model or recording, no recording has one of the signals,
            or a file cannot be written.
    """
    _check_places(csv, plot)
    folders = list(dict.fromkeys(folders))
    model = load_signal_model(run)
    step = _checked_step(model.facts, step_s)
    given = _prepare(folders, [_read(dataset, one, model.facts) for one in folders], model.facts)
    pictures = {} if plot is None else _picture_paths(plot, [name for name, *_ in given])
    if model.facts.note:
        print(f"*** {model.facts.note}", file=sys.stderr)
    for line in (_how(model.facts, step), _elsewhere(model.facts, dataset)):
        if line:
            print(line, file=sys.stderr)
    units = getattr(datasets.reader(dataset), "UNITS", UNITS)
    found = []
    with _progress_bar(given, model.facts, step) as bar:
        for name, recording, scale in given:
            rows = predict_recording(model, recording, step, scale, on_windows=bar.update)
            rows["recording"] = name
            tqdm.write(_told(rows), file=sys.stderr)
            if name in pictures and rows["window_start_s"].notna().all():
                _draw(recording, rows, model.facts, units, pictures[name])
            found.append(rows)
    rows = pd.concat(found, ignore_index=True)
    if csv is None:
        rows.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        write_csv(csv, rows)
    print(_summary(rows, len(found), csv), file=sys.stderr)


def _read(dataset: str, folder: Path, facts: SignalFacts) -> tuple[Recording, ...]:
    """Return a folder's recordings; `UserError` where none has what the model reads."""
    reader = datasets.reader(dataset)
    try:
        if hasattr(reader, "read_recordings"):
            payload = reader.read_recordings(folder)
        else:
            payload = _read_labelled(reader, folder, facts).payload
    except UserError as error:
        raise UserError(
            f"This run reads {', '.join(facts.signals)} of recordings of wearables; --dataset "
            f"names their layout ({dataset}). {error}"
        ) from error
    known = sorted({name for recording in payload.recordings for name in recording.signals})
    missing = [name for name in facts.signals if name not in known]
    if missing:
        raise UserError(
            f"{folder}: no recording has the signal {', '.join(missing)}, which this model reads; "
            f"there are {', '.join(known) or 'none'}. Give recordings with it, or a run whose "
            "model reads these."
        )
    _tell_irregularities(folder, payload.irregularities, facts)
    return payload.recordings


def _tell_irregularities(folder: Path, odd: pd.DataFrame, facts: SignalFacts) -> None:
    odd = odd[odd["signal"].isin(facts.signals)]
    if len(odd):
        print(f"{folder}: not as the layout promises:", file=sys.stderr)
    for (signal, kind, rule), rows in odd.groupby(["signal", "kind", "rule"]):
        print(f"  {signal}, {kind}: {rows['count'].sum()} ({rule})", file=sys.stderr)


def _read_labelled(reader: ModuleType, folder: Path, facts: SignalFacts) -> ExampleTable:
    """Return the table of a data set with labels, of which only the recordings are used."""
    chest = any(name.startswith("chest_") for name in facts.signals)
    table = reader.read(folder, **({"chest": True} if chest and reader.NAME == "wesad" else {}))
    if len(table.rejected):
        print(
            f"{folder}: {len(table.rejected)} labelled stretches were set aside, and a recording "
            f"without any other is not read; python -m affectkeras doctor {reader.NAME} {folder} "
            "says why.",
            file=sys.stderr,
        )
    return table


def _prepare(
    folders: Sequence[Path], found: Sequence[Sequence[Recording]], facts: SignalFacts
) -> list[tuple[str, Recording, Scale | None]]:
    """Return each recording with a name of its own and its subject's scale in the same folder."""
    names = Counter(one.name for recordings in found for one in recordings)
    prepared = []
    for folder, recordings in zip(folders, found, strict=True):
        scales = scales_of(recordings, facts)
        for one in recordings:
            name = one.name if names[one.name] == 1 else f"{printable_path(folder)}/{one.name}"
            prepared.append((name, one, scales.get(one.subject)))
    return prepared


def _picture_paths(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return where each recording's picture goes."""
    paths = {name: folder / (re.sub(r"[^\w.-]+", "-", name).strip("-.") + ".png") for name in names}
    twice = [path.name for path, count in Counter(paths.values()).items() if count > 1]
    if twice:
        raise UserError(
            f"--plot {folder}: two recordings would be drawn to {twice[0]}. Give the folders one "
            "at a time."
        )
    return paths


def _draw(
    recording: Recording, rows: pd.DataFrame, facts: SignalFacts, units: Mapping, path: Path
) -> None:
    signals = [
        ShownSignal(name, units.get(name, ""), one.values, one.start_s, one.rate_hz)
        for name, one in recording.signals.items()
        if name in facts.signals
    ]
    title = recording.name + (f" · {SAMPLE_MODEL}" if facts.sample else "")
    plot_signal_predictions(rows, signals, path, title=title)


def _how(facts: SignalFacts, step_s: float) -> str:
    """Return what is read of what, and how the signals are scaled."""
    names = ", ".join(channel.name for channel in facts.channels)
    line = (
        f"{facts.recipe}: {facts.target} ({', '.join(facts.class_names)}) from {names} at "
        f"{facts.rate_hz:g} Hz, windows of {facts.seconds:g} s every {step_s:g} s."
    )
    if facts.scale != "none":
        by = "its mean and standard deviation" if facts.scale == "subject" else "ranks"
        line += (
            f" Every channel is scaled by {by} over all that a folder "
            "holds of a subject, so a window is judged by what came before and after it: give "
            "whole recordings."
        )
    return line


def _elsewhere(facts: SignalFacts, dataset: str) -> str:
    """Return what is to be said where a model reads another data set than its own; "" elsewhere."""
    if facts.sample or dataset == (facts.dataset or dataset):
        return ""
    return (
        f"The model was trained on {facts.dataset}, these recordings are of {dataset}: its figures "
        "were not measured on such, with other people, wear or tasks. Check some of known labels."
    )


def _told(rows: pd.DataFrame) -> str:
    """Return one line about a recording: how many windows, and what was read most often."""
    name = rows["recording"].iloc[0]
    if rows["window_start_s"].isna().any():
        return f"{name}: no window: {rows['error'].iloc[0]}"
    read = rows.loc[rows["error"] == "", "class_name"]
    line = f"{name}: {len(rows)} windows, {len(read)} predicted"
    if not len(read):
        return line
    counts = read.value_counts()
    return f"{line}, mostly {counts.index[0]} ({counts.iloc[0] / len(read):.0%})"


def _summary(rows: pd.DataFrame, recordings: int, csv: Path | None) -> str:
    """Return how many windows were predicted and set aside: all of them are one or the other."""
    windows = rows[rows["window_start_s"].notna()]
    aside = windows.loc[windows["error"] != "", "error"]
    line = (
        f"{recordings} recordings with {len(windows)} windows read: {len(windows) - len(aside)} "
        f"predicted, {len(aside)} set aside"
    )
    if len(aside):
        channels = Counter(reason.partition(":")[0] for reason in aside).most_common()
        line += f" for gaps ({', '.join(f'{count} in {name}' for name, count in channels)})"
    without = len(rows) - len(windows)
    line += f"; {without} recordings without a window." if without else "."
    return line if csv is None else f"{line} Written to {csv}."


def _progress_bar(given, facts: SignalFacts, step_s: float) -> tqdm:
    windows = sum(len(window_starts(recording, facts, step_s)) for _, recording, _ in given)
    # `disable=None` is tqdm's way to say: only where standard error is a terminal.
    return tqdm(total=windows, desc="Predicting", unit="window", file=sys.stderr, disable=None)


def _checked_step(facts: SignalFacts, step_s: float | None) -> float:
    if step_s is None:
        return facts.seconds
    if not 1 / facts.rate_hz <= step_s < float("inf"):
        raise UserError(
            f"--step must be at least {1 / facts.rate_hz:g} s, the time of one sample at the "
            f"{facts.rate_hz:g} Hz that this model reads. Received: {step_s:g}"
        )
    return step_s


def _check_places(csv: Path | None, plot: Path | None) -> None:
    """Say before the work that its rows or pictures could not be written."""
    for folder in (None if csv is None else csv.parent, plot):
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be made: {error.strerror}. Give another place."
            ) from error
    if csv is not None and (csv.is_dir() or not os.access(csv.parent, os.W_OK)):
        raise UserError(f"--csv {csv}: no file can be written there. Give another place.")

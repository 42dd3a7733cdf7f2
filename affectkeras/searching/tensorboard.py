"""Trials for TensorBoard's HParams, written by its own package: no TensorFlow is needed."""

import time
from pathlib import Path

import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import summary_v2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

FOLDER = "tensorboard"


def write_trial(folder: Path, row: dict, objective: str) -> None:
    """Write a trial that ended: its values, what it found, and the curves of its training.

    Args:
        folder: of the search.
        row: of `trials.csv`.
        objective: its name.
    """
    part = folder / FOLDER / row["trial"]
    writer = EventFileWriter(str(part))
    values = {name: value for name, value in row["values"].items() if value is not None}
    summary = Summary.FromString(
        summary_v2.hparams_pb(values, trial_id=row["trial"]).SerializeToString()
    )
    writer.add_event(Event(wall_time=time.time(), summary=summary))
    found = dict(row["measures"]) | {objective: row["objective"]}
    for name, value in found.items():
        if value is not None:
            _add(writer, name, value, 0)
    path = folder / "trials" / row["trial"] / "history.csv"
    if path.exists():
        history = pd.read_csv(path).select_dtypes("number")
        for place, line in enumerate(history.to_dict("records")):
            for name, value in line.items():
                if name != "epoch" and pd.notna(value):
                    _add(writer, f"epoch/{name}", value, int(line.get("epoch", place + 1)))
    writer.close()


def _add(writer: EventFileWriter, name: str, value: float, step: int) -> None:
    summary = Summary(value=[Summary.Value(tag=name, simple_value=float(value))])
    writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

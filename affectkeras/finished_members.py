"""Models of finished runs as members of an ensemble: what they are, and that they may be joined.

A member may only be measured on rows it was not trained on, nor chosen by. So its run must have
divided the same data as the ensemble does, row by row, which its `predictions.csv` tells.
"""

import dataclasses
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.table import ExampleTable
from affectkeras.errors import UserError
from affectkeras.evaluation.splits import Split
from affectkeras.files import read_csv

# What of a run's settings decides which rows are read and how they are divided.
DATA_SETTINGS = ("dataset", "data_dir", "label_mode", "group_pattern", "protocol")
COMPARED_PARTS = ("validation", "test")
TOLERANCE = 1e-3  # of a probability: as much may another machine's rounding change it


@dataclasses.dataclass(frozen=True, eq=False)
class FinishedMember:
    """A trained model of a finished run.

    Args:
        name: unlike the other members'.
        run: the run folder.
        model_file: its `.keras` file.
        arm: whose model it is.
        result, settings: the run's `result.json`, and the settings of its `config.json`.
    """

    name: str
    run: Path
    model_file: Path
    arm: str
    result: dict
    settings: dict


def read_finished(arguments: Sequence[str | os.PathLike]) -> list[FinishedMember]:
    """Read the runs that `--from` names.

    Args:
        arguments: run folders, each for the model it serves, or RUN:MODEL for another one of its
            `models/`.

    Raises:
        UserError: where there is no finished run or no such model, or the same one stands twice.
    """
    found = [_read_one(os.fspath(argument)) for argument in arguments]
    for number, one in enumerate(found):
        if one.model_file.resolve() in [each.model_file.resolve() for each in found[:number]]:
            raise UserError(f"--from names {one.run}:{one.name} twice. Name each model once.")
    names = [one.name for one in found]
    alike = {name for name in names if names.count(name) > 1}
    longer = [f"{one.run.resolve().name}-{one.name}" if one.name in alike else one.name
              for one in found]  # fmt: skip
    if len(set(longer)) < len(longer):
        longer = [f"{number}-{name}" for number, name in enumerate(longer, start=1)]
    return [
        dataclasses.replace(one, name=_folder_name(name))
        for one, name in zip(found, longer, strict=True)
    ]


def shared_settings(members: Sequence[FinishedMember]) -> dict:
    """Return the settings of the data that all runs were made on, and whether one was quick.

    Raises:
        UserError: where two runs differ in them.
    """
    first = members[0]
    shared = {name: first.settings[name] for name in DATA_SETTINGS if name in first.settings}
    for one in members[1:]:
        for name in DATA_SETTINGS:
            if name not in one.settings:
                continue
            before, here = shared.setdefault(name, one.settings[name]), one.settings[name]
            if name == "data_dir" and before is not None and here is not None:
                before, here = Path(before).resolve(), Path(here).resolve()
            if before != here:
                raise UserError(
                    f"--from: {first.run} was made with {name} {before}, {one.run} with {here}. "
                    "Join runs of the same data, divided alike."
                )
    if shared.get("data_dir") is not None:
        shared["data_dir"] = Path(shared["data_dir"])
    allowed = [one.settings.get("max_rejected", 0.0) for one in members]
    return shared | {
        "max_rejected": max(allowed),
        "quick": any(one.settings.get("quick", False) for one in members),
    }


def check_rows(member: FinishedMember, table: ExampleTable, split: Split) -> None:
    """Refuse a member whose run held out other rows, or held other things to be true of them.

    Raises:
        UserError: saying how many rows differ.
    """
    target = table.class_target
    known = list(member.result.get("class_names") or [])
    if known != list(target.class_names):
        raise UserError(
            f"--from {member.run}: this run knows the classes {', '.join(known) or 'none'}; the "
            f"data have {', '.join(target.class_names)}. Join runs of the same classes."
        )
    saved = member_rows(member)
    for part in COMPARED_PARTS:
        rows = getattr(split, part)
        theirs = saved[saved["split"] == part].drop_duplicates("example_id")
        # Runs of older versions do not name it.
        column = (member.result.get("dataset") or {}).get("target", "expression")
        truth = theirs.set_index("example_id")[column]
        frame = table.frame.iloc[rows]
        ours = pd.Series(
            np.array(target.class_names, dtype=object)[frame[target.name].to_numpy()],
            index=frame["example_id"],
        )
        only_theirs = len(truth.index.difference(ours.index))
        only_ours = len(ours.index.difference(truth.index))
        if only_theirs or only_ours:
            raise UserError(
                f"--from {member.run}: the {part} rows are not those of this run: {only_ours} are "
                f"only here, {only_theirs} only there. What was trained on rows that are tested "
                "here must not be joined. Give runs of the same data, protocol and version."
            )
        differing = int((truth.reindex(ours.index) != ours).sum())
        if differing:
            raise UserError(
                f"--from {member.run}: {differing} {part} rows have another {target.name} there. "
                "Join runs made with the same labels."
            )


def check_predictions(
    member: FinishedMember, example_ids: np.ndarray, part: str, probabilities: np.ndarray
) -> float:
    """Return the largest difference between a model's probabilities and those its run kept.

    Args:
        member: whose model it is.
        example_ids: `(rows,)`, of the rows in order.
        part: which part they are.
        probabilities: `(rows, classes)`, of its `.keras` file.

    Raises:
        UserError: where the run kept other ones with every seed.
    """
    saved = member_rows(member)
    columns = [f"p_{name}" for name in member.result["class_names"]]
    kept = saved[saved["split"] == part]
    differences = [
        np.abs(of_seed.set_index("example_id").loc[example_ids, columns] - probabilities)
        .to_numpy()
        .max()
        for _, of_seed in kept.groupby("seed")
    ]
    found = min(differences)
    if not found <= TOLERANCE:  # NaN is none either
        raise UserError(
            f"--from {member.run}: {member.model_file.name} of {member.name} does not give what "
            f"the run's predictions.csv says of the {part} rows: a probability is off by "
            f"{found:.3g}. The images or the model have changed since. Run it again."
        )
    return float(found)


def member_rows(member: FinishedMember) -> pd.DataFrame:
    """Return the rows of the run's `predictions.csv` that are of the member's arm."""
    predictions = read_csv(member.run / "predictions.csv")
    found = predictions[predictions["arm"] == member.arm]
    if not len(found):
        raise UserError(
            f"--from {member.run}: predictions.csv has no rows of the arm {member.arm!r}. "
            "Run it again."
        )
    return found


def _read_one(argument: str) -> FinishedMember:
    path, separator, model = argument.rpartition(":")
    if Path(argument).is_dir() or not separator or not Path(path).is_dir():
        path, model = argument, ""
    run = Path(path)
    try:
        result = json.loads((run / "result.json").read_text(encoding="utf-8"))
        settings = json.loads((run / "config.json").read_text(encoding="utf-8"))["config"]
        served, served_arm = result["served"], result["served_arm"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--from {argument}: no finished run: its result.json or config.json is missing or "
            f"cannot be read ({error!r}). Give the folder of a finished run, such as "
            "runs/<recipe>/<time>, or RUN:MODEL for one of its models/."
        ) from error
    if "class_names" not in result:
        raise UserError(f"--from {run}: this run predicts numbers. Join runs of classes.")
    there = sorted(path.parent.name for path in run.glob("models/*/model.keras"))
    file = run / "models" / model / "model.keras" if model else run / "model.keras"
    if not file.is_file():
        raise UserError(
            f"--from {argument}: there is no {file.relative_to(run)} in this run. It has "
            f"{', '.join(there) or 'no models'}."
        )
    network = served.removesuffix(served_arm)
    arm = (model or served).removeprefix(network)
    return FinishedMember(model or served, run, file, arm, result, settings)


def _folder_name(name: str) -> str:
    """Return a name as one that may name a folder."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-") or "member"

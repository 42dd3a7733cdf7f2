"""The arms that `compare` is given: read from run folders, and matched row by row."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.comparing.honest import LEAKY_PROTOCOLS
from affectkeras.errors import UserError
from affectkeras.evaluation.comparison import ArmPredictions, Comparison, compare_arms
from affectkeras.files import read_csv

NEEDED = ("arm", "seed", "split", "example_id", "group", "predicted")
CONTROL = "none"  # the arm without the treatment, in every recipe


@dataclasses.dataclass(frozen=True, eq=False)
class RunArm:
    """One arm of a run.

    Args:
        run: the run folder.
        arm: its name in the run.
        name: what it is called here: the arm, with its run where several runs are compared.
        result: the run's `result.json`.
        rows: the arm's test rows of `predictions.csv`.
    """

    run: Path
    arm: str
    name: str
    result: dict
    rows: pd.DataFrame

    @property
    def target(self) -> str:
        """The column of `rows` that holds the true class."""
        return _target_of(self.result)

    @property
    def labels(self) -> tuple[str, ...]:
        """What anyone who sees a figure of this run must know."""
        dataset = self.result.get("dataset") or {}
        protocol = (self.result.get("protocol") or {}).get("name")
        leakage = self.result.get("leakage") or {}
        return tuple(
            label
            for label, holds in (
                ("sample data", dataset.get("sample")),
                ("quick run", dataset.get("quick")),
                (f"leaky protocol {protocol!r}", protocol in LEAKY_PROTOCOLS),
                ("leaks were found", leakage.get("passed") is False),
            )
            if holds
        )


@dataclasses.dataclass(frozen=True, eq=False)
class MatchedArms:
    """Arms on the same test rows, in one order.

    Args:
        runs: the arms as read; the first is the reference.
        true: class indices `(rows,)`.
        groups: `(rows,)`.
        class_names: the names behind the indices.
        predictions: of each arm.
    """

    runs: tuple[RunArm, ...]
    true: np.ndarray
    groups: np.ndarray
    class_names: tuple[str, ...]
    predictions: tuple[ArmPredictions, ...]

    @property
    def groups_known(self) -> bool:
        """Whether the owner's files tell the groups, in every run."""
        return all(
            (one.result.get("dataset") or {}).get("groups_known", False) for one in self.runs
        )


def read_arms(arguments: Sequence[str]) -> list[RunArm]:
    """Read the arms that the command line names; the first is the reference.

    Args:
        arguments: run folders, each for all its arms with "none" or else its first arm in front,
            and RUN:ARM for one arm.

    Raises:
        UserError: for a folder that holds no complete run of classes, an arm it has not, or fewer
            than two arms in all.
    """
    named = []
    for argument in arguments:
        run, arm = _run_and_arm(argument)
        result, predictions = _read_run(run)
        test = predictions[predictions["split"] == "test"]
        there = list(dict.fromkeys([*(result.get("arms") or {}), *test["arm"]]))
        there = sorted(
            (name for name in there if (test["arm"] == name).any()), key=lambda x: x != CONTROL
        )
        if arm is not None and arm not in there:
            raise UserError(
                f"{run} has no arm {arm!r} with test rows. It has: {', '.join(there) or 'none'}."
            )
        for name in there if arm is None else [arm]:
            if (run.resolve(), name) not in {(one[0].resolve(), one[1]) for one in named}:
                named.append((run, name, result, test[test["arm"] == name]))
    if len(named) < 2:
        found = ", ".join(f"{run}:{arm}" for run, arm, *_ in named) or "none"
        raise UserError(
            "compare needs at least two arms with test rows: a run folder with several, more run "
            f"folders, or RUN:ARM. Found: {found}."
        )
    names = _short_names([(run, arm) for run, arm, *_ in named])
    return [
        RunArm(run, arm, name, result, rows)
        for (run, arm, result, rows), name in zip(named, names, strict=True)
    ]


def match_arms(arms: Sequence[RunArm]) -> MatchedArms:
    """Put the arms' predictions side by side.

    Raises:
        UserError: where two arms differ in their test rows, or in what they hold to be true of
            them, or an arm's seeds differ in their test rows.
    """
    class_names = _class_names(arms)
    tables = [_by_seed(one) for one in arms]
    reference, facts = arms[0], _facts(arms[0])
    for one, table in zip(arms[1:], tables[1:], strict=True):
        _check_same_rows(reference, tables[0], one, table)
        for column, other in _facts(one).items():
            differing = int((facts[column] != other.reindex(facts.index)).sum())
            if differing:
                told = one.target if column == "class" else column
                raise UserError(
                    f"{reference.run} and {one.run} give {differing} of {len(facts)} test rows "
                    f"another {told}. Compare runs made with the same labels and groups."
                )
    index = pd.Index(class_names)
    predictions = tuple(
        ArmPredictions(
            one.name,
            tuple(int(seed) for seed in table.columns),
            np.stack([index.get_indexer(table.loc[facts.index, seed]) for seed in table.columns]),
        )
        for one, table in zip(arms, tables, strict=True)
    )
    true = index.get_indexer(facts["class"])
    groups = facts["group"].to_numpy(dtype=str)
    return MatchedArms(tuple(arms), true, groups, class_names, predictions)


def compare_named(arguments: Sequence[str]) -> tuple[MatchedArms, list[Comparison]]:
    """Read, match and compare the arms that `read_arms` takes; the first is the reference."""
    matched = match_arms(read_arms(arguments))
    return matched, compare_arms(
        matched.true, matched.groups, len(matched.class_names), matched.predictions
    )


def _target_of(result: dict) -> str:
    return (result.get("dataset") or {}).get("target", "expression")


def _run_and_arm(argument: str) -> tuple[Path, str | None]:
    run, separator, arm = argument.rpartition(":")
    if Path(argument).is_dir() or not separator or not Path(run).is_dir():
        return Path(argument), None
    return Path(run), arm


def _read_run(run: Path) -> tuple[dict, pd.DataFrame]:
    if not run.is_dir():
        raise UserError(f"{run} is no run folder (nor RUN:ARM of one): there is no such folder.")
    try:
        result = json.loads((run / "result.json").read_text(encoding="utf-8"))
        predictions = read_csv(run / "predictions.csv")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{run} holds no complete run: result.json or predictions.csv is missing or damaged "
            f"({error}). Give the folder of a finished run."
        ) from error
    target = _target_of(result)
    if "predicted" in predictions.columns and target not in predictions.columns:
        raise UserError(
            f"{run / 'predictions.csv'} holds no class target (column {target}): compare knows "
            "only classes so far, no number targets. Its columns are "
            f"{', '.join(predictions.columns)}."
        )
    missing = [column for column in NEEDED if column not in predictions.columns]
    if missing:
        raise UserError(
            f"{run / 'predictions.csv'} lacks the columns {', '.join(missing)}. Run the recipe "
            "again, or give another run folder."
        )
    return result, predictions


def _short_names(named: list[tuple[Path, str]]) -> list[str]:
    runs = list(dict.fromkeys(run for run, _ in named))
    if len(runs) == 1:
        return [arm for _, arm in named]
    short = [run.resolve().name for run in runs]
    labels = short if len(set(short)) == len(runs) else [str(run) for run in runs]
    label = dict(zip(runs, labels, strict=True))
    return [f"{label[run]}:{arm}" for run, arm in named]


def _class_names(arms: Sequence[RunArm]) -> tuple[str, ...]:
    names = [tuple(one.result.get("class_names") or ()) for one in arms]
    for one, found in zip(arms, names, strict=True):
        if set(found) != set(names[0]) or not found:
            raise UserError(
                f"{arms[0].run} knows the classes {', '.join(names[0])}; {one.run} "
                f"{', '.join(found) or 'names none'}. Compare runs of the same classes."
            )
        for column in (one.target, "predicted"):
            unknown = set(one.rows[column]) - set(found)
            if unknown:
                raise UserError(
                    f"{one.run / 'predictions.csv'} names in the column {column} the class "
                    f"{min(unknown)!r}, which its result.json does not know. Run the recipe again."
                )
    return names[0]


def _by_seed(one: RunArm) -> pd.DataFrame:
    """Return the predicted classes, a row per example and a column per seed."""
    keys = ["example_id", "seed"]
    if one.rows.duplicated(keys).any():
        repeated = one.rows.loc[one.rows.duplicated(keys), "example_id"].iloc[0]
        raise UserError(
            f"{one.run / 'predictions.csv'} holds the test row {repeated!r} of arm {one.arm!r} "
            "twice for one seed. Run the recipe again."
        )
    table = one.rows.pivot(index="example_id", columns="seed", values="predicted")
    lacking = table.isna().any(axis=1)
    if lacking.any():
        raise UserError(
            f"{one.run}: the seeds of arm {one.arm!r} do not have the same test rows: "
            f"{lacking.sum()} of {len(table)} lack in some seed. Such a run cannot be compared."
        )
    return table


def _facts(one: RunArm) -> pd.DataFrame:
    rows = one.rows.drop_duplicates("example_id").set_index("example_id")
    return rows[[one.target, "group"]].rename(columns={one.target: "class"})


def _check_same_rows(reference: RunArm, first: pd.DataFrame, one: RunArm, second: pd.DataFrame):
    only_first = len(first.index.difference(second.index))
    only_second = len(second.index.difference(first.index))
    if only_first or only_second:
        raise UserError(
            f"{reference.run}:{reference.arm} and {one.run}:{one.arm} were not tested on the same "
            f"rows: {only_first} test rows are only in the first, {only_second} only in the "
            f"second, {len(first) - only_first} in both. Compare runs of the same data, protocol "
            "and split."
        )

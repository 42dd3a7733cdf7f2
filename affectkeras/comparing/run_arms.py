"""The arms that `compare` is given, read from run folders."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from affectkeras.comparing.honest import LEAKY_PROTOCOLS
from affectkeras.errors import UserError
from affectkeras.files import read_csv
from affectkeras.number_results import predicted_targets

NEEDED = ("arm", "seed", "split", "example_id", "group")
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
    def targets(self) -> list[str]:
        """The number targets that the arm predicts; empty where it predicts classes."""
        return predicted_targets(self.rows)

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


def read_arms(arguments: Sequence[str]) -> list[RunArm]:
    """Read the arms that the command line names; the first is the reference.

    Args:
        arguments: run folders, each for all its arms with "none" or else its first arm in front,
            and RUN:ARM for one arm.

    Raises:
        UserError: for a folder that holds no complete run, an arm it has not, fewer than two arms
            in all, or runs of classes beside runs of numbers.
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
    arms = [
        RunArm(run, arm, name, result, rows)
        for (run, arm, result, rows), name in zip(named, names, strict=True)
    ]
    for one in arms[1:]:
        if bool(one.targets) != bool(arms[0].targets):
            kinds = ["numbers" if each.targets else "classes" for each in (arms[0], one)]
            raise UserError(
                f"{arms[0].run} predicts {kinds[0]}, {one.run} {kinds[1]}: they have no metric in "
                "common. Compare runs of one kind."
            )
    return arms


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
    numbers = predicted_targets(predictions)
    wanted = (*NEEDED, *(numbers or ("predicted",)))
    target = _target_of(result)
    if "predicted" in predictions.columns and target not in predictions.columns:
        raise UserError(
            f"{run / 'predictions.csv'} holds no class target (column {target}). Its columns are "
            f"{', '.join(predictions.columns)}."
        )
    missing = [column for column in wanted if column not in predictions.columns]
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

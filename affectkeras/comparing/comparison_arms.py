"""The arms that `compare` is given, matched row by row; those of classes compared."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from affectkeras.comparing.run_arms import RunArm
from affectkeras.errors import UserError
from affectkeras.evaluation.comparison import ArmPredictions, Comparison, compare_arms


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


def match_arms(arms: Sequence[RunArm]) -> MatchedArms:
    """Put the arms' predictions side by side.

    Raises:
        UserError: where two arms differ in their test rows, or in what they hold to be true of
            them, or an arm's seeds differ in their test rows.
    """
    class_names = _class_names(arms)
    tables = [by_seed(one, "predicted") for one in arms]
    # Its name may differ from run to run.
    facts = same_rows(arms, tables, lambda one: {one.target: "class"})
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


def compare_class_arms(arms: Sequence[RunArm]) -> tuple[MatchedArms, list[Comparison]]:
    """Match and compare arms that predict classes; the first is the reference."""
    matched = match_arms(arms)
    return matched, compare_arms(
        matched.true, matched.groups, len(matched.class_names), matched.predictions
    )


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


def by_seed(one: RunArm, column: str) -> pd.DataFrame:
    """Return what an arm predicted, a row per example and a column per seed.

    Raises:
        UserError: where a row stands twice for one seed, or lacks with another.
    """
    keys = ["example_id", "seed"]
    if one.rows.duplicated(keys).any():
        repeated = one.rows.loc[one.rows.duplicated(keys), "example_id"].iloc[0]
        raise UserError(
            f"{one.run / 'predictions.csv'} holds the test row {repeated!r} of arm {one.arm!r} "
            "twice for one seed. Run the recipe again."
        )
    table = one.rows.pivot(index="example_id", columns="seed", values=column)
    lacking = table.isna().any(axis=1)
    if lacking.any():
        raise UserError(
            f"{one.run}: the seeds of arm {one.arm!r} do not have the same test rows: "
            f"{lacking.sum()} of {len(table)} lack in some seed. Such a run cannot be compared."
        )
    return table


def same_rows(
    arms: Sequence[RunArm],
    tables: Sequence[pd.DataFrame],
    truth: Callable[[RunArm], dict[str, str]],
) -> pd.DataFrame:
    """Return what the first arm holds to be true of its test rows, and check that all agree.

    Args:
        arms: the arms as read.
        tables: of `by_seed`, one of each.
        truth: an arm → its columns of truth, and what they are called in the answer.

    Returns:
        a row per example in the order of the index, with the columns of truth and `group`.

    Raises:
        UserError: where two arms differ in their test rows, their truth or their groups.
    """
    facts, *others = [_facts(one, truth(one)) for one in arms]
    for one, table, other in zip(arms[1:], tables[1:], others, strict=True):
        _check_same_rows(arms[0], tables[0], one, table)
        told = {new: old for old, new in truth(one).items()}
        for column in facts:
            differing = int((facts[column] != other[column].reindex(facts.index)).sum())
            if differing:
                raise UserError(
                    f"{arms[0].run} and {one.run} give {differing} of {len(facts)} test rows "
                    f"another {told.get(column, column)}. Compare runs made with the same labels "
                    "and groups."
                )
    return facts


def _facts(one: RunArm, truth: dict[str, str]) -> pd.DataFrame:
    rows = one.rows.drop_duplicates("example_id").set_index("example_id")
    return rows[[*truth, "group"]].rename(columns=truth)


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

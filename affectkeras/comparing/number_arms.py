"""Arms that predict numbers, matched row by row and compared."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from affectkeras.comparing.comparison_arms import by_seed, same_rows
from affectkeras.comparing.run_arms import RunArm
from affectkeras.errors import UserError
from affectkeras.evaluation.number_comparison import (
    NumberComparison,
    NumberPredictions,
    compare_numbers,
)
from affectkeras.number_results import PREDICTED


@dataclasses.dataclass(frozen=True, eq=False)
class MatchedNumbers:
    """Arms on the same test rows, in one order.

    Args:
        runs: the arms as read; the first that predicts a target is its reference.
        true: target → numbers `(rows,)`.
        groups: `(rows,)`.
        predictions: of each arm.
    """

    runs: tuple[RunArm, ...]
    true: dict[str, np.ndarray]
    groups: np.ndarray
    predictions: tuple[NumberPredictions, ...]

    @property
    def groups_known(self) -> bool:
        """Whether the owner's files tell the groups, in every run."""
        return all(
            (one.result.get("dataset") or {}).get("groups_known", False) for one in self.runs
        )


def match_numbers(arms: Sequence[RunArm]) -> MatchedNumbers:
    """Put the predictions of number targets side by side.

    Raises:
        UserError: where no two arms predict the same target, two arms differ in their test rows,
            or in what they hold to be true of them, or an arm's seeds differ in their test rows.
    """
    predicted = [target for one in arms for target in one.targets]
    known = [target for target in dict.fromkeys(predicted) if predicted.count(target) > 1]
    if not known:
        own = [f"{one.run}:{one.arm} {' and '.join(one.targets)}" for one in arms]
        raise UserError(
            f"No two of the arms predict the same target: {', '.join(own)}. Name arms that do, "
            "each as RUN:ARM."
        )
    tables = [{target: by_seed(one, PREDICTED + target) for target in one.targets} for one in arms]
    for one in arms:
        lacking = [target for target in known if target not in one.rows.columns]
        if lacking:
            raise UserError(
                f"{one.run / 'predictions.csv'} lacks the columns {', '.join(lacking)} that other "
                "arms predict. Compare runs with the same targets."
            )
    facts = same_rows(
        arms,
        [next(iter(each.values())) for each in tables],
        lambda one: {target: target for target in known},
    )
    predictions = []
    for one, each in zip(arms, tables, strict=True):
        seeds = next(iter(each.values())).columns
        predicted = {
            target: np.ascontiguousarray(table.loc[facts.index, seeds].to_numpy(float).T)
            for target, table in each.items()
            if target in known
        }
        predictions.append(NumberPredictions(one.name, tuple(map(int, seeds)), predicted))
    return MatchedNumbers(
        tuple(arms),
        {target: facts[target].to_numpy(float) for target in known},
        facts["group"].to_numpy(dtype=str),
        tuple(predictions),
    )


def compare_number_arms(arms: Sequence[RunArm]) -> tuple[MatchedNumbers, list[NumberComparison]]:
    """Match and compare arms that predict numbers, each with the first of the same target."""
    matched = match_numbers(arms)
    return matched, compare_numbers(matched.true, matched.groups, matched.predictions)

"""Which hyperparameters a search's objective hung on, as far as its trials can tell."""

import dataclasses
from collections.abc import Sequence

import numpy as np

LEAST_TRIALS = 8
TREES = 300
REPEATS = 20


@dataclasses.dataclass(frozen=True)
class Importance:
    """How much worse a forest predicts the objective once a hyperparameter is shuffled.

    Args:
        names: of hyperparameters, the most important first.
        means, deviations: of the loss of R² over shuffles, one per name.
        out_of_bag: R² of the forest on trials that a tree did not see; near 0 or below, the trials
            do not tell what the objective hangs on.
    """

    names: tuple[str, ...]
    means: np.ndarray
    deviations: np.ndarray
    out_of_bag: float


def find_importance(rows: Sequence[dict]) -> Importance | None:
    """Return the importance of every hyperparameter that took several values.

    A random forest learns the objective from the values; each is shuffled among the trials in turn.
    It says what mattered in this space and among these trials, no more.

    Args:
        rows: of `trials.csv`.

    Returns:
        None where fewer than 8 trials were completed, or all found the same.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    done = [row for row in rows if row["status"] == "completed"]
    columns = value_columns(done)
    objective = np.array([row["objective"] for row in done])
    if len(done) < LEAST_TRIALS or not columns or np.ptp(objective) == 0:
        return None
    values = np.column_stack(list(columns.values()))
    forest = RandomForestRegressor(TREES, oob_score=True, random_state=0, n_jobs=1)
    forest.fit(values, objective)
    found = permutation_importance(
        forest, values, objective, n_repeats=REPEATS, random_state=0, n_jobs=1
    )
    order = np.argsort(-found.importances_mean, kind="stable")
    names = list(columns)
    return Importance(
        tuple(names[place] for place in order),
        found.importances_mean[order],
        found.importances_std[order],
        float(forest.oob_score_),
    )


def value_columns(rows: Sequence[dict]) -> dict[str, np.ndarray]:
    """Return each hyperparameter with several values as numbers; words by their place in order.

    A hyperparameter that a trial does not have (its condition did not hold) is -1 beside 0, 1, …
    of words, and beside numbers the middle of what others have.
    """
    columns = {}
    names = dict.fromkeys(name for row in rows for name in row["values"])
    for name in names:
        values = [row["values"].get(name) for row in rows]
        known = [value for value in values if value is not None]
        if name.startswith("tuner/") or len(set(known)) < 2:
            continue
        if all(isinstance(value, (int, float)) for value in known):
            middle = float(np.median([float(value) for value in known]))
            columns[name] = np.array([middle if v is None else float(v) for v in values])
        else:
            places = {word: place for place, word in enumerate(sorted(set(map(str, known))))}
            columns[name] = np.array([-1 if v is None else places[str(v)] for v in values], float)
    return columns

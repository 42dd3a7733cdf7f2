"""The seal lets a training read and fit what it may know, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from affectkeras.evaluation.seal import Leak, Seal
from affectkeras.evaluation.splits import Split


def make_seal():
    rows = [np.array(part) for part in ([0, 1, 2], [3, 4], [5, 6])]
    return Seal(Split(*rows, "grouped", "", pd.DataFrame({"row": [], "reason": []}), True))


def test_training_and_validation_rows_may_be_read_at_any_time():
    seal = make_seal()
    seal.read(np.array([0, 4]))
    assert seal.facts()["test_rows_read"] == 0


def test_test_rows_stay_unread_until_the_final_evaluation():
    seal = make_seal()
    with pytest.raises(Leak, match="2 test rows would be read before the final evaluation"):
        seal.read(np.array([3, 5, 6]))
    with seal.final_evaluation():
        seal.read(np.array([5, 6]))
    assert seal.facts()["test_rows_read"] == 2
    with pytest.raises(Leak, match="1 test rows"):
        seal.read(np.array([6]))


@pytest.mark.parametrize("kind", ["weights", "normalisation", "selection"])
def test_nothing_is_fitted_beyond_training_rows(kind):
    seal = make_seal()
    seal.fit(kind, "means", np.array([0, 2, 2]))
    assert seal.facts()["fitted"] == {kind: {"means": 2}}
    with pytest.raises(Leak, match=rf"means \({kind}\) would be fitted on 1 rows beyond"):
        seal.fit(kind, "means", np.array([0, 3]))


def test_nothing_is_fitted_after_test_rows_were_read():
    seal = make_seal()
    with seal.final_evaluation():
        seal.read(np.array([5]))
        with pytest.raises(Leak, match="after test rows were read"):
            seal.fit("weights", "the model", np.array([0]))


def test_a_scoring_function_behind_the_seal_scores_training_rows_only():
    score = make_seal().fitting("selection", "threshold", lambda rows: rows * 2)
    assert score(np.array([1, 2])).tolist() == [2, 4]
    with pytest.raises(Leak, match="threshold"):
        score(np.array([4]))

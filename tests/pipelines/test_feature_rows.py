"""Rows of numbers flow as images do: in the sampler's order, behind the seal."""

import numpy as np
import pandas as pd
import pytest

from affectkeras.evaluation.seal import Leak, Seal
from affectkeras.evaluation.splits import Split
from affectkeras.pipelines.feature_rows import FeatureRows
from affectkeras.pipelines.sampler import RowSampler


def make(seal=None):
    features = np.arange(20, dtype=np.float32).reshape(10, 2)
    return FeatureRows(features, np.eye(2)[np.arange(10) % 2], seal)


def sealed():
    rows = [np.array(part) for part in ([0, 1, 2, 3, 4], [5, 6], [7, 8, 9])]
    return Seal(Split(*rows, "grouped", "", pd.DataFrame({"row": [], "reason": []}), True))


def test_epochs_follow_the_sampler_and_none_crosses_into_the_next():
    sampler = RowSampler(np.arange(5), seed=3, batch_size=2)
    batches = [found.numpy() for found, _ in make().training(sampler, 1, 3)]
    assert [len(batch) for batch in batches] == [2, 2, 1, 2, 2, 1]
    order = np.concatenate([sampler.order(1), sampler.order(2)])
    np.testing.assert_array_equal(np.concatenate(batches)[:, 0], 2 * order)


def test_targets_stay_with_their_rows():
    rows = np.array([7, 2, 4])
    found, targets = next(iter(make().clean(rows)))
    np.testing.assert_array_equal(found[:, 0], 2 * rows)
    np.testing.assert_array_equal(np.argmax(targets, axis=1), rows % 2)


def test_test_rows_stay_behind_the_seal():
    rows = make(sealed())
    with pytest.raises(Leak, match="1 test rows would be read"):
        rows.clean([6, 7])
    with pytest.raises(Leak, match="2 rows beyond the training part"):
        rows.training(RowSampler([4, 5, 6], seed=0, batch_size=2), 0, 1)


def test_rows_without_target_are_refused():
    with pytest.raises(ValueError, match="must have the same rows. Received: 3 and 2"):
        FeatureRows(np.zeros((3, 1)), np.zeros((2, 2)))

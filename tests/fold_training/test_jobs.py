import re

import numpy as np
import pytest

from affectkeras.fold_training.jobs import FoldJob, FoldPlan, class_weights, sampler_of, steps_of


def test_a_row_counts_by_how_rare_its_class_is():
    # 6 rows of 3 classes, of which one has none: 6 / (3 · 4), 0, 6 / (3 · 2).
    found = class_weights(np.array([0, 0, 2, 0, 2, 0]), 3, balanced=True)
    np.testing.assert_allclose(found, [0.5, 0, 1])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(class_weights(np.array([0, 0, 1]), 2, balanced=False), [1, 1])


def test_each_epoch_has_all_rows_in_an_order_of_its_own():
    job, plan = FoldJob(np.arange(3, 40), [], "fold"), FoldPlan(2, 8, 0.1, seed=4)
    orders = [sampler_of(job, plan).order(epoch) for epoch in range(2)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), job.train)
    assert (orders[0] != orders[1]).any()
    assert steps_of(job, plan) == 5


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epochs": 0}, "`epochs` must be at least 1. Received: epochs=0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1. Received: batch_size=0"),
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0. Received: learning_rate=0.0"),
        (
            {"learning_rate": float("nan")},
            "`learning_rate` must be above 0. Received: learning_rate=nan",
        ),
        (
            {"schedule": "linear"},
            "`schedule` must be one of constant, cosine. Received: schedule='linear'",
        ),
        ({"seed": -1}, "`seed` must be 0 or above. Received: seed=-1"),
    ],
)
def test_settings_out_of_range_are_named(changed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        FoldPlan(**{"epochs": 1, "batch_size": 1, "learning_rate": 0.1, **changed})

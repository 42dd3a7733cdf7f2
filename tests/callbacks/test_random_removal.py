from types import SimpleNamespace

import numpy as np
import pytest

from affectkeras.callbacks.random_removal import RandomRemoval, draw_rows, plan_from_log
from affectkeras.pipelines.sampler import RowSampler

LABELS = np.arange(30) % 3
LOG = [
    {"round": 1, "epoch": 6, "row": 3, "loss": 2.0, "class": 0},
    {"round": 1, "epoch": 6, "row": 6, "loss": 2.5, "class": 0},
    {"round": 1, "epoch": 6, "row": 5, "loss": 3.0, "class": 2},
    {"round": 2, "epoch": 7, "row": 8, "loss": 1.0, "class": 2},
]


def run_epochs(seed, epochs=7, **options):
    sampler = RowSampler(np.arange(30), seed=seed, batch_size=4)
    callback = RandomRemoval(sampler, LABELS, plan_from_log(LOG), seed, **options)
    callback.set_model(SimpleNamespace(stop_training=False))
    for epoch in range(epochs):
        callback.on_epoch_end(epoch)
    return callback, sampler


def test_plan_from_log_counts_per_epoch_and_class():
    assert plan_from_log(LOG) == {6: {0: 2, 2: 1}, 7: {2: 1}}
    assert plan_from_log([]) == {}


def test_as_many_rows_of_the_same_classes_go_at_the_same_epochs():
    callback, sampler = run_epochs(seed=1)
    assert plan_from_log(callback.removals) == plan_from_log(LOG)
    assert [entry["round"] for entry in callback.removals] == [1, 1, 1, 2]
    gone = {entry["row"] for entry in callback.removals}
    assert set(sampler.rows.tolist()) == set(range(30)) - gone
    assert [LABELS[entry["row"]] == entry["class"] for entry in callback.removals] == [True] * 4


def test_the_log_has_the_losses_where_rows_are_scored_and_nan_where_not():
    scored, _ = run_epochs(seed=1, score=lambda rows: rows / 10)
    assert [entry["loss"] for entry in scored.removals] == [
        entry["row"] / 10 for entry in scored.removals
    ]
    unscored, _ = run_epochs(seed=1)
    assert all(np.isnan(entry["loss"]) for entry in unscored.removals)
    assert len(unscored.scores()["row"]) == 0


def test_the_seed_decides_which_rows_go():
    rows = [tuple(run_epochs(seed)[1].rows) for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


def test_every_row_of_a_class_is_drawn_about_equally_often():
    drawn = np.zeros(30)
    for seed in range(600):
        drawn[draw_rows(np.arange(30), LABELS, {1: 2}, seed, epoch=6)] += 1
    assert drawn[LABELS != 1].sum() == 0
    # Expected 120 each with a standard deviation of 9.8.
    assert np.all(np.abs(drawn[LABELS == 1] - 120) < 45)


def test_a_plan_that_would_empty_a_class_is_refused():
    with pytest.raises(ValueError, match=r"removes 10 rows of class 1 in epoch 6, but only 10"):
        draw_rows(np.arange(30), LABELS, {1: 10}, seed=0, epoch=6)

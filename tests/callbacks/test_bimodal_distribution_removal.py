import json
from types import SimpleNamespace

import numpy as np
import pytest

from affectkeras.callbacks.bimodal_distribution_removal import BimodalDistributionRemoval
from affectkeras.errors import UserError
from affectkeras.pipelines.sampler import RowSampler

# Of these ten losses the rule with k = 1 removes the last; see test_removal_rules.py.
LOSSES = np.array([0, 0, 0, 0, 0, 0, 2, 2, 2, 10], dtype=float)


def make(losses=LOSSES, labels=None, **options):
    """Return a removal callback over table rows 100, 101, … and its sampler."""
    table = np.full(100 + len(losses), np.nan)
    table[100:] = losses
    classes = np.zeros(len(table), dtype=int)
    classes[100:] = 0 if labels is None else labels
    sampler = RowSampler(np.arange(100, len(table)), seed=0, batch_size=4)
    callback = BimodalDistributionRemoval(sampler, lambda rows: table[rows], classes, **options)
    callback.set_model(SimpleNamespace(stop_training=False))
    return callback, sampler


def end_epochs(callback, first, last):
    """End the epochs first … last, counted from 1, as Keras does, counted from 0."""
    for epoch in range(first, last + 1):
        callback.on_epoch_end(epoch - 1)


def test_the_first_removal_is_at_the_end_of_the_sixth_epoch():
    callback, sampler = make()
    end_epochs(callback, 1, 5)
    assert len(sampler.rows) == 10
    end_epochs(callback, 6, 6)
    assert sampler.rows.tolist() == list(range(100, 109))
    assert callback.removals == [{"round": 1, "epoch": 6, "row": 109, "loss": 10.0, "class": 0}]


def test_one_round_is_all_unless_more_are_wanted():
    once, sampler_once = make(start_epoch=1)
    end_epochs(once, 1, 4)
    assert len(once.rounds) == 1
    assert len(sampler_once.rows) == 9
    # Without the 10, M1 = 2/3 and the upper part 2, 2, 2 has deviation 0: the second round stops.
    until_stop, sampler_until_stop = make(start_epoch=1, max_rounds=None)
    end_epochs(until_stop, 1, 4)
    assert [entry["removed"] for entry in until_stop.rounds] == [1, 0]
    assert len(sampler_until_stop.rows) == 9


def test_a_round_removes_nothing_when_the_upper_part_hardly_varies():
    # M2 = 2.003, std2 = 0.005: the rule alone would remove the last, the stop rule comes first.
    callback, sampler = make([0, 0, 0, 0, 2, 2, 2, 2.012], start_epoch=1, max_rounds=None)
    end_epochs(callback, 1, 2)
    assert len(sampler.rows) == 8
    assert len(callback.rounds) == 1


def test_every_epoch_is_scored_and_the_removed_are_marked():
    callback, _ = make(start_epoch=2)
    end_epochs(callback, 1, 3)
    scores = callback.scores()
    assert [(scores["epoch"] == epoch).sum() for epoch in (1, 2, 3)] == [10, 10, 9]
    assert np.flatnonzero(scores["removed"]).tolist() == [19]
    assert scores["row"][19] == 109
    assert scores["loss"][19] == 10.0


def test_only_removal_epochs_are_scored_when_asked_so():
    callback, _ = make(start_epoch=2, score_every_epoch=False)
    end_epochs(callback, 1, 3)
    assert np.unique(callback.scores()["epoch"]).tolist() == [2]


def test_a_class_never_loses_its_last_row():
    labels = [0] * 9 + [1]
    callback, sampler = make(labels=labels, start_epoch=1)
    end_epochs(callback, 1, 1)
    assert len(sampler.rows) == 10
    assert callback.rounds[0]["chosen"] == 1
    assert callback.rounds[0]["removed"] == 0


def test_the_cap_counts_over_all_rounds_and_the_highest_losses_go_first():
    losses = [0.0] * 8 + [5.0, 6.0, 20.0, 21.0]
    # k = -1 puts the threshold below most of the upper part, so that the cap decides.
    callback, sampler = make(
        losses, start_epoch=1, max_rounds=None, k=-1.0, max_removed_per_class=0.25
    )
    end_epochs(callback, 1, 1)
    assert [entry["row"] for entry in callback.removals] == [109, 110, 111]
    end_epochs(callback, 2, 6)
    assert len(sampler.rows) == 9


def test_the_state_goes_through_json_and_arrays_and_carries_on():
    whole, whole_sampler = make(start_epoch=1, max_rounds=3, max_removed_per_class=0.5)
    end_epochs(whole, 1, 3)
    first, first_sampler = make(start_epoch=1, max_rounds=3, max_removed_per_class=0.5)
    end_epochs(first, 1, 1)
    second, second_sampler = make(start_epoch=1, max_rounds=3, max_removed_per_class=0.5)
    state = first.get_state()
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    rest = {name: value for name, value in state.items() if name not in arrays}
    second.set_state(json.loads(json.dumps(rest)) | arrays)
    second_sampler.set_state(first_sampler.get_state())
    end_epochs(second, 2, 3)
    assert second.removals == whole.removals
    assert second.rounds == whole.rounds
    for name, column in whole.scores().items():
        assert np.array_equal(second.scores()[name], column)
        assert second.scores()[name].dtype == column.dtype
    assert np.array_equal(second_sampler.rows, whole_sampler.rows)


def test_losses_that_are_not_finite_name_the_row_and_the_mend():
    callback, _ = make([0.0, float("nan"), 1.0])
    with pytest.raises(UserError, match=r"epoch 3 the loss of 1 of 3 .*row 101.*learning-rate"):
        end_epochs(callback, 3, 3)


def test_a_score_of_the_wrong_shape_is_refused():
    callback, _ = make()
    callback.score = lambda rows: np.zeros((len(rows), 2))
    with pytest.raises(ValueError, match=r"shape \(10,\). Received: shape \(10, 2\)"):
        end_epochs(callback, 1, 1)


def test_a_plain_fit_is_refused():
    callback, _ = make()
    callback.set_params({"epochs": 3, "steps": 2})
    with pytest.raises(RuntimeError, match="BimodalDistributionRemoval .*fit_epochs"):
        callback.on_epoch_begin(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_epoch": 0}, "`start_epoch` must be at least 1 .* Received: start_epoch=0"),
        ({"max_rounds": 0}, "`max_rounds` must be at least 1 or None. Received: max_rounds=0"),
        ({"k": float("inf")}, "`k` must be a finite number. Received: k=inf"),
        ({"max_removed_per_class": 1.5}, "Received: max_removed_per_class=1.5"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize("labels", [np.zeros((3, 2)), np.array([0.0, 1.0]), np.array([-1, 0])])
def test_labels_that_are_not_class_indices_are_refused(labels):
    sampler = RowSampler([0], seed=0, batch_size=1)
    with pytest.raises(ValueError, match="`labels` must be the class index of every table row"):
        BimodalDistributionRemoval(sampler, np.zeros, labels)

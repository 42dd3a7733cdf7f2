import numpy as np
import pytest

from affectkeras.pipelines.sampler import RowSampler


def make_sampler(rows=range(10, 30), **changes):
    return RowSampler(list(rows), **{"seed": 3, "batch_size": 8, **changes})


def test_an_epoch_is_a_permutation_of_the_rows():
    sampler = make_sampler()
    assert sorted(sampler.order(0)) == list(range(10, 30))
    assert list(sampler.order(0)) != list(range(10, 30))


def test_the_order_depends_on_seed_and_epoch_only():
    sampler = make_sampler()
    sampler.order(5)
    np.testing.assert_array_equal(sampler.order(2), make_sampler(batch_size=3).order(2))
    assert list(sampler.order(2)) != list(sampler.order(3))
    assert list(sampler.order(2)) != list(make_sampler(seed=4).order(2))


def test_without_shuffling_the_order_is_that_of_the_rows():
    assert list(make_sampler([5, 1, 9], shuffle=False).order(7)) == [5, 1, 9]


def test_steps_count_the_last_smaller_batch():
    assert make_sampler(range(17)).steps == 3
    assert make_sampler(range(16)).steps == 2


def test_removed_rows_leave_and_the_others_keep_their_order():
    sampler = make_sampler([5, 1, 9, 7])
    sampler.remove([9, 5])
    assert list(sampler.rows) == [1, 7]
    assert sorted(sampler.order(0)) == [1, 7]
    assert sampler.version == 1


def test_removing_nothing_is_no_new_version():
    sampler = make_sampler()
    sampler.remove([])
    assert sampler.version == 0


def test_removing_an_absent_row_is_refused_and_changes_nothing():
    sampler = make_sampler()
    with pytest.raises(ValueError, match=r"must be present. Received 1 absent: \[99\]"):
        sampler.remove([10, 99])
    assert len(sampler) == 20


def test_removing_every_row_is_refused():
    with pytest.raises(ValueError, match="Removing all 20 rows would leave nothing"):
        make_sampler().remove(range(10, 30))


def test_the_rows_handed_out_cannot_change_the_sampler():
    sampler = make_sampler(shuffle=False)
    sampler.rows[:] = 0
    sampler.order(0)[:] = 0
    assert list(sampler.rows) == list(range(10, 30))


def test_a_restored_sampler_goes_on_as_the_first_would():
    first = make_sampler()
    first.remove([12, 15])
    second = make_sampler()
    second.set_state(first.get_state())
    np.testing.assert_array_equal(second.order(4), first.order(4))
    assert second.version == 1


def test_a_state_of_other_settings_is_refused():
    with pytest.raises(ValueError, match="saved state has seed=4, this run has seed=3"):
        make_sampler().set_state(make_sampler(seed=4).get_state())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": []}, "at least one row"),
        ({"rows": [1, 2, 1]}, "hold each row once. Received twice: 1"),
        ({"seed": -1}, "`seed` must be 0 or above. Received: seed=-1"),
        ({"batch_size": 0}, "`batch_size` must be at least 1. Received: batch_size=0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_sampler(**arguments)

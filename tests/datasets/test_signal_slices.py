import numpy as np
import pytest

from affectkeras.datasets.recordings import Signal
from affectkeras.datasets.signal_slices import slice_signal

START = 1_600_000_000.0
SIGNAL = Signal(np.arange(40, dtype="f4"), START, 4.0)


def test_samples_from_the_start_on_and_before_the_end_are_taken():
    found = slice_signal(SIGNAL, START + 2, START + 4)
    assert found.values.tolist() == list(range(8, 16))
    assert (found.start_s, found.rate_hz, found.end_s) == (START + 2, 4.0, START + 4)


def test_between_two_samples_the_later_is_the_first():
    found = slice_signal(SIGNAL, START + 2.1, START + 3.1)
    assert found.values.tolist() == [9, 10, 11, 12]
    assert found.start_s == START + 2.25


def test_pieces_side_by_side_hold_every_sample_once():
    signal = Signal(np.arange(1000, dtype="f4"), START + 0.017, 100 / 3)
    edges = START + np.arange(31)
    pieces = [slice_signal(signal, a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    np.testing.assert_array_equal(np.concatenate([p.values for p in pieces]), np.arange(1000))


def test_what_reaches_beyond_the_signal_is_cut():
    assert slice_signal(SIGNAL, START - 5, START + 1).values.tolist() == [0, 1, 2, 3]
    assert slice_signal(SIGNAL, START + 9, START + 20).values.tolist() == [36, 37, 38, 39]


@pytest.mark.parametrize(("start", "end"), [(-9, -5), (50, 60), (1.05, 1.1), (3, 3)])
def test_where_no_sample_lies_there_is_none(start, end):
    found = slice_signal(SIGNAL, START + start, START + end)
    assert len(found.values) == 0
    assert found.start_s == START + start


def test_axes_are_kept():
    signal = Signal(np.zeros((40, 3), "f4"), START, 4.0)
    assert slice_signal(signal, START, START + 2).values.shape == (8, 3)


def test_an_end_before_the_start_is_refused():
    with pytest.raises(ValueError, match="`end_s` must not lie before `start_s`"):
        slice_signal(SIGNAL, START + 2, START + 1)

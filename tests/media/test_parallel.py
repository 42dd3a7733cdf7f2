"""Reading ahead of what is worked on."""

import gc
import threading

import pytest

from affectkeras.media.parallel import read_ahead


class Numbers:
    """A source that counts what was taken of it and knows whether it was let go."""

    def __init__(self, count, error=None):
        self.count, self.error = count, error
        self.taken, self.closed = 0, False

    def __iter__(self):
        for number in range(self.count):
            self.taken += 1
            yield number
        if self.error is not None:
            raise self.error

    def close(self):
        self.closed = True


def threads():
    return set(threading.enumerate())


@pytest.mark.parametrize("depth", [1, 3, 200])
def test_items_come_in_order_and_no_thread_stays(depth):
    before, source = threads(), Numbers(100)
    assert list(read_ahead(source, depth)) == list(range(100))
    assert source.closed
    assert threads() == before


def test_nothing_gives_nothing():
    assert list(read_ahead([])) == []


def test_items_may_be_anything_also_none_and_errors():
    error = ValueError("an item, not raised")
    assert list(read_ahead([None, error, False])) == [None, error, False]


def test_an_error_is_handed_over_where_its_item_would_have_come():
    before = threads()
    items = read_ahead(Numbers(5, OSError("the disk is gone")), 2)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)
    assert threads() == before


def test_the_thread_waits_when_it_is_far_enough_ahead():
    source = Numbers(1000)
    items = read_ahead(source, 4)
    next(items)
    items.close()
    # One that was given, four in the queue, one in the hand of the thread.
    assert source.taken <= 6


def test_an_iterator_left_half_way_lets_go_of_its_source():
    before, closed = threads(), []

    def lines():
        try:
            yield from range(10**9)
        finally:
            closed.append(threading.current_thread())

    for number in read_ahead(lines(), 3):
        if number == 5:
            break
    else:
        raise AssertionError("it ended by itself")
    gc.collect()
    assert len(closed) == 1
    assert threads() == before


def test_an_error_of_the_reader_ends_the_thread_too():
    before, source = threads(), Numbers(1000)
    items = read_ahead(source, 2)
    next(items)
    with pytest.raises(KeyError):
        items.throw(KeyError("reader"))
    assert source.closed
    assert threads() == before

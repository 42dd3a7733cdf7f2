import itertools

import pytest

from benchmarks import side_by_side
from benchmarks.side_by_side import measure_alternately


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what a contestant adds."""
    now = [0.0]
    monkeypatch.setattr(side_by_side.time, "perf_counter", lambda: now[0])

    def contestant(*durations):
        remaining = itertools.cycle(durations)

        def run():
            now[0] += next(remaining)

        return run

    return contestant


def test_the_ratio_is_of_medians_not_of_means(clock):
    contestants = {"ours": clock(2.0, 2.0, 50.0), "peer": clock(4.0, 1.0, 5.0)}
    measured = measure_alternately(contestants, 3)
    assert measured["figures"] == {"ours": [2.0, 2.0, 50.0], "peer": [4.0, 1.0, 5.0]}
    assert measured["medians"] == {"ours": 2.0, "peer": 4.0}
    assert measured["ratio"] == 0.5


def test_with_units_the_figures_are_rates(clock):
    measured = measure_alternately({"ours": clock(2.0), "peer": clock(4.0)}, 1, units=100)
    assert measured["medians"] == {"ours": 50.0, "peer": 25.0}
    assert measured["ratio"] == 2.0


def test_every_further_contestant_has_its_ratio(clock):
    contestants = {"ours": clock(2.0), "peer": clock(4.0), "other": clock(8.0)}
    assert measure_alternately(contestants, 2)["ratios"] == {"peer": 0.5, "other": 0.25}


def test_runs_alternate():
    seen = []
    contestants = {name: lambda name=name: seen.append(name) for name in ("ours", "peer")}
    measure_alternately(contestants, 2)
    assert seen == ["ours", "peer", "ours", "peer"]


def test_one_contestant_is_no_comparison():
    with pytest.raises(ValueError, match="At least two contestants"):
        measure_alternately({"ours": print}, 1)

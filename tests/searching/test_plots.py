"""Where the plots of a search put values."""

import pytest

from affectkeras.searching.plots import draw_parallel

FACTS = {"objective": {"name": "accuracy", "direction": "max"}}


def trial(objective, **values):
    return {"status": "completed", "objective": objective, "values": values}


def heights(figure) -> list[dict[str, float]]:
    """Return the words beside each axis, with their heights."""
    axes = figure.axes[0]
    found = [{} for _ in axes.get_xticks()]
    for text in axes.texts:
        found[int(text.get_position()[0])][text.get_text()] = text.get_position()[1]
    return found


def test_words_and_few_numbers_stand_at_equal_distances_others_to_scale():
    rows = [
        trial(0.1 * number, decay=decay, plan=plan, rate=10.0 ** -(number % 8))
        for number, (decay, plan) in enumerate(
            [(0.0, "paper"), (1e-4, "cosine"), (0.1, "paper")] * 3
        )
    ]
    figure = draw_parallel(rows, FACTS)
    decay, plan, rate, accuracy = heights(figure)
    assert decay == {"0": 0.0, "0.0001": 0.5, "0.1": 1.0}
    assert plan == {"cosine": 0.0, "paper": 1.0}
    assert rate == pytest.approx({"1e-07": 0.0, "0.0003162": 0.5, "1": 1.0})
    assert accuracy == pytest.approx({"0": 0.0, "0.4": 0.5, "0.8": 1.0})
    # Trial 1, third from below: decay 0.0001, cosine, a tenth, an eighth of the way up.
    assert list(figure.axes[0].lines[1].get_ydata()) == pytest.approx([0.5, 0, 6 / 7, 1 / 8])


def test_an_objective_keeps_its_scale_however_few_trials_there_are():
    rows = [trial(0.5, depth=1), trial(0.6, depth=2), trial(0.9, depth=2)]
    figure = draw_parallel(rows, FACTS)
    assert [line.get_ydata()[-1] for line in figure.axes[0].lines[:3]] == pytest.approx(
        [0, 0.25, 1]
    )


def test_of_equal_trials_the_first_is_the_thick_one_and_their_colour_is_one():
    rows = [trial(0.5, depth=1), trial(0.9, depth=2), trial(0.9, depth=3)]
    lines = draw_parallel(rows, FACTS).axes[0].lines[:3]
    widths = [line.get_linewidth() for line in lines]
    assert widths == [1.0, 1.0, 2.4]
    assert lines[-1].get_ydata()[0] == 0.5  # depth 2, of trial 1
    assert lines[1].get_color() == lines[2].get_color()


def test_one_value_for_all_stands_in_the_middle_and_a_missing_one_is_a_gap():
    rows = [trial(0.5, depth=3), trial(0.5, depth=3), trial(0.5)]
    depth, accuracy = heights(draw_parallel(rows, FACTS))
    assert (depth, accuracy) == ({"3": 0.5}, {"0.5": 0.5})
    assert draw_parallel(rows[:1], FACTS) is None

import dataclasses

import keras_tuner
import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.table import (
    ArrayPayload,
    ExampleTable,
    FilePayload,
    Target,
    rejected_frame,
)
from affectkeras.errors import UserError
from affectkeras.searching.folder import drop_models, read_trials, write_trials
from affectkeras.searching.hidden_rows import hide_rows
from affectkeras.searching.importance import find_importance
from affectkeras.searching.pareto import best_of, choose_small
from affectkeras.searching.settings import (
    SearchSettings,
    command_line,
    given_options,
    settle_search,
    split_address,
    without_clashes,
)
from affectkeras.searching.study import Space, best_trial, trial_config
from tests.searching.toy_recipe import Config
from tests.searching.toy_search import STUDY


def row(name, objective, status="completed", values=None, **facts):
    found = {"trial": name, "status": status, "cause": "", "objective": objective}
    found |= {"seconds": 1.0, "worker": "main", "ended": int(name), "measures": {}}
    return found | {"values": values or {}} | facts


def test_a_field_that_was_given_is_not_drawn_and_others_begin_where_the_settings_stand():
    hp = keras_tuner.HyperParameters()
    space = Space(hp, Config(x=0.3, y=(2, 7)), fixed=("y",))
    assert space.Float("x", 0.0, 1.0) == 0.3
    assert (space.Int("y.0", 0, 9), space.Int("y.1", 0, 9)) == (2, 7)
    assert space.Choice("shape", ("flat", "round")) == "round"
    assert [one.name for one in hp.space] == ["x", "shape"]


def test_what_the_settings_say_is_no_default_where_it_lies_outside_of_the_space():
    space = Space(keras_tuner.HyperParameters(), Config(x=7.0, shape="steep"))
    assert space.Float("x", 0.0, 1.0) == 0.0
    assert space.Choice("shape", ("flat", "round")) == "flat"
    assert Space(keras_tuner.HyperParameters(), Config(x=0.25)).Float("x", 0, 1, step=0.1) == 0


def test_what_counts_only_under_a_condition_is_none_elsewhere():
    hp = keras_tuner.HyperParameters()
    space = Space(hp, Config())
    space.Choice("shape", ("round", "flat"))
    with space.only_if("shape", ("flat",)):
        assert space.Float("x", 0.0, 1.0) is None


def test_hyperband_says_how_many_epochs_a_trial_has():
    hp = keras_tuner.HyperParameters()
    trial_config(STUDY, hp, Config(), ())
    hp.values["tuner/epochs"] = 3
    assert trial_config(STUDY, hp, Config(epochs=9), ()).epochs == 3


def test_options_that_were_given_are_found_in_every_spelling():
    arguments = ["--x", "0.2", "--no-quick", "--sleep_s=1", "--trials", "3"]
    assert given_options(Config, arguments) == ("x", "sleep_s", "quick", "search.trials")


def test_an_option_that_a_search_has_itself_is_the_recipes_under_another_name():
    @dataclasses.dataclass(frozen=True)
    class Windows:
        seconds: float = 5.0
        step: int = 1

    changed = without_clashes(Windows)
    assert changed().seconds == 5.0
    assert given_options(changed, ["--recipe-seconds", "9"]) == ("seconds",)
    assert given_options(changed, ["--seconds", "9"]) == ("search.seconds",)
    assert without_clashes(Config) is Config


def test_settings_of_a_recipe_become_its_command_line():
    config = Config(x=0.5, y=(1, 2), quick=True)
    assert command_line(config) == ["--x", "0.5", "--y", "1", "2", "--quick"]
    # What was searched is told also where it is the default, which a quick run has not.
    told = ["--x", "0.5", "--y", "1", "2", "--epochs", "9", "--quick"]
    assert command_line(config, {"epochs"}) == told


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, "--trials must be at least 1"),
        ({"seconds": 0}, "--seconds must be above 0"),
        ({"workers": -1}, "--workers must be at least 0"),
        ({"chief": "here"}, "--chief must be host:port"),
        ({"worker": "here:0"}, "--worker must be host:port"),
    ],
)
def test_settings_that_no_search_can_have_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        settle_search(SearchSettings(**changes), (), False)


def test_a_quick_search_has_four_trials_unless_more_are_asked_for():
    assert settle_search(SearchSettings(), (), True).trials == 4
    assert settle_search(SearchSettings(trials=9), ("search.trials",), True).trials == 9
    assert split_address("10.0.0.5:4000", "--chief") == ("10.0.0.5", 4000)


def test_of_equal_trials_the_longest_trained_then_the_first_is_best():
    rows = [row("0", 0.5), row("1", 0.9), row("2", 0.9), row("3", None, "failed")]
    assert best_trial(rows, "max")["trial"] == "1"
    assert best_trial(rows, "min")["trial"] == "0"
    rows[2]["values"] = {"tuner/epochs": 9}
    assert best_trial(rows, "max")["trial"] == "2"
    assert best_trial(rows[3:], "max") is None


def test_trials_come_back_as_they_were_written(tmp_path):
    rows = [
        row("0", 0.1, values={"x": 0.1, "shape": "None", "n": 3}, measures={"size": 9.0}),
        row("1", None, "failed", values={"x": 0.2}, seconds=None, cause='says "no",\nagain'),
    ]
    write_trials(tmp_path, rows)
    assert read_trials(tmp_path) == rows


def test_models_of_all_but_the_best_trials_are_dropped(tmp_path):
    for name in "012":
        (tmp_path / "trials" / name).mkdir(parents=True)
        (tmp_path / "trials" / name / "model.keras").touch()
    rows = [row("0", 0.3), row("1", 0.1), row("2", 0.2)]
    drop_models(tmp_path, rows, "max", 2)
    assert sorted(path.parent.name for path in tmp_path.rglob("*.keras")) == ["0", "2"]


def table(payload):
    frame = pd.DataFrame(
        {
            "example_id": ["a", "b", "c"],
            **dict.fromkeys(("subject", "group", "split", "source"), ""),
            "mood": [2, 1, 2],
            "p_x": [0.1, 0.2, 0.3],
            "p_y": [0.9, 0.8, 0.7],
            "level": [1.0, 2.0, 3.0],
        }
    )
    targets = (
        Target("mood", "class", ("calm", "glad", "sad"), ("p_x", "p_y")),
        Target("level", "number"),
    )
    return ExampleTable("t", frame, targets, payload, True, rejected_frame(), 3)


def test_hidden_rows_have_neither_content_nor_label_and_others_keep_theirs():
    paths = np.array(["/d/a", "/d/b", "/d/c"], object)
    files = hide_rows(table(FilePayload(paths)), [2])
    assert files.payload.paths.tolist()[:2] == ["/d/a", "/d/b"]
    assert files.payload.paths[2] != "/d/c"
    assert files.frame["mood"].tolist() == [2, 1, 0]
    assert np.isnan(files.frame["level"].to_numpy()[2])
    assert files.frame["p_x"].tolist()[:2] == [0.1, 0.2]
    pixels = np.arange(5)
    arrays = hide_rows(table(ArrayPayload({"pixels": pixels}, np.array([4, 0, 2]))), [0])
    assert pixels[arrays.payload.index[1]] == 0
    with pytest.raises(IndexError):
        pixels[arrays.payload.index[0]]
    assert paths.tolist() == ["/d/a", "/d/b", "/d/c"]


def test_importance_finds_the_one_hyperparameter_that_the_objective_hangs_on():
    generator = np.random.default_rng(0)
    rows = []
    for number in range(40):
        x, noise = generator.uniform(size=2)
        shape = ("round", "flat")[number % 2]
        values = {"noise": noise, "x": x, "shape": shape, "same": 1}
        rows.append(row(str(number), x + 0.01 * (shape == "flat"), values=values))
    found = find_importance(rows)
    assert found.names[0] == "x"
    assert set(found.names) == {"noise", "x", "shape"}
    assert found.means[0] > 10 * found.means[1:].max()
    assert found.out_of_bag > 0.8
    assert find_importance(rows[:7]) is None


def test_the_smallest_network_within_a_point_is_found():
    points = pd.DataFrame(
        {
            "parameters": [100, 50, 50, 20, 10],
            "accuracy": [0.80, 0.795, 0.79, 0.79, 0.78],
        }
    )
    assert choose_small(points)["parameters"] == 20
    assert choose_small(points, within=0.02)["parameters"] == 10
    assert best_of(points)["parameters"] == 100

"""What stands beside the figure of a protocol that leaks."""

import json

import pytest

from affectkeras.comparing.honest import honest_counterpart, honest_words

COMMAND = "python -m recipes.sfew_resnet --protocol paper --run-dir 'my run' --seeds 0"
FACTS = {"name": "sfew", "sample": False, "quick": False}
LEAKY = {"recipe": "sfew_resnet", "command": COMMAND, "dataset": FACTS}


def write_run(folder, *, protocol="grouped", status="complete", mean=0.4, **dataset):
    folder.mkdir(parents=True)
    accuracy = {"mean": mean, "ci95": [0.35, 0.45]}
    result = {
        "status": status,
        "recipe": "sfew_resnet",
        "dataset": FACTS | dataset,
        "protocol": {"name": protocol},
        "arms": {"none": {"test": {"accuracy": accuracy}}},
    }
    (folder / "result.json").write_text(json.dumps(result))


def test_a_leaky_run_names_the_honest_one_beside_it(tmp_path):
    write_run(tmp_path / "honest")
    found = honest_counterpart(tmp_path / "leaky", LEAKY)
    assert found == {
        "run": "honest",
        "protocol": "grouped",
        "arms": {"none": {"mean": 0.4, "ci95": [0.35, 0.45]}},
    }
    assert honest_words(found) == (
        "Protocol grouped, which does not leak (honest): none 40.0 % [35.0, 45.0]"
    )


@pytest.mark.parametrize(
    "other",
    [
        *({"protocol": "paper"}, {"status": "running"}, {"name": "rafdb"}, {"quick": True}),
        {"rating": "valence"},
    ],
)
def test_runs_that_are_no_counterpart_are_not_named_and_the_command_is_given(tmp_path, other):
    write_run(tmp_path / "other", **other)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "result.json").write_text("[1, 2")
    found = honest_counterpart(tmp_path / "leaky", LEAKY)
    command = "python -m recipes.sfew_resnet --seeds 0"
    assert found == {"not_run": command}
    assert command in honest_words(found)

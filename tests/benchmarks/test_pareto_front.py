"""What is kept of a search over networks and thresholds."""

import json

import pandas as pd
import pytest

from benchmarks import pareto_front


@pytest.mark.parametrize(("parameters", "passed"), [(500, True), (501, False)])
def test_the_smallest_within_a_point_is_set_against_the_best(tmp_path, capsys, parameters, passed):
    points = [
        ("0", 1000, 0.640, True),
        ("1", parameters, 0.631, True),
        ("2", 300, 0.629, True),
        ("2", 400, 0.600, False),
    ]
    frame = pd.DataFrame(points, columns=["trial", "parameters", "accuracy", "pareto"])
    frame.assign(arm="8x1", threshold=8.0).to_csv(tmp_path / "pareto.csv", index=False)
    (tmp_path / "search.json").write_text(json.dumps({"settings": {"tuner": "grid"}}))
    found = pareto_front.main(pareto_front.Config(tmp_path, quick=True))
    (case,) = found["cases"]
    assert (case["ours"], case["peer"]) == (0.631, 0.640)
    assert case["ratio"] == parameters / 1000
    assert case["passed"] == passed
    assert [one["parameters"] for one in found["front"]] == [1000, parameters, 300]
    assert (found["networks"], found["trials"]) == (4, 3)
    assert "1,000 parameters" in capsys.readouterr().out

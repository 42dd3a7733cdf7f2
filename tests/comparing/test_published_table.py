"""The paper's comparison table, with runs of ours beside its rows."""

import json
import math

import pytest

from affectkeras.comparing.published_table import (
    PublishedRow,
    compare_with_published,
    read_class_result,
)
from affectkeras.errors import UserError

ROWS = (
    PublishedRow("SFEW(image)", "ResNet50 without BDR", 0.42, "test", "net", "none", "resnet50"),
    PublishedRow("SFEW(image)", "deep network", 0.485, "validation"),
    PublishedRow("SFEW(features)", "simple", 0.252, recipe="small", arm="simple"),
)


def result(recipe="net", served="resnet50-none", arms=("none",), protocol="paper", sample=False):
    found = {"accuracy": {"mean": 0.4, "ci95": [0.3, 0.5]}, "n": 214}
    return {
        "status": "complete",
        "recipe": recipe,
        "served": served,
        "served_arm": served.split("-", 1)[1],
        "arms": {arm: {"test": found} for arm in arms},
        "dataset": {"name": "sfew", "sample": sample, "quick": sample},
        "protocol": {"name": protocol},
    }


def test_every_published_row_stands_in_its_order_with_or_without_ours():
    table = compare_with_published(ROWS, [("run 1", result())])
    assert table["method"].tolist() == ["ResNet50 without BDR", "deep network", "simple"]
    first = table.iloc[0]
    assert (first["published"], first["accuracy"], first["low"], first["high"]) == (
        *(0.42, 0.4, 0.3, 0.5),
    )
    assert (first["run"], first["measured_on"], first["n"]) == ("run 1", "sfew, paper", 214)
    assert math.isnan(table["accuracy"][1])
    assert table["published_on"].tolist() == ["test", "validation", "test"]


def test_several_runs_of_a_method_have_a_row_each_and_what_differs_is_noted():
    runs = [("a", result()), ("b", result(sample=True)), ("c", result(protocol="grouped"))]
    table = compare_with_published(ROWS, runs)
    assert table["run"].tolist()[:3] == ["a", "b", "c"]
    assert table["comparable"].tolist()[:3] == [True, False, False]
    assert table["note"].tolist()[:3] == [
        "the split leaks, as published",
        "rendered sample data; quick run; the split leaks, as published",
        "published under another division",
    ]


def test_a_figure_of_other_data_is_not_comparable():
    other = result("small", "baseline-simple", ("simple",))
    table = compare_with_published(ROWS[:2], [("a", other)])
    assert table["comparable"].tolist()[2] is False
    row = PublishedRow("SFEW", "simple", 0.25, recipe="small", arm="simple", data="sfew_features")
    found = compare_with_published([row], [("a", other)]).iloc[0]
    assert not found["comparable"]
    assert "published on sfew_features" in found["note"]


def test_other_models_and_arms_follow_without_a_published_figure():
    other = result(served="vgg16-bdr", arms=("none", "bdr"))
    table = compare_with_published(ROWS, [("a", other)])
    assert table["method"].tolist()[3:] == ["vgg16, none", "vgg16, bdr"]
    assert table["published"].isna().tolist() == [False] * 3 + [True] * 2
    assert table["run"].isna().tolist() == [True] * 3 + [False] * 2


def test_folders_that_are_no_such_run_are_told(tmp_path):
    with pytest.raises(UserError, match="--with .*: this holds no finished run"):
        read_class_result(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps(result() | {"arms": {"x": {"test": {}}}}))
    with pytest.raises(UserError, match="tells no accuracy on a test part"):
        read_class_result(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps(result()))
    assert read_class_result(tmp_path)["served"] == "resnet50-none"

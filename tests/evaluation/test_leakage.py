import json

import numpy as np
import pandas as pd
import pytest

from affectkeras.errors import UserError
from affectkeras.evaluation.leakage import check_split, refuse_leak
from affectkeras.evaluation.splits import Split


def frame_of(groups):
    ids = [f"{row}.png" for row in range(len(groups))]
    return pd.DataFrame({"example_id": ids, "group": groups})


def split_of(train, validation, test, groups_known=True):
    rows = [np.array(part, dtype=np.int64) for part in (train, validation, test)]
    aside = pd.DataFrame({"row": [], "reason": []})
    return Split(*rows, "grouped", "", aside, groups_known)


def test_a_clean_split_passes_every_check():
    findings = check_split(frame_of(["a", "a", "b", "c"]), split_of([0, 1], [2], [3]), [])
    assert findings["passed"]
    assert [check["count"] for check in findings["checks"].values()] == [0, 0, 0]
    assert findings["not_checked"] == {}


def test_a_group_on_two_sides_is_found_and_named():
    findings = check_split(frame_of(["a", "a", "b", "c"]), split_of([0], [1, 2], [3]), [])
    found = findings["checks"]["group_on_two_sides"]
    assert found == {
        "passed": False,
        "count": 1,
        "examples": ["group a (in train and validation)"],
    }
    assert not findings["passed"]


def test_identical_images_on_two_sides_are_found_and_named():
    findings = check_split(
        frame_of(list("abcd")), split_of([0, 1], [2], [3]), [np.array([0, 1]), np.array([1, 3])]
    )
    found = findings["checks"]["pixel_identical_on_two_sides"]
    assert found["count"] == 1
    assert found["examples"] == ["1.png = 3.png (in train and test)"]


def test_identical_images_on_one_side_are_no_leak():
    split = split_of([0, 1], [2], [3])
    assert check_split(frame_of(list("abcd")), split, [np.array([0, 1])])["passed"]


def test_a_row_on_two_sides_is_found():
    findings = check_split(frame_of(list("abc")), split_of([0, 1], [1], [2]), None)
    assert findings["checks"]["row_on_two_sides"]["examples"] == ["1.png (in train and validation)"]


def test_what_could_not_be_checked_is_said_and_not_passed():
    findings = check_split(frame_of(list("aaa")), split_of([0], [1], [2], False), None)
    assert list(findings["checks"]) == ["row_on_two_sides"]
    assert findings["not_checked"] == {
        "group_on_two_sides": "the data set does not tell its groups",
        "pixel_identical_on_two_sides": "the images were not compared",
    }


def test_examples_are_five_at_most_and_findings_are_json():
    groups = [f"film-{row % 10}" for row in range(30)]
    findings = check_split(frame_of(groups), split_of(range(10), range(10, 20), range(20, 30)))
    found = json.loads(json.dumps(findings))["checks"]["group_on_two_sides"]
    assert (found["count"], len(found["examples"])) == (10, 5)


def test_a_leaking_grouped_split_is_refused_and_a_published_one_reported():
    findings = check_split(frame_of(["a", "a", "b"]), split_of([0], [1], [2]))
    with pytest.raises(UserError, match="leaks: group on two sides, 1 found, the first: group a"):
        refuse_leak(findings, "grouped")
    refuse_leak(findings, "paper")

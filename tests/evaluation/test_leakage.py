"""What a leakage check finds on two sides of a split, and what it says."""

import json

import numpy as np
import pandas as pd
import pytest

from affectkeras.errors import UserError
from affectkeras.evaluation import leakage
from affectkeras.evaluation.leakage import check_split, complete_findings, refuse_leak
from affectkeras.evaluation.splits import Split

ROWS = 4
SIDES = "(in train and validation)"


def frame_of(groups="abcd", **columns):
    ids = [f"{row}.png" for row in range(len(groups))]
    return pd.DataFrame({"example_id": ids, "group": list(groups), **columns})


def split_of(train=(0, 1), validation=(2,), test=(3,), groups_known=True):
    rows = [np.array(part, dtype=np.int64) for part in (train, validation, test)]
    aside = pd.DataFrame({"row": [], "reason": []})
    return Split(*rows, "grouped", "", aside, groups_known)


def copies_of(*pairs):
    return pd.DataFrame(pairs, columns=["first", "second", "kind"])


def test_a_clean_split_passes_every_check():
    frame = frame_of(
        subject=["P1", "P1", "P2", ""],
        dyad=[1, 1, 2, 3],
        clip=["x", "x", "y", "z"],
        frame_number=[1, 2, 3, 4],
        recording=["r", "r", "s", "r"],
        window_start_s=[0.0, 5.0, 0.0, 10.0],
        window_end_s=[5.0, 10.0, 5.0, 15.0],
    )
    copies = copies_of((0, 1, "identical"), (0, 1, "copy"), (0, 1, "mirrored"))
    findings = check_split(frame, split_of(), copies)
    assert findings["passed"]
    assert set(findings["checks"]) == set(leakage.CHECKS) - set(leakage.SEAL_CHECKS)
    assert {check["count"] for check in findings["checks"].values()} == {0}
    assert findings["not_checked"] == {}


@pytest.mark.parametrize(
    ("check", "columns", "example", "pair"),
    [
        ("subject", {"subject": ["P1", "P2", "P2", ""]}, f"subject P2 {SIDES}", "12"),
        ("group", {"groups": "abbc"}, f"group b {SIDES}", "12"),
        ("video", {"video": ["v", "w", "w", "x"]}, f"video w {SIDES}", "12"),
        ("video", {"clip": ["v", "w", "w", "x"]}, f"clip w {SIDES}", "12"),
        ("dyad", {"dyad": [1, 2, 2, 3]}, f"dyad 2 {SIDES}", "12"),
        (
            "overlapping_windows",
            {
                "recording": ["r", "r", "r", "s"],
                "window_start_s": [0.0, 5.0, 8.0, 0.0],
                "window_end_s": [5.0, 10.0, 13.0, 5.0],
            },
            f"r: 1.png and 2.png share 2 s {SIDES}",
            "12",
        ),
        (
            "neighbouring_frames",
            {"clip": ["v", "v", "v", "w"], "frame_number": [1, 30, 26, 2]},
            f"2.png and 1.png, 4 frames apart {SIDES}".replace(
                "train and validation", "validation and train"
            ),
            "21",
        ),
    ],
)
def test_what_stands_on_two_sides_is_found_named_and_shown(check, columns, example, pair):
    findings = check_split(frame_of(**columns), split_of(), copies_of())
    found = findings["checks"][f"{check}_on_two_sides"]
    assert not findings["passed"]
    assert not found["passed"]
    assert found["examples"][0] == example
    assert found["pairs"][0] == [f"{row}.png" for row in pair]


@pytest.mark.parametrize(
    ("check", "kind"),
    [("pixel_identical", "identical"), ("copy", "copy"), ("mirrored_copy", "mirrored")],
)
def test_copies_on_two_sides_are_found_by_kind(check, kind):
    found = check_split(frame_of(), split_of(), copies_of((0, 1, kind), (1, 3, kind)))
    findings = found["checks"]
    assert findings[f"{check}_on_two_sides"] == {
        "passed": False,
        "count": 1,
        "examples": ["1.png and 3.png (in train and test)"],
        "pairs": [["1.png", "3.png"]],
    }
    assert sum(not one["passed"] for one in findings.values()) == 1


def test_rows_that_were_set_aside_stand_on_no_side():
    split = split_of(train=(0,), validation=(2,), test=(3,))
    frame = frame_of("abbc", subject=["P", "Q", "Q", "R"])
    assert check_split(frame, split, copies_of((1, 2, "identical")))["passed"]


def test_windows_that_touch_do_not_overlap_and_a_long_one_hides_none():
    frame = frame_of(
        recording=["r"] * 4,
        window_start_s=[0.0, 1.0, 20.0, 25.0],
        window_end_s=[20.0, 2.0, 25.0, 30.0],
    )
    assert check_split(frame, split_of(), None)["checks"][leakage.ORDER_CHECKS[0]]["passed"]
    frame["window_start_s"] = [0.0, 1.0, 19.0, 25.0]
    found = check_split(frame, split_of(), None)["checks"][leakage.ORDER_CHECKS[0]]
    assert found["examples"] == [f"r: 0.png and 2.png share 1 s {SIDES}"]


def test_a_row_on_two_sides_is_found():
    findings = check_split(frame_of(), split_of([0, 1], [1], [2]), None)
    assert findings["checks"]["row_on_two_sides"]["examples"] == ["1.png (in train and validation)"]


def test_what_could_not_be_checked_is_said_and_not_passed():
    findings = check_split(frame_of("aaaa", subject=""), split_of(groups_known=False), None)
    assert list(findings["checks"]) == ["row_on_two_sides"]
    assert findings["not_checked"]["subject_on_two_sides"] == (
        "the data set does not tell its subjects"
    )
    assert findings["not_checked"]["group_on_two_sides"] == "the data set does not tell its groups"
    assert findings["not_checked"]["copy_on_two_sides"] == "the images were not compared"
    named = {*findings["checks"], *findings["not_checked"]}
    assert named == set(leakage.CHECKS) - set(leakage.SEAL_CHECKS)


def test_examples_are_five_at_most_and_findings_are_json():
    groups = [f"film-{row % 10}" for row in range(30)]
    findings = check_split(frame_of(groups), split_of(range(10), range(10, 20), range(20, 30)))
    found = json.loads(json.dumps(findings))["checks"]["group_on_two_sides"]
    assert (found["count"], len(found["examples"]), len(found["pairs"])) == (10, 5, 10)


@pytest.mark.parametrize("protocol", ["grouped", "official", "subject"])
def test_a_leak_stops_every_protocol_but_the_published_one(protocol):
    findings = check_split(frame_of("aabb"), split_of())
    message = f"--protocol {protocol} leaks. Nothing was trained. group on two sides: 1, such as"
    with pytest.raises(UserError, match=message):
        refuse_leak(findings, protocol)
    refuse_leak(findings, "paper")


def watched(**fitted):
    return {"fitted": {"weights": {"the model": 2}, **fitted}, "test_rows_read": 1}


def test_findings_are_complete_with_what_the_seals_saw():
    found = check_split(frame_of(), split_of())
    whole = complete_findings(found, [watched(), watched(selection={"bdr": 2})])
    assert {*whole["checks"], *whole["not_checked"]} == set(leakage.CHECKS)
    assert whole["checks"]["selection_beyond_training"]["notes"] == [
        "bdr: fitted on training rows only"
    ]


@pytest.mark.parametrize(
    "facts", [{"fitted": {}, "test_rows_read": 1}, watched() | {"test_rows_read": 0}]
)
def test_a_training_that_went_past_the_seal_has_no_findings(facts):
    with pytest.raises(ValueError, match="must fit and read its rows through a `Seal`"):
        complete_findings(check_split(frame_of(), split_of()), [facts])

import json

import numpy as np
import pandas as pd
import pytest

from affectkeras.errors import UserError
from affectkeras.evaluation.fold_splits import join_folds
from affectkeras.evaluation.leakage import (
    check_split,
    complete_findings,
    join_findings,
    refuse_leak,
)
from affectkeras.evaluation.seal import Leak, Seal
from affectkeras.evaluation.subject_splits import inner_folds, leave_one_out_splits
from affectkeras.results import dataset_facts, majority_baseline, protocol_facts


def windows(dyads=3, of_subject=4, *, dyad_column=True):
    """Return windows of 5 s of subjects P00, P01 … who talk in pairs."""
    rows = [
        {
            "example_id": f"P{subject:02d} {5 * number} s",
            "subject": f"P{subject:02d}",
            "group": f"dyad {subject // 2}",
            "dyad": f"dyad {subject // 2}",
            "split": "",
            "recording": f"P{subject:02d}",
            "window_start_s": 5.0 * number,
            "window_end_s": 5.0 * number + 5,
            "level": number % 2,
        }
        for subject in range(2 * dyads)
        for number in range(of_subject)
    ]
    frame = pd.DataFrame(rows)
    return frame if dyad_column else frame.drop(columns="dyad").assign(group=frame["subject"])


def test_every_subject_is_tested_once_by_all_who_share_nothing_with_it():
    frame = windows()
    splits = leave_one_out_splits(frame, "level")
    assert [split.name for split in splits] == ["subject"] * 6
    assert np.concatenate([split.test for split in splits]).tolist() == list(range(len(frame)))
    subject = frame["subject"].to_numpy()
    for number, split in enumerate(splits):
        partner = f"P{number ^ 1:02d}"
        assert set(subject[split.test]) == {f"P{number:02d}"}
        assert set(subject[split.set_aside["row"]]) == {partner}
        assert set(split.set_aside["reason"]) == {
            "its dyad is tested in this fold: partners share the conversation"
        }
        assert set(subject[split.train]) == set(subject) - {f"P{number:02d}", partner}
        assert len(split.validation) == 0
        covered = np.concatenate([*split.parts().values(), split.set_aside["row"]])
        assert sorted(covered) == list(range(len(frame)))
        assert check_split(frame, split)["passed"]
        assert all(rows.dtype == np.int64 for rows in split.parts().values())


def test_without_dyads_all_others_train():
    frame = windows(dyad_column=False)
    for split in leave_one_out_splits(frame, "level"):
        assert len(split.set_aside) == 0
        assert len(split.train) + len(split.test) == len(frame)
        assert "set aside" not in split.description


def test_dyads_told_by_numbers_are_dyads_all_the_same():
    frame = windows()
    frame["dyad"] = frame["dyad"].str.removeprefix("dyad ").astype(int)
    aside = [len(split.set_aside) for split in leave_one_out_splits(frame, "level")]
    assert aside == [4] * 6
    assert len(leave_one_out_splits(frame, "level", "dyad")) == 3


def test_a_dyad_is_tested_whole():
    frame = windows()
    splits = leave_one_out_splits(frame, "level", "dyad")
    assert [split.name for split in splits] == ["dyad"] * 3
    for number, split in enumerate(splits):
        assert set(frame["subject"].iloc[split.test]) == {
            f"P{2 * number:02d}",
            f"P{2 * number + 1:02d}",
        }
        assert len(split.set_aside) == 0
        assert check_split(frame, split)["passed"]


def test_as_published_the_partner_trains_and_that_leaks():
    frame = windows()
    splits = leave_one_out_splits(frame, "level", partners_aside=False)
    for split in splits:
        assert split.name == "paper"
        assert "leaks" in split.description
        assert len(split.train) == len(frame) - len(split.test)
        findings = check_split(frame, split)
        failed = {name for name, one in findings["checks"].items() if not one["passed"]}
        assert failed == {"group_on_two_sides", "dyad_on_two_sides"}
        refuse_leak(findings, split.name)
        with pytest.raises(UserError, match="dyad on two sides"):
            refuse_leak(findings, "subject")


def test_partners_kept_or_not_nothing_leaks_where_nobody_has_one():
    splits = leave_one_out_splits(windows(dyad_column=False), "level", partners_aside=False)
    assert {split.name for split in splits} == {"subject"}


def test_subjects_without_a_dyad_share_it_with_nobody():
    frame = windows()
    frame.loc[frame["subject"].isin(["P00", "P01", "P02"]), "dyad"] = ""
    frame["group"] = frame["subject"]
    splits = leave_one_out_splits(frame, "level")
    aside = [frame["subject"].iloc[split.set_aside["row"]].unique().tolist() for split in splits]
    assert aside == [[], [], [], [], ["P05"], ["P04"]]


def test_those_who_share_a_group_are_set_aside_too():
    frame = windows(dyad_column=False)
    frame["group"] = ["home"] * 8 + frame["subject"].tolist()[8:]
    split = leave_one_out_splits(frame, "level")[0]
    assert split.set_aside["row"].tolist() == [4, 5, 6, 7]
    assert set(split.set_aside["reason"]) == {"its group is tested in this fold"}


def test_a_subject_of_one_class_is_tested_and_said():
    frame = windows()
    frame.loc[frame["subject"] == "P03", "level"] = 0
    splits = leave_one_out_splits(frame, "level", class_names=("low", "high"))
    assert splits[3].notes == ("The test rows of subject P03 hold no high.",)
    assert [len(split.notes) for split in splits] == [0, 0, 0, 1, 0, 0]


def test_a_class_that_only_one_subject_shows_is_said_of_training():
    frame = windows(dyad_column=False)
    frame.loc[frame["subject"] == "P01", "level"] = [0, 1, 2, 2]
    notes = leave_one_out_splits(frame, "level")[1].notes
    assert notes == (
        "Without subject P01 nothing trains 2: its rows of that class cannot be predicted.",
    )


@pytest.mark.parametrize(
    ("change", "unit", "message"),
    [
        (lambda f: f.drop(columns="dyad"), "dyad", "tells none. Choose --protocol subject"),
        (lambda f: f.assign(subject=""), "subject", "24 have none, such as 'P00 0 s'"),
        (lambda f: f.assign(dyad=np.nan), "dyad", "24 have none"),
        (lambda f: f.assign(subject="P00"), "subject", "at least two of them.* Found: 1"),
        (lambda f: f[:8], "subject", "subject P00 left out, leaves no row to train on"),
        (
            lambda f: f.assign(level=(f["subject"] == "P00").astype(int)),
            "subject",
            "P00 left out, leaves training rows of one class only",
        ),
    ],
)
def test_what_cannot_be_left_out_is_refused(change, unit, message):
    with pytest.raises(UserError, match=message):
        leave_one_out_splits(change(windows()), "level", unit)


def test_an_unknown_unit_is_a_mistake_of_the_program():
    with pytest.raises(ValueError, match="`unit` must be 'subject' or 'dyad'. Received: 'video'"):
        leave_one_out_splits(windows(), "level", "video")


def test_the_folds_as_a_whole_test_every_row_and_set_nothing_aside():
    frame = windows()
    frame.loc[frame["subject"] == "P03", "level"] = 0
    whole = join_folds(leave_one_out_splits(frame, "level"))
    assert whole.test.tolist() == list(range(len(frame)))
    assert len(whole.set_aside) == 0
    assert whole.notes == ("The test rows of subject P03 hold no 1.",)
    facts = dataset_facts(
        "k_emocon", frame, whole, sample=False, quick=False, rejected=0, target="level"
    )
    assert facts["examples"] == {"test": 24}
    assert facts["groups"] == {"test": 3}
    assert facts["set_aside"] == {}
    json.dumps([facts, protocol_facts(whole)])


def test_what_no_fold_uses_stays_set_aside_in_the_whole():
    frame = windows()
    reason = "not in use"
    splits = []
    for split in leave_one_out_splits(frame, "level"):
        left = [row for row in (2, 3) if row in split.train]
        kept = split.keep_training(np.setdiff1d(split.train, left), reason) if left else split
        test = np.setdiff1d(kept.test, [2, 3])
        extra = pd.DataFrame({"row": np.intersect1d(kept.test, [2, 3]), "reason": reason})
        aside = pd.concat([kept.set_aside, extra], ignore_index=True)
        splits.append(type(split)(**{**vars(kept), "test": test, "set_aside": aside}))
    assert join_folds(splits).set_aside["row"].tolist() == [2, 3]


def test_the_majority_of_each_fold_is_that_of_its_training_rows():
    frame = windows(dyad_column=False)
    frame["level"] = 0
    frame.loc[frame["subject"] == "P00", "level"] = 1
    frame.loc[frame["subject"] == "P01", "level"] = [0, 0, 1, 1]
    splits = leave_one_out_splits(frame, "level")
    found = majority_baseline(frame["level"], splits, ("low", "high"))
    assert found["accuracy"] == pytest.approx(18 / 24)


def test_a_seal_guards_a_fold_without_validation():
    frame = windows()
    splits = leave_one_out_splits(frame, "level")
    watched = []
    for split in splits:
        seal = Seal(split)
        seal.fit("normalisation", "z-normalisation", split.train)
        seal.fit("weights", "net", split.train)
        with pytest.raises(Leak):
            seal.read(split.test)
        with pytest.raises(Leak):
            seal.fit("weights", "net", split.set_aside["row"].to_numpy())
        with seal.final_evaluation():
            seal.read(split.test)
        watched.append(seal.facts())
    findings = join_findings([check_split(frame, split) for split in splits])
    assert complete_findings(findings, watched)["passed"]


def test_inner_folds_divide_the_training_rows_and_keep_pairs_whole():
    frame = windows(dyads=6)
    split = leave_one_out_splits(frame, "level")[0]
    pairs = inner_folds(split, frame, 3, seed=0)
    assert len(pairs) == 3
    assert sorted(np.concatenate([validation for _, validation in pairs])) == split.train.tolist()
    for train, validation in pairs:
        assert sorted([*train, *validation]) == split.train.tolist()
        assert not set(frame["dyad"].iloc[train]) & set(frame["dyad"].iloc[validation])
    again, other = inner_folds(split, frame, 3, seed=0), inner_folds(split, frame, 3, seed=1)
    assert all(np.array_equal(one[1], two[1]) for one, two in zip(pairs, again, strict=True))
    assert not all(np.array_equal(one[1], two[1]) for one, two in zip(pairs, other, strict=True))


def test_inner_folds_are_as_many_as_training_subjects_at_most():
    frame = windows(dyads=2, dyad_column=False)
    split = leave_one_out_splits(frame, "level")[0]
    assert [len(validation) for _, validation in inner_folds(split, frame, 3, seed=0)] == [4, 4, 4]
    with pytest.raises(UserError, match="4 inner folds need .* there are 3"):
        inner_folds(split, frame, 4, seed=0)
    with pytest.raises(UserError, match="1 inner folds need at least 2"):
        inner_folds(split, frame, 1, seed=0)


def test_inner_folds_even_class_shares_where_a_target_is_given():
    frame = windows(dyads=6, dyad_column=False)
    # Half of the subjects show one class, half the other.
    frame["level"] = frame["subject"].str[-1].astype(int) % 2
    split = leave_one_out_splits(frame, "level")[0]
    for _, validation in inner_folds(split, frame, 4, seed=0, target_column="level"):
        assert set(frame["level"].iloc[validation]) == {0, 1}

import numpy as np
import pandas as pd
import pytest

from affectkeras.errors import UserError
from affectkeras.evaluation.fold_splits import frame_folds, frames_split, join_folds, subject_splits
from affectkeras.evaluation.leakage import check_split, join_findings


def frames(subjects=7, clips=4, frames_of_clip=3):
    rows = [
        {
            "example_id": f"S{subject} clip {clip} frame {frame}",
            "subject": f"S{subject}",
            "group": f"S{subject}",
            "split": "",
            "video": f"S{subject}.mkv",
            "clip": f"S{subject} clip {clip}",
            "frame_number": 10 * clip + frame,
            "stress": clip % 2,
        }
        for subject in range(subjects)
        for clip in range(clips)
        for frame in range(frames_of_clip)
    ]
    return pd.DataFrame(rows)


def test_every_row_is_tested_once_and_validates_once():
    frame = frames()
    splits = subject_splits(frame, "stress", folds=5, seed=0)
    assert len(splits) == 5
    for part in ("test", "validation"):
        rows = np.concatenate([getattr(split, part) for split in splits])
        assert sorted(rows) == list(range(len(frame)))
    for split in splits:
        assert sorted(np.concatenate(list(split.parts().values()))) == list(range(len(frame)))


def test_no_subject_stands_on_two_sides():
    frame = frames()
    for split in subject_splits(frame, "stress", folds=3, seed=1):
        parts = split.parts().values()
        found = np.concatenate([frame["subject"].iloc[rows].unique() for rows in parts])
        assert sorted(found) == sorted(frame["subject"].unique())
        assert check_split(frame, split)["passed"]


def test_the_same_seed_gives_the_same_folds():
    one, same, other = (subject_splits(frames(), "stress", folds=4, seed=s) for s in (3, 3, 4))
    assert all(np.array_equal(a.test, b.test) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(one, other, strict=True))


def test_subjects_that_share_a_picture_stay_together():
    frame = frames()
    rows = np.array([0, len(frame) - 1])  # of the first and the last subject
    for split in subject_splits(frame, "stress", folds=3, seed=0, copies=[rows]):
        inside = [np.isin(rows, found).sum() for found in split.parts().values()]
        assert sorted(inside) == [0, 0, 2]


@pytest.mark.parametrize(
    ("folds", "subjects", "message"),
    [
        (2, 7, "--folds must be at least 3"),
        (5, 4, "--folds 5 needs as many subjects that share nothing; there are 4"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(folds, subjects, message):
    with pytest.raises(UserError, match=message):
        subject_splits(frames(subjects), "stress", folds=folds, seed=0)


def test_a_row_without_a_subject_is_named():
    frame = frames()
    frame.loc[5, "subject"] = ""
    with pytest.raises(UserError, match="1 have none, such as 'S0 clip 1 frame 2'"):
        subject_splits(frame, "stress", folds=3, seed=0)


def test_a_fold_without_a_class_is_refused():
    frame = frames(4)
    frame["stress"] = (frame["subject"] == "S0").astype(int)
    with pytest.raises(UserError, match="leaves the (train|test|validation) part without a row"):
        subject_splits(frame, "stress", folds=4, seed=0)


def test_the_published_split_divides_frames_and_leaks():
    frame = frames(10, 5, 10)
    split = frames_split(frame, "stress", seed=0)
    shares = [len(rows) / len(frame) for rows in split.parts().values()]
    np.testing.assert_allclose(shares, [0.72, 0.08, 0.20], atol=0.01)
    found = check_split(frame, split)
    assert not found["passed"]
    failed = {name for name, check in found["checks"].items() if not check["passed"]}
    assert {"subject_on_two_sides", "neighbouring_frames_on_two_sides"} <= failed


def test_folds_of_frames_are_as_large_as_those_of_subjects_and_leak():
    frame = frames(10, 4, 5)
    splits = frame_folds(frame, "stress", folds=5, seed=0)
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(len(frame)))
    assert {len(split.train) for split in splits} == {120}
    assert not any(check_split(frame, split)["passed"] for split in splits)


def test_folds_joined_are_what_they_test():
    splits = subject_splits(frames(), "stress", folds=3, seed=0)
    whole = join_folds(splits)
    assert len(whole.test) == len(frames())
    assert len(whole.train) == len(whole.validation) == 0
    assert join_folds(splits[:1]) is splits[0]
    with pytest.raises(ValueError, match="must not test a row twice"):
        join_folds([splits[0], splits[0]])


def test_findings_of_folds_fail_where_one_fails():
    frame = frames()
    good = [check_split(frame, split) for split in subject_splits(frame, "stress", folds=3, seed=0)]
    bad = check_split(frame, frames_split(frame, "stress", seed=0))
    assert join_findings(good)["passed"]
    joined = join_findings([*good, bad])
    assert not joined["passed"]
    assert joined["checks"]["subject_on_two_sides"]["count"] == 7
    assert joined["not_checked"] == good[0]["not_checked"]

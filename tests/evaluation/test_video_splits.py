"""Videos divided: all frames of one on one side."""

import numpy as np
import pandas as pd
import pytest

from affectkeras.errors import UserError
from affectkeras.evaluation.video_splits import official_split, video_split


def table(lengths, *, owner="train"):
    """Return the frame of videos of so many rows each; `owner`: a part of all, or one of each."""
    videos = [f"v{number:02}" for number in range(len(lengths))]
    owners = [owner] * len(lengths) if isinstance(owner, str) else owner
    group = np.repeat(videos, lengths)
    return pd.DataFrame(
        {
            "example_id": [f"{name} frame {number:05}" for number, name in enumerate(group)],
            "subject": "",
            "group": group,
            "split": np.repeat(owners, lengths),
        }
    )


def divide(frame, kinds=None, *, test=0.2, validation=0.2, seed=0, copies=()):
    kinds = np.zeros(len(frame), int) if kinds is None else kinds
    return video_split(frame, kinds, test=test, validation=validation, seed=seed, copies=copies)


def videos_of(frame, rows):
    return set(frame["group"].iloc[rows])


def covers(split, frame):
    rows = [*split.parts().values(), split.set_aside["row"].to_numpy(np.int64)]
    return sorted(np.concatenate(rows)) == list(range(len(frame)))


def test_no_video_stands_on_two_sides_and_every_row_on_one():
    frame = table([3, 5, 4, 6, 2, 7, 3, 4, 5, 1])
    split = divide(frame)
    sides = [videos_of(frame, rows) for rows in split.parts().values()]
    assert all(sides)
    assert sum(map(len, sides)) == len(set.union(*sides)) == 10
    assert covers(split, frame)
    assert (split.name, split.groups_known, len(split.set_aside)) == ("grouped", True, 0)
    for rows in split.parts().values():
        assert rows.dtype == np.int64
        assert (np.diff(rows) > 0).all()


def test_the_parts_have_the_wanted_shares():
    frame = table([10] * 20)
    split = divide(frame, test=0.25, validation=0.15)
    assert {name: len(rows) for name, rows in split.parts().items()} == {
        "train": 120, "validation": 30, "test": 50,
    }  # fmt: skip
    assert split.description.startswith(
        "20 videos divided 60/15/25 by video: 12 train, 3 validate, 5 are tested."
    )


def test_kinds_are_evened_over_the_parts():
    frame = table([10] * 20)
    kinds = np.repeat(np.arange(20) % 4, 10)
    split = divide(frame, kinds)
    for rows in split.parts().values():
        np.testing.assert_array_equal(np.bincount(kinds[rows]), [len(rows) // 4] * 4)


def test_a_seed_repeats_its_split_and_another_differs():
    frame = table([5] * 12)
    np.testing.assert_array_equal(divide(frame).test, divide(frame).test)
    tested = {tuple(divide(frame, seed=seed).test) for seed in range(5)}
    assert len(tested) > 1


def test_one_video_under_two_names_stays_on_one_side():
    frame = table([5] * 9)
    tied = [np.array([0, 20]), np.array([5, 35, 40])]  # v00 = v04; v01 = v07 = v08
    for seed in range(5):
        split = divide(frame, seed=seed, copies=tied)
        for names in ({"v00", "v04"}, {"v01", "v07", "v08"}):
            held = [names & videos_of(frame, rows) for rows in split.parts().values()]
            assert sorted(map(len, held)) == [0, 0, len(names)]


def test_three_videos_suffice_and_two_do_not():
    split = divide(table([4, 4, 4]), test=0.1, validation=0.1)
    assert [len(rows) for rows in split.parts().values()] == [4, 4, 4]
    with pytest.raises(UserError, match="at least 3 videos .* are needed.* Found: 2"):
        divide(table([4, 4]))
    with pytest.raises(UserError, match="Found: 2"):
        divide(table([4, 4, 4]), copies=[np.array([0, 4])])


@pytest.mark.parametrize(
    ("test", "validation"), [(0, 0.2), (0.2, 0), (0.5, 0.5), (0.2, float("nan"))]
)
def test_shares_that_leave_no_part_are_refused(test, validation):
    with pytest.raises(UserError, match="--test-share and --validation-share must be above 0"):
        divide(table([4] * 5), test=test, validation=validation)


OWNERS = ["train"] * 8 + ["validation"] * 2


def test_the_owner_s_validation_part_is_tested_and_some_of_its_videos_validate():
    frame = table([4] * 10, owner=OWNERS)
    split = official_split(frame, validation=0.25, seed=0)
    assert videos_of(frame, split.test) == {"v08", "v09"}
    assert len(videos_of(frame, split.validation)) == 2
    assert len(videos_of(frame, split.train)) == 6
    assert not videos_of(frame, split.validation) & videos_of(frame, split.train)
    assert covers(split, frame)
    assert split.name == "official"
    assert split.description == (
        "Test: the owner's validation part, 2 videos; of the other 8 training videos 2 validate."
    )


def test_training_rows_of_a_tested_video_are_set_aside_with_the_reason():
    frame = table([4] * 10, owner=OWNERS)
    frame.loc[frame["group"] == "v00", "group"] = "v09"  # such as its left and right person
    split = official_split(frame, validation=0.2, seed=0)
    assert split.set_aside["row"].tolist() == [0, 1, 2, 3]
    assert set(split.set_aside["reason"]) == {"of a video that is tested"}
    assert covers(split, frame)


def test_rows_of_no_part_of_the_owner_are_set_aside_too():
    frame = table([4] * 12, owner=[*OWNERS, "test", ""])
    split = official_split(frame, validation=0.2, seed=0)
    assert split.set_aside["row"].tolist() == list(range(40, 48))
    assert set(split.set_aside["reason"]) == {"neither in the owner's training nor validation part"}
    assert covers(split, frame)


def test_other_videos_validate_with_another_seed():
    frame = table([4] * 10, owner=OWNERS)
    held = {tuple(official_split(frame, validation=0.2, seed=seed).validation) for seed in range(6)}
    assert len(held) > 1
    one, same = (official_split(frame, validation=0.2, seed=3).validation for _ in range(2))
    np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_at_least_one_video_trains_and_one_validates(share):
    frame = table([4] * 3, owner=["train", "train", "validation"])
    split = official_split(frame, validation=share, seed=0)
    assert [len(rows) for rows in split.parts().values()] == [4, 4, 4]


def test_an_owner_without_both_parts_is_told_what_to_choose():
    for owner in ("train", "validation"):
        with pytest.raises(UserError, match="only one. Choose --protocol grouped"):
            official_split(table([4] * 3, owner=owner), validation=0.2, seed=0)


def test_too_few_training_videos_are_counted():
    frame = table([4] * 2, owner=["train", "validation"])
    with pytest.raises(UserError, match="at least two training videos. Found: 1"):
        official_split(frame, validation=0.2, seed=0)
    frame["group"] = "v00"
    with pytest.raises(UserError, match="at least two training videos. Found: 0"):
        official_split(frame, validation=0.2, seed=0)

import numpy as np
import pandas as pd
import pytest

from affectkeras.errors import UserError
from affectkeras.evaluation.splits import split_table, subsample


def faces(train=120, validation=60, test=0, unassigned=0, *, films=15, classes=4, seed=0):
    """Return a frame whose films run across the owner's parts."""
    generator = np.random.default_rng(seed)
    sizes = {"train": train, "validation": validation, "test": test, "": unassigned}
    rows = sum(sizes.values())
    labels = np.concatenate([np.arange(size) % classes for size in sizes.values()])
    # The owner's parts share a third of their films, as splits by frame do.
    offset = {"train": 0, "validation": films * 2 // 3, "test": films * 4 // 3, "": 0}
    films_of = [generator.integers(films, size=size) + offset[part] for part, size in sizes.items()]
    return pd.DataFrame(
        {
            "example_id": [f"{row}.png" for row in range(rows)],
            "group": [f"film-{film}" for film in np.concatenate(films_of)],
            "split": np.repeat(list(sizes), list(sizes.values())),
            "expression": labels.astype(int),
        }
    )


def split(frame, protocol="grouped", **options):
    options = {"seed": 0, "groups_known": True, **options}
    return split_table(frame, "expression", protocol, **options)


OWNERS = {
    "train and validation": {},
    "all three": {"test": 60},
    "train and test": {"validation": 0, "test": 60},
    "one part": {"train": 0, "validation": 0, "unassigned": 150},
    "some in no part": {"unassigned": 20},
}


def runs():
    for owner, sizes in OWNERS.items():
        for protocol in ("grouped", "official", "paper"):
            has_validation = sizes.get("validation", 60) > 0
            if sizes.get("train", 120) and (protocol != "paper" or has_validation):
                yield pytest.param(sizes, protocol, id=f"{owner}-{protocol}")
    yield pytest.param(OWNERS["one part"], "grouped", id="one part-grouped")


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("sizes", "protocol"), list(runs()))
def test_parts_are_disjoint_and_cover_every_row_with_those_set_aside(sizes, protocol, seed):
    frame = faces(**sizes, seed=seed)
    made = split(frame, protocol, seed=seed)
    rows = [*made.parts().values(), made.set_aside["row"].to_numpy()]
    np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(len(frame)))
    assert all(len(part) and part.dtype == np.int64 for part in made.parts().values())
    assert all(np.all(np.diff(part) > 0) for part in made.parts().values())
    assert (made.set_aside["reason"] != "").all()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("owner", list(OWNERS))
def test_grouped_leaves_no_group_and_no_identical_pair_on_two_sides(owner, seed):
    frame = faces(**OWNERS[owner], seed=seed)
    copies = [np.array([3, 140]), np.array([5, 7, 60])]
    made = split(frame, copies=copies, seed=seed)
    side = np.full(len(frame), "", dtype=object)
    for part, rows in made.parts().items():
        side[rows] = part
    used = side != ""
    assert (frame[used].groupby("group")["split"].agg(lambda s: len(set(side[s.index]))) == 1).all()
    for twins in copies:
        assert len(set(side[twins]) - {""}) <= 1


@pytest.mark.parametrize("protocol", ["grouped", "official", "paper"])
def test_the_same_seed_gives_the_same_split(protocol):
    frame = faces()
    first, second = split(frame, protocol, seed=4), split(frame, protocol, seed=4)
    for part, rows in first.parts().items():
        np.testing.assert_array_equal(rows, second.parts()[part])


def test_paper_halves_the_owners_validation_part_class_by_class():
    frame = faces()
    made = split(frame, "paper")
    np.testing.assert_array_equal(made.train, np.arange(120))
    assert (len(made.validation), len(made.test)) == (30, 30)
    labels = frame["expression"].to_numpy()
    halves = np.bincount(labels[made.validation]) - np.bincount(labels[made.test])
    assert np.abs(halves).max() <= 1
    assert "leaks" in made.description


def test_paper_sets_the_owners_test_part_aside():
    made = split(faces(test=40), "paper")
    assert set(made.set_aside["reason"]) == {"the paper does not use the owner's test part"}
    np.testing.assert_array_equal(made.set_aside["row"], np.arange(180, 220))


def test_paper_divides_all_rows_80_10_10_where_that_is_what_was_published():
    frame = faces(test=40)
    made = split(frame, "paper", published="all-rows")
    sizes = [len(rows) for rows in made.parts().values()]
    assert sizes == pytest.approx([176, 22, 22], abs=4)
    assert sum(sizes) == 220
    assert set(frame["split"].iloc[made.train]) == {"train", "validation", "test"}
    assert "leaks" in made.description


def test_grouped_sets_training_rows_aside_that_share_a_film_with_what_is_held_out():
    frame = faces()
    made = split(frame)
    shared = frame["group"].isin(frame.loc[frame["split"] == "validation", "group"])
    expected = np.flatnonzero(shared & (frame["split"] == "train"))
    np.testing.assert_array_equal(made.set_aside["row"], expected)
    assert set(made.set_aside["reason"]) == {"its group is also in the owner's validation part"}
    assert f"{len(expected)} rows were set aside" in made.description


def test_grouped_halves_are_about_equal():
    made = split(faces(validation=200, films=60))
    assert abs(len(made.validation) - len(made.test)) <= 10


def test_grouped_keeps_the_owners_test_part_whole():
    frame = faces(test=60)
    np.testing.assert_array_equal(split(frame).test, np.flatnonzero(frame["split"] == "test"))


def test_one_part_is_divided_by_group_into_70_15_15():
    made = split(faces(train=0, validation=0, unassigned=400, films=80))
    shares = [len(rows) / 400 for rows in made.parts().values()]
    np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=0.03)


def test_official_tests_on_the_owners_validation_part_and_holds_out_a_tenth_by_group():
    frame = faces(train=300, films=60)
    made = split(frame, "official")
    np.testing.assert_array_equal(made.test, np.flatnonzero(frame["split"] == "validation"))
    left = len(made.train) + len(made.validation)
    assert left == 300 - len(made.set_aside)
    assert abs(len(made.validation) - left / 10) <= 3
    groups = frame["group"].to_numpy()
    assert not set(groups[made.train]) & set(groups[made.validation])


def test_official_follows_an_owner_with_three_parts():
    frame = faces(test=60)
    made = split(frame, "official")
    np.testing.assert_array_equal(made.test, np.flatnonzero(frame["split"] == "test"))
    owner = frame["split"].to_numpy()
    assert set(owner[made.train]) == {"train"}
    assert set(owner[made.validation]) == {"validation"}
    films = [set(frame["group"].iloc[rows]) for rows in made.parts().values()]
    assert not films[0] & films[1]
    assert not films[0] & films[2]
    assert not films[1] & films[2]
    assert len(made.train) + len(made.validation) + len(made.test) + len(made.set_aside) == len(
        frame
    )


def test_unknown_groups_are_single_rows_or_pixel_identical_sets():
    frame = faces()
    made = split(frame, groups_known=False, copies=[np.array([0, 130])])
    assert list(made.set_aside["row"]) == [0]
    assert made.set_aside["reason"][0].startswith("its picture is also in")
    assert made.groups_known is False
    assert "copies of one picture are a group, every other image is its own" in made.description


def test_grouped_refuses_lost_groups_where_they_are_not_allowed():
    with pytest.raises(UserError, match="needs to know which images belong together"):
        split(faces(), groups_known=False, allow_unknown_groups=False)


def test_official_runs_where_groups_are_lost():
    made = split(faces(), "official", groups_known=False, allow_unknown_groups=False)
    assert len(made.test) == 60


def test_an_unknown_protocol_is_named_with_the_known_ones():
    with pytest.raises(UserError, match="one of grouped, official, paper. Received: 'random'"):
        split(faces(), "random")


@pytest.mark.parametrize("protocol", ["paper", "official"])
def test_protocols_of_the_owner_need_the_owners_parts(protocol):
    frame = faces(train=0, validation=0, unassigned=50)
    with pytest.raises(UserError, match="needs the owner's train part. Found: no parts at all"):
        split(frame, protocol)


def test_paper_needs_the_owners_validation_part():
    frame = faces(validation=0, test=30)
    with pytest.raises(UserError, match="needs the owner's validation part. Found: test, train"):
        split(frame, "paper")


def test_one_group_cannot_be_divided():
    frame = faces()
    frame.loc[frame["split"] == "validation", "group"] = "one film"
    with pytest.raises(UserError, match="validation part holds 1 group; dividing it into val"):
        split(frame)


def test_a_row_without_a_group_is_named():
    frame = faces()
    frame.loc[7, "group"] = ""
    with pytest.raises(UserError, match=r"rows without a group: 1, the first '7\.png'"):
        split(frame)


def test_a_class_without_training_rows_is_named():
    frame = faces()
    frame.loc[frame["split"] == "train", "expression"] %= 3
    with pytest.raises(UserError, match=r"no training row of class 'Fear' \(15 in all\)"):
        split(frame, "paper", class_names=("Angry", "Disgust", "Sad", "Fear"))


def test_a_class_of_one_image_trains_and_the_notes_say_what_lacks_it():
    frame = faces(train=0, validation=0, unassigned=60)
    frame.loc[11, "expression"] = 9
    made = split(frame, groups_known=False)
    assert 11 in made.train
    assert made.notes == ("Class 9 has no validation row.", "Class 9 has no test row.")


def test_training_rows_that_all_share_a_held_out_film_are_an_error_with_the_count():
    frame = faces(films=1)
    frame["group"] = [f"film-{row % 5}" for row in range(len(frame))]
    with pytest.raises(UserError, match="leaves no rows for train. 120 rows were set aside"):
        split(frame)


def test_an_empty_table_is_said_to_be_empty():
    with pytest.raises(UserError, match="no row to split"):
        split(faces(train=0, validation=0))


def test_training_on_fewer_rows_sets_the_others_aside_with_the_reason():
    made = split(faces())
    fewer = made.keep_training(made.train[[5, 2]], "left out")
    np.testing.assert_array_equal(fewer.train, made.train[[2, 5]])
    np.testing.assert_array_equal(fewer.test, made.test)
    assert fewer.set_aside["reason"].value_counts()["left out"] == len(made.train) - 2
    covered = [*fewer.parts().values(), fewer.set_aside["row"].to_numpy()]
    np.testing.assert_array_equal(np.sort(np.concatenate(covered)), np.arange(180))


def test_rows_that_do_not_train_cannot_be_kept_for_training():
    made = split(faces())
    with pytest.raises(ValueError, match="Received: 1 rows, 1 of them not in training"):
        made.keep_training(made.test[:1], "left out")


def test_a_subsample_keeps_class_shares_and_every_class():
    labels = np.repeat([0, 1, 2], [80, 19, 1])
    rows = subsample(np.arange(100, 200), labels, 20, seed=0)
    np.testing.assert_array_equal(np.bincount(labels[rows - 100]), [16, 3, 1])
    np.testing.assert_array_equal(rows, subsample(np.arange(100, 200), labels, 20, seed=0))
    assert np.all(np.diff(rows) > 0)


def test_a_subsample_larger_than_the_rows_is_all_of_them():
    np.testing.assert_array_equal(subsample(np.array([4, 2]), np.array([0, 0]), 9, 0), [2, 4])


def test_a_subsample_smaller_than_the_classes_takes_from_the_largest():
    labels = np.repeat([0, 1, 2], [50, 30, 1])
    rows = subsample(np.arange(81), labels, 2, seed=0)
    np.testing.assert_array_equal(labels[rows], [0, 1])


def test_a_subsample_of_nothing_is_refused():
    with pytest.raises(ValueError, match="`count` must be at least 1. Received: count=0"):
        subsample(np.arange(3), np.zeros(3), 0, 0)

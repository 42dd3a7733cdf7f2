"""Label modes against cases worked by hand from the FER+ paper's rules."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.label_modes import (
    NO_AGREEMENT,
    NO_FACE,
    NO_MAJORITY,
    PROBABILITY_COLUMNS,
    TOP_IS_NO_FACE,
    TOP_IS_UNKNOWN,
    VOTE_COLUMNS,
    apply_label_mode,
    leading_shares,
    majority_labels,
)
from affectkeras.datasets.table import ExampleTable, FilePayload, rejected_frame
from affectkeras.errors import UserError

# neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF


def majority(*votes):
    labels, reasons = majority_labels(np.array([votes]))
    return labels[0], reasons[0]


def shares(*votes):
    values, reasons = leading_shares(np.array([votes]))
    return values[0].tolist(), reasons[0]


def test_majority_is_the_emotion_above_half_of_the_votes():
    assert majority(2, 8, 0, 0, 0, 0, 0, 0, 0, 0) == (1, "")


def test_single_votes_do_not_count_towards_the_half():
    # Five of ten are no majority, but five of the seven votes above one are.
    assert majority(0, 0, 5, 2, 1, 1, 1, 0, 0, 0) == (2, "")


def test_exactly_half_is_no_majority():
    assert majority(5, 5, 0, 0, 0, 0, 0, 0, 0, 0)[1] == NO_MAJORITY


def test_only_single_votes_are_no_majority():
    assert majority(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)[1] == NO_MAJORITY


def test_a_majority_for_unknown_leaves_the_row_out():
    assert majority(3, 0, 0, 0, 0, 0, 0, 0, 7, 0)[1] == TOP_IS_UNKNOWN


def test_a_majority_for_no_face_leaves_the_row_out():
    assert majority(3, 0, 0, 0, 0, 0, 0, 0, 0, 7)[1] == TOP_IS_NO_FACE


def test_ten_votes_for_no_face_are_no_face_in_every_mode():
    votes = (0, 0, 0, 0, 0, 0, 0, 0, 0, 10)
    assert majority(*votes)[1] == NO_FACE
    assert shares(*votes)[1] == NO_FACE


def test_shares_are_those_of_the_leading_emotions_up_to_three_quarters():
    # Of 8 votes above one, 5 are below 75 %, 5 + 3 reach it; single votes are slips.
    values, reason = shares(5, 0, 0, 1, 3, 0, 0, 0, 0, 1)
    assert reason == ""
    assert values == pytest.approx([5 / 8, 0, 0, 0, 3 / 8, 0, 0, 0])


def test_an_emotion_below_the_leading_three_quarters_gets_no_share():
    values, reason = shares(8, 2, 0, 0, 0, 0, 0, 0, 0, 0)
    assert (values, reason) == ([1, 0, 0, 0, 0, 0, 0, 0], "")


def test_equal_emotions_are_taken_together():
    values, reason = shares(4, 2, 2, 2, 0, 0, 0, 0, 0, 0)
    # Four emotions had to be taken to go beyond the first: too many to call it agreement.
    assert reason == NO_AGREEMENT
    assert values == [0] * 8
    values, reason = shares(5, 2, 2, 0, 0, 0, 0, 0, 0, 0)
    assert reason == ""
    assert values == pytest.approx([5 / 9, 2 / 9, 2 / 9, 0, 0, 0, 0, 0])


def test_emotions_below_unknown_are_not_taken():
    # 5 of 10, then unknown comes: neutral holds no more than half of the votes.
    assert shares(5, 2, 0, 0, 0, 0, 0, 0, 3, 0)[1] == NO_AGREEMENT
    values, reason = shares(6, 0, 0, 0, 0, 0, 0, 0, 4, 0)
    assert (values, reason) == ([1, 0, 0, 0, 0, 0, 0, 0], "")


def test_emotions_equal_to_unknown_are_still_taken():
    values, reason = shares(5, 2, 0, 0, 0, 0, 0, 0, 2, 0)
    assert reason == ""
    assert values == pytest.approx([5 / 7, 2 / 7, 0, 0, 0, 0, 0, 0])


def test_unknown_on_top_leaves_the_row_out():
    assert shares(2, 0, 0, 0, 0, 0, 0, 0, 8, 0)[1] == TOP_IS_UNKNOWN
    assert shares(2, 0, 0, 0, 0, 0, 0, 0, 0, 8)[1] == TOP_IS_NO_FACE


def test_only_single_votes_are_no_agreement():
    assert shares(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)[1] == NO_AGREEMENT


VOTES = [
    [10, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
    [0, 0, 0, 0, 0, 6, 0, 3, 1, 0],
]


def table_of(votes):
    ids = [f"face{row}.png" for row in range(len(votes))]
    frame = pd.DataFrame(
        {"example_id": ids, "subject": "", "group": ids, "split": "train", "source": "label.csv"}
    )
    frame[list(VOTE_COLUMNS)] = np.array(votes)
    payload = FilePayload(np.array(ids, dtype=object))
    return ExampleTable("ferplus", frame, (), payload, False, rejected_frame(), len(votes))


def test_majority_table_keeps_votes_and_counts_what_it_leaves_out():
    table = apply_label_mode(table_of(VOTES), "majority")
    assert table.frame["expression"].tolist() == [0, 5]
    assert table.frame["votes_contempt"].tolist() == [0, 3]
    assert table.payload.paths.tolist() == ["face0.png", "face3.png"]
    assert table.target("expression").distribution == ()
    assert sorted(map(tuple, table.rejected.to_numpy())) == [
        ("face1.png", "excluded", NO_MAJORITY),
        ("face2.png", "excluded", NO_FACE),
    ]
    assert table.read == 4


@pytest.mark.parametrize("label_mode", ["probability", "crossentropy"])
def test_share_tables_have_a_distribution_and_its_largest_class(label_mode):
    table = apply_label_mode(table_of(VOTES), label_mode)
    assert table.target("expression").distribution == PROBABILITY_COLUMNS
    # The second row's two emotions are equal: the first in order is its class.
    assert table.frame["expression"].tolist() == [0, 0, 5]
    assert table.frame["p_happiness"].tolist() == [0, 0.5, 0]
    assert table.frame["p_contempt"].tolist() == pytest.approx([0, 0, 3 / 9])
    assert table.frame[list(PROBABILITY_COLUMNS)].sum(axis=1).tolist() == pytest.approx([1, 1, 1])


def test_label_modes_leave_the_given_table_unchanged():
    table = table_of(VOTES)
    apply_label_mode(table, "probability")
    assert len(table) == 4
    assert "expression" not in table.frame


def test_an_unknown_label_mode_is_refused_by_name():
    with pytest.raises(UserError, match="`label_mode` must be one of majority, probability, cross"):
        apply_label_mode(table_of(VOTES), "median")


def test_a_table_without_votes_is_refused_by_column():
    table = table_of(VOTES)
    table = dataclasses.replace(table, frame=table.frame.drop(columns="votes_NF"))
    with pytest.raises(UserError, match="needs the ten FER\\+ vote columns.*'votes_NF'"):
        apply_label_mode(table, "majority")

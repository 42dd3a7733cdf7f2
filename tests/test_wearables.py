"""Windows of a recipe on wearables, who is held out, and labels dealt out anew."""

import dataclasses

import numpy as np
import pytest

from affectkeras.datasets.recordings import Recording, RecordingPayload, Signal
from affectkeras.errors import UserError
from affectkeras.pipelines.signals import Channel
from affectkeras.wearables import prepare_wearables, shuffle_labels
from tests.tiny_wearables import SECONDS, START, Settings, tiny_stretches, tiny_wearables

SHORTER = "a shorter window that ends there has too many gaps"


def rated(gap: slice = slice(0, 0)):
    """Return two people's 30 s of skin conductance 0, 1, 2 …, rated every 5 s; one has a gap."""
    table = tiny_stretches(2, 6)
    recordings = []
    for number, one in enumerate(table.payload.recordings):
        values = np.arange(120, dtype="f4")
        values[gap if number == 0 else slice(0, 0)] = np.nan
        signals = {"eda": Signal(values, START, 4.0)}
        recordings.append(Recording(one.name, one.subject, signals))
    payload = RecordingPayload(tuple(recordings), table.payload.index, table.payload.irregularities)
    frame = table.frame.assign(stress=[0, 1, 0, 0, 1, 1] * 2)
    return dataclasses.replace(table, frame=frame, payload=payload)


def cut(table, seconds, **settings):
    return prepare_wearables(
        Settings(**settings), table, [Channel("eda")], seconds=seconds, rate_hz=4.0
    )


def ends_of(data, subject):
    frame = data.table.frame[data.table.frame["subject"] == subject]
    return (frame["window_end_s"] - START).tolist()


def test_windows_of_several_lengths_end_at_the_same_ratings():
    # A window of 20 s that ends at 15 s misses a quarter, of 10 s that ends at 5 s half.
    data = cut(rated(), (20, 5, 10))
    assert ends_of(data, "S00") == ends_of(data, "S01") == [20, 25, 30]
    assert {length: one.shape for length, one in data.inputs.items()} == {
        5: (6, 20, 1),
        10: (6, 40, 1),
        20: (6, 80, 1),
    }
    for row, end in enumerate([20, 25, 30] * 2):
        for length, one in data.inputs.items():
            expected = np.arange(4 * (end - length), 4 * end)
            np.testing.assert_array_equal(one[row, :, 0], expected, err_msg=f"{length} s")


def test_a_rating_at_which_a_shorter_window_has_gaps_is_left_out_of_all_lengths():
    # Of the seconds from 21 to 23: 40 % of the 5 s before 25, but a fifth of 10 s and less of 20.
    data = cut(rated(slice(84, 92)), (5, 10, 20))
    assert ends_of(data, "S00") == [20, 30]
    assert ends_of(data, "S01") == [20, 25, 30]
    reasons = data.table.rejected["reason"].tolist()
    assert reasons.count(SHORTER) == 1
    assert data.table.rejected["path"][reasons.index(SHORTER)] == "S00 4 25.0 s"
    np.testing.assert_array_equal(data.inputs[5][1, :, 0], np.arange(100, 120))
    # Small gaps are bridged: here by the straight line that the values are.
    np.testing.assert_allclose(data.inputs[20][1, :, 0], np.arange(40, 120), atol=1e-4)


def test_one_length_alone_keeps_what_it_has_room_for():
    assert ends_of(cut(rated(), (5,)), "S00") == [5, 10, 15, 20, 25, 30]
    assert SHORTER not in set(cut(rated(), (10,)).table.rejected["reason"])


@pytest.mark.parametrize("seconds", [(5,), (5, 10, 20)])
def test_all_that_was_read_is_used_or_rejected(seconds):
    stretches = rated(slice(84, 92))
    data = cut(stretches, seconds)
    assert data.table.read == len(data.table) + len(data.table.rejected)
    # A window for each stretch, and what the reader had rejected.
    assert data.table.read == len(stretches) + len(stretches.rejected) == stretches.read
    assert data.table.rejected["path"].iloc[0] == "S99/EDA.csv"
    assert not set(data.table.rejected["path"]) & set(data.table.frame["example_id"])


def test_what_was_read_and_left_out_is_printed(capsys):
    cut(rated(slice(84, 92)), (5, 10, 20))
    printed = capsys.readouterr().out
    assert "13 labelled stretches read = 12 used + 1 rejected, in 2 recordings" in printed
    assert "3 irregular samples or rows" in printed
    assert "12 windows = 5 used + 7 left out, of 2 subjects" in printed
    assert "Leave one subject out: 2 folds" in printed


def test_windows_are_scaled_and_laid_as_the_settings_say():
    data = tiny_wearables(scale="subject")
    subject = data.table.frame["subject"].to_numpy()
    for name in np.unique(subject):
        values = data.inputs[SECONDS][subject == name]
        np.testing.assert_allclose(values.mean(axis=(0, 1)), 0, atol=1e-5)
        np.testing.assert_allclose(values.std(axis=(0, 1)), 1, atol=1e-5)
    inside = prepare_wearables(
        *(Settings(), tiny_stretches(2, 4), [Channel("eda")]),
        **{"seconds": (2,), "rate_hz": 4.0, "place": "inside", "step_s": 1.5},
    )
    starts = inside.table.frame["window_start_s"].to_numpy() - START
    np.testing.assert_allclose(starts[:6], [0, 1.5, 3, 5, 6.5, 8])


def test_too_much_damage_is_refused_before_windows_are_cut():
    with pytest.raises(UserError, match="1 of 61 files cannot be used.*--max-rejected"):
        tiny_wearables(max_rejected=0.01)


def test_with_subjects_held_out_the_partner_is_set_aside():
    data = tiny_wearables(tiny_stretches(6, dyads=True))
    subject = data.table.frame["subject"].to_numpy()
    assert [split.name for split in data.splits] == ["subject"] * 6
    for number, split in enumerate(data.splits):
        partner = number + 1 - 2 * (number % 2)
        assert set(subject[split.test]) == {f"S{number:02d}"}
        assert set(subject[split.set_aside["row"]]) == {f"S{partner:02d}"}
        others = {f"S{other:02d}" for other in range(6)} - {f"S{number:02d}", f"S{partner:02d}"}
        assert set(subject[split.train]) == others
    assert data.findings["passed"]
    assert data.findings["checks"]["dyad_on_two_sides"]["count"] == 0


def test_with_dyads_held_out_both_partners_are_tested():
    data = tiny_wearables(tiny_stretches(6, dyads=True), protocol="dyad")
    subject = data.table.frame["subject"].to_numpy()
    tested = [sorted(set(subject[split.test])) for split in data.splits]
    assert tested == [["S00", "S01"], ["S02", "S03"], ["S04", "S05"]]
    assert all(len(split.train) == 40 and not len(split.set_aside) for split in data.splits)
    assert data.findings["passed"]


def test_as_published_the_partner_trains_and_the_leak_is_said(capsys):
    data = tiny_wearables(tiny_stretches(6, dyads=True), protocol="paper")
    subject = data.table.frame["subject"].to_numpy()
    assert set(subject[data.splits[0].train]) == {f"S{number:02d}" for number in range(1, 6)}
    assert [split.name for split in data.splits] == ["paper"] * 6
    assert not data.findings["passed"]
    found = data.findings["checks"]["dyad_on_two_sides"]
    assert not found["passed"]
    # Each of the three dyads stands on two sides in two folds.
    assert found["count"] == 6
    assert "the tested subject's partner trains" in capsys.readouterr().out


def test_dyads_can_be_held_out_only_where_they_are_told():
    with pytest.raises(UserError, match="--protocol dyad needs the dyad of every row"):
        tiny_wearables(protocol="dyad")


def test_shuffled_labels_keep_each_subjects_counts_and_are_the_same_every_time():
    table = tiny_stretches(4, 30)
    shuffled = shuffle_labels(table, "stress")
    assert (shuffled.frame["stress"] != table.frame["stress"]).mean() > 0.3
    for one, other in ((table, shuffled), (shuffled, table)):
        counts = one.frame.groupby(["subject", "stress"]).size()
        assert counts.equals(other.frame.groupby(["subject", "stress"]).size())
    assert shuffled.frame.equals(shuffle_labels(table, "stress").frame)
    assert not shuffled.frame.equals(shuffle_labels(table, "stress", seed=1).frame)
    assert shuffled.frame.drop(columns="stress").equals(table.frame.drop(columns="stress"))


def test_shuffled_labels_are_those_that_are_trained_and_tested():
    plain, shuffled = tiny_wearables(), tiny_wearables(shuffle_labels=True)
    assert (plain.labels != shuffled.labels).mean() > 0.3
    np.testing.assert_array_equal(shuffled.labels, shuffled.table.frame["stress"])
    np.testing.assert_array_equal(plain.inputs[SECONDS], shuffled.inputs[SECONDS])

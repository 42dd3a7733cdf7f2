"""K-EmoCon's reader: stretches in their place in time, signals on their grid, oddities counted."""

import shutil
import tarfile

import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets import k_emocon
from affectkeras.datasets.k_emocon_subjects import COMPLETE, to_seconds
from affectkeras.datasets.recordings import IRREGULARITY_COLUMNS, STRETCH_COLUMNS
from affectkeras.datasets.sample.kemocon_layout import write_sample_k_emocon
from affectkeras.datasets.sample.physiology_files import planted
from affectkeras.errors import UserError
from tests import tiny_k_emocon as tiny
from tests.tiny_k_emocon import (
    DEBATE_S,
    LABELS,
    LEAD_S,
    change_cells,
    change_lines,
    find_irregular,
    put,
    read,
    start_ms,
)

NAMES = {
    "E4_BVP": "bvp",
    "E4_EDA": "eda",
    "E4_TEMP": "temperature",
    "E4_HR": "wrist_heart_rate",
    "E4_ACC": "acceleration",
    "E4_IBI": "ibi",
    "Polar_HR": "heart_rate",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny.write_k_emocon(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def folder(tmp_path, whole):
    """A data set of its own, to be changed."""
    shutil.copytree(whole, tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def signals(table, name):
    return {one.name: one for one in table.payload.recordings}[name].signals


def test_a_row_is_a_stretch_of_five_seconds_that_ends_at_its_rating(whole):
    table = read(whole)
    assert (table.name, len(table), table.read) == ("k_emocon", 2 * LABELS, 2 * LABELS)
    row = table.frame.iloc[LABELS + 2]
    assert row["example_id"] == "self_annotations/P4.self.csv label 0015"
    assert (row["subject"], row["group"], row["split"]) == ("P04", "dyad 02", "")
    assert (row["source"], row["recording"]) == ("self_annotations/P4.self.csv", "e4_data/4")
    start = start_ms(4) / 1000
    assert (row["start_s"], row["end_s"], row["seconds"]) == (start + 10, start + 15, 15)
    assert list(row[list(tiny.SCALES)]) == tiny.ratings(4, "self", 2)
    assert (row["dyad"], row["pid"], row["rater"]) == (2, 4, "self")
    assert (row["delight"], row["boredom"]) == ("x", "")
    assert table.frame["start_s"].dtype == np.float64
    assert set(STRETCH_COLUMNS) < set(table.frame.columns)
    assert [(target.name, target.kind) for target in table.targets] == [
        (name, "number") for name in tiny.SCALES
    ]
    assert table.groups_known
    assert list(table.payload.irregularities.columns) == list(IRREGULARITY_COLUMNS)


def test_partners_share_a_group(tmp_path):
    table = read(tiny.write_k_emocon(tmp_path, (3, 4, 5)))
    groups = table.frame.groupby("subject")["group"].first()
    assert dict(groups) == {"P03": "dyad 02", "P04": "dyad 02", "P05": "dyad 03"}


def test_signals_lie_on_their_grids_in_their_units(whole):
    found = signals(read(whole), "e4_data/3")
    assert set(found) == tiny.SIGNALS
    first = start_ms(3) / 1000 - LEAD_S
    for name, file in (("bvp", "BVP"), ("eda", "EDA"), ("temperature", "TEMP")):
        signal = found[name]
        values = tiny.sensor_values(file, 50 * tiny.RATES[file])
        np.testing.assert_allclose(signal.values, values, rtol=1e-5, atol=1e-6)
        assert (signal.start_s, signal.rate_hz) == (first, tiny.RATES[file])
    assert found["acceleration"].values.shape == (50 * 32, 3)
    first_two = [[-0.5, 1, 0], [-31 / 64, 1, 1 / 64]]
    np.testing.assert_array_equal(found["acceleration"].values[:2], first_two)
    assert found["wrist_heart_rate"].start_s == first + 10
    assert list(found["heart_rate"].values[:3]) == [60, 61, 62]
    assert found["heart_rate"].rate_hz == found["wrist_heart_rate"].rate_hz == 1


def test_intervals_between_beats_are_interpolated_at_four_hertz(folder):
    path = folder / "e4_data/3/E4_IBI.csv"
    change_lines(path, lambda lines: [*lines[:4], *lines[14:]])  # nine seconds without a beat
    ibi = signals(read(folder), "e4_data/3")["ibi"]
    assert (ibi.start_s, ibi.rate_hz) == (start_ms(3) / 1000 - LEAD_S + 1, 4)
    # Beats at 0, 0.8 and 1.6 s of 0.80, 0.81 and 0.82 s, the next one at 10.4 s.
    np.testing.assert_allclose(ibi.values[:7], 0.8 + np.arange(7) / 4 / 80, rtol=1e-5)
    assert np.isnan(ibi.values[7:42]).all()
    assert np.isfinite(ibi.values[42:]).all()


def test_an_undamaged_set_has_nothing_irregular(whole):
    assert list(read(whole).payload.irregularities["kind"]) == []


@pytest.mark.parametrize("rater", ["self", "partner", "external"])
def test_the_chosen_rater_is_read(whole, rater):
    table = read(whole, rater=rater)
    assert list(table.frame["arousal"][:LABELS]) == [
        tiny.ratings(3, rater, label)[0] for label in range(LABELS)
    ]
    assert set(table.frame["rater"]) == {rater}
    assert table.frame["source"][0] == f"{tiny.RATERS[rater]}/P3.{rater}.csv"


def test_an_annotation_longer_than_the_debate_stays_at_its_start(folder):
    tiny.write_annotation(folder, 3, "self", labels=LABELS + 2)
    table = read(folder)
    assert len(table) == 2 * LABELS + 2
    first = table.frame[table.frame["subject"] == "P03"]
    assert list(first["start_s"] - start_ms(3) / 1000) == list(range(0, 40, 5))
    assert find_irregular(table, "annotation longer than the debate")[0] == 2
    # Five seconds were recorded after the debate: the last of two stretches has no signal.
    assert find_irregular(table, "stretch outside the signal", "bvp")[0] == 1


def test_an_annotation_longer_than_the_debate_is_cut_from_its_beginning_as_the_authors_do(folder):
    tiny.write_annotation(folder, 3, "self", labels=LABELS + 2)
    table = read(folder, align="cut")
    first = table.frame[table.frame["subject"] == "P03"]
    assert list(first["seconds"]) == list(range(15, 45, 5))
    assert list(first["start_s"] - start_ms(3) / 1000) == list(range(0, 30, 5))
    assert list(first["arousal"]) == [tiny.ratings(3, "self", label)[0] for label in range(2, 8)]
    assert list(table.rejected["path"]) == [
        "self_annotations/P3.self.csv label 0005",
        "self_annotations/P3.self.csv label 0010",
    ]
    assert set(table.rejected["kind"]) == {"excluded"}
    assert "lasts 40 s, the debate 30 s: its first 10 s are cut" in table.rejected["reason"][0]
    assert find_irregular(table, "annotation longer than the debate")[0] == 2


def test_what_is_cut_does_not_hang_on_whether_the_last_rating_can_be_used(folder):
    path = tiny.write_annotation(folder, 3, "self", labels=LABELS + 2)
    change_cells(path, put(1, "x"), rows=slice(-1, None))
    change_cells(path, put(2, ""), rows=slice(-1, None))
    table = read(folder, align="cut")
    first = table.frame[table.frame["subject"] == "P03"]
    assert list(first["start_s"] - start_ms(3) / 1000) == list(range(0, 25, 5))
    assert sorted(table.rejected["kind"]) == ["excluded", "excluded", "unlabelled"]


@pytest.mark.parametrize("labels", [LABELS - 2, LABELS])
def test_an_annotation_no_longer_than_the_debate_is_not_cut(folder, labels):
    tiny.write_annotation(folder, 3, "self", labels=labels)
    pd.testing.assert_frame_equal(read(folder, align="cut").frame, read(folder).frame)


def test_a_debate_that_is_no_multiple_of_five_seconds_keeps_as_many_stretches_as_fit(folder):
    change_cells(folder / "metadata/subjects.csv", put(4, lambda cell: int(cell) - 1500))
    table = read(folder, align="cut")  # 28.5 s: five stretches; the annotation lasts 30 s
    first = table.frame[table.frame["subject"] == "P03"]
    assert list(first["seconds"]) == list(range(10, 35, 5))
    assert list(first["start_s"] - start_ms(3) / 1000) == list(range(0, 25, 5))


def test_a_stretch_without_arousal_and_valence_is_unlabelled_and_one_with_either_is_kept(folder):
    path = folder / "emotion_annotations/self_annotations/P3.self.csv"
    for row, cells in enumerate((("", ""), ("x", "x"), ("X", ""), ("", "4"), ("2", "x"))):
        change_cells(path, put(1, cells[0]), rows=slice(row, row + 1))
        change_cells(path, put(2, cells[1]), rows=slice(row, row + 1))
    table = read(folder)
    assert list(table.rejected["kind"]) == ["unlabelled"] * 3
    assert list(table.rejected["path"].str[-4:]) == ["0005", "0010", "0015"]
    kept = table.frame[table.frame["subject"] == "P03"]
    assert list(kept["seconds"]) == [20, 25, 30]
    np.testing.assert_array_equal(kept["arousal"][:2], [np.nan, 2])
    np.testing.assert_array_equal(kept["valence"][:2], [4, np.nan])


def test_zero_is_missing_in_skin_and_heart_but_not_in_the_pulse(folder):
    for file in ("EDA", "TEMP", "HR", "BVP"):
        change_cells(folder / f"e4_data/3/E4_{file}.csv", put(2, 0), rows=slice(8, 12))
    change_cells(folder / "neurosky_polar_data/3/Polar_HR.csv", put(1, "0.0"), rows=slice(8, 12))
    table = read(folder)
    found = signals(table, "e4_data/3")
    for name in ("eda", "temperature", "wrist_heart_rate", "heart_rate"):
        assert list(np.flatnonzero(np.isnan(found[name].values))) == [8, 9, 10, 11]
        assert find_irregular(table, "zero", name)[0] == 4
    assert list(found["bvp"].values[8:12]) == [0, 0, 0, 0]
    assert find_irregular(table, "zero", "bvp")[0] == 0


def test_several_heart_rates_in_a_second_become_their_mean(folder):
    path = folder / "neurosky_polar_data/3/Polar_HR.csv"
    # The tenth value comes late, together with the eleventh; one more comes between others.
    change_cells(path, put(0, lambda cell: int(cell) + 700), rows=slice(10, 11))
    change_lines(path, lambda lines: [*lines, f"{start_ms(3) + 5300},90"])
    table = read(folder)
    values = signals(table, "e4_data/3")["heart_rate"].values
    assert np.isnan(values[10])
    assert values[11] == (60 + 10 % 9 + 60 + 11 % 9) / 2
    assert values[LEAD_S + 5] == (60 + 20 % 9 + 90) / 2
    assert find_irregular(table, "several values in a slot", "heart_rate")[0] == 2
    assert find_irregular(table, "empty slot", "heart_rate")[0] == 1
    assert find_irregular(table, "gap", "heart_rate")[0] == 1


@pytest.mark.parametrize(
    ("pid", "file", "kept"),
    [
        (29, "BVP", "A013E1"),
        (30, "EDA", "A01A3A"),
        (31, "ACC", "A013E1"),
        (31, "IBI", "A01525"),
        (32, "IBI", "A01A3A"),
        (32, "HR", "A01A3A"),
    ],
)
def test_of_two_devices_the_authors_choice_is_kept(tmp_path, pid, file, kept):
    tiny.write_k_emocon(tmp_path, (pid,))
    other = "A01525" if kept != "A01525" else "A013E1"
    count = len(tiny.sensor_times(pid, file))
    devices = np.where(np.arange(count) % 8 == 3, kept, other)  # most are the other's
    tiny.write_sensor(tmp_path, pid, file, devices=devices)
    table = read(tmp_path)
    name = dict(
        zip(
            ("BVP", "EDA", "ACC", "IBI", "HR"),
            ("bvp", "eda", "acceleration", "ibi", "wrist_heart_rate"),
            strict=True,
        )
    )[file]
    number, rule = find_irregular(table, "sample of another device", name)
    assert number == (devices == other).sum()
    assert f"of 2 devices {kept} is kept, the authors' choice" in rule


def test_of_devices_of_which_none_is_the_authors_choice_that_of_most_of_the_debate_is_kept(folder):
    times = tiny.sensor_times(3, "EDA")
    debated = (times >= start_ms(3)) & (times < start_ms(3) + 1000 * DEBATE_S)
    devices = np.where(debated & (np.arange(len(times)) % 3 > 0), "B", "A")
    devices[: 4 * 3] = "C"
    path = tiny.write_sensor(folder, 3, "EDA", devices=devices)
    # Outside the debate there is far more of A than of B altogether.
    assert (devices[debated] == "B").sum() > (devices[debated] == "A").sum()
    extra = [f"{start_ms(3) + 60_000 + 250 * k},3,2,A" for k in range(400)]
    change_lines(path, lambda lines: [*lines, *extra])
    table = read(folder)
    number, rule = find_irregular(table, "sample of another device", "eda")
    assert number == (devices != "B").sum() + 400
    assert "of 3 devices B is kept, the one with the most samples in the debate" in rule


def test_columns_are_read_by_their_names_in_any_order_and_case(folder):
    path = folder / "e4_data/3/E4_EDA.csv"
    before = signals(read(folder), "e4_data/3")["eda"].values

    def turn(lines):
        lines[0] = "TimeStamp,PID, Value ,Device_Serial"
        return [",".join(line.split(",")[::-1]) for line in lines]

    change_lines(path, turn)
    np.testing.assert_array_equal(signals(read(folder), "e4_data/3")["eda"].values, before)


def test_files_without_pid_and_device_are_read(folder):
    path = folder / "e4_data/3/E4_EDA.csv"
    change_lines(path, lambda lines: [",".join(line.split(",")[::2]) for line in lines])
    assert path.read_text().startswith("timestamp,value\n")
    assert len(signals(read(folder), "e4_data/3")["eda"].values) == 200


def test_a_subject_without_a_sensor_keeps_its_rows_and_says_so(folder):
    (folder / "e4_data/3/E4_BVP.csv").unlink()
    table = read(folder)
    assert len(table) == 2 * LABELS
    assert set(signals(table, "e4_data/3")) == tiny.SIGNALS - {"bvp"}
    number, rule = find_irregular(table, "missing file", "bvp", "e4_data/3")
    assert number == 1
    assert rule == (
        "there is no E4_BVP.csv, although metadata/data_availability.csv promises it: the "
        "recording lacks the signal, and windows that need it are set aside"
    )


def test_a_subject_with_a_chest_belt_only_is_a_recording_of_its_folder(folder):
    shutil.rmtree(folder / "e4_data/3")
    table = read(folder)
    assert len(table) == 2 * LABELS
    assert set(signals(table, "neurosky_polar_data/3")) == {"heart_rate"}


def test_a_subject_for_whom_the_owner_has_no_signals_is_left_out(folder):
    for part in ("e4_data", "neurosky_polar_data"):
        shutil.rmtree(folder / part / "3")
    change_cells(
        folder / "metadata/data_availability.csv",
        lambda cells: [cells[0], *["FALSE"] * (len(cells) - 1)],
        rows=slice(0, 1),
    )
    table = read(folder)
    assert (len(table), len(table.payload.recordings)) == (LABELS, 1)
    assert list(table.rejected["kind"]) == ["excluded"] * LABELS
    assert table.rejected["reason"][0] == "there is no file of signals of this subject"


def test_signals_that_the_owner_has_and_that_are_not_there_are_damage(folder):
    for part in ("e4_data", "neurosky_polar_data"):
        shutil.rmtree(folder / part / "3")
    table = read(folder)
    assert list(table.rejected["kind"]) == ["damaged"] * LABELS
    assert "although metadata/data_availability.csv promises them" in table.rejected["reason"][0]
    with pytest.raises(UserError, match="6 of 12 files cannot be used"):
        table.check_rejected()


def test_only_the_authors_complete_subjects_are_read_where_asked(tmp_path):
    tiny.write_k_emocon(tmp_path, (1, 2, 5))
    table = read(tmp_path, subjects="complete")
    assert list(table.frame["subject"].unique()) == ["P01", "P05"]
    assert len(table.payload.recordings) == 2
    assert list(table.rejected["kind"]) == ["excluded"] * LABELS
    assert set(table.rejected["reason"]) == {"not one of the authors' 21 complete subjects"}
    assert len(COMPLETE) == 21


def test_parts_are_found_under_raw_doubled_packed_and_one_level_below(tmp_path, whole, own_cache):
    frame = read(whole).frame

    def check(folder, **counts):
        table = read(folder)
        pd.testing.assert_frame_equal(table.frame, frame)
        found = table.payload.irregularities
        assert (found["kind"] == "doubled folder").sum() == counts.get("doubled", 0)

    raw = tmp_path / "raw_form"
    shutil.copytree(whole, raw / "raw")
    shutil.move(raw / "raw/metadata", raw / "metadata")
    check(raw)
    doubled = tmp_path / "doubled"
    for part in ("e4_data", "neurosky_polar_data", "emotion_annotations", "metadata"):
        shutil.copytree(whole / part, doubled / part / part)
    check(doubled, doubled=2)
    above = tmp_path / "above"
    shutil.copytree(whole, above / "K-EmoCon")
    check(above)
    packed = tmp_path / "packed"
    packed.mkdir()
    for part in ("e4_data", "emotion_annotations", "metadata"):
        with tarfile.open(packed / f"{part}.tar.gz", "w:gz") as archive:
            archive.add(whole / part, part)
    shutil.make_archive(packed / "neurosky_polar_data", "zip", whole / "neurosky_polar_data")
    check(packed)
    shutil.make_archive(tmp_path / "everything", "zip", whole)
    check(tmp_path / "everything.zip")


def test_folders_and_files_are_found_in_any_case(tmp_path, whole):
    shutil.copytree(whole, tmp_path / "set")
    (tmp_path / "set/e4_data").rename(tmp_path / "set/E4_Data")
    (tmp_path / "set/E4_Data/3/E4_BVP.csv").rename(tmp_path / "set/E4_Data/3/e4_bvp.CSV")
    place = tmp_path / "set/emotion_annotations/self_annotations"
    (place / "P3.self.csv").rename(place / "p03.Self.csv")
    table = read(tmp_path / "set")
    assert len(table) == 2 * LABELS
    assert "bvp" in signals(table, "e4_data/3")


def test_two_folders_or_annotations_of_one_subject_are_refused(folder):
    shutil.copytree(folder / "e4_data/3", folder / "e4_data/03")
    with pytest.raises(UserError, match="03 and 3 are both of subject 3. Move one of them away"):
        read(folder)
    shutil.rmtree(folder / "e4_data/03")
    place = folder / "emotion_annotations/self_annotations"
    shutil.copy(place / "P3.self.csv", place / "P03.self.csv")
    with pytest.raises(UserError, match=r"P03\.self\.csv and P3\.self\.csv are both of subject 3"):
        read(folder)


def test_find_tells_the_parts_and_what_is_missing(folder):
    layout = k_emocon.find(folder)
    assert [rater for rater, _ in layout.annotations] == ["self", "partner", "external"]
    assert layout.e4_data == folder / "e4_data"
    assert layout.missing == ()
    shutil.rmtree(folder / "neurosky_polar_data")
    shutil.rmtree(folder / "emotion_annotations/partner_annotations")
    (folder / "metadata/data_availability.csv").unlink()
    layout = k_emocon.find(folder)
    assert layout.polar_data is None
    assert layout.missing == (
        "neurosky_polar_data: unpack it beside emotion_annotations/",
        "emotion_annotations/partner_annotations: unpack it there, or do without --rater partner",
        "metadata/data_availability.csv: what the owner has is then not known",
    )
    with pytest.raises(UserError, match="choose another --rater: self, external"):
        read(folder, rater="partner")


@pytest.mark.parametrize("option", ["rater", "align", "subjects"])
def test_an_unknown_option_is_refused_with_those_there_are(whole, option):
    with pytest.raises(UserError, match=f"`{option}` must be one of .* Received: 'other'"):
        read(whole, **{option: "other"})


def test_notes_tell_the_recordings_and_every_rule_that_was_followed(folder):
    (folder / "e4_data/3/E4_BVP.csv").unlink()
    first, *others = k_emocon.notes(read(folder))
    assert first == ("recordings: 2 of 2 subjects, dyads: 1, stretches of 5 s: 12, rated by: self")
    assert len(others) == 1
    assert "there is no E4_BVP.csv, although metadata/data_availability.csv" in others[0]


def test_columns_that_no_owner_wrote_are_kept_as_text_under_a_name_of_their_own(folder):
    path = folder / "emotion_annotations/self_annotations/P3.self.csv"
    change_lines(
        path, lambda lines: [f"{line},{'group' if k == 0 else k}" for k, line in enumerate(lines)]
    )
    frame = read(folder).frame
    assert list(frame["raw_group"]) == ["1", "2", "3", "4", "5", "6", *[""] * LABELS]
    assert set(frame["group"]) == {"dyad 02"}


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        ([1.5e9], "seconds"),
        ([1.5e12, 0], "milliseconds"),
        ([1.5e15], "microseconds"),
        ([1.5e18], "nanoseconds"),
    ],
)
def test_unix_times_tell_their_unit_by_their_size(times, unit):
    seconds, told = to_seconds(np.array(times, np.float64))
    assert (seconds[0], told) == (1.5e9, unit)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A sample of the pids in whose files most is planted."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample_k_emocon(folder, pids=(2, 3, 4, 6, 9, 10, 12, 31), seed=5)
    return folder


def test_what_is_planted_in_the_sample_is_counted(sample):
    table = read(sample)
    files = {
        f"E4_{file}": name
        for file, name in zip(
            ("BVP", "EDA", "TEMP", "HR", "ACC", "IBI"),
            ("bvp", "eda", "temperature", "wrist_heart_rate", "acceleration", "ibi"),
            strict=True,
        )
    }
    files["Polar_HR"] = "heart_rate"
    kinds = {
        "zeros": "zero",
        "other device": "sample of another device",
        "several in a second": "several values in a slot",
        "gap": "empty slot",
        "missing file": "missing file",
    }
    truth = planted(sample)
    truth = truth[truth["kind"].isin(kinds)]
    seen = set()
    for row in truth.itertuples():
        *_, pid, file = row.file.split("/")
        recording, signal = f"e4_data/{pid}", NAMES[file.removesuffix(".csv")]
        assert find_irregular(table, kinds[row.kind], signal, recording)[0] == row.count, row
        seen.add((recording, signal, kinds[row.kind]))
    assert {kind for *_, kind in seen} == set(kinds.values())
    found = table.payload.irregularities
    found = found[found["kind"].isin(kinds.values())]
    assert {tuple(row) for row in found[["recording", "signal", "kind"]].to_numpy()} == seen


def test_stretches_of_the_sample_are_counted_as_planted(sample):
    truth = planted(sample).groupby("kind")["count"].sum()
    table = read(sample)
    assert (table.rejected["kind"] == "unlabelled").sum() == truth["unrated"]
    longer = truth["longer at beginning"] + truth["longer at end"]
    assert find_irregular(table, "annotation longer than the debate")[0] == longer
    cut = read(sample, align="cut")
    assert (cut.rejected["kind"] == "excluded").sum() == longer
    assert cut.read == table.read
    assert find_irregular(table, "doubled folder")[0] == truth["doubled folder"]
    # The wristband of 10 was put on 25 s after the debate began.
    assert find_irregular(table, "stretch outside the signal", "bvp", "e4_data/10")[0] == 5

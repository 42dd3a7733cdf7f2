"""PAMAP2's reader: stretches, signals, what is odd counted, what is damaged rejected or counted."""

import io
import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from affectkeras.cache import cache_dir
from affectkeras.datasets import pamap2, pamap2_rows, pamap2_signals
from affectkeras.datasets.pamap2_clock import longest_ascent, place_rows
from affectkeras.datasets.sample.pamap2_layout import draw_recording, write_sample_pamap2
from affectkeras.datasets.sample.physiology_files import planted
from affectkeras.errors import UserError

# Labels and how many rows each: two stretches of lying with a transient between, and one of
# rope jumping.
PLAN = ((0, 20), (1, 150), (0, 30), (1, 100), (24, 200))
ROWS = 500
START = 8.38


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def make_cells(plan=PLAN, start=START, first=0):
    """Return rows of 54 texts: number `row + column / 100` in the columns of the devices."""
    labels = [label for label, rows in plan for _ in range(rows)]
    cells = []
    for row, label in enumerate(labels, start=first):
        heart_rate = "NaN" if row % 10 else str(60 + row // 10)
        devices = [f"{row + column / 100:.2f}" for column in range(3, 54)]
        cells.append([f"{start + row / 100:.2f}", str(label), heart_rate, *devices])
    return cells


def as_bytes(cells, between=" ", end="\n"):
    return "".join(between.join(row) + end for row in cells).encode()


def write(folder, content, name="Protocol/subject101.dat"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return folder


def write_cells(folder, cells, name="Protocol/subject101.dat"):
    return write(folder, as_bytes(cells), name)


def read(folder, **arguments):
    table = pamap2.read(folder, progress=False, **arguments)
    assert table.read == len(table) + len(table.rejected)
    return table


def counts(table, *left_out):
    """Return `{(signal, kind): count}`, without what every file of these tests has."""
    usual = ("transient", "filled in", "not measured")
    return {
        (row.signal, row.kind): row.count
        for row in table.payload.irregularities.itertuples()
        if row.kind not in (*usual, *left_out)
    }


def stretches(table):
    frame = table.frame
    times = zip(frame["start_s"].round(4), frame["end_s"].round(4), strict=True)
    return [(*pair, label) for pair, label in zip(times, frame["label"], strict=True)]


WHOLE = [(8.58, 10.08, 1), (10.38, 11.38, 1), (11.38, 13.38, 24)]


def test_a_row_is_a_stretch_of_one_activity(tmp_path):
    table = read(write_cells(tmp_path, make_cells()))
    assert stretches(table) == WHOLE
    last = table.frame.iloc[2]
    assert last["example_id"] == "Protocol/subject101.dat 11.380 s rope jumping"
    assert (last["subject"], last["group"], last["split"]) == ("subject101", "subject101", "")
    assert last["source"] == last["recording"] == "Protocol/subject101.dat"
    assert last["activity"] == 11
    assert (table.read, len(table), table.groups_known) == (3, 3, True)
    assert list(table.payload.index) == [0, 0, 0]
    (recording,) = table.payload.recordings
    assert (recording.name, recording.subject) == ("Protocol/subject101.dat", "subject101")


def test_the_classes_are_the_protocols_twelve_by_the_owners_numbers(tmp_path):
    numbers = (1, 2, 3, 4, 5, 6, 7, 12, 13, 16, 17, 24)
    table = read(write_cells(tmp_path, make_cells([(number, 3) for number in numbers])))
    assert list(table.frame["label"]) == list(numbers)
    assert list(table.frame["activity"]) == list(range(12))
    assert table.class_target.class_names == (
        *("lying", "sitting", "standing", "walking", "running", "cycling", "Nordic walking"),
        *("ascending stairs", "descending stairs", "vacuum cleaning", "ironing", "rope jumping"),
    )


def test_each_signal_holds_its_own_three_columns_and_no_other_is_read(tmp_path):
    table = read(write_cells(tmp_path, make_cells()))
    signals = table.payload.recordings[0].signals
    first = {
        **{"hand_acceleration": 4, "hand_gyroscope": 10, "hand_magnetometer": 13},
        **{"chest_acceleration": 21, "chest_gyroscope": 27, "chest_magnetometer": 30},
        **{"ankle_acceleration": 38, "ankle_gyroscope": 44, "ankle_magnetometer": 47},
    }
    assert list(signals) == ["heart_rate", *first] == list(pamap2.UNITS)
    for name, column in first.items():
        signal = signals[name]
        expected = np.arange(ROWS)[:, None] + (column + np.arange(3)) / 100
        assert (signal.values.dtype, signal.rate_hz) == (np.float32, 100)
        np.testing.assert_array_equal(signal.values, expected.astype(np.float32))
        assert signal.start_s == START


def test_the_heart_rate_is_a_straight_line_between_measured_values(tmp_path):
    table = read(write_cells(tmp_path, make_cells()))
    heart_rate = table.payload.recordings[0].signals["heart_rate"].values
    assert heart_rate.shape == (ROWS,)
    np.testing.assert_allclose(heart_rate[:491], 60 + np.arange(491) / 10, rtol=1e-6)
    assert np.isnan(heart_rate[491:]).all()
    odd = table.payload.irregularities.set_index("kind")["count"]
    assert (odd["filled in"], odd["not measured"]) == (441, 9)


def test_the_heart_rate_is_not_filled_in_over_more_than_five_seconds():
    measured = np.full(1300, np.nan, dtype=np.float32)
    measured[[100, 600, 1101, 1102]] = [60, 80, 100, 50]
    filled, odd = pamap2_signals.fill_heart_rate(measured)
    assert np.isnan(filled[:100]).all()
    assert np.isnan(filled[1103:]).all()
    np.testing.assert_allclose(filled[100:601], np.linspace(60, 80, 501), rtol=1e-6)
    assert np.isnan(filled[601:1101]).all()
    assert list(filled[1101:1103]) == [100, 50]
    assert {one.kind: one.count for one in odd} == {
        **{"zero": 0, "filled in": 499, "not measured": 100 + 500 + 197},
    }


@pytest.mark.parametrize("value", ["0", "-5", "inf"])
def test_a_heart_rate_that_cannot_be_is_missing(tmp_path, value):
    cells = make_cells()
    cells[50][2] = value
    table = read(write_cells(tmp_path, cells))
    assert counts(table) == {("heart_rate", "zero"): 1}
    heart_rate = table.payload.recordings[0].signals["heart_rate"].values
    np.testing.assert_allclose(heart_rate[40:61], np.linspace(64, 66, 21), rtol=1e-6)


def test_a_recording_without_a_heart_rate_keeps_its_other_signals(tmp_path):
    cells = make_cells()
    for row in cells:
        row[2] = "NaN"
    table = read(write_cells(tmp_path, cells))
    signals = table.payload.recordings[0].signals
    assert np.isnan(signals["heart_rate"].values).all()
    assert np.isfinite(signals["hand_acceleration"].values).all()
    odd = table.payload.irregularities.set_index("kind")["count"]
    assert odd["not measured"] == ROWS


def test_transients_are_no_examples_but_counted(tmp_path):
    odd = read(write_cells(tmp_path, make_cells())).payload.irregularities
    (row,) = odd[odd["kind"] == "transient"].itertuples(index=False)
    assert tuple(row) == (
        *("Protocol/subject101.dat", "labels", "transient", 50, "activity 0 is no example"),
    )


def test_drop_outs_stay_missing_and_are_counted_by_signal(tmp_path):
    cells = make_cells()
    for row in range(100, 107):
        cells[row][3:20] = ["NaN"] * 17
    cells[300][45] = "NaN"  # one axis
    cells[310][44] = "inf"
    cells[320][7] = cells[320][50] = "NaN"  # columns that are not read
    table = read(write_cells(tmp_path, cells))
    assert counts(table) == {
        ("hand_acceleration", "drop-out"): 7,
        ("hand_gyroscope", "drop-out"): 7,
        ("hand_magnetometer", "drop-out"): 7,
        ("ankle_gyroscope", "drop-out"): 2,
    }
    signals = table.payload.recordings[0].signals
    missing = np.isnan(signals["hand_gyroscope"].values).all(axis=1)
    assert list(np.flatnonzero(missing)) == list(range(100, 107))
    gyroscope = signals["ankle_gyroscope"].values
    assert list(np.argwhere(np.isnan(gyroscope)).ravel()) == [300, 1, 310, 0]
    assert stretches(table) == WHOLE


def test_the_optional_recordings_are_read_where_asked_for(tmp_path):
    write_cells(tmp_path, make_cells())
    write_cells(tmp_path, make_cells([(9, 50), (20, 50)]), "Optional/subject101.dat")
    assert len(read(tmp_path)) == 3
    table = read(tmp_path, optional=True)
    assert len(table) == 5
    assert table.class_target.class_names == pamap2.CLASS_NAMES + (
        *("watching TV", "computer work", "car driving", "folding laundry"),
        *("house cleaning", "playing soccer"),
    )
    assert list(table.frame["activity"][3:]) == [12, 17]
    assert set(table.frame["group"]) == {"subject101"}
    assert list(table.payload.index) == [0, 0, 0, 1, 1]


def test_an_optional_activity_among_the_protocols_is_excluded(tmp_path):
    table = read(write_cells(tmp_path, make_cells([(1, 50), (18, 50)])))
    assert (len(table), table.read) == (1, 2)
    (row,) = table.rejected.itertuples(index=False)
    assert tuple(row) == (
        *("Protocol/subject101.dat 8.880 s folding laundry", "excluded"),
        "folding laundry is none of the 12 activities",
    )


def test_optional_without_its_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match="there is no folder Optional beside Protocol. Unpack it"):
        read(write_cells(tmp_path, make_cells()), optional=True)


def test_the_notes_warn_of_a_subject_with_one_of_the_activities(tmp_path):
    numbers = (1, 2, 3, 4, 5, 6)
    write_cells(tmp_path, make_cells([(number, 30) for number in numbers]))
    write_cells(tmp_path, make_cells([(0, 5), (24, 50)]), "Protocol/subject109.dat")
    lines = pamap2.notes(read(tmp_path))
    assert lines[0] == "2 recordings of 2 subjects, 7 stretches of one activity, 0.00 h in all"
    assert lines[1] == (
        "subject109 holds 1 of the 12 activities (rope jumping): scores of a fold in which it is "
        "the test subject tell little"
    )
    assert "transient: 5 in 1 recording; activity 0 is no example" in lines
    assert not [line for line in lines if line.startswith("subject101")]


def test_what_lies_where_is_found_in_folders_and_archives(tmp_path):
    folder = write_cells(tmp_path / "a/PAMAP2_Dataset", make_cells())
    (folder / "Protocol/readme.txt").write_text("read me")
    write_cells(folder, make_cells(), "Optional/Subject108.DAT")
    found = pamap2.find(tmp_path / "a")
    assert found.recordings == ("Protocol/subject101.dat", "Optional/Subject108.DAT")
    assert found.passed_over == ("Protocol/readme.txt",)
    table = read(tmp_path / "a", optional=True)
    assert set(table.frame["subject"]) == {"subject101", "subject108"}


@pytest.mark.parametrize("packed", [".", "Protocol"])
def test_archives_need_no_unpacking(tmp_path, packed):
    folder = write_cells(tmp_path / "all/PAMAP2_Dataset", make_cells())
    plain = read(folder)
    if packed == ".":
        archive = shutil.make_archive(str(tmp_path / "whole"), "zip", tmp_path / "all")
        found = read(Path(archive))
    else:
        shutil.make_archive(str(folder / "Protocol"), "zip", folder, "Protocol")
        shutil.rmtree(folder / "Protocol")
        found = read(folder)
    assert found.frame.equals(plain.frame)


def test_a_folder_of_another_kind_is_refused_with_the_layout(tmp_path):
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(UserError) as caught:
        pamap2.find(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path}: this does not look like PAMAP2. Looked for Protocol/subject101.dat; found "
        "x.txt. Expected layout:\nProtocol/subject101.dat"
    )
    (tmp_path / "Protocol").mkdir()
    (tmp_path / "Protocol/notes.txt").write_text("")
    with pytest.raises(UserError, match=r"no file named as subject101.dat. Found notes.txt"):
        pamap2.find(tmp_path)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_sample_pamap2(folder, subjects=(101, 105, 109))
    return folder


def test_the_sample_is_read_with_what_was_planted_in_it(sample):
    table = read(sample)
    assert not len(table.rejected)
    odd = table.payload.irregularities
    number = odd.set_index(["recording", "signal", "kind"])["count"].to_dict()
    written = planted(sample)
    assert set(written["kind"]) == {
        *("transient", "no heart rate", "drop-out", "lost rows", "one activity"),
    }
    lost = dict(written.loc[written["kind"] == "lost rows", ["file", "count"]].to_numpy())
    for file, kind, count, note in written.itertuples(index=False):
        if kind == "transient":
            assert number[file, "labels", "transient"] == count
        elif kind == "no heart rate":
            filled, not_measured = (
                number[file, "heart_rate", what] for what in ("filled in", "not measured")
            )
            assert filled + not_measured == count + lost.get(file, 0)
        elif kind == "drop-out":
            for sensor in ("acceleration", "gyroscope", "magnetometer"):
                assert number[file, f"{note}_{sensor}", "drop-out"] == count
        elif kind == "lost rows":
            assert number[file, "time", "missing rows"] == count
        else:
            assert (table.frame["recording"] == file).sum() == count
    assert any(line.startswith("subject109 holds 1 of the") for line in pamap2.notes(table))


def test_the_samples_signals_are_those_that_were_drawn(sample):
    signals = {one.subject: one.signals for one in read(sample).payload.recordings}["subject109"]
    drawn = draw_recording(0, 109)
    firsts = {"acceleration": 1, "gyroscope": 7, "magnetometer": 10}
    for place, name in enumerate(("hand", "chest", "ankle")):
        for sensor, first in firsts.items():
            found = signals[f"{name}_{sensor}"].values
            np.testing.assert_allclose(found, drawn.devices[:, place, first : first + 3], atol=0.06)
    heart_rate = signals["heart_rate"].values
    assert np.nanmax(np.abs(heart_rate - drawn.heart_rate)) < 2


# The cache


def _as_file(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def test_a_second_reading_opens_no_file(tmp_path, monkeypatch):
    folder = write_cells(tmp_path, make_cells())
    first = read(folder)
    monkeypatch.setattr(pamap2_signals, "read_rows", None)
    second = read(folder)
    assert second.frame.equals(first.frame)
    assert second.payload.irregularities.equals(first.payload.irregularities)
    before, after = (table.payload.recordings[0].signals for table in (first, second))
    assert list(before) == list(after)
    for name in before:
        np.testing.assert_array_equal(before[name].values, after[name].values)
        assert (before[name].start_s, before[name].rate_hz) == (START, 100)
        assert (after[name].start_s, after[name].rate_hz) == (START, 100)


def test_a_changed_file_is_read_anew(tmp_path):
    read(write_cells(tmp_path, make_cells()))
    assert stretches(read(write_cells(tmp_path, make_cells([(4, 100)])))) == [(8.38, 9.38, 4)]


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("npy", b""),
        ("npy", b"\x93NUMPY"),
        ("npy", _as_file(np.zeros(10**5, np.float32))),
        ("npy", _as_file(np.zeros(10, np.float32))),
        ("json", b""),
        ("json", b"[]"),
        ("json", b"{}"),
        ("npy", None),
        ("json", None),
    ],
)
def test_a_damaged_cache_is_written_anew(tmp_path, ending, content):
    folder = write_cells(tmp_path, make_cells())
    read(folder)
    (kept,) = cache_dir("recordings").glob(f"*.{ending}")
    if content is None:
        kept.unlink()
    else:
        kept.write_bytes(content)
    table = read(folder)
    assert stretches(table) == WHOLE
    assert table.payload.recordings[0].signals["heart_rate"].values[10] == 61


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    folder = write_cells(tmp_path, make_cells())

    def no_room(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("affectkeras.datasets.labelled_recordings.np.save", no_room)
    with pytest.raises(UserError, match="No space left on device.*set AFFECTKERAS_CACHE"):
        read(folder)


# Rows: what pandas reads in one go is what the slow way reads line by line.


def random_rows(rows, seed):
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 54)) * 10.0 ** random.integers(-6, 5, (rows, 54))
    cells = [["NaN" if random.random() < 0.1 else f"{x:.6g}" for x in row] for row in numbers]
    for number, row in enumerate(cells):
        row[:2] = [f"{number / 100:.2f}", str(number % 8)]
    return cells


def same_rows(left, right):
    for name in ("time_s", "activity", "heart_rate", "sensors"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
        assert getattr(left, name).dtype == getattr(right, name).dtype


@pytest.mark.parametrize("seed", range(3))
def test_the_quick_and_the_slow_way_of_reading_agree(seed):
    content = as_bytes(random_rows(200, seed))
    quick = pamap2_rows._read_whole(content)
    same_rows(quick, pamap2_rows._read_line_by_line(content))
    assert quick.sensors.shape == (200, 27)


@pytest.mark.parametrize(
    ("between", "end"), [(" ", "\r\n"), ("  ", "\n"), ("\t", "\n"), (" ", " \n"), (" ", "\n\n")]
)
def test_other_spaces_and_line_ends_change_nothing(tmp_path, between, end):
    cells = random_rows(50, 7)
    plain = pamap2_rows._read_line_by_line(as_bytes(cells))
    path = tmp_path / "rows.dat"
    path.write_bytes(as_bytes(cells, between, end))
    rows = pamap2_rows.read_rows(path)
    same_rows(plain, rows)
    assert rows.left_out == 0
    assert not sum(one.count for one in rows.irregularities)


def test_a_sound_file_is_read_in_one_go(tmp_path, monkeypatch):
    monkeypatch.setattr(pamap2_rows, "_read_line_by_line", None)
    assert len(read(write(tmp_path, as_bytes(make_cells()).rstrip(b"\n")))) == 3


# Times


@pytest.mark.parametrize("seed", range(20))
def test_as_many_rows_as_possible_are_kept_in_order(seed):
    values = np.random.default_rng(seed).integers(0, 12, 9)
    found = longest_ascent(values)
    assert (np.diff(values[found]) > 0).all()
    assert (np.diff(found) > 0).all()
    longest = max(
        size
        for size in range(1, 10)
        for chosen in itertools.combinations(values, size)
        if all(a < b for a, b in itertools.pairwise(chosen))
    )
    assert len(found) == longest


def test_rows_are_set_on_the_grid_by_their_times():
    grid = place_rows(np.array([5.0, 5.01, 5.0199, 5.05, 5.0501, 5.06]))
    assert list(grid.cells) == [0, 1, 2, 5, 6]
    assert list(grid.rows) == [0, 1, 2, 3, 5]
    assert (grid.start_s, grid.samples) == (5.0, 7)
    values = grid.spread(np.arange(5, dtype=np.float32))
    np.testing.assert_array_equal(values, [0, 1, 2, np.nan, np.nan, 3, 4])


# Damage. Each case changes a sound file and tells what must be counted of it, or why all of it must
# be rejected; the stretches that are left are told where they are not those of the sound file.

CASES = {}


def case(name, counted=None, rejected=None, promised=1, left=None):
    """Add a case: a function from the cells of a sound file to bytes or cells."""

    def add(function):
        assert name not in CASES
        CASES[name] = (function, counted or {}, rejected, promised, left)
        return function

    return add


for _cells in (1, 10, 30, 53):  # cut rows

    @case(
        f"the last row cut after {_cells} cells",
        {("all", "wrong columns"): 1},
        left=[*WHOLE[:2], (11.38, 13.37, 24)],
    )
    def _(cells, kept=_cells):
        return [*cells[:-1], cells[-1][:kept]]

    @case(
        f"rows cut after {_cells} cells", {("all", "wrong columns"): 3, ("time", "missing rows"): 3}
    )
    def _(cells, kept=_cells):
        return [row[:kept] if n in (40, 90, 91) else row for n, row in enumerate(cells)]


@case("cut in the middle of a cell that is not read", {})
def _(cells):
    return as_bytes(cells)[:-4]


for _name, _change in {  # wrong number of columns
    "one less": lambda row: row[:-1],
    "one more": lambda row: [*row, "1"],
    "only three": lambda row: row[:3],
    "twice": lambda row: row + row,
}.items():

    @case(f"columns of all rows: {_name}", rejected="no row has 54 columns with spaces between")
    def _(cells, change=_change):
        return [change(row) for row in cells]

    @case(
        f"columns of two rows: {_name}", {("all", "wrong columns"): 2, ("time", "missing rows"): 2}
    )
    def _(cells, change=_change):
        return [change(row) if n in (99, 450) else row for n, row in enumerate(cells)]

    @case(
        f"columns of a tenth of the rows: {_name}",
        rejected="50 of its 500 rows have no place",
        promised=3,
    )
    def _(cells, change=_change):
        return [change(row) if n % 10 == 5 else row for n, row in enumerate(cells)]


@case("the first row has more columns", {("all", "wrong columns"): 1})
def _(cells):
    return [[*cells[0], "7"], *cells[1:]]


@case("one row too long, one too short", {("all", "wrong columns"): 2, ("time", "missing rows"): 2})
def _(cells):
    return [{50: [*row, "7"], 60: row[:-1]}.get(number, row) for number, row in enumerate(cells)]


for _text in ("abc", "1.2.3", "--", "1_0", "1\x002", "0x1F", "12,5", "äö", '"5"'):  # texts

    @case(
        f"text {_text!r} in a signal",
        {("chest_gyroscope", "no number"): 2, ("chest_gyroscope", "drop-out"): 2},
    )
    def _(cells, text=_text):
        cells[30][27] = cells[200][29] = text
        return cells

    @case(
        f"text {_text!r} as time",
        {("time", "no number"): 1, ("time", "no time"): 1, ("time", "missing rows"): 1},
    )
    def _(cells, text=_text):
        cells[100][0] = text
        return cells

    @case(
        f"text {_text!r} as activity", {("activity", "no number"): 1, ("labels", "no activity"): 1}
    )
    def _(cells, text=_text):
        cells[100][1] = text
        return cells


@case("text in a heart rate", {("heart_rate", "no number"): 1})
def _(cells):
    cells[110][2] = "n/a"
    return cells


@case("text in columns that are not read", {})
def _(cells):
    for column in (3, 7, 8, 9, 16, 17, 18, 19, 24, 53):
        cells[110][column] = "text"
    return cells


@case(
    "a quote that is never closed",
    {("hand_acceleration", "no number"): 1, ("hand_acceleration", "drop-out"): 1},
)
def _(cells):
    cells[110][4] = '"1.5'
    return cells


for _name, _content in {  # empty files
    "no bytes": b"",
    "an empty line": b"\n",
    "spaces": b"   \n \t \r\n",
    "a mark of UTF-8 only": b"\xef\xbb\xbf",
}.items():

    @case(f"empty: {_name}", rejected="the file is empty")
    def _(cells, content=_content):
        return content


for _number in (1, 4, 20):  # repeated times

    @case(f"rows repeated {_number} times", {("time", "repeated time"): _number})
    def _(cells, number=_number):
        return [*cells[:200], *[cells[199]] * number, *cells[200:]]

    @case(
        f"a block of {_number} rows written twice",
        {("time", "decreasing time" if _number > 1 else "repeated time"): _number},
    )
    def _(cells, number=_number):
        return [*cells[:200], *cells[200 - number : 200], *cells[200:]]


@case("the first row is of a later time", {("time", "decreasing time"): 1})
def _(cells):
    cells[0][0] = "50.00"
    return cells


@case("a cell is empty", {("all", "wrong columns"): 1, ("time", "missing rows"): 1})
def _(cells):
    cells[100][45] = ""
    return cells


@case("two rows swapped", {("time", "decreasing time"): 1, ("time", "missing rows"): 1})
def _(cells):
    cells[100], cells[101] = cells[101], cells[100]
    return cells


for _time in ("8.38", "0", "-3", "13.00", "99.99"):  # decreasing times

    @case(f"one time is {_time}", {("time", "decreasing time"): 1, ("time", "missing rows"): 1})
    def _(cells, time=_time):
        cells[100][0] = time
        return cells


@case("the file written twice", rejected="500 of its 1000 rows have no place in time", promised=6)
def _(cells):
    return cells + cells


@case("the halves swapped", rejected="250 of its 500 rows have no place in time", promised=4)
def _(cells):
    return cells[250:] + cells[:250]


@case("time runs backwards", rejected="its rows are -0.01 s apart", promised=3)
def _(cells):
    times = [row[0] for row in cells]
    return [[time, *row[1:]] for time, row in zip(times[::-1], cells, strict=True)]


for _time in ("20000", "-1e5", "1e300", "1654041600.5"):  # far times

    @case(f"one time far away: {_time}", {("time", "far time"): 1, ("time", "missing rows"): 1})
    def _(cells, time=_time):
        cells[100][0] = time
        return cells


for _time in ("NaN", "inf", "-inf"):

    @case(f"one time is {_time}", {("time", "no time"): 1, ("time", "missing rows"): 1})
    def _(cells, time=_time):
        cells[100][0] = time
        return cells


for _gap in (1, 30, 100):  # gaps in time, over which a stretch goes on

    @case(f"{_gap} rows missing", {("time", "missing rows"): _gap})
    def _(cells, gap=_gap):
        return cells[:320] + cells[320 + gap :]


for _gap in (101, 150):

    @case(
        f"{_gap} rows missing: too many for one stretch",
        {("time", "missing rows"): _gap},
        left=[*WHOLE[:2], (11.38, 11.58, 24), (round(11.58 + _gap / 100, 2), 13.38, 24)],
    )
    def _(cells, gap=_gap):
        return cells[:320] + cells[320 + gap :]


@case(
    "a quarter of an hour missing",
    {("time", "missing rows"): 90000},
    left=[(8.58, 9.38, 1), (909.38, 910.08, 1), (910.38, 911.38, 1), (911.38, 913.38, 24)],
)
def _(cells):
    for row in cells[100:]:
        row[0] = f"{float(row[0]) + 900:.2f}"
    return cells


for _step, _shown in (
    (0.02, "0.02"),
    (0.1, "0.1"),
    (10, "10"),
    (0, "0"),
    (0.005, "0.005"),
):  # rates

    @case(
        f"rows {_step} s apart",
        rejected=f"its rows are {_shown} s apart (median); 0.01 s are",
        promised=3,
    )
    def _(cells, step=_step):
        return [[f"{START + n * step:.3f}", *row[1:]] for n, row in enumerate(cells)]


@case("no row has a time", rejected="no row tells its time", promised=3)
def _(cells):
    return [["NaN", *row[1:]] for row in cells]


for _label in ("1.5", "NaN", "inf", "-0.1", "1e9"):  # activities that are none

    @case(f"activity {_label} in a row", {("labels", "no activity"): 1})
    def _(cells, label=_label):
        cells[100][1] = label
        return cells

    @case(
        f"activity {_label} for more than a second",
        {("labels", "no activity"): 101},
        left=[*WHOLE[:2], (11.38, 11.58, 24), (12.59, 13.38, 24)],
    )
    def _(cells, label=_label):
        for row in cells[320:421]:
            row[1] = label
        return cells


for _name, _separator in {"semicolons": ";", "commas": ",", "nothing": ""}.items():  # other forms

    @case(
        f"separated by {_name}",
        rejected="no row has 54 columns with spaces between them; the first has 1",
    )
    def _(cells, separator=_separator):
        return as_bytes(cells, separator)


@case("numbers with commas", rejected="no row tells its time", promised=3)
def _(cells):
    return as_bytes(cells).replace(b".", b",")


for _encoding in ("utf-16", "utf-16-le", "utf-32"):

    @case(f"written as {_encoding}", rejected=("no row tells its time", "no row has 54 columns"))
    def _(cells, encoding=_encoding):
        return as_bytes(cells).decode().encode(encoding)


@case("a mark of UTF-8 before the first number", {})
def _(cells):
    return b"\xef\xbb\xbf" + as_bytes(cells)


@case("a line that ends inside a row", {("all", "wrong columns"): 2, ("time", "missing rows"): 1})
def _(cells):
    cells[100][30] = "1.5\r2.5"
    return cells


@case("a header", {("all", "wrong columns"): 1})
def _(cells):
    return b"timestamp (s), activity ID, heart rate (bpm)\n" + as_bytes(cells)


for _name, _content in {
    "another file's bytes": bytes(range(256)) * 40,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(2000),
    "a page": b"<html><body>404 Not Found</body></html>\n",
}.items():

    @case(_name, rejected="no row has 54 columns")
    def _(cells, content=_content):
        return content


@pytest.mark.parametrize("name", CASES)
def test_damage_is_counted_or_rejected(tmp_path, name):
    damage, counted, rejected, promised, left = CASES[name]
    content = damage(make_cells())
    content = content if isinstance(content, bytes) else as_bytes(content)
    write(tmp_path, content)
    write_cells(tmp_path, make_cells([(5, 100)]), "Protocol/subject102.dat")
    table = read(tmp_path)
    mine = table.frame["recording"] == "Protocol/subject101.dat"
    assert list(table.frame.loc[~mine, "label"]) == [5]
    if rejected is None:
        assert counts(table) == counted
        assert not len(table.rejected)
        expected = WHOLE if left is None else left
        assert stretches(table)[:-1] == expected
    else:
        assert not mine.any()
        assert set(table.rejected["kind"]) == {"damaged"}
        assert len(table.rejected) == promised
        reasons = (rejected,) if isinstance(rejected, str) else rejected
        assert all(any(one in reason for one in reasons) for reason in table.rejected["reason"])
        assert table.rejected["path"].str.startswith("Protocol/subject101.dat").all()


@pytest.mark.parametrize("number", [8, 14, 25, 99, -1, 12345])
def test_an_activity_that_is_not_the_owners_is_rejected(tmp_path, number):
    table = read(write_cells(tmp_path, make_cells([(1, 100), (number, 100), (3, 100)])))
    assert list(table.frame["label"]) == [1, 3]
    (row,) = table.rejected.itertuples(index=False)
    assert tuple(row) == (
        *(f"Protocol/subject101.dat 9.380 s label {number}", "damaged"),
        f"activity {number} is none of the owner's",
    )


def test_of_a_file_that_cannot_be_used_every_stretch_it_promises_is_named(tmp_path):
    cells = [["NaN", *row[1:]] for row in make_cells()]
    table = read(write_cells(tmp_path, cells))
    assert list(table.rejected["path"]) == [
        "Protocol/subject101.dat rows 21 to 170 label 1",
        "Protocol/subject101.dat rows 201 to 300 label 1",
        "Protocol/subject101.dat rows 301 to 500 label 24",
    ]


def test_a_file_without_any_activity_is_unlabelled(tmp_path):
    table = read(write_cells(tmp_path, make_cells([(0, 100)])))
    (row,) = table.rejected.itertuples(index=False)
    assert tuple(row) == (
        *("Protocol/subject101.dat", "unlabelled", "no stretch of it has a label"),
    )
    assert pamap2.notes(table) == []


def test_what_cannot_be_opened_is_rejected(tmp_path):
    write_cells(tmp_path, make_cells())
    (tmp_path / "Protocol/subject102.dat").mkdir()
    os.symlink(tmp_path / "nowhere", tmp_path / "Protocol/subject103.dat")
    table = read(tmp_path)
    assert (len(table), table.read) == (3, 5)
    assert list(table.rejected["path"]) == ["Protocol/subject102.dat", "Protocol/subject103.dat"]
    assert list(table.rejected["reason"]) == [
        "the file cannot be read: Is a directory",
        "the file cannot be read: No such file or directory",
    ]

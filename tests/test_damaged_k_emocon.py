"""Damaged folders of K-EmoCon: a plain sentence, or everything set aside under a rule and counted.

Each kind of damage is done in ten ways: to other files, rows and cells each time.
"""

import codecs
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from affectkeras.errors import UserError
from tests import tiny_k_emocon as tiny
from tests.tiny_k_emocon import (
    LABELS,
    change_cells,
    change_lines,
    find_irregular,
    put,
    read,
    start_ms,
)

VARIANTS = range(10)
PIDS = (3, 4)
# File below the folder of its part, signal, column of the first value.
SENSORS = {
    "E4_BVP": ("e4_data", "bvp", 2),
    "E4_EDA": ("e4_data", "eda", 2),
    "E4_TEMP": ("e4_data", "temperature", 2),
    "E4_HR": ("e4_data", "wrist_heart_rate", 2),
    "E4_ACC": ("e4_data", "acceleration", 2),
    "E4_IBI": ("e4_data", "ibi", 2),
    "Polar_HR": ("neurosky_polar_data", "heart_rate", 1),
}
STEADY = [name for name in SENSORS if name != "E4_IBI"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny.write_k_emocon(tmp_path_factory.mktemp("whole"), PIDS)


@pytest.fixture(scope="module")
def sound(whole):
    return read(whole)


@pytest.fixture
def folder(tmp_path, whole):
    """A data set of its own, to be damaged."""
    shutil.copytree(whole, tmp_path / "set")
    return tmp_path / "set"


class Victim:
    """A file of a signal, chosen at random, and what is found of it after reading."""

    def __init__(self, folder, random, names=SENSORS):
        self.file = str(random.choice(list(names)))
        self.pid = int(random.choice(PIDS))
        part, self.signal, self.column = SENSORS[self.file]
        self.recording = f"e4_data/{self.pid}"
        self.shown = f"{part}/{self.pid}/{self.file}.csv"
        self.path = folder / self.shown
        self.rows = len(self.path.read_text().splitlines()) - 1

    def choose(self, random, most=9):
        """Return some rows, never the first and last, in order."""
        size = int(random.integers(1, most))
        return np.sort(random.choice(np.arange(1, self.rows - 1), size, replace=False))

    def count(self, table, kind):
        return find_irregular(table, kind, self.signal, self.recording)[0]

    def rule(self, table, kind):
        return find_irregular(table, kind, self.signal, self.recording)[1]

    def get(self, table):
        found = {one.name: one for one in table.payload.recordings}
        return found[self.recording].signals.get(self.signal)

    def expect_unusable(self, table, *texts):
        """Hold that the signal is absent, and that its file and the mend are told."""
        assert self.get(table) is None
        assert self.count(table, "unusable file") == 1
        rule = self.rule(table, "unusable file")
        assert f"the recording lacks the signal: {self.shown}: " in rule
        for text in texts:
            assert re.search(text, rule), rule
        assert len(table) == len(PIDS) * LABELS


def annotation(folder, pid=3, rater="self"):
    return folder / f"emotion_annotations/{tiny.RATERS[rater]}/P{pid}.{rater}.csv"


def subjects(folder):
    return folder / "metadata/subjects.csv"


def change_bytes(path, change):
    path.write_bytes(change(path.read_bytes()))


def read_or_refuse(folder):
    """Return the table and "", or None and the message of the `UserError`."""
    try:
        return read(folder), ""
    except UserError as error:
        return None, str(error)


# Signals: rows and cells.


@pytest.mark.parametrize("seed", VARIANTS)
def test_rows_that_are_cut_are_left_out_and_counted(folder, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    rows = victim.choose(random)

    def cut(cells):
        return cells[: int(random.integers(1, len(cells)))]

    change_cells(victim.path, cut, rows)
    table = read(folder)
    assert victim.count(table, "uneven row") == len(rows)
    assert len(table) == 2 * LABELS
    if victim.file != "E4_IBI":
        assert victim.count(table, "empty slot") == len(rows)


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_file_cut_at_its_end_is_read_up_to_there_and_the_stretches_behind_are_counted(
    folder, sound, seed
):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random, [name for name in STEADY if name != "E4_HR"])
    # From the debate's beginning to its end, in the middle of a row.
    share = random.uniform(0.35, 0.85)
    text = victim.path.read_bytes()
    end = text.index(b"\n", int(share * len(text))) + int(random.integers(3, 9))
    victim.path.write_bytes(text[:end])
    kept = text[:end].count(b"\n") - 1
    table = read(folder)
    signal = victim.get(table)
    np.testing.assert_array_equal(signal.values, victim.get(sound).values[:kept])
    ends = table.frame.loc[table.frame["pid"] == victim.pid, "end_s"]
    behind = (ends > signal.end_s + 1 / signal.rate_hz).sum()
    assert victim.count(table, "stretch outside the signal") == behind >= 1
    assert victim.count(table, "uneven row") == 1


@pytest.mark.parametrize("seed", VARIANTS)
def test_text_in_numbers_leaves_its_rows_out_and_counts_them(folder, sound, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    rows = victim.choose(random)
    words = ("", "n/a", "NaN", "inf", "--", "1e", "O.5", "1_0", "2019-01-22 07:19:21", "null", "€")
    for row in rows:
        column = 0 if random.uniform() < 0.3 else victim.column
        change_cells(victim.path, put(column, random.choice(words)), [row])
    table = read(folder)
    assert victim.count(table, "row without a number") == len(rows)
    if victim.file != "E4_IBI":
        values, before = (victim.get(one).values for one in (table, sound))
        assert np.isnan(values[rows]).all()
        kept = np.delete(np.arange(victim.rows), rows)
        np.testing.assert_array_equal(values[kept], before[kept])


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_column_of_nothing_but_text_is_told_with_the_times_that_are_expected(folder, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    column = int(random.choice([0, victim.column]))
    word = str(random.choice(["2019-01-22 07:19:21", "x", "1.2.3", ""]))
    change_cells(victim.path, put(column, word))
    table = read(folder)
    victim.expect_unusable(
        table, "no row holds numbers under timestamp", "must be Unix milliseconds, such as 15481"
    )


@pytest.mark.parametrize("seed", VARIANTS)
def test_decimal_commas_make_rows_uneven_and_are_counted(folder, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    rows = victim.choose(random)
    change_cells(victim.path, put(victim.column, "1,5"), rows)
    table = read(folder)
    assert victim.count(table, "uneven row") == len(rows)
    change_cells(victim.path, put(victim.column, "1,5"))
    victim.expect_unusable(read(folder), "as many cells as the first line|no row holds numbers")


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_quote_that_is_never_closed_spoils_no_other_row(folder, sound, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    row = int(random.integers(1, victim.rows - 1))
    column = int(random.choice([0, victim.column]))
    change_cells(victim.path, put(column, lambda cell: '"' + cell), [row])
    np.testing.assert_array_equal(victim.get(read(folder)).values, victim.get(sound).values)


@pytest.mark.parametrize("seed", VARIANTS)
def test_values_that_no_such_device_measures_are_missing_and_counted(folder, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    rows = victim.choose(random)
    for row in rows:
        value = random.choice([-99999999, 1e6, 3.4e38, 200_000])
        change_cells(victim.path, put(victim.column, value), [row])
    table = read(folder)
    assert victim.count(table, "absurd value") == len(rows)
    if victim.file != "E4_IBI":
        assert np.isnan(victim.get(table).values[rows]).all()
    change_cells(victim.path, put(victim.column, 200_000))
    victim.expect_unusable(
        read(folder),
        "most values cannot be of this sensor, which measures",
        "the first is 200000. Are columns or files swapped",
    )


# Signals: times.


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_wrong_rate_is_told_and_the_times_are_believed(folder, sound, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random, STEADY)
    before = victim.get(sound)
    if seed % 2:  # fewer samples: a grid of their own
        step = int(random.integers(2, 6))
        change_lines(victim.path, lambda lines: [lines[0], *lines[1::step]])
        after = victim.get(table := read(folder))
        assert after.rate_hz == pytest.approx(before.rate_hz / step, rel=2e-3)
        np.testing.assert_array_equal(after.values, before.values[::step])
        assert victim.count(table, "another rate") == len(after.values)
        assert f"instead of {before.rate_hz:g} Hz" in victim.rule(table, "another rate")
    else:  # more samples: their mean in each slot
        times = int(random.integers(2, 5))
        offsets = np.rint(np.arange(times) * 350 / before.rate_hz / (times - 1)).astype(int)

        def repeat(lines):
            cells = [line.split(",") for line in lines[1:]]
            more = [[str(int(row[0]) + late), *row[1:]] for row in cells for late in offsets]
            return [lines[0], *map(",".join, more)]

        change_lines(victim.path, repeat)
        after = victim.get(table := read(folder))
        assert after.rate_hz == before.rate_hz
        np.testing.assert_allclose(after.values, before.values, rtol=1e-6)
        assert victim.count(table, "another rate") == times * victim.rows
        assert "the mean in every slot is kept" in victim.rule(table, "another rate")
        assert victim.count(table, "several values in a slot") == victim.rows


@pytest.mark.parametrize("seed", VARIANTS)
def test_repeated_times_are_averaged_and_counted(folder, sound, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    rows = victim.choose(random)
    same = seed % 2 == 0

    def repeat(lines):
        repeated = set((rows + 1).tolist())
        twice = [(line, k in repeated) for k, line in enumerate(lines)]
        return [line for line, again in twice for _ in range(1 + again)]

    change_lines(victim.path, repeat)
    if not same:  # the second of them has another value
        places = rows + 1 + np.arange(len(rows))
        change_cells(victim.path, put(victim.column, lambda cell: float(cell) + 0.5), places)
    table = read(folder)
    assert victim.count(table, "repeated time") == len(rows)
    expected = victim.get(sound).values.copy()
    if victim.signal == "acceleration":
        expected[rows, 0] += 0 if same else 0.25 / 64
    elif victim.signal != "ibi":  # of beats the first is kept
        expected[rows] += 0 if same else 0.25
    np.testing.assert_allclose(victim.get(table).values, expected, rtol=1e-5)


@pytest.mark.parametrize("seed", VARIANTS)
def test_decreasing_times_are_sorted_and_counted(folder, sound, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    if seed % 2:
        change_lines(victim.path, lambda lines: [lines[0], *lines[:0:-1]])
        expected = victim.rows - 1
    else:
        rows = 1 + 3 * np.unique(victim.choose(random) // 3)
        rows = rows[rows < victim.rows - 1]

        def swap(lines):
            for row in rows.tolist():
                lines[row], lines[row + 1] = lines[row + 1], lines[row]
            return lines

        change_lines(victim.path, swap)
        expected = len(rows)
    table = read(folder)
    assert victim.count(table, "decreasing time") == expected
    np.testing.assert_array_equal(victim.get(table).values, victim.get(sound).values)


@pytest.mark.parametrize("seed", VARIANTS)
def test_times_in_another_unit_are_read_by_their_size_and_counted(folder, sound, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    unit, change = [
        ("seconds", lambda cell: f"{int(cell) / 1000:.3f}"),
        ("microseconds", lambda cell: f"{cell}000"),
        ("nanoseconds", lambda cell: f"{cell}000000"),
    ][seed % 3]
    change_cells(victim.path, put(0, change))
    table = read(folder)
    assert victim.count(table, "time in another unit") == victim.rows
    assert f"read as {unit}, by their size" in victim.rule(table, "time in another unit")
    np.testing.assert_array_equal(victim.get(table).values, victim.get(sound).values)
    assert victim.get(table).start_s == victim.get(sound).start_s
    for column in (2, 3, 4):
        change_cells(subjects(folder), put(column, change))
    table = read(folder)
    pd.testing.assert_frame_equal(table.frame, sound.frame)
    found = find_irregular(table, "time in another unit", "", "metadata/subjects.csv")
    assert found == (2, f"read as {unit}")


@pytest.mark.parametrize("seed", VARIANTS)
def test_times_far_from_the_debate_are_left_out_and_counted(folder, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    rows = victim.choose(random)
    for row in rows:
        far = random.choice([0, 3, 10**16, start_ms(victim.pid) + 86_400_000 * 400, -5])
        change_cells(victim.path, put(0, far), [row])
    table = read(folder)
    assert victim.count(table, "time far from the debate") == len(rows)
    assert victim.get(table) is not None
    change_cells(victim.path, put(0, lambda cell: int(cell) % 10**11 + 4 * 10**12))
    victim.expect_unusable(
        read(folder),
        f"no time lies near the debate of {start_ms(victim.pid) // 1000} to",
        "that metadata/subjects.csv tells",
        "is it another subject's file",
    )


# Files of signals.


@pytest.mark.parametrize("seed", VARIANTS)
def test_an_empty_file_is_told_and_the_recording_lacks_its_signal(folder, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    head = victim.path.read_bytes().split(b"\n")[0]
    content, told = [
        (b"", "Found: an empty file"),
        (b" \n\n", "Found: an empty file"),
        (head, "no rows below the first line. Take the file anew"),
        (head + b"\n\n  \n", "no rows below the first line"),
        (codecs.BOM_UTF8, "Found: an empty file"),
    ][seed % 5]
    victim.path.write_bytes(content)
    victim.expect_unusable(read(folder), told)


@pytest.mark.parametrize("seed", VARIANTS)
def test_missing_sensors_are_counted_and_the_rows_stay(folder, seed):
    random = np.random.default_rng(seed)
    gone = random.choice(list(SENSORS), random.integers(1, len(SENSORS)), replace=False)
    for file in gone:
        (folder / SENSORS[file][0] / "3" / f"{file}.csv").unlink()
    table = read(folder)
    assert len(table) == 2 * LABELS
    recording = table.payload.recordings[0]
    assert set(recording.signals) == tiny.SIGNALS - {SENSORS[file][1] for file in gone}
    for file in gone:
        count, rule = find_irregular(table, "missing file", SENSORS[file][1], "e4_data/3")
        assert count == 1
        assert f"there is no {file}.csv, although metadata/data_availability.csv" in rule


@pytest.mark.parametrize("seed", VARIANTS)
def test_signals_of_which_none_can_be_used_make_every_stretch_damaged(folder, seed):
    random = np.random.default_rng(seed)
    damage = [b"", b"no,table\n1,2\n", b"\x00" * 99, random.bytes(400)][seed % 4]
    for file, (part, *_) in SENSORS.items():
        (folder / part / "4" / f"{file}.csv").write_bytes(damage)
    table = read(folder)
    assert len(table) == LABELS
    assert list(table.rejected["kind"]) == ["damaged"] * LABELS
    reason = table.rejected["reason"][0]
    assert (
        "not one file of signals can be used; the recording lacks the signal: e4_data/4" in reason
    )
    assert "E4_BVP.csv: the columns timestamp, value are missing" in reason
    with pytest.raises(UserError, match="6 of 12 files cannot be used"):
        table.check_rejected()


@pytest.mark.parametrize("seed", VARIANTS)
def test_swapped_or_renamed_columns_are_told(folder, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random)
    head = victim.path.read_text().splitlines()[0].split(",")
    value = head[victim.column]
    if seed % 2:
        head[0], head[victim.column] = value, "timestamp"
        told = "(no time lies near the debate|most values cannot be).* swapped"
    else:
        renamed = str(random.choice(["timestamp", value]))
        head[head.index(renamed)] = str(random.choice(["time", "Wert", "", "ts"]))
        told = f"the columns {renamed} are missing. Found: .* The first line must name timestamp, "
    change_lines(victim.path, lambda lines: [",".join(head), *lines[1:]])
    victim.expect_unusable(read(folder), told)


@pytest.mark.parametrize("seed", VARIANTS)
def test_swapped_files_are_told(folder, seed):
    random = np.random.default_rng(seed)
    place = folder / "e4_data" / str(random.choice(PIDS))
    if seed % 2:
        pair, told = ("E4_EDA", "E4_TEMP"), "E4_EDA.csv and E4_TEMP.csv seem to hold each other's"
    else:
        other = str(random.choice(["E4_IBI", "E4_EDA"]))
        pair, told = ("E4_HR", other), "most values cannot be of this sensor"
    one, other = (place / f"{name}.csv" for name in pair)
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1]), other.write_bytes(content[0])
    # 33 µS at 1 °C: both could be measured, but of no skin at once.
    table = read(folder)
    signal = SENSORS[pair[0]][1]
    count, rule = find_irregular(table, "unusable file", signal, f"e4_data/{place.name}")
    assert count == 1
    assert told in rule
    assert len(table) == 2 * LABELS


@pytest.mark.parametrize("seed", VARIANTS)
def test_rows_of_another_subject_are_left_out_and_whole_files_of_one_told(folder, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random, [name for name in SENSORS if name.startswith("E4")])
    rows = victim.choose(random)
    other = str(random.choice(["7", "P7", "44", "7.0", "nobody"]))
    change_cells(victim.path, put(1, other), rows)
    table = read(folder)
    assert victim.count(table, "row of another subject") == len(rows)
    rule = victim.rule(table, "row of another subject")
    assert rule == f"left out: its pid is not that of the folder, {victim.pid}"
    change_cells(victim.path, put(1, other))
    victim.expect_unusable(
        read(folder),
        f"every row has another pid \\('{other}'\\) than the folder, {victim.pid}. Put the file",
    )


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_second_device_is_left_out_whichever_rows_are_its(folder, sound, seed):
    random = np.random.default_rng(seed)
    victim = Victim(folder, random, [name for name in STEADY if name.startswith("E4")])
    rows = victim.choose(random)
    change_cells(victim.path, put(-1, random.choice(["A01525", "", "a00f45", "7"])), rows)
    table = read(folder)
    assert victim.count(table, "sample of another device") == len(rows)
    assert f"of 2 devices {tiny.DEVICE} is kept" in victim.rule(table, "sample of another device")
    assert np.isnan(victim.get(table).values[rows]).all()


# Encodings of every file.

ENCODINGS = {
    "UTF-8 with a mark": lambda content: codecs.BOM_UTF8 + content,
    "UTF-16": lambda content: content.decode().encode("utf-16"),
    "UTF-16 big-endian": lambda content: codecs.BOM_UTF16_BE + content.decode().encode("utf-16-be"),
    "UTF-16 without a mark": lambda content: content.decode().encode("utf-16-le"),
    "Windows": lambda content: content.replace(b"\n", b"\r\n"),
    "old Macintosh": lambda content: content.replace(b"\n", b"\r"),
    "Windows, with a mark": lambda content: codecs.BOM_UTF8 + content.replace(b"\n", b"\r\n"),
    "no last line end": lambda content: content.rstrip(b"\n"),
    "blank lines": lambda content: content.replace(b"\n", b"\n\n"),
    "quoted": lambda content: re.sub(rb"([^,\n]+)", rb'"\1"', content),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_other_encodings_of_the_same_text_are_read_alike(folder, sound, encoding):
    for path in folder.rglob("*.csv"):
        change_bytes(path, ENCODINGS[encoding])
    table = read(folder)
    pd.testing.assert_frame_equal(table.frame, sound.frame)
    assert len(table.payload.irregularities) == 0
    for one, before in zip(table.payload.recordings, sound.payload.recordings, strict=True):
        assert set(one.signals) == tiny.SIGNALS
        for name, signal in one.signals.items():
            np.testing.assert_array_equal(signal.values, before.signals[name].values)


@pytest.mark.parametrize("seed", VARIANTS)
def test_other_separators_than_commas_are_told_with_the_mend(folder, seed):
    random = np.random.default_rng(seed)
    mark, word = [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")][seed % 3]

    def separate(path):
        path.write_text(path.read_text().replace(",", mark))

    told = f"The cells seem to be separated by {word}: save the file with commas"
    victim = Victim(folder, random)
    separate(victim.path)
    victim.expect_unusable(read(folder), "the columns timestamp, .* are missing", told)
    separate(annotation(folder))
    table = read(folder)
    assert list(table.rejected["kind"]) == ["damaged"]
    assert table.rejected["path"][0] == "self_annotations/P3.self.csv"
    reason = table.rejected["reason"][0]
    assert reason.startswith("self_annotations/P3.self.csv: the columns seconds, arousal, valence")
    assert told in reason
    separate(subjects(folder))
    with pytest.raises(UserError) as caught:
        read(folder)
    assert f"{subjects(folder)}: the columns pid, starttime, endtime" in str(caught.value)
    assert told in str(caught.value)


# Annotations.


@pytest.mark.parametrize("seed", VARIANTS)
def test_ratings_out_of_range_are_damage_with_what_they_must_be(folder, seed):
    random = np.random.default_rng(seed)
    row = int(random.integers(LABELS))
    column = int(random.choice([1, 2]))
    value = str(random.choice(["0", "6", "-1", "2.5", "high", "33", "1e0", "٣"]))
    change_cells(annotation(folder), put(column, value), [row])
    table = read(folder)
    assert (len(table), table.read) == (2 * LABELS - 1, 2 * LABELS)
    assert list(table.rejected["kind"]) == ["damaged"]
    assert table.rejected["path"][0] == f"self_annotations/P3.self.csv label {5 * row + 5:04d}"
    name = ("arousal", "valence")[column - 1]
    assert table.rejected["reason"][0] == f"{name} is {value!r}; it must be 1, 2, 3, 4 or 5"


@pytest.mark.parametrize("seed", VARIANTS)
def test_an_emotion_out_of_range_is_missing_and_counted_and_its_row_kept(folder, seed):
    random = np.random.default_rng(seed)
    rows = np.sort(random.choice(LABELS, random.integers(1, 4), replace=False))
    column = int(random.integers(3, 8))
    change_cells(annotation(folder), put(column, random.choice(["0", "5", "much", "-2"])), rows)
    table = read(folder)
    assert len(table) == 2 * LABELS
    name = tiny.SCALES[column - 1]
    missing = np.flatnonzero(table.frame[name].isna())
    assert list(missing) == list(rows)
    found = find_irregular(table, f"{name} out of range", "", "e4_data/3")
    assert found == (len(rows), "the rating is missing: it must be 1, 2, 3 or 4")


@pytest.mark.parametrize("seed", VARIANTS)
def test_an_end_of_a_stretch_that_is_none_is_damage(folder, seed):
    random = np.random.default_rng(seed)
    row = int(random.integers(LABELS))
    value = str(random.choice(["", "7", "-5", "0", "five", "5000", "2.5", "1e99", "nan"]))
    change_cells(annotation(folder), put(0, value), [row])
    table = read(folder)
    assert (len(table), list(table.rejected["kind"])) == (2 * LABELS - 1, ["damaged"])
    assert table.rejected["path"][0] == f"self_annotations/P3.self.csv line {row + 2}"
    assert table.rejected["reason"][0] == f"seconds is {value!r}; it must be 5, 10, 15 …"


@pytest.mark.parametrize("seed", VARIANTS)
def test_rows_of_an_annotation_that_are_cut_or_too_long_are_damage(folder, seed):
    random = np.random.default_rng(seed)
    row = int(random.integers(LABELS))
    cells = int(random.choice([1, 4, 9, 22, 24, 30]))

    def resize(found):
        return (found + ["1"] * 30)[:cells]

    change_cells(annotation(folder), resize, [row])
    table = read(folder)
    assert len(table) == 2 * LABELS - 1
    assert list(table.rejected["path"]) == [f"self_annotations/P3.self.csv line {row + 2}"]
    assert list(table.rejected["reason"]) == [f"{cells} cells for 23 columns"]


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_stretch_rated_twice_is_used_once_and_a_wrong_order_is_counted(folder, sound, seed):
    random = np.random.default_rng(seed)
    row = int(random.integers(1, LABELS + 1))
    change_lines(annotation(folder), lambda lines: [*lines, lines[row]])
    table = read(folder)
    assert (table.read, len(table)) == (2 * LABELS + 1, 2 * LABELS)
    assert table.rejected["path"][0] == f"self_annotations/P3.self.csv label {5 * row:04d}"
    assert f"{5 * row} seconds stand there again; the first row" in table.rejected["reason"][0]
    shutil.copy(annotation(folder, 4), annotation(folder))
    order = random.permutation(LABELS) + 1
    change_lines(annotation(folder), lambda lines: [lines[0], *(lines[k] for k in order)])
    table = read(folder)
    assert list(table.frame["seconds"]) == list(sound.frame["seconds"])
    falls = int((np.diff(order) < 0).sum())
    assert find_irregular(table, "row out of order", "", "e4_data/3")[0] == falls


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_missing_or_empty_annotation_is_one_row_set_aside(folder, seed):
    random = np.random.default_rng(seed)
    pid, rater = int(random.choice(PIDS)), str(random.choice(list(tiny.RATERS)))
    path = annotation(folder, pid, rater)
    name = f"{tiny.RATERS[rater]}/P{pid}.{rater}.csv"
    kind = ("gone", "gone, not promised", "empty", "head only", "binary")[seed % 5]
    if kind.startswith("gone"):
        path.unlink()
    elif kind == "head only":
        change_lines(path, lambda lines: lines[:1])
    else:
        path.write_bytes(random.bytes(900) if kind == "binary" else b"")
    if kind == "gone, not promised":
        (folder / "metadata/data_availability.csv").unlink()
    table = read(folder, rater=rater)
    assert (len(table), table.read) == (LABELS, LABELS + 1)
    assert list(table.rejected["path"]) == [name]
    no_table = ("damaged", f"{name}: the columns seconds, arousal, valence are missing. Found: ")
    expected = {
        "gone": ("damaged", "there is no such annotation, although metadata/data_availability.csv"),
        "gone, not promised": ("unlabelled", "there is no such annotation"),
        "empty": no_table,
        "head only": ("unlabelled", "no rows below the first line"),
        "binary": no_table,
    }
    assert table.rejected["kind"][0] == expected[kind][0]
    assert table.rejected["reason"][0].startswith(expected[kind][1])


@pytest.mark.parametrize("seed", VARIANTS)
def test_renamed_columns_of_an_annotation_are_told_or_missing(folder, seed):
    random = np.random.default_rng(seed)
    column = str(random.choice(["seconds", "arousal", "valence"]))
    path = annotation(folder)
    path.write_text(path.read_text().replace(column, "other", 1))
    table = read(folder)
    assert list(table.rejected["kind"]) == ["damaged"]
    assert f"the columns {column} are missing. Found: " in table.rejected["reason"][0]
    assert "The first line must name seconds, arousal, valence" in table.rejected["reason"][0]
    shutil.copy(annotation(folder, 4), path)
    emotion = str(random.choice(tiny.SCALES[2:]))
    path.write_text(path.read_text().replace(emotion, "other", 1))
    table = read(folder)
    assert table.frame[emotion].isna().sum() == LABELS
    count, rule = find_irregular(table, "missing column", "", "e4_data/3")
    assert (count, rule) == (1, f"the file has no {emotion}: these ratings are missing")


@pytest.mark.parametrize("seed", VARIANTS)
def test_annotations_of_an_unknown_subject_have_no_place_in_time(folder, seed):
    random = np.random.default_rng(seed)
    pid = int(random.choice([1, 7, 33, 40, 999]))
    tiny.write_annotation(folder, pid, "self", labels=LABELS + seed)
    table = read(folder)
    assert (len(table), table.read) == (2 * LABELS, 3 * LABELS + seed)
    assert list(table.rejected["kind"]) == ["damaged"] * (LABELS + seed)
    assert set(table.rejected["reason"]) == {
        f"no place in time: metadata/subjects.csv has no row of pid {pid}"
    }
    assert f"self_annotations/P{pid}.self.csv label 0005" in set(table.rejected["path"])


@pytest.mark.parametrize("seed", VARIANTS)
def test_an_annotation_whose_name_tells_no_subject_is_one_row_set_aside(folder, seed):
    names = ["self.csv", "P3.csv", "3.self.csv", "Px.self.csv", "P3.self (1).csv", "P0.self.csv"]
    names += ["P3.partner.csv", "P3.selfcsv.csv", "café.csv", "P3self.csv"]
    shutil.copy(annotation(folder), annotation(folder).with_name(names[seed]))
    table = read(folder)
    assert len(table) == 2 * LABELS
    assert list(table.rejected["path"]) == [f"self_annotations/{names[seed]}"]
    assert list(table.rejected["kind"]) == ["damaged"]
    assert "must be P<pid>.self.csv, such as P5.self.csv" in table.rejected["reason"][0]


@pytest.mark.parametrize("seed", VARIANTS)
def test_rows_of_another_pid_than_that_of_an_annotation_are_damage(folder, seed):
    random = np.random.default_rng(seed)
    rows = np.sort(random.choice(LABELS, random.integers(1, 4), replace=False))
    path = annotation(folder)
    change_lines(
        path, lambda lines: [f"{line},{'3' if k else 'pid'}" for k, line in enumerate(lines)]
    )
    assert len(read(folder)) == 2 * LABELS
    other = str(random.choice(["4", "P4", "33", "?"]))
    change_cells(path, put(-1, other), rows)
    table = read(folder)
    assert list(table.rejected["path"]) == [
        f"self_annotations/P3.self.csv line {row + 2}" for row in rows
    ]
    assert set(table.rejected["reason"]) == {f"its pid is {other!r}, that of the file's name 3"}


# Metadata and folders.


@pytest.mark.parametrize("seed", VARIANTS)
def test_without_the_times_of_debates_the_layout_is_shown(folder, seed):
    path = subjects(folder)
    if seed % 2:
        path.unlink()
    elif seed % 4:
        shutil.rmtree(path.parent)
    else:
        path.rename(path.with_name(f"subjects{seed}.csv"))
    with pytest.raises(UserError) as caught:
        read(folder)
    message = str(caught.value)
    assert f"{folder}: this does not look like K-EmoCon" in message
    assert "Looked for metadata/subjects.csv, which tells when each debate was" in message
    assert "pid, initTime, startTime, endTime (Unix ms)" in message


@pytest.mark.parametrize("seed", VARIANTS)
def test_times_of_a_debate_that_cannot_be_leave_its_stretches_without_a_place(folder, seed):
    random = np.random.default_rng(seed)
    row = int(random.integers(2))
    pid = PIDS[row]
    change, told = [
        (put(3, "soon"), "startTime or endTime is no number. Mend it"),
        (put(4, ""), "startTime or endTime is no number. Mend it"),
        (lambda cells: [*cells[:3], cells[4], cells[3]], "endTime must be later than startTime"),
        (put(3, 0), "a debate of .* hours. Mend startTime or endTime"),
        (put(0, "x"), f"metadata/subjects.csv has no row of pid {pid}"),
        (lambda cells: cells[:3], f"metadata/subjects.csv has no row of pid {pid}"),
    ][seed % 6]
    change_cells(subjects(folder), change, [row])
    table = read(folder)
    assert (len(table), list(table.rejected["kind"])) == (LABELS, ["damaged"] * LABELS)
    for reason in table.rejected["reason"]:
        assert re.search(f"no place in time: .*{told}", reason), reason
    assert set(table.frame["pid"]) == {*PIDS} - {pid}


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_subject_told_twice_is_used_where_both_agree(folder, sound, seed):
    random = np.random.default_rng(seed)
    row = int(random.integers(1, 3))
    change_lines(subjects(folder), lambda lines: [*lines, lines[row]])
    table = read(folder)
    pd.testing.assert_frame_equal(table.frame, sound.frame)
    assert find_irregular(table, "repeated pid", "", "metadata/subjects.csv")[0] == 1
    change_cells(subjects(folder), put(3, lambda cell: int(cell) - 1000 * (seed + 1)), [2])
    table = read(folder)
    assert len(table) == LABELS
    reason = table.rejected["reason"][0]
    assert f"subjects.csv:4: pid {PIDS[row - 1]} stands there again with other times" in reason


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_damaged_table_of_what_the_owner_has_is_counted_and_not_needed(folder, sound, seed):
    random = np.random.default_rng(seed)
    path = folder / "metadata/data_availability.csv"
    path.write_bytes([b"", b"a;b\n1;2\n", random.bytes(200), b"who,what\n3,4\n"][seed % 4])
    table = read(folder)
    pd.testing.assert_frame_equal(table.frame, sound.frame)
    rows = table.payload.irregularities
    assert list(rows["recording"]) == ["metadata/data_availability.csv"]
    assert "metadata/data_availability.csv: the columns pid are missing" in rows["rule"][0]
    assert str(folder) not in rows["rule"][0]


@pytest.mark.parametrize("seed", VARIANTS)
def test_any_file_or_folder_may_be_missing_or_a_file_a_folder(folder, seed):
    random = np.random.default_rng(seed)
    every = sorted(folder.rglob("*"))
    for part in random.choice(len(every), 3, replace=False).tolist():
        path = every[part]
        if path.is_dir():
            shutil.rmtree(path)
            if random.uniform() < 0.5:
                path.write_text("a file")
        elif path.exists():
            path.unlink()
            if random.uniform() < 0.5:
                path.mkdir()
    table, refusal = read_or_refuse(folder)
    assert str(folder) in refusal or table.read >= 1


@pytest.mark.parametrize("seed", VARIANTS)
def test_random_damage_to_every_file_never_crashes(folder, seed):
    random = np.random.default_rng(seed)
    for path in folder.rglob("*.csv"):
        changed = bytearray(path.read_bytes())
        for place in random.integers(0, len(changed), random.integers(1, 30)):
            changed[place] = (
                random.integers(256) if seed % 2 else random.choice(list(b',"\n\0 \r-.'))
            )
        if seed % 3 == 0:
            changed = changed[: random.integers(1, len(changed))]
        path.write_bytes(bytes(changed))
    table, refusal = read_or_refuse(folder)
    if table is None:
        assert str(folder) in refusal
    else:
        assert len(table) <= 2 * LABELS
        assert len(table.payload.irregularities) + len(table.rejected) > 0

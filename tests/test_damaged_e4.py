"""Damaged recordings of an Empatica E4: every kind is counted under its rule, or named with a mend.

Each kind of damage is done to Stress-Predict's participant 2, or to a table of labels or events, in
ten variants; participant 3 is not touched and is read whole.
"""

import re

import numpy as np
import pytest

from affectkeras.datasets import empatica_e4, stress_predict
from affectkeras.datasets.e4_files import read_e4_folder
from affectkeras.errors import UserError
from tests import e4_damage
from tests.e4_damage import SIGNALS, pick
from tests.tiny_e4 import (
    LABEL_HEADER,
    LABELS,
    START,
    label_rows,
    own_texts,
    stress_predict_texts,
    write_texts,
)

VARIANTS = range(10)
VICTIM = "Raw_data/S02"
SOUND = stress_predict_texts()
MISSING = ("no number", "absurd value", "zero")


def name_of(damage):
    return getattr(damage, "__name__", str(damage))


def read(folder):
    table = stress_predict.read(folder, progress=False)
    assert table.read == len(table) + len(table.rejected)
    return table


def counted(table, recording=VICTIM):
    """Return what was counted of a recording's signals, besides what was of the sound one."""
    rows = table.payload.irregularities
    rows = rows[(rows["recording"] == recording) & (rows["kind"] != "no beat")]
    return {
        (row.signal, row.kind): row.count for row in rows.itertuples() if row.kind != "late start"
    }


def damage_victim(folder, damage, seed):
    """Write everything, participant 2 damaged; return that one's texts and what is expected."""
    own = {name.rpartition("/")[2]: text for name, text in SOUND.items() if name.startswith(VICTIM)}
    expected = damage(np.random.default_rng(seed), own)
    texts = {name: text for name, text in SOUND.items() if not name.startswith(VICTIM)}
    write_texts(folder, texts | {f"{VICTIM}/{name}": text for name, text in own.items()})
    return own, expected


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Return participant 2's recording without any damage."""
    folder = write_texts(tmp_path_factory.mktemp("sound"), SOUND)
    return read_e4_folder(folder / VICTIM, VICTIM, "S02")[0]


def test_the_sound_recordings_are_read_whole(tmp_path):
    table = read(write_texts(tmp_path, SOUND))
    assert (len(table), len(table.rejected)) == (6, 0)
    assert counted(table) == {}


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("damage", e4_damage.COUNTED, ids=name_of)
def test_damage_that_a_rule_mends_is_counted(tmp_path, sound, damage, seed):
    _, expected = damage_victim(tmp_path, damage, seed)
    table = read(tmp_path)
    assert len(table) == 6
    assert not len(table.rejected)
    assert counted(table) == expected
    gone = {signal for signal, kind in expected if kind in ("no file", "no values")}
    signals = table.payload.recordings[0].signals
    assert signals.keys() == sound.signals.keys() - gone
    for name, signal in signals.items():
        whole = sound.signals[name]
        assert (signal.start_s, signal.rate_hz) == (whole.start_s, whole.rate_hz)
        if name != "ibi":
            values, wanted = signal.values, whole.values[: len(signal.values)]
            shorter = expected.get((name, "early end"), 0) + expected.get((name, "cut last row"), 0)
            assert len(values) == len(whole.values) - shorter
            missing = np.isnan(values).reshape(len(values), -1).all(axis=1)
            assert missing.sum() == sum(expected.get((name, kind), 0) for kind in MISSING)
            np.testing.assert_array_equal(values[~missing], wanted[~missing])


@pytest.mark.parametrize("seed", VARIANTS)
def test_beats_that_are_left_out_change_no_other(tmp_path, sound, seed):
    damage_victim(tmp_path, e4_damage.repeated_or_earlier_beats, seed)
    values = read(tmp_path).payload.recordings[0].signals["ibi"].values
    np.testing.assert_array_equal(values, sound.signals["ibi"].values)


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize("damage", e4_damage.REFUSED, ids=name_of)
def test_other_damage_sets_a_recording_aside_and_names_file_line_and_mend(tmp_path, damage, seed):
    _, (file, line, text) = damage_victim(tmp_path, damage, seed)
    table = read(tmp_path)
    assert set(table.frame["subject"]) == {"S03"}
    assert table.rejected["path"].tolist() == [f"{VICTIM} stretch 0{n}" for n in (1, 2, 3)]
    assert set(table.rejected["kind"]) == {"damaged"}
    (reason,) = set(table.rejected["reason"])
    place = tmp_path / VICTIM / file
    assert reason.startswith(f"{place}: " if line is None else f"{place}:{line}: ")
    assert re.search(text, reason)
    assert reason.endswith("or move it away: the recording is then used without it.")
    reason.encode()

    with pytest.raises(UserError) as caught:
        empatica_e4.read_recordings(tmp_path, progress=False)
    assert str(caught.value) == reason

    if damage is not e4_damage.swapped_files:  # the other one is left then
        place.unlink()
        mended = read(tmp_path)
        assert len(mended) == 6
        assert counted(mended) == {(SIGNALS[file], "no file"): 1}


def changed_labels(folder, rows):
    texts = SOUND | {LABELS: "\n".join([LABEL_HEADER, *rows, *label_rows(3, START + 5000)]) + "\n"}
    return read(write_texts(folder, texts))


def stretches_of(rows):
    """Return the runs of consecutive seconds in rows of labels that are sound and in order."""
    found = []
    for row in rows:
        *_, time, label = row.split(",")
        second = int(time)
        if found and found[-1][1] == second and found[-1][2] == label:
            found[-1][1] = second + 1
        else:
            found.append([second, second + 1, label])
    return [[start, end, int(label)] for start, end, label in found]


def check_labels(table, rows, expected):
    """Hold participant 2's stretches to those of the rows, and what was counted of its labels."""
    own = table.frame[table.frame["subject"] == "S02"]
    assert own[["start_s", "end_s", "stress"]].to_numpy().tolist() == stretches_of(rows)
    assert len(table) == len(own) + 3
    assert counted(table) == {("labels", kind): count for kind, count in expected.items() if count}


def count_gaps(rows):
    times = [int(row.split(",")[3]) for row in rows]
    return int(np.sum(np.diff(times) > 1))


@pytest.mark.parametrize("seed", VARIANTS)
def test_an_unusable_row_of_labels_is_left_out(tmp_path, seed):
    random = np.random.default_rng(seed)
    rows = label_rows(2)
    place = int(random.integers(len(rows)))
    cells = rows[place].split(",")
    word = pick(random, ["x", "", "nan", "1e99", "-1", "0.5", "inf"])
    cells[random.integers(3, 5)] = word
    broken = pick(random, [",".join(cells), rows[place].rpartition(",")[0], rows[place] + ",7"])
    sound_rows = [*rows[:place], *rows[place + 1 :]]
    table = changed_labels(tmp_path, [*rows[:place], broken, *rows[place + 1 :]])
    gaps = count_gaps(sound_rows)
    unusable = counted(table).pop(("labels", "unusable row"), 0)
    unusable += counted(table, "").get(("labels", "unusable row"), 0)
    assert unusable == 1
    own = {"gap in time": gaps, "unusable row": counted(table).get(("labels", "unusable row"), 0)}
    check_labels(table, sound_rows, own)


@pytest.mark.parametrize("seed", VARIANTS)
def test_repeated_rows_of_labels_count_once(tmp_path, seed):
    random = np.random.default_rng(seed)
    rows = label_rows(2)
    copies = random.choice(len(rows), size=random.integers(1, 30)).tolist()
    table = changed_labels(tmp_path, sorted([*rows, *(rows[place] for place in copies)]))
    check_labels(table, rows, {"repeated second": len(copies)})


@pytest.mark.parametrize("seed", VARIANTS)
def test_decreasing_times_of_labels_are_put_in_order(tmp_path, seed):
    random = np.random.default_rng(seed)
    rows = label_rows(2)
    order = np.arange(len(rows))
    for place in random.choice(len(rows) // 2, size=random.integers(1, 9), replace=False):
        order[[2 * place, 2 * place + 1]] = order[[2 * place + 1, 2 * place]]
    if seed % 2:
        order = random.permutation(order)
    table = changed_labels(tmp_path, [rows[place] for place in order])
    check_labels(table, rows, {"decreasing time": int(np.sum(np.diff(order) < 0))})


@pytest.mark.parametrize("seed", VARIANTS)
def test_seconds_with_both_labels_are_left_out(tmp_path, seed):
    random = np.random.default_rng(seed)
    rows = label_rows(2)
    places = random.choice(len(rows), size=random.integers(1, 9), replace=False).tolist()
    others = [rows[place][:-1] + ("0" if rows[place].endswith("1") else "1") for place in places]
    left = [row for place, row in enumerate(rows) if place not in places]
    table = changed_labels(tmp_path, sorted([*rows, *others]))
    expected = {"contradicting labels": 2 * len(places), "gap in time": count_gaps(left)}
    check_labels(table, left, expected)


@pytest.mark.parametrize("seed", VARIANTS)
def test_lost_rows_of_labels_split_a_stretch(tmp_path, seed):
    random = np.random.default_rng(seed)
    rows = label_rows(2)
    lost = random.choice(len(rows), size=random.integers(1, 40), replace=False)
    left = [row for place, row in enumerate(rows) if place not in lost]
    check_labels(changed_labels(tmp_path, left), left, {"gap in time": count_gaps(left)})


@pytest.mark.parametrize("seed", VARIANTS)
def test_labels_of_another_time_are_set_aside(tmp_path, seed):
    random = np.random.default_rng(seed)
    apart = int(random.choice([-1, 1]) * random.integers(200, 10 ** random.integers(3, 8)))
    table = changed_labels(tmp_path, label_rows(2, START + apart))
    assert set(table.frame["subject"]) == {"S03"}
    assert table.rejected["path"].tolist() == [f"{VICTIM} stretch 0{n}" for n in (1, 2, 3)]
    for reason in table.rejected["reason"]:
        assert reason.startswith("no signal at its time: it lasts from ")
        assert reason.endswith(f"Mend {LABELS}")


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_cut_table_of_labels_loses_what_is_cut(tmp_path, seed):
    random = np.random.default_rng(seed)
    text = SOUND[LABELS]
    first = text.index("\n3,") + 1
    end = int(random.integers(first + 200, len(text) - 1))
    table = read(write_texts(tmp_path, SOUND | {LABELS: text[:end]}))
    rows = text[first:end].splitlines()
    whole = text[end] == "\n" or text[end - 1] == "\n"
    left = rows if whole else rows[:-1]
    own = table.frame[table.frame["subject"] == "S03"]
    assert own[["start_s", "end_s", "stress"]].to_numpy().tolist() == stretches_of(left)
    unusable = [
        counted(table, recording).get(("labels", "unusable row"), 0)
        for recording in ("", "Raw_data/S03")
    ]
    assert sum(unusable) == (not whole)


def rename(random, text):
    column = pick(random, ["Participant", "Time(sec)", "Label"])
    return text.replace(column, pick(random, ["", "x", f"my {column}"]), 1)


def without_header(random, text):
    return text.partition("\n")[2]


def with_semicolons(random, text):
    return text.replace(",", pick(random, [";", "\t"]))


def swap_columns(random, text):
    first, second = random.choice([0, 3, 4], size=2, replace=False)
    lines = text.splitlines()
    for number, line in enumerate(lines[1:], 1):
        cells = line.split(",")
        cells[first], cells[second] = cells[second], cells[first]
        lines[number] = ",".join(cells)
    return "\n".join(lines)


def many_words(random, text):
    lines = text.splitlines()
    places = random.choice(len(lines) - 1, size=random.integers(2, len(lines)), replace=False) + 1
    for place in places:
        cells = lines[place].split(",")
        cells[random.choice([0, 3, 4])] = pick(random, ["x", "", "-3", "2.5", "nan"])
        lines[place] = ",".join(cells)
    return "\n".join(lines)


def in_milliseconds(random, text):
    return re.sub(r"(1644\d{6}),", r"\g<1>000,", text)


def emptied(random, text):
    return pick(random, ["", "\ufeff"])


def header_alone(random, text):
    return LABEL_HEADER + pick(random, ["", "\n", "\r\n\r\n", "\n  \n"])


def rubbish(random, text):
    return b"\xff\xfe" * int(random.integers(2)) + b"\x00\x93" + random.bytes(500)


LABEL_FILES = [
    (rename, ":1: the columns .* missing. The first line must name Participant, Time.sec., Label"),
    (without_header, ":1: the columns Participant, Time.sec., Label are missing"),
    (with_semicolons, ":1: the columns .* are missing.*commas between"),
    (swap_columns, ":2: a row must tell a participant's number, a time .* Are columns swapped"),
    (many_words, r":\d+: a row must tell .* and \d+ more of 180 rows that cannot be used"),
    (in_milliseconds, ":2: a row must tell a participant's number, a time .Unix seconds."),
    (emptied, ": the file is empty"),
    (header_alone, ": no rows below the first line"),
    (rubbish, ":1: the columns Participant, Time.sec., Label are missing"),
]


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize(("damage", "text"), LABEL_FILES, ids=name_of)
def test_a_damaged_table_of_labels_is_refused(tmp_path, damage, text, seed):
    changed = damage(np.random.default_rng(seed), SOUND[LABELS])
    write_texts(tmp_path, SOUND | {LABELS: changed})
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / LABELS}:")
    assert re.search(text, message)
    assert "Take the file anew" in message
    message.encode()


@pytest.mark.parametrize("seed", VARIANTS)
def test_other_encodings_and_columns_of_labels_are_read_the_same(tmp_path, seed):
    random = np.random.default_rng(seed)
    lines = [line.split(",") for line in SOUND[LABELS].splitlines()]
    order = random.permutation(6)
    lines = [[*line, "more"] for line in lines]
    text = "\n".join(",".join(line[place] for place in order) for line in lines)
    text = text.replace("\n", pick(random, ["\n", "\r\n"])) + pick(random, ["", "\n", "\n\n"])
    encoded = text.encode(pick(random, ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]))
    table = read(write_texts(tmp_path / "changed", SOUND | {LABELS: encoded}))
    assert table.frame.equals(read(write_texts(tmp_path / "sound", SOUND)).frame)


def put(column, *values):
    """Return damage that puts one of some values into a column of a row of events."""

    def change(random, lines):
        place = int(random.integers(1, len(lines)))
        cells = lines[place].split(",")
        cells[column] = pick(random, values)
        return [*lines[:place], ",".join(cells), *lines[place + 1 :]]

    return change


def lose_column(random, lines):
    drop = int(random.choice([2, 3, 4]))
    return [",".join(np.delete(line.split(","), drop)) for line in lines]


def lose_header(random, lines):
    return lines[1:]


def repeat_row(random, lines):
    place = int(random.integers(1, len(lines)))
    return [*lines, lines[place]]


def overlap(random, lines):
    place = int(random.choice([1, 3, 5]))
    name, subject, start, end, label = lines[place].split(",")
    longer = ",".join([name, subject, start, str(int(end) + int(random.integers(1, 60))), label])
    return [*lines[:place], longer, *lines[place + 1 :]]


def swap_times(random, lines):
    place = int(random.integers(1, len(lines)))
    name, subject, start, end, label = lines[place].split(",")
    return [*lines[:place], ",".join([name, subject, end, start, label]), *lines[place + 1 :]]


def no_labels(random, lines):
    return [lines[0], *(line.rpartition(",")[0] + "," for line in lines[1:])]


def more_cells(random, lines):
    return put(4, "calm,x", "calm,,,1")(random, lines)


EVENT_TABLES = [
    (
        lose_column,
        ":1: the columns (start|end|label) are missing. The first line must be recording",
    ),
    (lose_header, ":1: the columns start, end, label are missing|:1: the columns recording or"),
    (put(2, "x", "", "noon", "1.5e19"), r":\d: start must be Unix seconds, or ISO 8601"),
    (put(3, "2022-02-07T10:00:00", "1644227574000", "nan"), r":\d: end must be Unix .* Found: '"),
    (put(4, "?"), r":\d: label is still \?. Fill it in."),
    (put(0, ""), r":\d: neither recording nor subject is told"),
    (put(4, "CALM", "Tense"), r":\d: the label '.*' is written '.*' in events.csv:\d"),
    (more_cells, r":\d: [68] cells for 5 columns"),
    (repeat_row, r":\d: begins before the stretch of events.csv:\d ends"),
    (overlap, r":\d: begins before the stretch of events.csv:\d ends"),
    (swap_times, r":\d: end must be later than start"),
    (no_labels, ": no row has a label"),
    (lambda random, lines: lines[:1], ": no rows below the first line"),
    (lambda random, lines: [], ": the file is empty. Its first line must be recording,subject"),
]


@pytest.mark.parametrize("seed", VARIANTS)
@pytest.mark.parametrize(("damage", "text"), EVENT_TABLES, ids=name_of)
def test_a_damaged_table_of_events_is_refused_with_its_line(tmp_path, damage, text, seed):
    texts = own_texts()
    lines = damage(np.random.default_rng(seed), texts["events.csv"].splitlines())
    write_texts(tmp_path, texts | {"events.csv": "\n".join(lines)})
    with pytest.raises(UserError) as caught:
        empatica_e4.read(tmp_path, progress=False)
    assert str(caught.value).startswith(f"{tmp_path / 'events.csv'}:")
    assert re.search(text, str(caught.value))


@pytest.mark.parametrize("seed", VARIANTS)
def test_a_table_of_events_that_is_no_text_is_refused(tmp_path, seed):
    random = np.random.default_rng(seed)
    content = b"recording,start,end,label\n\xe9\xff\xfe" + random.bytes(200)
    write_texts(tmp_path, own_texts() | {"events.csv": content})
    with pytest.raises(UserError, match="events.csv: cannot be read as a CSV file .* in UTF-8"):
        empatica_e4.read(tmp_path, progress=False)


@pytest.mark.parametrize("seed", VARIANTS)
def test_other_encodings_and_separators_of_events_are_read_the_same(tmp_path, seed):
    random = np.random.default_rng(seed)
    texts = own_texts()
    text = texts["events.csv"].replace(",", pick(random, [",", ";", "\t", " , "]))
    text = text.replace("\n", pick(random, ["\n", "\r\n"])).replace("start", "START", 1)
    encoded = text.encode(pick(random, ["utf-8", "utf-8-sig", "utf-16"]))
    write_texts(tmp_path / "changed", texts | {"events.csv": encoded})
    tables = [
        empatica_e4.read(folder, progress=False)
        for folder in (tmp_path / "changed", write_texts(tmp_path / "sound", texts))
    ]
    assert tables[0].frame.equals(tables[1].frame)


@pytest.mark.parametrize("seed", range(40))
def test_random_bytes_anywhere_are_accounted_for_or_named(tmp_path, seed):
    random = np.random.default_rng(seed)
    texts = {name: text.encode() for name, text in SOUND.items()}
    name = pick(random, texts)
    content = bytearray(texts[name])
    for place in random.integers(0, len(content), random.integers(1, 60)):
        content[place] = random.integers(256)
    write_texts(tmp_path, texts | {name: bytes(content)})
    told = None
    try:
        table = read(tmp_path)
    except UserError as error:
        told = str(error)
    if told is None:
        assert table.read >= 6 or name == LABELS
        told = "\n".join(table.rejected["reason"])
        assert str(tmp_path / name) in told or not told or name == LABELS
    else:
        assert told.startswith(f"{tmp_path / name}:")
    told.encode()

"""WESAD's reader: stretches, signals, what is odd counted, what is damaged rejected or counted."""

import os
import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectkeras.cache import cache_dir
from affectkeras.datasets import wesad, wesad_file
from affectkeras.datasets.sample.physiology_files import planted
from affectkeras.datasets.sample.wesad_layout import write_sample_wesad
from affectkeras.errors import UserError

# Labels and for how many seconds each; 20 s in all.
PLAN = ((0, 1), (1, 5), (6, 1), (2, 4), (0, 1), (3, 3), (4, 4), (0, 1))
SECONDS = 20
SAMPLES = 700 * SECONDS
WHOLE = [(1, 6, 1), (7, 11, 2), (12, 15, 3), (15, 19, 4)]
RATES = {
    "wrist": {"ACC": (32, 3), "BVP": (64, 1), "EDA": (4, 1), "TEMP": (4, 1)},
    "chest": {
        **{"ACC": (700, 3), "ECG": (700, 1), "EMG": (700, 1), "EDA": (700, 1)},
        **{"Temp": (700, 1), "Resp": (700, 1)},
    },
}
WRIST = ("bvp", "eda", "temperature", "acceleration")
CHEST = (
    *("chest_ecg", "chest_emg", "chest_eda", "chest_temperature", "chest_respiration"),
    "chest_acceleration",
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def make_content(subject="S2", plan=PLAN, seed=0):
    """Return what a pickle holds, as the owner's do; all signals are random."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.full(700 * seconds, label, np.int32) for label, seconds in plan])
    seconds = sum(seconds for _, seconds in plan)
    signal = {
        device: {
            key: random.normal(size=(rate * seconds, axes)) for key, (rate, axes) in found.items()
        }
        for device, found in RATES.items()
    }
    signal["wrist"]["ACC"] = random.integers(-128, 128, (32 * seconds, 3)).astype(float)
    return {"signal": signal, "label": labels, "subject": subject}


def write(folder, content, subject="S2"):
    path = folder / subject / f"{subject}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes):
        content = pickle.dumps(content, protocol=2)
    path.write_bytes(content)
    return folder


def read(folder, **arguments):
    table = wesad.read(folder, progress=False, **arguments)
    assert table.read == len(table) + len(table.rejected)
    return table


def counts(table):
    """Return `{(signal, kind): count}`, without what every file of these tests has."""
    return {
        (row.signal, row.kind): row.count
        for row in table.payload.irregularities.itertuples()
        if row.recording == "S2/S2.pkl" and row.kind not in ("undefined", "to be ignored")
    }


def stretches(table):
    frame = table.frame[table.frame["recording"] == "S2/S2.pkl"]
    return [
        (pytest.approx(row.start_s), pytest.approx(row.end_s), row.label)
        for row in frame.itertuples()
    ]


def test_a_row_is_a_stretch_of_one_condition(tmp_path):
    table = read(write(tmp_path, make_content()))
    assert stretches(table) == WHOLE
    second = table.frame.iloc[1]
    assert second["example_id"] == "S2/S2.pkl 7.000 s stress"
    assert (second["subject"], second["group"], second["split"]) == ("S2", "S2", "")
    assert second["source"] == second["recording"] == "S2/S2.pkl"
    assert list(table.frame["condition"]) == [0, 1, 2, 3]
    assert table.class_target.class_names == ("baseline", "stress", "amusement", "meditation")
    assert (table.read, table.groups_known) == (4, True)
    assert list(table.payload.index) == [0, 0, 0, 0]


def test_the_wrists_signals_start_at_0_at_their_own_rates(tmp_path):
    content = make_content()
    (recording,) = read(write(tmp_path, content)).payload.recordings
    assert (recording.name, recording.subject) == ("S2/S2.pkl", "S2")
    wrist = content["signal"]["wrist"]
    expected = {
        "bvp": (wrist["BVP"][:, 0], 64),
        "eda": (wrist["EDA"][:, 0], 4),
        "temperature": (wrist["TEMP"][:, 0], 4),
        "acceleration": (wrist["ACC"] / 64, 32),
    }
    assert set(recording.signals) == set(expected)
    for name, (values, rate) in expected.items():
        signal = recording.signals[name]
        np.testing.assert_array_equal(signal.values, values.astype(np.float32))
        assert (signal.values.dtype, signal.start_s, signal.rate_hz) == (np.float32, 0, rate)
        assert signal.end_s == SECONDS


def test_the_chests_signals_are_read_where_asked_for(tmp_path):
    content = make_content()
    (recording,) = read(write(tmp_path, content), chest=True).payload.recordings
    assert tuple(recording.signals) == (*WRIST, *CHEST) == tuple(wesad.UNITS)
    chest = content["signal"]["chest"]
    keys = ("ECG", "EMG", "EDA", "Temp", "Resp")
    for name, key in zip(CHEST[:-1], keys, strict=True):
        np.testing.assert_array_equal(
            recording.signals[name].values, chest[key][:, 0].astype(np.float32)
        )
        assert recording.signals[name].rate_hz == 700
    np.testing.assert_array_equal(
        recording.signals["chest_acceleration"].values, chest["ACC"].astype(np.float32)
    )


def test_labels_other_than_the_four_are_counted(tmp_path):
    odd = read(write(tmp_path, make_content())).payload.irregularities
    rows = [tuple(row) for row in odd.itertuples(index=False)]
    assert rows == [
        (
            *("S2/S2.pkl", "labels", "undefined", 700 * 3),
            "label 0, between two conditions, is no example",
        ),
        (
            *("S2/S2.pkl", "labels", "to be ignored", 700),
            "labels 5 to 7, which the owner tells to ignore, are no examples",
        ),
    ]


def test_a_stretch_may_begin_with_the_recording_and_end_with_it(tmp_path):
    table = read(write(tmp_path, make_content(plan=((1, 10), (5, 5), (7, 5), (2, 10)))))
    assert stretches(table) == [(0, 10, 1), (20, 30, 2)]
    odd = table.payload.irregularities.set_index("kind")["count"]
    assert odd.to_dict() == {"to be ignored": 7000}


def test_subjects_come_by_number_from_folders_and_archives(tmp_path):
    for subject in ("S10", "S2", "s3"):
        write(tmp_path / "a/WESAD", make_content(subject.upper(), PLAN[:3]), subject)
    (tmp_path / "a/WESAD/wesad_readme.pdf").write_bytes(b"")
    (tmp_path / "a/WESAD/S4").mkdir()
    found = wesad.find(tmp_path / "a")
    assert found.recordings == ("S2/S2.pkl", "s3/s3.pkl", "S10/S10.pkl")
    assert found.without == ("S4",)
    table = read(tmp_path / "a")
    assert list(table.frame["subject"]) == ["S2", "S3", "S10"]
    assert list(table.payload.index) == [0, 1, 2]
    (row,) = table.rejected.itertuples(index=False)
    assert tuple(row) == (
        *("S4/S4.pkl", "damaged", "the file cannot be read: No such file or directory"),
    )


def test_an_archive_needs_no_unpacking(tmp_path):
    plain = read(write(tmp_path / "all/WESAD", make_content()))
    archive = shutil.make_archive(str(tmp_path / "whole"), "zip", tmp_path / "all")
    assert read(Path(archive)).frame.equals(plain.frame)


def test_a_folder_of_another_kind_is_refused_with_the_layout(tmp_path):
    (tmp_path / "S2").mkdir()
    with pytest.raises(UserError) as caught:
        wesad.find(tmp_path)
    assert str(caught.value).startswith(
        f"{tmp_path}: this does not look like WESAD. Looked for S2/S2.pkl; found S2/. Expected "
        "layout:\nS2/S2.pkl"
    )


def test_the_notes_tell_how_much_of_whom(tmp_path):
    write(tmp_path, make_content())
    lines = wesad.notes(read(write(tmp_path, make_content("S17"), "S17")))
    assert lines[:3] == [
        "2 subjects, 8 stretches of one condition, 0.01 h in all",
        "signals: bvp, eda, temperature, acceleration",
        "not there, of the owner's 15 subjects: S3, S4, S5, S6, S7, S8, S9, S10, S11, S13, S14, "
        "S15, S16",
    ]
    assert "undefined: 4200 in 2 recordings; label 0, between two conditions, is no example" in (
        lines
    )


def test_a_second_reading_opens_no_pickle(tmp_path, monkeypatch):
    folder = write(tmp_path, make_content())
    first = read(folder)
    monkeypatch.setattr(wesad_file, "load_plain", None)
    second = read(folder)
    assert second.frame.equals(first.frame)
    assert second.payload.irregularities.equals(first.payload.irregularities)
    for name in WRIST:
        before, after = (table.payload.recordings[0].signals[name] for table in (first, second))
        np.testing.assert_array_equal(before.values, after.values)
        assert (before.start_s, before.rate_hz) == (after.start_s, after.rate_hz)
    with pytest.raises(TypeError):
        read(folder, chest=True)


def test_one_pickle_in_two_folders_is_told_of_the_one_that_it_does_not_name(tmp_path):
    write(tmp_path, make_content())
    table = read(write(tmp_path, make_content(), "S3"))
    odd = table.payload.irregularities
    others = odd[odd["kind"] == "other subject"]
    assert list(others["recording"]) == ["S3/S3.pkl"]
    assert set(table.frame["subject"]) == {"S2", "S3"}


def test_what_cannot_be_used_is_not_kept_in_the_cache(tmp_path):
    read(write(tmp_path, b"a letter"))
    assert not [*cache_dir("recordings").glob("*.npy")]
    assert len(read(write(tmp_path, make_content()))) == 4


def test_the_sample_is_read_with_what_was_planted_in_it(tmp_path):
    write_sample_wesad(tmp_path, subjects=4)
    table = read(tmp_path, chest=True)
    assert set(table.frame["subject"]) == {"S2", "S3", "S4", "S5"}
    assert list(table.frame["condition"].value_counts()) == [4, 4, 4, 4]
    assert not len(table.rejected)
    found = table.payload.irregularities.groupby(["recording", "signal", "kind"])["count"].sum()
    kinds = {"early end": "short signal", "no numbers": "no number"}
    signals = {"wrist TEMP": "temperature", "chest Temp": "chest_temperature"}
    expected = {
        (one.file, signals.get(one.note, "labels"), kinds.get(one.kind, one.kind)): one.count
        for one in planted(tmp_path).itertuples()
    }
    assert found.to_dict() == expected
    assert {kind for *_, kind in expected} >= {"short signal", "no number", "undefined"}


class Call:
    """Pickled as a call of a function."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


# Damage. Each case changes what a sound pickle holds, or returns bytes in place of it, and tells
# what must be counted, or why all of it must be rejected, in how many rows; the stretches that are
# left are told where they are not those of the sound file.

CASES = {}


def case(name, counted=None, rejected=None, rows=1, left=WHOLE, chest=False):
    """Add a case: a function from the content of a sound pickle to another content."""

    def add(function):
        assert name not in CASES
        CASES[name] = (function, counted or {}, rejected, rows, left, chest)
        return function

    return add


def without(content, *keys):
    """Return the content without an entry, the others being the same."""
    content = dict(content)
    if len(keys) == 1:
        del content[keys[0]]
    else:
        content[keys[0]] = without(content[keys[0]], *keys[1:])
    return content


def replaced(content, value, *keys):
    """Return the content with another value in place of one."""
    content = dict(content)
    content[keys[0]] = value if len(keys) == 1 else replaced(content[keys[0]], value, *keys[1:])
    return content


# Missing keys.
for _key in ("label", "signal", "subject"):
    _ends = {
        "label": {"rejected": "it has no labels (the key 'label' is missing)"},
        "signal": {"rejected": "no usable signal of the wrist", "rows": 4},
        "subject": {"counted": {("all", "other subject"): 1}},
    }

    @case(f"no key {_key}", **_ends[_key])
    def _(content, key=_key):
        return without(content, key)


@case("no wrist", rejected="no usable signal of the wrist", rows=4)
def _(content):
    return without(content, "signal", "wrist")


@case(
    "no wrist and no chest", rejected="no usable signal of the wrist or chest", rows=4, chest=True
)
def _(content):
    return replaced(content, {}, "signal")


@case("no chest, not asked for")
def _(content):
    return without(content, "signal", "chest")


@case("no chest", {(name, "no signal"): 1 for name in CHEST}, chest=True)
def _(content):
    return without(content, "signal", "chest")


@case("no wrist beside the chest", {(name, "no signal"): 1 for name in WRIST}, chest=True)
def _(content):
    return without(content, "signal", "wrist")


SENSORS = {
    **{("wrist", "BVP"): "bvp", ("wrist", "EDA"): "eda", ("wrist", "TEMP"): "temperature"},
    **{("wrist", "ACC"): "acceleration", ("chest", "ECG"): "chest_ecg"},
    **{("chest", "Temp"): "chest_temperature", ("chest", "ACC"): "chest_acceleration"},
}
for _place, _name in SENSORS.items():

    @case(f"no {'/'.join(_place)}", {(_name, "no signal"): 1}, chest=True)
    def _(content, place=_place):
        return without(content, "signal", *place)

    @case(f"{'/'.join(_place)} is empty", {(_name, "wrong form"): 1}, chest=True)
    def _(content, place=_place):
        return replaced(content, content["signal"][place[0]][place[1]][:0], "signal", *place)

    # Wrong lengths of a signal.
    @case(f"half of {'/'.join(_place)}", {(_name, "wrong length"): 1}, chest=True)
    def _(content, place=_place):
        values = content["signal"][place[0]][place[1]]
        return replaced(content, values[: len(values) // 2], "signal", *place)

    @case(f"{'/'.join(_place)} at another rate", {(_name, "wrong length"): 1}, chest=True)
    def _(content, place=_place):
        values = content["signal"][place[0]][place[1]]
        return replaced(content, np.repeat(values, 4, axis=0), "signal", *place)

    @case(
        f"{'/'.join(_place)} ends 0.5 s before the others",
        {(_name, "short signal"): RATES[_place[0]][_place[1]][0] // 2},
        chest=True,
    )
    def _(content, place=_place):
        values = content["signal"][place[0]][place[1]]
        return replaced(content, values[: -RATES[place[0]][place[1]][0] // 2], "signal", *place)

    # Texts in numbers, and other forms.
    for _form, _change in {
        "texts": lambda values: values.astype("U8"),
        "bytes": lambda values: values.astype("S8"),
        "a text": lambda values: "1 2 3",
        "nothing": lambda values: None,
        "one number": lambda values: np.float64(3),
        "a dict": lambda values: {"values": values},
        "lying": lambda values: values.T.copy(),
        "two columns": lambda values: np.ascontiguousarray(np.repeat(values, 2, axis=1)[:, :2]),
        "three axes": lambda values: values[None],
        "complex numbers": lambda values: values.astype(complex),
        "rows of different lengths": lambda values: [[1.0, 2.0], [3.0]],
    }.items():

        @case(f"{'/'.join(_place)} is {_form}", {(_name, "wrong form"): 1}, chest=True)
        def _(content, place=_place, change=_change):
            value = change(content["signal"][place[0]][place[1]])
            return replaced(content, value, "signal", *place)

    # Values that are no number.
    for _value in (np.nan, np.inf, -np.inf, 1e300):

        @case(f"{_value} in {'/'.join(_place)}", {(_name, "no number"): 2}, chest=True)
        def _(content, place=_place, value=_value):
            values = content["signal"][place[0]][place[1]].copy()
            values[3], values[7, -1] = value, value
            return replaced(content, values, "signal", *place)


@case("a signal without its second axis")
def _(content):
    return replaced(content, content["signal"]["wrist"]["BVP"][:, 0], "signal", "wrist", "BVP")


@case("a signal of whole numbers in a list")
def _(content):
    return replaced(content, [[3]] * 80, "signal", "wrist", "EDA")


@case("keys in small letters", chest=True)
def _(content):
    signal = {
        device.upper(): {key.lower(): values for key, values in found.items()}
        for device, found in content["signal"].items()
    }
    return replaced(content, signal, "signal")


# Labels against signals.
for _labels in (140, 560):

    @case(f"{_labels} labels are lacking", {("labels", "signals without label"): _labels})
    def _(content, number=_labels):
        return replaced(content, content["label"][:-number], "label")


@case("labels lack one", {("labels", "signals without label"): 1})
def _(content):
    return replaced(content, content["label"][:-1], "label")


for _labels in (140, 560):

    @case(
        f"{_labels} labels more",
        {("labels", "label without signals"): _labels},
        left=[*WHOLE, (19, 20, 1)],
    )
    def _(content, number=_labels):
        labels = np.append(content["label"][: 700 * 19], np.ones(700 + number, np.int32))
        return replaced(content, labels, "label")


for _share in (0.9, 0.5, 0.1, 0.001):
    _rows = {0.9: 4, 0.5: 2, 0.1: 1, 0.001: 1}[_share]

    @case(f"labels of {_share:.0%} of the time", rejected="its labels last", rows=_rows)
    def _(content, share=_share):
        labels = content["label"][: round(share * SAMPLES)].copy()
        if share == 0.001:
            labels[:] = 2
        return replaced(content, labels, "label")


@case("labels twice as long", rejected="its labels last 40.00 s, its signals 20.00 s", rows=8)
def _(content):
    return replaced(content, np.tile(content["label"], 2), "label")


@case("labels at the rate of the BVP", rejected="its labels last 1.83 s, its signals 20", rows=4)
def _(content):
    return replaced(content, np.repeat([0, 1, 2, 3, 4], 256), "label")


# Labels of another form.
for _name, _labels in {
    "texts": np.array(["baseline"] * SAMPLES),
    "a text": "baseline",
    "nothing": None,
    "none": np.empty(0, np.int32),
    "one number": 1,
    "a table": np.ones((700, 20), np.int32),
    "a dict": {1: "baseline"},
    "whether": np.ones(SAMPLES, bool),
}.items():

    @case(f"labels are {_name}", rejected="a row of numbers is expected as 'label', 700 a second")
    def _(content, labels=_labels):
        return replaced(content, labels, "label")


for _name, _change in {
    "real numbers": lambda labels: labels.astype(float),
    "small whole numbers": lambda labels: labels.astype(np.uint8),
    "a column": lambda labels: labels[:, None],
    "a list": lambda labels: labels.tolist(),
}.items():

    @case(f"labels are {_name}")
    def _(content, change=_change):
        return replaced(content, change(content["label"]), "label")


for _value in (np.nan, 1.5, np.inf, 1e200):

    @case(
        f"labels {_value} among others",
        {("labels", "no label"): 280},
        left=[(1, 2, 1), (2.4, 6, 1), *WHOLE[1:]],
    )
    def _(content, value=_value):
        labels = content["label"].astype(float)
        labels[1400:1680] = value
        return replaced(content, labels, "label")


@case("no label but 0", rejected="no stretch of it has a label")
def _(content):
    return replaced(content, np.zeros(SAMPLES, np.int32), "label")


# Another subject.
for _subject in ("S3", "", "Sören", 2, None, b"S2", ["S2"]):

    @case(f"the subject {_subject!r}", {("all", "other subject"): 1})
    def _(content, subject=_subject):
        return replaced(content, subject, "subject")


# Pickles that ask for more than plain data.
for _name, _evil in {
    "os.system": Call(os.system, ("echo ran > ran",)),
    "eval": Call(eval, ("open('ran', 'w')",)),
    "subprocess.Popen": Call(subprocess.Popen, (["touch", "ran"],)),
    "getattr": Call(getattr, ("text", "upper")),
    "a frame of pandas": pd.DataFrame({"a": [1]}),
    "objects": np.array([1, "x"], dtype=object),
    "records": np.zeros(3, dtype=[("a", "f4")]),
}.items():
    for _where in ("all", "label", "signal", "beside"):

        @case(
            f"{_name} as {_where}", rejected=("which plain data do not need", "cannot be read as a")
        )
        def _(content, evil=_evil, where=_where):
            return evil if where == "all" else {**content, where: evil}


# Files cut off, or others.
for _share in (0.0001, 0.01, 0.3, 0.7, 0.9999):

    @case(f"cut to {_share:.2%}", rejected="cannot be read as a pickle of plain data")
    def _(content, share=_share):
        whole = pickle.dumps(content, protocol=2)
        return whole[: int(share * len(whole))]


for _name, _content in {
    "empty": b"",
    "zero bytes": bytes(1000),
    "a text": b"a letter\n",
    "a zip": b"PK\x03\x04" + bytes(500),
    "a page": b"<html><body>404 Not Found</body></html>\n",
    "UTF-16": "subject".encode("utf-16"),
}.items():

    @case(f"the file is {_name}", rejected="cannot be read as a pickle of plain data")
    def _(content, new=_content):
        return new


for _name, _content in {"a list": [1, 2], "a number": 7, "a text": "S2", "none": None}.items():

    @case(f"the pickle is {_name}", rejected="a dict is expected in the file. Found: ")
    def _(content, new=_content):
        return pickle.dumps(new)


@pytest.fixture(scope="module")
def sound():
    return make_content()


@pytest.mark.parametrize("name", CASES)
def test_damage_is_counted_or_rejected(tmp_path, monkeypatch, sound, name):
    damage, counted, rejected, rows, left, chest = CASES[name]
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data", damage(sound))
    write(tmp_path / "data", make_content("S3", PLAN[:2]), "S3")
    table = read(tmp_path / "data", chest=chest)
    assert not (tmp_path / "ran").exists()
    assert list(table.frame.loc[table.frame["subject"] == "S3", "label"]) == [1]
    if rejected is None:
        assert not len(table.rejected)
        assert counts(table) == counted
        assert stretches(table) == left
    else:
        assert not (table.frame["subject"] == "S2").any()
        kind = "unlabelled" if "has a label" in rejected else "damaged"
        assert set(table.rejected["kind"]) == {kind}
        assert len(table.rejected) == rows
        reasons = (rejected,) if isinstance(rejected, str) else rejected
        assert all(any(one in reason for one in reasons) for reason in table.rejected["reason"])
        assert table.rejected["path"].str.startswith("S2/S2.pkl").all()
        assert not table.rejected["reason"].str.contains(str(tmp_path), regex=False).any()


@pytest.mark.parametrize("number", [8, -1, 99, 12345])
def test_a_label_that_is_not_the_owners_is_rejected(tmp_path, number):
    table = read(write(tmp_path, make_content(plan=((1, 10), (number, 10), (2, 10)))))
    assert stretches(table) == [(0, 10, 1), (20, 30, 2)]
    (row,) = table.rejected.itertuples(index=False)
    assert tuple(row) == (
        *(f"S2/S2.pkl 10.000 s label {number}", "damaged"),
        f"label {number} is none of the owner's",
    )


def test_a_stretch_behind_the_end_of_all_signals_is_rejected(tmp_path):
    content = make_content()
    content["label"] = np.append(content["label"], np.full(490, 2, np.int32))
    table = read(write(tmp_path, content))
    assert stretches(table) == WHOLE
    (row,) = table.rejected.itertuples(index=False)
    assert tuple(row) == (
        *("S2/S2.pkl 20.000 s stress", "damaged", "it begins behind the end of the signals"),
    )


def test_labels_that_change_with_every_sample_make_stretches_of_their_own(tmp_path):
    content = make_content()
    content["label"] = np.zeros(SAMPLES, np.int32)
    content["label"][700:720:2] = 1
    table = read(write(tmp_path, content))
    assert len(table) == 10
    assert table.frame["example_id"].is_unique
    np.testing.assert_allclose(table.frame["end_s"] - table.frame["start_s"], 1 / 700)


def test_of_a_pickle_without_signals_every_stretch_it_promises_is_named(tmp_path):
    content = make_content()
    del content["signal"]
    assert list(read(write(tmp_path, content)).rejected["path"]) == [
        *("S2/S2.pkl 1.000 s baseline", "S2/S2.pkl 7.000 s stress"),
        *("S2/S2.pkl 12.000 s amusement", "S2/S2.pkl 15.000 s meditation"),
    ]


def test_a_pickle_of_python_2_is_read(tmp_path):
    """As cPickle of Python 2 wrote the owner's: texts of bytes, escaped."""

    def array(values):
        shape = b"".join(b"I%d\n" % side for side in values.shape)
        text = repr(values.tobytes())[1:].encode()
        kind = values.dtype.str[1:].encode()
        return (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n("
            + shape
            + b"tcnumpy\ndtype\n(S'%s'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS" % kind
            + text
            + b"\ntb"
        )

    def mapping(content):
        parts = [b"(d"]
        for key, value in content.items():
            parts += [b"S%r\n" % key, mapping(value) if isinstance(value, dict) else array(value)]
            parts.append(b"s")
        return b"".join(parts)

    content = make_content(plan=((1, 2), (2, 2)))
    subject = content.pop("subject")
    text = mapping(content) + b"S'subject'\nS'%s'\ns." % subject.encode()
    table = read(write(tmp_path, text), chest=True)
    assert stretches(table) == [(0, 2, 1), (2, 4, 2)]
    assert counts(table) == {}
    np.testing.assert_array_equal(
        table.payload.recordings[0].signals["chest_respiration"].values,
        content["signal"]["chest"]["Resp"][:, 0].astype(np.float32),
    )

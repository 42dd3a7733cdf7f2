"""Folders of an Empatica E4: values, starts, the rules for what is irregular, and speed's price."""

import shutil

import numpy as np
import pytest

from affectkeras.datasets.e4_beats import interpolate_beats
from affectkeras.datasets.e4_files import read_e4_folder
from affectkeras.datasets.e4_numbers import parse_rows
from affectkeras.datasets.recordings import UNITS
from affectkeras.errors import UserError
from tests.tiny_e4 import SECONDS, START, e4_files, write_texts


def read(folder):
    return read_e4_folder(folder, "Raw_data/S02", "S02")


def counted(irregularities):
    return {(signal, kind): count for _, signal, kind, count, _ in irregularities}


def test_a_sound_recording_keeps_rates_starts_and_lengths(tmp_path):
    recording, irregularities = read(write_texts(tmp_path, e4_files()))
    assert (recording.name, recording.subject) == ("Raw_data/S02", "S02")
    found = {
        name: (signal.start_s, signal.rate_hz, signal.values.shape, signal.values.dtype)
        for name, signal in recording.signals.items()
    }
    assert found.pop("ibi")[:2] == (START, 4)
    assert found == {
        "bvp": (START, 64, (64 * SECONDS,), np.float32),
        "eda": (START, 4, (4 * SECONDS,), np.float32),
        "temperature": (START, 4, (4 * SECONDS,), np.float32),
        "heart_rate": (START + 10, 1, (SECONDS - 10,), np.float32),
        "acceleration": (START, 32, (32 * SECONDS, 3), np.float32),
    }
    assert set(recording.signals) <= set(UNITS)
    assert counted(irregularities).keys() == {("heart_rate", "late start"), ("ibi", "no beat")}
    assert counted(irregularities)["heart_rate", "late start"] == 10


def test_values_are_those_written_in_the_units_told(tmp_path):
    texts = {
        "BVP.csv": f"{START}.00\n64.000000\n-0.00\n-11.50\n1407.73\n",
        "EDA.csv": f"{START}.00\n4.000000\n0.000000\n0.622764\n",
        "TEMP.csv": f"{START}.00\n4.000000\n34.79\n0.00\n-3.25\n",
        "HR.csv": f"{START + 10}.00\n1.000000\n118.00\n0.00\n",
        "ACC.csv": f"{START}.00,{START}.00,{START}.00\n32,32,32\n2,10,63\n-128,0,127\n",
    }
    recording, irregularities = read(write_texts(tmp_path, texts))
    values = {name: signal.values.tolist() for name, signal in recording.signals.items()}
    as_float32 = np.float32([1407.73, 0.622764, 34.79]).tolist()
    assert values["bvp"] == [0.0, -11.5, as_float32[0]]
    assert np.isnan(values["eda"][0])
    assert values["eda"][1] == as_float32[1]
    assert values["temperature"][0] == as_float32[2]
    assert np.isnan(values["temperature"][1])
    assert values["temperature"][2] == -3.25
    assert values["heart_rate"][0] == 118
    assert np.isnan(values["heart_rate"][1])
    assert values["acceleration"] == [[2 / 64, 10 / 64, 63 / 64], [-2, 0, 127 / 64]]
    found = counted(irregularities)
    zeros = {signal: count for (signal, kind), count in found.items() if kind == "zero"}
    assert zeros == {"eda": 1, "temperature": 1, "heart_rate": 1}
    assert found["ibi", "no file"] == 1


def test_the_interval_between_beats_is_interpolated_up_to_two_seconds(tmp_path):
    beats = "0.500000,0.500000\n1.500000,1.000000\n4.000000,0.750000\n4.500000,0.500000\n"
    texts = {"EDA.csv": e4_files()["EDA.csv"], "IBI.csv": f"{START}.000000, IBI\n{beats}"}
    recording, irregularities = read(write_texts(tmp_path, texts))
    signal = recording.signals["ibi"]
    assert (signal.start_s, signal.rate_hz) == (START, 4)
    missing = [np.nan] * 9  # 1.75 to 3.75 s: the beats around are 2.5 s apart
    wanted = [np.nan, np.nan, 0.5, 0.625, 0.75, 0.875, 1.0, *missing, 0.75, 0.625, 0.5]
    np.testing.assert_array_equal(signal.values, np.float32(wanted))
    assert counted(irregularities)["ibi", "no beat"] == 11


def test_interpolated_beats_are_those_of_a_slow_loop():
    random = np.random.default_rng(4)
    times = np.cumsum(random.choice([0.5, 0.75, 1.0, 1.9, 2.0, 2.1, 6.0], 200))
    intervals = random.uniform(0.4, 1.5, 200)
    values = interpolate_beats(times, intervals)
    assert len(values) == int(times[-1] * 4) + 1
    for number, value in enumerate(values):
        moment = number / 4
        before, after = np.flatnonzero(times <= moment), np.flatnonzero(times >= moment)
        wanted = np.nan
        if len(before) and len(after):
            left, right = before[-1], after[0]
            gap = times[right] - times[left]
            if gap <= 2:
                share = (moment - times[left]) / gap if gap else 0
                wanted = intervals[left] + share * (intervals[right] - intervals[left])
        np.testing.assert_allclose(value, np.float32(wanted), rtol=1e-6)
    assert 0 < np.isnan(values).sum() < len(values)


@pytest.mark.parametrize("form", ["%.2f", "%.6f", "%d", "%g", "%.17g", "%e"])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_numbers_are_the_float64_nearest_to_their_text(form, columns):
    numbers = np.random.default_rng(columns).normal(0, 900, (400, columns))
    numbers[:3] = [[0], [-0.001], [99999]]
    cells = [[form % number for number in row] for row in numbers.tolist()]
    text = "".join(",".join(row) + "\n" for row in cells)
    rows = parse_rows(text.encode(), columns, head=2)
    assert rows.values.tolist() == [[float(cell) for cell in row] for row in cells]
    assert len(rows.bad) == 0
    assert (rows.line(0), rows.line(399)) == (3, 402)


@pytest.mark.parametrize(
    "text",
    ["x", "", "-", ".", "1.2.3", "--1", "1-2", "1_0", "1,2", "0x10", "1/2", "é", "\0", "12 5"],
)
def test_what_is_no_number_is_found_in_its_row(text):
    rows = parse_rows(f"1.25\n2.50\n{text}\n-4.00\n".encode(), 1, head=2)
    assert rows.bad.tolist() == [2]
    assert rows.values[[0, 1, 3], 0].tolist() == [1.25, 2.5, -4]
    assert np.isnan(rows.values[2, 0])
    assert rows.line(2) == 5


@pytest.mark.parametrize("row", ["1,2", "1,2,3,4", "1;2;3", "1,,3", "1,2,x", "1,2,", "1 2 3"])
def test_rows_of_other_than_three_numbers_are_found(row):
    rows = parse_rows(f"1,2,3\n{row}\n-4,5,-6\n".encode(), 3, head=2)
    assert rows.bad.tolist() == [1]
    assert rows.values[[0, 2]].tolist() == [[1, 2, 3], [-4, 5, -6]]


def test_names_in_any_case_and_tags_with_a_suffix_are_found(tmp_path):
    texts = e4_files()
    texts["tags_S02.csv"] = f"{texts.pop('tags.csv')}{START + 4000}\r\nx\r\n"
    recording, irregularities = read(
        write_texts(tmp_path, {name.lower(): text for name, text in texts.items()})
    )
    assert len(recording.signals) == 6
    found = counted(irregularities)
    assert (found["tags", "outside"], found["tags", "no number"]) == (1, 1)


def test_every_irregularity_names_its_recording_and_a_rule(tmp_path):
    texts = e4_files()
    del texts["TEMP.csv"]
    _, irregularities = read(write_texts(tmp_path, texts))
    assert len(irregularities) == 3
    for name, signal, kind, count, rule in irregularities:
        assert name == "Raw_data/S02"
        assert signal in UNITS
        assert kind
        assert rule
        assert count > 0


def test_a_folder_without_any_signal_is_named(tmp_path):
    write_texts(tmp_path, {"IBI.csv": e4_files()["IBI.csv"], "letter.txt": "hello"})
    with pytest.raises(UserError, match="no signal of an Empatica E4. Expected BVP.csv, EDA") as e:
        read(tmp_path)
    assert str(tmp_path) in str(e.value)
    assert "found IBI.csv, letter.txt" in str(e.value)
    shutil.rmtree(tmp_path)
    with pytest.raises(UserError, match="no signal of an Empatica E4"):
        read(tmp_path)


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    write_texts(tmp_path, e4_files())
    (tmp_path / "EDA.csv").unlink()
    (tmp_path / "EDA.csv").mkdir()
    with pytest.raises(UserError, match=r"EDA.csv: cannot be read \(Is a directory\)"):
        read(tmp_path)

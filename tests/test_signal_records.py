import dataclasses

import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.recordings import Signal
from affectkeras.files import read_csv
from affectkeras.pipelines.signals import Channel, cut_windows
from affectkeras.signal_records import label_counts, signal_excerpt, write_signal_records
from tests.tiny_recordings import CLASS_NAMES, START, stretch_table

CHANNELS = (Channel("bvp"), Channel("heart_rate"), Channel("acceleration", 0))


def excerpt_of(table, **options):
    settings = {"rate_hz": 4.0, "target": table.targets[0], "seconds": 20.0} | options
    return signal_excerpt(table, CHANNELS, **settings)


def test_windows_are_counted_by_subject_and_class_those_without_too():
    table = stretch_table(2, 4)
    frame = table.frame.assign(stress=[0, 0, 0, 1, 0, 0, 0, 0])
    counts = label_counts(dataclasses.replace(table, frame=frame), table.targets[0])
    assert counts.to_numpy().tolist() == [
        ["S00", "baseline", 3],
        ["S00", "stress", 1],
        ["S01", "baseline", 4],
        ["S01", "stress", 0],
    ]


def test_the_excerpt_holds_the_samples_of_its_time_and_those_at_the_common_rate():
    table = stretch_table(1, 4)
    found = excerpt_of(table)
    recording = table.payload.recordings[0]
    assert found["signals"].tolist() == ["bvp", "heart_rate", "acceleration"]
    assert found["units"].tolist() == ["device units", "beats/min", "g"]
    assert found["raw_rate_hz"].tolist() == [64, 1, 32]
    # The label changes 60 s after the start; the excerpt lies around that.
    assert found["start_s"] == START + 50
    assert found["label"].tolist() == list(CLASS_NAMES)
    assert found["label_from"].tolist() == [0, 10]
    assert found["label_to"].tolist() == [10, 20]
    np.testing.assert_array_equal(found["raw00"], recording.signals["bvp"].values[3200:4480])
    np.testing.assert_allclose(found["raw_seconds00"], np.arange(1280) / 64)
    # The heart rate begins 10 s later: its sample 40 is taken at second 50.
    np.testing.assert_array_equal(found["raw01"], recording.signals["heart_rate"].values[40:60])
    np.testing.assert_allclose(found["raw_seconds01"], np.arange(20))
    assert found["raw02"].shape == (640, 3)
    assert found["common02"].shape == (80, 3)
    np.testing.assert_allclose(found["common00"], found["raw00"].reshape(80, 16).mean(1), atol=1e-4)
    np.testing.assert_array_equal(found["common_seconds"], np.arange(80) / 4)


def test_times_of_samples_between_the_seconds_are_kept():
    table = stretch_table(1, 4)
    signals = dict(table.payload.recordings[0].signals)
    signals["heart_rate"] = Signal(np.arange(240, dtype="f4"), START + 0.25, 1.0)
    recording = dataclasses.replace(table.payload.recordings[0], signals=signals)
    payload = dataclasses.replace(table.payload, recordings=(recording,))
    found = excerpt_of(dataclasses.replace(table, payload=payload))
    np.testing.assert_allclose(found["raw_seconds01"], 0.25 + np.arange(20))
    np.testing.assert_array_equal(found["raw01"], np.arange(50, 70))


def test_the_excerpt_lies_where_least_is_missing():
    table = stretch_table(2, 4)
    signals = dict(table.payload.recordings[0].signals)
    signals["bvp"] = Signal(np.full(64 * 240, np.nan, "f4"), START, 64.0)
    broken = dataclasses.replace(table.payload.recordings[0], signals=signals)
    payload = dataclasses.replace(table.payload, recordings=(broken, table.payload.recordings[1]))
    found = excerpt_of(dataclasses.replace(table, payload=payload))
    assert (str(found["subject"]), str(found["recording"])) == ("S01", "S01")
    assert not np.isnan(found["common00"]).any()


def test_a_target_that_the_stretches_do_not_have_leaves_the_excerpt_without_labels():
    table = stretch_table(1, 4)
    target = dataclasses.replace(table.targets[0], name="level")
    found = excerpt_of(table, target=target)
    assert "label" not in found


def test_signals_that_the_recording_lacks_are_left_out():
    table = stretch_table(1, 4)
    found = signal_excerpt(
        table, (Channel("eda"), Channel("ibi")), rate_hz=4.0, target=table.targets[0], seconds=20.0
    )
    assert found["signals"].tolist() == ["eda"]
    assert found["raw00"].shape == found["common00"].shape == (80,)


def test_the_records_of_a_run_are_written_as_files(tmp_path):
    table = stretch_table(3, 4)
    windows = cut_windows(table, CHANNELS, seconds=10, place="inside")
    write_signal_records(tmp_path, table, windows, CHANNELS, rate_hz=4.0)
    counts = read_csv(tmp_path / "label_counts.csv")
    assert counts["windows"].sum() == len(windows)
    assert counts["subject"].unique().tolist() == ["S00", "S01", "S02"]
    irregularities = read_csv(tmp_path / "irregularities.csv")
    pd.testing.assert_frame_equal(irregularities, table.payload.irregularities, check_dtype=False)
    with np.load(tmp_path / "signal_excerpt.npz") as found:
        assert found["seconds"] == 60.0
        assert found["common00"].shape == (240,)


@pytest.mark.parametrize(
    ("name", "unit"), [("wesad", "g"), ("pamap2", ""), ("another", "g"), ("k_emocon", "g")]
)
def test_units_are_those_of_the_reader(tmp_path, name, unit):
    table = dataclasses.replace(stretch_table(1, 4), name=name)
    windows = cut_windows(table, CHANNELS, seconds=10, place="inside")
    write_signal_records(tmp_path, table, windows, CHANNELS, rate_hz=4.0)
    with np.load(tmp_path / "signal_excerpt.npz") as found:
        assert dict(zip(found["signals"], found["units"], strict=True))["acceleration"] == unit


def test_a_target_that_is_no_target_of_the_windows_is_named(tmp_path):
    table = stretch_table(1, 4)
    windows = cut_windows(table, CHANNELS, seconds=10, place="inside")
    with pytest.raises(Exception, match="has no target 'level'"):
        write_signal_records(tmp_path, table, windows, CHANNELS, rate_hz=4.0, target="level")

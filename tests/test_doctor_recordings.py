import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from affectkeras import doctor
from affectkeras.datasets import sfew
from affectkeras.datasets.recordings import Signal, irregularity_frame
from affectkeras.doctor_recordings import report_recordings
from affectkeras.doctor_report import Report
from tests.tiny_recordings import START, stretch_table


def report_of(table, **options):
    report = Report()
    report_recordings(report, table, **options)
    return report, "\n".join(report.lines)


def reader_of(table, **more):
    return SimpleNamespace(
        __name__="affectkeras.datasets.tiny",
        LAYOUT="S00/BVP.csv",
        find=lambda folder: sfew.Layout(),
        read=lambda folder, progress: table,
        **more,
    )


def change_signal(table, number, **signals):
    recordings = list(table.payload.recordings)
    old = recordings[number]
    recordings[number] = dataclasses.replace(old, signals={**old.signals, **signals})
    payload = dataclasses.replace(table.payload, recordings=tuple(recordings))
    return dataclasses.replace(table, payload=payload)


def test_recordings_subjects_and_hours_are_counted():
    _, text = report_of(stretch_table(3, 4, seconds=60))
    assert "3 recordings of 3 subjects, 12 labelled stretches, 0.20 h together" in text
    # The heart rate begins 10 s later than the others and ends 10 s later: 250 s each.
    assert "Signals: 0.21 h" in text


def test_each_signal_has_its_rate_unit_recordings_and_what_is_missing():
    table = stretch_table(4, 4)
    missing = np.full(240 * 4, np.nan, "f4")
    missing[: 240 * 2] = 1
    table = change_signal(table, 1, eda=Signal(missing, START, 4.0))
    recordings = list(table.payload.recordings)
    del recordings[2].signals["acceleration"]
    _, text = report_of(table)
    lines = [line.split() for line in text.splitlines()]
    assert ["bvp", "64", "Hz", "device", "units", "1", "4", "of", "4", "0.0%"] in lines
    assert ["eda", "4", "Hz", "µS", "1", "4", "of", "4", "12.5%"] in lines
    assert ["acceleration", "32", "Hz", "g", "3", "3", "of", "4", "0.0%"] in lines


def test_irregularities_stand_by_kind_with_their_rules():
    _, text = report_of(stretch_table())
    rule = "0 beats a minute is no heart rate: missing"
    assert f"  heart_rate, zero: 5 in 2 recordings; {rule}" in text
    assert "  bvp, late start: 1 in 1 recordings; begins when its own file says" in text


def test_what_the_reader_says_stands_in_the_place_of_what_is_counted():
    _, text = report_of(stretch_table(), notes=["four people, as ever"])
    assert "Recordings\n  four people, as ever\n" in text
    assert "labelled stretches" not in text
    assert "Irregularities" not in text


def test_ratings_are_counted_by_level():
    table = stretch_table(2, 5, targets="number")
    table.frame.loc[0, "arousal"] = np.nan
    _, text = report_of(table)
    lines = [line.split() for line in text.splitlines()]
    assert "Stretches by arousal" in text
    # Ratings 1–5 in turn for S00, 2–5 and 1 for S01; one of level 1 was taken away.
    assert ["1", "1", "11.1%"] in lines
    assert ["2", "2", "22.2%"] in lines
    assert "  without: 1" in text


def test_numbers_that_are_no_ratings_are_summed_up():
    table = stretch_table(3, 8, targets="number")
    table.frame["arousal"] = np.arange(24) / 10
    _, text = report_of(table)
    assert "from 0 to 2.3, mean 1.15" in text


def test_one_persons_signal_under_another_name_is_a_problem():
    table = stretch_table(3, 4)
    table = change_signal(table, 2, bvp=table.payload.recordings[0].signals["bvp"])
    report, text = report_of(table)
    assert "S00 = S02: bvp" in text
    assert len(report.problems) == 1
    assert "recordings of different subjects share signals (1 pairs)" in report.problems[0]


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_flat_or_missing_signals_are_no_copies(value):
    flat = Signal(np.full(960, value, "f4"), START, 4.0)
    table = change_signal(change_signal(stretch_table(2, 4), 0, eda=flat), 1, eda=flat)
    assert report_of(table)[0].problems == []


def test_the_doctor_reads_recordings_and_finds_no_problem(tmp_path):
    table = stretch_table()
    table = dataclasses.replace(table, rejected=table.rejected[:0], read=16)
    reader = reader_of(table, UNITS={"bvp": "light"})
    report = doctor.examine(reader, tmp_path, progress=False)
    text = "\n".join(report.lines)
    assert report.problems == []
    assert "Stretches per class (stress)\n            no split\n  baseline         8" in text
    assert "Groups: 4\n  no split: 4" in text
    assert "64 Hz  light" in text
    assert "images" not in text.lower()
    assert "Read 16 = 16 used + 0 damaged + 0 unlabelled + 0 excluded" in text


def test_damaged_recordings_and_classes_without_stretches_are_problems(tmp_path):
    table = stretch_table()
    table.frame["stress"] = 0
    report = doctor.examine(reader_of(table), tmp_path, progress=False)
    text = "\n".join(report.lines)
    assert "Cannot be used: 1\n  S09/BVP.csv: the file is empty" in text
    assert "no usable stretch of the class stress" in report.problems


def test_a_table_without_a_recording_is_told(tmp_path):
    table = stretch_table()
    empty = dataclasses.replace(
        table,
        frame=table.frame[:0],
        payload=dataclasses.replace(
            table.payload,
            recordings=(),
            index=np.empty(0, np.int64),
            irregularities=irregularity_frame(),
        ),
        read=1,
    )
    report = doctor.examine(reader_of(empty), tmp_path, progress=False)
    assert "Recordings\n  none that can be used" in "\n".join(report.lines)
    assert "not a single usable example" in report.problems

"""Stress-Predict: stretches of seconds labelled alike, what is set aside, the owner's own files."""

import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from affectkeras.datasets import stress_predict
from affectkeras.datasets.e4_second_labels import find_stretches
from affectkeras.datasets.sample import write_sample_stress_predict
from affectkeras.errors import UserError
from tests.tiny_e4 import LABEL_HEADER, LABELS, RUNS, START, stress_predict_texts, write_texts

REAL = os.environ.get("AFFECTKERAS_REAL_DATA")


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def read(folder):
    table = stress_predict.read(folder, progress=False)
    assert table.read == len(table) + len(table.rejected)
    return table


def counted(table):
    rows = table.payload.irregularities.itertuples()
    return {(row.recording, row.signal, row.kind): row.count for row in rows}


def test_a_row_is_a_stretch_of_one_label(tmp_path):
    table = read(write_texts(tmp_path, stress_predict_texts()))
    assert len(table) == 6
    assert not len(table.rejected)
    frame = table.frame
    assert frame["example_id"].tolist()[:2] == [
        "Raw_data/S02 stretch 01",
        "Raw_data/S02 stretch 02",
    ]
    assert frame["subject"].tolist() == ["S02"] * 3 + ["S03"] * 3
    assert frame["group"].tolist() == frame["subject"].tolist()
    assert table.groups_known
    assert set(frame["split"]) == {""}
    assert set(frame["source"]) == {LABELS}
    assert frame["stress"].tolist() == [0, 1, 0] * 2
    told = [START + 5000 * later + edge for later in (0, 1) for run in RUNS for edge in run[:2]]
    assert frame[["start_s", "end_s"]].to_numpy().ravel().tolist() == told
    assert table.class_target.class_names == ("baseline", "stress")
    names = [table.payload.recordings[place].name for place in table.payload.index]
    assert names == frame["recording"].tolist()


def test_taking_rows_keeps_their_recordings(tmp_path):
    table = read(write_texts(tmp_path, stress_predict_texts()))
    fewer = table.keep(table.frame["subject"] == "S03", "another subject")
    assert fewer.payload.index.tolist() == [1, 1, 1]
    assert fewer.payload.recordings[1].subject == "S03"


def test_find_tells_the_labels_and_the_participants(tmp_path):
    texts = stress_predict_texts() | {"Raw_data/Readme": "", "Raw_data/S1a/x.csv": ""}
    layout = stress_predict.find(write_texts(tmp_path, texts))
    assert layout.labels == tmp_path / LABELS
    assert layout.recordings == ("S02", "S03")


def test_seconds_beside_the_signals_are_left_out_and_counted(tmp_path):
    texts = stress_predict_texts()
    rows = [f"2,,12,{START + second},0" for second in range(-3, 104)]
    texts[LABELS] = "\n".join([LABEL_HEADER, *rows])
    table = read(write_texts(tmp_path, texts))
    assert table.frame[["start_s", "end_s"]].to_numpy().tolist() == [[START, START + 100]]
    found = counted(table)
    assert found["Raw_data/S02", "labels", "before the signal"] == 3
    assert found["Raw_data/S02", "labels", "after the signal"] == 4


def test_a_stretch_beside_the_signals_is_set_aside(tmp_path):
    texts = stress_predict_texts()
    texts[LABELS] += "".join(f"2,,12,{START + 9000 + second},1\n" for second in range(5))
    table = read(write_texts(tmp_path, texts))
    assert len(table) == 6
    path, kind, reason = table.rejected.iloc[0]
    assert (path, kind) == ("Raw_data/S02 stretch 04", "damaged")
    assert reason.startswith("no signal at its time: it lasts from 1644236574.00 to 1644236579.00")
    assert f"Mend {LABELS}" in reason


def test_participants_without_labels_or_without_a_folder_are_counted(tmp_path):
    texts = stress_predict_texts()
    texts["Raw_data/S01/EDA.csv"] = texts["Raw_data/S03/EDA.csv"]
    texts[LABELS] += f"17,80,12,{START},0\n17,80,12,{START + 1},1\n"
    table = read(write_texts(tmp_path, texts))
    assert len(table) == 6
    assert table.rejected.to_numpy().tolist() == [
        ["Raw_data/S01", "unlabelled", f"{LABELS} has no label of participant 1"],
        *(
            [
                f"Raw_data/S17 stretch 0{number}",
                "damaged",
                f"{LABELS} labels participant 17, but Raw_data has no such folder. Add it.",
            ]
            for number in (1, 2)
        ),
    ]


def test_two_folders_of_one_participant_are_refused(tmp_path):
    texts = stress_predict_texts() | {"Raw_data/S2/EDA.csv": ""}
    with pytest.raises(UserError, match="S02 and S2 are both folders of participant 2"):
        read(write_texts(tmp_path, texts))


@pytest.mark.parametrize("part", ["Raw_data", "Processed_data", LABELS])
def test_a_missing_part_is_named_with_the_layout(tmp_path, part):
    texts = stress_predict_texts()
    kept = {name: text for name, text in texts.items() if not name.startswith(part)}
    write_texts(tmp_path, kept | {"Processed_data/other.csv": ""} if part == LABELS else kept)
    with pytest.raises(UserError, match="this does not look like Stress-Predict. Looked") as caught:
        read(tmp_path)
    assert stress_predict.LAYOUT.strip() in str(caught.value)
    if part == LABELS:
        assert f"Looked for {LABELS}" in str(caught.value)


def test_archives_are_read_as_they_come(tmp_path):
    folder = write_texts(tmp_path / "in", stress_predict_texts())
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        for path in folder.rglob("*.csv"):
            archive.write(path, "Stress-Predict-main" / path.relative_to(folder))
    with tarfile.open(tmp_path / "whole.tar.gz", "w:gz") as archive:
        archive.add(folder, ".")
    raw = tmp_path / "half/Raw_data.zip"
    write_texts(tmp_path / "half", {LABELS: (folder / LABELS).read_text()})
    with zipfile.ZipFile(raw, "w") as archive:
        for path in (folder / "Raw_data").rglob("*.csv"):
            archive.write(path, path.relative_to(folder))
    wanted = read(folder)
    for place in ("whole.zip", "whole.tar.gz", "half"):
        table = read(tmp_path / place)
        assert table.frame.equals(wanted.frame)


def find(rows):
    times, labels = np.array(rows, dtype=np.float64).reshape(-1, 2).T
    return find_stretches(times, labels.astype(np.int64))


def test_runs_of_consecutive_seconds_are_split_by_labels_and_gaps():
    runs, counts = find([(7, 0), (8, 0), (9, 1), (10, 1), (12, 1), (13, 1), (20, 0)])
    assert runs == [(7, 9, 0), (9, 11, 1), (12, 14, 1), (20, 21, 0)]
    assert counts["gap in time"] == 2
    assert sum(counts.values()) == 2


def test_repeated_decreasing_and_contradicting_seconds_are_counted():
    runs, counts = find([(5, 0), (6, 0), (6, 0), (8, 0), (7, 0), (9, 1), (9, 0), (10, 1), (10, 1)])
    assert runs == [(5, 9, 0), (10, 11, 1)]
    assert counts == {
        "decreasing time": 1,
        "repeated second": 2,
        "contradicting labels": 2,
        "gap in time": 1,
    }


def test_seconds_all_contradicted_make_no_stretch():
    runs, counts = find([(5, 0), (5, 1)])
    assert runs == []
    assert counts["contradicting labels"] == 2


def test_times_between_whole_seconds_are_no_gaps():
    runs, counts = find([(5.0, 0), (6.4, 0), (7.0, 0), (7.5, 1), (8.5, 1)])
    assert runs == [(5, 7.5, 0), (7.5, 9.5, 1)]
    assert counts["gap in time"] == 0


@pytest.mark.parametrize("seed", range(10))
def test_stretches_are_those_of_a_slow_loop(seed):
    random = np.random.default_rng(seed)
    times = np.sort(random.choice(60, 40, replace=False)).astype(np.float64)
    labels = random.integers(0, 2, 40)
    wanted = []
    for time, label in zip(times.tolist(), labels.tolist(), strict=True):
        if wanted and wanted[-1][1] == time and wanted[-1][2] == label:
            wanted[-1] = (wanted[-1][0], time + 1, label)
        else:
            wanted.append((time, time + 1, label))
    order = random.permutation(40)
    assert find_stretches(times[order], labels[order])[0] == wanted


def test_notes_tell_seconds_of_each_label_and_every_rule(tmp_path):
    notes = stress_predict.notes(read(write_texts(tmp_path, stress_predict_texts())))
    assert notes[0].startswith("2 recordings of 2 subjects, 6 labelled stretches; a recording last")
    assert notes[1] == "baseline: 4 stretches of 30 to 30 s, 120 s together"
    assert notes[2] == "stress: 2 stretches of 30 to 30 s, 60 s together"
    assert any(line.startswith("heart_rate, late start: 20 in 2 recordings (") for line in notes)


def test_the_sample_is_read_whole_and_its_irregularities_are_found(tmp_path):
    write_sample_stress_predict(tmp_path, participants=3)
    table = read(tmp_path)
    assert set(table.frame["subject"]) == {"S02", "S03"}
    assert table.rejected[["path", "kind"]].to_numpy().tolist() == [["Raw_data/S01", "unlabelled"]]
    found = counted(table)
    for name in ("Raw_data/S02", "Raw_data/S03"):
        assert found[name, "heart_rate", "late start"] == 10
        assert found[name, "eda", "zero"] >= 1
    spans = table.frame.groupby("recording").agg({"start_s": "min", "end_s": "max"})
    for recording in table.payload.recordings:
        bvp = recording.signals["bvp"]
        assert bvp.start_s <= spans.loc[recording.name, "start_s"]
        assert bvp.end_s - 2 <= spans.loc[recording.name, "end_s"] <= bvp.end_s + 2


@pytest.fixture(scope="module")
def real_table():
    if REAL is None:
        pytest.skip("AFFECTKERAS_REAL_DATA names no folder of real data")
    archives = sorted((Path(REAL) / "data" / "stress_predict").glob("*.tar.gz"))
    return stress_predict.read(archives[0], progress=False)


def test_the_owners_recordings_are_read_whole(real_table):
    assert real_table.read == len(real_table) == 126
    assert real_table.frame["subject"].nunique() == 18
    assert real_table.frame.groupby("subject")["stress"].agg(list).map(tuple).unique().tolist() == [
        (0, 1, 0, 1, 0, 1, 0)
    ]
    seconds = real_table.frame["end_s"] - real_table.frame["start_s"]
    by_label = seconds.groupby(real_table.frame["stress"]).sum()
    assert by_label.round().tolist() == [40664, 19321]


def test_the_owners_recordings_hold_every_signal_at_its_rate(real_table):
    rates = {"bvp": 64, "eda": 4, "temperature": 4, "heart_rate": 1, "acceleration": 32, "ibi": 4}
    for recording in real_table.payload.recordings:
        assert {name: signal.rate_hz for name, signal in recording.signals.items()} == rates
        late = recording.signals["heart_rate"].start_s - recording.signals["bvp"].start_s
        assert late == 10
        assert np.isnan(recording.signals["eda"].values[0])
        assert not np.isnan(recording.signals["bvp"].values).any()
        assert np.abs(recording.signals["acceleration"].values).max() <= 2


def test_the_owners_irregularities_are_counted(real_table):
    sums = real_table.payload.irregularities.groupby(["signal", "kind"])["count"].sum().to_dict()
    assert sums == {
        ("eda", "zero"): 46,
        ("heart_rate", "late start"): 180,
        ("ibi", "no beat"): 155765,
        ("labels", "after the signal"): 4,
        ("tags", "outside"): 3,
    }

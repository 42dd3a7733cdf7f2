"""Recordings of wearables on the command line: windows, rows, gaps, pictures."""

import io
import types

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras import datasets, predict, predict_signals, signal_model
from affectkeras.datasets import empatica_e4
from affectkeras.datasets.recordings import (
    Recording,
    RecordingPayload,
    Signal,
    irregularity_frame,
)
from affectkeras.datasets.table import ExampleTable, Target, rejected_frame
from affectkeras.errors import UserError
from affectkeras.export_signals import export_signal_model
from affectkeras.pipelines.signals import Channel, cut_windows
from affectkeras.reporting.signal_prediction_plot import ShownSignal, draw_signal_predictions
from affectkeras.signal_facts import SignalFacts
from affectkeras.signal_model import SignalModel, predict_recording, scales_of, served_windows

START = 1_700_000_000  # 2023-11-14T22:13:20Z
CLASS_NAMES = ("cool", "warm")
COLUMNS = [
    *("recording", "subject", "window_start_s", "window_end_s", "start"),
    *("class_name", "probability", "p_cool", "p_warm", "error"),
]
WINDOW = 5


def facts_of(*signals, **changes):
    known = {
        "recipe": "stress_predict_fusion",
        "sample": False,
        "quick": False,
        "target": "warmth",
        "class_names": CLASS_NAMES,
        "channels": tuple(Channel(name) for name in signals or ("temperature",)),
        "rate_hz": 4.0,
        "seconds": float(WINDOW),
        "scale": "none",
        "rows": "samples",
    }
    return SignalFacts(**known | changes)


def stand_in(facts=None):
    """A model that calls a window warm by its last channel's mean in °C: 30 → 0, 40 → 1."""

    def read(windows):
        warm = (windows[:, :, -1].mean(axis=1) - 30) / 10
        return np.stack([1 - warm, warm], axis=1).astype(np.float32)

    return SignalModel(facts or facts_of(), read)


def serve(monkeypatch, model):
    monkeypatch.setattr(predict_signals, "load_signal_model", lambda run: model)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder whose model is a stand-in of temperature."""
    folder = tmp_path / "run"
    (folder / "saved_model").mkdir(parents=True)
    (folder / "saved_model" / "saved_model.pb").touch()
    (folder / "signal_model.json").write_text("{}")
    serve(monkeypatch, stand_in())
    return folder


@pytest.fixture
def face_run(tmp_path, monkeypatch):
    """A run folder whose model reads pictures."""
    folder = tmp_path / "face_run"
    (folder / "saved_model").mkdir(parents=True)
    (folder / "saved_model" / "saved_model.pb").touch()
    monkeypatch.setattr(signal_model, "load_saved_model", lambda folder: Loaded())
    return folder


class Loaded:
    """A SavedModel that tells nothing of itself."""

    signatures = {}


def write_e4(folder, *, start=START, **files):
    """Write files of an E4: `TEMP=(4, values)` becomes TEMP.csv."""
    folder.mkdir(parents=True)
    for name, (rate, values) in files.items():
        lines = [f"{start:.2f}", f"{rate:.6f}", *(f"{value:.2f}" for value in values)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder


def by_window(*degrees, rate=4):
    """Return a temperature that is steady for five seconds, then changes."""
    return rate, np.repeat(degrees, WINDOW * rate)


def read_rows(path):
    return pd.read_csv(path, keep_default_na=False)


def test_every_window_is_a_row_with_times_and_probabilities(run, tmp_path, capsys):
    write_e4(tmp_path / "mine" / "Ann" / "monday", TEMP=by_window(32, 39, 33))
    predict.predict_command(run, [tmp_path / "mine"], csv=tmp_path / "out" / "rows.csv")
    rows = read_rows(tmp_path / "out" / "rows.csv")
    assert list(rows.columns) == COLUMNS
    assert set(rows["recording"]) == {"Ann/monday"}
    assert set(rows["subject"]) == {"Ann"}
    assert rows["window_start_s"].tolist() == [START, START + 5, START + 10]
    assert rows["window_end_s"].tolist() == [START + 5, START + 10, START + 15]
    assert rows["start"].tolist() == [
        f"2023-11-14T22:13:{second}.000Z" for second in ("20", "25", "30")
    ]
    assert rows["class_name"].tolist() == ["cool", "warm", "cool"]
    np.testing.assert_allclose(rows["p_warm"], [0.2, 0.9, 0.3], atol=1e-6)
    np.testing.assert_allclose(rows["p_cool"], [0.8, 0.1, 0.7], atol=1e-6)
    np.testing.assert_allclose(rows["probability"], [0.8, 0.9, 0.7], atol=1e-6)
    assert set(rows["error"]) == {""}
    out, err = capsys.readouterr()
    assert out == ""
    assert "warmth (cool, warm) from temperature at 4 Hz, windows of 5 s every 5 s." in err
    assert "Ann/monday: 3 windows, 3 predicted, mostly cool (67%)" in err
    assert "1 recordings with 3 windows read: 3 predicted, 0 set aside. Written to" in err
    assert "scaled" not in err


def test_windows_may_overlap_and_begin_as_often_as_is_said(run, tmp_path):
    write_e4(tmp_path / "Ann", TEMP=by_window(32, 38))
    predict.predict_command(run, [tmp_path / "Ann"], csv=tmp_path / "rows.csv", step_s=2.5)
    rows = read_rows(tmp_path / "rows.csv")
    assert (rows["window_start_s"] - START).tolist() == [0, 2.5, 5]
    assert rows["start"][1] == "2023-11-14T22:13:22.500Z"
    np.testing.assert_allclose(rows["p_warm"], [0.2, 0.5, 0.8], atol=1e-6)


def test_rows_go_to_standard_output_and_the_rest_to_standard_error(run, tmp_path, capsys):
    write_e4(tmp_path / "Ann", TEMP=by_window(32, 39))
    predict.predict_command(run, [tmp_path / "Ann"])
    out, err = capsys.readouterr()
    rows = pd.read_csv(io.StringIO(out), keep_default_na=False)
    assert list(rows.columns) == COLUMNS
    assert rows["class_name"].tolist() == ["cool", "warm"]
    assert err.endswith("1 recordings with 2 windows read: 2 predicted, 0 set aside.\n")


def test_a_window_with_too_many_gaps_is_a_row_with_the_reason(run, tmp_path, capsys):
    rate, values = by_window(32, 39, 33, 36)
    values[20:25] = 0  # 5 of 20 samples: more than a fifth
    values[40:44] = 0  # 4 of 20: filled
    write_e4(tmp_path / "Ann", TEMP=(rate, values))
    predict.predict_command(run, [tmp_path / "Ann"], csv=tmp_path / "rows.csv")
    rows = read_rows(tmp_path / "rows.csv")
    assert rows["error"].tolist() == [
        *("", "temperature: 25.0% of the window is missing, more than 20.0%", "", "")
    ]
    assert rows["class_name"].tolist() == ["cool", "", "cool", "warm"]
    assert rows.loc[1, ["probability", "p_cool", "p_warm"]].tolist() == ["", "", ""]
    np.testing.assert_allclose(rows["p_warm"][[0, 2, 3]].astype(float), [0.2, 0.3, 0.6], atol=1e-6)
    err = capsys.readouterr().err
    assert "4 windows read: 3 predicted, 1 set aside for gaps (1 in temperature)." in err
    # What the reader found in it is said with its rule.
    assert f"{tmp_path / 'Ann'}: not as the layout promises:\n  temperature, zero: 9 (0 in " in err


def test_the_gaps_that_are_allowed_are_those_of_the_model(run, tmp_path, monkeypatch):
    rate, values = by_window(32, 39)
    values[20:25] = 0
    write_e4(tmp_path / "Ann", TEMP=(rate, values))
    serve(monkeypatch, stand_in(facts_of(max_gap=0.25)))
    predict.predict_command(run, [tmp_path / "Ann"], csv=tmp_path / "rows.csv")
    assert set(read_rows(tmp_path / "rows.csv")["error"]) == {""}


def test_recordings_without_a_window_get_one_row_each(run, tmp_path, capsys):
    write_e4(tmp_path / "mine" / "a", TEMP=by_window(39))
    write_e4(tmp_path / "mine" / "b", TEMP=(4, [33] * 13))
    write_e4(tmp_path / "mine" / "c", EDA=(4, [0.5] * 40), HR=(1, [60] * 10))
    predict.predict_command(run, [tmp_path / "mine"], csv=tmp_path / "rows.csv")
    rows = read_rows(tmp_path / "rows.csv")
    assert rows["recording"].tolist() == ["a", "b", "c"]
    assert rows["error"].tolist() == [
        "",
        "3.2 s long, shorter than a window of 5 s",
        "no signal temperature; there are eda, heart_rate",
    ]
    assert rows["window_start_s"].tolist() == [f"{START}.0", "", ""]
    assert rows["class_name"].tolist() == ["warm", "", ""]
    assert rows["start"].tolist()[1:] == ["", ""]
    err = capsys.readouterr().err
    assert "b: no window: 3.2 s long" in err
    assert "3 recordings with 1 windows read: 1 predicted, 0 set aside; 2 recordings without" in err


def test_windows_begin_with_the_first_signal_that_is_read(run, tmp_path, monkeypatch):
    """A signal that starts later is missing until then, and one that is not read does not count."""
    serve(monkeypatch, stand_in(facts_of("eda", "temperature")))
    write_e4(tmp_path / "Ann", TEMP=by_window(32, 39, 36))
    for name, late, rate, value in (("EDA", 2, 4, 0.5), ("ACC", -3, 32, "1,2,3")):
        lines = [f"{START + late}.00", f"{rate}.0", *[str(value)] * (12 * rate)]
        if name == "ACC":
            lines[:2] = [", ".join([line] * 3) for line in lines[:2]]
        (tmp_path / "Ann" / f"{name}.csv").write_text("\n".join(lines) + "\n")
    predict.predict_command(run, [tmp_path / "Ann"], csv=tmp_path / "rows.csv")
    rows = read_rows(tmp_path / "rows.csv")
    assert (rows["window_start_s"] - START).tolist() == [0, 5, 10]
    assert rows["error"].tolist() == [
        "eda: 40.0% of the window is missing, more than 20.0%",
        "",
        "",
    ]


def test_a_signal_that_no_recording_has_is_named_with_those_there_are(run, tmp_path, monkeypatch):
    serve(monkeypatch, stand_in(facts_of("heart_rate", "temperature")))
    write_e4(tmp_path / "Ann", TEMP=by_window(32), EDA=(4, [0.5] * 20))
    with pytest.raises(UserError, match="no recording has the signal heart_rate, .* eda, temper"):
        predict.predict_command(run, [tmp_path / "Ann"], csv=tmp_path / "rows.csv")
    assert not (tmp_path / "rows.csv").exists()


def test_signals_are_scaled_over_all_that_is_given_of_a_subject(run, tmp_path, monkeypatch, capsys):
    """30, 34 and 38, 38 °C: mean 35, deviation √11; another subject has a scale of its own."""
    facts = facts_of(scale="subject")
    seen = []

    def read(windows):
        seen.append(windows[:, 0, 0].copy())
        return np.tile(np.float32([0.5, 0.5]), (len(windows), 1))

    serve(monkeypatch, SignalModel(facts, read))
    write_e4(tmp_path / "mine" / "Ann" / "1", TEMP=by_window(30, 34))
    write_e4(tmp_path / "mine" / "Ann" / "2", start=START + 9000, TEMP=by_window(38, 38))
    write_e4(tmp_path / "mine" / "Bob" / "1", TEMP=by_window(20, 22))
    predict.predict_command(run, [tmp_path / "mine"], csv=tmp_path / "rows.csv")
    deviation = np.sqrt(11)
    np.testing.assert_allclose(seen[0], [-5 / deviation, -1 / deviation], rtol=1e-5)
    np.testing.assert_allclose(seen[1], [3 / deviation] * 2, rtol=1e-5)
    np.testing.assert_allclose(seen[2], [-1, 1], rtol=1e-5)
    assert "scaled by its mean and standard deviation over all that a folder" in (
        capsys.readouterr().err
    )


def test_a_model_of_scaled_signals_is_never_given_them_as_they_are():
    recording = random_recording("a", "Ann", 1)
    model = stand_in(facts_of("eda", scale="subject"))
    with pytest.raises(ValueError, match="`scale` must be given"):
        predict_recording(model, recording, 5.0)


def random_recording(name, subject, seed):
    random = np.random.default_rng(seed)
    signals = {
        "eda": Signal(random.normal(3, 1, 242).astype("f4"), START + 0.25, 4.0),
        "bvp": Signal(random.normal(0, 50, 64 * 58).astype("f4"), START, 64.0),
        "heart_rate": Signal(random.normal(70, 5, 50).astype("f4"), START + 10, 1.0),
        "acceleration": Signal(random.normal(0, 1, (32 * 60, 3)).astype("f4"), START, 32.0),
    }
    for signal in signals.values():
        first = random.integers(0, len(signal.values) - 9)
        signal.values[first : first + 9] = np.nan
    return Recording(name, subject, signals)


@pytest.mark.parametrize("scale", ["none", "subject", "rank"])
def test_windows_are_those_that_the_model_was_trained_on(scale):
    recordings = [random_recording(str(seed), "AAB"[seed], seed) for seed in range(3)]
    channels = (
        *(Channel("bvp"), Channel("eda"), Channel("heart_rate")),
        *(Channel("acceleration", 1), Channel("acceleration", "length")),
    )
    facts = facts_of(channels=channels, scale=scale)
    names = [one.name for one in recordings]
    begin, end = START, START + 60.75
    frame = pd.DataFrame(dict.fromkeys(("example_id", "group", "source", "recording"), names))
    frame = frame.assign(
        subject=[one.subject for one in recordings], split="", start_s=begin, end_s=end
    )
    table = ExampleTable(
        *("random", frame, ()),
        RecordingPayload(tuple(recordings), np.arange(3), irregularity_frame()),
        groups_known=True,
        rejected=rejected_frame(),
        read=3,
    )
    cut = cut_windows(table, channels, seconds=5, place="inside", step_s=2.5, scale=scale)
    expected, scales = cut.payload.arrays["signals"], scales_of(recordings, facts)
    found, reasons = zip(
        *(
            served_windows(
                one,
                facts,
                signal_model.window_starts(one, facts, 2.5),
                scales.get(one.subject),
            )
            for one in recordings
        ),
        strict=True,
    )
    reasons = np.concatenate(reasons)
    assert len(reasons) == 3 * 23
    assert 0 < len(expected) < len(reasons)
    np.testing.assert_allclose(np.concatenate(found)[reasons == ""], expected, rtol=1e-5, atol=1e-5)
    assert reasons[reasons != ""].tolist() == cut.rejected["reason"].tolist()


def test_many_windows_are_cut_in_parts_and_are_the_same(monkeypatch):
    recording, model = random_recording("a", "Ann", 3), stand_in(facts_of("bvp", "eda"))
    whole = predict_recording(model, recording, 0.5)
    done = []
    monkeypatch.setattr(signal_model, "_WINDOWS_AT_ONCE", 7)
    pd.testing.assert_frame_equal(
        predict_recording(model, recording, 0.5, on_windows=done.append), whole
    )
    assert sum(done) == len(whole) > 100
    assert max(done) == 7


def test_a_clock_that_is_not_that_of_unix_has_no_date():
    recording = Recording("a", "", {"temperature": Signal(np.full(40, 39, "f4"), 12.5, 4.0)})
    rows = predict_recording(stand_in(), recording, 5.0)
    assert rows["window_start_s"].tolist() == [12.5, 17.5]
    assert rows["start"].tolist() == ["", ""]


def test_recordings_of_one_name_in_two_folders_are_told_apart(run, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, degrees in zip(folders, (32, 39), strict=True):
        write_e4(folder / "S1", TEMP=by_window(degrees))
    write_e4(folders[1] / "S2", TEMP=by_window(36))
    predict.predict_command(run, [*folders, folders[0]], csv=tmp_path / "rows.csv")
    rows = read_rows(tmp_path / "rows.csv")
    assert rows["recording"].tolist() == [f"{folders[0]}/S1", f"{folders[1]}/S1", "S2"]
    assert rows["class_name"].tolist() == ["cool", "warm", "warm"]


def test_a_sample_model_says_so_first(run, tmp_path, monkeypatch, capsys):
    serve(monkeypatch, stand_in(facts_of(sample=True)))
    write_e4(tmp_path / "Ann", TEMP=by_window(32))
    predict.predict_command(run, [tmp_path / "Ann"])
    assert capsys.readouterr().err.startswith("*** Sample model: trained on synthetic signals.")


def test_a_model_of_another_data_set_says_so(run, tmp_path, monkeypatch, capsys):
    write_e4(tmp_path / "Ann", TEMP=by_window(32))
    for own, said in (("k_emocon", True), ("empatica_e4", False), ("", False)):
        serve(monkeypatch, stand_in(facts_of(dataset=own)))
        predict.predict_command(run, [tmp_path / "Ann"])
        line = "The model was trained on k_emocon, these recordings are of empatica_e4"
        assert (line in capsys.readouterr().err) == said


def test_a_damaged_recording_ends_it_with_file_and_mend(run, tmp_path):
    write_e4(tmp_path / "Ann", TEMP=by_window(32))
    (tmp_path / "Ann" / "TEMP.csv").write_text("not a time\n4.0\n32\n")
    with pytest.raises(UserError, match=r"This run reads temperature of .*TEMP\.csv"):
        predict.predict_command(run, [tmp_path / "Ann"])


@pytest.mark.parametrize("step", [0.1, 0, -5, float("nan"), float("inf")])
def test_a_step_shorter_than_a_sample_is_refused(run, tmp_path, step):
    write_e4(tmp_path / "Ann", TEMP=by_window(32))
    with pytest.raises(UserError, match=r"--step must be at least 0\.25 s, .* Received: "):
        predict.predict_command(run, [tmp_path / "Ann"], step_s=step)


def test_places_that_cannot_be_written_are_told_before_the_work(run, tmp_path, monkeypatch):
    def refuse(run):
        raise AssertionError("the work was begun")

    monkeypatch.setattr(predict_signals, "load_signal_model", refuse)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="--csv .*: no file can be written there"):
        predict.predict_command(run, [tmp_path], csv=tmp_path)
    for options in ({"plot": tmp_path / "taken"}, {"csv": tmp_path / "taken" / "rows.csv"}):
        with pytest.raises(UserError, match="taken: cannot be made: .*Give another place"):
            predict.predict_command(run, [tmp_path], **options)


def test_a_run_of_wearables_that_is_given_pictures_says_what_it_reads(run, tmp_path):
    (tmp_path / "faces").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "faces" / "a.png")
    with pytest.raises(UserError, match=r"reads temperature of .*\(empatica_e4\)\. .*a\.png"):
        predict.predict_command(run, [tmp_path / "faces"])
    with pytest.raises(UserError, match="--annotate draws into videos; this run reads signals"):
        predict.predict_command(run, [tmp_path / "faces"], annotate=tmp_path / "drawn")


def test_a_run_of_faces_that_is_given_recordings_says_what_it_reads(face_run, tmp_path):
    folder = write_e4(tmp_path / "mine" / "Ann", TEMP=by_window(32))
    for given in (tmp_path / "mine", folder / "TEMP.csv"):
        with pytest.raises(UserError, match=r"reads faces in images or videos; .*TEMP\.csv is non"):
            predict.predict_command(face_run, [given])


def test_options_of_recordings_are_refused_for_faces(face_run, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    for options, name in (({"step_s": 5.0}, "--step"), ({"dataset": "wesad"}, "--dataset")):
        with pytest.raises(UserError, match=f"{name} is for recordings of wearables; "):
            predict.predict_command(face_run, [tmp_path / "a.png"], **options)


def test_csv_files_beside_pictures_do_not_make_them_recordings(face_run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        predict,
        "load_classifier",
        lambda _: (["dark", "bright"], lambda images: np.float32([[0.2, 0.8]] * len(images))),
    )
    (tmp_path / "faces").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "faces" / "a.png")
    (tmp_path / "faces" / "labels.csv").write_text("a.png,1\n")
    predict.predict_command(face_run, [tmp_path / "faces"], csv=tmp_path / "rows.csv")
    assert read_rows(tmp_path / "rows.csv")["class_name"].tolist() == ["bright"]


def labelled_table(name, signals, rejected=()):
    """What a reader with labels returns, of one recording whose clock starts at 0."""
    frame = pd.DataFrame(
        {
            **{"example_id": ["S2 1"], "subject": "S2", "group": "S2", "split": "", "source": "S2"},
            **{"recording": "S2", "start_s": 0.0, "end_s": 1.0, "label": 0},
        }
    )
    payload = RecordingPayload(
        (Recording("S2", "S2", signals),), np.zeros(1, int), irregularity_frame()
    )
    return ExampleTable(
        *(name, frame, (Target("label", "class", ("a", "b")),), payload),
        groups_known=True,
        rejected=rejected_frame(rejected),
        read=1 + len(rejected),
    )


@pytest.mark.parametrize(
    ("name", "signal", "options"),
    [
        ("wesad", "chest_temperature", {"chest": True}),
        ("wesad", "temperature", {}),
        ("pamap2", "temperature", {}),
    ],
)
def test_another_data_set_is_read_whole_whatever_its_labels(
    run, tmp_path, monkeypatch, capsys, name, signal, options
):
    given = []

    def read(folder, **settings):
        given.append((folder, settings))
        signals = {signal: Signal(np.repeat(np.float32([32, 39]), 20), 0.0, 4.0)}
        return labelled_table(name, signals, [("S3", "damaged", "no pickle")])

    reader = types.SimpleNamespace(NAME=name, read=read)
    monkeypatch.setattr(datasets, "reader", lambda wanted: {name: reader}[wanted])
    serve(monkeypatch, stand_in(facts_of(signal)))
    predict.predict_command(run, [tmp_path], csv=tmp_path / "rows.csv", dataset=name)
    assert given == [(tmp_path, options)]
    assert read_rows(tmp_path / "rows.csv")["class_name"].tolist() == ["cool", "warm"]
    err = capsys.readouterr().err
    assert "1 labelled stretches were set aside" in err
    assert f"python -m affectkeras doctor {name} {tmp_path} says why" in err


def test_a_pulse_is_read_by_a_saved_model_from_the_folder_to_the_rows(tmp_path, capsys):
    """Nothing stands in: files of an E4, the SavedModel of a network, its facts, rows."""
    keras.utils.set_random_seed(0)
    pulses = keras.Input((2, 64))
    model = keras.Model(pulses, keras.layers.Dense(2)(keras.layers.LSTM(4)(pulses)))
    channels = (Channel("bvp"),)
    facts = facts_of(rate_hz=64.0, seconds=2.0, rows="seconds", channels=channels).to_json()
    export_signal_model(model, tmp_path / "run" / "saved_model", facts)
    values = np.random.default_rng(0).normal(0, 2, 64 * 7).round(2)
    write_e4(tmp_path / "Ann", BVP=(64, values))
    csv = tmp_path / "rows.csv"
    for given in ("run", "run/saved_model"):
        predict.predict_command(tmp_path / given, [tmp_path / "Ann"], csv=csv)
        rows = read_rows(csv)
        windows = values[: 64 * 6].reshape(3, 2, 64).astype("f4")
        expected = keras.ops.softmax(model(windows)).numpy()
        np.testing.assert_allclose(rows[["p_cool", "p_warm"]], expected, atol=2e-6)
        assert rows["class_name"].tolist() == np.array(CLASS_NAMES)[expected.argmax(1)].tolist()
    # Without the file that tells it, the model itself is asked.
    (tmp_path / "run" / "saved_model" / "assets.extra" / "signal_model.json").unlink()
    predict.predict_command(tmp_path / "run", [tmp_path / "Ann"], csv=csv)
    pd.testing.assert_frame_equal(read_rows(csv), rows)
    with pytest.raises(UserError, match="this model reads no pictures of faces"):
        predict.load_classifier(tmp_path / "run" / "saved_model")


def test_a_model_of_faces_is_refused_where_signals_are_wanted(face_run):
    with pytest.raises(UserError, match="this model reads faces in images or videos, no signals"):
        signal_model.load_signal_model(face_run)


def test_a_picture_is_drawn_of_every_recording_with_windows(run, tmp_path):
    write_e4(tmp_path / "mine" / "Ann" / "1 a", TEMP=by_window(32, 39))
    write_e4(tmp_path / "mine" / "Bob", TEMP=(4, [33] * 13))
    plots = tmp_path / "new" / "plots"
    predict.predict_command(run, [tmp_path / "mine"], csv=tmp_path / "rows.csv", plot=plots)
    assert [path.name for path in plots.iterdir()] == ["Ann-1-a.png"]
    with Image.open(plots / "Ann-1-a.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 800


def test_two_recordings_are_never_drawn_to_one_file(run, tmp_path):
    for name in ("a b", "a-b"):
        write_e4(tmp_path / "mine" / name, TEMP=by_window(32))
    with pytest.raises(UserError, match="two recordings would be drawn to a-b.png"):
        predict.predict_command(run, [tmp_path / "mine"], plot=tmp_path / "plots")


def rows_of(*probabilities, seconds=5.0, step=5.0, start=START):
    """Rows of classes whose probabilities are given; None where there is no prediction."""
    starts = start + step * np.arange(len(probabilities))
    classes = max(len(one) for one in probabilities if one is not None)
    values = [one if one is not None else [np.nan] * classes for one in probabilities]
    frame = pd.DataFrame(values, columns=[f"p_{letter}" for letter in "abcdef"[:classes]])
    return frame.assign(window_start_s=starts, window_end_s=starts + seconds, error="")


def test_a_picture_has_the_second_of_two_classes_above_the_signals():
    rows = rows_of((0.8, 0.2), None, (0.3, 0.7))
    eda = np.linspace(1, 2, 60, dtype="f4")
    vectors = np.zeros((480, 3), "f4")
    signals = [
        ShownSignal("eda", "µS", eda, START, 4.0),
        ShownSignal("acceleration", "g", vectors, START - 2.0, 32.0),
    ]
    figure = draw_signal_predictions(rows, signals, "Ann")
    top, second, third = figure.axes
    curve = {line.get_label(): line for line in top.get_lines()}["b"]
    x, y = curve.get_data()
    # The ground begins with the first signal, two seconds before the first window.
    np.testing.assert_allclose(x, [2, 7, 7, 12, 12, 17])
    np.testing.assert_array_equal(y, [0.2, 0.2, np.nan, np.nan, 0.7, 0.7])
    edges = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in top.patches]
    np.testing.assert_allclose(edges, [(7, 12)])
    assert top.get_title() == "Ann"
    (line,) = second.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), eda)
    np.testing.assert_allclose(line.get_xdata()[[0, -1]], [2, 16.75])
    assert second.get_ylabel() == "eda\n(µS)"
    assert [line.get_label() for line in third.get_lines()] == ["x", "y", "z"]
    assert third.get_xlabel() == "time (s) since 2023-11-14 22:13:18 UTC"
    assert third.get_xlim() == (0, 17)


def test_overlapping_windows_stand_at_their_middles_as_wide_as_they_are_apart():
    rows = rows_of((0.1, 0.9), (0.2, 0.8), seconds=10.0, step=2.0, start=0.0)
    signal = ShownSignal("eda", "", np.ones(48, "f4"), 0.0, 4.0)
    top = draw_signal_predictions(rows, [signal], "").axes[0]
    np.testing.assert_allclose(top.get_lines()[0].get_xdata(), [4, 6, 6, 8])


def test_nothing_is_drawn_between_windows_that_lie_apart():
    rows = rows_of((0.1, 0.9), (0.2, 0.8), seconds=2.0, step=10.0, start=0.0)
    signal = ShownSignal("eda", "", np.ones(48, "f4"), 0.0, 4.0)
    top = draw_signal_predictions(rows, [signal], "").axes[0]
    x, y = top.get_lines()[0].get_data()
    np.testing.assert_array_equal(x, [0, 2, np.nan, 10, 12, np.nan])
    np.testing.assert_array_equal(y, [0.9, 0.9, np.nan, 0.8, 0.8, np.nan])


def test_of_very_many_windows_the_mean_over_neighbours_is_drawn_above_the_pale_ones():
    known = [(1.0, 0.0), (0.0, 1.0)] * 240
    rows = rows_of(*known[:-1], None, seconds=1.0, step=1.0, start=0.0)
    signal = ShownSignal("eda", "", np.ones(1920, "f4"), 0.0, 4.0)
    pale, smooth = draw_signal_predictions(rows, [signal], "").axes[0].get_lines()[:2]
    assert (pale.get_alpha(), pale.get_xdata().size) == (0.25, 960)
    assert smooth.get_label() == "b, mean\nof 5 windows"
    x, y = smooth.get_data()
    np.testing.assert_allclose(x[:2], [0.5 / 60, 1.5 / 60])
    # By hand: 0 1 0 at the beginning, then 0 1 0 1 0 and 1 0 1 0 1 in turn.
    np.testing.assert_allclose(y[:4], [1 / 3, 0.5, 0.4, 0.6])
    assert np.isnan(y[-1])
    assert not np.isnan(y[:-1]).any()


def test_of_many_classes_the_likeliest_four_are_drawn():
    rows = rows_of((0.05, 0.3, 0.1, 0.2, 0.25, 0.1))
    signal = ShownSignal("eda", "", np.ones(20, "f4"), START, 4.0)
    top = draw_signal_predictions(rows, [signal], "").axes[0]
    names = [line.get_label() for line in top.get_lines()]
    assert [name for name in names if name in list("abcdef")] == ["b", "c", "d", "e"]


def test_a_long_signal_is_drawn_by_its_extremes_and_gaps_stay():
    values = np.tile(np.float32([0, 5, -5, 1]), 10_000)
    values[20_000:30_000] = np.nan
    rows = rows_of((0.1, 0.9), start=0.0)
    top, panel = draw_signal_predictions(rows, [ShownSignal("bvp", "", values, 0.0, 64.0)], "").axes
    x, y = panel.get_lines()[0].get_data()
    assert len(x) < 5000
    assert (np.nanmin(y), np.nanmax(y)) == (-5, 5)
    times = x * 60  # ten minutes are told in minutes
    assert panel.get_xlabel() == "time (min)"
    assert np.isnan(y[(times > 313) & (times < 468)]).all()
    assert not np.isnan(y[(times < 312) | (times > 469)]).any()


def test_the_reader_of_one_s_own_folders_is_the_default():
    assert predict_signals.DEFAULT_DATASET == empatica_e4.NAME

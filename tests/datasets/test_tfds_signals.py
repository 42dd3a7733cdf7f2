"""The tensorflow-datasets builder of recordings, run on tiny tables and a tiny raw folder."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("importlib_resources", reason="tensorflow-datasets 4.9.10 imports it")
tfds = pytest.importorskip("tensorflow_datasets")

from affectkeras.datasets import empatica_e4, k_emocon, stress_predict  # noqa: E402
from affectkeras.datasets.recordings import Signal  # noqa: E402
from affectkeras.datasets.table import Target  # noqa: E402
from affectkeras.datasets.tfds_builders import RECORDINGS  # noqa: E402
from affectkeras.datasets.tfds_builders.affect_signals import __main__ as command  # noqa: E402
from affectkeras.datasets.tfds_builders.affect_signals import (  # noqa: E402
    affect_signals_dataset_builder,
)
from tests.tiny_recordings import START, stretch_table  # noqa: E402

SLOTS = 30  # seconds of a stretch


def table_of(**options):
    table = stretch_table(2, 2, seconds=SLOTS, **options)
    return dataclasses.replace(table, rejected=table.rejected[:0], read=len(table))


def build(config, table, folder, monkeypatch, reader):
    monkeypatch.setattr(reader, "read", lambda path: table)
    (folder / "raw").mkdir()
    (folder / "raw" / "a file").touch()  # tfds wants one
    builder = affect_signals_dataset_builder.Builder(config=config, data_dir=str(folder / "built"))
    downloads = tfds.download.DownloadConfig(manual_dir=str(folder / "raw"))
    builder.download_and_prepare(download_config=downloads)
    return builder


def examples_of(builder, split="unsplit"):
    found = builder.as_dataset(split=split).as_numpy_iterator()
    return {one["example_id"].decode(): one for one in found}


def test_every_reader_of_recordings_is_a_config_and_its_signals_are_told():
    assert set(affect_signals_dataset_builder.Builder.builder_configs) == set(RECORDINGS)
    assert set(affect_signals_dataset_builder.SIGNALS) == set(RECORDINGS)


def test_a_stretch_is_stored_with_its_samples_at_their_own_rates(tmp_path, monkeypatch):
    table = table_of()
    builder = build("stress_predict", table, tmp_path, monkeypatch, stress_predict)
    assert set(builder.info.splits) == {"unsplit"}
    assert builder.info.features["label"].names == ["baseline", "stress"]
    found = examples_of(builder)
    assert set(found) == set(table.frame["example_id"])
    one = found["S01 stretch 1"]
    assert (one["subject"], one["group"], one["recording"]) == (b"S01", b"S01", b"S01")
    assert (one["start_s"], one["end_s"]) == (START + SLOTS, START + 2 * SLOTS)
    assert one["label"] == 1
    recording = table.payload.recordings[1]
    bvp = one["signals"]["bvp"]
    expected = recording.signals["bvp"].values[64 * SLOTS : 64 * 2 * SLOTS]
    np.testing.assert_array_equal(bvp["values"], expected)
    assert (bvp["rate_hz"], bvp["start_s"]) == (64.0, START + SLOTS)
    moved = one["signals"]["acceleration"]
    np.testing.assert_array_equal(
        moved["values"], recording.signals["acceleration"].values[32 * SLOTS :]
    )


def test_missing_samples_stay_missing_and_a_late_signal_keeps_its_start(tmp_path, monkeypatch):
    builder = build("stress_predict", table_of(), tmp_path, monkeypatch, stress_predict)
    heart = examples_of(builder)["S00 stretch 0"]["signals"]["heart_rate"]
    # It begins 10 s late, its first three values are missing.
    assert heart["start_s"] == START + 10
    assert len(heart["values"]) == SLOTS - 10
    assert np.isnan(heart["values"]).tolist() == [True] * 3 + [False] * (SLOTS - 13)


def test_a_signal_that_the_recording_lacks_is_empty_with_the_rate_0(tmp_path, monkeypatch):
    table = table_of()
    table.payload.recordings[0].signals.pop("acceleration")
    builder = build("stress_predict", table, tmp_path, monkeypatch, stress_predict)
    signals = examples_of(builder)["S00 stretch 1"]["signals"]
    assert signals["acceleration"]["values"].shape == (0, 3)
    assert signals["ibi"]["values"].shape == (0,)
    assert signals["ibi"]["rate_hz"] == signals["acceleration"]["rate_hz"] == 0


def test_ratings_are_stored_as_numbers_with_nan_where_there_is_none(tmp_path, monkeypatch):
    table = table_of(targets="number", dyads=True)
    names = [target.name for target in k_emocon.TARGETS]
    for name in names:
        table.frame[name] = np.float64(2)
    table.frame.loc[1, "valence"] = np.nan
    table = dataclasses.replace(table, targets=tuple(Target(name, "number") for name in names))
    builder = build("k_emocon", table, tmp_path, monkeypatch, k_emocon)
    assert "label" not in builder.info.features
    found = examples_of(builder)
    assert found["S00 stretch 0"]["valence"] == 2
    assert np.isnan(found["S00 stretch 1"]["valence"])
    assert found["S01 stretch 0"]["group"] == b"dyad 00"


def test_the_classes_of_ones_own_recordings_are_those_of_the_events(tmp_path, monkeypatch):
    table = dataclasses.replace(table_of(), targets=(Target("stress", "class", ("calm", "exam")),))
    builder = build("empatica_e4", table, tmp_path, monkeypatch, empatica_e4)
    assert builder.info.features["label"].names == ["calm", "exam"]


def test_the_module_reads_ones_own_folder_and_builds_what_tfds_then_loads(
    tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "raw" / "anna_1"
    folder.mkdir(parents=True)
    values = np.sin(np.arange(4 * 60) / 7).round(3)
    lines = [f"{START:.2f}", "4.0", *map(str, 2 + values)]
    (folder / "EDA.csv").write_text("\n".join(lines) + "\n")
    events = "recording,subject,start,end,label\n"
    events += f"anna_1,anna,{START + 10},{START + 20},calm\n"
    events += f"anna_1,anna,{START + 30},{START + 50},exam\n"
    (tmp_path / "raw" / "events.csv").write_text(events)
    arguments = ["--config", "empatica_e4", "--manual-dir", str(tmp_path / "raw")]
    monkeypatch.setattr("sys.argv", ["build", *arguments, "--data-dir", str(tmp_path / "built")])
    command.main()
    builder = tfds.builder_from_directory(capsys.readouterr().out.splitlines()[-1])
    found = sorted(
        builder.as_dataset(split="unsplit").as_numpy_iterator(), key=lambda one: one["start_s"]
    )
    assert [builder.info.features["label"].names[one["label"]] for one in found] == ["calm", "exam"]
    eda = found[1]["signals"]["eda"]
    np.testing.assert_allclose(eda["values"], 2 + values[120:200], atol=1e-6)
    assert (eda["rate_hz"], eda["start_s"]) == (4.0, START + 30)


def test_the_module_names_a_folder_that_is_not_there(tmp_path, monkeypatch, capsys):
    arguments = ["--config", "wesad", "--manual-dir", str(tmp_path / "nowhere")]
    monkeypatch.setattr("sys.argv", ["build", *arguments, "--data-dir", str(tmp_path / "built")])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "nowhere: expected a folder or a .zip file" in capsys.readouterr().err


def test_signals_of_the_declared_axes_only_can_be_stored(tmp_path, monkeypatch):
    table = table_of()
    flat = Signal(np.zeros(120, "f4"), START, 2.0)
    for recording in table.payload.recordings:
        recording.signals["acceleration"] = flat
    with pytest.raises(Exception, match="shape"):
        build("stress_predict", table, tmp_path, monkeypatch, stress_predict)

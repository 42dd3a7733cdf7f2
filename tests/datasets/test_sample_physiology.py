"""The sample recordings: repeatable, told by what the body does, irregular where they say so."""

import dataclasses
import datetime
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from affectkeras.datasets import empatica_e4, pamap2, sample, stress_predict, wesad
from affectkeras.datasets.safe_pickle import load_plain
from affectkeras.datasets.sample import (
    e4_layout,
    everyday_motion,
    kemocon_layout,
    pamap2_layout,
    physiology,
    physiology_files,
    stress_predict_layout,
    wesad_layout,
)
from affectkeras.datasets.sample.kemocon_faults import spoil_polar
from affectkeras.datasets.sample.marks import find_marks
from affectkeras.datasets.sample.physiology_devices import RATES, draw_someone, wear
from affectkeras.datasets.sample.physiology_files import Planted, cached_sample, planted
from affectkeras.datasets.sample.physiology_paths import (
    PATH_HZ,
    draw_path,
    mean_levels,
    rate_levels,
    step_path,
)
from affectkeras.datasets.sample.python2_pickle import write_python2_pickle

# The device that is a person's own where two are in a file, as the owners of K-EmoCon tell it.
OWN = {29: "A013E1", 30: "A01A3A", 31: "A013E1", 32: "A01A3A"}

# A small one of each layout.
WRITERS = {
    "k_emocon": lambda folder, seed: sample.write_sample_k_emocon(folder, seed=seed, pids=(6,)),
    "stress_predict": lambda folder, seed: sample.write_sample_stress_predict(
        folder, seed=seed, participants=2
    ),
    "empatica_e4": lambda folder, seed: sample.write_sample_empatica_e4(
        folder, seed=seed, people=3
    ),
    "wesad": lambda folder, seed: sample.write_sample_wesad(folder, seed=seed, subjects=1),
    "pamap2": lambda folder, seed: sample.write_sample_pamap2(folder, seed=seed, subjects=(109,)),
}


@pytest.fixture(scope="module")
def debates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("k_emocon")
    sample.write_sample_k_emocon(folder, seed=2)
    return folder


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stress_predict")
    sample.write_sample_stress_predict(folder, seed=2)
    return folder


@pytest.fixture(scope="module")
def activities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pamap2")
    sample.write_sample_pamap2(folder, seed=2, subjects=(104, 105, 109))
    return folder


def path_of(*levels, seconds=60):
    """Levels of arousal or valence, each kept for as long as the others."""
    return np.repeat(np.array(levels, float), seconds * PATH_HZ)


def count_of(truth, kind, file=None):
    rows = truth[truth["kind"] == kind]
    if file is not None:
        rows = rows[rows["file"] == file]
    return int(rows["count"].sum())


# --- paths and ratings


def test_a_path_keeps_its_levels_in_turn_and_turns_smoothly():
    path = step_path([(30, 1.0), (30, 4.0)], 80)
    assert len(path) == 80 * PATH_HZ
    assert path[: 25 * PATH_HZ] == pytest.approx(1)
    assert path[35 * PATH_HZ :] == pytest.approx(4)  # the last one lasts to the end
    assert path[30 * PATH_HZ - 1 : 30 * PATH_HZ + 1].mean() == pytest.approx(2.5, abs=0.01)
    assert (np.diff(path) > -1e-9).all()
    assert np.diff(path).max() < 0.25


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_a_drawn_path_is_high_for_as_long_as_is_asked(share):
    paths = [draw_path(np.random.default_rng(n), 600, high_share=share) for n in range(20)]
    assert all(path.min() >= 1 and path.max() <= 5 for path in paths)
    assert np.mean([path > 3.45 for path in paths]) == pytest.approx(share, abs=0.02)


def test_mean_levels_are_those_of_the_stretch_that_ends_there():
    path = np.concatenate([np.full(40, 1.0), np.full(40, 3.0)])  # 10 s each
    found = mean_levels(path, -10.0, np.array([-5.0, 2.5, 5.0]), 5.0)
    assert found == pytest.approx([1, 2, 3])


def test_ratings_without_noise_are_the_levels_rounded():
    levels = np.array([1.2, 2.6, 3.4, 4.9, 5.4, 0.2])
    random = np.random.default_rng(0)
    assert rate_levels(random, levels, noise=0, slips=0).tolist() == [1, 3, 3, 5, 5, 1]
    assert rate_levels(random, levels, noise=0, slips=0, highest=4).tolist() == [1, 3, 3, 4, 4, 1]
    slipped = rate_levels(random, np.full(6000, 2.0), noise=0, slips=0.5)
    # Half of the ratings are any of five: 0.5 + 0.5 / 5.
    assert (slipped == 2).mean() == pytest.approx(0.6, abs=0.02)


# --- the body


@pytest.mark.parametrize("number", range(4))
def test_arousal_quickens_the_heart_and_sweats_and_cools_the_skin(number):
    person = draw_someone((number,))
    arousal = path_of(1.5, 4.5, 1.5, 4.5, seconds=90)
    valence = np.full(len(arousal), 2.0)
    body = physiology.live(np.random.default_rng(number), person, arousal, valence)
    # Half a minute after each change, when the body has followed.
    high = np.zeros(len(arousal), bool)
    low = np.zeros(len(arousal), bool)
    for part in range(4):
        begin, end = ((90 * part + 40) * PATH_HZ, 90 * (part + 1) * PATH_HZ)
        (high if part % 2 else low)[begin:end] = True
    rate = body.heart_rate[:: physiology.BVP_HZ // PATH_HZ]
    expected = physiology.HEART_PER_LEVEL * person.reaction * 3
    assert rate[high].mean() - rate[low].mean() == pytest.approx(expected, abs=5)
    assert body.conductance[high].mean() > 1.2 * body.conductance[low].mean()
    cooler = body.temperature[low].mean() - body.temperature[high].mean()
    assert cooler == pytest.approx(0.9 * person.reaction, abs=0.35)


def test_valence_shows_in_the_size_of_the_pulse_and_in_nothing_else():
    person = draw_someone((1,))
    arousal = path_of(2, 4)
    sad, glad = (
        physiology.live(np.random.default_rng(5), person, arousal, path_of(level, level))
        for level in (1.5, 4.5)
    )
    for name in ("heart_rate", "beats_s", "breath", "conductance", "temperature"):
        assert np.array_equal(getattr(sad, name), getattr(glad, name)), name
    larger = np.exp(physiology.PULSE_PER_LEVEL * person.reaction * 3)
    # The baseline that moves with the breath is not the pulse's.
    assert glad.pulse.std() / sad.pulse.std() == pytest.approx(larger, rel=0.15)


def test_beats_come_as_often_as_the_heart_rate_tells():
    person = draw_someone((3,))
    body = physiology.live(np.random.default_rng(1), person, path_of(2, 4), path_of(2, 2))
    for begin, end in ((0, 60), (60, 120)):
        told = body.heart_rate[begin * 64 : end * 64].mean()
        count = ((body.beats_s >= begin) & (body.beats_s < end)).sum()
        assert count == pytest.approx(told, abs=1.01)


def test_the_pulse_has_a_peak_for_each_beat_and_a_dicrotic_wave():
    wave = physiology._WAVE
    peaks = (wave > np.roll(wave, 1)) & (wave >= np.roll(wave, -1))
    assert peaks.sum() == 2
    assert wave.mean() == pytest.approx(0, abs=1e-12)
    heights = np.sort(wave[peaks])
    assert heights[1] == 1
    assert -0.1 < heights[0] < 0.5


def test_people_differ_more_in_what_they_are_like_than_by_arousal_in_conductance_and_size():
    people = [draw_someone((number,)) for number in range(40)]
    for name, least in (("conductance", 4), ("pulse_size", 2.5)):
        values = [getattr(person, name) for person in people]
        assert max(values) / min(values) > least
    assert np.ptp([person.temperature for person in people]) > 3
    assert draw_someone((7,)) == draw_someone((7,))


# --- the wristband


def test_the_wristband_measures_at_the_rates_of_an_e4_and_begins_as_it_does():
    worn = wear((1, 2), path_of(2, 4), path_of(3, 3))
    lengths = {name: len(values) for name, values in worn.signals.items()}
    # The heart rate is told from the tenth second on; all end together.
    assert lengths == {"ACC": 3840, "BVP": 7680, "EDA": 480, "TEMP": 480, "HR": 110}
    assert worn.eda[0] == 0
    assert (worn.eda[1:] > 0).all()
    assert (worn.bvp[:8] == 0).all()
    assert worn.acceleration.dtype == np.int64
    assert worn.acceleration.shape[1] == 3
    assert np.abs(worn.acceleration).max() <= 128
    assert np.array_equal(worn.temperature, np.round(worn.temperature * 50) / 50)


def test_how_the_wrist_moves_knows_nothing_of_the_path():
    calm = wear((4,), path_of(1.5, 1.5), path_of(2, 2))
    tense = wear((4,), path_of(4.5, 4.5), path_of(4, 4))
    assert np.array_equal(calm.acceleration, tense.acceleration)
    assert tense.heart_rate.mean() > calm.heart_rate.mean() + 15


def test_at_rest_the_acceleration_is_that_of_gravity():
    worn = wear((6,), path_of(2, 2), path_of(2, 2))
    assert np.median(np.linalg.norm(worn.acceleration, axis=1)) == pytest.approx(64, abs=1.5)


def test_intervals_between_beats_are_the_heart_s_where_they_are_told():
    worn = wear((2,), path_of(2, 3), path_of(2, 2))
    beats = worn.body.beats_s
    assert len(worn.ibi) < len(beats) - 1  # some are left out
    assert (worn.ibi[:, 0] > 10).all()
    nearest = np.abs(beats[1:, None] - worn.ibi[:, 0]).argmin(axis=0)
    assert np.abs(beats[1:][nearest] - worn.ibi[:, 0]).max() <= 1 / 128 + 1e-9
    assert np.abs(np.diff(beats)[nearest] - worn.ibi[:, 1]).max() <= 1 / 128 + 1e-9


# --- all layouts


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path, name):
    for place, seed in (("one", 5), ("two", 5), ("other", 6)):
        WRITERS[name](tmp_path / place, seed)
    contents = {
        place: {
            str(path.relative_to(tmp_path / place)): path.read_bytes()
            for path in (tmp_path / place).rglob("*")
            if path.is_file()
        }
        for place in ("one", "two", "other")
    }
    assert contents["one"] == contents["two"]
    assert contents["one"] != contents["other"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_sample_is_known_again_by_its_marks(tmp_path, name):
    WRITERS[name](tmp_path, 0)
    marks = find_marks(tmp_path)
    assert marks
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert marks.drawn == written - {"sample_truth.csv", "sample_planted.json"}
    truth = planted(tmp_path)
    assert list(truth) == ["file", "kind", "count", "note"]
    assert (truth["count"] > 0).all()
    there = {file for file in truth["file"] if (tmp_path / file).is_file()}
    assert marks.planted == {file.rsplit("/", 1)[-1] for file in there}


def test_a_sample_is_written_once_and_what_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path))
    calls = []

    def write(folder):
        calls.append(folder)
        (folder / "part.csv").write_text("1\n")
        if len(calls) == 1:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cached_sample("some", 3, 7, write)
    assert not list((tmp_path / "sample").glob("*/*"))
    found = cached_sample("some", 3, 7, write)
    assert found.name == "some-seed7-v3"
    assert (found / "part.csv").is_file()
    assert cached_sample("some", 3, 7, write) == found
    assert len(calls) == 2


def test_each_layout_has_a_place_in_the_cache_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path))
    asked = []
    for module in (
        *(kemocon_layout, stress_predict_layout, e4_layout, wesad_layout, pamap2_layout),
    ):
        monkeypatch.setattr(module, "cached_sample", lambda *given: asked.append(given[0]))
    for name in WRITERS:
        getattr(sample, f"sample_{name}")()
    assert asked == ["k-emocon", "stress-predict", "empatica-e4", "wesad", "pamap2"]


def test_what_is_planted_is_told_as_it_was_given(tmp_path):
    (tmp_path / "a.csv").write_text("1\n")
    physiology_files.write_truth(
        tmp_path, [Planted("a.csv", "gap", 3, "µ"), Planted("b.csv", "missing file", 1)]
    )
    assert planted(tmp_path).to_numpy().tolist() == [
        ["a.csv", "gap", 3, "µ"],
        ["b.csv", "missing file", 1, ""],
    ]
    assert json.loads((tmp_path / "sample_planted.json").read_text(encoding="utf-8"))
    assert find_marks(tmp_path).planted == {"a.csv"}


# --- K-EmoCon


def read_e4(folder, pid, name):
    return pd.read_csv(folder / f"e4_data/{pid}/E4_{name}.csv")


def read_polar(folder, pid):
    return pd.read_csv(folder / f"neurosky_polar_data/neurosky_polar_data/{pid}/Polar_HR.csv")


def read_ratings(folder, place, pid, rater):
    path = folder / f"emotion_annotations/{place}/P{pid}.{rater}.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_debates_have_all_files_of_the_layout(debates):
    for pid in kemocon_layout.PIDS:
        names = {path.name for path in (debates / f"e4_data/{pid}").iterdir()}
        wanted = {f"E4_{name}.csv" for name in ("ACC", "BVP", "EDA", "HR", "IBI", "TEMP")}
        assert names == wanted - ({"E4_IBI.csv"} if pid == 12 else set())
        below = debates / f"neurosky_polar_data/neurosky_polar_data/{pid}"
        names = {path.name for path in below.iterdir()}
        wanted = {"Attention.csv", "BrainWave.csv", "Meditation.csv", "Polar_HR.csv"}
        assert names == wanted - ({"Polar_HR.csv"} if pid == 6 else set())
    places = {
        path.name: len(list(path.iterdir())) for path in (debates / "emotion_annotations").iterdir()
    }
    assert places == {
        "self_annotations": 16,
        "partner_annotations": 16,
        "external_annotations": 80,
        "aggregated_external_annotations": 16,
    }


def test_the_two_of_a_debate_have_it_at_one_time(debates):
    subjects = pd.read_csv(debates / "metadata/subjects.csv").set_index("pid")
    dyads = subjects.groupby((subjects.index + 1) // 2)[["startTime", "endTime"]]
    assert (dyads.nunique() == 1).all(axis=None)
    assert (dyads.size() == 2).all()
    length = (subjects["endTime"] - subjects["startTime"]) / 1000
    assert length.between(540, 600).all()
    assert (length % 5 == 0).all()
    assert (subjects["initTime"] < subjects["startTime"]).all()
    # Milliseconds since 1970, of a time after 2015.
    assert subjects["startTime"].min() > 1.4e12


def test_the_table_of_what_is_there_tells_the_truth(debates):
    table = pd.read_csv(debates / "metadata/data_availability.csv").set_index("pid")
    missing = [(pid, name) for pid in table.index for name in table if not table.loc[pid, name]]
    assert missing == [(6, "Polar_HR"), (12, "E4_IBI")]


@pytest.mark.parametrize("name", ["ACC", "BVP", "EDA", "TEMP", "HR"])
def test_signals_of_a_debate_stand_at_their_rates_but_where_gaps_are_planted(debates, name):
    truth = planted(debates)
    starts = pd.read_csv(debates / "metadata/subjects.csv").set_index("pid")
    for pid in kemocon_layout.PIDS:
        file = f"e4_data/{pid}/E4_{name}.csv"
        table = read_e4(debates, pid, name)
        devices = table["device_serial"]
        own = table[devices == OWN[pid]] if pid in OWN else table
        assert devices.nunique() == (2 if pid in OWN else 1)
        assert len(table) - len(own) == count_of(truth, "other device", file)
        times = (own["timestamp"].to_numpy() - starts.loc[pid, "initTime"]) / 1000
        steps = np.rint(times * RATES[name]).astype(int)
        assert np.abs(steps / RATES[name] - times).max() < 0.0006  # rounded to milliseconds
        assert (np.diff(steps) > 0).all()
        assert steps[-1] - steps[0] + 1 - len(steps) == count_of(truth, "gap", file)
        first = 10 if name == "HR" else 0
        late = steps[0] - first * RATES[name]
        assert late == count_of(truth, "late start", file)
        values = own.get("value")
        if name in ("EDA", "TEMP", "HR"):
            assert (values == 0).sum() == count_of(truth, "zeros", file)
        elif name == "BVP":
            assert "zeros" not in set(truth.loc[truth["file"] == file, "kind"])


def test_of_the_two_devices_each_has_rows_at_the_same_times(debates):
    truth = planted(debates)
    files = set(truth.loc[truth["kind"] == "other device", "file"])
    assert {file.split("/")[1] for file in files} == {"29", "30", "31", "32"}
    table = read_e4(debates, 29, "EDA")
    assert table["timestamp"].is_monotonic_increasing
    assert table["timestamp"].duplicated().sum() == count_of(
        truth, "other device", "e4_data/29/E4_EDA.csv"
    )
    # In the intervals of 31 it is the other device that is this person's.
    intervals = read_e4(debates, 31, "IBI")["device_serial"].value_counts()
    strange = count_of(truth, "other device", "e4_data/31/E4_IBI.csv")
    assert intervals["A013E1"] == strange < intervals["A01525"]


def test_the_chest_belt_s_values_crowd_and_fail_where_it_is_planted(debates):
    truth = planted(debates)
    starts = pd.read_csv(debates / "metadata/subjects.csv").set_index("pid")["initTime"]
    for pid in kemocon_layout.PIDS:
        file = f"neurosky_polar_data/neurosky_polar_data/{pid}/Polar_HR.csv"
        if pid == 6:
            assert count_of(truth, "missing file", file) == 1
            continue
        table = read_polar(debates, pid)
        seconds = (table["timestamp"] - starts[pid]) // 1000
        several = len(seconds) - seconds.nunique()
        assert several == count_of(truth, "several in a second", file)
        empty = seconds.iloc[-1] - seconds.iloc[0] + 1 - seconds.nunique()
        assert empty == count_of(truth, "gap", file)
        assert seconds.iloc[0] - 1 == count_of(truth, "late start", file)
        assert (table["value"] == 0).sum() == count_of(truth, "zeros", file)
        assert table["timestamp"].is_monotonic_increasing
    assert count_of(truth, "several in a second") > 25


def test_the_chest_belt_hears_the_heart():
    worn = wear((3, 9), path_of(2, 4), path_of(2, 2))
    times, values, found = spoil_polar(np.random.default_rng(0), 3, worn)
    assert found == []
    heard = np.interp(times, np.arange(len(worn.body.heart_rate)) / 64, worn.body.heart_rate)
    assert np.abs(values - heard).mean() < 1


def test_ratings_stand_every_five_seconds_and_are_unrated_or_too_long_where_it_is_planted(debates):
    truth = planted(debates)
    subjects = pd.read_csv(debates / "metadata/subjects.csv").set_index("pid")
    for pid, row in subjects.iterrows():
        wanted = (row["endTime"] - row["startTime"]) // 5000
        for rater, place in kemocon_layout.RATERS:
            table = read_ratings(debates, place, pid, rater)
            assert table["seconds"].astype(int).tolist() == list(range(5, 5 * len(table) + 1, 5))
            file = f"emotion_annotations/{place}/P{pid}.{rater}.csv"
            longer = [count_of(truth, f"longer at {where}", file) for where in ("beginning", "end")]
            assert len(table) - wanted == sum(longer)
            unrated = ~table["arousal"].isin(list("12345")) | ~table["valence"].isin(list("12345"))
            assert unrated.sum() == count_of(truth, "unrated", file)
            assert set(table.loc[unrated, "arousal"]) <= {"", "x"}
            assert table["cheerful"].isin(list("1234")).all()
            assert set(table["boredom"]) <= {"", "x"}
    longer = truth[truth["kind"].str.startswith("longer")]
    assert longer["count"].tolist() == [2, 4]
    assert count_of(truth, "unrated") == 5


def test_about_a_third_of_one_s_own_ratings_is_high_and_others_agree_roughly(debates):
    own, others = [], {"partner": [], "external": [], "R1": []}
    for pid in (1, 3, 5, 7, 8, 10, 12, 29, 30):
        table = read_ratings(debates, "self_annotations", pid, "self")
        own.append(table[["arousal", "valence"]].astype(int).to_numpy())
        for rater, place in kemocon_layout.RATERS:
            if rater in others:
                other = read_ratings(debates, place, pid, rater)[["arousal", "valence"]]
                others[rater].append(other.astype(int).to_numpy())
    high = np.concatenate(own) >= 4
    assert high.mean(axis=0) == pytest.approx([0.31, 0.35], abs=0.06)
    agreed = {
        rater: np.corrcoef(np.concatenate(own)[:, 0], np.concatenate(rated)[:, 0])[0, 1]
        for rater, rated in others.items()
    }
    assert 0.4 < agreed["R1"] < agreed["external"] < 0.95
    assert 0.4 < agreed["partner"] < 0.95


# --- what can be learned


@pytest.fixture(scope="module")
def windows():
    """Mean and standard deviation of 5 s of each signal before a rating, of eight people."""
    rows = {"signals": [], "levels": [], "subject": []}
    for participant in kemocon_layout.plan_participants(3, tuple(range(1, 9))):
        paths = kemocon_layout.draw_participant(participant)
        worn = wear(participant.seed, *paths)
        ends = np.arange(5, participant.debate_s + 1, 5)
        begin = kemocon_layout.LEAD_S
        parts = []
        for name in ("BVP", "EDA", "TEMP"):
            values = worn.signals[name][begin * RATES[name] :]
            values = values[: len(ends) * 5 * RATES[name]].reshape(len(ends), -1)
            parts += [values.mean(axis=1), values.std(axis=1)]
        rate = worn.body.heart_rate[begin * 64 :][: len(ends) * 320].reshape(len(ends), -1)
        rows["signals"].append(np.stack([*parts, rate.mean(axis=1)], axis=1))
        rows["levels"].append(
            np.stack([mean_levels(path, -begin, ends, 5) for path in paths], axis=1) > 3.5
        )
        rows["subject"].append(np.full(len(ends), participant.pid))
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def by_subject(windows, columns, target, *, scaled):
    """Return macro F1 of a logistic regression on people that it has not seen."""
    values, subject = windows["signals"][:, columns].copy(), windows["subject"]
    if scaled:
        for one in np.unique(subject):
            rows = subject == one
            values[rows] = (values[rows] - values[rows].mean(0)) / values[rows].std(0)
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    found = cross_val_predict(
        model, values, windows["levels"][:, target], groups=subject, cv=LeaveOneGroupOut()
    )
    return f1_score(windows["levels"][:, target], found, average="macro")


AROUSAL, VALENCE = 0, 1
BVP_MEAN, BVP_SIZE, EDA_MEAN, TEMPERATURE_MEAN, HEART = 0, 1, 2, 4, 6


def test_within_a_person_the_heart_the_skin_and_the_pulse_tell_the_path(windows):
    assert 0.85 < by_subject(windows, [HEART], AROUSAL, scaled=True) < 0.99
    assert by_subject(windows, [EDA_MEAN, TEMPERATURE_MEAN], AROUSAL, scaled=True) > 0.6
    assert 0.85 < by_subject(windows, [BVP_SIZE], VALENCE, scaled=True) < 0.99


def test_across_people_the_signals_means_tell_nearly_nothing(windows):
    for columns in ([BVP_MEAN], [EDA_MEAN], [TEMPERATURE_MEAN]):
        for target in (AROUSAL, VALENCE):
            assert by_subject(windows, columns, target, scaled=False) < 0.6
    # Of the size of the pulse they tell less than what changes within a person.
    of_all = by_subject(windows, [BVP_SIZE], VALENCE, scaled=False)
    assert of_all < by_subject(windows, [BVP_SIZE], VALENCE, scaled=True) - 0.05


def test_the_pulse_s_size_tells_nothing_of_arousal_nor_the_heart_of_valence(windows):
    assert by_subject(windows, [BVP_SIZE], AROUSAL, scaled=True) < 0.62
    assert by_subject(windows, [HEART, EDA_MEAN], VALENCE, scaled=True) < 0.62


def test_what_people_are_like_tells_nothing_of_how_often_they_are_excited():
    participants = kemocon_layout.plan_participants(0, tuple(range(1, 121)))
    shares = [(kemocon_layout.draw_participant(one)[0] > 3.5).mean() for one in participants]
    people = [draw_someone(one.seed) for one in participants]
    for field in dataclasses.fields(people[0]):
        trait = [getattr(person, field.name) for person in people]
        # Two standard errors of a correlation of 120 pairs are 0.18.
        assert abs(np.corrcoef(trait, shares)[0, 1]) < 0.25, field.name


# --- Stress-Predict


def test_tasks_have_the_files_of_an_e4_each_with_its_own_start(tasks):
    folder = tasks / "Raw_data/S02"
    names = {path.name for path in folder.iterdir()}
    signals = {f"{name}.csv" for name in ("ACC", "BVP", "EDA", "HR", "IBI", "TEMP")}
    assert names == signals | {"info.txt", "tags_S02.csv"}
    heads = {name: (folder / name).read_text().splitlines()[:2] for name in signals}
    start = float(heads["BVP.csv"][0])
    assert float(heads["HR.csv"][0]) == start + 10
    assert heads["ACC.csv"] == [", ".join([f"{start:.6f}"] * 3), ", ".join(["32.000000"] * 3)]
    assert heads["IBI.csv"][0] == f"{start:.6f}, IBI"
    rates = {name: float(heads[f"{name}.csv"][1]) for name in ("BVP", "EDA", "TEMP", "HR")}
    assert rates == {"BVP": 64, "EDA": 4, "TEMP": 4, "HR": 1}


def test_the_table_of_labels_begins_a_second_early_and_ends_without_heart_rate(tasks):
    table = pd.read_csv(tasks / stress_predict_layout.TABLE)
    assert list(table) == ["Participant", "HR", "respr", "Time(sec)", "Label"]
    assert sorted(table["Participant"].unique()) == list(range(2, 13))  # 1 is left out
    for participant, rows in table.groupby("Participant"):
        head, _, *values = (tasks / f"Raw_data/S{participant:02}/HR.csv").read_text().split()
        assert (np.diff(rows["Time(sec)"]) == 1).all()
        assert rows["Time(sec)"].iloc[0] == float(head) - 1
        assert rows["HR"].iloc[:-2].tolist() == [float(value) for value in values]
        assert rows["HR"].iloc[-2:].isna().all()
        changes = rows["Time(sec)"].to_numpy()[1:][np.diff(rows["Label"]) != 0]
        assert len(changes) == 6
        assert rows["Label"].iloc[0] == rows["Label"].iloc[-1] == 0
        tags = (tasks / f"Raw_data/S{participant:02}/tags_S{participant:02}.csv").read_bytes()
        if participant == 3:
            assert tags == b""
        else:
            assert tags == "".join(f"{time}\r\n" for time in changes).encode()
    assert 0.28 < table["Label"].mean() < 0.4


def test_tasks_quicken_the_heart_of_most_but_not_in_each_second(tasks):
    table = pd.read_csv(tasks / stress_predict_layout.TABLE).dropna()
    means = table.groupby(["Participant", "Label"])["HR"].mean().unstack()
    assert (means[1] - means[0] > 5).all()
    rest = table[table["Label"] == 0].groupby("Participant")["HR"].max()
    assert (rest > means[1]).mean() > 0.8  # rests have moments of their own


def test_the_reader_of_tasks_counts_what_is_planted(tasks):
    table = stress_predict.read(tasks, progress=False)
    truth, found = planted(tasks), table.payload.irregularities
    assert len(table) == 7 * 11
    assert (
        table.rejected["kind"].tolist()
        == ["unlabelled"]
        == ["unlabelled"] * count_of(truth, "unlabelled")
    )
    kinds = found.groupby(["signal", "kind"])["count"].sum()
    labelled = truth[~truth["file"].str.startswith("Raw_data/S01")]
    assert kinds["eda", "zero"] == count_of(labelled, "zeros")
    assert kinds["heart_rate", "late start"] == count_of(labelled, "late heart rate")
    assert kinds["ibi", "no values"] == count_of(truth, "empty file", "Raw_data/S07/IBI.csv") + (
        count_of(truth, "no beats")
    )
    assert kinds["temperature", "early end"] == count_of(truth, "early end")


# --- one's own Empatica E4


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("empatica_e4")
    sample.write_sample_empatica_e4(folder, seed=2)
    return folder


def test_one_s_own_recordings_are_read_and_counted_as_planted(own):
    table = empatica_e4.read(own, progress=False)
    truth, found = planted(own), table.payload.irregularities
    events = pd.read_csv(own / "events.csv", keep_default_na=False)
    assert table.read == len(events) + count_of(truth, "no row")
    assert (table.rejected["kind"] == "unlabelled").sum() == count_of(
        truth, "unlabelled"
    ) + count_of(truth, "no row")
    assert table.targets[0].class_names == ("calm", "tense")
    assert len({recording.name for recording in table.payload.recordings}) == 6
    kinds = found.groupby(["signal", "kind"])["count"].sum()
    assert kinds["acceleration", "no file"] == count_of(truth, "missing file") == 1
    assert kinds["ibi", "no values"] == count_of(truth, "no beats") == 1
    assert kinds["labels", "after the signal"] == 20


def test_events_are_told_in_both_ways_and_mean_the_same_clock(own):
    events = pd.read_csv(own / "events.csv", keep_default_na=False, dtype=str)
    iso = events["start"].str.contains("T")
    assert 0 < iso.sum() < len(events)
    assert events.loc[iso, "start"].str.endswith("+01:00").all()
    sessions = {one.subject: one for one in e4_layout.plan_sessions(2) if not one.number}
    for row in events.itertuples():
        start = row.start
        if "T" in start:
            start = datetime.datetime.fromisoformat(start).timestamp()
        assert 0 <= float(start) - sessions[row.subject].start_s < 480
        assert row.recording in ("", sessions[row.subject].folder)


def test_who_records_twice_is_the_same_person(own):
    first, second = (
        empatica_e4.read_recordings(path) for path in sorted((own / "person 5").iterdir())
    )
    levels = [
        np.nanmedian(payload.recordings[0].signals["temperature"].values)
        for payload in (first, second)
    ]
    assert levels[0] == pytest.approx(levels[1], abs=1.5)
    starts = [payload.recordings[0].signals["bvp"].start_s for payload in (first, second)]
    assert starts[1] - starts[0] == 86_400


# --- WESAD


def test_pickles_of_python_2_are_read_with_latin1(tmp_path):
    value = {
        "subject": "S2",
        "empty": {},
        "arrays": {
            "float32": np.linspace(0, 1, 7, dtype=np.float32).reshape(7, 1),
            "big endian": np.arange(6, dtype=">i4").reshape(2, 3),
            "none": np.zeros((0, 3)),
        },
        "text": "é" * 300,
    }
    write_python2_pickle(tmp_path / "below/a.pkl", value)
    content = (tmp_path / "below/a.pkl").read_bytes()
    assert content.startswith(b"\x80\x02")
    assert b"X" + b"\x02\x00\x00\x00S2" not in content
    first = pickle.loads(content, encoding="latin1")
    for found in (first, load_plain(tmp_path / "below/a.pkl", encoding="latin1")):
        assert found["subject"] == "S2"
        assert found["empty"] == {}
        assert found["text"] == value["text"]
        for name, array in value["arrays"].items():
            assert np.array_equal(found["arrays"][name], array)
            assert found["arrays"][name].dtype == array.dtype.newbyteorder("=")
    # A text of Python 2 is bytes, not yet text.
    assert pickle.loads(content, encoding="bytes")[b"subject"] == b"S2"


def test_a_pickle_of_python_2_holds_no_other_things(tmp_path):
    with pytest.raises(ValueError, match="`value` must hold dicts, texts and arrays.*list"):
        write_python2_pickle(tmp_path / "a.pkl", {"subject": ["S2"]})


def test_conditions_are_read_and_counted_as_planted(tmp_path):
    sample.write_sample_wesad(tmp_path, seed=2)
    table = wesad.read(tmp_path, chest=True, progress=False)
    truth, found = planted(tmp_path), table.payload.irregularities
    assert table.frame["subject"].value_counts().to_dict() == {f"S{n}": 4 for n in range(2, 7)}
    kinds = found.groupby(["recording", "signal", "kind"])["count"].sum()
    for row in truth.itertuples():
        kind = {"early end": "short signal", "no numbers": "no number"}.get(row.kind, row.kind)
        signal = {"early end": "temperature", "no numbers": "chest_temperature"}
        assert kinds[row.file, signal.get(row.kind, "labels"), kind] == row.count
    assert len(kinds) == len(truth)


def test_wrist_and_chest_belong_to_one_body(tmp_path):
    sample.write_sample_wesad(tmp_path, seed=2, subjects=1)
    (recording,) = wesad.read(tmp_path, chest=True, progress=False).payload.recordings
    signals = recording.signals
    assert {name: signal.rate_hz for name, signal in signals.items() if "chest" not in name} == {
        "bvp": 64,
        "eda": 4,
        "temperature": 4,
        "acceleration": 32,
    }
    assert {signal.rate_hz for name, signal in signals.items() if "chest" in name} == {700}
    seconds = {round(signal.end_s - signal.start_s, 1) for signal in signals.values()}
    assert len(seconds) == 1
    # R peaks: as many as beats of the wrist's pulse.
    ecg = signals["chest_ecg"].values
    peaks = (ecg[1:-1] > 0.7) & (ecg[1:-1] >= ecg[:-2]) & (ecg[1:-1] > ecg[2:])
    peaks = np.flatnonzero(peaks)
    beats = 1 + (np.diff(peaks) > 200).sum()
    session = wesad_layout.plan_session(2, 2)
    body = wear(session.seed, *wesad_layout.draw_session(session)).body
    assert beats == pytest.approx(len(body.beats_s), abs=2)


# --- PAMAP2


def read_rows(folder, subject):
    return np.loadtxt(folder / f"Protocol/subject{subject}.dat")


def test_rows_of_activities_have_the_owner_s_columns(activities):
    rows = read_rows(activities, 104)
    assert rows.shape[1] == 54
    assert np.diff(rows[:, 0]) == pytest.approx(0.01, abs=1e-6)
    told = np.flatnonzero(np.isfinite(rows[:, 2]))
    assert (np.diff(told) == 11).all()  # about 9 a second
    for first in (3, 20, 37):
        device = rows[np.isfinite(rows[:, first]), first : first + 17]
        assert (device[:, 13:] == [1, 0, 0, 0]).all()  # orientation: invalid
        assert np.abs(device[:, 4:7]).max() <= 61
        assert np.abs(device[:, 1:4] - device[:, 4:7]).mean() < 0.3
        assert np.ptp(device[:, 0]) < 1.5
    still = rows[rows[:, 1] == 1]
    assert np.linalg.norm(still[:, 21:24], axis=1).mean() == pytest.approx(9.81, abs=0.4)


def test_activities_are_lost_and_left_out_where_it_is_planted(activities):
    truth = planted(activities)
    for subject, done in ((104, 10), (105, 12), (109, 1)):
        file = f"Protocol/subject{subject}.dat"
        rows = read_rows(activities, subject)
        assert len(set(rows[:, 1]) - {0}) == done
        assert (rows[:, 1] == 0).sum() == count_of(truth, "transient", file)
        assert np.isnan(rows[:, 2]).sum() == count_of(truth, "no heart rate", file)
        lost = np.rint((rows[-1, 0] - rows[0, 0]) * 100) + 1 - len(rows)
        assert lost == count_of(truth, "lost rows", file)
        assert np.isnan(rows[:, 3:]).any(axis=1).sum() == count_of(truth, "drop-out", file)
    assert set(read_rows(activities, 109)[:, 1]) == {0, 24}
    ankle = read_rows(activities, 104)[:, 37:50]
    assert np.isnan(ankle).all(axis=1).sum() == np.isnan(ankle).any(axis=1).sum() > 0
    text = (activities / "Protocol/subject104.dat").read_text()
    assert "NaN" in text
    assert "nan" not in text


def test_the_reader_of_activities_counts_what_is_planted(activities):
    table = pamap2.read(activities, progress=False)
    truth = planted(activities)
    kinds = table.payload.irregularities.groupby("kind")["count"].sum()
    assert kinds["transient"] == count_of(truth, "transient")
    assert kinds["drop-out"] == 3 * count_of(truth, "drop-out")  # three signals of a device
    assert kinds["missing rows"] == count_of(truth, "lost rows")
    assert not len(table.rejected)


def test_an_activity_is_told_by_its_motion_and_not_by_how_a_device_sits():
    features, labels, people = [], [], []
    for person in range(6):
        mover = everyday_motion.draw_mover(np.random.default_rng([person, 1]))
        random = np.random.default_rng([person, 2])
        for number, activity in everyday_motion.ACTIVITIES.items():
            moved = everyday_motion.move(random, mover, activity, 1200)
            parts = np.concatenate([moved.acceleration, moved.turning], axis=2).reshape(3, 400, -1)
            spread = np.log(parts.std(axis=1))
            pace = np.log(np.abs(np.diff(parts, axis=1)).mean(axis=1)) - spread
            features.append(np.concatenate([parts.mean(axis=1), spread, pace], axis=1))
            labels += [number] * 3
            people += [person] * 3
    features = np.concatenate(features)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))

    def score(columns):
        found = cross_val_predict(
            model, features[:, columns], labels, groups=people, cv=LeaveOneGroupOut()
        )
        return f1_score(labels, found, average="macro")

    means, motion = score(slice(0, 18)), score(slice(18, None))
    assert motion > 0.55
    assert motion > means + 0.15
    assert score(slice(None)) < 0.99


def test_the_heart_follows_what_is_done():
    mover = everyday_motion.draw_mover(np.random.default_rng(0))
    above = np.repeat([0.0, 60.0], 4000)
    rates = everyday_motion.heart_rates(np.random.default_rng(1), mover, above)
    assert rates[:4000].mean() == pytest.approx(mover.heart_rate, abs=5)
    assert rates[7000:].mean() == pytest.approx(mover.heart_rate + 60, abs=8)
    assert rates[4100] < mover.heart_rate + 25  # a second later it has hardly begun

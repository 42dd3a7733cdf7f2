"""Windows of signals with a label each, held to values by hand and to a slow version."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.recordings import Recording, RecordingPayload, Signal, irregularity_frame
from affectkeras.datasets.table import ExampleTable, FilePayload, Target, rejected_frame
from affectkeras.errors import UserError
from affectkeras.evaluation.leakage import check_split
from affectkeras.evaluation.splits import Split
from affectkeras.pipelines.signals import Channel, cut_channels, cut_windows, resample

START = 1_600_000_000.0  # s since 1970
NAN = np.nan
EDA, HEART_RATE = Channel("eda"), Channel("heart_rate")
X, Y, Z = (Channel("acceleration", axis) for axis in range(3))


def recording(name="S1", subject=None, **signals):
    """Return a recording of signals given as (values, rate in Hz, seconds after `START`)."""
    made = {
        key: Signal(np.asarray(values, np.float32), START + late, rate)
        for key, (values, rate, late) in signals.items()
    }
    return Recording(name, subject or name, made)


def stretches(recordings, rows, *, rejected=()):
    """Return a table of stretches `(number of the recording, start, end, stress)`."""
    owners = [recordings[number] for number, *_ in rows]
    frame = pd.DataFrame(
        {
            "example_id": [f"{one.name} {place}" for place, one in enumerate(owners)],
            "subject": [one.subject for one in owners],
            "group": [one.subject for one in owners],
            "split": "",
            "source": [f"{one.name}/EDA.csv" for one in owners],
            "minute": range(len(rows)),
            "recording": [one.name for one in owners],
            "start_s": [START + start for _, start, _, _ in rows],
            "end_s": [START + end for _, _, end, _ in rows],
            "stress": [stress for *_, stress in rows],
        }
    )
    index = np.array([number for number, *_ in rows], dtype=np.int64)
    return ExampleTable(
        name="made",
        frame=frame,
        targets=(Target("stress", "class", ("baseline", "stress")),),
        payload=RecordingPayload(tuple(recordings), index, irregularity_frame()),
        groups_known=True,
        rejected=rejected_frame(rejected),
        read=len(frame) + len(rejected),
    )


def ramp(seconds, rate=4.0):
    """Return values that are the seconds since the first."""
    return np.arange(round(seconds * rate)) / rate


def signals_of(table):
    return table.payload.arrays["signals"][table.payload.index]


def test_one_window_ends_where_its_stretch_ends_and_reaches_back_before_its_beginning():
    one = recording(eda=(ramp(60), 4.0, 0))
    table = stretches([one], [(0, 10, 15, 0), (0, 15, 20, 1)])
    found = cut_windows(table, [EDA], seconds=8)
    assert signals_of(found).shape == (2, 32, 1)
    assert signals_of(found).dtype == np.float32
    np.testing.assert_array_equal(signals_of(found)[0, :, 0], np.float32(7 + ramp(8)))
    np.testing.assert_array_equal(signals_of(found)[1, :, 0], np.float32(12 + ramp(8)))
    frame = found.frame
    assert frame["window_start_s"].tolist() == [START + 7, START + 12]
    assert frame["window_end_s"].tolist() == [START + 15, START + 20]
    assert frame["stress"].tolist() == [0, 1]
    assert frame["minute"].tolist() == [0, 1]
    assert frame["recording"].tolist() == ["S1", "S1"]


def test_an_id_tells_the_end_since_the_first_sample_of_any_signal():
    one = recording(eda=(ramp(60), 4.0, 0), heart_rate=(ramp(50, 1.0), 1.0, -2.5))
    found = cut_windows(stretches([one], [(0, 10, 15, 0)]), [EDA], seconds=5)
    assert found.frame["example_id"].tolist() == ["S1 0 17.5 s"]


def test_windows_inside_a_stretch_follow_one_another_and_none_reaches_out():
    one = recording(eda=(ramp(60), 4.0, 0))
    table = stretches([one], [(0, 2, 24.9, 0), (0, 30, 40, 1)])
    found = cut_windows(table, [EDA], seconds=5, place="inside")
    assert (found.frame["window_start_s"] - START).tolist() == [2, 7, 12, 17, 30, 35]
    assert found.frame["stress"].tolist() == [0, 0, 0, 0, 1, 1]
    np.testing.assert_array_equal(signals_of(found)[4, :, 0], np.float32(30 + ramp(5)))


def test_a_step_makes_windows_overlap():
    one = recording(eda=(ramp(60), 4.0, 0))
    table = stretches([one], [(0, 0.25, 20.25, 0)])
    found = cut_windows(table, [EDA], seconds=10, place="inside", step_s=2.5)
    assert (found.frame["window_start_s"] - START).tolist() == [0.25, 2.75, 5.25, 7.75, 10.25]
    assert found.frame["example_id"].is_unique


def test_a_window_of_128_values_at_33_hz_fits_where_128_slots_do():
    one = recording(eda=(ramp(20, 100.0), 100.0, 0))
    table = stretches([one], [(0, 1, 1 + 256 / 33, 0)])
    found = cut_windows(table, [EDA], seconds=128 / 33, rate_hz=33.0, place="inside")
    assert signals_of(found).shape == (2, 128, 1)
    # The mean of three samples 1/100 s apart lies 1/100 s on.
    expected = 1 + 1 / 100 + np.arange(256) / 33
    np.testing.assert_allclose(signals_of(found).ravel(), expected, rtol=1e-6)


def test_a_stretch_without_room_for_a_window_is_counted():
    one = recording(eda=(ramp(60), 4.0, 0))
    table = stretches([one], [(0, 0, 4.5, 0), (0, 10, 15, 1)])
    found = cut_windows(table, [EDA], seconds=5, place="inside")
    assert found.frame["stress"].tolist() == [1]
    assert found.rejected.to_numpy().tolist() == [
        ["S1 0", "excluded", "too short: the stretch lasts 4.5 s, a window 5 s"]
    ]
    assert found.read == 2


def test_what_the_source_had_rejected_stays_and_is_counted():
    one = recording(eda=(ramp(30), 4.0, 0))
    before = ("S9", "unlabelled", "no label")
    table = stretches([one], [(0, 0, 10, 0), (0, 25, 35, 1)], rejected=[before])
    found = cut_windows(table, [EDA], seconds=10)
    assert found.rejected.to_numpy().tolist() == [
        list(before),
        ["S1 1 35.0 s", "excluded", "eda: 50.0% of the window is missing, more than 20.0%"],
    ]
    assert (found.read, len(found)) == (3, 1)


def test_channels_stand_in_the_order_asked_for():
    axes = np.random.default_rng(0).normal(size=(320, 3))
    one = recording(eda=(ramp(10), 4.0, 0), acceleration=(axes, 32.0, 0))
    found = cut_windows(stretches([one], [(0, 0, 5, 0)]), [Z, EDA, X], seconds=5)
    means = axes[:160].astype(np.float32).reshape(20, 8, 3).mean(axis=1)
    expected = np.stack([means[:, 2], ramp(5), means[:, 0]], axis=-1)
    np.testing.assert_allclose(signals_of(found)[0], expected, rtol=1e-5, atol=1e-6)
    assert [channel.name for channel in (Z, EDA, X)] == ["acceleration.z", "eda", "acceleration.x"]


def test_pulse_at_its_own_rate_stays_as_it_is():
    pulse = np.random.default_rng(0).normal(size=64 * 10).astype(np.float32)
    table = stretches([recording(bvp=(pulse, 64.0, 0))], [(0, 0, 7, 0)])
    found = cut_windows(table, [Channel("bvp")], seconds=5, rate_hz=64.0)
    np.testing.assert_array_equal(signals_of(found)[0, :, 0], pulse[128:448])


def test_small_gaps_are_filled_and_larger_ones_excluded_by_the_channel_that_misses_most():
    eda, heart = ramp(20), ramp(20, 1.0)
    eda[[2, 3]] = NAN  # 2 of 20 values of the first window
    eda[19] = NAN  # and its last one
    eda[40:46] = NAN  # 6 of 20 of the third
    heart[11:14] = NAN  # 12 of 20 of the third
    one = recording(eda=(eda, 4.0, 0), heart_rate=(heart, 1.0, 0))
    table = stretches([one], [(0, 0, 5, 0), (0, 5, 10, 0), (0, 10, 15, 1)])
    found = cut_windows(table, [EDA, HEART_RATE], seconds=5)
    assert found.frame["minute"].tolist() == [0, 1]
    expected = np.float32(ramp(5))
    expected[19] = expected[18]
    np.testing.assert_array_equal(signals_of(found)[0, :, 0], expected)
    assert found.rejected["reason"].tolist() == [
        "heart_rate: 60.0% of the window is missing, more than 20.0%"
    ]
    strict = cut_windows(table, [EDA, HEART_RATE], seconds=5, max_gap=0.0)
    assert strict.frame["minute"].tolist() == [1]
    kind = cut_windows(table, [EDA, HEART_RATE], seconds=5, max_gap=0.6)
    assert len(kind) == 3
    assert not np.isnan(signals_of(kind)).any()


def test_a_share_of_just_the_largest_gap_is_filled():
    eda = ramp(5)
    eda[:4] = NAN
    found = cut_windows(
        stretches([recording(eda=(eda, 4.0, 0))], [(0, 0, 5, 0)]), [EDA], seconds=5, max_gap=0.2
    )
    np.testing.assert_array_equal(signals_of(found)[0, :5, 0], np.float32([1, 1, 1, 1, 1]))


def test_a_recording_without_the_signal_loses_its_windows_and_no_other():
    both = recording("S1", eda=(ramp(10), 4.0, 0), heart_rate=(ramp(10, 1.0), 1.0, 0))
    one = recording("S2", eda=(ramp(10), 4.0, 0))
    table = stretches([both, one], [(0, 0, 5, 0), (1, 0, 5, 1)])
    for scale in ("none", "subject"):
        found = cut_windows(table, [HEART_RATE], seconds=5, scale=scale)
        assert found.frame["subject"].tolist() == ["S1"]
        assert found.rejected["reason"].tolist() == [
            "heart_rate: 100.0% of the window is missing, more than 20.0%"
        ]


def test_rows_keep_the_order_of_the_table_whatever_recording_they_are_of():
    one, other = recording("S1", eda=(ramp(20), 4.0, 0)), recording("S2", eda=(-ramp(20), 4.0, 0))
    table = stretches([one, other], [(1, 5, 10, 0), (0, 5, 10, 1), (1, 0, 5, 0)])
    found = cut_windows(table, [EDA], seconds=5)
    assert found.frame["subject"].tolist() == ["S2", "S1", "S2"]
    assert signals_of(found)[:, -1, 0].tolist() == [-9.75, 9.75, -4.75]


def test_by_subject_each_channel_has_mean_0_and_deviation_1_from_first_stretch_to_last():
    random = np.random.default_rng(0)
    people = [
        recording("S1", "Ann", eda=(random.normal(5, 2, 240), 4.0, 0)),
        recording("S2", "Ben", eda=(random.normal(9, 1, 240), 4.0, 0)),
        recording("S3", "Ann", eda=(random.normal(7, 4, 240), 4.0, 0)),
    ]
    rows = [(0, 10, 20, 0), (0, 40, 50, 1), (1, 0, 10, 0), (2, 30, 50, 1)]
    table = stretches(people, rows)
    raw = signals_of(cut_windows(table, [EDA], seconds=10)).astype(np.float64)
    found = signals_of(cut_windows(table, [EDA], seconds=10, scale="subject"))
    eda = [one.signals["eda"].values.astype(np.float64) for one in people]
    # Ann's two recordings together: 10 to 50 s of the first, 30 to 50 s of the other.
    ann = np.concatenate([eda[0][40:200], eda[2][120:200]])
    ben = eda[1][:40]
    for window, own in enumerate([ann, ann, ben, ann]):
        expected = (raw[window] - own.mean()) / own.std()
        np.testing.assert_allclose(found[window], expected, rtol=1e-5, atol=1e-6)


def test_by_subject_missing_values_count_for_nothing():
    eda = np.array([NAN, 1, 3, NAN, 1, 3, 1, 3] * 5)
    table = stretches([recording(eda=(eda, 4.0, 0))], [(0, 0, 10, 0)])
    found = cut_windows(table, [EDA], seconds=10, scale="subject", max_gap=0.3)
    np.testing.assert_allclose(signals_of(found)[0, 4:8, 0], [-1, 1, -1, 1], rtol=1e-6)


def test_by_subject_a_channel_that_stands_still_is_zero():
    still = np.full(40, 34.79)
    table = stretches([recording(eda=(still, 4.0, 0))], [(0, 0, 10, 0)])
    found = cut_windows(table, [EDA], seconds=10, scale="subject")
    np.testing.assert_allclose(signals_of(found), 0, atol=1e-5)


def overlaps(table):
    """Return the finding on windows of two sides, every other window being test."""
    rows = np.arange(len(table))
    nothing = np.array([], np.int64), pd.DataFrame({"row": [], "reason": []})
    split = Split(rows[::2], nothing[0], rows[1::2], "made", "", nothing[1], True)
    return check_split(table.frame, split)["checks"]["overlapping_windows_on_two_sides"]


def test_windows_on_two_sides_that_share_time_are_found():
    table = stretches([recording(eda=(ramp(60), 4.0, 0))], [(0, 0, 30, 0)])
    found = cut_windows(table, [EDA], seconds=10, place="inside", step_s=5)
    assert overlaps(found)["count"] == 4
    assert overlaps(found)["examples"][0].startswith("S1: S1 0 10.0 s and S1 0 15.0 s share 5 s")


def test_windows_that_touch_share_no_time_whatever_the_rounding():
    table = stretches([recording(eda=(ramp(90, 100.0), 100.0, 0))], [(0, 0.1, 90, 0)])
    seconds = 128 / 33
    found = cut_windows(table, [EDA], seconds=seconds, rate_hz=33.0, place="inside")
    assert len(found) == 23
    assert overlaps(found)["count"] == 0
    starts, ends = found.frame["window_start_s"], found.frame["window_end_s"]
    np.testing.assert_array_equal(starts[1:], ends[:-1])
    np.testing.assert_allclose(ends - starts, seconds, atol=2e-6)


def slow_windows(table, channels, seconds, rate_hz, starts, max_gap, scaled):
    """Return the windows that can be used, one after another: `{(row, start): values}`."""
    samples, found = round(seconds * rate_hz), {}
    for row, start in starts:
        own = table.payload.recordings[table.payload.index[row]]
        window = {}
        for channel in channels:
            signal = own.signals.get(channel.signal)
            if signal is None:
                break
            if channel.axis is not None:
                signal = dataclasses.replace(signal, values=signal.values[:, channel.axis])
            line = pd.Series(resample(signal, rate_hz, start, samples).astype(np.float64))
            if line.isna().mean() > max_gap:
                break
            line = line.interpolate(limit_direction="both")
            if scaled:
                whole = [
                    slow_span(table, number, channel, rate_hz)
                    for number, one in enumerate(table.payload.recordings)
                    if one.subject == own.subject
                ]
                whole = pd.concat(whole)
                line = (line - whole.mean()) / whole.std(ddof=0)
            window[channel.name] = line
        else:
            found[row, start] = pd.DataFrame(window).to_numpy()
    return found


def slow_span(table, number, channel, rate_hz):
    rows = table.frame[table.payload.index == number]
    signal = table.payload.recordings[number].signals.get(channel.signal)
    if signal is None or not len(rows):
        return pd.Series(dtype=float)
    if channel.axis is not None:
        signal = dataclasses.replace(signal, values=signal.values[:, channel.axis])
    start = rows["start_s"].min()
    samples = int((rows["end_s"].max() - start) * rate_hz + 1e-6)
    return pd.Series(resample(signal, rate_hz, start, samples).astype(np.float64))


def random_recording(random, number):
    """Return a recording with gaps, late starts and signals that end early."""

    def line(rate, axes=()):
        values = random.normal(30, 5, (int(rate * random.uniform(40, 90)), *axes))
        for _ in range(random.integers(0, 5)):
            first = random.integers(0, len(values))
            values[first : first + random.integers(1, 6 * rate)] = NAN
        return values, float(rate), round(random.uniform(0, 12), 3)

    made = {"eda": line(4), "heart_rate": line(1), "bvp": line(64), "acceleration": line(32, (3,))}
    if random.random() < 0.3:
        del made["heart_rate"]
    return recording(f"S{number}", f"P{number // 2}", **made)


@pytest.mark.parametrize("seed", range(8))
def test_a_slow_version_window_by_window_says_the_same(seed):
    random = np.random.default_rng(seed)
    people = [random_recording(random, number) for number in range(4)]
    rows = []
    for number in range(4):
        for _ in range(3):
            start = round(random.uniform(0, 60), 3)
            rows.append((number, start, start + round(random.uniform(3, 30), 3), 0))
    table = stretches(people, rows)
    channels = [Channel("bvp"), EDA, *([HEART_RATE] if seed % 2 else []), Z, X]
    inside, scaled = seed % 4 < 2, seed % 3 == 0
    rate_hz, seconds = ((4.0, 5.0), (5.0, 6.0), (3.0, 4.0))[seed % 3]
    options = {"place": "inside", "step_s": 2.5} if inside else {"place": "end"}
    scale = "subject" if scaled else "none"
    found = cut_windows(table, channels, seconds=seconds, rate_hz=rate_hz, scale=scale, **options)

    starts = []
    for row, (begin, end) in enumerate(
        zip(table.frame["start_s"], table.frame["end_s"], strict=True)
    ):
        start = begin if inside else end - seconds
        while start + seconds <= end + 1e-6:
            starts.append((row, start))
            start += 2.5 if inside else seconds
    expected = slow_windows(table, channels, seconds, rate_hz, starts, 0.2, scaled)
    keys = zip(found.frame["minute"], found.frame["window_start_s"], strict=True)
    assert [(row, round(start, 4)) for row, start in keys] == [
        (row, round(start, 4)) for row, start in expected
    ]
    values = np.stack(list(expected.values()))
    np.testing.assert_allclose(signals_of(found), values, rtol=1e-5, atol=1e-4)
    assert found.read == len(found) + len(found.rejected)
    assert 0 < len(found) < found.read


def test_windows_of_one_recording_come_without_a_table():
    one = recording(eda=(ramp(10), 4.0, 0), heart_rate=([1, NAN, 3, 4], 1.0, 0))
    found = cut_channels(
        one, [HEART_RATE, Channel("bvp"), EDA], START + np.array([0, 4]), samples=4, rate_hz=2.0
    )
    assert found.shape == (2, 4, 3)
    np.testing.assert_array_equal(found[0, :, 0], np.float32([1, 1, NAN, NAN]))
    assert np.isnan(found[:, :, 1]).all()
    np.testing.assert_array_equal(found[1, :, 2], np.float32([4.125, 4.625, 5.125, 5.625]))


def test_the_length_of_a_vector_is_a_channel_of_its_own():
    turned = np.repeat([[3.0, 4.0, 0.0], [0.0, 5.0, 12.0]], 8, axis=0)
    one = recording(acceleration=(turned, 4.0, 0))
    length = Channel("acceleration", "length")
    found = cut_windows(stretches([one], [(0, 0, 4, 0)]), [length, X], seconds=4)
    np.testing.assert_allclose(signals_of(found)[0, :, 0], [5] * 8 + [13] * 8, rtol=1e-6)
    np.testing.assert_array_equal(signals_of(found)[0, :, 1], [3] * 8 + [0] * 8)
    assert length.name == "acceleration.length"


def test_values_become_their_ranks_among_all_of_the_subject():
    """Of 1, 1, 2, 9: shares below, ties half, are 1/4, 1/4, 5/8, 7/8; evenly from -√3 to √3."""
    one = recording(eda=([1.0, 1.0, 2.0, 9.0], 1.0, 0))
    found = cut_windows(stretches([one], [(0, 0, 4, 0)]), [EDA], seconds=4, rate_hz=1, scale="rank")
    expected = (np.array([1 / 4, 1 / 4, 5 / 8, 7 / 8]) - 0.5) * 2 * np.sqrt(3)
    np.testing.assert_allclose(signals_of(found)[0, :, 0], expected, rtol=1e-6)


def test_ranks_are_those_of_the_whole_recording_and_forget_its_distribution():
    values = np.random.default_rng(0).gamma(0.3, size=400).astype(np.float32)
    one = recording(eda=(values, 4.0, 0))
    table = stretches([one], [(0, 0, 100, 0)])
    found = signals_of(
        cut_windows(table, [EDA], seconds=10, place="inside", step_s=10, scale="rank")
    )
    assert abs(found.mean()) < 1e-6
    assert found.std() == pytest.approx(1, abs=1e-3)
    order = np.argsort(values)
    np.testing.assert_array_equal(np.argsort(found.ravel()), order)


def test_a_channel_of_changes_tells_how_far_each_value_is_from_the_one_before():
    one = recording(eda=([1.0, 4.0, 2.0, 2.0], 1.0, 0))
    change = Channel("eda", change=True)
    table = stretches([one], [(0, 0, 4, 0)])
    found = cut_windows(table, [change, EDA], seconds=4, rate_hz=1)
    np.testing.assert_array_equal(signals_of(found)[0], [[3, 1], [3, 4], [2, 2], [0, 2]])
    assert change.name == "eda.change"
    assert Channel("acceleration", 1, change=True).name == "acceleration.y.change"


def test_an_unknown_signal_names_the_known_ones():
    one = recording(eda=(ramp(10), 4.0, 0), heart_rate=(ramp(10, 1.0), 1.0, 0))
    table = stretches([one], [(0, 0, 5, 0)])
    expected = "made: no recording has the signal 'pulse'; there are eda, heart_rate."
    with pytest.raises(UserError, match=expected):
        cut_windows(table, [EDA, Channel("pulse")], seconds=5)


def test_no_usable_window_at_all_is_an_error_with_the_reason():
    one = recording(eda=(ramp(14), 4.0, 0), heart_rate=(ramp(2, 1.0), 1.0, 0))
    table = stretches([one], [(0, 0, 11.5, 0), (0, 3, 8, 0), (0, 20, 25, 0)])
    with pytest.raises(
        UserError,
        match="made: none of 3 windows can be used; 2 of them for a reason such as: heart_rate: "
        "100.0% of the window is missing, more than 20.0%. Allow larger gaps",
    ):
        cut_windows(table, [EDA, HEART_RATE], seconds=5)
    with pytest.raises(UserError, match="none of 3 .*: too short: .* lasts 11.5 s, a window 20 s"):
        cut_windows(table, [EDA], seconds=20, place="inside")


def test_a_table_without_recordings_is_refused():
    table = stretches([recording(eda=(ramp(10), 4.0, 0))], [(0, 0, 5, 0)])
    files = dataclasses.replace(table, payload=FilePayload(np.array(["a"], dtype=object)))
    with pytest.raises(UserError, match="made: there are no recordings to cut windows from"):
        cut_windows(files, [EDA], seconds=5)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ([], r"`channels` must be one or more, each once. Received: \[\]"),
        ([EDA, EDA], r"each once. Received: \['eda', 'eda'\]"),
        ([Channel("eda", 0)], "`axis` of the channel eda must be None. Received: 0"),
        ([Channel("acceleration")], "from 0 to 2 or 'length'. Received: None"),
        ([Channel("acceleration", 3)], "from 0 to 2 or 'length'. Received: 3"),
        ([Channel("eda", "length")], "channel eda must be None. Received: length"),
    ],
)
def test_channels_that_cannot_be_are_refused(channels, message):
    one = recording(eda=(ramp(10), 4.0, 0), acceleration=(np.zeros((320, 3)), 32.0, 0))
    with pytest.raises(ValueError, match=message):
        cut_windows(stretches([one], [(0, 0, 5, 0)]), channels, seconds=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 0}, "`seconds` and `rate_hz` must be above 0. Received: seconds=0, rate_hz=4"),
        ({"seconds": 5.1}, r"`seconds \* rate_hz` must be a whole number. Received: seconds=5.1"),
        ({"place": "start"}, r"`place` must be one of \('end', 'inside'\). Received: 'start'"),
        (
            {"scale": "all"},
            r"`scale` must be one of \('none', 'subject', 'rank'\). Received: 'all'",
        ),
        ({"step_s": 1}, "goes with place='inside' only. Received: step_s=1, place='end'"),
        ({"step_s": 0, "place": "inside"}, "`step_s` must be at least 0.2 s"),
        ({"max_gap": 1}, r"`max_gap` must be in \[0, 1\). Received: max_gap=1"),
        ({"max_gap": NAN}, r"`max_gap` must be in \[0, 1\). Received: max_gap=nan"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    table = stretches([recording(eda=(ramp(10), 4.0, 0))], [(0, 0, 5, 0)])
    with pytest.raises(ValueError, match=message):
        cut_windows(table, [EDA], **{"seconds": 5, **options})

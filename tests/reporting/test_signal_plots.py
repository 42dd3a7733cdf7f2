"""Plots of signals and subjects: what they draw, and what takes them away."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras.files import read_csv, write_csv
from affectkeras.reporting import plots, signal_plots, subject_plots
from affectkeras.reporting.run_data import read_run
from tests.reporting.test_plots import SIGNAL_PLOTS, names_of_plots
from tests.synthetic_run import change_result
from tests.synthetic_signal_run import write_signal_run


@pytest.fixture
def run(tmp_path):
    return write_signal_run(tmp_path / "run", subjects=4, seeds=(0,))


def test_a_run_on_signals_gets_its_plots_as_png(run):
    written = plots.plot_run(run)
    wanted = {"accuracy", "learning-curves", "arms-together", "class-f1", "confusion"}
    assert set(written) == SIGNAL_PLOTS | wanted | {"reliability"}
    for name in SIGNAL_PLOTS:
        with Image.open(written[name]) as image:
            assert np.asarray(image.convert("L")).std() > 5


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("subject_scores.csv", {"subject-scores"}),
        ("label_counts.csv", {"label-skew"}),
        ("signal_excerpt.npz", {"signals", "smoothing"}),
        ("irregularities.csv", set()),
    ],
)
def test_a_missing_file_takes_only_its_own_plots_away(run, name, lost):
    whole = names_of_plots(run)
    (run / name).unlink()
    assert names_of_plots(run) == whole - lost


def test_subjects_stand_in_the_order_of_the_served_arm_with_mean_and_band(run):
    (axes,) = subject_plots.draw_subject_scores(read_run(run)).axes
    scores = read_csv(run / "subject_scores.csv")
    served = scores[scores["arm"] == "SF-HF"].set_index("subject")["macro_f1"].sort_values()
    names = [text.get_text() for text in axes.get_xticklabels()]
    points = {line.get_label().split(":")[0]: line.get_ydata() for line in axes.lines}
    np.testing.assert_allclose(points["SF-HF"], served)
    np.testing.assert_allclose(served.loc[names], points["SF-HF"])
    floor = scores[scores["arm"] == "logistic"].set_index("subject")["macro_f1"]
    np.testing.assert_allclose(points["logistic"], floor.loc[names])
    assert "EF" not in points
    (band,) = axes.patches
    low, high = band.get_y(), band.get_y() + band.get_height()
    np.testing.assert_allclose(
        [low, high], [served.mean() - served.std(ddof=0), served.mean() + served.std(ddof=0)]
    )


def test_without_a_served_arm_the_best_is_drawn(run):
    change_result(run, served_arm=None)
    (axes,) = subject_plots.draw_subject_scores(read_run(run)).axes
    scores = read_csv(run / "subject_scores.csv").groupby("arm")["macro_f1"].mean()
    labels = [line.get_label().split(":")[0] for line in axes.lines]
    assert scores.idxmax() in labels


def test_the_label_skew_shows_counts_and_shares(run):
    rows = [("A", "low", 8), ("A", "high", 2), ("B", "low", 3), ("B", "high", 3), ("C", "low", 0)]
    frame = pd.DataFrame(rows, columns=["subject", "class_name", "windows"])
    write_csv(run / "label_counts.csv", frame)
    overall, by_subject = subject_plots.draw_label_skew(read_run(run)).axes
    assert [bar.get_width() for bar in overall.patches] == [11, 5]
    # B before A, whose share of the commonest class is larger; C has no window.
    assert [text.get_text() for text in by_subject.get_xticklabels()] == ["B", "A"]
    np.testing.assert_allclose(
        [bar.get_height() for bar in by_subject.patches], [0.5, 0.8, 0.5, 0.2]
    )


def test_every_signal_is_drawn_as_it_is_and_at_the_common_rate(run):
    data = read_run(run)
    excerpt = signal_plots.read_excerpt(data)
    panels = signal_plots.draw_signals(data).axes
    assert [axes.get_title() for axes in panels] == [
        "bvp: 64 Hz → 4 Hz",
        "eda: 4 Hz → 4 Hz",
        "heart_rate: 1 Hz → 4 Hz",
        "acceleration: 32 Hz → 4 Hz",
    ]
    raw, common = panels[0].lines
    np.testing.assert_array_equal(raw.get_ydata(), excerpt["raw00"])
    np.testing.assert_array_equal(common.get_ydata(), excerpt["common00"])
    # A slot's mean stands in the middle of its 16 samples.
    assert common.get_xdata()[0] == pytest.approx(raw.get_xdata()[:16].mean())
    raw, common = panels[2].lines
    assert raw.get_marker() == "o"
    assert common.get_xdata()[0] == 0


def test_the_rolling_mean_is_that_of_every_window_of_samples():
    middle, means = signal_plots.rolling_mean(np.arange(5.0), np.array([1, 2, 6, 4, 5.0]), 3)
    np.testing.assert_allclose(middle, [1, 2, 3])
    np.testing.assert_allclose(means, [3, 4, 5])


def test_smoothing_shows_what_the_common_rate_keeps(run):
    (axes,) = signal_plots.draw_smoothing(read_run(run)).axes
    labels = [line.get_label() for line in axes.lines]
    assert labels == [
        "as recorded, 64 Hz",
        "rolling mean of 16 samples (0.25 s)",
        "rolling mean of 64 samples (1 s)",
        "kept at 4 Hz",
    ]
    fine, kept = axes.lines[1], axes.lines[3]
    on_curve = np.interp(kept.get_xdata(), fine.get_xdata(), fine.get_ydata())
    np.testing.assert_allclose(kept.get_ydata(), on_curve, atol=1e-4)


def test_a_pulse_that_is_not_reduced_is_smoothed_all_the_same(run):
    excerpt = dict(signal_plots.read_excerpt(read_run(run)))
    excerpt |= {"rate_hz": np.array(64.0), "common_seconds": np.arange(3840) / 64}
    np.savez_compressed(run / "signal_excerpt.npz", **excerpt | {"common00": np.zeros(3840)})
    (axes,) = signal_plots.draw_smoothing(read_run(run)).axes
    assert [line.get_label() for line in axes.lines][1:] == [
        "rolling mean of 16 samples (0.25 s)",
        "rolling mean of 64 samples (1 s)",
    ]


def test_without_a_pulse_the_first_signal_that_is_reduced_is_smoothed(run):
    excerpt = dict(signal_plots.read_excerpt(read_run(run)))
    excerpt["signals"] = np.array(["skin", "eda", "heart_rate", "acceleration"])
    np.savez_compressed(run / "signal_excerpt.npz", **excerpt)
    (axes,) = signal_plots.draw_smoothing(read_run(run)).axes
    assert axes.get_ylabel().startswith("skin")


def test_signals_that_are_all_slow_have_no_smoothing(run):
    excerpt = dict(signal_plots.read_excerpt(read_run(run)))
    excerpt |= {"signals": np.array(["eda"]), "units": np.array(["µS"])}
    excerpt |= {"raw_rate_hz": np.array([4.0]), "raw00": excerpt["raw01"]}
    excerpt |= {"raw_seconds00": excerpt["raw_seconds01"], "common00": excerpt["common01"]}
    np.savez_compressed(run / "signal_excerpt.npz", **excerpt)
    assert signal_plots.draw_smoothing(read_run(run)) is None
    assert len(signal_plots.draw_signals(read_run(run)).axes) == 1


def test_a_history_of_folds_without_validation_is_drawn_over_epochs(run):
    panels = plots.draw_learning_curves(read_run(run)).axes
    assert [axes.get_xlabel() for axes in panels[-2:]] == ["epoch", "epoch"]
    labels = {text.get_text() for axes in panels for text in axes.get_legend().get_texts()}
    assert labels == {"training"}


def test_more_arms_than_can_be_told_apart_leave_the_served_one_in(run):
    data = read_run(run)
    names = [f"arm {number}" for number in range(8)]
    change_result(run, arms={name: {} for name in names}, served_arm="arm 7")
    assert read_run(run).chief_arms(names) == [*names[:5], "arm 7"]
    assert data.chief_arms(["SF-HF", "EF"]) == ["EF", "SF-HF"]

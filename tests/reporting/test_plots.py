"""Plots: drawn from the run folder, skipped where the data for them is missing."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras.errors import UserError
from affectkeras.files import read_csv, write_csv
from affectkeras.reporting import plots, pruning_plots, removal_plots, stress_plots
from affectkeras.reporting.number_plots import NUMBER_PLOTS
from affectkeras.reporting.plot_style import arm_color
from affectkeras.reporting.run_data import read_run
from tests.synthetic_run import REMOVAL_EPOCH, change_result, read_result, write_synthetic_run

SIGNAL_PLOTS = {"subject-scores", "label-skew", "signals", "smoothing"}
CLASS_PLOTS = set(plots.PLOTS) - set(NUMBER_PLOTS) - SIGNAL_PLOTS - {"face-sheet"}


@pytest.fixture
def run(tmp_path):
    return write_synthetic_run(tmp_path / "run", seeds=(0, 1))


def names_of_plots(run):
    """Return what could be drawn, without rendering it."""
    data = read_run(run)
    return {name for name, draw in plots.PLOTS.items() if draw(data) is not None}


def labels_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_complete_run_gets_every_plot_as_a_png(run):
    written = plots.plot_run(run)
    assert list(written) == [name for name in plots.PLOTS if name in CLASS_PLOTS]
    for path in written.values():
        assert path.parent == run / "plots"
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert np.asarray(image.convert("L")).std() > 5


def test_a_run_without_removal_gets_no_removal_plots(tmp_path):
    run = write_synthetic_run(tmp_path / "run", arms=("none",), seeds=(0,))
    assert names_of_plots(run) == CLASS_PLOTS - REMOVAL_PLOTS - {"arms-together"}


def test_an_empty_folder_gets_no_plots_and_no_error(tmp_path):
    assert plots.plot_run(tmp_path) == {}
    assert not (tmp_path / "plots").exists()


REMOVAL_PLOTS = {"loss-variance", "loss-histogram", "removed-faces"}


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("history.csv", {"learning-curves", "arms-together"}),
        ("masks.csv", {"mask-weight"}),
        ("masks.npz", {"masks"}),
        ("inflation.csv", {"inflation"}),
        ("activations.csv", {"activations"}),
        ("activation_history.csv", {"activations"}),
        ("predictions.csv", {"confusion", "reliability"}),
        ("scores.csv", {"loss-variance", "loss-histogram"}),
        ("removals.csv", {"removed-faces"}),
        ("thumbnails.npz", {"removed-faces", "leaking-pairs"}),
        ("result.json", {"leaking-pairs", "accuracy", "class-f1"}),
        ("config.json", set()),
        ("sweep.csv", {"sweep"}),
        ("feature_maps.npz", {"feature-maps"}),
        ("comparison.csv", {"comparison"}),
        ("backbone_maps.npz", {"backbone-maps"}),
    ],
)
def test_a_missing_file_takes_only_its_own_plots_away(run, name, lost):
    (run / name).unlink()
    assert names_of_plots(run) == CLASS_PLOTS - lost


def test_header_only_files_count_as_missing(run):
    for name in ("removals.csv", "scores.csv"):
        write_csv(run / name, read_csv(run / name).iloc[:0])
    assert names_of_plots(run) == CLASS_PLOTS - REMOVAL_PLOTS


def test_a_run_whose_removal_found_nothing_still_shows_the_variance(run):
    (run / "removals.csv").unlink()
    write_csv(run / "scores.csv", read_csv(run / "scores.csv").assign(removed=False))
    assert names_of_plots(run) == CLASS_PLOTS - {"loss-histogram", "removed-faces"}


def test_the_sweep_shows_means_over_seeds_and_the_whole_network(run):
    accuracy, sizes, maps = pruning_plots.draw_sweep(read_run(run)).axes
    curve, whole = accuracy.lines[:2]
    assert list(curve.get_xdata()) == [10, 20]
    assert list(curve.get_ydata()) == pytest.approx([0.41, 0.31])  # seeds 0 and 1
    assert whole.get_ydata()[0] == pytest.approx(0.51)
    assert list(maps.lines[0].get_ydata()) == [20, 40]
    best = next(line for line in sizes.lines if line.get_fillstyle() == "none")
    assert list(best.get_xdata()) == [0.9, 1.0]  # thousands of parameters; 20° is beaten


def test_the_masks_of_a_picture_are_shown_each_to_its_own_brightest(run):
    picture, first, second = stress_plots.draw_masks(read_run(run)).axes
    assert picture.images[0].get_array().shape == (16, 16, 3)
    tiles = first.images[0].get_array()
    assert tiles.shape == (2 * 5 + 1, 2 * 5 + 1)  # 2 × 2 masks of 4 × 4 and the lines between
    assert np.nanmax(tiles[1:5, 1:5]) == 1
    assert "4 masks of 4×4" in first.get_title()
    assert "100% zeros" in second.get_title()


def test_mask_weight_is_set_against_the_share_of_the_face(run):
    weight, zeros = stress_plots.draw_mask_weight(read_run(run)).axes
    assert weight.lines[0].get_xdata()[0] == pytest.approx(0.25)
    unknown = read_csv(run / "masks.csv").assign(weight_on_face=np.nan, face=np.nan)
    write_csv(run / "masks.csv", unknown)
    assert len(stress_plots.draw_mask_weight(read_run(run)).axes) == 1


def test_of_many_arms_the_best_six_on_validation_rows_are_drawn(tmp_path):
    arms = tuple(f"arm{number}" for number in range(8))
    run = write_synthetic_run(tmp_path / "run", arms=arms, seeds=(0,))
    result = read_result(run)
    for number, arm in enumerate(arms):
        result["arms"][arm]["validation"]["accuracy"]["mean"] = 0.9 if number in (1, 4) else 0.5
    change_result(run, arms=result["arms"])
    drawn = {axes.get_title() for axes in plots.draw_confusion(read_run(run)).axes} - {""}
    assert len(drawn) == 6
    assert {"arm1", "arm4"} < drawn
    shown = plots.draw_class_f1(read_run(run)).axes[0].get_legend().get_texts()
    assert len(shown) == 7  # and the majority


def test_feature_maps_show_the_face_and_every_map_of_a_small_module(run):
    figure = pruning_plots.draw_feature_maps(read_run(run))
    assert sum(bool(axes.images) for axes in figure.axes) == 1 + 4 + 5


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere is no run folder"):
        plots.plot_run(tmp_path / "nowhere")


def test_the_variance_is_that_of_the_rows_still_there_each_epoch(run):
    scores = read_csv(run / "scores.csv")
    wanted = [
        np.mean([
            np.var(scores.loc[(scores["epoch"] == epoch) & (scores["seed"] == seed), "loss"])
            for seed in (0, 1)
        ])
        for epoch in range(1, 7)
    ]  # fmt: skip
    axes = removal_plots.draw_loss_variance(read_run(run)).axes[0]
    thick = next(line for line in axes.lines if line.get_label() == "bdr")
    np.testing.assert_allclose(thick.get_ydata(), wanted)
    mark = next(line for line in axes.lines if line.get_label() == "bdr: rows removed")
    assert list(mark.get_xdata()) == [REMOVAL_EPOCH, REMOVAL_EPOCH]


def test_the_histograms_hold_all_rows_before_and_the_kept_ones_after(run):
    scores = read_csv(run / "scores.csv")
    rows = scores[(scores["seed"] == 0) & (scores["epoch"] == REMOVAL_EPOCH)]
    before, after = removal_plots.draw_loss_histogram(read_run(run)).axes
    counts = [sum(bar.get_height() for bar in axes.patches) for axes in (before, after)]
    assert counts == [len(rows), (~rows["removed"]).sum()]
    assert before.get_yscale() == "symlog"


def test_the_threshold_line_lies_at_the_papers_rule(run):
    frame = pd.DataFrame(
        {"arm": "bdr", "seed": 0, "epoch": 1, "example_id": list("abcde"),
         "loss": [0.0, 0.0, 0.0, 2.0, 4.0], "removed": [False] * 4 + [True]}
    )  # fmt: skip
    write_csv(run / "scores.csv", frame)
    before = removal_plots.draw_loss_histogram(read_run(run)).axes[0]
    # M1 = 6 / 5; above it lie 2 and 4: M2 = 3, std2 = 1.
    assert [line.get_xdata()[0] for line in before.lines] == pytest.approx([1.2, 3.0, 4.0])


def test_learning_curves_mark_the_step_of_the_removal(run):
    figure = plots.draw_learning_curves(read_run(run))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["none: loss", "none: accuracy", "bdr: loss", "bdr: accuracy"]
    marks = [line for line in figure.axes[2].lines if line.get_label() == "rows removed"]
    assert [line.get_xdata()[0] for line in marks] == [10 * REMOVAL_EPOCH]
    assert "rows removed" not in labels_of(figure.axes[0])


def test_a_confusion_row_shows_shares_and_counts(run):
    figure = plots.draw_confusion(read_run(run))
    counts = np.array(read_result(run)["arms"]["none"]["test"]["confusion"])
    texts = {tuple(text.get_position()): text.get_text() for text in figure.axes[0].texts}
    share = counts[0, 0] / counts[0].sum()
    assert texts[(0, 0)] == f"{share:.0%}\n{counts[0, 0]}"
    assert len(texts) == np.count_nonzero(counts)


def test_the_majority_bar_stands_at_its_class_alone(run):
    axes = plots.draw_class_f1(read_run(run)).axes[0]
    heights = [bar.get_height() for bar in axes.containers[-1]]
    # Always naming a class of 1/7: precision 1/7, recall 1, so F1 = 2/8.
    assert heights == pytest.approx([0, 0, 0, 0.25, 0, 0, 0])


def test_the_accuracy_plot_survives_an_absent_interval_and_baseline(run):
    result = read_result(run)
    result["arms"]["bdr"]["test"]["accuracy"]["ci95"] = [None, None]
    change_result(run, arms=result["arms"], baselines={}, claims=[])
    axes = plots.draw_accuracy(read_run(run)).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["none", "bdr"]


def test_removed_faces_are_shown_from_the_thumbnails_highest_loss_first(run):
    removals = read_csv(run / "removals.csv")
    means = removals.groupby("example_id")["loss"].mean().sort_values(ascending=False)
    figure = removal_plots.draw_removed_faces(read_run(run))
    captions = [axes.get_title() for axes in figure.axes if axes.images]
    assert captions == [f"Fear {loss:.2f}" for loss in means]


def test_without_thumbnails_the_faces_files_are_shown(run, tmp_path):
    (run / "thumbnails.npz").unlink()
    Image.new("L", (48, 48), 99).save(tmp_path / "face.png")
    removals = read_csv(run / "removals.csv")
    removals.loc[0, "path"] = str(tmp_path / "face.png")
    removals = removals[removals["example_id"] == removals["example_id"].iloc[0]]
    write_csv(run / "removals.csv", removals)
    figure = removal_plots.draw_removed_faces(read_run(run))
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 1
    assert np.asarray(shown[0].images[0].get_array()).shape == (96, 96, 3)


def test_known_arms_keep_their_colour_and_no_two_arms_share_one():
    arms = ["slade-gedeon", "none", "mine", "bdr", "yours", "random"]
    assert arm_color("none", arms) == arm_color("none", ["none"])
    assert len({arm_color(arm, arms) for arm in arms}) == len(arms)


def test_a_dollar_sign_in_a_name_is_no_formula(run, monkeypatch):
    history = read_csv(run / "history.csv")
    write_csv(run / "history.csv", history.replace({"arm": {"bdr": "b$_{r$"}}))
    monkeypatch.setattr(plots, "PLOTS", {"learning-curves": plots.draw_learning_curves})
    assert plots.plot_run(run)["learning-curves"].stat().st_size > 1000

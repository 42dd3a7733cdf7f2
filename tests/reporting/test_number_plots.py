"""Plots of number targets: drawn from the run folder, each where its data is there."""

import numpy as np
import pytest
from PIL import Image

from affectkeras.evaluation import number_metrics
from affectkeras.files import read_csv, write_csv
from affectkeras.reporting import number_plots, plots
from affectkeras.reporting.run_data import read_run
from tests.synthetic_number_run import CONSTANT_VIDEO, write_number_run
from tests.synthetic_run import change_result, read_result


@pytest.fixture
def run(tmp_path):
    return write_number_run(tmp_path / "run")


def drawn(run):
    data = read_run(run)
    return {name for name, draw in plots.PLOTS.items() if draw(data) is not None}


def change_predictions(run, **columns):
    predictions = read_csv(run / "predictions.csv")
    write_csv(run / "predictions.csv", predictions.assign(**columns))


def test_a_complete_run_gets_every_number_plot_and_none_of_classes(run):
    written = plots.plot_run(run)
    assert list(written) == list(number_plots.NUMBER_PLOTS)
    for path in written.values():
        with Image.open(path) as image:
            assert np.asarray(image.convert("L")).std() > 5


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("history.csv", {"loss-curves"}),
        ("predictions.csv", {"prediction-curves", "circumplex", "per-video"}),
        ("config.json", set()),
    ],
)
def test_a_missing_file_takes_only_its_own_plots_away(run, name, lost):
    (run / name).unlink()
    assert drawn(run) == set(number_plots.NUMBER_PLOTS) - lost


def test_without_a_result_only_losses_can_be_drawn(run):
    (run / "result.json").unlink()
    assert drawn(run) == {"loss-curves"}


def test_an_empty_accuracy_column_does_not_make_a_history_one_of_classes(run):
    history = read_csv(run / "history.csv")
    write_csv(run / "history.csv", history.assign(accuracy=np.nan, val_accuracy=np.nan))
    assert drawn(run) == set(number_plots.NUMBER_PLOTS)


def test_concordance_stands_beside_the_line_of_none(run):
    valence, arousal = number_plots.draw_ccc(read_run(run)).axes
    ccc = read_result(run)["arms"]["lstm"]["test"]["targets"]["arousal"]["ccc"]
    lines = [list(line.get_xdata()) for line in arousal.lines]
    assert lines[0] == [0, 0]
    assert ccc["ci95"] in lines
    assert [ccc["mean"]] in lines
    assert ccc["per_seed"] in lines
    assert [axes.get_title() for axes in (valence, arousal)] == ["valence", "arousal"]
    assert [tick.get_text() for tick in arousal.get_yticklabels()] == ["gru", "lstm"]


def test_a_figure_that_is_not_there_leaves_its_line_empty(run):
    result = read_result(run)
    gone = {"mean": None, "ci95": [None, None], "per_seed": [None, 0.2]}
    result["arms"]["gru"]["test"]["targets"]["valence"]["ccc"] = gone
    change_result(run, arms=result["arms"])
    valence, arousal = number_plots.draw_ccc(read_run(run)).axes
    assert len(valence.texts) == len(arousal.texts) - 1


def test_loss_curves_show_training_and_validation_of_each_arm(run):
    gru, lstm = number_plots.draw_loss_curves(read_run(run)).axes
    assert [gru.get_title(), lstm.get_title()] == ["gru", "lstm"]
    thick = {line.get_label(): line for line in gru.lines if not line.get_label().startswith("_")}
    assert list(thick["training"].get_ydata()[:2]) == pytest.approx([0.205, 0.105])
    assert list(thick["validation"].get_ydata()[:2]) == pytest.approx([0.25, 0.15])


def test_a_history_by_target_has_a_panel_per_arm_and_target(run):
    history = read_csv(run / "history.csv")
    target = np.where(history["seed"] == 0, "valence", "arousal")
    write_csv(run / "history.csv", history.assign(target=target))
    titles = [axes.get_title() for axes in number_plots.draw_loss_curves(read_run(run)).axes]
    assert set(titles) - {""} == {
        "gru: valence", "gru: arousal", "lstm: valence", "lstm: arousal",
    }  # fmt: skip


def test_curves_are_of_the_best_middle_and_worst_videos(run):
    figure = number_plots.draw_prediction_curves(read_run(run))
    titles = [axes.get_title() for axes in figure.axes]
    words = [title.split(", ")[1].split(":")[0] for title in titles]
    assert words[::2] == ["best", "second best", "middle", "middle", "second worst", "worst"]
    rows = read_csv(run / "predictions.csv")
    rows = rows[(rows["arm"] == "gru") & (rows["split"] == "test")]
    worst = rows[rows["group"] == CONSTANT_VIDEO]
    assert titles[-2] == "003, worst: valence CCC 0.00"
    true, predicted = figure.axes[-1].lines[:2]
    means = worst.groupby("example_id")[["arousal", "predicted_arousal"]].mean()
    np.testing.assert_allclose(true.get_ydata(), means["arousal"])
    np.testing.assert_allclose(predicted.get_ydata(), means["predicted_arousal"])
    assert list(true.get_xdata()[:3]) == [0, 40, 80]


def test_two_people_of_one_video_are_two_series(tmp_path):
    run = write_number_run(tmp_path / "run", videos=2)
    predictions = read_csv(run / "predictions.csv")
    change_predictions(run, group=predictions["group"].str.replace(r"00\d", "7", regex=True))
    titles = [axes.get_title() for axes in number_plots.draw_prediction_curves(read_run(run)).axes]
    assert {title.split(",")[0] for title in titles} == {"000", "001"}


def test_without_frame_numbers_rows_are_counted(tmp_path):
    run = write_number_run(tmp_path / "run", videos=2)
    predictions = read_csv(run / "predictions.csv")
    change_predictions(run, example_id=predictions["example_id"].str.replace(" frame ", "#"))
    axes = number_plots.draw_prediction_curves(read_run(run)).axes[0]
    assert list(axes.lines[0].get_xdata()) == list(range(20))


def test_the_plane_names_eight_sectors_and_how_many_rows_lie_in_each(run):
    predictions = read_csv(run / "predictions.csv")
    east = predictions["example_id"].str.contains("00[0-5].mp4")
    change_predictions(
        run,
        valence=np.where(east, 0.8, 0.0), arousal=np.where(east, 0.0, -0.8),
        predicted_valence=0.01, predicted_arousal=0.0,
    )  # fmt: skip
    true, predicted = number_plots.draw_circumplex(read_run(run)).axes
    words = {text.get_text() for text in true.texts}
    assert {"pleasure\n50%", "sleepiness\n50%", "misery\n0%", "neutral 0% (inside 0.1)"} < words
    assert "neutral 100% (inside 0.1)" in {text.get_text() for text in predicted.texts}
    place = {text.get_text().split("\n")[0]: text.get_position() for text in true.texts}
    assert place["excitement"][0] == pytest.approx(place["contentment"][0])
    assert place["arousal"][1] > 1 > -1 > place["sleepiness"][1]
    assert predicted.get_title() == "predicted by gru"


def test_many_rows_are_drawn_as_density(run, monkeypatch):
    monkeypatch.setattr(number_plots, "_SINGLE", 100)
    axes = number_plots.draw_circumplex(read_run(run)).axes[0]
    assert sum(axes.collections[0].get_array()) == 240


def test_arms_of_one_target_each_stand_together_in_the_plane(tmp_path):
    run = write_number_run(tmp_path / "run", arms=("gru-valence", "gru-arousal"))
    axes = number_plots.draw_circumplex(read_run(run)).axes[1]
    assert axes.get_title() == "predicted by gru-valence and gru-arousal"
    assert drawn(run) == set(number_plots.NUMBER_PLOTS)


def test_one_target_alone_has_no_plane(tmp_path):
    run = write_number_run(tmp_path / "run", arms=("gru-valence",))
    assert drawn(run) == set(number_plots.NUMBER_PLOTS) - {"circumplex"}


def test_every_test_video_has_its_concordance_sorted_by_the_served_arm(run):
    valence, arousal = number_plots.draw_per_video(read_run(run)).axes
    rows = read_csv(run / "predictions.csv")
    rows = rows[(rows["arm"] == "gru") & (rows["split"] == "test")]
    for axes, target in ((valence, "valence"), (arousal, "arousal")):
        figures = [
            number_metrics.by_group(
                number_metrics.concordance, part[target], part[f"predicted_{target}"],
                part["group"].to_numpy(),
            ).values
            for _, part in rows.groupby("seed")
        ]  # fmt: skip
        means = [np.mean([one[name] for one in figures]) for name in figures[0]]
        heights = [bar.get_height() for bar in axes.containers[0]]
        assert heights == pytest.approx(sorted(means, reverse=True))
    assert valence.get_title() == "valence: CCC of each of 12 test videos"
    assert [text.get_text() for text in valence.get_legend().get_texts()] == ["lstm", "gru"]


def test_a_video_without_a_figure_is_marked(run):
    predictions = read_csv(run / "predictions.csv")
    still = predictions["group"] == CONSTANT_VIDEO
    change_predictions(run, predicted_valence=predictions["predicted_valence"].mask(still, 0.2))
    valence, _ = number_plots.draw_per_video(read_run(run)).axes
    crosses = [line for line in valence.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[11], [11]]

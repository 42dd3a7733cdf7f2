"""The reliability plot: bins of the test part's probabilities, a panel per arm."""

import numpy as np
import pytest

from affectkeras.files import read_csv, write_csv
from affectkeras.reporting.reliability_plot import draw_reliability
from affectkeras.reporting.run_data import read_run
from tests.synthetic_run import CLASS_NAMES, write_synthetic_run


@pytest.fixture
def run(tmp_path):
    return write_synthetic_run(tmp_path / "run", arms=("none", "bdr"), seeds=(0, 1))


def test_the_points_are_confidence_and_share_of_right_rows_of_test_predictions(run):
    predictions = read_csv(run / "predictions.csv")
    sure = predictions["example_id"].str.contains("0.png")  # 7 of an arm's 70 rows
    for name in CLASS_NAMES:
        named = predictions["predicted"] == name
        predictions[f"p_{name}"] = np.where(sure, np.where(named, 0.7, 0.05), named * 1.0)
    write_csv(run / "predictions.csv", predictions)
    figure = draw_reliability(read_run(run))
    upper, _, lower, _ = figure.axes
    test = predictions[(predictions["split"] == "test") & (predictions["arm"] == "none")]
    right = test["expression"] == test["predicted"]
    shares = [right[sure[test.index]].mean(), right[~sure[test.index]].mean()]
    points = np.concatenate([line.get_xydata() for line in upper.lines[1:]])
    np.testing.assert_allclose(points, [[0.7, shares[0]], [1.0, shares[1]]])
    assert sorted(bar.get_height() for bar in lower.patches)[-2:] == [14, 126]


def test_the_title_has_the_mean_over_seeds_of_the_error_in_the_result(run):
    data = read_run(run)
    expected = data.result["arms"]["bdr"]["test"]["calibration_error"]["mean"]
    titles = [
        axes.get_title(loc="left") or axes.get_title() for axes in draw_reliability(data).axes
    ]
    assert f"bdr\nECE {100 * expected:.1f} %" in titles


def test_bins_of_few_rows_are_hollow(tmp_path):
    run = write_synthetic_run(tmp_path / "run", arms=("none",), seeds=(0,))
    predictions = read_csv(run / "predictions.csv")
    write_csv(run / "predictions.csv", predictions[predictions["split"] == "test"].head(9))
    few, many = draw_reliability(read_run(run)).axes[0].lines[1:]
    assert (len(few.get_xdata()), len(many.get_xdata())) == (1, 0)
    assert few.get_markerfacecolor() == "white"


def test_without_probabilities_there_is_no_plot(run):
    predictions = read_csv(run / "predictions.csv")
    write_csv(run / "predictions.csv", predictions.drop(columns="p_Sad"))
    assert draw_reliability(read_run(run)) is None

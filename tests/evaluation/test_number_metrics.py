import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn import metrics as reference

from affectkeras.evaluation import number_metrics

TRUE, PREDICTED = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 5.0])


def random_numbers(seed, rows=80):
    generator = np.random.default_rng(seed)
    true = generator.normal(0.2, 0.5, rows)
    return true, 0.6 * true + generator.normal(0, 0.3, rows)


def test_errors_agree_with_the_hand_worked_case():
    # Differences 1, 0, 2.
    assert number_metrics.mean_squared_error(TRUE, PREDICTED) == pytest.approx(5 / 3)
    assert number_metrics.root_mean_squared_error(TRUE, PREDICTED) == pytest.approx(5**0.5 / 3**0.5)


def test_correlation_and_concordance_agree_with_the_hand_worked_case():
    # Means 2 and 3; deviations (-1, 0, 1) and (-1, -1, 2): sums of squares 2 and 6, of products 3.
    assert number_metrics.pearson_correlation(TRUE, PREDICTED) == pytest.approx(3 / 12**0.5)
    expected = 2 * (3 / 3) / (2 / 3 + 6 / 3 + 1)
    assert number_metrics.concordance(TRUE, PREDICTED) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_agree_with_scikit_learn_scipy_and_numpys_covariance(seed):
    true, predicted = random_numbers(seed)
    assert number_metrics.mean_squared_error(true, predicted) == pytest.approx(
        reference.mean_squared_error(true, predicted)
    )
    assert number_metrics.root_mean_squared_error(true, predicted) == pytest.approx(
        reference.root_mean_squared_error(true, predicted)
    )
    correlation = pearsonr(true, predicted).statistic
    assert number_metrics.pearson_correlation(true, predicted) == pytest.approx(correlation)
    # Lin's other form: the correlation times how near the line lies to the diagonal.
    scale = np.std(true) / np.std(predicted)
    shift = (true.mean() - predicted.mean()) / np.sqrt(np.std(true) * np.std(predicted))
    bias = 2 / (scale + 1 / scale + shift**2)
    assert number_metrics.concordance(true, predicted) == pytest.approx(correlation * bias)


def test_concordance_is_one_only_for_equal_series():
    true, _ = random_numbers(0)
    assert number_metrics.concordance(true, true) == pytest.approx(1)
    assert number_metrics.concordance(true, -true + 2 * true.mean()) == pytest.approx(-1)
    assert number_metrics.pearson_correlation(true, 3 * true + 1) == pytest.approx(1)
    assert number_metrics.concordance(true, 3 * true + 1) < 0.6


def test_a_constant_series_has_no_correlation_and_concordance_zero():
    constant = np.full(3, 0.1)
    for pair in ((TRUE, constant), (constant, TRUE), (constant, constant + 1)):
        assert np.isnan(number_metrics.pearson_correlation(*pair))
        assert number_metrics.concordance(*pair) == 0
    assert np.isnan(number_metrics.concordance(constant, constant))


def test_tiny_numbers_keep_their_correlation():
    true, predicted = random_numbers(1)
    expected = number_metrics.pearson_correlation(true, predicted)
    found = number_metrics.pearson_correlation(true * 1e-200, predicted * 1e200)
    assert found == pytest.approx(expected)


def test_each_group_has_its_figure_and_the_mean_leaves_out_the_undefined():
    true = np.array([1.0, 0.5, 2.0, 0.5, 3.0, 7.0])
    predicted = np.array([2.0, 0.5, 2.0, 0.5, 5.0, 8.0])
    groups = np.array(["b", "a", "b", "a", "b", "c"])
    found = number_metrics.by_group(number_metrics.concordance, true, predicted, groups)
    b = number_metrics.concordance(TRUE, PREDICTED)
    assert list(found.values) == ["a", "b", "c"]
    assert np.isnan(found.values["a"])  # both constant and equal
    assert (found.values["b"], found.values["c"]) == (b, 0.0)  # one row varies with nothing
    assert found.mean == pytest.approx(b / 2)
    assert found.undefined == ["a"]


def test_the_mean_over_groups_is_not_the_pooled_figure():
    # Within each video nothing is followed; the videos' levels are.
    true = np.array([0.0, 1.0, 10.0, 11.0])
    predicted = np.array([1.0, 0.0, 11.0, 10.0])
    groups = np.array([1, 1, 2, 2])
    assert number_metrics.concordance(true, predicted) > 0.9
    assert number_metrics.by_group(number_metrics.concordance, true, predicted, groups).mean == -1


def test_without_any_defined_group_there_is_no_mean():
    found = number_metrics.by_group(
        number_metrics.pearson_correlation, TRUE, PREDICTED, np.arange(3)
    )
    assert np.isnan(found.mean)
    assert found.undefined == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: number_metrics.concordance([1.0], [1.0, 2.0]), "of one length, at least 1. Rec"),
        (lambda: number_metrics.mean_squared_error([], []), "at least 1. Received: shapes .0,. an"),
        (
            lambda: number_metrics.concordance([1.0, 2.0], [1.0, np.nan]),
            "`predicted` must be finite. Received: nan in row 1",
        ),
        (
            lambda: number_metrics.by_group(number_metrics.concordance, TRUE, PREDICTED, ["a"]),
            r"`groups` must have the shape \(3,\), a name for each row. Received: shape=\(1,\)",
        ),
    ],
)
def test_what_a_metric_cannot_take_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

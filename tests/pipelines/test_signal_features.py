"""A few numbers of each window, held to values by hand and to NumPy's own line of best fit."""

import numpy as np
import pytest

from affectkeras.pipelines.signal_features import feature_names, scale_by_subject, simple_features
from affectkeras.pipelines.signals import Channel


def test_features_of_a_window_by_hand():
    window = np.array([1, 3, 2, 6], np.float32).reshape(1, 4, 1)
    mean, deviation, slope, change = simple_features(window, rate_hz=2.0)[0]
    assert mean == 3
    assert deviation == pytest.approx(np.sqrt((4 + 0 + 1 + 9) / 4))
    # Σ (t - 0.75)(x - 3) / Σ (t - 0.75)² at t = 0, 0.5, 1, 1.5 s.
    assert slope == pytest.approx((1.5 + 0 - 0.25 + 2.25) / 1.25)
    assert change == pytest.approx((2 + 1 + 4) / 3)


def test_columns_go_channel_by_channel_as_they_are_named():
    signals = np.random.default_rng(0).normal(size=(5, 20, 3)).astype(np.float32)
    found = simple_features(signals)
    names = feature_names([Channel("bvp"), Channel("eda"), Channel("acceleration", 2)])
    assert found.shape == (5, 12)
    assert found.dtype == np.float64
    assert names[:5] == ["bvp mean", "bvp SD", "bvp slope", "bvp mean change", "eda mean"]
    assert names[-1] == "acceleration.z mean change"
    for column, name in enumerate(names):
        one = signals[3, :, column // 4].astype(np.float64)
        expected = {
            "mean": one.mean(),
            "SD": one.std(),
            "slope": np.polyfit(np.arange(20) / 4, one, 1)[0],
            "mean change": np.abs(np.diff(one)).mean(),
        }
        assert found[3, column] == pytest.approx(expected[name.split(" ", 1)[1]], abs=1e-12)


def test_small_changes_far_from_zero_are_not_lost():
    window = np.array([1e6, 1e6 + 1] * 10, np.float32).reshape(1, 20, 1)
    assert simple_features(window)[0, 1] == pytest.approx(0.5)


def test_a_missing_value_spoils_its_own_channel_only():
    signals = np.ones((1, 4, 2))
    signals[0, 1, 0] = np.nan
    found = simple_features(signals)[0]
    assert np.isnan(found[:4]).all()
    np.testing.assert_allclose(found[4:], [1, 0, 0, 0], atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 1, 2), (3, 20)])
def test_a_slope_needs_two_values_in_time(shape):
    with pytest.raises(ValueError, match=r"`signals` must be \(windows, time, channels\)"):
        simple_features(np.zeros(shape))


def test_features_by_subject_have_mean_0_and_deviation_1():
    features = np.array([[1.0, 5.0], [10, 7], [3, 5], [40, 7], [10, 7]])
    found = scale_by_subject(features, ["Ann", "Ben", "Ann", "Ben", "Ben"])
    # Ben's first feature: mean 20, deviation √200.
    expected = np.array([-1, -10 / np.sqrt(200), 1, 20 / np.sqrt(200), -10 / np.sqrt(200)])
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12)
    np.testing.assert_array_equal(found[:, 1], np.zeros(5))


def test_every_window_has_a_subject():
    with pytest.raises(ValueError, match="one entry per window. Received: 1 for 2 windows"):
        scale_by_subject(np.zeros((2, 3)), ["Ann"])

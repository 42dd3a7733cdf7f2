"""The benchmark of features stops where the two versions differ."""

import re

import numpy as np
import pytest

from benchmarks.lpq_phog import Config, make_pictures, measure


def test_features_that_differ_end_the_benchmark():
    with pytest.raises(ValueError, match=re.escape("LPQ: the features differ by up to 2e-06")):
        measure("LPQ", lambda: np.zeros(3), lambda: [0, 2e-6, 0], Config(quick=True))


def test_pictures_hold_even_areas_and_edges():
    pictures = make_pictures(2, 64)
    assert pictures.shape == (2, 64, 64)
    assert (pictures == pictures.round()).all()
    assert pictures.min() == 0
    assert pictures.max() == 255
    clipped = (pictures == 0) | (pictures == 255)
    assert 0.01 < clipped.mean() < 0.5

"""Principal components by hand, and against scikit-learn's."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from affectkeras.features.principal_components import find_components


def test_points_on_a_line_have_one_component_along_it():
    values = np.array([[0.0, 0], [3, 4], [6, 8]]) + [10, -10]
    found = find_components(values)
    np.testing.assert_allclose(found.mean, [13, -6])
    np.testing.assert_allclose(found.axes, [[0.6, 0.8]])
    np.testing.assert_allclose(found.variances, [25])
    np.testing.assert_allclose(found.of(values), [[-5], [0], [5]])


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_components_are_scikit_learns_up_to_their_sign(shape):
    values = np.random.default_rng(0).normal(size=shape) * np.linspace(1, 4, shape[1])
    found = find_components(values, count=5)
    expected = PCA(5, svd_solver="full").fit(values)
    np.testing.assert_allclose(found.variances, expected.explained_variance_)
    np.testing.assert_allclose(np.abs(found.axes), np.abs(expected.components_), atol=1e-8)
    np.testing.assert_allclose(
        np.abs(found.of(values)), np.abs(expected.transform(values)), atol=1e-8
    )
    assert (found.axes.max(axis=1) >= -found.axes.min(axis=1)).all()


def test_as_many_are_kept_as_the_share_needs():
    values = np.zeros((4, 3))
    values[:2, 0], values[2:, 1] = [4, -4], [2, -2]  # variances 32/3 and 8/3: 80 % and 20 %
    assert len(find_components(values, share=0.8).axes) == 1
    assert len(find_components(values, share=0.81).axes) == 2
    assert len(find_components(values, share=1.0).axes) == 2
    assert len(find_components(values, share=1.0, count=1).axes) == 1


def test_rows_that_are_all_equal_have_one_component_of_nothing():
    found = find_components(np.ones((5, 3)))
    np.testing.assert_array_equal(found.of(np.ones((2, 3))), [[0.0], [0.0]])


def test_arguments_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"`share` must be in \(0, 1\] .* share=1.5, count=None"):
        find_components(np.ones((5, 3)), share=1.5)
    with pytest.raises(
        ValueError, match="`count` at least 1 or None. Received: share=1.0, count=0"
    ):
        find_components(np.ones((5, 3)), count=0)
    with pytest.raises(ValueError, match="at least 2 rows"):
        find_components(np.ones((1, 3)))

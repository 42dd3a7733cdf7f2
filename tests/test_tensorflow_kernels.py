import numpy as np
import pytest
import tensorflow as tf

from affectkeras import tensorflow_kernels as kernels

RANDOM = np.random.default_rng(3)


# Far from zero the mean itself is known to seven digits only.
@pytest.mark.parametrize(("far", "tolerance"), [(0.0, 1e-5), (1000.0, 2e-3)])
def test_moments_are_those_of_numpy_also_far_from_zero(far, tolerance):
    maps = RANDOM.normal(far, 0.5, (7, 6, 5, 3)).astype(np.float32)
    mean, variance = kernels.first_moments(tf.constant(maps))
    exact = maps.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, exact.var(axis=(0, 1, 2)), rtol=tolerance)


def test_the_variance_of_equal_numbers_is_zero():
    mean, variance = kernels.first_moments(tf.fill((4, 3, 3, 2), 0.1))
    np.testing.assert_allclose(mean, [0.1, 0.1], rtol=1e-6)
    assert np.all(variance >= 0)
    assert np.all(variance < 1e-10)


def test_chains_are_what_they_say():
    one, other = (RANDOM.normal(size=(2, 3, 4)).astype(np.float32) for _ in range(2))
    scale, slope, shift = (RANDOM.normal(size=4).astype(np.float32) for _ in range(3))
    found = kernels.add_scaled(*map(tf.constant, (one, scale, other, slope, shift)))
    np.testing.assert_allclose(found, one * scale + other * slope + shift, rtol=1e-5, atol=1e-6)
    found = kernels.scale_and_shift(*map(tf.constant, (one, scale, shift)))
    np.testing.assert_allclose(found, one * scale + shift, rtol=1e-5, atol=1e-6)

"""LPQ against waves worked by hand and against plain Python, pixel by pixel."""

import numpy as np
import pytest

from affectkeras.features.cells import cell_edges, cell_of_pixels, grey_pictures
from affectkeras.features.local_phase import (
    decorrelation,
    frequency_kernels,
    local_phase_quantization,
    phase_codes,
)
from benchmarks.plain_features import plain_codes, plain_lpq


def picture(height=15, width=17, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width))


def wave(angle_of):
    """Return a picture of 9 × 9 with one wave in 3 pixels, `angle_of(row, column)` thirds."""
    rows, columns = np.mgrid[-4:5, -4:5]
    return 100 + 100 * np.cos(2 * np.pi / 3 * angle_of(rows, columns))


@pytest.mark.parametrize(
    ("angle_of", "code"),
    [
        # At the middle pixel a cosine along u has a real part above zero and no imaginary part;
        # seen at the other three frequencies it is zero.
        (lambda row, column: column, 0b00000001),
        (lambda row, column: row, 0b00000100),
        (lambda row, column: column + row, 0b00010000),
        (lambda row, column: column - row, 0b01000000),
        # A quarter wave later it is a sine; half a wave later no part is above zero.
        (lambda row, column: column - 0.75, 0b00000010),
        (lambda row, column: row - 0.75, 0b00001000),
        (lambda row, column: column + row - 0.75, 0b00100000),
        (lambda row, column: column - row - 0.75, 0b10000000),
        (lambda row, column: column - 1.5, 0b00000000),
    ],
)
def test_a_wave_sets_the_bits_of_its_own_frequency(angle_of, code):
    codes = phase_codes(wave(angle_of)[None], window=3, decorrelate=False)
    assert codes.shape == (1, 7, 7)
    assert codes[0, 3, 3] == code


def test_an_even_picture_has_the_code_0_whatever_its_level():
    even = np.full((2, 12, 12, 3), 255.0)
    even[1] *= 0.7
    assert (phase_codes(even) == 0).all()
    found = local_phase_quantization(even)
    assert found.shape == (2, 256)
    assert (found[:, 0] == 1).all()


def test_one_bright_pixel_gives_the_codes_that_the_waves_have_there():
    # Window 3, the pixel right of the middle: at column offset 1 the wave along the width has the
    # phase 120°: cosine below zero, sine above; the wave down has the phase 0: cosine above zero,
    # sine zero; both diagonals have 120° (u = (a, a) and (a, -a) with row offset 0).
    one = np.zeros((1, 3, 3))
    one[0, 1, 2] = 200
    code = 0b10 | 0b0100 | 0b100000 | 0b10000000
    assert phase_codes(one, window=3, decorrelate=False).tolist() == [[[code]]]


@pytest.mark.parametrize("window", [3, 5, 7])
@pytest.mark.parametrize("decorrelate", [False, True])
def test_codes_are_those_of_plain_python(window, decorrelate):
    pixels = picture()
    rotation = decorrelation(window).tolist() if decorrelate else None
    expected = plain_codes(pixels.tolist(), window, rotation)
    found = phase_codes(pixels[None], window=window, decorrelate=decorrelate)
    np.testing.assert_array_equal(found[0], expected)


@pytest.mark.parametrize("grid", [(1, 1), (2, 3)])
def test_histograms_are_those_of_plain_python(grid):
    pictures = np.stack([picture(seed=seed) for seed in range(3)])
    rotation = decorrelation(5).tolist()
    expected = [plain_lpq(one.tolist(), 5, grid, rotation) for one in pictures]
    found = local_phase_quantization(pictures, window=5, grid=grid)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_pictures_do_not_touch_each_other():
    pictures = np.stack([picture(seed=seed) for seed in range(4)])
    alone = np.concatenate([local_phase_quantization(one[None]) for one in pictures])
    np.testing.assert_array_equal(local_phase_quantization(pictures), alone)


def test_every_histogram_adds_up_to_one_and_holds_only_its_own_cell():
    pixels = picture(16, 16)[None].astype(float)
    pixels[:, :, 7:] = 128  # all that windows of the right cell see is even: code 0
    found = local_phase_quantization(pixels, window=3, grid=(1, 2)).reshape(2, 256)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found[1, 0] == 1
    assert found[0, 0] < 0.5


def test_decorrelated_responses_are_uncorrelated_for_pixels_that_correlate_so():
    rotation = decorrelation(5, 0.8)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(8), atol=1e-9)
    places = np.array([(row, column) for row in range(5) for column in range(5)])
    distance = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
    kernels = frequency_kernels(5).reshape(8, 25)
    covariance = rotation @ kernels @ 0.8**distance @ kernels.T @ rotation.T
    off = covariance - np.diag(np.diag(covariance))
    assert np.abs(off).max() < 1e-3 * np.diag(covariance).min()
    before = kernels @ 0.8**distance @ kernels.T
    assert np.abs(before - np.diag(np.diag(before))).max() > 0.01 * np.diag(before).min()


def test_blur_that_is_symmetric_changes_fewer_codes_than_another_picture_would():
    sharp = picture(40, 40).astype(float)
    kernel = np.array([0.25, 0.5, 0.25])
    blurred = np.apply_along_axis(np.convolve, 0, sharp, kernel, "same")
    blurred = np.apply_along_axis(np.convolve, 1, blurred, kernel, "same")
    codes = phase_codes(np.stack([sharp, blurred, picture(40, 40, 1)]), decorrelate=False)
    inside = codes[:, 3:-3, 3:-3]
    same = np.unpackbits(inside[0] ^ inside[1]).mean()
    other = np.unpackbits(inside[0] ^ inside[2]).mean()
    assert same < 0.25
    assert other > 0.4


def test_colours_count_as_much_as_they_look_bright():
    red = np.zeros((1, 4, 4, 3))
    red[..., 0] = 100
    np.testing.assert_allclose(grey_pictures(red), np.full((1, 4, 4), 29.9))


def test_edges_of_half_the_cells_are_among_those_of_all():
    assert cell_edges(10, 4).tolist() == [0, 2, 5, 7, 10]
    assert cell_edges(10, 2).tolist() == [0, 5, 10]
    assert cell_of_pixels(5, 2).tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 4}, "`window` must be odd and at least 3. Received: window=4"),
        ({"window": 9}, "`window` must fit into the pictures of 8 × 8. Received: window=9"),
        ({"window": 3, "grid": (9, 1)}, r"`cells` must be in \[1, 6\]"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        local_phase_quantization(np.zeros((1, 8, 8)), **options)


def test_shapes_and_correlations_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"`pictures` must have the shape .* Received: \(8, 8\)"):
        phase_codes(np.zeros((8, 8)))
    with pytest.raises(ValueError, match=r"`correlation` must be in \(0, 1\)"):
        decorrelation(3, 1.0)

"""PHOG against pictures worked by hand and against plain Python, pixel by pixel."""

import numpy as np
import pytest

from affectkeras.features.gradient_pyramid import (
    canny_edges,
    direction_bins,
    gradients,
    pyramid_of_gradients,
)
from benchmarks.plain_features import plain_phog


def picture(height=15, width=17, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width)).astype(float)


def test_gradients_are_central_differences():
    across, down = gradients(np.array([[[0.0, 1, 4], [0, 1, 4], [3, 1, 4]]]))
    assert across[0].tolist() == [[1, 2, 3], [1, 2, 3], [-2, 0.5, 3]]
    assert down[0].tolist() == [[0, 0, 0], [1.5, 0, 0], [3, 0, 0]]


@pytest.mark.parametrize(
    ("across", "down", "of_360", "of_180"),
    [
        (1, 0, 0, 0), (1, 1, 1, 2), (0, 1, 2, 4), (-1, 1, 3, 6),
        (-1, 0, 4, 0), (-1, -1, 5, 2), (0, -1, 6, 4), (1, -1, 7, 6),
    ],
)  # fmt: skip
def test_directions_fall_into_the_bin_that_begins_there(across, down, of_360, of_180):
    across, down = np.array([[[float(across)]]]), np.array([[[float(down)]]])
    assert direction_bins(across, down, bins=8, degrees=360).item() == of_360
    assert direction_bins(across, down, bins=8, degrees=180).item() == of_180


def test_a_slope_to_the_right_is_all_in_the_first_bin_of_every_cell():
    ramp = np.tile(np.arange(8.0), (8, 1))[None]
    found = pyramid_of_gradients(ramp, levels=1, bins=4, edges="all")
    # Five cells of strength 64 and four times 16: half of the sum in the whole, an eighth in each.
    assert found.tolist() == [[0.5, 0, 0, 0] + [0.125, 0, 0, 0] * 4]


def test_cells_hold_the_strength_of_their_own_pixels():
    pixels = np.zeros((1, 4, 4))
    pixels[0, 3, 3] = 8
    found = pyramid_of_gradients(pixels, levels=1, bins=4, edges="all")
    # Column 3: the pixel itself has (8, 8): 45°; left of it (4, 0): 0°; above it (0, 4): 90°.
    # All three lie in the last quarter.
    quarter = np.array([4 + 8 * 2**0.5, 4, 0, 0])
    expected = np.concatenate([quarter, np.zeros(12), quarter]) / (2 * quarter.sum())
    np.testing.assert_allclose(found, expected[None])


@pytest.mark.parametrize(("levels", "bins", "degrees"), [(0, 8, 360), (2, 20, 180), (1, 9, 360)])
@pytest.mark.parametrize("edges", ["canny", "all"])
def test_pyramids_are_those_of_plain_python(levels, bins, degrees, edges):
    pictures = np.stack([picture(seed=seed) for seed in range(3)])
    masks = canny_edges(pictures) if edges == "canny" else np.ones(pictures.shape, bool)
    expected = [
        plain_phog(one.tolist(), levels, bins, degrees, mask.tolist())
        for one, mask in zip(pictures, masks, strict=True)
    ]
    found = pyramid_of_gradients(pictures, levels=levels, bins=bins, degrees=degrees, edges=edges)
    assert found.shape == (3, bins * sum(4**level for level in range(levels + 1)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_canny_keeps_the_step_and_nothing_of_even_areas():
    step = np.zeros((1, 20, 20))
    step[:, :, 10:] = 200
    edges = canny_edges(step)
    assert edges[0, 5:15, 9:11].any(axis=1).all()
    assert not edges[0, :, :7].any()
    assert not edges[0, :, 13:].any()


def test_a_picture_without_any_edge_gives_zeros():
    even = np.full((1, 8, 8, 3), 77.0)
    for edges in ("canny", "all"):
        found = pyramid_of_gradients(even, levels=1, edges=edges)
        np.testing.assert_allclose(found, 0, atol=1e-9)


def test_a_brighter_picture_of_more_contrast_has_the_same_pyramid():
    pixels = picture()[None]
    found = pyramid_of_gradients(np.concatenate([pixels, 0.5 * pixels + 40]), edges="all")
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)


def test_a_mask_of_ones_own_says_which_pixels_count():
    pixels = picture()[None]
    mask = np.zeros(pixels.shape, bool)
    mask[:, :7] = True
    found = pyramid_of_gradients(pixels, levels=1, bins=2, edges=mask).reshape(5, 2)
    assert (found[1:3].sum(axis=1) > 0).all()
    assert (found[3:] == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degrees": 90}, "`degrees` must be 180 or 360. Received: degrees=90"),
        ({"levels": -1}, "`levels` must be at least 0 and `bins` at least 1. Received: levels=-1"),
        ({"levels": 4}, r"`cells` must be in \[1, 8\], the size. Received: cells=16"),
        ({"edges": "sobel"}, "`edges` must be 'canny', 'all' or an array. Received: edges='sobel'"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        pyramid_of_gradients(np.zeros((1, 8, 8)), **options)

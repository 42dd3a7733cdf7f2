import colorsys
import dataclasses
import io
import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from affectkeras.pipelines.augmentation import (
    Augmentation,
    affine_matrix,
    augment,
    augment_batch,
    compress,
    draw_uniform,
    flip,
    scale_contrast,
    shift_brightness,
    shift_hue_saturation_value,
    warp,
)


def noise(height=9, width=7, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height=40, width=32):
    y, x = np.mgrid[:height, :width]
    channels = [120 + 90 * np.sin(x / 9 + y / 13 + phase) for phase in (0, 1, 2)]
    return np.stack(channels, axis=2).astype(np.uint8)


def largest_difference(first, second):
    return np.abs(np.asarray(first, float) - np.asarray(second, float)).max()


def warp_pixel_by_pixel(image, matrix):
    """Bilinear sampling at the inverse of the matrix, black outside, one pixel at a time."""
    height, width, _ = image.shape
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    result = np.zeros(image.shape)
    for row in range(height):
        for column in range(width):
            x, y, _ = inverse @ (column, row, 1)
            left, top = math.floor(x), math.floor(y)
            for source_y, weight_y in ((top, top + 1 - y), (top + 1, y - top)):
                for source_x, weight_x in ((left, left + 1 - x), (left + 1, x - left)):
                    if 0 <= source_y < height and 0 <= source_x < width:
                        result[row, column] += weight_y * weight_x * image[source_y, source_x]
    return result


def test_flip_mirrors_left_and_right():
    np.testing.assert_array_equal(flip(noise()), noise()[:, ::-1])


@pytest.mark.parametrize("levels", [-51, -1, 0, 37])
def test_brightness_adds_levels_and_stops_at_the_ends(levels):
    expected = np.clip(noise().astype(int) + levels, 0, 255)
    np.testing.assert_array_equal(shift_brightness(noise(), levels), expected)


@pytest.mark.parametrize("factor", [0.0, 0.8, 1.0, 1.37, 2.0])
def test_contrast_equals_moving_every_pixel_away_from_the_mean_grey(factor):
    image = smooth()
    red, green, blue = image.reshape(-1, 3).T.astype(float)
    mean = np.mean(0.299 * red + 0.587 * green + 0.114 * blue)
    expected = np.empty(image.shape)
    for index in np.ndindex(image.shape):
        expected[index] = min(255.0, max(0.0, mean + factor * (image[index] - mean)))
    # OpenCV rounds each pixel's grey; a level more or less by that and by the last rounding.
    assert largest_difference(scale_contrast(image, factor), expected) <= 1


def test_contrast_leaves_an_even_image_and_a_factor_of_one_alone():
    np.testing.assert_array_equal(scale_contrast(noise(), 1.0), noise())
    even = np.full((4, 5, 3), 77, np.uint8)
    np.testing.assert_array_equal(scale_contrast(even, 1.9), even)


def test_the_matrix_turns_anticlockwise_about_the_centre():
    matrix = affine_matrix((11, 21), degrees=90)
    np.testing.assert_allclose(matrix @ (10, 5, 1), (10, 5), atol=1e-9)  # the centre stays
    np.testing.assert_allclose(matrix @ (13, 5, 1), (10, 2), atol=1e-9)  # right goes up


def test_the_matrix_scales_before_it_turns_and_shifts_last():
    matrix = affine_matrix((11, 21), shift=(4, -1), scale=(2, 1), degrees=90)
    np.testing.assert_allclose(matrix @ (13, 5, 1), (10 + 4, 5 - 6 - 1), atol=1e-9)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"shift": (3, -2)},
        {"shift": (2.5, 1.25), "scale": (1.1, 0.9)},
        {"degrees": 45},
        {"degrees": -30, "scale": (0.9, 1.05), "shift": (1.5, 2)},
    ],
)
def test_warping_equals_sampling_pixel_by_pixel(settings):
    image = smooth()
    matrix = affine_matrix(image.shape[:2], **settings)
    # OpenCV rounds positions to 1/32 pixel: up to 0.3 of the full contrast at the black border.
    difference = np.abs(warp(image, matrix) - warp_pixel_by_pixel(image, matrix))
    assert difference.max() <= 8
    assert difference.mean() <= 0.6


def test_compression_equals_another_jpeg_codec():
    image = smooth(48, 32)
    for quality in (30, 99):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
        assert largest_difference(compress(image, quality), Image.open(buffer)) <= 2


def test_low_quality_loses_more_than_high_quality():
    image = smooth()
    losses = [np.abs(compress(image, quality) - image.astype(float)).mean() for quality in (5, 99)]
    assert losses[0] > 3 * losses[1]


@pytest.mark.parametrize("shifts", [(20, 0, 0), (-20, 0, 0), (0, 30, 0), (5, -30, 20), (0, 0, -20)])
def test_hue_saturation_value_equals_colorsys_on_every_pixel(shifts):
    image = smooth()
    hue, saturation, value = shifts
    expected = np.empty(image.shape)
    for index in np.ndindex(image.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*image[index] / 255)
        s = np.clip(s + saturation / 255, 0, 1) if s > 0 else 0
        v = np.clip(v + value / 255, 0, 1)
        expected[index] = 255 * np.array(colorsys.hsv_to_rgb((h + hue / 180) % 1, s, v))
    # Eight bits each for hue, saturation and value cost some levels on the way.
    difference = np.abs(shift_hue_saturation_value(image, *shifts) - expected)
    assert difference.max() <= 8
    assert difference.mean() <= 1.5


def test_greys_stay_grey_and_take_only_the_value():
    grey = np.repeat(noise()[..., :1], 3, axis=2)
    expected = np.clip(grey.astype(int) - 15, 0, 255)
    np.testing.assert_array_equal(shift_hue_saturation_value(grey, 20, 30, -15), expected)


def test_random_numbers_are_even_and_unrelated():
    draws = draw_uniform(0, 3, np.arange(20_000))
    assert draws.min() >= 0
    assert draws.max() < 1
    np.testing.assert_allclose(draws.mean(axis=0), 0.5, atol=0.01)
    np.testing.assert_allclose(draws.var(axis=0), 1 / 12, atol=0.002)
    related = np.corrcoef(np.column_stack([draws[1:], draws[:-1]]).T) - np.eye(2 * draws.shape[1])
    assert np.abs(related).max() < 0.04


@pytest.mark.parametrize(("seed", "epoch"), [(1, 0), (0, 1), (2**40, 7)])
def test_random_numbers_of_other_seeds_and_epochs_are_unrelated(seed, epoch):
    first = draw_uniform(0, 0, np.arange(20_000))[:, 0]
    other = draw_uniform(seed, epoch, np.arange(20_000))[:, 0]
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.03


def test_a_row_is_changed_the_same_way_alone_and_in_any_batch():
    images = np.stack([noise(seed=row) for row in range(6)])
    batch = augment_batch(images[::-1], Augmentation(), seed=1, epoch=4, rows=range(5, -1, -1))
    for row in range(6):
        alone = augment(images[row], Augmentation(), seed=1, epoch=4, row=row)
        np.testing.assert_array_equal(batch[5 - row], alone)


def test_inside_tensorflow_data_images_come_out_as_eagerly():
    def change(image, row):
        return tf.numpy_function(
            lambda image, row: augment(image, Augmentation(), seed=1, epoch=4, row=row),
            [image, row],
            tf.uint8,
        )

    images = np.stack([smooth() for _ in range(16)])
    dataset = tf.data.Dataset.from_tensor_slices((images, np.arange(16)))
    changed = list(dataset.map(change, num_parallel_calls=4).as_numpy_iterator())
    expected = augment_batch(images, Augmentation(), seed=1, epoch=4, rows=np.arange(16))
    np.testing.assert_array_equal(changed, expected)


def test_the_given_images_are_left_as_they_are():
    images = np.stack([smooth() for _ in range(20)])
    before = images.copy()
    augment_batch(images, Augmentation(), seed=0, epoch=0, rows=range(20))
    np.testing.assert_array_equal(images, before)


def test_operations_follow_each_other_in_the_papers_order():
    certain = Augmentation(
        1, 1, warp_probability=1, compression_probability=1, colour_probability=1
    )
    image = smooth()
    draw = draw_uniform(3, 2, [11])[0]
    evenly = 2 * draw - 1
    expected = shift_brightness(flip(image), round(255 * 0.2 * evenly[5]))
    matrix = affine_matrix(
        (40, 32),
        shift=(0.0625 * 32 * evenly[6], 0.0625 * 40 * evenly[7]),
        scale=(1 + 0.1 * evenly[8], 1 + 0.1 * evenly[9]),
        degrees=45 * evenly[10],
    )
    expected = compress(warp(expected, matrix), 99 + int(2 * draw[14]))
    expected = shift_hue_saturation_value(
        expected, 20 * evenly[11], 30 * evenly[12], 20 * evenly[13]
    )
    np.testing.assert_array_equal(augment(image, certain, seed=3, epoch=2, row=11), expected)


def test_rotation_and_colours_follow_each_other_without_shift_or_scale():
    image = smooth()
    settings = Augmentation.rotate_and_colour(rotation_limit=20, colour_limit=0.1)
    draw = draw_uniform(3, 2, [12])[0]
    evenly = 2 * draw - 1
    assert draw[0] >= 0.5  # this row is not flipped
    expected = shift_brightness(image, round(25.5 * evenly[5]))
    expected = scale_contrast(expected, 1 + 0.1 * evenly[16])
    expected = warp(expected, affine_matrix((40, 32), degrees=20 * evenly[10]))
    expected = shift_hue_saturation_value(expected, 0, 25.5 * evenly[12], 0)
    np.testing.assert_array_equal(augment(image, settings, seed=3, epoch=2, row=12), expected)


def test_rotation_and_colours_change_every_image_anew_in_every_epoch():
    settings = Augmentation.rotate_and_colour()
    images = np.stack([smooth()] * 40)
    epochs = [
        augment_batch(images, settings, seed=0, epoch=epoch, rows=range(40)) for epoch in (0, 1)
    ]
    seen = {image.tobytes() for image in np.concatenate(epochs)}
    assert len(seen) == 80
    assert smooth().tobytes() not in seen


def test_random_numbers_stay_the_same_whatever_operations_are_added():
    expected = [0.6543577763272059, 0.4782408750910643, 0.1866076071073428]
    assert draw_uniform(3, 2, [11])[0, [0, 7, 14]].tolist() == expected


@pytest.mark.parametrize(
    "name", ["flip", "brightness", "contrast", "warp", "compression", "colour"]
)
def test_each_operation_alone_happens_as_often_as_its_probability_says(name):
    settings = dataclasses.replace(Augmentation.none(), **{f"{name}_probability": 0.3})
    images = np.stack([noise(8, 8)] * 600)
    changed = augment_batch(images, settings, seed=0, epoch=0, rows=range(600))
    share = np.any(changed != images, axis=(1, 2, 3)).mean()
    assert 0.24 < share < 0.36


def test_none_changes_nothing():
    assert Augmentation.none().changes_nothing
    assert not Augmentation.light().changes_nothing
    unchanged = augment(noise(), Augmentation.none(), seed=0, epoch=0, row=0)
    np.testing.assert_array_equal(unchanged, noise())


def test_light_never_touches_colours():
    light = Augmentation.light()
    assert light.brightness_probability == light.colour_probability == 0
    assert light.compression_probability == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"flip_probability": 1.5}, r"`flip_probability` must be in \[0, 1\]. Received: .*=1.5"),
        ({"hue_limit": 200}, r"`hue_limit` must be in \[0, 180\]. Received: hue_limit=200"),
        ({"contrast_limit": 1.1}, r"`contrast_limit` must be in \[0, 1\]. Received: .*=1.1"),
        ({"scale_limit": 1.0}, r"`scale_limit` must be in \[0, 1\). Received: scale_limit=1.0"),
        (
            {"compression_quality": (0, 50)},
            r"lowest, highest\) within 1 and 100. Received: .*0, 50",
        ),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**settings)

import cv2
import numpy as np
import pytest
import tensorflow as tf

from affectkeras.media.images import (
    decode_and_resize,
    decode_and_resize_each,
    resize_pixels,
)


def smooth_image(height, width):
    """Random but smooth, so that scaling methods can be compared."""
    coarse = np.random.default_rng(1).uniform(60, 190, (3, 3, 3)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255)


def encode(image, extension=".png"):
    pixels = image.astype(np.uint8)
    if pixels.ndim == 3:
        pixels = pixels[..., ::-1]
    settings = []
    if extension == ".jpg":
        full_colour = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        settings = [cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full_colour]
    return cv2.imencode(extension, pixels, settings)[1].tobytes()


def largest_difference(first, second):
    return np.abs(np.asarray(first, float) - np.asarray(second, float)).max()


def test_a_png_of_the_target_size_keeps_every_pixel():
    image = smooth_image(12, 9).astype(np.uint8)
    np.testing.assert_array_equal(decode_and_resize(encode(image), (12, 9)), image)


def test_resizing_agrees_with_opencvs_bilinear_resizing():
    image = smooth_image(30, 44).astype(np.uint8)
    expected = cv2.resize(image, (30, 21), interpolation=cv2.INTER_LINEAR)
    assert largest_difference(decode_and_resize(encode(image), (21, 30)), expected) <= 1


def test_enlarging_agrees_with_opencvs_bilinear_resizing():
    image = smooth_image(13, 11).astype(np.uint8)
    expected = cv2.resize(image, (40, 40), interpolation=cv2.INTER_LINEAR)
    assert largest_difference(decode_and_resize(encode(image), (40, 40)), expected) <= 1


def test_grey_becomes_three_equal_channels():
    grey = smooth_image(16, 16)[..., 0].astype(np.uint8)
    for extension in (".png", ".jpg"):
        decoded = decode_and_resize(encode(grey, extension), (16, 16)).numpy()
        assert decoded.shape == (16, 16, 3)
        np.testing.assert_array_equal(decoded[..., 0], decoded[..., 2])
        assert largest_difference(decoded[..., 0], grey) <= 1


@pytest.mark.parametrize("scale", [1, 2, 4, 8, 17])
def test_jpegs_are_averaged_when_shrunk_however_large_they_are(scale):
    image = smooth_image(24 * scale, 32 * scale)
    decoded = decode_and_resize(encode(image, ".jpg"), (24, 32))
    expected = cv2.resize(image, (32, 24), interpolation=cv2.INTER_AREA)
    assert largest_difference(decoded, expected) <= 5


def test_a_fine_chequerboard_shrinks_to_grey_instead_of_stripes():
    board = 255 * (np.indices((96, 96)).sum(axis=0) % 2)
    for extension in (".png", ".jpg"):
        shrunk = decode_and_resize(encode(board, extension), (24, 24)).numpy()
        assert largest_difference(shrunk[2:-2, 2:-2], 127.5) <= 3


def test_a_jpeg_of_twice_the_target_is_reduced_in_the_decoder():
    encoded = encode(smooth_image(50, 41), ".jpg")
    half = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    expected = cv2.resize(half[..., ::-1], (20, 25), interpolation=cv2.INTER_LINEAR)
    assert largest_difference(decode_and_resize(encoded, (25, 20)), expected) <= 1


def test_results_are_whole_numbers_from_0_to_255():
    decoded = decode_and_resize(encode(smooth_image(31, 17)), (20, 20)).numpy()
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, decoded.astype(np.uint8))


def test_graph_mode_with_mixed_formats_equals_eager_mode():
    files = [
        encode(smooth_image(50, 40), ".jpg"),
        encode(smooth_image(50, 40)),
        encode(smooth_image(9, 7)[..., 0]),
        encode(smooth_image(200, 170)[..., 0], ".jpg"),
    ]
    dataset = tf.data.Dataset.from_tensor_slices(files)
    dataset = dataset.map(lambda encoded: decode_and_resize(encoded, (24, 20)))
    for encoded, decoded in zip(files, dataset, strict=True):
        np.testing.assert_array_equal(decoded, decode_and_resize(encoded, (24, 20)))


def test_transparency_is_dropped():
    rgba = np.dstack([smooth_image(8, 8), np.full((8, 8), 7)]).astype(np.uint8)
    encoded = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))[1].tobytes()
    np.testing.assert_array_equal(decode_and_resize(encoded, (8, 8)), rgba[..., :3])


def test_arrays_are_resized_as_files_are():
    image = smooth_image(30, 44).astype(np.uint8)
    np.testing.assert_array_equal(
        resize_pixels(tf.constant(image), (21, 30)), decode_and_resize(encode(image), (21, 30))
    )


def test_grey_arrays_may_lack_the_channel_axis():
    grey = smooth_image(10, 8)[..., 0].astype(np.uint8)
    resized = resize_pixels(tf.constant(grey), (10, 8)).numpy()
    np.testing.assert_array_equal(resized, np.repeat(grey[..., np.newaxis], 3, axis=2))


def test_a_shape_that_is_no_image_is_refused():
    with pytest.raises(ValueError, match=r"Received: \(4, 5, 2\)"):
        resize_pixels(tf.zeros((4, 5, 2)), (4, 4))


@pytest.fixture
def decoded(monkeypatch):
    """The scales at which JPEGs were decoded, in order."""
    scales, decode = [], tf.io.decode_jpeg

    def counted(*arguments, ratio, **options):
        scales.append(ratio)
        return decode(*arguments, ratio=ratio, **options)

    monkeypatch.setattr(tf.io, "decode_jpeg", counted)
    return scales


@pytest.mark.parametrize(
    ("side", "sizes", "scales"),
    [
        (40, [(32, 32), (24, 24), (20, 30)], [1]),  # none is half the image or less
        (100, [(48, 48), (40, 40), (30, 44)], [2]),
        (200, [(75, 75), (48, 48), (48, 60)], [2, 4]),
        (900, [(48, 48), (400, 400), (64, 64), (410, 300)], [8, 2]),
    ],
)
def test_a_jpeg_for_several_sizes_is_decoded_once_for_every_scale(side, sizes, scales, decoded):
    encoded = encode(smooth_image(side, side + 7), ".jpg")
    found = decode_and_resize_each(encoded, sizes)
    assert decoded == scales
    for size, pixels in zip(sizes, found, strict=True):
        np.testing.assert_array_equal(pixels, decode_and_resize(encoded, size))


def test_a_png_for_several_sizes_is_what_each_gives_alone_inside_graphs_too():
    sizes = [(20, 30), (64, 48), (7, 7)]
    together = tf.function(lambda encoded: decode_and_resize_each(encoded, sizes))
    for encoded in (encode(smooth_image(50, 61)), encode(smooth_image(300, 310), ".jpg")):
        for size, pixels in zip(sizes, together(encoded), strict=True):
            assert pixels.shape == (*size, 3)
            np.testing.assert_array_equal(pixels, decode_and_resize(encoded, size))

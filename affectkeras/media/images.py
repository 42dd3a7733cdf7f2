"""The one decode-and-resize of the project: training, evaluation and serving all call it.

Sizes are `(height, width)` in pixels. Images come out as float32 `(height, width, 3)`, RGB, with
whole numbers from 0 to 255: rounding makes what training holds as uint8 equal to what a served
model computes. Where an image would be shrunk to half or less, plain bilinear sampling would skip
source pixels, so JPEGs are first reduced by 2, 4 or 8 in the decoder (which is also faster) and
whatever is still twice too large is resized with antialiasing.
"""

from collections.abc import Sequence

import tensorflow as tf

REDUCTIONS = (1, 2, 4, 8)


def decode_and_resize(encoded: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """Decode a JPEG or PNG of any size and resize it; works eagerly and inside graphs.

    Args:
        encoded: scalar string, the bytes of the file. Grey images come out as three equal
            channels; transparency is dropped.
        image_size: `(height, width)` of the result.

    Returns:
        float32 `(height, width, 3)`, whole numbers in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: when the bytes are no complete image.
    """
    pixels = tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: _decode_jpeg_reduced(encoded, image_size),
        lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )
    return resize_pixels(tf.ensure_shape(pixels, (None, None, 3)), image_size)


def decode_and_resize_each(
    encoded: tf.Tensor, image_sizes: Sequence[tuple[int, int]]
) -> tuple[tf.Tensor, ...]:
    """Return what `decode_and_resize` gives for every size, decoding once where one scale serves.

    Sizes for which the decoder would shrink the JPEG alike share its work, and of any other file
    all do; a size whose scale is another is decoded by itself, so that each result stays exactly
    what that size gives alone.

    Args:
        encoded: scalar string, the bytes of the file.
        image_sizes: `(height, width)` of each result.
    """

    def of_jpeg():
        shape = tf.io.extract_jpeg_shape(encoded)[:2]
        scales = [_decoder_scale(shape, size) for size in image_sizes]
        decoded = [_decode_jpeg(encoded, scales[0])]
        for place, scale in enumerate(scales[1:], start=1):
            decoded.append(_reuse_or_decode(encoded, scale, scales[:place], decoded))
        return tuple(decoded)

    def of_others():
        pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return (pixels,) * len(image_sizes)

    pixels = tf.cond(tf.io.is_jpeg(encoded), of_jpeg, of_others)
    return tuple(
        resize_pixels(tf.ensure_shape(each, (None, None, 3)), size)
        for each, size in zip(pixels, image_sizes, strict=True)
    )


def resize_pixels(pixels: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """Resize decoded pixels bilinearly with half-pixel centres.

    Args:
        pixels: `(height, width)`, `(height, width, 1)` or `(height, width, 3)`, numbers in
            [0, 255]; grey becomes three equal channels.
        image_size: `(height, width)` of the result.

    Returns:
        float32 `(height, width, 3)`, whole numbers in [0, 255].
    """
    if pixels.shape.rank == 2:
        pixels = pixels[..., tf.newaxis]
    if pixels.shape.rank != 3 or pixels.shape[-1] not in (1, 3):
        raise ValueError(
            "`pixels` must have the shape (height, width), (height, width, 1) or (height, width, "
            f"3). Received: {pixels.shape}"
        )
    shrinks_by_half = tf.reduce_any(tf.shape(pixels)[:2] >= 2 * tf.constant(image_size))
    pixels = tf.cast(pixels, tf.float32)  # the same values; TensorFlow resizes float32 faster
    resized = tf.cond(
        shrinks_by_half,
        lambda: tf.image.resize(pixels, image_size, antialias=True),
        lambda: tf.image.resize(pixels, image_size),
    )
    resized = tf.round(resized)
    return tf.image.grayscale_to_rgb(resized) if pixels.shape[-1] == 1 else resized


def _decode_jpeg_reduced(encoded: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """Decode at the smallest of the decoder's scales that is no smaller than `image_size`."""
    shape = tf.io.extract_jpeg_shape(encoded)[:2]
    return _decode_jpeg(encoded, _decoder_scale(shape, image_size))


def _decoder_scale(shape: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """Return the place in `REDUCTIONS` of the scale to decode a JPEG of this shape at."""
    larger_by = tf.reduce_min(shape // tf.constant(image_size))
    return tf.reduce_sum(tf.cast(larger_by >= tf.constant(REDUCTIONS[1:]), tf.int32))


def _decode_jpeg(encoded: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    # The decoder's scale is an attribute, not a tensor: one branch for each. TensorFlow's usual
    # transform is off by up to 6 levels at high qualities; the accurate one takes no more time.
    decoders = [
        lambda ratio=ratio: tf.io.decode_jpeg(
            encoded, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )
        for ratio in REDUCTIONS
    ]
    return tf.switch_case(scale, decoders)


def _reuse_or_decode(
    encoded: tf.Tensor, scale: tf.Tensor, scales: list, decoded: list
) -> tf.Tensor:
    """Return the pixels that were decoded at this scale before, or decode them."""
    choose = [
        (tf.equal(scale, before), lambda pixels=pixels: pixels)
        for before, pixels in zip(scales, decoded, strict=True)
    ]
    return tf.case(choose, default=lambda: _decode_jpeg(encoded, scale))

"""Chains of elementwise operations as one pass over the numbers each, for TensorFlow's training.

TensorFlow runs a multiplication, an addition, an exponential … as a pass over memory each; XLA
compiles a chain of them into one. Convolutions stay with oneDNN, which is faster at them than XLA
is. On two AVX2 cores the chains of a training step of StressNet took less than half their time.

Only for training: what is exported must not need XLA. The functions are compiled once for each
shape in a process, whichever layer or model calls them.
"""

import math

import tensorflow as tf

_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)


def _compiled(function):
    return tf.function(function, jit_compile=True, autograph=False)


@_compiled
def gelu(x: tf.Tensor) -> tf.Tensor:
    """Return `x · Φ(x)`."""
    return x * (0.5 * tf.math.erf(x * _HALF) + 0.5)


@_compiled
def gelu_gradient(x: tf.Tensor, above: tf.Tensor) -> tf.Tensor:
    """Return the gradient of `x · Φ(x)`, `Φ(x) + x · φ(x)`, times that from above."""
    return above * (0.5 * tf.math.erf(x * _HALF) + 0.5 + x * tf.exp(-0.5 * x * x) * _DENSITY)


@_compiled
def scale_and_shift(maps: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Return `maps · scale + shift`, both `(channels,)`."""
    return maps * scale + shift


@_compiled
def add_scaled(
    one: tf.Tensor, scale: tf.Tensor, other: tf.Tensor, slope: tf.Tensor, shift: tf.Tensor
) -> tf.Tensor:
    """Return `one · scale + other · slope + shift`, the last of each `(channels,)`."""
    return one * scale + (other * slope + shift)


@_compiled
def _squares_around(maps: tf.Tensor, center: tf.Tensor) -> tf.Tensor:
    return tf.square(maps - center)


def first_moments(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of every channel: float32 `(channels,)`, `(channels,)`.

    By two sums that do not wait for each other. The squares are taken around the first position of
    the batch, so that maps far from zero lose no digits. The sums are TensorFlow's own: XLA takes
    twice the time to sum over all but the last axis.
    """
    axes = list(range(len(maps.shape) - 1))
    count = tf.cast(tf.size(maps) // tf.shape(maps)[-1], maps.dtype)
    center = tf.reshape(maps, (-1, maps.shape[-1]))[0]
    mean = tf.reduce_sum(maps, axes) / count
    squares = tf.reduce_sum(_squares_around(maps, center), axes) / count
    return mean, tf.maximum(squares - tf.square(mean - center), 0.0)

"""Layers of Keras with one more axis in front: a fold, with weights of its own.

Every function takes a layer, a `Pass` and what the layer gets, `(folds, batch, …)`, and returns
what Keras's layer would return for each fold. `FOLD_LAYERS` tells which kinds there are.
"""

import dataclasses
import math
import zlib
from collections.abc import Callable

import keras
import tensorflow as tf

ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish"),
    *("sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "exponential"),
)


@dataclasses.dataclass
class Pass:
    """One way through the network.

    Args:
        values: path of a weight → its values, `(folds, …)`; statistics are replaced on the way.
        training: whether BatchNormalization looks at the batch and dropout leaves out.
        rows: in training: 1 for each row of the batch and 0 for filling, `(folds, batch)`.
        seed: in training: two numbers that tell this step from all others.
    """

    values: dict[str, tf.Tensor]
    training: bool = False
    rows: tf.Tensor | None = None
    seed: tf.Tensor | None = None

    def of(self, variable) -> tf.Tensor:
        """Return the values of a weight."""
        return self.values[variable.path]


def activation_of(layer, name: str = "activation") -> Callable:
    """Return a layer's activation, which must treat every number by itself."""
    activation = getattr(layer, name)
    known = [getattr(keras.activations, one) for one in ACTIVATIONS]
    if activation is not None and activation not in known:
        refuse(layer, f"with {name}={getattr(activation, '__name__', activation)!r}")
    return activation or keras.activations.linear


def refuse(layer, why: str = "") -> None:
    """Raise the error that tells which layer cannot be trained with a fold axis."""
    kind = f"{type(layer).__name__} {why}".strip()
    raise ValueError(f"Folds cannot be trained together through layer {layer.name!r}: {kind}.")


def demand(layer, **settings) -> None:
    """Refuse a layer whose settings are not those given."""
    for name, wanted in settings.items():
        found = getattr(layer, name)
        if isinstance(found, (tuple, list)):
            found, wanted = tuple(found), (wanted,) * len(found)
        if found != wanted:
            refuse(layer, f"with {name}={getattr(layer, name)!r}")


def multiply(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return `(folds, …, in)` times `(folds, in, out)`, fold by fold."""
    folds, width = x.shape[0], x.shape[-1]
    flat = tf.reshape(x, (folds, -1, width))
    return tf.reshape(flat @ kernel, (*x.shape[:-1], kernel.shape[-1]))


def add_bias(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Return `(folds, …, out)` plus `(folds, out)`."""
    return x + spread(bias, x)


def spread(values: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return `(folds, channels)` as `(folds, 1, …, 1, channels)`, of the rank of x."""
    ones = (1,) * (x.shape.rank - 2)
    return tf.reshape(values, (values.shape[0], *ones, values.shape[-1]))


def dense(layer, run: Pass, x):
    activation = activation_of(layer)
    x = multiply(x, run.of(layer._kernel))
    if layer.use_bias:
        x = add_bias(x, run.of(layer.bias))
    return activation(x)


def convolve(layer, run: Pass, x):
    """Valid convolution over one axis of time, or two of an image: patches times a matrix."""
    demand(layer, padding="valid", strides=1, dilation_rate=1, groups=1)
    demand(layer, data_format="channels_last")
    activation = activation_of(layer)
    kernel = run.of(layer._kernel)
    patches = x
    # The last axis first: its neighbours lie closest in the kernel.
    for axis, size in reversed(list(enumerate(layer.kernel_size, start=2))):
        patches = _slide(patches, axis, size)
    kernel = tf.reshape(kernel, (kernel.shape[0], -1, kernel.shape[-1]))
    x = multiply(patches, kernel)
    if layer.use_bias:
        x = add_bias(x, run.of(layer.bias))
    return activation(x)


def _slide(x, axis: int, size: int):
    """Lay the neighbours along an axis side by side, as new channels before the old ones."""
    if size == 1:
        return x
    length = x.shape[axis] - size + 1
    parts = []
    for start in range(size):
        begin = [0] * x.shape.rank
        lengths = list(x.shape)
        begin[axis], lengths[axis] = start, length
        parts.append(tf.slice(x, begin, lengths))
    return tf.concat(parts, -1)


def batch_normalize(layer, run: Pass, x):
    """In training by the rows of the batch that count, as if the others were not there."""
    demand(layer, renorm=False)
    if layer.axis not in (-1, x.shape.rank - 2):
        refuse(layer, f"with axis={layer.axis}")
    mean, variance = run.of(layer.moving_mean), run.of(layer.moving_variance)
    scale = run.of(layer.gamma) if layer.scale else tf.ones_like(mean)
    offset = run.of(layer.beta) if layer.center else tf.zeros_like(mean)
    if not (run.training and layer.trainable):
        scale *= tf.math.rsqrt(variance + layer.epsilon)
        return x * spread(scale, x) + spread(offset - mean * scale, x)
    made, now, variance_now = normalize_rows(x, scale, offset, run.rows, layer.epsilon)
    # A fold that has no rows left in this epoch keeps what it has.
    active = tf.cast(tf.reduce_max(run.rows, 1, keepdims=True) > 0, x.dtype)
    share = (1.0 - layer.momentum) * active
    run.values[layer.moving_mean.path] = mean + (now - mean) * share
    run.values[layer.moving_variance.path] = variance + (variance_now - variance) * share
    return made


def normalize_rows(x, scale, offset, rows, epsilon: float):
    """Return x of mean `offset` and deviation `scale` over the rows that count; mean and variance.

    Sums over rows are products with a vector, and the gradient is written out: elementwise
    operations are what BatchNormalization costs here.

    Args:
        x: `(folds, batch, …, channels)`.
        scale: `(folds, channels)`.
        offset: `(folds, channels)`.
        rows: 1 for a row that counts and 0 for filling, `(folds, batch)`.
        epsilon: added to the variance.
    """
    places = math.prod(x.shape[2:-1])
    weights = tf.reshape(tf.repeat(rows, places, 1), (rows.shape[0], 1, -1))
    count = tf.maximum(tf.reduce_sum(weights, 2, keepdims=True), 1.0)

    @tf.custom_gradient
    def run(x, scale, offset):
        flat = tf.reshape(x, (x.shape[0], -1, x.shape[-1]))
        mean = weights @ flat / count
        deviations = flat - mean
        variance = weights @ tf.square(deviations) / count
        inverse = tf.math.rsqrt(variance + epsilon)
        factor = inverse * scale[:, None]
        made = tf.reshape(deviations * factor + offset[:, None], x.shape)

        def gradients(upstream, *_):
            # Of rows that do not count it is zero: their loss is.
            upstream = tf.reshape(upstream, flat.shape)
            everywhere = tf.ones_like(weights)
            total = everywhere @ upstream
            along = everywhere @ (upstream * deviations)
            shared = deviations * (along * tf.square(inverse) / count) + total / count
            shared *= tf.reshape(weights, (weights.shape[0], -1, 1))
            of_x = (upstream - shared) * factor
            return tf.reshape(of_x, x.shape), (along * inverse)[:, 0], total[:, 0]

        return (made, mean[:, 0], variance[:, 0]), gradients

    made, mean, variance = run(x, scale, offset)
    return made, tf.stop_gradient(mean), tf.stop_gradient(variance)


def normalize(layer, run: Pass, x):
    demand(layer, invert=False)
    if layer.input_mean is not None:
        mean, variance = layer.mean[None], layer.variance[None]
    else:
        # As Keras has it: the axes that are kept, ones in the place of the others.
        shape = (-1, *layer._broadcast_shape)
        mean = tf.reshape(run.of(layer.adapt_mean), shape)
        variance = tf.reshape(run.of(layer.adapt_variance), shape)
    return (x - mean) / tf.maximum(tf.sqrt(variance), keras.config.epsilon())


def activate(layer, run: Pass, x):
    return activation_of(layer)(x)


def rectify(layer, run: Pass, x):
    demand(layer, max_value=None, negative_slope=0.0, threshold=0.0)
    return tf.nn.relu(x)


def take_maximum(layer, run: Pass, x):
    """Maximum of neighbours; where several are equal the first takes the gradient, as in Keras."""
    demand(layer, padding="valid", data_format="channels_last")
    if tuple(layer.strides) != tuple(layer.pool_size):
        refuse(layer, f"with strides={layer.strides!r}")
    for axis, size in enumerate(layer.pool_size, start=2):
        if size == 1:
            continue
        length = x.shape[axis] // size
        shape = (*x.shape[:axis], length, size, *x.shape[axis + 1 :])
        begin, lengths = [0] * x.shape.rank, list(x.shape)
        lengths[axis] = length * size
        first, *others = tf.unstack(tf.reshape(tf.slice(x, begin, lengths), shape), axis=axis + 1)
        for other in others:
            first = tf.where(other > first, other, first)
        x = first
    return x


def take_mean(layer, run: Pass, x):
    """Mean of neighbours in time, of `(folds, batch, time, channels)`."""
    demand(layer, padding="valid", data_format="channels_last")
    if tuple(layer.strides) != tuple(layer.pool_size):
        refuse(layer, f"with strides={layer.strides!r}")
    (size,) = layer.pool_size
    folds, batch, time, channels = x.shape
    kept = x[:, :, : time // size * size]
    return tf.reduce_mean(tf.reshape(kept, (folds, batch, time // size, size, channels)), 3)


def average_over_time(layer, run: Pass, x):
    demand(layer, data_format="channels_last", keepdims=False)
    return tf.reduce_mean(x, 2)


def maximum_over_time(layer, run: Pass, x):
    demand(layer, data_format="channels_last", keepdims=False)
    return tf.reduce_max(x, 2)


def flatten(layer, run: Pass, x):
    demand(layer, data_format="channels_last")
    return tf.reshape(x, (*x.shape[:2], -1))


def reshape(layer, run: Pass, x):
    return tf.reshape(x, (*x.shape[:2], *layer.output.shape[1:]))


def permute(layer, run: Pass, x):
    return tf.transpose(x, (0, 1, *(axis + 1 for axis in layer.dims)))


def concatenate(layer, run: Pass, parts):
    return tf.concat(parts, layer.axis + 1 if layer.axis >= 0 else layer.axis)


def add(layer, run: Pass, parts):
    return tf.add_n(parts)


def split(operation, run: Pass, x):
    axis = operation.axis + 1 if operation.axis >= 0 else operation.axis
    cuts = operation.indices_or_sections
    if isinstance(cuts, int):
        return tf.split(x, cuts, axis)
    ends = [0, *cuts, x.shape[axis]]
    sizes = [end - start for start, end in zip(ends[:-1], ends[1:], strict=True)]
    return tf.split(x, sizes, axis)


def take(operation, run: Pass, x, key):
    return x[(slice(None), *(key if isinstance(key, tuple) else (key,)))]


def drop(layer, run: Pass, x):
    """Leave numbers out; the same ones in every fold, so that a fold does not feel the others."""
    if not run.training or not layer.rate:
        return x
    shape = list(x.shape[1:])
    if layer.noise_shape is not None:
        refuse(layer, f"with noise_shape={layer.noise_shape!r}")
    seed = run.seed + tf.constant([0, zlib.crc32(layer.name.encode()) % 2**30])
    kept = tf.random.stateless_uniform(shape, seed) >= layer.rate
    return tf.where(kept[None], x / (1.0 - layer.rate), 0.0)

"""The layer of the StressNet paper: a convolution that learns its own dropout."""

import keras
from keras import ops

from affectkeras.layers.exact_gelu import exact_gelu
from affectkeras.layers.lean_batch_normalization import LeanBatchNormalization

KINDS = ("dynamic", "none", "standard", "spatial")
# Of BatchNormalization's running statistics: what the paper's framework, PyTorch, has.
MOMENTUM = 0.9


@keras.saving.register_keras_serializable(package="affectkeras")
class DynamicDropout(keras.layers.Layer):
    """Maps times a mask of their own: a ReLU that a second convolution of the same input learns.

    Equation 3 of "StressNet: A Dynamic Dropout Layer based Neural Network for Stress Recognition"
    (section 2.2): `GELU(BatchNormalization(Conv1(x)) * ReLU(Conv2(x)))`. The mask drops what its
    ReLU sets to zero and scales the rest; it is learned by gradient descent, the same in training
    and use, and needs no rate.

    What the paper leaves open is chosen: He's initial kernels, whose masks start half zero; a bias
    in the mask, which begins at zero, and none where BatchNormalization adds one; zeros around.

    Differs from the paper: `kind` puts something else in the mask's place, for comparison.

    Both convolutions read the same input. With `fused` they are computed as one with twice as many
    maps: not faster on two AVX2 cores (`benchmarks.stress_net_step`), so not the default. The
    weights are the same in both forms, so that either may load what the other saved.

    While a model trains, `"{name}_sparsity"` stands among its figures: the share of zeros of the
    mask, over all examples and positions. It is not counted outside training, so that what is used
    or exported changes no state: validation figures show it as NaN, and so do all under the JAX
    backend, where a metric inside a layer has no state during `fit`. `mask` tells it everywhere.

    Args:
        filters: how many maps.
        kernel_size: of both convolutions, in pixels; one number, or height and width.
        strides: of both convolutions, likewise (paper: 1).
        kind: `"dynamic"`, as published; `"none"`, the maps without a mask; `"standard"` or
            `"spatial"`, with single positions or whole maps left out at random in training.
        rate: the share left out by the last two, in [0, 1).
        activation: after the mask; a name, a function or None. `"gelu"` means `exact_gelu`.
        fused: whether to compute both convolutions as one.
        kernel_initializer: of the convolution that makes the maps.
        mask_initializer: of the convolution that makes the mask.
        mask_bias_initializer: of the bias of the mask.
        kernel_regularizer: of the convolution that makes the maps.
        mask_regularizer: of the convolution that makes the mask.
        seed: of the random kinds.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        training: whether BatchNormalization uses the batch's statistics and the random kinds drop.

    Returns:
        `(batch, height / strides, width / strides, filters)`, sizes rounded up.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        strides: int | tuple[int, int] = 1,
        *,
        kind: str = "dynamic",
        rate: float = 0.5,
        activation="gelu",
        fused: bool = False,
        kernel_initializer="he_normal",
        mask_initializer="he_normal",
        mask_bias_initializer="zeros",
        kernel_regularizer=None,
        mask_regularizer=None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check(filters, kind, rate)
        self.filters = filters
        self.kernel_size = _pair(kernel_size, "kernel_size")
        self.strides = _pair(strides, "strides")
        self.kind = kind
        self.rate = rate
        self.activation = exact_gelu if activation == "gelu" else keras.activations.get(activation)
        self.fused = fused
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.mask_initializer = keras.initializers.get(mask_initializer)
        self.mask_bias_initializer = keras.initializers.get(mask_bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.mask_regularizer = keras.regularizers.get(mask_regularizer)
        self.seed = seed
        self.input_spec = keras.layers.InputSpec(ndim=4)
        self.normalization = LeanBatchNormalization(
            momentum=MOMENTUM, dtype=self.dtype_policy, name="normalization"
        )
        self.dropout = self.sparsity = None
        if kind == "dynamic":
            self.sparsity = MaskSparsity(name=f"{self.name}_sparsity")
        elif kind != "none":
            layers = {"standard": keras.layers.Dropout, "spatial": keras.layers.SpatialDropout2D}
            options = {"data_format": "channels_last"} if kind == "spatial" else {}
            self.dropout = layers[kind](
                rate, seed=seed, dtype=self.dtype_policy, name="dropout", **options
            )

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                f"The last axis of the inputs must have a size. Received: shape={input_shape}"
            )
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})
        shape = (*self.kernel_size, channels, self.filters)
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        if self.kind == "dynamic":
            self.mask_kernel = self.add_weight(
                name="mask_kernel",
                shape=shape,
                initializer=self.mask_initializer,
                regularizer=self.mask_regularizer,
            )
            self.mask_bias = self.add_weight(
                name="mask_bias", shape=(self.filters,), initializer=self.mask_bias_initializer
            )
        maps = self.compute_output_shape(input_shape)
        self.normalization.build(maps)
        if self.dropout is not None:
            self.dropout.build(maps)

    def call(self, inputs, training=None):
        if self.kind == "dynamic":
            maps, mask = self._maps_and_mask(inputs)
            if training and keras.backend.backend() != "jax":
                self.sparsity.update_state(mask)
            maps = self.normalization(maps, training=training) * mask
        else:
            maps = self.normalization(self._convolve(inputs, self.kernel), training=training)
            if self.dropout is not None:
                maps = self.dropout(maps, training=training)
        if self.activation is exact_gelu:
            return exact_gelu(maps, training=bool(training))
        return self.activation(maps)

    def mask(self, inputs):
        """Return what the maps of an input are multiplied with.

        Args:
            inputs: `(batch, height, width, channels)`, what the layer itself is given.

        Returns:
            Numbers from 0, `(batch, height / strides, width / strides, filters)`.

        Raises:
            ValueError: for a layer of another kind, or one that was not built yet.
        """
        if self.kind != "dynamic":
            raise ValueError(
                f"Only a layer of kind 'dynamic' has a mask. Received: {self.name!r} "
                f"of kind={self.kind!r}"
            )
        if not self.built:
            raise ValueError(f"Build the layer {self.name!r} or call it before its mask is read.")
        inputs = ops.convert_to_tensor(inputs, dtype=self.compute_dtype)
        return self._masked(self._convolve(inputs, self.mask_kernel))

    def _maps_and_mask(self, inputs):
        if not self.fused:
            maps = self._convolve(inputs, self.kernel)
            return maps, self._masked(self._convolve(inputs, self.mask_kernel))
        both = ops.concatenate([self.kernel, self.mask_kernel], axis=-1)
        maps, mask = ops.split(self._convolve(inputs, both), 2, axis=-1)
        return maps, self._masked(mask)

    def _convolve(self, inputs, kernel):
        kernel = ops.cast(kernel, self.compute_dtype)
        return ops.conv(inputs, kernel, self.strides, "same", data_format="channels_last")

    def _masked(self, maps):
        return ops.relu(maps + ops.cast(self.mask_bias, self.compute_dtype))

    def compute_output_shape(self, input_shape):
        sizes = zip(input_shape[1:3], self.strides, strict=True)
        sizes = [None if size is None else -(-size // stride) for size, stride in sizes]
        return (input_shape[0], *sizes, self.filters)

    def get_config(self):
        own = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "kind": self.kind,
            "rate": self.rate,
            "activation": keras.activations.serialize(self.activation),
            "fused": self.fused,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "mask_initializer": keras.initializers.serialize(self.mask_initializer),
            "mask_bias_initializer": keras.initializers.serialize(self.mask_bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "mask_regularizer": keras.regularizers.serialize(self.mask_regularizer),
            "seed": self.seed,
        }
        return {**super().get_config(), **own}


class MaskSparsity(keras.metrics.Mean):
    """The share of zeros among all numbers of the masks it was given; NaN before the first."""

    def update_state(self, mask):
        zeros = ops.cast(ops.equal(mask, 0), "float32")
        super().update_state(ops.mean(zeros), sample_weight=ops.cast(ops.shape(mask)[0], "float32"))

    def result(self):
        return ops.where(self.count > 0, super().result(), float("nan"))


def _pair(value, name: str) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or min(pair) < 1:
        raise ValueError(
            f"`{name}` must be one or two numbers of at least 1. Received: {name}={value}"
        )
    return pair


def _check(filters, kind, rate) -> None:
    if filters < 1:
        raise ValueError(f"`filters` must be at least 1. Received: filters={filters}")
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {', '.join(KINDS)}. Received: kind={kind!r}")
    if not 0 <= rate < 1:
        raise ValueError(f"`rate` must be in [0, 1). Received: rate={rate}")

"""A convolution whose bias and ReLU wait until its maps are pooled."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="affectkeras")
class PooledConvolution(keras.layers.Conv2D):
    """A convolution of stride 1 that keeps the size, its ReLU, and the maximum of each 2 × 2.

    The largest of four numbers is the same before and after a bias is added to all of them and
    their ReLU taken: neither ever turns the order of two numbers round. So the maps are pooled
    first, and both are left a quarter of the numbers, in training also of their gradients. Where
    all four are negative the gradient is zero either way.

    Weights are those of `keras.layers.Conv2D`: `kernel`, `bias`.

    Args:
        filters: how many maps.
        kernel_size: in pixels; one number, or height and width.
        **kwargs: further ones of `keras.layers.Conv2D`, but `strides`, `padding`, `data_format`,
            `activation` and `use_bias`.

    Call arguments:
        inputs: `(batch, height, width, channels)`.

    Returns:
        `(batch, height / 2, width / 2, filters)`, sizes rounded down.
    """

    def __init__(self, filters: int, kernel_size: int | tuple[int, int] = 3, **kwargs):
        super().__init__(
            filters,
            kernel_size,
            padding="same",
            data_format="channels_last",
            activation="relu",
            **kwargs,
        )

    def call(self, inputs):
        maps = self.convolution_op(inputs, self.kernel)
        # The strides are named: Keras 3.15 counts the axes twice under JAX where they are not.
        maps = ops.max_pool(maps, (2, 2), strides=(2, 2), data_format="channels_last")
        return ops.relu(maps + ops.cast(self.bias, maps.dtype))

    def compute_output_shape(self, input_shape):
        batch, *sizes, maps = super().compute_output_shape(input_shape)
        return (batch, *(None if size is None else size // 2 for size in sizes), maps)

    def get_config(self):
        config = super().get_config()
        for fixed in ("strides", "padding", "data_format", "activation", "use_bias"):
            del config[fixed]
        return config

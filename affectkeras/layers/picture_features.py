"""LPQ and PHOG as layers: what `affectkeras.features` computes, inside a model that is served."""

import keras
import numpy as np
from keras import ops

from affectkeras.features.cells import GREY, cell_of_pixels
from affectkeras.features.gradient_pyramid import LEAST_ANGLE
from affectkeras.features.local_phase import (
    BITS,
    CODES,
    LEAST,
    WINDOW,
    decorrelation,
    frequency_kernels,
)


class _PictureFeatures(keras.layers.Layer):
    """Sums in float64: a sign or a bin must not hang on how a sum was ordered."""

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float64", "trainable": False} | kwargs)

    def grey(self, pictures):
        """Return `(batch, height, width)`."""
        return ops.sum(pictures * ops.convert_to_tensor(GREY, self.compute_dtype), axis=-1)

    def join(self, values, cells: tuple[int, int]):
        """Return sums over cells, `(batch, rows, columns, bins)`.

        Args:
            values: `(batch, height, width, bins)`.
            cells: how many down and across.
        """
        for axis, count in zip((1, 2), cells, strict=True):
            of_pixel = cell_of_pixels(values.shape[axis], count)
            member = np.eye(count)[of_pixel].T  # (cells, pixels)
            member = ops.cast(ops.convert_to_tensor(member), values.dtype)
            values = ops.moveaxis(ops.tensordot(member, values, axes=[[1], [axis]]), 0, axis)
        return values


@keras.saving.register_keras_serializable(package="affectkeras")
class LocalPhaseQuantization(_PictureFeatures):
    """Histograms of the signs of local frequencies, see `features.local_phase`.

    Args:
        window: side of the neighbourhood in pixels, odd.
        grid: cells down and across.
        decorrelate: whether the responses are rotated before their signs are taken.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: RGB pictures `(batch, height, width, 3)` in [0, 255].

    Returns:
        float64 `(batch, rows · columns · 256)`.
    """

    def __init__(self, window: int = WINDOW, grid=(1, 1), decorrelate: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.window = int(window)
        self.grid = tuple(grid)
        self.decorrelate = bool(decorrelate)

    def build(self, input_shape):
        kernels = frequency_kernels(self.window)
        if self.decorrelate:
            kernels = np.tensordot(decorrelation(self.window), kernels, axes=1)
        self._kernels = np.moveaxis(kernels, 0, -1)[:, :, np.newaxis]

    def call(self, inputs):
        kernels = ops.convert_to_tensor(self._kernels, self.compute_dtype)
        responses = ops.conv(self.grey(inputs)[..., None], kernels, padding="valid")
        values = ops.convert_to_tensor(2 ** np.arange(BITS), "int32")
        codes = ops.sum(ops.cast(responses > LEAST, "int32") * values, axis=-1)
        counts = self.join(ops.one_hot(codes, CODES, dtype="float32"), self.grid)
        histograms = ops.cast(counts, self.compute_dtype)
        histograms = histograms / ops.sum(histograms, axis=-1, keepdims=True)
        return ops.reshape(histograms, (-1, int(np.prod(self.grid)) * CODES))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], int(np.prod(self.grid)) * CODES)

    def get_config(self):
        own = {"window": self.window, "grid": self.grid, "decorrelate": self.decorrelate}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="affectkeras")
class PyramidOfGradients(_PictureFeatures):
    """Histograms of the directions of edges, see `features.gradient_pyramid`, of all pixels.

    Args:
        levels: level l has 2^l cells down and across, 0 … levels.
        bins: of directions.
        degrees: 180 or 360.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: RGB pictures `(batch, height, width, 3)` in [0, 255].

    Returns:
        float64 `(batch, bins · (1 + 4 + … + 4^levels))`.
    """

    def __init__(self, levels: int = 3, bins: int = 8, degrees: int = 360, **kwargs):
        super().__init__(**kwargs)
        self.levels = int(levels)
        self.bins = int(bins)
        self.degrees = int(degrees)

    def call(self, inputs):
        grey = self.grey(inputs)
        across, down = _slopes(grey, 2), _slopes(grey, 1)
        angle = ops.arctan2(down, across) * (180 / np.pi) + LEAST_ANGLE
        place = ops.floor(ops.mod(angle, self.degrees) * (self.bins / self.degrees))
        place = ops.minimum(ops.cast(place, "int32"), self.bins - 1)
        strength = ops.sqrt(across**2 + down**2)[..., None]
        held = ops.one_hot(place, self.bins, dtype=self.compute_dtype) * strength
        cells = self.join(held, (2**self.levels,) * 2)
        pyramid = [self._merge(cells, 2**level) for level in range(self.levels + 1)]
        found = ops.concatenate(pyramid, axis=1)
        total = ops.sum(found, axis=1, keepdims=True)
        return found / ops.where(total > 0, total, ops.ones_like(total))

    def _merge(self, cells, side: int):
        block = 2**self.levels // side
        blocks = ops.reshape(cells, (-1, side, block, side, block, self.bins))
        return ops.reshape(ops.sum(blocks, axis=(2, 4)), (-1, side * side * self.bins))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.bins * sum(4**level for level in range(self.levels + 1)))

    def get_config(self):
        own = {"levels": self.levels, "bins": self.bins, "degrees": self.degrees}
        return {**super().get_config(), **own}


def _slopes(grey, axis: int):
    """Return central differences along an axis, at its ends those of the last two pixels."""

    def cut(start, stop):
        return grey[:, start:stop] if axis == 1 else grey[:, :, start:stop]

    size = grey.shape[axis]
    first, last = cut(1, 2) - cut(0, 1), cut(size - 1, size) - cut(size - 2, size - 1)
    return ops.concatenate([first, (cut(2, size) - cut(0, size - 2)) / 2, last], axis=axis)

"""How each kind of layer becomes narrower: its new configuration and its new weights."""

import dataclasses
import functools

import keras
import numpy as np
from keras import layers
from keras.src.applications.convnext import LayerScale
from keras.src.ops import numpy as numpy_operations

from affectkeras.pruning import kinds
from affectkeras.pruning.removal import Reading


@dataclasses.dataclass(frozen=True)
class Narrowed:
    """What differs of a layer.

    Args:
        config: entries of its configuration.
        weights: attribute → array; the others are copied as they are.
    """

    config: dict
    weights: dict[str, np.ndarray]


@functools.singledispatch
def narrow(operation, reading: Reading, keep: np.ndarray) -> Narrowed:
    """Return what differs of a layer that loses channels; nothing, unless a rule below says so.

    Args:
        operation: the layer or raw operation, left as it is.
        reading: what becomes of the channels it reads.
        keep: which of the channels it writes stay, `(channels,)`.
    """
    return Narrowed({}, {})


@narrow.register
def _convolution(layer: kinds.BaseConv, reading: Reading, keep: np.ndarray) -> Narrowed:
    kernel, width = _array(layer.kernel), {"filters": int(keep.sum())}
    if kinds.is_depthwise(layer):
        weights = {"kernel": kernel[..., keep], **_bias(layer, keep)}
        return Narrowed({**width, "groups": int(reading.keep.sum())}, weights)
    # The same maps of every group go, so the rows of one group tell for all.
    kernel, extra = fold_rows(kernel, reading.first(kernel.shape[-2]))
    config, weights = _with_bias(layer, extra, keep)
    return Narrowed({**width, **config}, {"kernel": kernel[..., keep], **weights})


@narrow.register
def _dense(layer: layers.Dense, reading: Reading, keep: np.ndarray) -> Narrowed:
    kernel, extra = fold_rows(_array(layer.kernel), reading)
    config, weights = _with_bias(layer, extra, keep)
    return Narrowed({"units": int(keep.sum()), **config}, {"kernel": kernel[..., keep], **weights})


@narrow.register
def _separable(layer: kinds.BaseSeparableConv, reading: Reading, keep: np.ndarray) -> Narrowed:
    pointwise, extra = fold_rows(_array(layer.pointwise_kernel), reading)
    config, weights = _with_bias(layer, extra, keep)
    incoming = reading.keep[:: layer.depth_multiplier]
    kernels = {
        "depthwise_kernel": _array(layer.depthwise_kernel)[..., incoming, :],
        "pointwise_kernel": pointwise[..., keep],
    }
    return Narrowed({"filters": int(keep.sum()), **config}, {**kernels, **weights})


@narrow.register
def _depthwise(layer: kinds.BaseDepthwiseConv, reading: Reading, keep: np.ndarray) -> Narrowed:
    kernel = _array(layer.kernel)[..., reading.keep, :]
    return Narrowed({}, {"kernel": kernel, **_bias(layer, keep)})


@narrow.register
def _batch_normalization(
    layer: layers.BatchNormalization, reading: Reading, keep: np.ndarray
) -> Narrowed:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    held = {name: getattr(layer, name, None) for name in names}
    return Narrowed(
        {}, {name: _array(held[name])[keep] for name in names if held[name] is not None}
    )


@narrow.register
def _prelu(layer: layers.PReLU, reading: Reading, keep: np.ndarray) -> Narrowed:
    alpha = _array(layer.alpha)
    shared = alpha.shape[-1] == 1 and len(keep) > 1
    return Narrowed({}, {} if shared else {"alpha": alpha[..., keep]})


@narrow.register
def _layer_scale(layer: LayerScale, reading: Reading, keep: np.ndarray) -> Narrowed:
    return Narrowed({"projection_dim": int(keep.sum())}, {"gamma": _array(layer.gamma)[keep]})


@narrow.register
def _reshape(layer: layers.Reshape, reading: Reading, keep: np.ndarray) -> Narrowed:
    return Narrowed({"target_shape": _last(layer.target_shape, keep)}, {})


@narrow.register
def _raw_reshape(
    operation: numpy_operations.Reshape, reading: Reading, keep: np.ndarray
) -> Narrowed:
    return Narrowed({"newshape": _last(operation.newshape, keep)}, {})


@narrow.register
def _dropout(layer: layers.Dropout, reading: Reading, keep: np.ndarray) -> Narrowed:
    # One draw for all channels (1) or one per channel.
    shape = layer.noise_shape
    per_channel = shape is not None and shape[-1] is not None and shape[-1] > 1
    return Narrowed({"noise_shape": _last(shape, keep)} if per_channel else {}, {})


@narrow.register
def _input(layer: layers.InputLayer, reading: Reading, keep: np.ndarray) -> Narrowed:
    return Narrowed({"batch_shape": _last(layer.batch_shape, keep)}, {})


def fold_rows(kernel: np.ndarray, reading: Reading) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a kernel without its removed rows, and what their constants add to the bias.

    Args:
        kernel: `(…, channels read, channels written)`.
        reading: what becomes of the channels read.

    Returns:
        The kernel of the channels that stay, `(…, kept, written)`, and `(written,)` or None.
    """
    rows = kernel
    if len(reading.sources):
        # Sums in double precision: many maps may be merged into one.
        rows = kernel.astype(np.float64)
        added = kernel[..., reading.sources, :] * reading.scales[:, None]
        np.add.at(np.moveaxis(rows, -2, 0), reading.targets, np.moveaxis(added, -2, 0))
    extra = None
    if len(reading.constant_at):
        constant = kernel[..., reading.constant_at, :] * reading.values[:, None]
        extra = constant.sum(axis=tuple(range(kernel.ndim - 1)))
    return rows[..., reading.keep, :].astype(kernel.dtype), extra


def _bias(layer, keep: np.ndarray) -> dict[str, np.ndarray]:
    return {"bias": _array(layer.bias)[keep]} if layer.use_bias else {}


def _with_bias(layer, extra: np.ndarray | None, keep: np.ndarray) -> tuple[dict, dict]:
    """Return the configuration and the weights of a bias, new where constants need one."""
    if extra is None:
        return {}, _bias(layer, keep)
    bias = (_array(layer.bias) if layer.use_bias else 0) + extra
    return {"use_bias": True}, {"bias": bias[keep]}


def _last(shape, keep: np.ndarray) -> tuple:
    # -1 and None adapt themselves.
    fixed = shape[-1] is not None and shape[-1] > 0
    return (*shape[:-1], int(keep.sum()) if fixed else shape[-1])


def _array(variable) -> np.ndarray:
    return keras.ops.convert_to_numpy(variable)

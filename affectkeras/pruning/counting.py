"""How large and how costly a model is: maps, parameters, multiplications."""

import functools
import math

import keras
from keras import layers

from affectkeras.pruning import kinds
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.walk import Call, require_graph, walk


def count_parameters(model: keras.Model) -> int:
    """Return how many numbers the weights of a model hold, trainable or not."""
    return model.count_params()


def count_macs(model: keras.Model) -> int:
    """Return the multiplications of convolutions and dense layers for one example.

    Raises:
        PruningError: when the model leaves its height, width or length open.
    """
    total = 0

    def visit(call: Call):
        nonlocal total
        total += macs(call.operation, call)
        return [None] * len(call.output_shapes)

    walk(model, [None] * len(require_graph(model).inputs), visit)
    return total


@functools.singledispatch
def macs(operation, call: Call) -> int:
    """Return the multiplications of one call for one example; none are counted for the rest."""
    return 0


@macs.register
def _convolution(layer: kinds.BaseConv, call: Call) -> int:
    return _positions(call) * math.prod(layer.kernel.shape)


@macs.register
def _depthwise(layer: kinds.BaseDepthwiseConv, call: Call) -> int:
    return _positions(call) * math.prod(layer.kernel.shape)


@macs.register
def _separable(layer: kinds.BaseSeparableConv, call: Call) -> int:
    kernels = layer.depthwise_kernel, layer.pointwise_kernel
    return _positions(call) * sum(math.prod(kernel.shape) for kernel in kernels)


@macs.register
def _dense(layer: layers.Dense, call: Call) -> int:
    return _positions(call) * math.prod(layer.kernel.shape)


def _positions(call: Call) -> int:
    sizes = call.output_shapes[0][1:-1]
    if None in sizes:
        raise PruningError(
            f"The model must have a fixed size. Received: {call.path!r} with the output shape "
            f"{call.output_shapes[0]}"
        )
    return math.prod(sizes)

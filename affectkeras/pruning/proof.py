"""The proof: a pruned model equals the original with the removed maps masked where they are read.

A map is read by the layers that mix maps into new ones, after whatever normalization, activation,
gate or depthwise convolution stands between. Masked there means zero, or what the plan puts in its
place: `scale` times another map, or a constant (which then goes on in the padding too).
"""

import functools

import keras
import numpy as np
from keras import ops

from affectkeras.pruning import kinds
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.graph import ChannelGraph
from affectkeras.pruning.plan import PrunePlan
from affectkeras.pruning.removal import Reading, Removal
from affectkeras.pruning.walk import Call, compute, require_graph, walk

TOLERANCE = 1e-4  # largest difference ÷ largest output, per example
UNKNOWN_SIZE = 96  # stands for a height, width or length that the model leaves open


def verify_pruned(
    original: keras.Model,
    pruned: keras.Model,
    plan: PrunePlan,
    tolerance: float = TOLERANCE,
    inputs: list[np.ndarray] | None = None,
) -> float:
    """Return how far a pruned model is from its masked original; raise when it is too far.

    Args:
        original: the model before.
        pruned: the model after.
        plan: what was removed.
        tolerance: the largest relative error accepted.
        inputs: an array per input; absent: two random examples, in [-1, 1] and in [0, 255].

    Returns:
        The largest difference of an output relative to the largest output of its example.

    Raises:
        PruningError: with the error found.
    """
    graph = ChannelGraph(original)
    return prove_equal(graph, Removal(graph, plan), pruned, tolerance=tolerance, inputs=inputs)


def prove_equal(
    graph: ChannelGraph,
    removal: Removal,
    pruned: keras.Model,
    *,
    tolerance: float,
    inputs: list[np.ndarray] | None = None,
) -> float:
    """Do what `verify_pruned` does, for a plan already understood."""
    inputs = random_inputs(graph.model) if inputs is None else inputs
    tensors = [ops.convert_to_tensor(array) for array in inputs]
    expected = run_reading(graph, tensors, functools.partial(_mask, removal))
    found = walk(pruned, tensors, compute)
    error = max(relative_error(a, b) for a, b in zip(expected, found, strict=True))
    if not error <= tolerance:  # a NaN is no proof
        raise PruningError(
            f"The pruned model {pruned.name!r} differs from the masked original by {error:.2e} of "
            f"its largest output. Expected: at most {tolerance:.0e}"
        )
    return error


def mask_model(model: keras.Model, plan: PrunePlan) -> keras.Model:
    """Return the model with the plan's maps masked, as large as before and sharing its weights.

    What a plan would cost can be measured on it without surgery.
    """
    channels, graph = ChannelGraph(model), require_graph(model)
    inputs = [
        keras.Input(batch_shape=one.shape, dtype=one.dtype, name=one.name) for one in graph.inputs
    ]
    outputs = run_reading(channels, inputs, functools.partial(_mask, Removal(channels, plan)))
    # The structure of the original's inputs and outputs, be it a list, a dict or one tensor.
    inputs = keras.tree.pack_sequence_as(graph.input, inputs)
    return keras.Model(inputs, keras.tree.pack_sequence_as(graph.output, outputs), name=model.name)


def run_reading(graph: ChannelGraph, inputs: list, read) -> list:
    """Run a model outside training, with a say in what its consumers read.

    Args:
        graph: of the model.
        inputs: a tensor per input, of numbers or symbolic.
        read: takes the path of a consumer and the function `run(change)` that runs it, where
            `change` turns the tensor it would read, `(…, channels)`, into what it does read; the
            channels are those of `graph.layers[path].reads`. Returns the consumer's output.

    Returns:
        The outputs of the model.
    """

    def visit(call: Call):
        if not kinds.mixes(call.operation):
            return compute(call)
        return read(call.path, functools.partial(run_consumer, call.operation, call.inputs[0]))

    return walk(graph.model, inputs, visit)


def _mask(removal: Removal, path: str, run):
    if not removal.changes(path):
        return run(lambda tensor: tensor)
    reading = removal.reading(path)
    return run(reading.apply, padding=_padding(reading))


def _padding(reading: Reading) -> np.ndarray | None:
    """Return what stands in the padding: the constants; None where it is zeros all over."""
    if not len(reading.constant_at):
        return None
    padding = np.zeros(len(reading.keep), np.float32)
    padding[reading.constant_at] = reading.values
    return padding


@functools.singledispatch
def run_consumer(layer, tensor, change, padding: np.ndarray | None = None):
    """Return a layer's output where it reads `change(tensor)`, padded with `padding`."""
    return layer(change(tensor))


@run_consumer.register
def _convolution(layer: kinds.BaseConv, tensor, change, padding: np.ndarray | None = None):
    if padding is None or layer.padding == "valid":
        return layer(change(tensor))
    # Padded by hand, around zero: the constants come off before and on again after.
    constants = ops.cast(padding, tensor.dtype)
    widths = [_pad_width(layer, axis, tensor.shape[axis + 1]) for axis in range(layer.rank)]
    padded = ops.pad(change(tensor) - constants, [(0, 0), *widths, (0, 0)]) + constants
    output = ops.conv(
        padded,
        layer.kernel,
        strides=list(layer.strides),
        padding="valid",
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )
    return layer.activation(output + layer.bias if layer.use_bias else output)


@run_consumer.register
def _separable(layer: kinds.BaseSeparableConv, tensor, change, padding: np.ndarray | None = None):
    # What the pointwise half reads; it needs no padding.
    maps = ops.depthwise_conv(
        tensor,
        layer.depthwise_kernel,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )
    output = ops.conv(
        change(maps), layer.pointwise_kernel, padding="valid", data_format=layer.data_format
    )
    return layer.activation(output + layer.bias if layer.use_bias else output)


def _pad_width(layer: kinds.BaseConv, axis: int, size: int) -> tuple[int, int]:
    """Return what 'same' or 'causal' padding adds before and after, in positions."""
    stride = layer.strides[axis]
    reach = (layer.kernel_size[axis] - 1) * layer.dilation_rate[axis]
    if layer.padding == "causal":
        return reach, 0
    total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
    return total // 2, total - total // 2


def random_inputs(model: keras.Model, seed: int = 0) -> list[np.ndarray]:
    """Return two random examples per input: one in [-1, 1], one in [0, 255], as pixels are."""
    generator = np.random.default_rng(seed)
    arrays = []
    for tensor in require_graph(model).inputs:
        shape = [UNKNOWN_SIZE if size is None else size for size in tensor.shape[1:]]
        pair = generator.uniform(-1, 1, shape), generator.uniform(0, 255, shape)
        if "int" in keras.backend.standardize_dtype(tensor.dtype):
            pair = generator.integers(0, 2, (2, *shape))
        arrays.append(np.stack(pair).astype(tensor.dtype))
    return arrays


def relative_error(expected, found) -> float:
    """Return the largest difference relative to the largest number expected of that example."""
    expected, found = (
        np.asarray(ops.convert_to_numpy(one), np.float64) for one in (expected, found)
    )
    axes = tuple(range(1, expected.ndim))
    difference = np.abs(expected - found).max(axis=axes)
    largest = np.abs(expected).max(axis=axes)
    return float(np.max(difference / np.where(largest > 0, largest, 1)))

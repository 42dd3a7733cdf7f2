"""How the channels that an operation returns relate to those it is given.

`relate` answers per kind of operation, on identities of channels. What it does not know keeps all
its channels, coming in and going out: that is sound whatever the operation does.
"""

import functools
import math

import numpy as np
from keras import layers

from affectkeras.pruning import kinds
from affectkeras.pruning.channels import ChannelSpace, Maps
from affectkeras.pruning.walk import Call


def relate_call(call: Call, space: ChannelSpace) -> list[Maps]:
    """Return the channels of every output of a call, coupling and freezing what must be."""
    known = [shape[-1] is not None for shape in call.input_shapes if len(shape) > 1]
    if len(known) != len(call.inputs) or not all(known):
        return keep_all(call, space, "whose input has no fixed number of channels")
    if getattr(call.operation, "data_format", None) == "channels_first":
        return keep_all(call, space, "which has its channels first")
    if getattr(call.operation, "quantization_mode", None):
        return keep_all(call, space, "which is quantized")
    if getattr(call.operation, "lora_enabled", False):
        return keep_all(call, space, "which has LoRA weights")
    return relate(call.operation, call, space)


@functools.singledispatch
def relate(operation, call: Call, space: ChannelSpace) -> list[Maps]:
    """Return the channels of every output of a call; the operation is one it has no rule for."""
    return keep_all(call, space, "which pruning does not know")


def keep_all(call: Call, space: ChannelSpace, why: str) -> list[Maps]:
    """Freeze what goes into a call and what comes out, naming the operation."""
    for maps in call.inputs:
        space.freeze(maps.labels, f"feeds {_name(call)}, {why}")
    reason = f"comes out of {_name(call)}, {why}"
    counts = [shape[-1] if len(shape) > 1 else None for shape in call.output_shapes]
    return [Maps(space.frozen(count or 0, reason)) for count in counts]


def _keep_given(call: Call, space: ChannelSpace, why: str) -> list[Maps]:
    """Freeze what goes into a call whose outputs are those same channels."""
    for maps in call.inputs:
        space.freeze(maps.labels, f"feeds {_name(call)}, {why}")
    return list(call.inputs)


def _name(call: Call) -> str:
    return f"{call.path!r} ({type(call.operation).__name__})"


def _each(operation_types: tuple):
    """Register a rule for several types."""

    def register(rule):
        for operation_type in operation_types:
            relate.register(operation_type, rule)
        return rule

    return register


@_each(kinds.KEEPING)
def _keeping(operation, call, space):
    if len(call.inputs) != 1 or call.input_shapes[0][-1] != call.output_shapes[0][-1]:
        return keep_all(call, space, "which is called in a way that pruning does not know")
    return list(call.inputs)


@relate.register(layers.InputLayer)
def _input(layer, call, space):
    return list(call.inputs)


@relate.register(layers.Activation)
def _activation(layer, call, space):
    return _activated(layer.activation, call.inputs[0], call, space)


def _activated(activation, maps: Maps, call: Call, space: ChannelSpace) -> list[Maps]:
    """Freeze maps whose activation is no elementwise one."""
    if not kinds.is_elementwise(activation):
        name = getattr(activation, "__name__", type(activation).__name__)
        why = f"go through the activation {name} of {_name(call)}, which is not known elementwise"
        space.freeze(maps.labels, why)
    return [maps]


@_each((kinds.BaseConv, layers.Dense))
def _mixing(layer, call, space):
    [maps] = call.inputs
    if kinds.is_depthwise(layer):
        return _depthwise(layer, call, space)
    made = space.outputs_of(call.path, call.output_shapes[0][-1])
    groups = getattr(layer, "groups", 1)
    # Every group must keep as many maps as the others: what goes of one goes of all.
    space.fold(maps.labels, len(maps.labels) // groups)
    space.fold(made, len(made) // groups)
    return _activated(layer.activation, Maps(made), call, space)


@relate.register(kinds.BaseSeparableConv)
def _separable(layer, call, space):
    made = Maps(space.outputs_of(call.path, layer.filters))
    return _activated(layer.activation, made, call, space)


@relate.register(kinds.BaseDepthwiseConv)
def _depthwise(layer, call, space):
    [maps] = call.inputs
    multiplier = call.output_shapes[0][-1] // len(maps.labels)
    return _activated(layer.activation, Maps(np.repeat(maps.labels, multiplier)), call, space)


@relate.register(layers.BatchNormalization)
def _batch_normalization(layer, call, space):
    if layer.axis not in (-1, len(call.input_shapes[0]) - 1):
        return keep_all(call, space, f"which works on axis {layer.axis}")
    return [call.inputs[0]]


@_each(kinds.PER_CHANNEL)
def _per_channel(layer, call, space):
    return list(call.inputs)


@relate.register(layers.Rescaling)
def _rescaling(layer, call, space):
    if np.ndim(layer.scale) or np.ndim(layer.offset):
        return _keep_given(call, space, "which has fixed numbers per channel")
    return list(call.inputs)


@relate.register(layers.Normalization)
def _normalization(layer, call, space):
    return _keep_given(call, space, "which has fixed numbers per channel")


@_each(kinds.NORMALIZATIONS)
def _over_channels(layer, call, space):
    why = "which normalizes over the channels: without some of them the others change"
    return _keep_given(call, space, why)


@_each(kinds.SOFTMAXES)
def _softmax(operation, call, space):
    return _keep_given(call, space, "which divides by a sum over the channels")


@_each(kinds.ARITHMETIC)
def _arithmetic(operation, call, space):
    constants = [value for value in call.args if not isinstance(value, (Maps, list, tuple))]
    if any(math.prod(np.shape(value)) != 1 for value in constants):
        return keep_all(call, space, "which has fixed numbers per channel")
    width = max(len(maps.labels) for maps in call.inputs)
    whole = [maps for maps in call.inputs if len(maps.labels) == width]
    for maps in call.inputs:
        if len(maps.labels) < width:
            space.freeze(maps.labels, f"is spread over all channels in {_name(call)}")
        else:
            space.join(whole[0].labels, maps.labels)
    return [whole[0]]


relate.register(layers.Dot, relate.dispatch(object))


@_each(kinds.REDUCTIONS)
def _reduction(operation, call, space):
    rank = len(call.input_shapes[0])
    axes = range(rank) if operation.axis is None else np.atleast_1d(operation.axis) % rank
    if rank - 1 in axes:
        return keep_all(call, space, "which reduces over the channels")
    return list(call.inputs)


@_each(kinds.CONCATENATIONS)
def _concatenate(operation, call, space):
    rank = len(call.output_shapes[0])
    if operation.axis % rank == rank - 1:
        return [Maps(np.concatenate([maps.labels for maps in call.inputs]))]
    for maps in call.inputs:
        space.join(call.inputs[0].labels, maps.labels)
    return [call.inputs[0]]


@_each(kinds.RESHAPES)
def _reshape(operation, call, space):
    """Follow the channels through a change of shape, rows last: number n is of channel n mod C."""
    labels, width = call.inputs[0].labels, call.output_shapes[0][-1]
    if width is None or len(call.output_shapes[0]) < 2 or (width == 1 and len(labels) > 1):
        return keep_all(call, space, "which leaves no axis of channels")
    if width % len(labels) == 0:
        return [Maps(np.tile(labels, width // len(labels)))]
    if len(labels) % width == 0:
        # As from (16·C,) to (4, 4, C): the 16 numbers that become one map go together.
        return [Maps(space.fold(labels, width))]
    return keep_all(call, space, "which mixes channels and positions")

"""The blocks of a backbone: what works at one resolution."""

import math

import keras


def find_blocks(backbone: keras.Model) -> tuple[tuple[keras.layers.Layer, ...], ...]:
    """Return the layers of a backbone in blocks, one per resolution, from the input to the output.

    A layer belongs to the finest resolution that it works for: the largest feature map among its
    own output and everything that depends on it, each resolution being a halving of the images
    (rounded, so that convolutions without padding do not count). A squeeze-and-excitation branch,
    whose own output is one pixel, thus stands with the map it scales. Layers after the pooling
    stand with the last block. Resolutions without weights are left out. The five blocks of most
    backbones at their usual sizes are the stages of their papers (ResNet: conv1 … conv5).

    Args:
        backbone: a functional model with images of a fixed size as input.
    """
    height = backbone.input_shape[1]
    consumers: dict[int, list] = {}
    for operation in backbone.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        for tensor in keras.tree.flatten(operation.input):
            consumers.setdefault(id(tensor), []).append(operation)

    levels: dict[int, float] = {}
    for operation in reversed(backbone.operations):  # in the order of the graph
        outputs = keras.tree.flatten(operation.output)
        own = [_level(operation, tensor.shape, height) for tensor in outputs]
        later = [levels[id(user)] for tensor in outputs for user in consumers.get(id(tensor), [])]
        levels[id(operation)] = min(own + later)

    weighted = [
        layer
        for layer in backbone.layers
        if layer.weights and not isinstance(layer, keras.layers.Normalization)
    ]
    finite = sorted({levels[id(layer)] for layer in weighted} - {math.inf})
    blocks = {level: [] for level in finite}
    for layer in backbone.layers:
        level = min(levels[id(layer)], finite[-1])
        if level in blocks:
            blocks[level].append(layer)
    return tuple(tuple(blocks[level]) for level in finite)


def _level(operation, shape: tuple, height: int) -> float:
    """Return how often the images were halved to get a map of this height; inf if it says nothing.

    Padding enlarges a map for the sake of the next layer only; what is pooled has no height.
    """
    if len(shape) != 4 or isinstance(operation, keras.layers.ZeroPadding2D):
        return math.inf
    return max(0, round(math.log2(height / shape[1])))

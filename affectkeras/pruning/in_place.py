"""Maps taken out of a model that keeps its size: outgoing weights folded, then zero.

The rules are those of `narrowing`: what it would leave of a layer's weights is put back among
zeros. Such a model can be trained further, and gives what the smaller one gives.
"""

import dataclasses
from collections import Counter

import keras
import numpy as np
from keras import layers, ops

from affectkeras.pruning import kinds
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.graph import ChannelGraph
from affectkeras.pruning.narrowing import narrow
from affectkeras.pruning.plan import PrunePlan
from affectkeras.pruning.removal import Reading, Removal
from affectkeras.pruning.walk import Call, require_graph, walk


@dataclasses.dataclass(frozen=True)
class HeldRows:
    """The rows of one layer's weights that stay zero.

    Args:
        weights: `(…, channels read, channels written)`.
        keep: whether each channel read stays, `(channels read,)`.
    """

    weights: keras.Variable
    keep: np.ndarray

    def zero(self) -> None:
        """Set the rows to zero."""
        factor = ops.convert_to_tensor(self.keep[:, None].astype(np.float32))
        self.weights.assign(self.weights * ops.cast(factor, self.weights.dtype))

    def are_zero(self) -> bool:
        """Return whether all of them are."""
        return not ops.convert_to_numpy(self.weights)[..., ~self.keep, :].any()


class OutgoingWeights:
    """The weights by which the maps of a model act on the layers that mix them into new ones.

    Args:
        model: functional or Sequential.

    Attributes:
        without_bias: paths of the layers that constants cannot be given to: they have no bias, and
            no BatchNormalization alone reads what they return.

    Raises:
        PruningError: for a model without a graph.
    """

    def __init__(self, model: keras.Model):
        self.graph = ChannelGraph(model)
        self._normalizations = normalizations_after(model)
        self.without_bias = frozenset(
            path
            for path, channels in self.graph.consumers.items()
            if not channels.operation.use_bias and path not in self._normalizations
        )

    def fold(self, plan: PrunePlan) -> None:
        """Take maps out: fold what they say into other weights, and set their own to zero.

        Constants go into the bias; where there is none, into the mean of the BatchNormalization
        that follows, which outside training is the same and in training makes no difference.

        Raises:
            PruningError: when the plan does not fit the model, or a layer can take no constant.
                Nothing was changed then.
        """
        removal = Removal(self.graph, plan)
        changes = []
        for path in self.graph.consumers:
            if removal.changes(path):
                changes += self._change(path, removal.reading(path))
        for variable, array in changes:
            variable.assign(array)

    def held(self, plan: PrunePlan) -> list[HeldRows]:
        """Return the rows that a plan has set to zero, one entry per layer."""
        removal = Removal(self.graph, plan)
        found = []
        for path, channels in self.graph.consumers.items():
            if removal.changes(path):
                weights = getattr(channels.operation, _mixing(channels.operation))
                found.append(HeldRows(weights, _rows(removal.reading(path), weights)))
        return found

    def _change(self, path: str, reading: Reading) -> list[tuple[keras.Variable, np.ndarray]]:
        """Return the new values of a layer's weights and, maybe, of its normalization's mean."""
        channels = self.graph.layers[path]
        layer = channels.operation
        name = _mixing(layer)
        weights = getattr(layer, name)
        narrowed = narrow(layer, reading, np.ones(len(channels.writes), dtype=bool)).weights
        whole = np.zeros(weights.shape, narrowed[name].dtype)
        whole[..., _rows(reading, weights), :] = narrowed[name]
        changes = [(weights, whole)]
        if layer.use_bias:
            changes.append((layer.bias, narrowed["bias"]))
        elif np.any(narrowed.get("bias", 0)):
            if path in self.without_bias:
                raise PruningError(
                    f"{path!r} has no bias, and no BatchNormalization alone follows it: the "
                    "constants of maps that it reads have nowhere to go."
                )
            mean = self._normalizations[path].moving_mean
            changes.append((mean, ops.convert_to_numpy(mean) - narrowed["bias"]))
        return changes


def _mixing(layer) -> str:
    """Return the name of the weights that mix maps, `(…, channels read, channels written)`."""
    return "pointwise_kernel" if isinstance(layer, kinds.BaseSeparableConv) else "kernel"


def _rows(reading: Reading, weights: keras.Variable) -> np.ndarray:
    # The same maps of every group of a grouped convolution go: the rows of one tell for all.
    return reading.keep[: weights.shape[-2]]


def normalizations_after(model: keras.Model) -> dict[str, layers.BatchNormalization]:
    """Return the BatchNormalization that directly follows, by the path of the layer before it.

    Only where it alone reads what that layer returns, before any activation, and both are called
    once: there a number added to the layer's bias and one taken from the moving mean are the same.
    """
    calls: Counter[int] = Counter()
    found: dict[str, tuple[object, list]] = {}

    def visit(call: Call):
        if not call.args and not call.kwargs:
            return call.inputs[0]
        calls[id(call.operation)] += 1
        for tensor in call.inputs:
            tensor.readers.append(call)
        made = [_Tensor() for _ in call.output_shapes]
        if kinds.mixes(call.operation):
            found[call.path] = call.operation, made[0].readers
        return made

    for tensor in walk(model, [_Tensor() for _ in require_graph(model).inputs], visit):
        tensor.readers.append(None)  # whoever runs the model
    return {
        path: readers[0].operation
        for path, (layer, readers) in found.items()
        if len(readers) == 1
        and _takes_mean(readers[0], layer)
        and calls[id(layer)] == calls[id(readers[0].operation)] == 1
    }


class _Tensor:
    """What stands for a tensor: the calls that read it."""

    def __init__(self):
        self.readers: list[Call | None] = []


def _takes_mean(call: Call | None, layer) -> bool:
    """Return whether a call takes a mean per channel from what a layer computes."""
    if call is None or not isinstance(call.operation, layers.BatchNormalization):
        return False
    if call.operation.renorm or call.operation.axis not in (-1, len(call.input_shapes[0]) - 1):
        return False
    return layer.activation in (None, keras.activations.linear)

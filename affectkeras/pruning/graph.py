"""Which channels of a model belong together, found by walking its operations."""

import dataclasses

import keras
import numpy as np
from keras import layers

from affectkeras.pruning import kinds
from affectkeras.pruning.channels import ChannelSpace, Maps
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.relations import relate_call
from affectkeras.pruning.walk import Call, require_graph, walk


@dataclasses.dataclass(frozen=True)
class LayerChannels:
    """The channels that a layer reads and writes.

    Args:
        operation: the layer or raw operation.
        reads: the identity of each channel it reads, `(channels,)`; of a separable convolution,
            those between its depthwise and its pointwise half.
        writes: the identity of each channel it writes, `(channels,)`.
    """

    operation: keras.Operation
    reads: np.ndarray
    writes: np.ndarray


@dataclasses.dataclass(frozen=True)
class ChannelGroup:
    """Maps that can only go together: the i-th of every member, for each i.

    Args:
        members: `(layer, indices)` for each layer that makes maps of the group, in the order of the
            model; `indices` holds one map per channel of the group. A layer comes twice where two
            of its maps are one channel, as in a grouped convolution.
        consumers: the layers that mix these channels into new ones.
        channels: how many channels the group has.
        prunable: whether they may go.
        reason: why not; empty when they may.
    """

    members: tuple[tuple[str, tuple[int, ...]], ...]
    consumers: tuple[str, ...]
    channels: int
    prunable: bool
    reason: str


class ChannelGraph:
    """The identity of every channel of a functional or Sequential model.

    Args:
        model: functional or Sequential, any models inside it too.

    Raises:
        PruningError: for a model without a graph, or one layer reached under two names.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self._space = ChannelSpace()
        self._records: dict[str, tuple[keras.Operation, list[Maps]]] = {}
        self._paths: dict[int, str] = {}
        inputs = [self._input(tensor) for tensor in require_graph(model).inputs]
        for maps in walk(model, inputs, self._visit):
            self._space.freeze(maps.labels, "is an output of the model")
        self.layers: dict[str, LayerChannels] = {
            path: LayerChannels(operation, *(self._space.roots(maps.labels) for maps in ends))
            for path, (operation, ends) in self._records.items()
        }

    def _input(self, tensor) -> Maps:
        count = tensor.shape[-1] if len(tensor.shape) > 1 else None
        return Maps(self._space.frozen(count or 0, "is an input of the model"))

    def _visit(self, call: Call) -> list[Maps]:
        made = relate_call(call, self._space)
        if call.inputs:
            self._record(call, made)
        return made

    def _record(self, call: Call, made: list[Maps]) -> None:
        """Keep what a layer reads and writes; what it is called on again must agree with it."""
        operation, reads = call.operation, call.inputs[0]
        if isinstance(operation, kinds.BaseSeparableConv):
            reads = Maps(np.repeat(reads.labels, operation.depth_multiplier))
        if call.path not in self._records:
            self._records[call.path] = operation, [reads, made[0]]
        elif getattr(operation, "weights", ()) or isinstance(
            operation, (layers.Reshape, layers.InputLayer)
        ):
            for before, now in zip(self._records[call.path][1], (reads, made[0]), strict=True):
                self._agree(before.labels, now.labels, call.path)
        if getattr(operation, "weights", ()):
            first = self._paths.setdefault(id(operation), call.path)
            if first != call.path:
                raise PruningError(
                    f"The layer {first!r} is used a second time as {call.path!r}, in another "
                    "model inside this one. Pruning would have to take them apart."
                )

    def _agree(self, before: np.ndarray, now: np.ndarray, path: str) -> None:
        if len(before) == len(now):
            self._space.join(before, now)
        for labels in (before, now) if len(before) != len(now) else ():
            self._space.freeze(labels, f"meets {path!r}, which is called with several widths")

    def reason(self, root: int) -> str:
        """Return why a channel cannot be pruned; empty when it can."""
        return self._space.reason(root)

    @property
    def producers(self) -> dict[str, LayerChannels]:
        """The layers that make maps, by path."""
        return {
            path: channels
            for path, channels in self.layers.items()
            if isinstance(channels.operation, kinds.PRODUCERS)
        }

    @property
    def consumers(self) -> dict[str, LayerChannels]:
        """The layers that mix all they read into new maps, by path."""
        return {
            path: channels
            for path, channels in self.layers.items()
            if kinds.mixes(channels.operation)
        }

    def groups(self) -> list[ChannelGroup]:
        """Return all channels that layers make, those together that go through the same layers."""
        made: dict[int, list[tuple[str, int]]] = {}
        for path, channels in self.producers.items():
            for index, root in enumerate(channels.writes.tolist()):
                made.setdefault(root, []).append((path, index))
        readers: dict[int, list[str]] = {}
        for path, channels in self.consumers.items():
            for root in set(channels.reads.tolist()):
                readers.setdefault(root, []).append(path)
        alike: dict[tuple, list[int]] = {}
        for root, places in made.items():
            paths = tuple(path for path, _ in places)
            key = paths, tuple(readers.get(root, ())), self.reason(root)
            alike.setdefault(key, []).append(root)
        return [
            _group(key, [[index for _, index in made[root]] for root in roots])
            for key, roots in alike.items()
        ]


def _group(key: tuple, indices: list[list[int]]) -> ChannelGroup:
    paths, consumers, reason = key
    columns = [tuple(column) for column in zip(*indices, strict=True)]
    members = tuple(zip(paths, columns, strict=True))
    return ChannelGroup(members, consumers, len(indices), not reason, reason)


def find_groups(model: keras.Model) -> list[ChannelGroup]:
    """Return the coupled channels of a model, in the order of the layers that make them.

    Every map of every convolution and dense layer is in exactly one group. Maps are coupled by what
    stands between the layers that make and those that read them: a sum couples its terms, a gate
    what it gates, a depthwise convolution what it is given. What feeds an operation that pruning
    does not know, or one that works across channels, is not prunable: `reason` names it.

    Args:
        model: functional or Sequential; models inside it are opened.

    Raises:
        PruningError: for a model without a graph.
    """
    return ChannelGraph(model).groups()

"""A plan in terms of channel identities: what it means for each layer that reads or writes them."""

import dataclasses
import difflib

import keras
import numpy as np

from affectkeras.pruning import kinds
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.graph import ChannelGraph, LayerChannels
from affectkeras.pruning.plan import LayerPlan, PrunePlan


@dataclasses.dataclass(frozen=True)
class Reading:
    """What becomes of the channels that a layer reads; places are indices of its last axis.

    As a change of the numbers read: `read[sources] = scales * read[targets]`, `read[constant_at] =
    values`, the other removed ones 0. As a change of the weights that multiply them: the rows
    `sources`, times `scales`, are added to the rows `targets`.

    Args:
        keep: whether each channel stays, `(channels,)`.
        sources: places of merged channels.
        targets: for each, the place of the channel that stands in for it.
        scales: for each, how many times that.
        constant_at: places of channels that become a constant.
        values: for each, which.
    """

    keep: np.ndarray
    sources: np.ndarray
    targets: np.ndarray
    scales: np.ndarray
    constant_at: np.ndarray
    values: np.ndarray

    def first(self, count: int) -> "Reading":
        """Return what becomes of the first `count` places, merged among themselves."""
        merged, constant = self.sources < count, self.constant_at < count
        return Reading(
            self.keep[:count],
            *(places[merged] for places in (self.sources, self.targets, self.scales)),
            *(places[constant] for places in (self.constant_at, self.values)),
        )

    def apply(self, tensor):
        """Return what is read of a tensor `(…, channels)`: removed channels masked or replaced."""
        source = np.arange(len(self.keep))
        source[self.sources] = self.targets
        factor, offset = self.keep.astype(np.float32), np.zeros(len(self.keep), np.float32)
        factor[self.sources], offset[self.constant_at] = self.scales, self.values
        if len(self.sources):
            tensor = keras.ops.take(tensor, source, axis=-1)
        tensor = tensor * keras.ops.cast(factor, tensor.dtype)
        return tensor + keras.ops.cast(offset, tensor.dtype) if len(self.constant_at) else tensor


class Removal:
    """The channels that a plan removes from a model, with all that are coupled to them.

    Args:
        graph: of the model.
        plan: what is to go.

    Raises:
        PruningError: naming the layer, when the plan does not fit the model, when a map cannot be
            pruned, when entries contradict each other or when a layer would lose all its maps.
    """

    def __init__(self, graph: ChannelGraph, plan: PrunePlan):
        self._graph = graph
        self.merges: dict[int, tuple[int, float]] = {}
        self.constants: dict[int, float] = {}
        removed: set[int] = set()
        for entry in plan.layers:
            removed |= self._add(entry)
        self._removed = np.array(sorted(removed), dtype=np.int64)
        self._check_targets(removed)
        for path, channels in graph.producers.items():
            if not self.kept(channels.writes).any():
                raise PruningError(f"The plan removes every map of {path!r}; one must stay.")

    def _add(self, entry: LayerPlan) -> set[int]:
        writes = _layer(self._graph, entry).writes
        for channel in entry.removed:
            reason = self._graph.reason(int(writes[channel]))
            if reason:
                raise PruningError(
                    f"Map {channel} of {entry.layer!r} cannot be removed: it {reason}."
                )
        for merge in entry.merges:
            target = int(writes[merge.target]), merge.scale
            self._set(self.merges, int(writes[merge.source]), target, entry.layer)
        for constant in entry.constants:
            self._set(self.constants, int(writes[constant.channel]), constant.value, entry.layer)
        return {int(writes[channel]) for channel in entry.removed}

    def _set(self, known: dict, root: int, value, layer: str) -> None:
        other = self.constants if known is self.merges else self.merges
        if known.setdefault(root, value) != value or root in other:
            raise PruningError(
                f"The plan says two things of a map of {layer!r}, or of it and one coupled to it."
            )

    def _check_targets(self, removed: set[int]) -> None:
        for target, _ in self.merges.values():
            if target in removed:
                raise PruningError(
                    "A map is merged into one that goes too, being coupled to a removed map: "
                    f"{_describe(self._graph, target)}."
                )

    def kept(self, roots: np.ndarray) -> np.ndarray:
        """Return whether each channel stays, `(channels,)`."""
        return ~np.isin(roots, self._removed)

    def reading(self, path: str) -> Reading:
        """Return what becomes of the channels that a layer reads.

        Raises:
            PruningError: when a map is to be merged where its target is not read beside it.
        """
        channels = self._graph.layers[path]
        roots = channels.reads
        # Only where maps are mixed can a weight take over for another.
        here = set(roots.tolist()) if kinds.mixes(channels.operation) else set()
        none = np.zeros(0, np.int64)
        sources, targets, scales, constant_at, values = [none], [none], [none], [none], [none]
        for source in self.merges.keys() & here:
            target, scale = self.merges[source]
            places, stand_ins = np.flatnonzero(roots == source), np.flatnonzero(roots == target)
            if len(places) != len(stand_ins):
                raise PruningError(
                    f"Maps cannot be merged at {path!r}: it reads {_describe(self._graph, source)} "
                    f"without {_describe(self._graph, target)}."
                )
            sources.append(places)
            targets.append(stand_ins)
            scales.append(np.full(len(places), scale))
        for root in self.constants.keys() & here:
            places = np.flatnonzero(roots == root)
            constant_at.append(places)
            values.append(np.full(len(places), self.constants[root]))
        parts = (sources, targets, scales, constant_at, values)
        return Reading(self.kept(roots), *map(np.concatenate, parts))

    def changes(self, path: str) -> bool:
        """Return whether a layer reads anything else than before."""
        return not self.kept(self._graph.layers[path].reads).all()


def _layer(graph: ChannelGraph, entry: LayerPlan) -> LayerChannels:
    producers = graph.producers
    if entry.layer not in producers:
        close = difflib.get_close_matches(entry.layer, producers, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise PruningError(
            f"The model {graph.model.name!r} has no convolution or dense layer {entry.layer!r}."
            + hint
        )
    channels = producers[entry.layer]
    if len(channels.writes) != entry.channels:
        raise PruningError(
            f"The plan was made for {entry.channels} maps of {entry.layer!r}. "
            f"Received: a layer with {len(channels.writes)}"
        )
    return channels


def _describe(graph: ChannelGraph, root: int) -> str:
    for path, channels in graph.producers.items():
        places = np.flatnonzero(channels.writes == root)
        if len(places):
            return f"map {places[0]} of {path!r}"
    return "a map"

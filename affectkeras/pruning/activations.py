"""Activations of maps where they are read, and plans by distinctiveness made of them."""

import dataclasses
from collections.abc import Collection, Iterable, Sequence

import keras
import numpy as np

from affectkeras.pruning.distinctiveness import Found, Moments, choose_maps
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.graph import ChannelGraph, ChannelGroup
from affectkeras.pruning.plan import LayerPlan, PrunePlan
from affectkeras.pruning.proof import run_reading
from affectkeras.pruning.removal import Removal
from affectkeras.pruning.walk import require_graph

# Means at two readers of one map that differ by more than this share of its span are two constants.
SAME_MEAN = 1e-3


class Activations:
    """The moments of all maps of some layers over data, gathered in one pass.

    A map is measured where it is read: after the normalization, activation and pooling between the
    layer that makes it and those that mix it with others. Where several layers read it, each gives
    it coordinates.

    Args:
        model: functional or Sequential.
        layers: paths of the layers whose maps are measured; coupled ones need naming once. Absent:
            every group of maps that may be pruned.
        positions: whether every position is a coordinate of a map; else its spatial mean is, one
            coordinate per sample and reader (as published).

    Raises:
        PruningError: when a layer is unknown, makes no maps or its maps cannot go.
    """

    def __init__(
        self, model: keras.Model, layers: Sequence[str] | None = None, *, positions: bool = False
    ):
        self.model = model
        self._graph = ChannelGraph(model)
        self.groups = choose_groups(self._graph, layers)
        self._positions = positions
        self._paths = sorted({path for group in self.groups for path in group.consumers})
        self._reader = self._build_reader()
        self._moments = [
            {path: Moments(group.channels) for path in group.consumers} for group in self.groups
        ]

    def add(self, inputs) -> None:
        """Take in a batch of the model's input."""
        found = keras.tree.flatten(self._reader(inputs, training=False))
        read = dict(zip(self._paths, map(keras.ops.convert_to_numpy, found), strict=True))
        for group, moments in zip(self.groups, self._moments, strict=True):
            for path, one in moments.items():
                for columns in self._places(group, path):
                    one.add(read[path].reshape(-1, read[path].shape[-1])[:, columns])

    def gather(self, batches: Iterable) -> "Activations":
        """Take in batches of the model's input; of tuples the first part. Return itself."""
        for batch in batches:
            self.add(batch[0] if isinstance(batch, tuple) else batch)
        return self

    def moments(self, number: int) -> Moments:
        """Return the moments of one of `groups`, its readers' coordinates together."""
        joined = Moments(self.groups[number].channels)
        for one in self._moments[number].values():
            joined.count += one.count
            joined.gram += one.gram
            joined.sums += one.sums
            joined.low = np.minimum(joined.low, one.low)
            joined.high = np.maximum(joined.high, one.high)
        return joined

    def plan(
        self,
        threshold: float,
        *,
        gone: PrunePlan | None = None,
        without_bias: Collection[str] = (),
        **options,
    ) -> PrunePlan:
        """Return what goes at a threshold angle in degrees.

        Args:
            threshold: as `choose_maps` takes it.
            gone: maps that went before: they are neither chosen nor merged into.
            without_bias: paths of readers that no constant can be given to. Of what they read
                complementary pairs stay, and constant maps that are not zero.
            options: as `choose_maps` takes them.
        """
        before = Removal(self._graph, gone or PrunePlan(self.model.name, ()))
        made = self._graph.producers
        entries: dict[str, list[tuple[list[int], Found]]] = {}
        for number, group in enumerate(self.groups):
            path, indices = group.members[0][0], np.array(group.members[0][1])
            left = np.flatnonzero(before.kept(made[path].writes[indices]))
            moments = self.moments(number).part(left)
            if set(group.consumers) & set(without_bias):
                found = choose_maps(moments, threshold, **{**options, "complementary": False})
                found = _without_constants(found)
            else:
                found = choose_maps(moments, threshold, **options)
                found = self._without_split_constants(number, left, found)
            if found.removed:
                entries.setdefault(path, []).append((indices[left].tolist(), found))
        layers = [
            _layer_plan(path, len(made[path].writes), found) for path, found in entries.items()
        ]
        return PrunePlan(self.model.name, tuple(layers))

    def _without_split_constants(self, number: int, left: np.ndarray, found: Found) -> Found:
        """Leave out constants of maps that different readers see at different heights."""
        means = np.stack([one.means[left] for one in self._moments[number].values()])
        joined = self.moments(number).part(left)
        agree = np.ptp(means, axis=0) <= SAME_MEAN * np.maximum(joined.high - joined.low, 1e-12)
        constants = tuple(one for one in found.constants if agree[one.channel])
        return dataclasses.replace(found, constants=constants)

    def _build_reader(self) -> keras.Model:
        inputs = [
            keras.Input(batch_shape=one.shape, dtype=one.dtype, name=one.name)
            for one in require_graph(self.model).inputs
        ]
        read: dict[str, object] = {}

        def watch(path, run):
            def keep(tensor):
                if path not in read:
                    spatial = tuple(range(1, len(tensor.shape) - 1))
                    mean = spatial and not self._positions
                    read[path] = keras.ops.mean(tensor, axis=spatial) if mean else tensor
                return tensor

            return run(keep)

        run_reading(self._graph, inputs, watch)
        inputs = keras.tree.pack_sequence_as(require_graph(self.model).input, inputs)
        return keras.Model(inputs, [read[path] for path in self._paths])

    def _places(self, group: ChannelGroup, path: str) -> list[np.ndarray]:
        """Return the columns of a group's channels in what a layer reads, once per repetition.

        After a Flatten every position of a map is a column of its own.
        """
        first, indices = group.members[0]
        roots = self._graph.layers[first].writes[list(indices)]
        reads = self._graph.layers[path].reads
        places = [np.flatnonzero(reads == root) for root in roots]
        return list(np.stack(places, axis=1))


def choose_groups(graph: ChannelGraph, layers: Sequence[str] | None) -> list[ChannelGroup]:
    """Return the groups of maps that layers make; absent: all that may be pruned.

    Raises:
        PruningError: when a layer is unknown, makes no maps or its maps cannot go.
    """
    groups = graph.groups()
    if layers is None:
        return [group for group in groups if group.prunable and group.consumers]
    chosen = []
    for layer in layers:
        here = [group for group in groups if any(path == layer for path, _ in group.members)]
        if not here:
            known = ", ".join(graph.producers)
            raise PruningError(f"There is no layer {layer!r} that makes maps. There are: {known}")
        kept = next((group.reason for group in here if not group.prunable), "")
        if kept:
            raise PruningError(f"Maps of {layer!r} cannot be removed: one {kept}.")
        chosen += [group for group in here if group not in chosen]
    return chosen


def _without_constants(found: Found) -> Found:
    """Leave maps whose constant would have to go into a bias where they are."""
    stay = {one.channel for one in found.constants if one.value}
    removed = tuple(one for one in found.removed if one not in stay)
    return dataclasses.replace(found, removed=removed, constants=())


def _layer_plan(path: str, channels: int, parts: list[tuple[list[int], Found]]) -> LayerPlan:
    removed, merges, constants = [], [], []
    for place, found in parts:
        removed += [place[one] for one in found.removed]
        merges += [
            type(one)(place[one.source], place[one.target], one.scale) for one in found.merges
        ]
        constants += [type(one)(place[one.channel], one.value) for one in found.constants]
    return LayerPlan(path, channels, tuple(sorted(removed)), tuple(merges), tuple(constants))

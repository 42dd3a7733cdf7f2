"""Which maps matter least, and plans made of that."""

from collections.abc import Callable

import keras
import numpy as np

from affectkeras.pruning import kinds
from affectkeras.pruning.graph import ChannelGraph, ChannelGroup
from affectkeras.pruning.plan import LayerPlan, PrunePlan

Importance = Callable[[ChannelGraph, ChannelGroup], np.ndarray]


def l1_importance(graph: ChannelGraph, group: ChannelGroup) -> np.ndarray:
    """Return the mean absolute weight of the filters that make each channel, `(channels,)`.

    The filters of coupled layers are averaged, layer by layer. Reference: Li et al., "Pruning
    Filters for Efficient ConvNets", 2017.
    """
    scores = [
        _filter_sizes(graph.layers[path].operation)[list(indices)]
        for path, indices in group.members
    ]
    return np.mean(scores, axis=0)


def random_importance(seed: int) -> Importance:
    """Return an importance that is drawn at random: what any other must beat."""
    generator = np.random.default_rng(seed)
    return lambda graph, group: generator.random(group.channels)


def plan_by_importance(
    model: keras.Model,
    fraction: float,
    importance: Importance = l1_importance,
    *,
    multiple_of: int | None = None,
) -> PrunePlan:
    """Return a plan that takes the least important channels of every prunable group.

    Args:
        model: functional or Sequential.
        fraction: the share of each group that goes, in [0, 1).
        importance: gives each channel of a group its score; the lowest go.
        multiple_of: what remains of each group is the nearest multiple of this, as far as the group
            goes; processors are fast at multiples of 8. Absent: nothing is rounded.

    Raises:
        ValueError: for a fraction or a multiple out of range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"`fraction` must be in [0, 1). Received: fraction={fraction}")
    if multiple_of is not None and multiple_of < 1:
        raise ValueError(f"`multiple_of` must be at least 1. Received: multiple_of={multiple_of}")
    graph = ChannelGraph(model)
    removed: dict[str, set[int]] = {}
    for group in graph.groups():
        kept = kept_channels(group.channels, fraction, multiple_of)
        if group.prunable and kept < group.channels:
            scores = importance(graph, group)
            goes = np.argsort(scores, kind="stable")[: group.channels - kept]
            path, indices = group.members[0]
            removed.setdefault(path, set()).update(indices[place] for place in goes)
    return plan_of(model, graph, removed)


def plan_of(model: keras.Model, graph: ChannelGraph, removed: dict[str, set[int]]) -> PrunePlan:
    """Return the plan that removes those maps, layer by layer, without merges or constants."""
    return PrunePlan(
        model.name,
        tuple(
            LayerPlan(path, len(graph.layers[path].writes), tuple(sorted(maps)))
            for path, maps in removed.items()
        ),
    )


def kept_channels(channels: int, fraction: float, multiple_of: int | None = None) -> int:
    """Return how many channels of a group stay: at least one, at most all."""
    kept = channels * (1 - fraction)
    if multiple_of is None:
        return max(1, round(kept))
    return min(channels, max(1, round(kept / multiple_of)) * multiple_of)


def _filter_sizes(layer) -> np.ndarray:
    """Return the mean absolute weight behind each output map of a layer."""
    if isinstance(layer, kinds.BaseSeparableConv):
        kernel = keras.ops.convert_to_numpy(layer.pointwise_kernel)
    else:
        kernel = keras.ops.convert_to_numpy(layer.kernel)
    if isinstance(layer, kinds.BaseDepthwiseConv):
        kernel = kernel.reshape(*kernel.shape[:-2], -1)
    return np.abs(kernel).mean(axis=tuple(range(kernel.ndim - 1)))

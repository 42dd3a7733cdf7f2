"""What each threshold would remove and cost, without training anything."""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np

from affectkeras.pruning.activations import Activations
from affectkeras.pruning.counting import count_macs, count_parameters
from affectkeras.pruning.graph import ChannelGraph
from affectkeras.pruning.plan import PrunePlan
from affectkeras.pruning.removal import Removal
from affectkeras.pruning.surgery import prune_model


@dataclasses.dataclass(frozen=True)
class SweepRow:
    """What one threshold does.

    Args:
        threshold: in degrees; None: the whole model.
        maps_removed: how many maps the plan names.
        parameters, macs: of the smaller model; multiply-accumulate operations of one example.
        score: what the scoring function says of its outputs.
        pareto: whether no other row has as high a score with fewer parameters, or a higher one
            with as many.
    """

    threshold: float | None
    maps_removed: int
    parameters: int
    macs: int
    score: float
    pareto: bool


def sweep_thresholds(
    activations: Activations,
    thresholds: Sequence[float],
    inputs: np.ndarray,
    score: Callable[[np.ndarray], float],
    *,
    batch_size: int = 256,
    **options,
) -> list[SweepRow]:
    """Return a row per threshold angle: what goes and what the smaller model reaches.

    All thresholds use the same activations. Where one layer alone reads the maps, the data passes
    through the network once, up to there; each smaller model then runs from there on. Else each
    runs whole.

    Args:
        activations: gathered over training data.
        thresholds: in degrees.
        inputs: rows that are scored, as the model takes them.
        score: makes one number, greater is better, of the outputs `(rows, outputs)`.
        batch_size: rows at once.
        options: as `choose_maps` takes them.

    Returns:
        First the whole model, then the thresholds in their order.
    """
    model = activations.model
    plans = [PrunePlan(model.name, ()), *(activations.plan(one, **options) for one in thresholds)]
    reader = _only_reader(model, plans)
    features = None
    if reader is not None:
        head = keras.Model(model.inputs, model.get_layer(reader).input)
        features = head.predict(inputs, batch_size=batch_size, verbose=0)
    rows = []
    for threshold, plan in zip([None, *thresholds], plans, strict=True):
        pruned = prune_model(model, plan)
        if features is None:
            outputs = pruned.predict(inputs, batch_size=batch_size, verbose=0)
        else:
            kept = Removal(ChannelGraph(model), plan).reading(reader).keep
            tail = keras.Model(pruned.get_layer(reader).input, pruned.outputs[0])
            outputs = tail.predict(features[..., kept], batch_size=batch_size, verbose=0)
        rows.append(
            {
                "threshold": threshold,
                "maps_removed": sum(len(one.removed) for one in plan.layers),
                "parameters": count_parameters(pruned),
                "macs": count_macs(pruned),
                "score": float(score(outputs)),
            }
        )
    best = pareto(*(np.array([row[name] for row in rows]) for name in ("parameters", "score")))
    return [SweepRow(**row, pareto=bool(one)) for row, one in zip(rows, best, strict=True)]


def pareto(sizes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return whether each row is beaten by no other: `(rows,)` bool."""
    as_small, as_good = sizes[:, None] >= sizes, scores[:, None] <= scores
    better = (sizes[:, None] > sizes) | (scores[:, None] < scores)
    return ~(as_small & as_good & better).any(axis=1)


def _only_reader(model: keras.Model, plans: list[PrunePlan]) -> str | None:
    """Return the one layer of the model that reads any map that goes, if there is just one."""
    graph = ChannelGraph(model)
    removals = [Removal(graph, plan) for plan in plans]
    readers = {
        path for path in graph.consumers if any(removal.changes(path) for removal in removals)
    }
    names = {layer.name for layer in model.layers}
    return readers.pop() if len(readers) == 1 and readers <= names else None

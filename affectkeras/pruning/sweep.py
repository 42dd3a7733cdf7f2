"""What each threshold would remove and cost, without training anything."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from affectkeras.pruning.activations import Activations
from affectkeras.pruning.counting import count_macs, count_parameters
from affectkeras.pruning.graph import ChannelGraph
from affectkeras.pruning.plan import PrunePlan
from affectkeras.pruning.removal import Removal
from affectkeras.pruning.surgery import prune_model

ROUNDS = 9  # of timing; the median of an odd number is one of them


@dataclasses.dataclass(frozen=True)
class SweepRow:
    """What one threshold does.

    Args:
        threshold: in degrees; None: the whole model.
        maps_removed: how many maps the plan names.
        parameters, macs: of the smaller model; multiply-accumulate operations of one example.
        latency_ms: of one batch, in milliseconds; None where it was not measured.
        score: what the scoring function says of its outputs.
        pareto: whether no other row has as high a score with fewer parameters, or a higher one
            with as many.
    """

    threshold: float | None
    maps_removed: int
    parameters: int
    macs: int
    latency_ms: float | None
    score: float
    pareto: bool


def sweep_thresholds(
    activations: Activations,
    thresholds: Sequence[float],
    inputs: np.ndarray,
    score: Callable[[np.ndarray], float],
    *,
    batch_size: int = 256,
    latency_batch: int | None = None,
    **options,
) -> list[SweepRow]:
    """Return a row per threshold angle: what goes and what the smaller model reaches.

    All thresholds use the same activations; those that remove the same maps share a model. Where
    one layer alone reads the maps, the data passes through the network once, up to there; each
    smaller model then runs from there on. Else each runs whole.

    Args:
        activations: gathered over training data.
        thresholds: in degrees.
        inputs: rows that are scored, as the model takes them.
        score: makes one number, greater is better, of the outputs `(rows, outputs)`.
        batch_size: rows at once.
        latency_batch: measure the time of a batch of so many of the inputs: the median of nine,
            all models taking turns.
        options: as `choose_maps` takes them.

    Returns:
        First the whole model, then the thresholds in their order.
    """
    model = activations.model
    plans = [PrunePlan(model.name, ()), *(activations.plan(one, **options) for one in thresholds)]
    unique = list(dict.fromkeys(plans))
    pruned = [prune_model(model, plan) for plan in unique]
    latencies = [None] * len(unique)
    if latency_batch is not None:
        latencies = _latencies(pruned, inputs[:latency_batch])
    found = [
        {
            "maps_removed": sum(len(one.removed) for one in plan.layers),
            "parameters": count_parameters(smaller),
            "macs": count_macs(smaller),
            "latency_ms": latency,
            "score": float(score(outputs)),
        }
        for plan, smaller, latency, outputs in zip(
            unique, pruned, latencies, _outputs(model, unique, pruned, inputs, batch_size),
            strict=True,
        )
    ]  # fmt: skip
    rows = [found[unique.index(plan)] for plan in plans]
    best = pareto(*(np.array([row[name] for row in rows]) for name in ("parameters", "score")))
    return [
        SweepRow(threshold=threshold, **row, pareto=bool(one))
        for threshold, row, one in zip([None, *thresholds], rows, best, strict=True)
    ]


def _outputs(model, plans: list[PrunePlan], pruned: list, inputs: np.ndarray, batch_size: int):
    """Yield the outputs of each smaller model."""
    reader = _only_reader(model, plans)
    if reader is None:
        for smaller in pruned:
            yield smaller.predict(inputs, batch_size=batch_size, verbose=0)
        return
    head = keras.Model(model.inputs, model.get_layer(reader).input)
    features = head.predict(inputs, batch_size=batch_size, verbose=0)
    graph = ChannelGraph(model)
    for plan, smaller in zip(plans, pruned, strict=True):
        kept = features[..., Removal(graph, plan).reading(reader).keep]
        tail = keras.Model(smaller.get_layer(reader).input, smaller.outputs[0])
        # Not by `predict`: compiling takes longer than the few layers that are left.
        parts = (kept[at : at + batch_size] for at in range(0, len(kept), batch_size))
        yield np.concatenate([keras.ops.convert_to_numpy(tail(p, training=False)) for p in parts])


def _latencies(models: list[keras.Model], batch: np.ndarray) -> list[float]:
    """Return the median time of a batch through each model in milliseconds, in turns."""
    times: list[list[float]] = [[] for _ in models]
    for _ in range(ROUNDS + 1):
        for model, taken in zip(models, times, strict=True):
            began = time.perf_counter()
            model.predict_on_batch(batch)
            taken.append(1000 * (time.perf_counter() - began))
    return [statistics.median(taken[1:]) for taken in times]  # the first one compiles


def pareto(sizes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return whether each row is beaten by no other: `(rows,)` bool."""
    as_small, as_good = sizes[:, None] >= sizes, scores[:, None] <= scores
    better = (sizes[:, None] > sizes) | (scores[:, None] < scores)
    return ~(as_small & as_good & better).any(axis=1)


def _only_reader(model: keras.Model, plans: Sequence[PrunePlan]) -> str | None:
    """Return the one layer of the model that reads any map that goes, if there is just one."""
    graph = ChannelGraph(model)
    removals = [Removal(graph, plan) for plan in plans]
    readers = {
        path for path in graph.consumers if any(removal.changes(path) for removal in removals)
    }
    names = {layer.name for layer in model.layers}
    return readers.pop() if len(readers) == 1 and readers <= names else None

"""A physically smaller model from a model and a plan."""

import copy

import keras
from keras.src.saving.serialization_lib import SafeModeScope

from affectkeras.pruning.graph import ChannelGraph
from affectkeras.pruning.narrowing import Narrowed, narrow
from affectkeras.pruning.plan import PrunePlan
from affectkeras.pruning.proof import TOLERANCE, prove_equal
from affectkeras.pruning.removal import Removal
from affectkeras.pruning.walk import operations


def prune_model(
    model: keras.Model, plan: PrunePlan, *, verify: bool = True, tolerance: float = TOLERANCE
) -> keras.Model:
    """Return a copy of a model without the maps that a plan removes.

    Maps coupled to a removed one go with it. Layer names, models inside the model and shared layers
    stay; the copy is not compiled, and no weight of the original changes. With `verify` the copy is
    proved equal to the original with those maps masked where they are read.

    Args:
        model: functional or Sequential.
        plan: what is to go.
        verify: whether to run the proof, two examples through both models.
        tolerance: the largest relative error that the proof accepts.

    Raises:
        PruningError: when the plan does not fit the model, names a map that cannot go, or when the
            proof fails.
    """
    graph = ChannelGraph(model)
    removal = Removal(graph, plan)
    narrowed = {
        path: narrow(channels.operation, removal.reading(path), removal.kept(channels.writes))
        for path, channels in graph.layers.items()
        if removal.changes(path) or not removal.kept(channels.writes).all()
    }
    pruned = _rebuild(model, narrowed)
    _copy_weights(model, pruned, narrowed)
    if verify:
        prove_equal(graph, removal, pruned, tolerance=tolerance)
    return pruned


def _rebuild(model: keras.Model, narrowed: dict[str, Narrowed]) -> keras.Model:
    """Return a model of the same structure with other widths and new weights."""
    config = copy.deepcopy(model.get_config())
    # Old shapes are written there; Keras finds the new ones itself.
    config.pop("build_input_shape", None)
    _edit(config, narrowed, "")
    kinds = {type(one) for _, one in operations(model)}
    custom = {kind.__name__: kind for kind in kinds if not kind.__module__.startswith("keras.")}
    # The configuration comes from a model in memory: its Lambda layers run already.
    with SafeModeScope(False), keras.saving.custom_object_scope(custom):
        return type(model).from_config(config)


def _edit(config: dict, narrowed: dict[str, Narrowed], path: str) -> None:
    """Write the new widths into the configuration of a model and of those inside it."""
    for entry in config["layers"]:
        inner = entry["config"]
        name = path + inner["name"]
        entry.pop("build_config", None)
        if "layers" in inner:
            inner.pop("build_input_shape", None)
            _edit(inner, narrowed, f"{name}/")
        elif name in narrowed:
            inner.update(narrowed[name].config)


def _copy_weights(model: keras.Model, pruned: keras.Model, narrowed: dict[str, Narrowed]) -> None:
    found = dict(operations(pruned))
    for path, old in operations(model):
        new = found[path]
        if path in narrowed and narrowed[path].weights:
            for name, array in narrowed[path].weights.items():
                getattr(new, name).assign(array)
        else:
            for target, source in zip(
                getattr(new, "weights", ()), getattr(old, "weights", ()), strict=True
            ):
                target.assign(source)

"""One walk through a functional model, whatever flows through it.

The same walk carries identities of channels (which maps belong together), numbers (the proof) and
symbolic tensors (the masked model): `visit` says what an operation does to what it is given.
"""

import dataclasses
from collections.abc import Callable, Iterator

import keras
from keras.src.models.functional import Functional

from affectkeras.pruning.errors import PruningError


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of one operation.

    Args:
        operation: the layer or raw operation.
        path: its name, after the names of the models it lies in: `backbone/conv1`.
        inputs: what stands for the tensors it is given, in order.
        args: all positional arguments of the call, with those in place.
        kwargs: all named arguments of the call.
        input_shapes: of the tensors it was given when the model was built, with the batch.
        output_shapes: of what it returned then.
    """

    operation: keras.Operation
    path: str
    inputs: list
    args: tuple
    kwargs: dict
    input_shapes: list[tuple]
    output_shapes: list[tuple]


Visit = Callable[[Call], object]


def graph_of(model) -> Functional | None:
    """Return the graph of a functional or Sequential model; None when it has none of its own."""
    if isinstance(model, keras.Sequential):
        return model._functional
    if isinstance(model, Functional) and type(model).call is Functional.call:
        return model
    return None


def require_graph(model) -> Functional:
    """Return the graph of a model.

    Raises:
        PruningError: when the model is subclassed or not built.
    """
    graph = graph_of(model)
    if graph is None:
        raise PruningError(
            "`model` must be a functional or a built Sequential model. "
            f"Received: {type(model).__name__} {getattr(model, 'name', '')!r}"
        )
    return graph


def walk(model: keras.Model, inputs: list, visit: Visit, path: str = "") -> list:
    """Send `inputs` through a model, those inside it too, and return what comes out.

    Args:
        model: functional or Sequential.
        inputs: one leaf per input tensor.
        visit: returns what an operation makes of a `Call`; input layers are visited too.
        path: what stands before the names, when the model lies in another.
    """
    graph = require_graph(model)
    values = {id(tensor): value for tensor, value in zip(graph.inputs, inputs, strict=True)}
    for node in _nodes(graph):
        operation = node.operation
        name = path + operation.name
        if node.is_input:
            found = visit(_call_of(node, name, [values[id(node.outputs[0])]], (), {}))
        else:
            given = [values[id(tensor)] for tensor in node.input_tensors]
            args, kwargs = node.arguments.fill_in(values)
            if graph_of(operation) is not None:
                found = walk(operation, given, visit, f"{name}/")
            else:
                found = visit(_call_of(node, name, given, args, kwargs))
        for tensor, value in zip(node.outputs, keras.tree.flatten(found), strict=True):
            values[id(tensor)] = value
    return [values[id(tensor)] for tensor in graph.outputs]


def compute(call: Call):
    """Return what an operation makes of the tensors it is given, outside training."""
    if not call.args and not call.kwargs:
        return call.inputs[0]
    if getattr(call.operation, "_call_has_training_arg", False):
        return call.operation(*call.args, **{**call.kwargs, "training": False})
    return call.operation(*call.args, **call.kwargs)


def operations(model: keras.Model, path: str = "") -> Iterator[tuple[str, keras.Operation]]:
    """Yield `(path, operation)` for all of a model, the models inside it opened, not named."""
    for operation in require_graph(model).operations:
        name = path + operation.name
        if graph_of(operation) is not None:
            yield from operations(operation, f"{name}/")
        else:
            yield name, operation


def _nodes(graph: Functional) -> Iterator:
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from graph._nodes_by_depth[depth]


def _call_of(node, path: str, inputs: list, args: tuple, kwargs: dict) -> Call:
    return Call(
        node.operation,
        path,
        inputs,
        args,
        kwargs,
        [tuple(tensor.shape) for tensor in (node.input_tensors or node.outputs)],
        [tuple(tensor.shape) for tensor in node.outputs],
    )

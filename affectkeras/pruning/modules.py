"""Whole modules that can go: a chain of layers left out, the layer behind it fitted to do without.

Source: "Emotion Detection through Static Images using Pruned Convolutional Neural Networks",
section 5, names the removal of entire convolution layers as future work. How is not said: here the
maps that the next layer reads are put together from those before the module, by least squares over
data, and the sums are written into the next layer's weights.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import numpy as np

from affectkeras.pruning import kinds
from affectkeras.pruning.counting import count_macs, count_parameters
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.recalibration import recalibrate_normalization

# Directions of the maps below this share of the largest one are dependent on the others: the data
# leaves open how to share the weights among them, and the smallest weights are taken.
DEPENDENT = 1e-10


@dataclasses.dataclass(frozen=True)
class ModuleRow:
    """What a model is without a module.

    Args:
        dropped: the modules that had gone before.
        module: the one left out here; empty for the model as it was.
        parameters, macs: of what is left; multiply-accumulate operations of one example.
        score: greater is better.
    """

    dropped: tuple[str, ...]
    module: str
    parameters: int
    macs: int
    score: float


def drop_modules(
    model: keras.Model,
    modules: Mapping[str, Sequence[str]],
    batches: Callable[[], Iterable],
    score: Callable[[keras.Model], float],
) -> tuple[keras.Model, list[ModuleRow]]:
    """Leave out whole modules, the cheapest first, while the score does not fall.

    Args:
        model: functional; it stays as it is.
        modules: name → names of its layers, as `without_module` takes them.
        batches: gives batches of the model's input afresh: what next layers are fitted and
            normalizations measured on, best training rows.
        score: of a model, greater is better; best on validation rows.

    Returns:
        The model that is left (the given one if every module costs something), and a row for it
        and for every module that was tried.
    """
    best = score(model)
    rows = [ModuleRow((), "", count_parameters(model), count_macs(model), best)]
    left, dropped = dict(modules), ()
    while left:
        tried = {}
        for name, layers in left.items():
            shorter = recalibrate_normalization(without_module(model, layers, batches()), batches)
            tried[name] = shorter, score(shorter)
            sizes = count_parameters(shorter), count_macs(shorter)
            rows.append(ModuleRow(dropped, name, *sizes, tried[name][1]))
        name = max(tried, key=lambda one: tried[one][1])
        if tried[name][1] < best:
            break
        model, best = tried[name]
        dropped += (name,)
        del left[name]
    return model, rows


def without_module(model: keras.Model, layers: Sequence[str], batches: Iterable) -> keras.Model:
    """Return a copy of a model without some layers, the next one fitted to the maps before them.

    The layers are skipped: what they would read goes on as it is. Layers between them that are not
    named, such as a pooling, stay. The one convolution or dense layer that reads the result gets
    the weights that come closest, in the mean square over the data, to what it was given before;
    where it pads, the constant part is taken to go on in the padding.

    Args:
        model: functional; it stays as it is.
        layers: their names.
        batches: of the model's input; of tuples the first part is taken.

    Raises:
        PruningError: when a layer is unknown, or the result is not read by one convolution or dense
            layer alone, of the same height and width as before.
    """
    unknown = set(layers) - {layer.name for layer in model.layers}
    if unknown:
        raise PruningError(f"The model has no layers {sorted(unknown)}.")
    reader = _reader(model, set(layers))

    def clone(layer):
        config = layer.get_config()
        if layer is reader:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer, *inputs, **options):
        return inputs[0] if layer.name in layers else layer(*inputs, **options)

    shorter = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in shorter.layers:
        if layer.weights and layer.name != reader.name:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    sums, constants = _fit(model, shorter, reader.name, batches)
    kernel = keras.ops.convert_to_numpy(reader.kernel).astype(np.float64)
    bias = keras.ops.convert_to_numpy(reader.bias) if reader.use_bias else 0.0
    folded = np.einsum("ic,...co->...io", sums, kernel)
    taps = kernel.reshape(-1, *kernel.shape[-2:]).sum(axis=0)
    shorter.get_layer(reader.name).set_weights([folded, bias + constants @ taps])
    return shorter


def _reader(model: keras.Model, names: set[str]) -> keras.layers.Layer:
    """Return the one layer with weights that reads what the named layers make."""
    inside, readers = set(names), []
    for layer in model.layers:
        sources = {
            parent.operation.name for node in layer._inbound_nodes for parent in node.parent_nodes
        }
        if layer.name in names or not sources & inside:
            continue
        if layer.weights or len(sources) > 1:
            readers.append(layer)
        else:
            inside.add(layer.name)  # a pooling or an activation on the way
    plain = isinstance(readers[0], kinds.BaseConv | keras.layers.Dense) if readers else False
    if len(readers) != 1 or not plain or getattr(readers[0], "groups", 1) != 1:
        found = [layer.name for layer in readers] or "nothing"
        raise PruningError(
            f"The layers {sorted(names)} must be read by one convolution or dense layer. "
            f"Received: {found}"
        )
    return readers[0]


def _fit(model, shorter, reader: str, batches: Iterable) -> tuple[np.ndarray, np.ndarray]:
    """Return `(maps before, maps after)` and `(maps after,)`: after ≈ before @ sums + constants."""
    wanted = keras.Model(model.input, model.get_layer(reader).input)
    given = keras.Model(shorter.input, shorter.get_layer(reader).input)
    if wanted.output.shape[:-1] != given.output.shape[:-1]:
        raise PruningError(
            f"Without these layers {reader!r} would read {given.output.shape}, not "
            f"{wanted.output.shape}: name the layers that change the size as staying."
        )
    count = given.output.shape[-1] + 1
    gram, cross = np.zeros((count, count)), np.zeros((count, wanted.output.shape[-1]))
    for batch in batches:
        images = batch[0] if isinstance(batch, tuple) else batch
        before, after = (
            keras.ops.convert_to_numpy(one(images, training=False)).astype(np.float64)
            for one in (given, wanted)
        )
        before = before.reshape(-1, count - 1)
        before = np.concatenate([before, np.ones((len(before), 1))], axis=1)
        gram += before.T @ before
        cross += before.T @ after.reshape(len(before), -1)
    # Each map in units of its own size: a rarely active one counts as much as the others.
    sizes = np.sqrt(np.diag(gram))
    sizes[sizes == 0] = 1.0
    scaled, _, _, _ = np.linalg.lstsq(
        gram / np.outer(sizes, sizes), cross / sizes[:, None], rcond=DEPENDENT
    )
    solved = scaled / sizes[:, None]
    return solved[:-1], solved[-1]

"""The statistics of BatchNormalization measured anew, after pruning has changed what it reads."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

import keras
import numpy as np
from keras import layers, ops
from keras.src.backend import get_keras_mask

from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.walk import Call, compute, require_graph, walk


def recalibrate_normalization(
    model: keras.Model, batches: Iterable | Callable[[], Iterable], *, frozen: bool = False
) -> keras.Model:
    """Set moving means and variances to what each BatchNormalization reads over the data, in place.

    After it, the mean and the (population) variance that a layer holds are those of all numbers per
    channel that it reads of this data outside training: Dropout is off, and the normalizations
    before it already have their new statistics. They do not depend on how the data is cut into
    batches, nor on what the layers held before. No other weight changes.

    For that the data passes through the model once for each normalization of the longest chain of
    them (6 times for the six-block network, 53 for a ResNet50), each time up to there: some hundred
    rows are enough for a large model.

    Models inside the model are gone through too. Frozen layers (`trainable` false) stay as they
    are unless `frozen` says otherwise: what follows them was trained on the statistics they hold,
    which are another data set's. Of a layer that is called several times, all calls count; of
    numbers with a mask, those that it keeps.

    Args:
        model: functional or Sequential; changed.
        batches: of the model's input, such as clean training rows: an iterable that can be gone
            through again, or a function that gives one; of tuples the first part is taken.
        frozen: whether frozen layers are measured too.

    Returns:
        The same model.

    Raises:
        PruningError: for a model without a graph; a normalization inside a layer that is no
            functional model, or one that reads what itself has normalized.
        ValueError: when `batches` gives nothing, other rows at another pass, or numbers that are
            not finite.
    """
    sorter = _sorter(model, frozen)
    rows = None
    while sorter.is_active():
        ready = sorter.get_ready()
        statistics, count = _measure(model, ready, batches)
        if rows not in (None, count):
            raise ValueError(
                "`batches` must give the same rows each time: a list, a dataset, or a function "
                f"that gives them afresh. Received: {rows} rows, then {count}"
            )
        rows = count
        for layer in ready:
            layer.moving_mean.assign(statistics[layer].mean)
            layer.moving_variance.assign(statistics[layer].variance)
        sorter.done(*ready)
    return model


def find_normalizations(
    model: keras.Model, *, frozen: bool = False
) -> list[layers.BatchNormalization]:
    """Return the BatchNormalization layers that `recalibrate_normalization` would measure."""
    return list(_upstream(model, frozen))


@dataclasses.dataclass
class Statistics:
    """Mean and population variance per channel of all numbers taken in so far.

    Args:
        count: numbers per channel.
        mean, variance: `(channels,)` float64.
    """

    count: int = 0
    mean: np.ndarray | float = 0.0
    variance: np.ndarray | float = 0.0

    def add(self, numbers: np.ndarray) -> None:
        """Take in more numbers, `(numbers, channels)`.

        Raises:
            ValueError: when they are not finite.
        """
        if not len(numbers):
            return
        if not np.isfinite(numbers).all():
            raise ValueError("What the model makes of `batches` must be finite. Received: NaN")
        # Sums in double precision around the numbers' own mean (Chan, Golub & LeVeque 1983).
        mean = numbers.mean(axis=0, dtype=np.float64)
        variance = np.square(numbers - mean).mean(axis=0)
        share = len(numbers) / (self.count + len(numbers))
        difference = mean - self.mean
        self.variance = (
            (1 - share) * self.variance
            + share * variance
            + share * (1 - share) * np.square(difference)
        )
        self.mean = self.mean + share * difference
        self.count += len(numbers)


def _sorter(model: keras.Model, frozen: bool) -> TopologicalSorter:
    """Return the normalizations, each after those whose statistics it depends on."""
    upstream = _upstream(model, frozen)
    for layer in model._flatten_layers():
        if _is_measured(layer, frozen) and layer not in upstream:
            raise PruningError(
                "Each BatchNormalization must lie in a functional or Sequential model to be "
                f"recalibrated. Received: {layer.name!r} inside another layer"
            )
    sorter = TopologicalSorter(upstream)
    try:
        sorter.prepare()
    except CycleError as error:
        raise PruningError(
            f"The normalization {error.args[1][0].name!r} reads what itself has normalized: there "
            "are no statistics that fit it."
        ) from None
    return sorter


def _is_measured(operation, frozen: bool) -> bool:
    return isinstance(operation, layers.BatchNormalization) and (operation.trainable or frozen)


def _upstream(model: keras.Model, frozen: bool) -> dict[layers.BatchNormalization, set]:
    """Return for each normalization to be measured those that what it reads went through."""
    found: dict[layers.BatchNormalization, set] = {}

    def visit(call: Call):
        before = frozenset().union(*(tensor.passed for tensor in call.inputs))
        if _is_measured(call.operation, frozen):
            found.setdefault(call.operation, set()).update(before)
            before |= {call.operation}
        return [_Passed(before) for _ in call.output_shapes]

    walk(model, [_Passed(frozenset()) for _ in require_graph(model).inputs], visit)
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class _Passed:
    """What stands for a tensor: the normalizations it went through."""

    passed: frozenset


def _measure(model: keras.Model, chosen: Sequence, batches) -> tuple[dict, int]:
    """Return what some normalizations read over the data, and how many rows it has."""
    found = {layer: Statistics() for layer in chosen}
    calls = _count_calls(model, found)
    rows = 0
    for batch in batches() if callable(batches) else batches:
        given = keras.tree.flatten(batch[0] if isinstance(batch, tuple) else batch)
        tensors = [
            ops.convert_to_tensor(one, dtype=place.dtype)
            for one, place in zip(given, require_graph(model).inputs, strict=True)
        ]
        _take_in(model, tensors, found, calls)
        rows += int(tensors[0].shape[0])
    if not rows:
        raise ValueError("`batches` must give at least one row each time. Received: none")
    return found, rows


def _take_in(model: keras.Model, tensors: list, found: dict, calls: int) -> None:
    """Run a model on a batch up to the last of so many calls, and add what they read."""

    def visit(call: Call):
        nonlocal calls
        if call.operation in found:
            found[call.operation].add(_numbers(call))
            calls -= 1
        return compute(call) if calls else [None for _ in call.output_shapes]

    walk(model, tensors, visit)


def _count_calls(model: keras.Model, chosen: dict) -> int:
    """Return how often the model calls these layers."""
    count = 0

    def visit(call: Call):
        nonlocal count
        count += call.operation in chosen
        return [0 for _ in call.output_shapes]

    walk(model, [0 for _ in require_graph(model).inputs], visit)
    return count


def _numbers(call: Call) -> np.ndarray:
    """Return what a normalization reads, `(numbers, channels)`."""
    tensor, mask = call.inputs[0], get_keras_mask(call.inputs[0])
    numbers = np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))
    numbers = np.moveaxis(numbers, call.operation.axis, -1)
    if mask is not None:
        return numbers[ops.convert_to_numpy(mask).astype(bool)]
    return numbers.reshape(-1, numbers.shape[-1])

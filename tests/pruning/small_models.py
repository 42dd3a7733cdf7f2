"""Tiny models for the pruning tests, and what they should give after pruning, worked by hand."""

import keras
import numpy as np

from affectkeras.pruning.plan import LayerPlan, PrunePlan


def give_weights(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give every weight a random value; variances a positive one."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        values = generator.normal(0, 0.5, weight.shape)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    return model


def outputs_of(model: keras.Model, seed: int = 7) -> list[np.ndarray]:
    """Return what a model makes of three random examples, one array per output."""
    generator = np.random.default_rng(seed)
    inputs = [generator.normal(0, 1, (3, *one.shape[1:])).astype("float32") for one in model.inputs]
    found = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [keras.ops.convert_to_numpy(one) for one in keras.tree.flatten(found)]


def with_kernel(model: keras.Model, layer: str, change, *, weight: str = "kernel") -> keras.Model:
    """Return a copy of a model in which `change` has altered one layer's kernel in place."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    kernel = getattr(copy.get_layer(layer), weight)
    array = np.array(keras.ops.convert_to_numpy(kernel))
    change(array)
    kernel.assign(array)
    return copy


def without_rows(model: keras.Model, layer: str, rows, **options) -> keras.Model:
    """Return a copy of a model in which a layer gives no weight to some of what it reads."""

    def change(kernel):
        kernel[..., list(rows), :] = 0

    return with_kernel(model, layer, change, **options)


def plan_for(model: keras.Model, layer: str, removed, merges=(), constants=()) -> PrunePlan:
    """Return a plan for one layer."""
    writes = model.get_layer(layer).output.shape[-1]
    entry = LayerPlan(layer, writes, tuple(removed), tuple(merges), tuple(constants))
    return PrunePlan(model.name, (entry,))


def assert_same(first: keras.Model, second: keras.Model) -> None:
    """Compare the outputs of two models on the same random examples."""
    for one, other in zip(outputs_of(first), outputs_of(second), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(one).max())

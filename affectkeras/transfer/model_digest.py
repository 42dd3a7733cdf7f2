"""What a network computes, in digests: key parts for caches of its outputs."""

import hashlib
from collections.abc import Iterator

import keras

from affectkeras.transfer.feature_cache import digest_arrays


def describe_model(model: keras.Model) -> dict[str, str]:
    """Return the key parts of a model: the digests of its weights and of what its layers do.

    Layer names do not count: those that Keras gives differ from one copy of a network to the next.
    """
    weights = digest_arrays(keras.ops.convert_to_numpy(weight) for weight in model.weights)
    layers = hashlib.sha256("\n".join(_describe_operations(model)).encode()).hexdigest()
    return {"weights": weights, "layers": layers}


def _describe_operations(model: keras.Model) -> Iterator[str]:
    for operation in model.operations:
        if isinstance(operation, keras.Model):
            yield from _describe_operations(operation)
            continue
        config = operation.get_config() if isinstance(operation, keras.layers.Layer) else {}
        plain = {
            name: value
            for name, value in config.items()
            if name not in ("name", "trainable")
            and isinstance(value, (bool, int, float, str, list, tuple))
        }
        shape = [tensor.shape for tensor in keras.tree.flatten(operation.output)]
        yield f"{type(operation).__name__} {sorted(plain.items())} {shape}"

"""One check of what every layer owes Keras: `run_layer_test`."""

import tempfile
from pathlib import Path

import keras
import numpy as np


def run_layer_test(
    layer_class: type,
    arguments: dict,
    inputs: np.ndarray,
    *,
    expected_shape: tuple,
    expected_dtype: str = "float32",
    changes_in_training: bool = False,
    weights: tuple[int, int] | None = None,
) -> None:
    """Check a layer's configuration, output, training flag, mixed precision and saving.

    Each part is one sentence of the contract; the `AssertionError` says which one broke.

    Args:
        layer_class: the layer's class.
        arguments: of its constructor.
        inputs: float32 `(batch, …)`, a batch of at least two.
        expected_shape: of the output, with the batch.
        expected_dtype: of the output.
        changes_in_training: whether the output differs with `training=True`, as in dropout.
        weights: how many trainable and other weights it has once built; absent: not checked.
    """
    _check_config(layer_class, arguments)
    layer = layer_class(**arguments)
    output = layer(inputs, training=False) if _takes_training(layer) else layer(inputs)
    _check_output(output, expected_shape, expected_dtype)
    _check_symbolic(layer_class(**arguments), inputs, expected_shape, expected_dtype)
    if weights is not None:
        found = (len(layer.trainable_weights), len(layer.non_trainable_weights))
        assert found == weights, f"{found} trainable and other weights, not {weights}"
    _check_training_flag(layer, inputs, changes_in_training)
    _check_batches_stay_apart(layer, inputs)
    _check_mixed_precision(layer_class, arguments, inputs, expected_dtype)
    _check_fit(layer_class, arguments, inputs)
    _check_saving(layer_class, arguments, inputs)


def _check_config(layer_class, arguments):
    config = layer_class(**arguments).get_config()
    missing = set(arguments) - set(config)
    assert not missing, f"get_config() forgets the arguments {sorted(missing)}"
    again = layer_class.from_config(config.copy()).get_config()
    assert again == config, f"from_config(get_config()) changes the config to {again}"


def _check_output(output, expected_shape, expected_dtype):
    assert tuple(output.shape) == expected_shape, (
        f"output shape {tuple(output.shape)}, not {expected_shape}"
    )
    dtype = keras.backend.standardize_dtype(output.dtype)
    assert dtype == expected_dtype, f"output type {dtype}, not {expected_dtype}"
    assert np.isfinite(_array(output)).all(), "the output is not finite"


def _check_symbolic(layer, inputs, expected_shape, expected_dtype):
    symbol = keras.Input(inputs.shape[1:], dtype="float32")
    output = layer(symbol)
    found = (tuple(output.shape), keras.backend.standardize_dtype(output.dtype))
    expected = ((None, *expected_shape[1:]), expected_dtype)
    assert found == expected, f"in a functional model the output is {found}, not {expected}"


def _check_training_flag(layer, inputs, changes_in_training):
    if not _takes_training(layer):
        assert not changes_in_training, "call() takes no `training`"
        return
    first, again = (_array(layer(inputs, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, again, "training=False is not repeatable")
    changed = not np.array_equal(_array(layer(inputs, training=True)), first)
    assert changed == changes_in_training, (
        "training=True " + ("changes" if changed else "does not change") + " the output"
    )


def _check_batches_stay_apart(layer, inputs):
    whole, one = _infer(layer, inputs), _infer(layer, inputs[:1])
    np.testing.assert_allclose(
        whole[:1], one, rtol=1e-4, atol=1e-5, err_msg="an example's output depends on its batch"
    )


def _check_mixed_precision(layer_class, arguments, inputs, expected_dtype):
    layer = layer_class(**{**arguments, "dtype": "mixed_float16"})
    output = layer(inputs)
    expected = "float16" if expected_dtype == "float32" else expected_dtype
    dtype = keras.backend.standardize_dtype(output.dtype)
    assert dtype == expected, f"under mixed precision the output is {dtype}, not {expected}"
    for weight in layer.weights:
        stored = keras.backend.standardize_dtype(weight.dtype)
        assert stored != "float16", f"under mixed precision {weight.path} is stored as {stored}"


def _check_fit(layer_class, arguments, inputs):
    layer = layer_class(**arguments)
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer, keras.layers.Flatten()])
    model.add(keras.layers.Dense(1))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    before = [_array(weight) for weight in layer.trainable_weights]
    targets = np.linspace(-1, 1, len(inputs), dtype=np.float32)[:, None]
    history = model.fit(inputs, targets, epochs=3, batch_size=len(inputs), verbose=0)
    assert np.isfinite(history.history["loss"]).all(), "training it gives no finite loss"
    for weight, old in zip(layer.trainable_weights, before, strict=True):
        assert not np.array_equal(_array(weight), old), f"{weight.path} does not train"


def _check_saving(layer_class, arguments, inputs):
    symbol = keras.Input(inputs.shape[1:])
    model = keras.Model(symbol, layer_class(**arguments)(symbol))
    # Not the values that a new layer would have.
    model.set_weights([weight + 0.125 for weight in model.get_weights()])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        custom = {layer_class.__name__: layer_class}
        loaded = keras.models.load_model(path, custom_objects=custom)
    np.testing.assert_allclose(
        _infer(loaded, inputs),
        _infer(model, inputs),
        rtol=1e-5,
        err_msg="the model gives something else after saving and loading",
    )


def _takes_training(layer) -> bool:
    return layer._call_has_training_arg


def _infer(layer, inputs) -> np.ndarray:
    output = layer(inputs, training=False) if _takes_training(layer) else layer(inputs)
    return _array(output)


def _array(tensor) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(tensor))

"""Writing networks that read signals of wearables for serving, and proving they stayed the same.

A SavedModel takes windows as they are cut from recordings and gives probabilities; it needs neither
Keras nor this package to run. It tells of itself how the windows must be cut. LiteRT and ONNX files
hold the same function for phones and other runtimes.
"""

import contextlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affectkeras.export import TOLERANCE, ExportMismatch, written_whole
from affectkeras.files import write_json
from affectkeras.runtimes import load_litert, load_onnx, require_packages
from affectkeras.signal_facts import FACTS_FILE, FACTS_FOLDER, SignalFacts, parse_facts

CHECKED_WINDOWS = (1, 3)
# Format → the file's name and the packages that are needed.
_PORTABLE = {
    "litert": ("model.tflite", ("ai_edge_litert",)),
    "onnx": ("model.onnx", ("tf2onnx", "onnx", "onnxruntime")),
}


def package_signal_model(
    keras_path: Path,
    folder: Path,
    facts: Mapping,
    windows: np.ndarray,
    formats: Sequence[str] = (),
) -> dict[str, dict]:
    """Put a trained network into a folder: `model.keras`, `saved_model/` and further formats.

    Args:
        keras_path: the trained network, windows → logits. It is moved.
        folder: where to; made if absent. `signal_model.json` there tells the facts.
        facts: see `export_signal_model`.
        windows: float32, as the network takes them, best of the test rows, to compare the exports
            on.
        formats: of `"litert"`, `"onnx"`, beside the SavedModel.

    Returns:
        For each format its largest difference of a probability, see `check_signal_export`.

    Raises:
        ExportMismatch: when an export computes something else than the Keras model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if keras_path.exists():
        os.replace(keras_path, folder / "model.keras")
    model = keras.models.load_model(folder / "model.keras", compile=False)
    paths = {"saved_model": export_signal_model(model, folder / "saved_model", facts)}
    for name in formats:
        paths[name] = export_portable(model, folder / _PORTABLE[name][0], name)
    write_json(folder / FACTS_FILE, dict(facts))
    return check_signal_export(model, windows, **paths)


def export_signal_model(model: keras.Model, folder: str | os.PathLike, facts: Mapping) -> Path:
    """Write a SavedModel of a network that reads windows of signals.

    Its signatures:
        `serving_default` (also named `serve`): `windows` float32 `(batch, time, channels)`, or
            `(batch, seconds, rate)` where the facts say `"rows": "seconds"` → `probabilities`
            float32 `(batch, classes)`.
        `describe`: nothing → `facts`, a string of JSON. They also stand in its file
            `assets.extra/signal_model.json`, to be read without TensorFlow.

    The model runs with `training=False`: dropout is off.

    Args:
        model: windows → logits `(batch, classes)`.
        folder: replaced if it exists; complete or absent at any time.
        facts: `schema` 1, `recipe`, `sample`, `quick`, `target`, `class_names`, `channels` (each
            `{"signal", "axis"}`), `rate_hz`, `seconds`, `scale`, `rows`: see
            `signal_facts.SignalFacts`. Further ones are kept.

    Returns:
        The folder.

    Raises:
        ValueError: when the facts do not fit the model.
        UserError: when facts are missing.
    """
    _check_facts(model, parse_facts(facts, Path(folder)))
    told = tf.constant(json.dumps(dict(facts)))

    def serve(windows):
        logits = tf.cast(model(windows, training=False), tf.float32)
        return {"probabilities": tf.nn.softmax(logits)}

    archive = keras.export.ExportArchive()
    windows = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="windows")
    archive.add_endpoint("serve", serve, [windows])
    archive.add_endpoint("describe", lambda: {"facts": told}, [])
    with written_whole(Path(folder)) as unfinished:
        archive.write_out(os.fspath(unfinished), verbose=False)
        extra = unfinished / FACTS_FOLDER
        extra.mkdir()
        write_json(extra / FACTS_FILE, dict(facts))
    return Path(folder)


def export_portable(model: keras.Model, path: Path, format: str) -> Path:
    """Write a LiteRT or ONNX file: `windows` float32, as the model takes them → probabilities.

    Recurrent layers are written step by step: as a loop LiteRT could run them with TensorFlow's
    own operations only. Normalization is written as a multiplication and an addition: in ONNX the
    layer's statistics would be lost.

    Args:
        model: windows → logits `(batch, classes)`.
        path: replaced if it exists.
        format: `"litert"` or `"onnx"`.

    Raises:
        UserError: when the optional packages are not installed.
    """
    if format not in _PORTABLE:
        raise ValueError(f"`format` must be one of {list(_PORTABLE)}. Received: format={format!r}")
    require_packages(format, *_PORTABLE[format][1])
    windows = keras.Input(model.input_shape[1:], dtype="float32", name="windows")
    logits = _unrolled(model)(windows, training=False)
    served = keras.Model(windows, keras.layers.Softmax(dtype="float32")(logits))
    signature = [keras.InputSpec(shape=windows.shape, dtype="float32", name="windows")]
    with written_whole(Path(path)) as unfinished, warnings.catch_warnings():
        # Keras asks NumPy for a name it once had, while preparing tf2onnx for NumPy 2.
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
        served.export(
            os.fspath(unfinished), format=format, input_signature=signature, verbose=False
        )
    return Path(path)


def check_signal_export(
    model: keras.Model,
    windows: np.ndarray,
    *,
    saved_model: str | os.PathLike | None = None,
    litert: str | os.PathLike | None = None,
    onnx: str | os.PathLike | None = None,
    tolerance: float = TOLERANCE,
) -> dict[str, dict]:
    """Compare what exported files say of windows with the Keras model, in batches of 1 and 3.

    Args:
        model: windows → logits.
        windows: float32, as the model takes them; repeated where fewer than 3.
        saved_model, litert, onnx: the exports to compare; those left out are not checked.
        tolerance: the largest difference of a probability that passes.

    Returns:
        For each format `{"max_difference": float, "batches": [1, 3]}`.

    Raises:
        ExportMismatch: naming the format and the difference, when it is above `tolerance`.
        ValueError: when there are no windows, or of another shape.
    """
    if not len(windows) or tuple(windows.shape[1:]) != tuple(model.input_shape[1:]):
        raise ValueError(
            f"`windows` must hold at least one of shape {tuple(model.input_shape[1:])}. "
            f"Received: {windows.shape}"
        )
    loaders = {
        "saved_model": (saved_model, _load_saved_model),
        "litert": (litert, load_litert),
        "onnx": (onnx, load_onnx),
    }
    results = {}
    with _exact_float32():
        for name, (path, load) in loaders.items():
            if path is not None:
                difference = _largest_difference(model, load(os.fspath(path)), windows)
                # Written so that NaN fails too.
                if not difference <= tolerance:
                    raise ExportMismatch(
                        f"The {name} export {os.fspath(path)} differs from the Keras model: a "
                        f"probability is off by {difference:.3g}, more than {tolerance:.3g}. Do "
                        "not serve it."
                    )
                results[name] = {"max_difference": difference, "batches": list(CHECKED_WINDOWS)}
    return results


def _check_facts(model: keras.Model, facts: SignalFacts) -> None:
    if tuple(model.input_shape[1:]) != facts.window_shape:
        raise ValueError(
            f"`facts` tell of windows of {facts.window_shape}, the model takes "
            f"{tuple(model.input_shape[1:])}. Received: channels={facts.channels}, "
            f"rate_hz={facts.rate_hz}, seconds={facts.seconds}, rows={facts.rows!r}"
        )
    if model.output_shape[-1] != len(facts.class_names):
        raise ValueError(
            f"`class_names` must name the model's {model.output_shape[-1]} outputs. "
            f"Received: {list(facts.class_names)}"
        )


def _unrolled(model: keras.Model) -> keras.Model:
    """Return a copy without loops, and with normalization as plain arithmetic."""
    pairs = []

    def copy(layer):
        if isinstance(layer, keras.layers.Normalization):
            return _as_rescaling(layer)
        config = layer.get_config()
        if "unroll" in config:
            config["unroll"] = True
        copied = type(layer).from_config(config)
        pairs.append((layer, copied))
        return copied

    unrolled = keras.models.clone_model(model, clone_function=copy)
    for layer, copied in pairs:
        # Of operations that are no layers, such as a split, there are no weights.
        if getattr(layer, "weights", None):
            copied.set_weights(layer.get_weights())
    return unrolled


def _as_rescaling(layer: keras.layers.Normalization) -> keras.layers.Rescaling:
    """Return `(x - mean) / deviation` as `x * scale + offset`."""
    mean, variance = (tf.cast(one, tf.float64).numpy() for one in (layer.mean, layer.variance))
    scale = 1 / np.maximum(np.sqrt(variance), keras.config.epsilon())
    return keras.layers.Rescaling(
        scale.tolist(), (-mean * scale).tolist(), dtype=layer.dtype_policy, name=layer.name
    )


def _largest_difference(model: keras.Model, predict, windows: np.ndarray) -> float:
    largest, start = 0.0, 0
    for size in CHECKED_WINDOWS:
        numbers = np.arange(start, start + size) % len(windows)
        batch = np.ascontiguousarray(windows[numbers], np.float32)
        logits = tf.cast(model(batch, training=False), tf.float32)
        difference = np.abs(predict(batch) - tf.nn.softmax(logits).numpy()).max()
        largest = float(np.maximum(largest, difference))  # keeps NaN
        start += size
    return largest


def _load_saved_model(path: str):
    loaded = tf.saved_model.load(path)
    serve = loaded.signatures["serving_default"]

    def predict(windows, _keep_alive=loaded):
        return serve(windows=tf.constant(windows))["probabilities"].numpy()

    return predict


@contextlib.contextmanager
def _exact_float32() -> Iterator[None]:
    """Switch off TensorFloat-32, whose rounding on GPUs is larger than what is being looked for."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)

"""Writing a trained classifier for serving, and proving that what was written is the same model.

A SavedModel takes encoded images of any size, decodes and resizes them with the very function
training used, and needs neither Keras nor this package to run. LiteRT and ONNX files take decoded
pixels: their runtimes have no image decoders.

The classifiers exported here take float32 pixels `(batch, height, width, 3)` in [0, 255] and put
out logits `(batch, classes)`. An ensemble takes them in several sizes: an input for each.
"""

import contextlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affectkeras.errors import UserError
from affectkeras.media.images import decode_and_resize, decode_and_resize_each
from affectkeras.runtimes import load_litert, load_onnx, require_packages

CHECKED_BATCHES = (1, 7, 32)
TOLERANCE = 1e-4  # the largest difference of a probability an export may show

# An image is decoded to up to 50 megapixels before it is made small: few at a time.
_IMAGES_DECODED_AT_ONCE = 4


class ExportMismatch(RuntimeError):
    """An exported model does not compute what the Keras model computes."""


def export_saved_model(
    model: keras.Model,
    folder: str | os.PathLike,
    *,
    class_names: Sequence[str],
    image_size: tuple[int, int],
) -> Path:
    """Write a SavedModel that classifies encoded images.

    Its signatures:
        `serving_default` (also named `serve`): `images`, strings `(batch,)`, each a JPEG or PNG of
            any size, grey or colour → `class_name` strings `(batch,)`, `probabilities` float32
            `(batch, classes)`, `logits` float32 `(batch, classes)`.
        `describe`: nothing → `class_names` strings `(classes,)`, `image_size` int32 `(2,)`
            (height, width).

    The model runs with `training=False`: dropout and random augmentation layers are off.

    Args:
        model: pixels float32 `(batch, height, width, 3)` in [0, 255] → logits `(batch, classes)`;
            or of several inputs, each of which is given the image at its own size.
        folder: replaced if it exists; complete or absent at any time.
        class_names: the name of each logit.
        image_size: height and width the model takes; of several, those of its first input.

    Returns:
        The folder.

    Raises:
        ValueError: when the class names do not fit the model's outputs.
    """
    _require_tensorflow_backend("SavedModel")
    names = tf.constant(list(class_names), dtype=tf.string)
    if model.output_shape[-1] != len(class_names):
        raise ValueError(
            f"`class_names` must name the model's {model.output_shape[-1]} outputs. "
            f"Received: {list(class_names)}"
        )

    sizes = _input_sizes(model, image_size)

    def serve(images):
        pixels = tf.map_fn(
            lambda encoded: decode_and_resize_each(encoded, sizes),
            images,
            fn_output_signature=tuple(tf.TensorSpec((*size, 3), tf.float32) for size in sizes),
            parallel_iterations=_IMAGES_DECODED_AT_ONCE,
        )
        inputs = _as_inputs(tuple(_never_empty(batch) for batch in pixels))
        logits = tf.cast(model(inputs, training=False), tf.float32)[: tf.shape(images)[0]]
        return {
            "class_name": tf.gather(names, tf.argmax(logits, axis=-1)),
            "probabilities": tf.nn.softmax(logits),
            "logits": logits,
        }

    def describe():
        return {"class_names": names, "image_size": tf.constant(image_size, dtype=tf.int32)}

    # Not `model.export`: it leaves random augmentation layers on. The archive finds the variables
    # the functions use by itself.
    archive = keras.export.ExportArchive()
    archive.add_endpoint("serve", serve, [tf.TensorSpec((None,), tf.string, name="images")])
    archive.add_endpoint("describe", describe, [])
    with written_whole(Path(folder)) as unfinished:
        archive.write_out(os.fspath(unfinished), verbose=False)
    return Path(folder)


def export_litert(model: keras.Model, path: str | os.PathLike) -> Path:
    """Write a LiteRT file: pixels float32 `(batch, height, width, 3)` in [0, 255] → probabilities.

    It is stored for a batch of one; other sizes need `resize_tensor_input` at run time.

    Args:
        model: as for `export_saved_model`.
        path: must end in `.tflite`.

    Raises:
        UserError: when the optional packages are not installed.
    """
    _require_tensorflow_backend("LiteRT")
    require_packages("litert", "ai_edge_litert")
    return _export_probabilities(model, Path(path), ".tflite", "litert")


def export_onnx(model: keras.Model, path: str | os.PathLike) -> Path:
    """Write an ONNX file: pixels float32 `(batch, height, width, 3)` in [0, 255] → probabilities.

    Args:
        model: as for `export_saved_model`.
        path: must end in `.onnx`.

    Raises:
        UserError: when the optional packages are not installed.
    """
    _require_tensorflow_backend("ONNX")
    require_packages("onnx", "tf2onnx", "onnx", "onnxruntime")
    return _export_probabilities(model, Path(path), ".onnx", "onnx")


def check_exports(
    model: keras.Model,
    *,
    image_size: tuple[int, int],
    saved_model: str | os.PathLike | None = None,
    litert: str | os.PathLike | None = None,
    onnx: str | os.PathLike | None = None,
    encoded_images: Sequence[bytes] = (),
    tolerance: float = TOLERANCE,
) -> dict[str, dict]:
    """Compare the probabilities of each exported file with the Keras model's.

    Each is run on batches of 1, 7 and 32 images.

    Args:
        model: what was exported.
        image_size: height and width the model takes.
        saved_model, litert, onnx: the exports to compare; those left out are not checked.
        encoded_images: JPEG or PNG images to compare on, best from the test rows; repeated where
            fewer than 40. Without any, random pixels of many sizes are encoded as JPEG and PNG.
        tolerance: the largest difference of a probability that passes.

    Returns:
        For each format `{"max_difference": float, "batches": [1, 7, 32]}`.

    Raises:
        ExportMismatch: naming the format and the difference, when it is above `tolerance`.
    """
    images = list(encoded_images) or random_images(image_size, sum(CHECKED_BATCHES))
    results = {}
    with _exact_float32():
        encoded = [images[number % len(images)] for number in range(sum(CHECKED_BATCHES))]
        pixels = _as_inputs(
            [
                np.stack([decode_and_resize(image, size) for image in encoded])
                for size in _input_sizes(model, image_size)
            ]
        )
        expected = tf.nn.softmax(tf.cast(model(pixels, training=False), tf.float32)).numpy()
        for name, path, load, inputs in (
            ("saved_model", saved_model, _load_saved_model, np.array(encoded, dtype=object)),
            ("litert", litert, load_litert, pixels),
            ("onnx", onnx, load_onnx, pixels),
        ):
            if path is not None:
                difference = _largest_difference(load(os.fspath(path)), inputs, expected)
                # Written so that NaN fails too.
                if not difference <= tolerance:
                    raise ExportMismatch(
                        f"The {name} export {os.fspath(path)} differs from the Keras model: a "
                        f"probability is off by {difference:.3g}, more than {tolerance:.3g}. Do "
                        "not serve it."
                    )
                results[name] = {"max_difference": difference, "batches": list(CHECKED_BATCHES)}
    return results


def random_images(image_size: tuple[int, int], count: int, *, seed: int = 0) -> list[bytes]:
    """Return random pixels encoded as JPEG and PNG, grey and colour, of many sizes.

    Sizes lie between half and three times `image_size` (height, width).
    """
    random = np.random.default_rng(seed)
    images = []
    for number in range(count):
        height, width = (max(1, round(side * random.uniform(0.5, 3))) for side in image_size)
        # Coarse blocks under fine noise: pure noise would be averaged to an even grey.
        coarse = random.integers(0, 256, (4, 4, 3 if number % 3 else 1))
        rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
        noise = random.integers(-40, 41, (height, width, coarse.shape[2]))
        pixels = np.clip(coarse[rows][:, columns] + noise, 0, 255).astype(np.uint8)
        encode = tf.io.encode_png if number % 2 else tf.io.encode_jpeg
        images.append(encode(pixels).numpy())
    return images


def _input_sizes(model: keras.Model, image_size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return height and width of every input; of a single one as given, if it takes any."""
    if len(model.inputs) == 1:
        return [tuple(image_size)]
    return [tuple(each.shape[1:3]) for each in model.inputs]


def _never_empty(batch):
    """Return a batch `(rows, height, width, 3)`, one without rows with a row of zeros.

    On some processors the convolutions of oneDNN give no rows a wrong number of channels.
    """
    missing = tf.cast(tf.equal(tf.shape(batch)[0], 0), tf.int32)
    filled = tf.pad(batch, [[0, missing], [0, 0], [0, 0], [0, 0]])
    return tf.ensure_shape(filled, (None, *batch.shape[1:]))


def _as_inputs(pixels: Sequence):
    """Return the images of all sizes as a Keras model takes them."""
    return list(pixels) if len(pixels) > 1 else pixels[0]


class _Probabilities(keras.Model):
    """What LiteRT and ONNX files hold: the model as in prediction, then softmax."""

    def __init__(self, classifier: keras.Model):
        super().__init__(name="probabilities")
        self.classifier = classifier

    def call(self, images):
        # `training=False` said here: otherwise exporting leaves random layers on.
        logits = self.classifier(images, training=False)
        return keras.ops.softmax(keras.ops.cast(logits, "float32"), axis=-1)


def _export_probabilities(model: keras.Model, path: Path, suffix: str, format: str) -> Path:
    if path.suffix != suffix:
        raise ValueError(f"`path` must end in {suffix!r}. Received: path={path}")
    signature = [
        keras.InputSpec(shape=(None, *model.input_shape[1:]), dtype="float32", name="images")
    ]
    wrapper = _Probabilities(model)
    wrapper(np.zeros((1, *model.input_shape[1:]), "float32"))
    with written_whole(path) as unfinished, warnings.catch_warnings():
        # Keras asks NumPy for a name it once had, while preparing tf2onnx for NumPy 2.
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
        wrapper.export(
            os.fspath(unfinished), format=format, input_signature=signature, verbose=False
        )
    return path


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; move it into place once it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}-{os.getpid()}-unfinished{path.suffix}")
    replaced = path.with_name(f".{path.stem}-{os.getpid()}-replaced{path.suffix}")
    try:
        yield unfinished
        if path.is_dir():  # a folder that is not empty cannot be replaced in one step
            os.replace(path, replaced)
        os.replace(unfinished, path)
    finally:
        for leftover in (unfinished, replaced):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def _exact_float32() -> Iterator[None]:
    """Switch off TensorFloat-32, whose rounding on GPUs is larger than what is being looked for."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _largest_difference(
    predict: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, expected: np.ndarray
) -> float:
    """Return the largest difference over consecutive batches of 1, 7 and 32 inputs."""
    largest, start = 0.0, 0
    for size in CHECKED_BATCHES:
        batch = slice(start, start + size)
        difference = np.abs(predict(inputs[batch]) - expected[batch]).max()
        largest = float(np.maximum(largest, difference))  # keeps NaN
        start += size
    return largest


def _load_saved_model(path: str) -> Callable[[np.ndarray], np.ndarray]:
    serve = tf.saved_model.load(path).signatures["serving_default"]
    return lambda encoded: serve(images=tf.constant(list(encoded)))["probabilities"].numpy()


def _require_tensorflow_backend(format: str) -> None:
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"A {format} file can be written on Keras's TensorFlow backend only; this process runs "
            f"on {keras.backend.backend()!r}. Load the saved model.keras again with "
            "KERAS_BACKEND=tensorflow."
        )

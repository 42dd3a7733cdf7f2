"""The models a finished run leaves behind: Keras files, and exports proved equal to them."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras

from affectkeras.export import check_exports, export_litert, export_onnx, export_saved_model

_EXTRA_FORMATS = {"litert": (export_litert, "model.tflite"), "onnx": (export_onnx, "model.onnx")}


def package_model(
    keras_file: Path,
    folder: Path,
    *,
    class_names: Sequence[str],
    image_size: tuple[int, int],
    formats: Sequence[str] = (),
    encoded_images: Sequence[bytes] = (),
) -> dict[str, dict]:
    """Put a trained model into a folder: `model.keras`, `saved_model/` and further formats.

    Args:
        keras_file: the trained classifier, pixels → logits. It is moved.
        folder: where to; replaced if it exists.
        class_names: the name of each logit.
        image_size: height and width the model takes.
        formats: of `"litert"`, `"onnx"`, beside the SavedModel.
        encoded_images: images of the test rows to compare the exports on.

    Returns:
        For each format its largest difference of a probability, see `check_exports`.

    Raises:
        ExportMismatch: when an export computes something else than the Keras model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if keras_file.exists():
        os.replace(keras_file, folder / "model.keras")
    model = keras.models.load_model(folder / "model.keras", compile=False)
    paths = {
        "saved_model": export_saved_model(
            model, folder / "saved_model", class_names=class_names, image_size=image_size
        )
    }
    for name in formats:
        write, file = _EXTRA_FORMATS[name]
        paths[name] = write(model, folder / file)
    return check_exports(model, image_size=image_size, encoded_images=encoded_images, **paths)


def serve_model(run: Path, folder: Path) -> None:
    """Make `model.keras` and `saved_model/` of a run the ones of a packaged model.

    They are copies, not links: a run folder is often copied or zipped in part.
    """
    shutil.copy2(folder / "model.keras", run / "model.keras")
    shutil.copytree(folder / "saved_model", run / "saved_model", dirs_exist_ok=True)

"""Running LiteRT and ONNX files, whose runtimes are optional packages."""

import importlib.util
from collections.abc import Callable

import numpy as np

from affectkeras.errors import UserError


def load_litert(path: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function a `.tflite` file holds: one input, one output, any batch size.

    Raises:
        UserError: when the optional package is not installed.
    """
    require_packages("litert", "ai_edge_litert")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path)

    def predict(pixels):
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, pixels.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(index, pixels)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return predict


def load_onnx(path: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function an `.onnx` file holds: one input, one output, any batch size.

    Raises:
        UserError: when the optional package is not installed.
    """
    require_packages("onnx", "onnxruntime")
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})[0]


def require_packages(extra: str, *packages: str) -> None:
    """Raise `UserError` naming the extra to install when one of its packages is missing."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(
            f"The format {extra!r} needs the package {', '.join(missing)}, which is not "
            f'installed. Install it by: pip install "affectkeras[{extra}]"'
        )

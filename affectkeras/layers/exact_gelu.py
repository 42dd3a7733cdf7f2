"""GELU by the error function, training with fewer passes over the maps."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="affectkeras")
def exact_gelu(x):
    """Return `x · Φ(x)`, Φ being the normal distribution function, as Keras's GELU does.

    Equation 1 of the StressNet paper. Under TensorFlow its gradient, `Φ(x) + x · φ(x)`, is written
    by hand, in six passes over the numbers; and it can be exported to ONNX, where Keras's GELU
    cannot: ONNX has no complementary error function. Other backends use their own GELU.

    Args:
        x: floating-point numbers of any shape.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.gelu(x, approximate=False)
    return _gelu(ops.convert_to_tensor(x))


@ops.custom_gradient
def _gelu(x):
    scaled = x * math.sqrt(0.5)
    twice = ops.erf(scaled) + 1  # 2Φ(x)

    def gradient(*arguments, upstream=None):
        above = arguments[0] if upstream is None else upstream
        # 2x · φ(x) is this scaled number times 2/√π · exp(−x²/2).
        density = ops.exp(-ops.square(scaled))
        return above * (twice * 0.5 + scaled * density * (1 / math.sqrt(math.pi)))

    # In this order LiteRT's converter recognises it.
    return (x * 0.5) * twice, gradient

"""GELU by the error function, training with one pass over the maps each way."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="affectkeras")
def exact_gelu(x, training: bool = False):
    """Return `x · Φ(x)`, Φ being the normal distribution function, as Keras's GELU does.

    Equation 1 of the StressNet paper. Under TensorFlow it can be exported to ONNX, where Keras's
    GELU cannot: ONNX has no complementary error function. Other backends use their own GELU.

    Args:
        x: floating-point numbers of any shape.
        training: whether to use TensorFlow's kernels for training (`tensorflow_kernels`), which
            give the same to rounding.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.gelu(x, approximate=False)
    x = ops.convert_to_tensor(x)
    if training:
        return _trained_gelu(x)
    # In this order LiteRT's converter recognises it.
    return (x * 0.5) * (ops.erf(x * math.sqrt(0.5)) + 1)


@ops.custom_gradient
def _trained_gelu(x):
    # Here, so that other backends do not need TensorFlow.
    from affectkeras import tensorflow_kernels

    def gradient(*arguments, upstream=None):
        above = arguments[0] if upstream is None else upstream
        return tensorflow_kernels.gelu_gradient(x, above)

    return tensorflow_kernels.gelu(x), gradient


@keras.saving.register_keras_serializable(package="affectkeras")
class ExactGelu(keras.layers.Activation):
    """`Activation(exact_gelu)` that knows whether the model trains.

    Args:
        **kwargs: `name`, `dtype`.

    Call arguments:
        inputs: floating-point numbers of any shape.
        training: see `exact_gelu`.
    """

    def __init__(self, **kwargs):
        super().__init__(exact_gelu, **kwargs)

    def call(self, inputs, training=None):
        return exact_gelu(inputs, training=bool(training))

    def get_config(self):
        config = super().get_config()
        del config["activation"]
        return config

"""A functional Keras model read layer by layer, with a fold axis in front."""

import keras
import tensorflow as tf

from affectkeras.fold_training import layers, recurrent
from affectkeras.fold_training.layers import Pass, refuse

KINDS = {
    keras.layers.Dense: layers.dense,
    keras.layers.Conv1D: layers.convolve,
    keras.layers.Conv2D: layers.convolve,
    keras.layers.LSTM: recurrent.lstm,
    keras.layers.GRU: recurrent.gru,
    keras.layers.BatchNormalization: layers.batch_normalize,
    keras.layers.Normalization: layers.normalize,
    keras.layers.Activation: layers.activate,
    keras.layers.ReLU: layers.rectify,
    keras.layers.MaxPooling1D: layers.take_maximum,
    keras.layers.MaxPooling2D: layers.take_maximum,
    keras.layers.AveragePooling1D: layers.take_mean,
    keras.layers.GlobalAveragePooling1D: layers.average_over_time,
    keras.layers.GlobalMaxPooling1D: layers.maximum_over_time,
    keras.layers.Flatten: layers.flatten,
    keras.layers.Reshape: layers.reshape,
    keras.layers.Permute: layers.permute,
    keras.layers.Concatenate: layers.concatenate,
    keras.layers.Add: layers.add,
    keras.layers.Dropout: layers.drop,
}
# Operations of keras.ops are no layers, and their classes have no public name.
OPERATIONS = {"Split": layers.split, "GetItem": layers.take}


def run_network(model: keras.Model, run: Pass, x: tf.Tensor) -> tf.Tensor:
    """Return what the model gives for each fold.

    Args:
        model: a functional model of one input and one output.
        run: the weights of the folds, and whether this is training; statistics are updated in it.
        x: `(folds, batch, …)`, all but the batch of known size.

    Raises:
        ValueError: naming the layer that has no function here.
    """

    def with_folds(operation):
        if isinstance(operation, keras.Model):
            return lambda inner: run_network(operation, run, inner)
        function = KINDS.get(type(operation)) or OPERATIONS.get(type(operation).__name__)
        if function is None:
            refuse(operation)
        return lambda *arguments, **named: function(
            operation, run, *arguments, **_told(operation, named)
        )

    return keras.tree.flatten(model._run_through_graph(x, operation_fn=with_folds))[0]


def check_network(model: keras.Model) -> None:
    """Raise a ValueError unless `run_network` can read the model; names the layer that it cannot.

    The model must be functional, of one input, one output of logits and single precision, without
    penalties on weights.
    """
    _check_kind(model)
    for layer in model._flatten_layers(include_self=False):
        if layer.dtype_policy.name != "float32":
            refuse(layer, f"of {layer.dtype_policy.name}")
        for name in ("kernel", "recurrent", "bias", "activity", "gamma", "beta"):
            for what in ("regularizer", "constraint"):
                if getattr(layer, f"{name}_{what}", None) is not None:
                    refuse(layer, f"with {name}_{what}")

    run = Pass(weights_of_folds(model, 1), True, tf.ones((1, 2)), tf.constant([0, 0]))
    run_network(model, run, tf.zeros((1, 2, *model.input_shape[1:])))


def _check_kind(model: keras.Model) -> None:
    if not hasattr(model, "_run_through_graph"):
        raise ValueError(
            f"Folds cannot be trained together through {model.name!r}: it is no functional model."
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"Folds cannot be trained together through {model.name!r}: it has "
            f"{len(model.inputs)} inputs and {len(model.outputs)} outputs, not one of each."
        )
    shapes = (*model.input_shape[1:], *model.output_shape[1:])
    if None in shapes or len(model.output_shape) != 2:
        raise ValueError(
            f"Folds cannot be trained together through {model.name!r}: shapes must be known and "
            f"the output (batch, classes). Received: {model.input_shape} to {model.output_shape}"
        )


def weights_of_folds(model: keras.Model, folds: int) -> dict[str, tf.Tensor]:
    """Return path of a weight → its values now, once for every fold, `(folds, …)`."""
    return {
        one.path: tf.repeat(tf.convert_to_tensor(one)[None], folds, axis=0) for one in model.weights
    }


def _told(operation, named: dict) -> dict:
    """Return the named arguments of a call that say something, or refuse a layer's."""
    told = {
        name: value for name, value in named.items() if value is not None and value is not False
    }
    if told and isinstance(operation, keras.layers.Layer):
        refuse(operation, f"called with {', '.join(told)}")
    return told

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
PROBABILITIES = (keras.activations.softmax, keras.activations.sigmoid)
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
            return lambda inner, **_: run_network(operation, run, inner)
        function = KINDS.get(type(operation)) or OPERATIONS.get(type(operation).__name__)
        if function is None:
            refuse(operation)
        return lambda *arguments, **named: function(
            operation, run, *arguments, **_told(operation, named)
        )

    graph = getattr(model, "_functional", model)  # a Sequential model holds a functional one
    if not hasattr(graph, "_run_through_graph"):
        refuse(model, "of a class of its own")
    return keras.tree.flatten(graph._run_through_graph(x, operation_fn=with_folds))[0]


def operations_of(model: keras.Model) -> list:
    """Return the layers and operations of a functional or sequential model."""
    return getattr(model, "_functional", model).operations


def check_model(model: keras.Model) -> None:
    """Raise a ValueError unless folds of the model can be trained at all.

    It must have one input of known shape and one output `(batch, classes)` of logits; Normalization
    layers without given statistics must read the input, as they get those of the inputs.
    """
    for name in ("inputs", "outputs"):
        count = len(getattr(model, name, ()))
        if count != 1:
            raise ValueError(
                f"`model` must be functional with one input and one output. "
                f"Received: {model.name!r} with {count} {name}"
            )
    if None in (*model.input_shape[1:], *model.output_shape[1:]) or len(model.output_shape) != 2:
        raise ValueError(
            "`model` must take inputs of known shape and give (batch, classes). "
            f"Received: {model.input_shape} to {model.output_shape}"
        )
    last = model.outputs[0]._keras_history.operation
    if isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) in PROBABILITIES:
        raise ValueError(
            f"`model` must give logits, not probabilities. Received: layer {last.name!r} with "
            "softmax or sigmoid"
        )
    for layer in normalizations(model):
        if layer.input is not model.input:
            raise ValueError(
                f"Layer {layer.name!r} must read the model's input: its statistics are taken from "
                "the inputs."
            )


def check_layers(model: keras.Model) -> None:
    """Raise a ValueError, naming the layer, unless `run_network` can read the model.

    All must be in single precision and without penalties or limits on weights.
    """
    paths = [one.path for one in model.weights]
    if len(set(paths)) < len(paths):
        raise ValueError(f"Weights of {model.name!r} must have different paths.")
    for layer in model._flatten_layers(include_self=False):
        if layer.dtype_policy.name != "float32":
            refuse(layer, f"of {layer.dtype_policy.name}")
        for what in ("regularizer", "constraint"):
            told = [name for name, value in vars(layer).items() if what in name and value]
            if told:
                refuse(layer, f"with {told[0]}")
    run = Pass(weights_of_folds(model, 1), True, tf.ones((1, 2)), tf.constant([0, 0]))
    run_network(model, run, tf.zeros((1, 2, *model.input_shape[1:])))


def normalizations(model: keras.Model) -> list[keras.layers.Normalization]:
    """Return the Normalization layers whose statistics are to be taken from training rows."""
    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None
    ]


def weights_of_folds(model: keras.Model, folds: int) -> dict[str, tf.Tensor]:
    """Return path of a weight → its values now, once for every fold, `(folds, …)`."""
    return {
        one.path: tf.repeat(tf.convert_to_tensor(one)[None], folds, axis=0) for one in model.weights
    }


def _told(operation, named: dict) -> dict:
    """Return the named arguments of a call that say something, or refuse a layer's."""
    told = {name: value for name, value in named.items() if value is not None}
    if isinstance(operation, keras.layers.Layer):
        # Keras notes `training=False` where nobody said so.
        told = {name: value for name, value in told.items() if value is not False}
        if told:
            refuse(operation, f"called with {', '.join(told)}")
    return told

"""Recurrent layers of Keras with a fold axis in front; the inputs of all steps go in at once."""

import tensorflow as tf

from affectkeras.fold_training.layers import Pass, activation_of, add_bias, demand, multiply


def lstm(layer, run: Pass, x):
    """Long short-term memory, `(folds, batch, time, channels)`; gates as Keras orders them."""
    _check(layer)
    activation, gate = activation_of(layer), activation_of(layer, "recurrent_activation")
    cell = layer.cell
    recurrent = run.of(cell.recurrent_kernel)
    inputs = multiply(x, run.of(cell.kernel))
    if layer.use_bias:
        inputs = add_bias(inputs, run.of(cell.bias))
    hidden, kept, outputs = None, None, []
    for step in tf.unstack(inputs, axis=2):
        gates = step if hidden is None else step + hidden @ recurrent
        enter, forget, new, leave = tf.split(gates, 4, axis=-1)
        entering = gate(enter) * activation(new)
        kept = entering if kept is None else gate(forget) * kept + entering
        hidden = gate(leave) * activation(kept)
        outputs.append(hidden)
    return tf.stack(outputs, 2) if layer.return_sequences else hidden


def gru(layer, run: Pass, x):
    """Gated recurrent unit whose reset comes after the matrix, as Keras has it by default."""
    _check(layer)
    demand(layer.cell, reset_after=True, use_bias=True)
    activation, gate = activation_of(layer), activation_of(layer, "recurrent_activation")
    cell = layer.cell
    kernel, recurrent, bias = (
        run.of(one) for one in (cell.kernel, cell.recurrent_kernel, cell.bias)
    )
    inputs = add_bias(multiply(x, kernel), bias[:, 0])
    hidden = tf.zeros((*x.shape[:2], layer.units), x.dtype)
    outputs = []
    for step in tf.unstack(inputs, axis=2):
        update, reset, new = tf.split(step, 3, axis=-1)
        inner = tf.split(add_bias(hidden @ recurrent, bias[:, 1]), 3, axis=-1)
        update, reset = gate(update + inner[0]), gate(reset + inner[1])
        new = activation(new + reset * inner[2])
        hidden = update * hidden + (1.0 - update) * new
        outputs.append(hidden)
    return tf.stack(outputs, 2) if layer.return_sequences else hidden


def _check(layer) -> None:
    demand(layer, go_backwards=False, return_state=False, stateful=False)
    demand(layer, dropout=0.0, recurrent_dropout=0.0)

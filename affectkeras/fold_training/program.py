"""The compiled program: epochs of Adam for all folds at once, and their probabilities.

Within a step each fold has its own rows of the shared inputs. A fold whose epoch has fewer steps
than others' waits: its weights, moments, statistics and count of steps stay as they are.
"""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from affectkeras.fold_training.layers import Pass
from affectkeras.fold_training.network import operations_of, run_network

# Keras's defaults of Adam.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
# Weights of all folds from which XLA's one pass over them saves more than its call costs.
FUSED_FROM = 500_000
PROGRAMS_KEPT = 4
_PROGRAMS: dict[tuple[str, str], "FoldProgram"] = {}


@dataclasses.dataclass
class FoldState:
    """Where all folds stand.

    Args:
        weights: path of a weight → `(folds, …)`.
        moments: path of a trainable weight → first and second moment of its gradients.
        steps: taken so far, int32 `(folds,)`.
    """

    weights: dict[str, tf.Tensor]
    moments: dict[str, tuple[tf.Tensor, tf.Tensor]]
    steps: tf.Tensor


@dataclasses.dataclass
class FoldData:
    """What the folds are trained on.

    Args:
        inputs: of all rows, `(rows, …)`, shared by the folds.
        labels: int32 `(rows,)`.
        class_weights: `(folds, classes)`.
        total_steps: of the whole training, int32 `(folds,)`.
        learning_rate: of the first step.
        seed: of dropout.
    """

    inputs: tf.Tensor
    labels: tf.Tensor
    class_weights: tf.Tensor
    total_steps: tf.Tensor
    learning_rate: tf.Tensor
    seed: tf.Tensor


def program_of(model: keras.Model, schedule: str) -> "FoldProgram":
    """Return the program of a model; of one built alike before it is the same, traced already.

    Args:
        model: one that `check_layers` lets pass.
        schedule: of the learning rate.
    """
    text = model.to_json()
    for number, operation in enumerate(operations_of(model)):
        if not isinstance(operation, keras.layers.Layer):
            # Keras counts the names of operations through all models: "split", "split_1" …
            text = text.replace(f'"{operation.name}"', f'"operation {number}"')
    key = (text, schedule)
    program = _PROGRAMS.pop(key, None) or FoldProgram(model, schedule)
    _PROGRAMS[key] = program
    if len(_PROGRAMS) > PROGRAMS_KEPT:
        del _PROGRAMS[next(iter(_PROGRAMS))]
    return program


def forget_programs() -> None:
    """Let go of all programs: what is trained next is traced anew."""
    _PROGRAMS.clear()


class FoldProgram:
    """What trains the folds of one model, traced when first used.

    Args:
        model: one that `check_layers` lets pass; only how it is built matters.
        schedule: of the learning rate, `"constant"` or `"cosine"`.
    """

    def __init__(self, model: keras.Model, schedule: str):
        self.model, self.schedule = model, schedule
        self.trainable = [one.path for one in model.trainable_variables]
        self._epoch = tf.function(self._run_epoch, autograph=False)
        self._predict = tf.function(self._run_prediction, autograph=False)

    def start(self, weights: dict[str, tf.Tensor]) -> FoldState:
        """Return the state before the first step, of weights `(folds, …)` by their path."""
        folds = next(iter(weights.values())).shape[0]
        moments = {
            path: (tf.zeros_like(weights[path]), tf.zeros_like(weights[path]))
            for path in self.trainable
        }
        return FoldState(weights, moments, tf.zeros(folds, tf.int32))

    def train_epoch(
        self, state: FoldState, epoch: int, data: FoldData, order: np.ndarray, real: np.ndarray
    ) -> tuple[FoldState, np.ndarray, np.ndarray]:
        """Return the state after an epoch, and sums over its rows.

        Args:
            state: before.
            epoch: counted from 0.
            data: what the folds are trained on.
            order: rows of every step, int32 `(steps, folds, batch)`.
            real: 1 for a row and 0 for filling, float32, of the same shape.

        Returns:
            The state; weighted losses and right answers of each fold, summed, `(folds,)`.
        """
        parts = (state.weights, state.moments, state.steps)
        # What differs in shape is traced anew: so there are few lengths.
        steps = len(order)
        filling = [(0, (1 << (steps - 1).bit_length()) - steps), (0, 0), (0, 0)]
        order, real = (tf.constant(np.pad(one, filling)) for one in (order, real))
        parts, loss, correct = self._epoch(
            parts, tf.constant(epoch), vars(data), order, real, tf.constant(steps)
        )
        return FoldState(*parts), loss.numpy(), correct.numpy()

    def predict(self, weights: dict[str, tf.Tensor], inputs: tf.Tensor, rows) -> np.ndarray:
        """Return probabilities `(folds, batch, classes)` of rows `(folds, batch)`."""
        return self._predict(weights, inputs, tf.constant(rows)).numpy()

    def _run_epoch(self, state, epoch, data, order, real, steps):
        folds = order.shape[1]

        def body(step, state, loss, correct):
            seed = tf.stack([data["seed"], epoch * 65536 + step])
            state, more_loss, more_correct = self._step(state, data, order[step], real[step], seed)
            return step + 1, state, loss + more_loss, correct + more_correct

        start = (tf.constant(0), state, tf.zeros(folds), tf.zeros(folds))
        _, *ended = tf.while_loop(lambda step, *_: step < steps, body, start)
        return ended

    def _step(self, state, data, rows, real, seed):
        weights, moments, steps = state
        x, labels = tf.gather(data["inputs"], rows), tf.gather(data["labels"], rows)
        counts = tf.gather(data["class_weights"], labels, batch_dims=1) * real
        size = tf.reduce_sum(real, 1)
        trained = {path: weights[path] for path in self.trainable}
        with tf.GradientTape() as tape:
            tape.watch(trained)
            run = Pass(dict(weights), True, real, seed)
            logits = run_network(self.model, run, x)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits) * counts
            loss = tf.reduce_sum(losses, 1)
            # Keras divides by the rows of a batch, whatever they count.
            total = tf.reduce_sum(loss / tf.maximum(size, 1.0))
        gradients = tape.gradient(total, trained, unconnected_gradients="zero")
        right = tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), labels), tf.float32) * real
        rate = self._learning_rate(steps, data)
        active = tf.cast(size > 0, tf.float32)
        steps += tf.cast(active, tf.int32)
        many = sum(math.prod(one.shape) for one in trained.values()) > FUSED_FROM
        update = tf.function(_adam, autograph=False, jit_compile=True) if many else _adam
        updated, moments = update(trained, gradients, moments, active, steps, rate)
        return (run.values | updated, moments, steps), loss, tf.reduce_sum(right, 1)

    def _learning_rate(self, steps, data):
        """Return each fold's learning rate; `steps` were taken before."""
        if self.schedule == "constant":
            return data["learning_rate"]
        total = data["total_steps"]
        done = tf.cast(tf.minimum(steps, total), tf.float32) / tf.cast(total, tf.float32)
        return data["learning_rate"] * 0.5 * (1.0 + tf.cos(math.pi * done))

    def _run_prediction(self, weights, inputs, rows):
        logits = run_network(self.model, Pass(dict(weights)), tf.gather(inputs, rows))
        return tf.nn.softmax(logits)


def _adam(weights, gradients, moments, active, steps, rate):
    """Return weights and moments after a step of the folds whose `active` is 1, not 0.

    The moments are Keras's over 1 - beta: two passes over the weights fewer.
    """
    taken = tf.cast(tf.maximum(steps, 1), tf.float32)
    alpha = rate * tf.sqrt(1.0 - BETA_2**taken) / (1.0 - BETA_1**taken) * active
    size = math.sqrt(1.0 - BETA_2)
    new_weights, new_moments = {}, {}
    for path, weight in weights.items():
        shape = (-1, *(1,) * (weight.shape.rank - 1))
        step = tf.reshape(alpha * ((1.0 - BETA_1) / size), shape)
        kept_1, kept_2 = (
            tf.reshape(1.0 - (1.0 - beta) * active, shape) for beta in (BETA_1, BETA_2)
        )
        # The gradients of folds that wait are zero.
        first = moments[path][0] * kept_1 + gradients[path]
        second = moments[path][1] * kept_2 + tf.square(gradients[path])
        new_weights[path] = weight - first * step / (tf.sqrt(second) + EPSILON / size)
        new_moments[path] = (first, second)
    return new_weights, new_moments

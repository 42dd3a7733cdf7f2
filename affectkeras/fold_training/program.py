"""The compiled program: epochs of Adam for all folds at once, and their probabilities.

Within a step each fold has its own rows of the shared inputs. A fold whose epoch has fewer steps
than others' waits: its weights, moments, statistics and count of steps stay as they are.
"""

import dataclasses
import math

import keras
import tensorflow as tf

from affectkeras.fold_training.jobs import FoldPlan
from affectkeras.fold_training.layers import Pass
from affectkeras.fold_training.network import run_network

# Keras's defaults of Adam.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


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


class FoldProgram:
    """What trains the folds of one model, compiled when first used.

    Args:
        model: one that `check_network` lets pass.
        plan: the settings of all folds.
    """

    def __init__(self, model: keras.Model, plan: FoldPlan):
        self.model, self.plan = model, plan
        self.trainable = [one.path for one in model.trainable_variables]
        self._epoch = tf.function(self._run_epoch, autograph=False, jit_compile=True)
        self._predict = tf.function(self._run_prediction, autograph=False, jit_compile=True)

    def start(self, weights: dict[str, tf.Tensor]) -> FoldState:
        """Return the state before the first step."""
        folds = next(iter(weights.values())).shape[0]
        moments = {
            path: (tf.zeros_like(weights[path]), tf.zeros_like(weights[path]))
            for path in self.trainable
        }
        return FoldState(weights, moments, tf.zeros(folds, tf.int32))

    def train_epoch(self, state: FoldState, epoch: int, data: dict) -> tuple[FoldState, dict]:
        """Return the state after an epoch, and sums over it.

        Args:
            state: before.
            epoch: counted from 0.
            data: `inputs` (rows, …), `labels` (rows,), `order` (steps, folds, batch) of rows,
                `real` of the same shape, 1 for rows and 0 for filling, `class_weights` (folds,
                classes) and `total_steps` (folds,) of the whole training.

        Returns:
            The state, and for each fold `loss` and `correct`, summed over its rows.
        """
        state = (state.weights, state.moments, state.steps)
        state, sums = self._epoch(state, tf.constant(epoch), data)
        return FoldState(*state), {name: one.numpy() for name, one in sums.items()}

    def predict(self, weights: dict[str, tf.Tensor], inputs, rows):
        """Return probabilities `(folds, batch, classes)` of rows `(folds, batch)`."""
        return self._predict(weights, inputs, rows)

    def _run_epoch(self, state, epoch, data):
        folds = data["order"].shape[1]
        sums = {"loss": tf.zeros(folds), "correct": tf.zeros(folds)}

        def body(step, state, sums):
            state, loss, correct = self._step(state, epoch, step, data)
            sums = {"loss": sums["loss"] + loss, "correct": sums["correct"] + correct}
            return step + 1, state, sums

        last = data["order"].shape[0]
        _, state, sums = tf.while_loop(
            lambda step, *_: step < last, body, (tf.constant(0), state, sums)
        )
        return state, sums

    def _step(self, state, epoch, step, data):
        weights, moments, steps = state
        rows, real = data["order"][step], data["real"][step]
        x, labels = tf.gather(data["inputs"], rows), tf.gather(data["labels"], rows)
        counts = tf.gather(data["class_weights"], labels, batch_dims=1) * real
        seed = tf.stack([self.plan.seed % 2**31, epoch * 65536 + step])
        size = tf.reduce_sum(real, 1)
        trained = {path: weights[path] for path in self.trainable}
        with tf.GradientTape() as tape:
            tape.watch(trained)
            run = Pass({**weights, **trained}, True, real, seed)
            logits = run_network(self.model, run, x)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits) * counts
            # Keras divides by the rows of a batch, whatever they count.
            loss = tf.reduce_sum(losses, 1)
            total = tf.reduce_sum(loss / tf.maximum(size, 1.0))
        gradients = tape.gradient(total, trained)
        correct = tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), labels), tf.float32) * real
        active = size > 0
        rate = self._learning_rate(steps, data["total_steps"])
        steps += tf.cast(active, tf.int32)
        updated, moments = self._adam(trained, gradients, moments, active, steps, rate)
        state = ({**run.values, **updated}, moments, steps)
        return state, loss, tf.reduce_sum(correct, 1)

    def _learning_rate(self, steps, total):
        """Return each fold's learning rate; `steps` were taken before."""
        if self.plan.schedule == "constant":
            return tf.fill(steps.shape, self.plan.learning_rate)
        done = tf.cast(tf.minimum(steps, total), tf.float32) / tf.cast(total, tf.float32)
        return self.plan.learning_rate * 0.5 * (1.0 + tf.cos(math.pi * done))

    def _adam(self, weights, gradients, moments, active, steps, rate):
        """Return weights and moments after a step of those folds that are active."""
        moving = tf.cast(active, tf.float32)
        taken = tf.cast(tf.maximum(steps, 1), tf.float32)
        alpha = rate * tf.sqrt(1.0 - BETA_2**taken) / (1.0 - BETA_1**taken) * moving
        new_weights, new_moments = {}, {}
        for path, weight in weights.items():
            shape = (-1, *(1,) * (weight.shape.rank - 1))
            step, now = tf.reshape(alpha, shape), tf.reshape(moving, shape)
            gradient, (first, second) = gradients[path], moments[path]
            first += (gradient - first) * ((1.0 - BETA_1) * now)
            second += (gradient * gradient - second) * ((1.0 - BETA_2) * now)
            new_weights[path] = weight - first * step / (tf.sqrt(second) + EPSILON)
            new_moments[path] = (first, second)
        return new_weights, new_moments

    def _run_prediction(self, weights, inputs, rows):
        logits = run_network(self.model, Pass(weights), tf.gather(inputs, rows))
        return tf.nn.softmax(logits)

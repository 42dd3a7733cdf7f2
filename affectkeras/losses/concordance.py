"""A loss that asks for what is measured: 1 - CCC."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="affectkeras")
class ConcordanceLoss(keras.losses.Loss):
    """One less Lin's concordance correlation coefficient of a batch, averaged over targets.

    All frames of a batch are taken together: `1 - 2 s_tp / (s_t² + s_p² + (mean_t - mean_p)²)` for
    each target, with moments weighted by the sample weights (Lin 1989, section 2.4; as a loss:
    Trigeorgis et al. 2016, "Adieu Features?", section 3.2). It is 0 where prediction and truth are
    equal, about 1 where they have nothing to do with each other and 2 where they oppose.

    A batch is a small sample of the data: its figure is not that of the whole set, and batches that
    hold a single video ask for that video's course only. Mix videos within a batch.

    Args:
        epsilon: added to the denominator, so that a batch of one and the same value has a gradient.

    Call arguments:
        y_true: `(batch, …, targets)`.
        y_pred: of the same shape.
        sample_weight: `(batch, …)` or None; frames of weight 0 do not count.

    Raises:
        ValueError: for an `epsilon` that is not above 0.
    """

    def __init__(
        self, epsilon: float = 1e-6, *, reduction=None, name="concordance_loss", dtype=None
    ):
        # The loss is one number for a batch whatever the reduction.
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not epsilon > 0:
            raise ValueError(f"`epsilon` must be above 0. Received: epsilon={epsilon}")
        self.epsilon = float(epsilon)

    def __call__(self, y_true, y_pred, sample_weight=None):
        targets = y_pred.shape[-1]
        true = ops.reshape(ops.cast(y_true, "float32"), (-1, targets))
        predicted = ops.reshape(ops.cast(y_pred, "float32"), (-1, targets))
        if sample_weight is None:
            weight = ops.ones_like(predicted[:, :1])
        else:
            weight = ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        share = weight / ops.maximum(ops.sum(weight), 1e-12)

        def mean(values):
            return ops.sum(share * values, axis=0)

        mean_true, mean_predicted = mean(true), mean(predicted)
        true, predicted = true - mean_true, predicted - mean_predicted
        apart = ops.square(mean_true - mean_predicted)
        spread = mean(ops.square(true)) + mean(ops.square(predicted)) + apart
        return 1.0 - ops.mean(2 * mean(true * predicted) / (spread + self.epsilon))

    def call(self, y_true, y_pred):
        return self(y_true, y_pred)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}

"""A layer applied to every frame of a video, all frames at once."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="affectkeras")
class FrameDistributed(keras.layers.TimeDistributed):
    """Keras's TimeDistributed that hands its layer all frames of a batch as one larger batch.

    Keras 3.15 calls the layer frame by frame where it knows how many there are, and otherwise maps
    it over time; both first copy the video to put time in front. A layer that treats the examples
    of its batch apart gives the same for frames that lie one after the other, as they already do.

    Differs from Keras in training with layers that do not treat them apart: BatchNormalization
    takes its statistics from all frames of the batch, and not from each time alone.

    With a mask it is Keras's code that runs.

    Args:
        layer: what is applied to each frame.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(batch, time, …)`, any batch and time.
        training: given to the layer, if it takes it.
        mask: `(batch, time)`, given to the layer, if it takes it.

    Returns:
        `(batch, time, …)`, what the layer gives for each frame.
    """

    def call(self, inputs, training=None, mask=None):
        if mask is not None:
            return super().call(inputs, training=training, mask=mask)
        batch, time, *frame = ops.shape(inputs)
        options = {"training": training} if self.layer._call_has_training_arg else {}
        outputs = self.layer(ops.reshape(inputs, (-1, *frame)), **options)
        return ops.reshape(outputs, (batch, time, *ops.shape(outputs)[1:]))

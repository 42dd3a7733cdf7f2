"""Training over several devices of one machine: each takes its share of every batch.

TensorFlow spreads by `tf.distribute.MirroredStrategy`, JAX by `keras.distribution.DataParallel`.
Where there are fewer accelerators than asked for, the processor stands for as many virtual devices:
that shows that it works, and is no faster.

The weights are those of one device, up to rounding:
- Rows are weighed so that unequal shares of a batch count as they should, see `DividedStream`.
- BatchNormalization that trains takes its statistics over all devices (`synchronized`); frozen, it
  needs none.
- Dropout draws its masks on every device of TensorFlow by itself, so that a training with dropout
  is as good as, but not equal to, that of one device.
"""

import contextlib
import functools
import os
from collections.abc import Iterator

import numpy as np

from affectkeras.errors import UserError

XLA_DEVICES = "--xla_force_host_platform_device_count"
CLEAN_ROWS_OF_DEVICE = 32  # of a batch where nothing is trained


def prepare_devices(count: int) -> None:
    """Make so many devices, virtual ones where need be; before anything is computed.

    Args:
        count: how many devices train together; 1 changes nothing.

    Raises:
        UserError: when Keras's backend cannot spread a training.
    """
    if count == 1:
        return
    backend = _backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if len(tf.config.list_physical_devices("GPU")) >= count:
            return
        processor = tf.config.list_physical_devices("CPU")[0]
        made = tf.config.get_logical_device_configuration(processor) or ()
        if len(made) < count:
            tf.config.set_logical_device_configuration(
                processor, [tf.config.LogicalDeviceConfiguration()] * count
            )
    elif backend == "jax":
        flags = os.environ.get("XLA_FLAGS", "")
        if XLA_DEVICES not in flags:  # it makes no difference to accelerators
            os.environ["XLA_FLAGS"] = f"{flags} {XLA_DEVICES}={count}".strip()
    else:
        raise UserError(
            f"--devices {count}: Keras's backend {backend} cannot spread a training. Choose "
            "KERAS_BACKEND=tensorflow or jax, or leave --devices out."
        )


def name_devices(count: int) -> list[str]:
    """Return the devices that train: accelerators where there are enough, else virtual ones.

    Raises:
        UserError: when there are not so many, as `prepare_devices` came too late.
    """
    import keras

    accelerators = [one for one in keras.distribution.list_devices() if not one.startswith("cpu")]
    found = accelerators if len(accelerators) >= count else keras.distribution.list_devices("cpu")
    if len(found) < count:
        raise UserError(
            f"--devices {count}: there are only {len(found)}, and virtual ones can only be made "
            "before TensorFlow or JAX has begun. Start a new process."
        )
    return found[:count]


@contextlib.contextmanager
def spread(count: int) -> Iterator[None]:
    """Build and train everything inside over so many devices.

    Args:
        count: how many; 1 changes nothing.
    """
    if count == 1:
        yield
        return
    devices = name_devices(count)
    if _backend() == "tensorflow":
        scope = _mirrored_strategy(tuple(devices)).scope()
    else:
        import keras

        scope = keras.distribution.DataParallel(devices=devices).scope()
    with scope:
        yield


@functools.cache
def _mirrored_strategy(devices: tuple[str, ...]):
    """Return the one strategy of this process: two would number their exchanges alike."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy([one.upper() for one in devices])


def synchronize_normalization(model, value: bool = True) -> None:
    """Let BatchNormalization take its statistics over all devices, or each device's own.

    Args:
        model: any; on backends other than TensorFlow, where a batch stays one, nothing is done.
        value: False before the model is saved for use on one device.
    """
    import keras

    if _backend() != "tensorflow":
        return
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            synchronize_normalization(layer, value)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = value


def divide_stream(stream, count: int):
    """Return a stream whose batches can be divided among devices.

    Args:
        stream: gives images or features, such as `pipelines.images.ImagePipeline`; `None` too.
        count: how many devices there are; 1 returns the stream itself.
    """
    return stream if count == 1 or stream is None else DividedStream(stream, count)


class DividedStream:
    """A stream whose training batches carry weights, so that unequal shares count as they should.

    A device's loss is the mean over its share, and a step takes the mean over devices. Each row is
    weighed with its share's size, so that this becomes the mean over the rows of the batch.
    TensorFlow divides a batch in shares of which the last ones may be smaller; a batch that would
    leave a device without rows, and on JAX every batch that cannot be divided evenly, is filled up
    with rows that weigh nothing (BatchNormalization that trains does see them).

    Args:
        stream: gives batches `(inputs, targets)`.
        count: how many devices there are.
    """

    def __init__(self, stream, count: int):
        self._stream = stream
        self._count = count
        self._even = _backend() != "tensorflow"
        self.targets = stream.targets
        self.seal = stream.seal
        self.gives_features = getattr(stream, "gives_features", False)

    def training(self, sampler, first_epoch: int, last_epoch: int):
        """Return the batches of epochs as `(inputs, targets, weights)`."""
        return self._stream.training(sampler, first_epoch, last_epoch).map(self._weigh)

    def clean(self, rows):
        """Return the batches of rows; what is predicted beyond the rows is to be cut off.

        All batches but the last divide evenly, so that only the end is filled up. None leaves a
        device without rows: oneDNN gives an empty share a wrong shape.
        """
        import tensorflow as tf

        size = CLEAN_ROWS_OF_DEVICE * self._count
        found = self._stream.clean(np.asarray(rows)).rebatch(size)
        # Told how many: else their end, when they are spread, ends the training too.
        found = found.apply(tf.data.experimental.assert_cardinality(-(-len(rows) // size)))
        return found.map(self._weigh)

    def _weigh(self, inputs, targets):
        import tensorflow as tf

        rows, count = tf.shape(targets)[0], self._count
        share = -(-rows // count)
        fills_up = self._even or share * (count - 1) >= rows
        filled = tf.where(fills_up, share * count, rows)
        places = tf.range(filled)
        sizes = tf.minimum(share, filled - places // share * share)
        weights = tf.cast(count * sizes, tf.float32) / tf.cast(rows, tf.float32)
        weights = tf.where(places < rows, weights, 0.0)
        kept = tf.minimum(places, rows - 1)
        return tf.gather(inputs, kept), tf.gather(targets, kept), weights


def _backend() -> str:
    import keras

    return keras.backend.backend()

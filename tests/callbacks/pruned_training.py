"""Trainings small enough to prune, and what plants copies in them; used by the tests beside it."""

import keras
import numpy as np

from affectkeras.models.six_block_cnn import build_six_block_cnn

ROWS = 24
IMAGES = np.random.default_rng(0).uniform(0, 255, (ROWS, 16, 16, 3)).astype("float32")
LABELS = np.arange(ROWS) % 3


def batches():
    return np.array_split(IMAGES, 3)


def compiled(model, optimizer=None, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # XLA would take longer to compile than all these trainings take.
    optimizer = optimizer or keras.optimizers.Adam(0.01)
    model.compile(optimizer, loss, jit_compile=False, **options)
    return model


def six_blocks(activation="relu"):
    keras.utils.set_random_seed(3)
    widths = (6, 6, 8, 8, 12)
    return compiled(build_six_block_cnn(3, 16, widths=widths, activation=activation))


def fit(model, callbacks=(), *, first=0, last=2):
    model.fit(
        IMAGES,
        LABELS,
        batch_size=8,
        initial_epoch=first,
        epochs=last,
        callbacks=list(callbacks),
        verbose=0,
        shuffle=False,
    )
    return model


def outputs_of(model):
    return keras.ops.convert_to_numpy(model(IMAGES, training=False))


def prune_now(model, callback, epoch=1):
    """Do what the callback does at the end of an epoch, without the epoch."""
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(epoch - 1)


def edit(layer, **changes):
    """Let functions alter copies of a layer's weights in place."""
    for name, change in changes.items():
        array = np.array(keras.ops.convert_to_numpy(getattr(layer, name)))
        change(array)
        getattr(layer, name).assign(array)


def plant(model, name, source, target, *, mirror=False):
    """Make map `target` of a convolution and its normalization a copy, or a mirror image."""

    def copy(array):
        array[..., target] = array[..., source]

    def turn(array):
        array[target] = -array[source] if mirror else array[source]

    conv = model.get_layer(f"{name}_conv")
    edit(conv, kernel=copy, **({"bias": copy} if conv.use_bias else {}))
    normalization = model.get_layer(f"{name}_normalization")
    edit(normalization, gamma=turn, beta=turn, moving_mean=copy, moving_variance=copy)


def give_same_rows(layer, source, target, name="kernel"):
    def change(array):
        array[..., target, :] = array[..., source, :]

    edit(layer, **{name: change})


def found_in(plan):
    return {one.layer: one.removed for one in plan.layers}

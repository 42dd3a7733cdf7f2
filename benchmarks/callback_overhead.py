"""What removal, history and saving cost an epoch, against plain `model.fit`.

    python -m benchmarks.callback_overhead [--quick]

Ours is an epoch through `fit_epochs` with the history, a `BimodalDistributionRemoval` that keeps
watch but scores nothing (a scoring pass is inference over the training rows: it costs what
inference costs) and a `TrainingState` that saves every epoch to the disk. The peer is
`model.fit` of the same model on the same stream of 4,000 random images of 96 × 96 from memory. The
promise: at most 1.03 times the peer.
"""

import dataclasses
import os
import tempfile
from pathlib import Path

BAR = 1.03


@dataclasses.dataclass(frozen=True)
class Config:
    images: int = 4000  # random faces held in memory, as uint8
    image_size: int = 96  # pixels, height and width
    batch_size: int = 64
    repetitions: int = 5  # epochs of each side, alternating
    quick: bool = False  # 256 images, 2 repetitions: shows that it runs, measures nothing


def make_epochs(config: Config, folder: Path):
    """Return two functions that train one epoch each: ours, the peer."""
    import keras
    import numpy as np
    import tensorflow as tf

    from affectkeras.callbacks.bimodal_distribution_removal import BimodalDistributionRemoval
    from affectkeras.callbacks.training_loop import fit_epochs
    from affectkeras.callbacks.training_state import TrainingState
    from affectkeras.pipelines.pixel_store import pipeline_options, usable_cores
    from affectkeras.pipelines.sampler import RowSampler

    generator = np.random.default_rng(0)
    shape = (config.images, config.image_size, config.image_size, 3)
    pixels = generator.integers(0, 256, shape, dtype=np.uint8)
    labels = generator.integers(0, 7, config.images)
    sampler = RowSampler(np.arange(config.images), seed=0, batch_size=config.batch_size)
    model = keras.applications.MobileNet(
        input_shape=shape[1:],
        alpha=0.25,
        weights=None,
        classes=7,
        classifier_activation=None,
    )
    # One model for both: the weights do not change what an epoch costs, a second model would
    # be traced a second time.
    model.compile(
        keras.optimizers.Adam(1e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    def fetch(rows):
        return pixels[rows].astype(np.float32) / 127.5 - 1.0, labels[rows]

    def load(rows):
        images, classes = tf.numpy_function(fetch, [rows], [tf.float32, tf.int64])
        return tf.ensure_shape(images, (None, *shape[1:])), tf.ensure_shape(classes, (None,))

    def make_dataset(first, last):
        orders = tf.data.Dataset.range(first, last).flat_map(
            lambda epoch: tf.data.Dataset.from_tensor_slices(
                tf.numpy_function(sampler.order, [epoch], tf.int64)
            ).batch(config.batch_size)
        )
        return (
            orders.map(load, num_parallel_calls=usable_cores())
            .prefetch(2)
            .with_options(pipeline_options())
        )

    removal = BimodalDistributionRemoval(
        sampler, _no_scores, labels, start_epoch=10**6, score_every_epoch=False
    )
    parts = {"sampler": sampler, "removal": removal}
    history: list[dict] = []

    def ours():
        saving = TrainingState(folder / "checkpoint.npz", parts, history)
        epoch = len(history)
        fit_epochs(
            model,
            make_dataset,
            sampler,
            first_epoch=epoch,
            last_epoch=epoch + 1,
            callbacks=[removal, saving],
            history=history,
            verbose=0,
        )

    def peer():
        epoch = len(history)
        model.fit(
            make_dataset(epoch, epoch + 1),
            steps_per_epoch=sampler.steps,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
        )

    return ours, peer


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/callback_overhead.json` (not when quick), return it."""
    from benchmarks.keeping import keep_result
    from benchmarks.side_by_side import measure_alternately

    if config.quick:
        config = dataclasses.replace(config, images=256, repetitions=2)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        ours, peer = make_epochs(config, Path(folder))
        peer()  # traces the train step
        ours()
        measured = measure_alternately({"ours": ours, "peer": peer}, config.repetitions)
        saved_bytes = (Path(folder) / "checkpoint.npz").stat().st_size
    found = {
        "case": f"MobileNet 0.25, {config.images} images of {config.image_size}², seconds an epoch",
        "ours": measured["medians"]["ours"],
        "peer": measured["medians"]["peer"],
        "ratio": measured["ratio"],
        "bar": BAR,
        "passed": measured["ratio"] <= BAR,
        "saved_bytes": saved_bytes,
        "figures": measured["figures"],
    }
    result = keep_result("callback_overhead", config, found, load_before=load_before)
    print(f"ours {result['ours']:.2f} s, model.fit {result['peer']:.2f} s an epoch: ", end="")
    print(f"{result['ratio']:.3f} times (bar {BAR})")
    return result


def _no_scores(rows):
    raise RuntimeError("The benchmark must not score.")


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))

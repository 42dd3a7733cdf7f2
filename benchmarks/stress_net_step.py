"""A training step of StressNet: ours against the same network in PyTorch.

    python -m benchmarks.stress_net_step [--quick]        (needs the extra `bench`)

Batches of 16 images of 240 × 240 × 3, Adam, binary cross-entropy; the images lie in memory. Ours is
`model.fit`, with the layers' two convolutions apart, as shipped, and as one (`fused=True`). The
peer computes them one after the other, as the paper's equation stands, in whichever of PyTorch's
two memory formats is faster. All take turns.

The promises, as the peer's time over ours: 1.0 with two branches, 1.1 as shipped.
"""

import dataclasses
import os

# Case → contestant and bar: what is shipped are two branches.
BARS = {
    "two branches": ("two branches", 1.0),
    "as shipped": ("two branches", 1.1),
    "one fused convolution": ("fused", None),
}
FORMATS = ("contiguous_format", "channels_last")


@dataclasses.dataclass(frozen=True)
class Config:
    batch_size: int = 16  # as in the paper
    image_size: int = 240  # pixels, height and width, as in the paper
    steps: int = 10  # of each contestant in a repetition
    repetitions: int = 25  # alternating
    cores: int = 2  # threads of each
    quick: bool = False  # images of 48 pixels, 2 repetitions: shows that it runs, measures nothing


def make_ours(images, labels, fused: bool, steps: int):
    """Return a function that trains our network for some steps."""
    import keras
    import tensorflow as tf

    from affectkeras.models.stress_net import build_stress_net
    from affectkeras.pipelines.pixel_store import pipeline_options

    model = build_stress_net(2, images.shape[1:3], images.shape[3], fused=fused)
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    batches = tf.data.Dataset.from_tensors((images, labels)).repeat()
    # As our pipelines have it: else the tuner of tf.data keeps each `fit` waiting for a second.
    batches = batches.with_options(pipeline_options())

    def run():
        model.fit(batches, steps_per_epoch=steps, verbose=0)

    run()
    return run


def make_peer(images, labels, memory_format: str, steps: int):
    """Return a function that trains PyTorch's network for some steps."""
    import torch

    from benchmarks.torch_stress_net import stress_net

    memory_format = getattr(torch, memory_format)
    network = stress_net(images.shape[3]).to(memory_format=memory_format).train()
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    labels = torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loss = torch.nn.BCEWithLogitsLoss()

    def run():
        for _ in range(steps):
            optimizer.zero_grad()
            value = loss(network(images), labels)
            value.backward()
            optimizer.step()
        return value.item()

    run()
    return run


def measure(config: Config) -> dict:
    """Return the medians of all contestants in milliseconds a step, and the single figures."""
    import numpy as np
    import tensorflow as tf
    import torch

    from benchmarks.side_by_side import measure_alternately

    tf.config.threading.set_intra_op_parallelism_threads(config.cores)
    tf.config.threading.set_inter_op_parallelism_threads(config.cores)
    torch.set_num_threads(config.cores)
    shape = (config.batch_size, config.image_size, config.image_size, 3)
    images = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    labels = (np.arange(config.batch_size, dtype=np.float32) % 2)[:, None]
    contestants = {
        "two branches": make_ours(images, labels, False, config.steps),
        "fused": make_ours(images, labels, True, config.steps),
        **{name: make_peer(images, labels, name, config.steps) for name in FORMATS},
    }
    found = measure_alternately(contestants, config.repetitions)
    milliseconds = {
        name: [1000 * seconds / config.steps for seconds in figures]
        for name, figures in found["figures"].items()
    }
    medians = {name: 1000 * seconds / config.steps for name, seconds in found["medians"].items()}
    return {"medians": medians, "figures": milliseconds}


def cases_of(medians: dict[str, float]) -> list[dict]:
    """Return one case for each promise, against the faster memory format."""
    fastest = min(FORMATS, key=lambda name: medians[name])
    return [
        {
            "case": f"{name}: ms a step, batch 16, and PyTorch's ({fastest})",
            "ours": medians[ours],
            "peer": medians[fastest],
            "ratio": medians[fastest] / medians[ours],
            "bar": bar,
            "passed": None if bar is None else medians[fastest] / medians[ours] >= bar,
        }
        for name, (ours, bar) in BARS.items()
    ]


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/stress_net_step.json` (not when quick), return it."""
    from affectkeras.quiet import start_tensorflow
    from benchmarks.keeping import keep_result

    start_tensorflow()
    import torch

    if config.quick:
        config = dataclasses.replace(config, image_size=48, steps=2, repetitions=2)
    load_before = os.getloadavg()[0]
    measured = measure(config)
    found = {
        "cases": cases_of(measured["medians"]),
        "medians": measured["medians"],
        "figures": measured["figures"],
        "peer": f"torch {torch.__version__}",
    }
    result = keep_result("stress_net_step", config, found, load_before=load_before)
    for case in result["cases"]:
        print(f"{case['case']}: {case['ours']:.0f}, {case['peer']:.0f}: ", end="")
        print(f"{case['ratio']:.3f} (bar {case['bar']})")
    return result


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))

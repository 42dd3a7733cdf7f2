"""A training step of the video report's network: ours against the report's way in PyTorch.

    python -m benchmarks.cnn_gru_step [--quick]        (needs the extra `bench`)

Batches of 8 videos of 10 frames of 224 × 224, Adam, mean squared error; the pixels lie in memory,
ours in [0, 255] and to be rescaled, the peer's in [0, 1]. Ours is `model.fit`. The peer sends the
frames through the convolutions time by time and the features through a cell step by step, as
figures 5 and 6 of the report have it, in whichever of PyTorch's two memory formats is faster.
Beside it: what the part for single frames takes to encode a long video, in batches of 32.

All take turns, each in a process of its own, where no other library's threads stand in its way.
The report does not tell how many features and numbers of state there were: they are our defaults.

The promises, as the peer's time over ours: 1.0 of a training step, 1.0 of encoding.
"""

import contextlib
import dataclasses
import multiprocessing
import os
from collections.abc import Callable, Iterator

FORMATS = ("contiguous_format", "channels_last")
FRAMES_ENCODED = 32


@dataclasses.dataclass(frozen=True)
class Config:
    batch_size: int = 8  # videos, as in the report
    time: int = 10  # frames of each, as in the report
    image_size: int = 224  # pixels, height and width, as in the report
    features: int = 128  # of each frame; the report does not tell
    hidden_size: int = 64  # of the GRU; the report does not tell
    steps: int = 2  # of each contestant in a repetition
    repetitions: int = 25  # alternating
    cores: int = 2  # threads of each
    quick: bool = False  # frames of 32 pixels, 2 repetitions: shows that it runs, measures nothing


def make_ours(config: Config) -> dict[str, Callable[[], object]]:
    """Return what trains our network for some steps, and what encodes frames with it."""
    from affectkeras.quiet import start_tensorflow

    start_tensorflow()
    import keras
    import tensorflow as tf

    from affectkeras.models.cnn_gru import build_cnn_gru, frame_encoder
    from affectkeras.pipelines.pixel_store import pipeline_options

    tf.config.threading.set_intra_op_parallelism_threads(config.cores)
    tf.config.threading.set_inter_op_parallelism_threads(config.cores)
    videos, targets = make_data(config)
    model = build_cnn_gru(
        1, config.image_size, features=config.features, hidden_size=config.hidden_size
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    batches = tf.data.Dataset.from_tensors((videos, targets[..., None])).repeat()
    # As our pipelines have it: else the tuner of tf.data keeps each `fit` waiting for a second.
    batches = batches.with_options(pipeline_options())
    encoder, frames = frame_encoder(model), first_frames(videos)
    return {
        "train": lambda: model.fit(batches, steps_per_epoch=config.steps, shuffle=False, verbose=0),
        "encode": lambda: encoder.predict_on_batch(frames),
    }


def make_peer(config: Config, memory_format: str) -> dict[str, Callable[[], object]]:
    """Return what trains PyTorch's network for some steps, and what encodes frames with it."""
    import torch

    from benchmarks.torch_cnn_gru import CnnGru

    torch.set_num_threads(config.cores)
    memory_format = getattr(torch, memory_format)
    network = CnnGru(config.features, config.hidden_size, config.image_size)
    network = network.to(memory_format=memory_format).train()
    videos, targets = (torch.from_numpy(array) for array in make_data(config))
    # The frames of one time lie as the format has it, whichever time it is.
    videos = (videos / 255).permute(0, 1, 4, 2, 3)
    frames = first_frames(videos).contiguous(memory_format=memory_format)
    if memory_format == torch.contiguous_format:
        videos = videos.contiguous()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loss = torch.nn.MSELoss()

    def train():
        for _ in range(config.steps):
            optimizer.zero_grad()
            loss(network(videos), targets).backward()
            optimizer.step()

    def encode():
        with torch.inference_mode():
            return network.encode(frames).numpy()

    return {"train": train, "encode": encode}


def make_data(config: Config):
    """Return pixels in [0, 255], `(batch, time, height, width, 3)`, and targets in [-1, 1]."""
    import numpy as np

    generator = np.random.default_rng(0)
    shape = (config.batch_size, config.time, config.image_size, config.image_size, 3)
    videos = generator.uniform(0, 255, shape).astype(np.float32)
    return videos, generator.uniform(-1, 1, shape[:2]).astype(np.float32)


def first_frames(videos):
    """Return the first frames of all videos, `(frames, …)`."""
    return videos.reshape(-1, *videos.shape[2:])[:FRAMES_ENCODED]


@contextlib.contextmanager
def elsewhere(make: Callable, *arguments) -> Iterator[Callable[[str], None]]:
    """Give what runs one of the functions that `make` returns, by name, in a process of its own.

    Each has run twice when it is given.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, make, arguments), daemon=True)
    process.start()
    there.close()

    def run(name: str) -> None:
        here.send(name)
        here.recv()

    here.recv()
    try:
        yield run
    finally:
        here.close()
        process.join()


def _serve(connection, make: Callable, arguments: tuple) -> None:
    functions = make(*arguments)
    for function in (*functions.values(), *functions.values()):
        function()
    connection.send(None)
    with contextlib.suppress(EOFError):
        while True:
            functions[connection.recv()]()
            connection.send(None)


def measure(config: Config) -> dict:
    """Return medians in milliseconds, of a step and of a frame, and the single figures."""
    from benchmarks.side_by_side import measure_alternately

    frames = min(FRAMES_ENCODED, config.batch_size * config.time)
    units = {"train": config.steps, "encode": frames}
    found = {}
    with contextlib.ExitStack() as stack:
        runs = {"ours": stack.enter_context(elsewhere(make_ours, config))}
        for name in FORMATS:
            runs[name] = stack.enter_context(elsewhere(make_peer, config, name))
        for task, count in units.items():
            contestants = {name: lambda run=run, task=task: run(task) for name, run in runs.items()}
            measured = measure_alternately(contestants, config.repetitions)
            found[task] = {
                "medians": {name: 1000 * one / count for name, one in measured["medians"].items()},
                "figures": {
                    name: [1000 * one / count for one in figures]
                    for name, figures in measured["figures"].items()
                },
            }
    return found


def cases_of(measured: dict) -> list[dict]:
    """Return one case for each promise, against the faster memory format."""
    words = {
        "train": "ms a training step, 8 videos of 10 frames",
        "encode": f"ms a frame encoded, batches of {FRAMES_ENCODED}",
    }
    cases = []
    for task, found in measured.items():
        medians = found["medians"]
        fastest = min(FORMATS, key=medians.get)
        ratio = medians[fastest] / medians["ours"]
        cases.append(
            {
                "case": f"{words[task]}, and PyTorch's ({fastest})",
                "ours": medians["ours"],
                "peer": medians[fastest],
                "ratio": ratio,
                "bar": 1.0,
                "passed": ratio >= 1.0,
            }
        )
    return cases


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/cnn_gru_step.json` (not when quick), return it."""
    import importlib.metadata

    from benchmarks.keeping import keep_result

    if config.quick:
        config = dataclasses.replace(config, image_size=32, repetitions=2)
    load_before = os.getloadavg()[0]
    measured = measure(config)
    found = {
        "cases": cases_of(measured),
        "medians": {task: one["medians"] for task, one in measured.items()},
        "figures": {task: one["figures"] for task, one in measured.items()},
        "peer": f"torch {importlib.metadata.version('torch')}",
    }
    result = keep_result("cnn_gru_step", config, found, load_before=load_before)
    for case in result["cases"]:
        print(f"{case['case']}: {case['ours']:.1f}, {case['peer']:.1f}: ", end="")
        print(f"{case['ratio']:.3f} (bar {case['bar']})")
    return result


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))

"""Whether a network with half the multiplications takes half the time.

    python -m benchmarks.pruning_latency [--quick]

ResNet50 and VGG16 lose 1 − 1/√2 of every width, rounded to multiples of 8, and with it half their
multiplications (MACs). The ideal is the time of the whole network times the ratio of the MACs; the
promise: at most 1.15 times that, at batch 1 and 16, on images of 224 × 224. Whole and pruned take
turns, so that whatever else the machine does falls on both.

Beside it, Torch-Pruning 1.6 (where it is installed) does the same to the same architectures in
PyTorch: its own whole network, its own ideal.
"""

import dataclasses
import os

BAR = 1.15
HALF = 1 - 0.5**0.5  # of each width, so that half of the MACs goes


@dataclasses.dataclass(frozen=True)
class Config:
    families: tuple[str, ...] = ("ResNet50", "VGG16")
    batches: tuple[int, ...] = (1, 16)
    image_size: int = 224  # pixels, height and width
    repetitions: int = 9  # batches through each network, alternating
    quick: bool = False  # images of 64 pixels, 2 repetitions: shows that it runs, measures nothing


def keras_networks(family: str, image_size: int) -> tuple:
    """Return a network, the pruned one, and the ratio of their MACs."""
    from affectkeras.pruning.counting import count_macs
    from affectkeras.pruning.importance import plan_by_importance
    from affectkeras.pruning.surgery import prune_model
    from benchmarks.pruning import build_network

    whole = build_network(family, image_size)
    plan = plan_by_importance(whole, HALF, multiple_of=8)
    pruned = prune_model(whole, plan)
    return whole, pruned, count_macs(pruned) / count_macs(whole)


def torch_networks(family: str, image_size: int) -> tuple:
    """Return what `keras_networks` does, in PyTorch by Torch-Pruning."""
    import torch
    import torch_pruning

    from benchmarks.torch_networks import NETWORKS

    whole, pruned = (NETWORKS[family]().eval() for _ in range(2))
    images = torch.zeros(1, 3, image_size, image_size)
    last = [one for one in pruned.modules() if isinstance(one, torch.nn.Linear)][-1]
    torch_pruning.pruner.BasePruner(
        pruned,
        images,
        importance=torch_pruning.importance.MagnitudeImportance(p=1),
        pruning_ratio=HALF,
        ignored_layers=[last],
        round_to=8,
    ).step()
    before, after = (
        torch_pruning.utils.count_ops_and_params(n, images)[0] for n in (whole, pruned)
    )
    return whole, pruned, after / before


def torch_run(network, batch: int, image_size: int):
    """Return a function that sends a batch through a PyTorch network once."""
    import torch

    images = torch.rand(batch, 3, image_size, image_size)

    def run():
        with torch.inference_mode():
            return network(images)

    run()
    return run


def measure(networks: tuple, run_of, case: str, config: Config) -> dict:
    """Return how a pruned network's time compares to the ideal, as a case of the result."""
    from benchmarks.side_by_side import measure_alternately

    whole, pruned, ratio = networks
    contestants = {"pruned": run_of(pruned), "whole": run_of(whole)}
    measured = measure_alternately(contestants, config.repetitions)
    ideal = measured["medians"]["whole"] * ratio
    found = measured["medians"]["pruned"] / ideal
    return {
        "case": f"{case}: ms, and ms ideally",
        "ours": 1000 * measured["medians"]["pruned"],
        "peer": 1000 * ideal,
        "ratio": found,
        "bar": BAR,
        "passed": found <= BAR,
        "macs_ratio": ratio,
        "whole_ms": 1000 * measured["medians"]["whole"],
        "figures": measured["figures"],
    }


def measure_family(family: str, config: Config) -> list[dict]:
    """Return the cases of one network: ours, and Torch-Pruning's without a bar."""
    import numpy as np

    from benchmarks.pruning import latency_run

    size, cases = config.image_size, []
    networks = keras_networks(family, size)
    for batch in config.batches:
        images = np.random.default_rng(0).random((batch, size, size, 3), np.float32)
        case = f"{family}, batch {batch}"
        found = measure(networks, lambda one, images=images: latency_run(one, images), case, config)
        cases.append(found)
        print(f"{case}: {found['ratio']:.3f} times the ideal (bar {BAR})", flush=True)
    if not has_torch_pruning():
        return cases
    networks = torch_networks(family, size)
    for batch in config.batches:
        case = f"{family}, batch {batch}, Torch-Pruning"
        found = measure(networks, lambda one, n=batch: torch_run(one, n, size), case, config)
        cases.append({**found, "bar": None, "passed": None})
        print(f"{case}: {found['ratio']:.3f} times its ideal", flush=True)
    return cases


def has_torch_pruning() -> bool:
    """Return whether PyTorch and Torch-Pruning can be imported."""
    try:
        import torch_pruning  # noqa: F401
    except ImportError:
        return False
    return True


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/pruning_latency.json` (not when quick), return it."""
    from affectkeras.quiet import start_tensorflow
    from benchmarks.keeping import keep_result

    start_tensorflow()
    if config.quick:
        config = dataclasses.replace(config, image_size=64, repetitions=2)
    load_before = os.getloadavg()[0]
    cases = [case for family in config.families for case in measure_family(family, config)]
    found = {
        "cases": cases,
    }
    return keep_result("pruning_latency", config, found, load_before=load_before)


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))

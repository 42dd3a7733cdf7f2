"""What structural pruning leaves of every family in `keras.applications`.

    python -m benchmarks.pruning [--quick]

Each network has random weights and random BatchNormalization statistics (with those of a new one
the proof would be about nothing). The least important 30 % of every group of coupled channels that
may go goes, by the L1 norm of the filters. The promises: at least 80 % of the maps that the
convolutions make may go, the parameters fall by at least 25 %, and the pruned network equals the
original with those maps masked, to a relative error of 1e-4.

ConvNeXt makes no first promise: LayerNormalization stands behind the stem, at the head of every
down-sampling and behind every depthwise convolution, and the sums of each stage lead there. What
may go is the inner width of its blocks. Its pointwise convolutions are dense layers: they count.
"""

import dataclasses
import os

FAMILIES = (
    *("VGG16", "VGG19", "ResNet50", "ResNet50V2", "ResNet152", "InceptionV3", "InceptionResNetV2"),
    *("Xception", "MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large"),
    *("DenseNet121", "NASNetMobile", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny"),
)
WITHOUT_SHARE = ("ConvNeXtTiny",)
QUICK = ("MobileNetV3Small", "ConvNeXtTiny")
SHARE, PARAMETERS, ERROR = 0.80, 0.75, 1e-4
CHANGE = 0.01  # a removal that changes less shows little
HEADER = (
    *("Network", "Prunable maps", "Maps", "Parameters (M)", "MACs (M)", "Latency (ms)"),
    *("Relative error (of a change of)", "Met"),
)


@dataclasses.dataclass(frozen=True)
class Config:
    families: tuple[str, ...] = FAMILIES
    fraction: float = 0.3  # of the channels of every group that may go
    image_size: int = 96  # pixels, height and width
    repetitions: int = 15  # single images through each model, alternating
    quick: bool = False  # two families, 2 repetitions: shows that it runs


def build_network(family: str, image_size: int):
    """Return a network with its top and without softmax, so that the proof sees every logit."""
    import keras

    build = getattr(keras.applications, family)
    shape = (image_size, image_size, 3)
    network = build(weights=None, input_shape=shape, classifier_activation=None)
    give_statistics(network)
    return network


def give_statistics(network, seed: int = 0) -> None:
    """Give normalizations and biases random values; those of a new network change nothing."""
    import numpy as np

    generator = np.random.default_rng(seed)
    for weight in network.weights:
        if weight.name in ("beta", "moving_mean", "bias"):
            weight.assign(generator.normal(0, 0.2, weight.shape))
        elif len(weight.shape) == 1:  # scales and variances; a LayerScale of 1e-6 hides its block
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))


def map_counts(network) -> tuple[int, int]:
    """Return how many maps convolutions make, and how many of them may go.

    A dense layer that works on maps is a pointwise convolution; one on a vector is none.
    """
    from affectkeras.pruning.graph import ChannelGraph

    graph = ChannelGraph(network)
    made = may_go = 0
    for group in graph.groups():
        for path, indices in group.members:
            if len(graph.layers[path].operation.output.shape) > 2:
                made += len(indices)
                may_go += len(indices) * group.prunable
    return made, may_go


def measure_family(family: str, config: Config) -> dict:
    """Prune one network and return its figures."""
    import keras
    import numpy as np

    from affectkeras.pruning.counting import count_macs, count_parameters
    from affectkeras.pruning.importance import plan_by_importance
    from affectkeras.pruning.proof import random_inputs, relative_error, verify_pruned
    from affectkeras.pruning.surgery import prune_model
    from benchmarks.side_by_side import measure_alternately

    keras.utils.clear_session()
    network = build_network(family, config.image_size)
    plan = plan_by_importance(network, config.fraction)
    pruned = prune_model(network, plan, verify=False)
    error = verify_pruned(network, pruned, plan, tolerance=float("inf"))
    images = random_inputs(network)[0]
    runs = {name: latency_run(one, images[:1]) for name, one in (("a", pruned), ("b", network))}
    times = measure_alternately(runs, config.repetitions)["medians"]
    outputs = [np.asarray(one(images, training=False)) for one in (network, pruned)]
    made, may_go = map_counts(network)
    found = {
        "family": family,
        "prunable_share": may_go / made,
        "maps": [made, map_counts(pruned)[0]],
        "parameters": [count_parameters(one) for one in (network, pruned)],
        "macs": [count_macs(one) for one in (network, pruned)],
        "latency_ms": [1000 * times["b"], 1000 * times["a"]],
        "relative_error": error,
        # Of the whole network to the pruned one: the proof is not about nothing.
        "relative_change": relative_error(*outputs),
    }
    kept = found["parameters"][1] / found["parameters"][0]
    enough = found["prunable_share"] >= SHARE or family in WITHOUT_SHARE
    told = found["relative_change"] >= CHANGE
    return {**found, "passed": enough and told and kept <= PARAMETERS and error <= ERROR}


def latency_run(network, images):
    """Return a function that sends images through a network once, compiled and warm."""
    import tensorflow as tf

    images = tf.constant(images)
    compiled = tf.function(lambda batch: network(batch, training=False))

    def run():
        return compiled(images).numpy()

    run()
    run()
    return run


def pruning_table(families: list[dict]) -> str:
    """Return the figures before and after as a Markdown table."""
    lines = [HEADER, ("---",) * len(HEADER)]
    for one in families:
        before_after = [
            f"{one['maps'][0]:,} → {one['maps'][1]:,}",
            *(_pair(one[name], 1e6) for name in ("parameters", "macs")),
            _pair(one["latency_ms"], 1),
        ]
        share = f"{100 * one['prunable_share']:.1f} %"
        met = "yes" if one["passed"] else "no"
        error = f"{one['relative_error']:.1e} ({one['relative_change']:.2f})"
        lines.append((one["family"], share, *before_after, error, met))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _pair(values: list, unit: float) -> str:
    before, after = (value / unit for value in values)
    digits = 1 if before >= 10 else 2
    return f"{before:,.{digits}f} → {after:,.{digits}f} ({after / before:.2f})"


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/pruning.json` (not when quick), print the table."""
    from affectkeras.quiet import start_tensorflow
    from benchmarks.keeping import keep_result

    start_tensorflow()
    if config.quick:
        config = dataclasses.replace(config, families=QUICK, repetitions=2)
    load_before = os.getloadavg()[0]
    families = []
    for family in config.families:
        families.append(measure_family(family, config))
        print(pruning_table(families).splitlines()[-1], flush=True)
    found = {
        "families": families,
        "passed": all(one["passed"] for one in families),
        "bars": {"prunable_share": SHARE, "parameters": PARAMETERS, "relative_error": ERROR},
    }
    result = keep_result("pruning", config, found, load_before=load_before)
    print(pruning_table(families))
    return result


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))

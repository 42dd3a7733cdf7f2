"""LPQ and PHOG features: ours on arrays against plain Python, pixel by pixel.

    python -m benchmarks.lpq_phog [--quick]

Both compute the same features of the same made-up pictures (blurred noise, so that edges and even
areas are among them): equal to 1e-6, or the benchmark stops. The plain version works pixel by pixel
as the papers' formulas say, its waves and edges computed before.

The promise: 10 times as fast.
"""

import dataclasses
import os
from collections.abc import Callable

BAR = 10.0
TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Config:
    pictures: int = 4  # of which features are computed in a run
    side: int = 64  # pixels
    window: int = 7  # of LPQ, pixels
    cells: int = 4  # of LPQ, down and across
    levels: int = 3  # of PHOG, beside the whole picture
    bins: int = 8  # of PHOG, over 360 degrees
    repetitions: int = 7  # of each contestant, alternating
    quick: bool = False  # small pictures, 1 repetition: shows that it runs, measures nothing


def make_pictures(count: int, side: int, seed: int = 0):
    """Return grey pictures of blurred noise, whole levels as float64 `(count, side, side)`."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=(count, side, side))
    smooth = gaussian_filter(noise, (0, 2, 2))
    return np.clip(128 + 400 * smooth, 0, 255).round()


def contestants(pictures, config: Config) -> dict[str, tuple[Callable, Callable]]:
    """Return for each feature what computes it: ours, and the plain version."""
    from affectkeras.features.gradient_pyramid import canny_edges, pyramid_of_gradients
    from affectkeras.features.local_phase import decorrelation, local_phase_quantization
    from benchmarks.plain_features import plain_lpq, plain_phog

    grid = (config.cells, config.cells)
    rotation = decorrelation(config.window).tolist()
    plain = [one.tolist() for one in pictures]
    edges = canny_edges(pictures)
    masks = [mask.tolist() for mask in edges]
    phog = {"levels": config.levels, "bins": config.bins, "degrees": 360}
    return {
        "LPQ": (
            lambda: local_phase_quantization(pictures, window=config.window, grid=grid),
            lambda: [plain_lpq(one, config.window, grid, rotation) for one in plain],
        ),
        "PHOG": (
            lambda: pyramid_of_gradients(pictures, edges=edges, **phog),
            lambda: [
                plain_phog(one, edges=mask, **phog) for one, mask in zip(plain, masks, strict=True)
            ],
        ),
    }


def measure(name: str, ours: Callable, plain: Callable, config: Config) -> dict:
    """Return the case of one feature.

    Raises:
        ValueError: when the two differ.
    """
    import numpy as np

    from benchmarks.side_by_side import measure_alternately

    difference = float(np.abs(np.asarray(ours()) - np.asarray(plain())).max())  # warm
    if not difference <= TOLERANCE:
        raise ValueError(f"{name}: the features differ by up to {difference:.2g}")
    both = {"ours": ours, "plain Python": plain}
    found = measure_alternately(both, config.repetitions, units=config.pictures)
    return {
        "case": f"{name} of {config.side} × {config.side} pixels, pictures/s",
        "ours": found["medians"]["ours"],
        "peer": found["medians"]["plain Python"],
        "peer_configuration": "plain Python, pixel by pixel",
        "ratio": found["ratio"],
        "bar": BAR,
        "passed": found["ratio"] >= BAR,
        "largest_difference": difference,
        "figures": found["figures"],
    }


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/lpq_phog.json` (not when quick), return it."""
    from benchmarks.keeping import keep_result

    if config.quick:
        config = dataclasses.replace(config, pictures=2, side=24, cells=2, levels=2, repetitions=1)
    load_before = os.getloadavg()[0]
    pictures = make_pictures(config.pictures, config.side)
    cases = [measure(name, *both, config) for name, both in contestants(pictures, config).items()]
    for case in cases:
        print(
            f"{case['case']}: {case['ours']:.0f}, plain Python {case['peer']:.2f}: "
            f"{case['ratio']:.0f} times; largest difference {case['largest_difference']:.1g}"
        )
    found = {"cases": cases, "passed": all(case["passed"] for case in cases)}
    return keep_result(
        "lpq_phog", config, found, load_before=load_before, packages=["opencv-python-headless"]
    )


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))

"""How fast the backbones of the zoo are on this machine, measured once and kept in the cache."""

import hashlib
import json
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from affectkeras.cache import cache_dir
from affectkeras.environment import environment
from affectkeras.errors import UserError
from affectkeras.files import write_json
from affectkeras.transfer.backbones import Backbone

BATCH_SIZE = 8
REPEATS = (5, 30)  # at least and at most
ENOUGH_S = 2.0  # no more repeats after so many seconds


def measure_backbones(
    backbones: Sequence[Backbone], image_size: int | None = None
) -> dict[str, dict]:
    """Return the speed of every backbone by its name, from the cache where it is known already.

    Args:
        backbones: of the zoo.
        image_size: height and width in pixels; None: each at the size it was trained at.

    Returns:
        name → `latency_ms` (median, one image), `features_per_second` (batches of `batch_size`),
        `measured_size`, `measured_at_own_size`, `batch_size` and `machine`.

    Raises:
        UserError: when a backbone cannot take images so small.
    """
    for backbone in backbones:
        if image_size is not None and image_size < backbone.min_size:
            raise UserError(
                f"--image-size {image_size}: {backbone.name} needs images of at least "
                f"{backbone.min_size}×{backbone.min_size} pixels. Give a larger size, or choose "
                "backbones by --only."
            )
    from affectkeras.quiet import quiet_start, start_tensorflow

    if environment()["backend"] == "tensorflow":
        start_tensorflow()  # with the settings that trainings have
    with quiet_start():
        import keras

        devices = keras.distribution.list_devices()
    from tqdm import tqdm

    facts = _machine_facts(devices)
    found = {}
    bar = tqdm(backbones, unit="model", disable=None)  # None: no bar where nobody watches
    for backbone in bar:
        bar.set_postfix_str(backbone.name)
        size = image_size or backbone.default_size
        path = _cache_file(backbone, size, facts)
        if not path.exists():
            write_json(path, {"facts": facts, "speed": measure_backbone(backbone, size)})
            keras.backend.clear_session()
        speed = json.loads(path.read_text(encoding="utf-8"))["speed"]
        own = image_size is None
        found[backbone.name] = {
            **speed,
            "measured_size": size,
            "measured_at_own_size": own,
            "batch_size": BATCH_SIZE,
            "machine": _machine_words(facts),
        }
    return found


def measure_backbone(backbone: Backbone, size: int) -> dict[str, float]:
    """Return the latency and the throughput of a backbone from pixels to pooled features.

    The weights are random: which they are does not matter for the time.
    """
    import keras
    import numpy as np

    from affectkeras.transfer.zoo import build_backbone, build_preprocessing

    images = keras.Input((size, size, 3), dtype="float32")
    preprocessing = build_preprocessing(backbone, (size, size))
    pixels = images if preprocessing is None else preprocessing(images)
    network = build_backbone(backbone, (size, size), "none")
    model = keras.Model(images, network(pixels))
    random = np.random.default_rng(0).uniform(0, 255, (BATCH_SIZE, size, size, 3))
    random = random.astype(np.float32)
    latency = _median_seconds(lambda: model.predict_on_batch(random[:1]))
    batch = _median_seconds(lambda: model.predict_on_batch(random))
    return {"latency_ms": 1000 * latency, "features_per_second": BATCH_SIZE / batch}


def _median_seconds(step) -> float:
    """Return the median time of a step after one that is not counted: it compiles."""
    step()
    least, most = REPEATS
    times: list[float] = []
    while len(times) < least or (len(times) < most and sum(times) < ENOUGH_S):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _machine_facts(devices: Sequence[str]) -> dict:
    known = environment()
    kept = ("backend", "keras", "tensorflow", "jax", "torch", "platform", "machine", "cpus")
    facts = {name: known[name] for name in kept}
    return {**facts, "processor": _processor(), "devices": list(devices), "batch_size": BATCH_SIZE}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _machine_words(facts: dict) -> str:
    accelerators = [one for one in facts["devices"] if not one.startswith("cpu")]
    if accelerators:
        return f"{len(accelerators)} {accelerators[0].split(':')[0].upper()} ({facts['backend']})"
    return f"{facts['cpus']} cores of {facts['processor']} ({facts['backend']})"


def _cache_file(backbone: Backbone, size: int, facts: dict) -> Path:
    key = json.dumps({"name": backbone.name, "size": size, **facts}, sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return cache_dir("zoo") / f"{backbone.name}-{size}-{digest}.json"

"""What a run on pruning keeps: its networks whole and pruned, the sweep, Table 1, maps of a face.

The parts of such a run are its whole networks, one per setting and seed. The facts of each
(`runs.part_facts`) hold `seed`, `arm`, `place` (of the setting among all), `epochs`,
`learning_rate`, `thresholds` (arm of a pruned network → angle in degrees), `sizes`
(arm → `size_facts`) and `average_accuracy`; its folder holds `<arm>.keras` of all its networks and
`<arm>.json`, the plan, of the pruned ones.
"""

import dataclasses
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from affectkeras import records, results, runs
from affectkeras.datasets.table import ExampleTable
from affectkeras.deployment import package_model, serve_model
from affectkeras.evaluation.splits import Split
from affectkeras.files import atomic_file
from affectkeras.media.images import decode_and_resize
from affectkeras.pruning.counting import count_macs, count_parameters
from affectkeras.pruning.modules import ModuleRow
from affectkeras.pruning.plan import PrunePlan
from affectkeras.pruning.sweep import SweepRow

SIZES = ("parameters", "macs", "maps", "maps_removed")


def sweep_frame(sweeps: dict[str, list[SweepRow]], seed: int) -> pd.DataFrame:
    """Return sweeps by arm as rows of `sweep.csv`; the score is the accuracy on validation rows."""
    rows = [
        {"arm": arm, "seed": seed, **dataclasses.asdict(row)}
        for arm, sweep in sweeps.items()
        for row in sweep
    ]
    return pd.DataFrame(rows).rename(columns={"score": "accuracy"})


def modules_frame(rows_of: dict[str, list[ModuleRow]], seed: int) -> pd.DataFrame:
    """Return what pruned networks are without single modules as rows of `modules.csv`, by arm."""
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "dropped": " ".join(row.dropped),
            "without": row.module,
            "parameters": row.parameters,
            "macs": row.macs,
            "accuracy": row.score,
        }
        for arm, found in rows_of.items()
        for row in found
    ]
    return pd.DataFrame(rows)


def size_facts(model: keras.Model, maps: int, plan: PrunePlan | None = None) -> dict[str, int]:
    """Return the sizes of a model: parameters, MACs of an example, maps before, maps removed.

    Args:
        model: whole, or what was left of it.
        maps: how many maps might have gone.
        plan: what went.
    """
    removed = sum(len(entry.removed) for entry in plan.layers) if plan else 0
    return {
        "parameters": count_parameters(model),
        "macs": count_macs(model),
        "maps": maps,
        "maps_removed": removed,
    }


def size_figures(facts: Sequence[dict]) -> dict:
    """Return `size_facts` of one arm, an entry per seed, as a part of the result's arm.

    Returns:
        `n` (maps that might have gone), each of `SIZES` and `removed_share` as mean and per seed.
    """
    found = {name: [one[name] for one in facts] for name in SIZES}
    found["removed_share"] = [one["maps_removed"] / one["maps"] for one in facts]
    spread = {
        name: {"mean": float(np.mean(values)), "per_seed": values} for name, values in found.items()
    }
    return {"n": facts[0]["maps"], **spread}


def summarise(run: Path, table: ExampleTable) -> dict:
    """Return every arm's figures of a run whose parts were merged.

    Returns:
        arm → part → figures as of `results.summarise`, each whole network before those pruned from
        it; the part `model` holds `size_figures`, and whole networks have the accuracy averaged
        over all epochs as `average_accuracy` of the part `validation`.
    """
    names = table.class_target.class_names
    found = results.summarise(runs.read_csv(run / "predictions.csv"), names)
    arms = {}
    for whole, facts in _settings(run).items():
        for arm in facts[0]["sizes"]:
            arms[arm] = {**found[arm], "model": size_figures([one["sizes"][arm] for one in facts])}
        watched = [one["average_accuracy"] for one in facts]
        average = {"mean": float(np.mean(watched)), "per_seed": watched}
        arms[whole]["validation"]["average_accuracy"] = average
    return arms


def whole_of(run: Path, arm: str) -> str:
    """Return the arm of the whole network that a pruned one comes from; a whole one's own."""
    return next(whole for whole, facts in _settings(run).items() if arm in facts[0]["sizes"])


def package(
    run: Path,
    table: ExampleTable,
    split: Split,
    arms: dict,
    *,
    model: str,
    image_size: tuple[int, int],
    formats: Sequence[str],
) -> tuple[dict, str]:
    """Package the best seed's network of every arm, with its plan, and serve the best.

    Args:
        run: the run folder.
        table, split: the faces and how they were divided.
        arms: of `summarise`.
        model: the network's name, before the arm in the names of folders.
        image_size: height and width in pixels that the networks take.
        formats: beside the SavedModel.

    Returns:
        What `package_model` says of each, and the arm that is served: the one of the highest
        accuracy on validation rows, of equals the smallest.
    """
    exports, best = {}, {}
    for whole, facts in _settings(run).items():
        for arm in facts[0]["sizes"]:
            seed = results.best_seed(arms[arm]["validation"])
            accuracy = max(arms[arm]["validation"]["accuracy"]["per_seed"])
            best[arm] = accuracy, -arms[arm]["model"]["parameters"]["mean"]
            part, folder = runs.part_dir(run, seed, whole), run / "models" / f"{model}-{arm}"
            exports[f"{model}-{arm}"] = package_model(
                part / f"{arm}.keras",
                folder,
                class_names=table.class_target.class_names,
                image_size=image_size,
                formats=formats,
                encoded_images=records.encoded_images(table, split.test[:40]),
            )
            if (part / f"{arm}.json").exists():
                shutil.copyfile(part / f"{arm}.json", folder / "plan.json")
    served = max(best, key=best.get)
    serve_model(run, run / "models" / f"{model}-{served}")
    return exports, served


def write_table_1(run: Path, arms: dict) -> None:
    """Write `table_1.csv`, the paper's Table 1: every whole network beside those pruned from it.

    The paper calls the part that is watched during training "test" and the part that is read once
    at the end "validation"; the columns keep these names. Figures are means over seeds.

    Args:
        run: the run folder.
        arms: of `summarise`.
    """
    rows = []
    for whole, facts in _settings(run).items():
        for pruned, threshold in facts[0]["thresholds"].items():
            sizes = arms[pruned]["model"]
            rows.append(
                {
                    "feature_maps": sizes["n"],
                    "epochs": facts[0]["epochs"],
                    "learning_rate": facts[0]["learning_rate"],
                    "threshold": threshold,
                    "average_test_accuracy": arms[whole]["validation"]["average_accuracy"]["mean"],
                    "validation_accuracy": arms[whole]["test"]["accuracy"]["mean"],
                    "feature_maps_pruned": sizes["maps_removed"]["mean"],
                    "validation_accuracy_after_pruning": arms[pruned]["test"]["accuracy"]["mean"],
                    "parameters_before": arms[whole]["model"]["parameters"]["mean"],
                    "parameters_after": sizes["parameters"]["mean"],
                }
            )
    runs.write_csv(run / "table_1.csv", pd.DataFrame(rows))


def show_maps(run: Path, keras_file: Path, table: ExampleTable, row: int) -> None:
    """Keep what the modules of a network make of one row's face, for the paper's Figure 1."""
    model = keras.models.load_model(keras_file, compile=False)
    (encoded,) = records.encoded_images(table, np.array([row]))
    face = np.asarray(decode_and_resize(encoded, model.input_shape[1:3]))
    ends: dict[str, str] = {}
    for layer in model.layers:
        found = re.match(r"(module\d+)_(activation|normalization)$", layer.name)
        if found:
            ends[found[1]] = layer.name  # the last of these two, where the module ends
    write_feature_maps(run / "feature_maps.npz", model, list(ends.values()), face)


def write_feature_maps(
    path: Path, model: keras.Model, layers: Sequence[str], face: np.ndarray
) -> None:
    """Write what some layers make of one face, as an npz that plots read.

    Args:
        path: where to; `face` uint8 `(height, width, channels)` and `map00`, `map01` … float32
            `(height, width, maps)`, with their names in `layers`.
        model: functional, images in.
        layers: names of its layers, from the input on.
        face: pixels in [0, 255] of the size that the model takes.
    """
    reader = keras.Model(model.input, [model.get_layer(name).output for name in layers])
    found = reader(face[None].astype(np.float32), training=False)
    maps = [keras.ops.convert_to_numpy(one)[0] for one in keras.tree.flatten(found)]
    arrays = {f"map{number:02d}": one for number, one in enumerate(maps)}
    with atomic_file(path) as file:
        np.savez_compressed(file, face=face.astype(np.uint8), layers=np.array(layers), **arrays)


def _settings(run: Path) -> dict[str, list[dict]]:
    """Return the facts of the parts of each whole network's arm, by seed, the arms in order."""
    found: dict[str, list[dict]] = {}
    parts = [runs.part_facts(path.parent) for path in (run / "parts").glob("seed-*/done.json")]
    for facts in sorted(parts, key=lambda one: (one["seed"], one["place"])):
        found.setdefault(facts["arm"], []).append(facts)
    return found

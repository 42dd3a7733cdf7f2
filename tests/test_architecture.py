"""Who may import whom: data flows one way through rooms that know nothing of the room after."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

KERAS = ("keras", "tf_keras")
TENSORFLOW = ("tensorflow", "tf2onnx", "mtcnn", "tensorflow_hub")
# What of tensorflow_datasets hands out tf.data; its builders and data sources do not.
TENSORFLOW_OF_TFDS = ("as_dataset", "as_numpy", "load")
OTHER_BACKENDS = ("torch", "jax")

BACKEND_NEUTRAL = ("layers", "losses", "models", "callbacks", "pruning", "transfer")
WITH_TENSORFLOW = (
    "affectkeras.pipelines",
    "affectkeras.devices",
    "affectkeras.media",
    "affectkeras.export",
    "affectkeras.export_signals",
    "affectkeras.export_video",
    "affectkeras.fold_training",
    "affectkeras.predict",
    "affectkeras.quiet",
    "affectkeras.signal_model",
    "affectkeras.tensorflow_kernels",
    "affectkeras.video_model",
    "affectkeras.demo",
    "affectkeras.datasets.tfds_builders",
)
WITHOUT_TENSORFLOW_AND_KERAS = (
    "affectkeras.cache",
    "affectkeras.comparing",
    "affectkeras.datasets",
    "affectkeras.doctor",
    "affectkeras.environment",
    "affectkeras.errors",
    "affectkeras.evaluation",
    "affectkeras.features",
    "affectkeras.files",
    "affectkeras.media.hashing",
    "affectkeras.media.image_check",
    "affectkeras.media.near_duplicates",
    "affectkeras.pipelines.resampling",
    "affectkeras.pipelines.signal_channels",
    "affectkeras.pipelines.signal_features",
    "affectkeras.pipelines.signal_labels",
    "affectkeras.pipelines.signal_windows",
    "affectkeras.pipelines.signals",
    "affectkeras.reporting",
    "affectkeras.results",
    "affectkeras.runs",
    "affectkeras.settling",
    "affectkeras.wearable_settings",
)
TRAINING_ROOMS = tuple(
    f"affectkeras.{room}"
    for room in (*BACKEND_NEUTRAL, "pipelines", "fold_training", "export", "predict")
)
EVALUATION_LIBRARIES = ("affectkeras", "numpy", "pandas", "scipy", "sklearn")
# Each room may use itself, the ground floor and what is named here.
ROOMS_BELOW = {
    "affectkeras.datasets": ("affectkeras.media",),
    "affectkeras.media": (),
    "affectkeras.evaluation": (),
    "affectkeras.features": (),
    # Kernels only inside functions, under the TensorFlow backend.
    "affectkeras.layers": ("affectkeras.tensorflow_kernels", "affectkeras.features"),
}
GROUND_FLOOR = ("affectkeras.errors", "affectkeras.cache", "affectkeras.files")


def imports_of(source, module, *, package=False):
    """Return what a module's source imports: `(line, dotted name, at module level)`.

    Relative imports are resolved; `from a import b` counts as `a.b`, as b may be a module;
    attributes of `import affectkeras`, importlib.import_module("…") and tfds's doors to tf.data
    (as `tensorflow`) count too.
    """
    tree = ast.parse(source)
    below_function = {
        inner
        for outer in ast.walk(tree)
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for inner in ast.walk(outer)
    }
    found = []
    for node in ast.walk(tree):
        names = _imported_names(node, module, package)
        found += [(node.lineno, name, node not in below_function) for name in names]
    if any(name.split(".")[0] == "tensorflow_datasets" for _, name, _ in found):
        found += [
            (node.lineno, "tensorflow", node not in below_function)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr in TENSORFLOW_OF_TFDS
        ]
    return sorted(found)


def _imported_names(node, module, package):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        parent = node.module or ""
        if node.level:
            kept = module.split(".")
            kept = kept[: len(kept) - node.level + package]
            parent = ".".join([*kept, parent] if parent else kept)
        names = [f"{parent}.{alias.name}" for alias in node.names]
        if parent == "tensorflow_datasets":
            names += ["tensorflow" for a in node.names if a.name in TENSORFLOW_OF_TFDS]
        return names
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return [f"affectkeras.{node.attr}"] if node.value.id == "affectkeras" else []
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def is_in(name, rooms):
    """Return whether a dotted name is one of the rooms or lies in one."""
    return any(name == room or name.startswith(room + ".") for room in rooms)


def stays_light(module):
    """Return whether a module must work without Keras and TensorFlow."""
    heavy = is_in(module, ("affectkeras.datasets.tfds_builders",))
    return is_in(module, WITHOUT_TENSORFLOW_AND_KERAS) and not heavy


def violations(source, module, *, package=False):
    """Return a sentence for every import that breaks a rule."""
    found = []
    for line, name, at_module_level in imports_of(source, module, package=package):
        for rule in broken_rules(module, name, at_module_level):
            found.append(f"{module}:{line} imports {name}: {rule}")
    return found


def broken_rules(module, name, at_module_level):
    top = module.split(".")[0]
    room = module.split(".")[1] if "." in module else ""
    if top == "affectkeras":
        if is_in(name, ("recipes", "tuning", "benchmarks")):
            yield "the library knows no recipe, search or benchmark"
        yield from _broken_backend_rules(module, room, name, at_module_level)
        yield from _broken_room_rules(module, room, name)
    if top == "recipes" and is_in(name, ("tuning", "benchmarks")):
        yield "recipes know no search or benchmark"
    if top == "recipes" and is_in(name, ("recipes",)) and not is_in(name, (module,)):
        yield "recipes never import each other"
    if top == "tuning" and is_in(name, ("benchmarks",)):
        yield "searches know no benchmark"


def _broken_backend_rules(module, room, name, at_module_level):
    tensorflow, keras = is_in(name, TENSORFLOW), is_in(name, KERAS)
    if room in BACKEND_NEUTRAL and (tensorflow or is_in(name, (*OTHER_BACKENDS, "pandas"))):
        yield "this room is Keras 3 and NumPy only"
    elif room == "__main__" or module == "affectkeras":
        if at_module_level and (tensorflow or keras):
            yield "--help must not wait for TensorFlow"
    elif tensorflow and not is_in(module, WITH_TENSORFLOW):
        yield "TensorFlow has its own rooms"
    kernels = is_in(name, ("affectkeras.tensorflow_kernels",))
    if room in BACKEND_NEUTRAL and at_module_level and kernels:
        yield "other backends must not need TensorFlow"
    if stays_light(module) and (tensorflow or keras or is_in(name, OTHER_BACKENDS)):
        yield "this module works without Keras and TensorFlow"
    if room == "evaluation" and not _is_standard(name) and not is_in(name, EVALUATION_LIBRARIES):
        yield "evaluation is NumPy, pandas, SciPy and scikit-learn"


def _broken_room_rules(module, room, name):
    if room == "pruning" and is_in(name, ("affectkeras.models",)):
        yield "pruning works on any functional model"
    if room == "reporting" and is_in(name, TRAINING_ROOMS):
        yield "reports only read what a run saved"
    here = f"affectkeras.{room}"
    # `from affectkeras import __version__` is no room.
    below = (here, *GROUND_FLOOR, *ROOMS_BELOW.get(here, ()), "affectkeras.__version__")
    if here in ROOMS_BELOW and name.startswith("affectkeras.") and not is_in(name, below):
        yield f"{room} knows nothing of the rooms after it"


def _is_standard(name):
    return name.split(".")[0] in sys.stdlib_module_names


def project_modules():
    """Yield `(path, dotted name, whether it is a package's __init__)` of every module."""
    for top in ("affectkeras", "recipes", "tuning", "benchmarks"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            package = parts[-1] == "__init__"
            yield path, ".".join(parts[:-1] if package else parts), package


def test_every_import_of_the_project_keeps_the_rules():
    broken = []
    for path, module, package in project_modules():
        broken += violations(path.read_text(encoding="utf-8"), module, package=package)
    assert not broken, "\n".join(broken)


def loaded_with(modules, start):
    """Return every dotted name that importing a module loads, by imports at module level."""
    waiting, seen = [start], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting += [name.rsplit(".", 1)[0]] if "." in name else []
        if name in modules:
            source, package = modules[name]
            found = imports_of(source, name, package=package)
            waiting += [imported for _, imported, at_module_level in found if at_module_level]
    return seen


def test_what_people_wait_for_loads_neither_keras_nor_tensorflow_through_others():
    modules = {
        module: (path.read_text(encoding="utf-8"), package)
        for path, module, package in project_modules()
    }
    quick = [name for name in modules if stays_light(name) or name == "affectkeras.__main__"]
    # Of a recipe: its help, and settings that are refused.
    quick += [name for name in modules if name.startswith(("recipes.", "tuning."))]
    assert {"affectkeras.runs", "recipes.kemocon_lstm"} <= set(quick)
    slow = {module: loaded_with(modules, module) & {*KERAS, *TENSORFLOW} for module in quick}
    assert not {module: names for module, names in slow.items() if names}


def test_asking_recipes_and_searches_for_help_loads_neither_keras_nor_tensorflow():
    names = [
        f"{room}.{path.stem}"
        for room in ("recipes", "tuning")
        for path in sorted((ROOT / room).glob("[a-z]*.py"))
    ]
    assert {"recipes.stress_predict_fusion", "tuning.fusion"} <= set(names)
    code = (
        "import contextlib, io, runpy, sys\n"
        "for name in sys.argv[1:]:\n"
        "    sys.argv = [name, '--help']\n"
        "    printed = io.StringIO()\n"
        "    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):\n"
        "        runpy.run_module(name, run_name='__main__', alter_sys=True)\n"
        "    heavy = {'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)\n"
        "    print(name, '--data-dir' in printed.getvalue(), sorted(heavy))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [f"{name} True []" for name in names], done.stderr


@pytest.mark.parametrize(
    ("module", "source", "rule"),
    [
        ("affectkeras.models.net", "import tensorflow as tf", "Keras 3 and NumPy only"),
        ("affectkeras.models.net", "from tensorflow.keras import layers", "Keras 3 and NumPy only"),
        ("affectkeras.layers.x", "def f():\n    import torch", "Keras 3 and NumPy only"),
        ("affectkeras.callbacks.x", "import pandas as pd", "Keras 3 and NumPy only"),
        ("affectkeras.runs", "import mtcnn", "TensorFlow has its own rooms"),
        ("affectkeras.doctor", "from keras import ops", "without Keras and TensorFlow"),
        ("affectkeras.datasets.sfew", "import keras", "without Keras and TensorFlow"),
        ("affectkeras.media.hashing", "import tensorflow", "without Keras and TensorFlow"),
        ("affectkeras.evaluation.splits", "import torch", "NumPy, pandas, SciPy and scikit-learn"),
        ("affectkeras.evaluation.splits", "from .. import runs", "rooms after it"),
        ("affectkeras.datasets.sfew", "from affectkeras import pipelines", "rooms after it"),
        ("affectkeras.datasets.sfew", "from ..models import net", "rooms after it"),
        ("affectkeras.pruning.graph", "from affectkeras.models import net", "any functional"),
        ("affectkeras.pruning.graph", "import affectkeras\naffectkeras.models.net", "any function"),
        ("affectkeras.reporting.report", "import keras", "without Keras and TensorFlow"),
        (
            "affectkeras.reporting.plots",
            "from affectkeras import models",
            "only read what a run saved",
        ),
        ("affectkeras.pipelines.signals", "import tensorflow", "without Keras and TensorFlow"),
        ("affectkeras.wearable_settings", "import keras", "without Keras and TensorFlow"),
        ("affectkeras.wearable_run", "import tensorflow", "TensorFlow has its own rooms"),
        (
            "affectkeras.reporting.report",
            "from affectkeras.fold_training import FoldPlan",
            "only read what a run saved",
        ),
        ("affectkeras.__main__", "import tensorflow", "--help must not wait"),
        ("affectkeras.runs", "from recipes import sfew_resnet", "knows no recipe"),
        ("recipes.a", "from recipes import b", "recipes never import each other"),
        ("recipes.a", "from . import b", "recipes never import each other"),
        ("recipes.a", "import tuning.b", "recipes know no search"),
        ("tuning.a", "import benchmarks.b", "searches know no benchmark"),
        ("affectkeras.runs", "import importlib\nimportlib.import_module('mtcnn')", "own rooms"),
        (
            "affectkeras.datasets.sfew",
            "import tensorflow_datasets as tfds\ntfds.builder('x').as_dataset()",
            "without Keras and TensorFlow",
        ),
        (
            "affectkeras.runs",
            "from tensorflow_datasets import load",
            "TensorFlow has its own rooms",
        ),
    ],
)
def test_a_planted_violation_is_found(module, source, rule):
    found = violations(source, module)
    assert any(rule in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("affectkeras.pipelines.images", "import tensorflow as tf"),
        ("affectkeras.models.net", "import keras\nimport numpy as np"),
        ("affectkeras.models.net", "from ..layers import dropout"),
        ("affectkeras.__main__", "def predict():\n    import tensorflow"),
        ("affectkeras.datasets.sfew", "from .table import ExampleTable"),
        ("affectkeras.datasets.sfew", "from affectkeras.media import image_check"),
        ("affectkeras.datasets.sfew", "import tensorflow_datasets as tfds"),
        ("affectkeras.datasets.tfds_builders.faces", "import tensorflow_datasets as tfds"),
        ("affectkeras.evaluation.splits", "import dataclasses\nfrom scipy import stats"),
        ("recipes.a", "from affectkeras import runs"),
        ("tuning.a", "from recipes import a"),
        ("benchmarks.a", "import tuning.a, recipes.b, tensorflow, torch"),
    ],
)
def test_what_is_allowed_is_not_reported(module, source):
    assert violations(source, module) == []


def test_relative_imports_are_resolved_from_modules_and_packages():
    assert imports_of("from ..x import y", "a.b.c") == [(1, "a.x.y", True)]
    assert imports_of("from . import y", "a.b", package=True) == [(1, "a.b.y", True)]


def test_what_loads_tensorflow_through_another_module_is_found():
    modules = {
        "affectkeras.runs": ("from affectkeras import helper", False),
        "affectkeras.helper": ("import tensorflow", False),
        "affectkeras.late": ("def f():\n    import tensorflow", False),
    }
    assert "tensorflow" in loaded_with(modules, "affectkeras.runs")
    assert "tensorflow" not in loaded_with(modules, "affectkeras.late")

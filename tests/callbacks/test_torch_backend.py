"""The callbacks and the training loop on a backend without TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def test_training_resumes_to_the_same_weights_on_the_torch_backend(tmp_path):
    pytest.importorskip("torch")
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    script = (
        "import sys\nfrom pathlib import Path\nfrom tests.callbacks.tiny_training import *\n"
        "whole, killed = map(Path, sys.argv[1:])\n"
        "run_scenario(whole, 'run')\ntrain(killed, epochs=2)\nrun_scenario(killed, 'run')\n"
        "print(keras.backend.backend(), 'tensorflow' in sys.modules)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "whole", tmp_path / "killed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "KERAS_BACKEND": "torch"},
    )
    assert finished.stdout.split() == ["torch", "False"], finished.stderr
    whole, killed = (np.load(tmp_path / name / "weights.npz") for name in ("whole", "killed"))
    assert len(whole["removed"]) > 0
    for name in whole.files:
        assert np.array_equal(whole[name], killed[name]), name


@pytest.mark.parametrize(
    "tests",
    [
        "tests/callbacks/test_distinctiveness_pruning.py",
        "tests/callbacks/test_planted_maps.py",
        "tests/pruning/test_recalibration.py",
    ],
)
def test_pruning_in_place_and_recalibration_hold_on_the_torch_backend(tests):
    pytest.importorskip("torch")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "KERAS_BACKEND": "torch"},
    )
    assert finished.returncode == 0, finished.stdout

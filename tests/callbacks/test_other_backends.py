"""The callbacks and the training loop on a backend without TensorFlow."""

import numpy as np
import pytest

from tests.other_backends import run_on


def test_training_resumes_to_the_same_weights_on_the_torch_backend(tmp_path):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    script = (
        "import sys\nfrom pathlib import Path\nfrom tests.callbacks.tiny_training import *\n"
        "whole, killed = map(Path, sys.argv[1:])\n"
        "run_scenario(whole, 'run')\ntrain(killed, epochs=2)\nrun_scenario(killed, 'run')\n"
        "print(keras.backend.backend(), 'tensorflow' in sys.modules)\n"
    )
    printed = run_on("torch", script, tmp_path / "whole", tmp_path / "killed")
    assert printed == ["torch", "False"]
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
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_pruning_in_place_and_recalibration_hold_on_a_backend_without_tensorflow(backend, tests):
    script = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    printed = run_on(backend, script, "-q", "-p", "no:cacheprovider", tests)
    assert "passed" in printed

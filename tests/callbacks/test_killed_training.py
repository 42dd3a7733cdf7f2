"""Real processes that are killed at the worst moments, and resumed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
KILLS = [
    "batch:0:0",  # at the start
    "save:1:written",  # half a file is written
    "batch:1:2",  # within the first epoch after a save
    "save:1:rename",  # rows were removed, the new file lies beside the old one
    "save:1:after",
    "batch:4:1",
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
def test_a_killed_process_resumes_to_the_same_weights(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    scenarios = ["whole/run", *(f"killed/{kill}" for kill in KILLS), "killed/run"]
    finished = subprocess.run(
        [sys.executable, "-m", "tests.callbacks.tiny_training", tmp_path, *scenarios],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    endings = finished.stdout.splitlines()
    assert endings == ["whole/run 0", *(f"killed/{kill} killed" for kill in KILLS), "killed/run 0"]
    whole = np.load(tmp_path / "whole" / "weights.npz")
    killed = np.load(tmp_path / "killed" / "weights.npz")
    assert len(whole["removed"]) > 0
    assert sorted(whole.files) == sorted(killed.files)
    for name in whole.files:
        assert np.array_equal(whole[name], killed[name]), name

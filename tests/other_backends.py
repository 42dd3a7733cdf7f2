"""Scripts run on a backend without TensorFlow, in a process of their own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run_on(backend: str, script: str, *arguments, timeout: int = 900) -> list[str]:
    """Return the words that a script prints; skip where the backend is not installed."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    finished = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            # Also what was put on the path of this process alone.
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        },
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.split()

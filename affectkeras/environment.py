"""What a run ran on, found without importing what it ran with."""

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "pandas", "scikit-learn", "scipy")


def environment() -> dict:
    """Return versions, backend, commit and machine as a flat dict; what is absent is None."""
    return {
        "affectkeras": _own_version(),
        "commit": _commit(),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "backend": _backend(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": _usable_cpus(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _own_version() -> str:
    from affectkeras import __version__

    return __version__


def _backend() -> str:
    """Return Keras's backend as Keras itself would choose it."""
    chosen = os.environ.get("KERAS_BACKEND")
    if chosen:
        return chosen
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        return json.loads((home / "keras.json").read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def _commit() -> str | None:
    """Return the commit of the package's own checkout, with a + if files differ from it."""
    folder = Path(__file__).parent
    # A package installed inside somebody else's checkout is not of that commit.
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+" if commit and changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", os.fspath(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

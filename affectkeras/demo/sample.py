"""A small model for those who have trained none: made once, kept in the cache."""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import filelock
from tqdm import tqdm

import affectkeras
from affectkeras.cache import cache_dir
from affectkeras.errors import UserError

RECIPE = "recipes.affwild_cnn_gru"
_LOG_LINES = 20


def sample_run() -> Path:
    """Return the folder of a quick run on rendered videos, trained where it is not there yet.

    The library knows no recipe, so this one runs as the command that a person would give.

    Raises:
        UserError: when the recipes are not installed.
        RuntimeError: when training fails, with the end of what it said.
    """
    cache = cache_dir("demo")
    run = cache / f"sample-run-{affectkeras.__version__}"
    with filelock.FileLock(f"{run}.lock"):
        if not (run / "result.json").is_file():
            if importlib.util.find_spec("recipes") is None:
                raise UserError(
                    "Without RUN the demo trains a sample model with the recipes, which are not "
                    "installed here. Give a run folder, or install the whole project."
                )
            _train(cache, run)
    return run


def _train(cache: Path, run: Path) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix="training-", dir=cache))
    try:
        target, log = unfinished / "run", unfinished / "log.txt"
        with open(log, "wb") as said:
            status = _wait_for([sys.executable, "-m", RECIPE, "--quick", "--run-dir", target], said)
        if status:
            words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
            raise RuntimeError("Training the sample model failed:\n" + "\n".join(words))
        shutil.rmtree(run, ignore_errors=True)
        target.replace(run)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _wait_for(command: list, said) -> int:
    """Run a command, with its words in a file and the passing seconds in the terminal."""
    text = "Training a small sample model (about two minutes, only this once)"
    if not sys.stderr.isatty():
        print(f"{text} …", file=sys.stderr, flush=True)
    process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
    try:
        with tqdm(desc=text, bar_format="{desc}: {elapsed}", file=sys.stderr, disable=None) as bar:
            while True:
                try:
                    return process.wait(timeout=1)
                except subprocess.TimeoutExpired:
                    bar.refresh()
    finally:
        process.kill()
        process.wait()

"""The demo's server with an analysis that needs no model: `python -m tests.demo.fake_server`."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from affectkeras.demo.serve import listening_socket, serve
from affectkeras.demo.uploads import Limits
from tests.demo.fake_analysis import analyse_classes, analyse_numbers

ROOT = Path(__file__).resolve().parents[2]
NOTE = "Sample model: what it reads <means> nothing."
LIMITS = Limits(megabytes=3, minutes=0.5)
HELD_FRAMES = 77  # such a video is analysed until another takes its place
FAILING_FRAMES = 78  # the analysis of such a video has a defect


def main() -> None:
    with listening_socket(0) as listener:
        serve(analyse, listener, note=NOTE, limits=LIMITS)


def analyse(path, *, annotate, on_progress):
    """Analyse as a model of numbers or of classes would, as the environment says."""
    classes = os.environ.get("FAKE_MODEL") == "classes"
    table = (analyse_classes if classes else analyse_numbers)(
        path, annotate=annotate, on_progress=on_progress
    )
    while len(table) == HELD_FRAMES:
        on_progress(0.5, "Held")
        time.sleep(0.05)
    if len(table) == FAILING_FRAMES:
        raise ZeroDivisionError("planted")
    return table


@contextlib.contextmanager
def running_server(temporary: Path, model: str = "numbers"):
    """Yield the address of a server of its own process, then end it by SIGTERM."""
    environment = {**os.environ, "TMPDIR": str(temporary), "FAKE_MODEL": model}
    command = [sys.executable, "-m", "tests.demo.fake_server"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(temporary / "stderr.txt").open("w"),
        text=True,
    ) as process:
        try:
            line = process.stdout.readline()
            assert "http://127.0.0.1:" in line, (temporary / "stderr.txt").read_text()
            yield line.split(" at ")[1].split(" ")[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


if __name__ == "__main__":
    main()

"""A chief and workers on this machine, started again whenever one of them dies."""

import contextlib
import dataclasses
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from affectkeras.errors import UserError
from affectkeras.searching.folder import read_state

CHIEF = "chief"
SUPERVISED = (
    "AFFECTKERAS_SUPERVISED"  # names the sitting, to the processes that a supervisor starts
)
THREADS = "TF_NUM_INTRAOP_THREADS"  # TensorFlow's own; whoever has set it is heeded
TICK_S = 0.1
MOST_VAIN_STARTS = 5  # deaths in a row with nothing done in between
FAREWELL_S = 20.0
USERS_MISTAKE = 2  # the exit status of a `UserError`


@dataclasses.dataclass
class Child:
    """A process that is watched.

    Args:
        name: such as `worker-1`; a worker's next process has the same name and another number.
        log: what it prints; None: it prints here.
        process: the running one.
        vain: how often it died in a row while the search did not move.
        state: how far the search was when it was started.
        environment: variables of its own.
    """

    name: str
    log: Path | None
    process: subprocess.Popen | None = None
    vain: int = 0
    state: tuple[int, ...] = ()
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


def supervise(module: str, folder: Path, workers: int, address: tuple[str, int]) -> None:
    """Run a search by a chief and workers until it is over, whoever dies on the way.

    Args:
        module: of the search, as `python -m` takes it.
        folder: of the search.
        workers: how many run here; others may come from other machines.
        address: host and port of the chief.

    Raises:
        UserError: when a process cannot do its work at all.
    """
    sitting = secrets.token_hex(8)
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    chief = Child(CHIEF, None)
    # Side by side on all cores, the threads of one training would wait for those of the others.
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    shared = {THREADS: os.environ.get(THREADS, str(threads))}
    crew = [
        Child(f"worker-{number + 1}", logs / f"worker-{number + 1}.txt", environment=shared)
        for number in range(workers)
    ]
    everybody = [chief, *crew]
    try:
        for child in everybody:
            _start(child, module, folder, address, sitting)
        while True:
            time.sleep(TICK_S)
            status = chief.process.poll()
            if status == 0:
                break
            for child in everybody:
                if child.process.poll() is not None:
                    _look_at(child, folder)
                    _start(child, module, folder, address, sitting)
    finally:
        _end(crew, chief)


def free_port() -> int:
    """Return a port of this machine that nobody uses at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def die_with_supervisor() -> None:
    """End this process when the supervisor that started it is gone, however it went."""

    def wait():
        while os.read(0, 1024):  # nothing comes; it ends when the other side of the pipe does
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _start(child: Child, module: str, folder: Path, address: tuple[str, int], sitting: str) -> None:
    chief = child.name == CHIEF  # the name tells keras-tuner, too
    environment = os.environ | {
        "KERASTUNER_TUNER_ID": CHIEF if chief else f"{child.name}#{time.time_ns()}",
        "KERASTUNER_ORACLE_IP": address[0],
        "KERASTUNER_ORACLE_PORT": str(address[1]),
        SUPERVISED: sitting,
        **child.environment,
    }
    child.state = _how_far(folder)
    with contextlib.nullcontext() if child.log is None else open(child.log, "ab") as output:
        child.process = subprocess.Popen(
            [sys.executable, "-m", module, "--resume", str(folder)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
        )


def _look_at(child: Child, folder: Path) -> None:
    """Say that a process died, or raise where starting it again would be in vain."""
    status = child.process.returncode
    child.process.stdin.close()
    tail = ""
    if child.log is not None:
        tail = "\n".join(child.log.read_text("utf-8", "replace").splitlines()[-8:])
    if status == USERS_MISTAKE:
        raise UserError(tail.rpartition("error: ")[2] or f"{child.name} could not begin; see above")
    if status == 0:
        return  # it was told that the search is over; the chief is about to go
    child.vain = child.vain + 1 if _how_far(folder) == child.state else 0
    if child.vain >= MOST_VAIN_STARTS:
        raise UserError(f"{child.name} dies whenever it is started (status {status}). {tail}")
    print(f"{child.name} died (status {status}): started again", flush=True)


def _how_far(folder: Path) -> tuple[int, ...]:
    """Return how many trials were begun, have ended, and died."""
    state = read_state(folder)
    if state is None:
        return (0, 0, 0)
    return len(state["trials"]), len(state["oracle"]["end_order"]), sum(state["deaths"].values())


def _end(crew: list[Child], chief: Child) -> None:
    """End what still runs: workers first, so that they can give back what they had begun."""
    for children, patience in ((crew, FAREWELL_S), ([chief], FAREWELL_S)):
        alive = [one for one in children if one.process is not None and one.process.poll() is None]
        for child in alive:
            child.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + patience
        for child in alive:
            try:
                child.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
    for child in (*crew, chief):
        if child.process is not None and child.process.stdin is not None:
            child.process.stdin.close()

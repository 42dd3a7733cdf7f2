"""A chief and its workers, killed at random moments."""

import os
import random
import signal
import subprocess
import time

import pytest

from affectkeras.files import write_json
from affectkeras.searching.folder import read_search, read_trials
from affectkeras.searching.supervisor import free_port
from tests.searching.toy_runs import assert_whole, completed, run, start, state, times_run


def children(process) -> list[tuple[int, str]]:
    """Return process number and name of what a supervisor has started."""
    listed = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True
    )
    found = []
    for pid in listed.stdout.split():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                variables = dict(one.partition(b"=")[::2] for one in file.read().split(b"\0"))
        except OSError:
            continue
        name = variables.get(b"KERASTUNER_TUNER_ID", b"").decode()
        found += [(int(pid), name)] if name else []
    return found


def lives(number: int) -> bool:
    """Return whether a process still runs; one that nobody has taken note of yet does not."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_chief_and_three_workers_finish_a_search_without_repeats(tmp_path):
    folder = tmp_path / "search"
    run(
        *("--trials", 16, "--tuner", "random", "--sleep-s", 0.1),
        *("--workers", 3, "--run-dir", folder),
    )
    assert_whole(folder, 16)
    assert set(times_run(folder).values()) == {1}
    assert len({row["worker"] for row in read_trials(folder)}) == 3
    share = str(max(1, os.cpu_count() // 3))
    assert {path.read_text() for path in folder.glob("trials/*/threads.txt")} == {share}
    # Numbers come back to the last digit, which keras-tuner's messages do not carry.
    alone = tmp_path / "alone"
    run("--trials", 16, "--tuner", "random", "--run-dir", alone)
    assert completed(alone) == completed(folder)


@pytest.mark.parametrize("seed", range(int(os.environ.get("AFFECTKERAS_KILLED_SEARCHES", "2"))))
def test_workers_and_chief_killed_at_random_moments_lose_nothing(tmp_path, seed):
    chance = random.Random(seed)
    folder = tmp_path / "search"
    tuner = ("random", "bayesian", "grid", "hyperband")[seed % 4]
    trials = 30
    process = start(
        *("--trials", trials, "--tuner", tuner, "--sleep-s", 0.15),
        *("--workers", 3, "--run-dir", folder),
    )
    kept, killed = {}, set()
    until = time.monotonic() + 120
    while process.poll() is None and len(killed) < 6 and time.monotonic() < until:
        time.sleep(chance.uniform(0.2, 1.5))
        alive = children(process)
        if not alive or not completed(folder):
            continue
        number, name = chance.choice(alive)
        if len(killed) == 1 and not any("chief" in one for one in killed):
            number, name = next((one for one in alive if one[1] == "chief"), (number, name))
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed.add(f"{name} {number}")
        found = completed(folder)
        assert kept.items() <= found.items()
        kept = found
    printed, _ = process.communicate(timeout=240)
    assert process.returncode == 0, printed[-3000:]
    assert len(killed) >= 2
    assert kept.items() <= completed(folder).items()
    assert_whole(folder, trials)


def test_the_whole_company_killed_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "search"
    process = start("--trials", 12, "--tuner", "random", "--sleep-s", 0.2, "--workers", 2,
                    "--run-dir", folder)  # fmt: skip
    until = time.monotonic() + 60
    while len(completed(folder)) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    crew = children(process)
    process.kill()
    process.communicate()
    until = time.monotonic() + 20
    while any(lives(number) for number, _ in crew) and time.monotonic() < until:
        time.sleep(0.05)
    # Nobody outlives the supervisor.
    assert len(crew) == 3
    assert not [name for number, name in crew if lives(number)]
    kept = completed(folder)
    running = set(state(folder)["oracle"]["ongoing_trials"].values())
    run("--resume", folder)
    assert kept.items() <= completed(folder).items()
    assert_whole(folder, 12, begun_again=running)
    assert not any(state(folder)["deaths"].values())


def test_a_trial_that_kills_two_workers_is_recorded_and_the_search_ends(tmp_path):
    folder = tmp_path / "search"
    given = ("--trials", 5, "--tuner", "random", "--fail", "kill", "--workers", 2)
    printed = run(*given, "--run-dir", folder)
    assert "died (status -9): started again" in printed
    rows = read_trials(folder)
    assert len(rows) == 5
    for row in rows:
        west = row["values"]["x"] < 0.5
        assert (row["status"], row["cause"]) == (
            ("failed", "killed the process twice") if west else ("completed", "")
        )


def test_workers_of_other_machines_find_the_chief_by_its_address(tmp_path):
    folder, place = tmp_path / "search", f"127.0.0.1:{free_port()}"
    # Trials long enough for both workers to be there before the last one ends.
    given = ("--trials", 6, "--tuner", "random", "--sleep-s", 2)
    chief = start(*given, "--run-dir", folder, "--chief", place)
    until = time.monotonic() + 60
    while not (folder / "search.json").exists() and time.monotonic() < until:
        time.sleep(0.05)
    host, port = place.split(":")
    # By an option, and as keras-tuner's own scripts do.
    one = start("--resume", folder, "--worker", place)
    variables = {"KERASTUNER_TUNER_ID": "tuner1", "KERASTUNER_ORACLE_IP": host}
    other = start("--resume", folder, KERASTUNER_ORACLE_PORT=port, **variables)
    for process in (chief, one, other):
        printed, _ = process.communicate(timeout=120)
        assert process.returncode == 0, printed
    assert_whole(folder, 6)


def test_a_worker_that_comes_when_no_trial_is_left_is_told_so_at_once(tmp_path):
    folder = tmp_path / "search"
    run("--trials", 2, "--tuner", "random", "--run-dir", folder)
    facts = read_search(folder)
    # As while the best trial's own run is still trained.
    write_json(folder / "search.json", facts | {"status": "unfinished"})
    printed = run("--resume", folder, "--worker", f"127.0.0.1:{free_port()}", status=2)
    assert f"the search in {folder} has no trial left" in printed


def test_workers_that_cannot_begin_end_the_search_with_their_words(tmp_path):
    given = ("--trials", 3, "--tuner", "random", "--fail", "begin", "--workers", 2)
    printed = run(*given, "--run-dir", tmp_path / "search", status=2)
    assert "error: there is no hill here. Give another." in printed
    assert "Traceback" not in printed

"""A search as a user runs it, over a recipe that trains nothing."""

import json
import random
import signal
import time

import pytest

from affectkeras.searching.folder import read_trials
from tests.searching.toy_runs import assert_whole, completed, run, start, state, times_run


def wait_for(process, condition, seconds=60) -> None:
    until = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)


def test_a_search_leaves_its_trials_and_a_run_of_the_best(tmp_path):
    folder = tmp_path / "search"
    printed = run("--trials", 8, "--tuner", "random", "--run-dir", folder)
    assert "A hill, no faces." in printed
    assert_whole(folder, 8)
    rows = read_trials(folder)
    first = rows[0]["values"]
    assert first == {"x": 0.25, "y.0": 2, "y.1": 3, "shape": "round"}  # where the recipe stands
    best = max(rows, key=lambda row: row["objective"])
    made = json.loads((folder / "best" / "result.json").read_text())
    assert made["height"] == pytest.approx(best["objective"], abs=1e-12)
    assert made["x"] == best["values"]["x"]
    assert best["measures"] == {"parameters": 1000 * best["values"]["x"]}
    command = json.loads((folder / "best" / "config.json").read_text())["command"]
    assert command[command.index("--x") + 1] == str(best["values"]["x"])
    assert (folder / "report.html").exists()
    assert "is complete" in run("--resume", folder, status=2)


def test_what_the_user_gave_is_not_searched(tmp_path):
    folder = tmp_path / "search"
    run("--trials", 4, "--tuner", "grid", "--run-dir", folder, "--x", 0.25, "--y", 4, 4)
    rows = read_trials(folder)
    assert [row["values"] for row in rows] == [{"shape": "round"}, {"shape": "flat"}]
    assert json.loads((folder / "best" / "result.json").read_text())["y"] == [4, 4]


def test_nothing_left_to_search_is_said(tmp_path):
    given = ("--x", 0.2, "--y", 1, 1, "--shape", "flat", "--run-dir", tmp_path / "search")
    assert "every setting that could be searched was given" in run(*given, status=2)
    assert not (tmp_path / "search").exists()


@pytest.mark.parametrize(
    ("mode", "cause"),
    [
        ("raise", "ValueError: too far west"),
        ("memory", "MemoryError"),
        ("nan", "ArithmeticError: height is nan"),
    ],
)
def test_failed_trials_are_recorded_with_their_cause_and_the_search_goes_on(tmp_path, mode, cause):
    folder = tmp_path / "search"
    run("--trials", 12, "--tuner", "bayesian", "--fail", mode, "--run-dir", folder)
    rows = read_trials(folder)
    failed = [row for row in rows if row["status"] == "failed"]
    assert len(failed) > 3  # keras-tuner would have stopped
    assert {row["cause"] for row in failed} == {cause}
    assert all((row["values"]["x"] < 0.5) == (row in failed) for row in rows)
    part = folder / "trials" / failed[0]["trial"]
    assert cause.partition(":")[0] in (part / "traceback.txt").read_text()


def test_where_every_trial_failed_the_causes_are_told(tmp_path):
    folder = tmp_path / "search"
    printed = run("--trials", 3, "--x", 0.1, "--fail", "raise", "--run-dir", folder, status=2)
    assert "no trial" in printed
    assert "ValueError: too far west" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband", "grid"])
def test_a_search_killed_again_and_again_keeps_what_was_finished_and_ends(tmp_path, tuner):
    chance = random.Random(tuner)
    folder = tmp_path / "killed"
    process = start("--trials", 13, "--tuner", tuner, "--sleep-s", 0.05, "--run-dir", folder)
    kept, kills = {}, 0
    for _ in range(4):
        before = len(completed(folder))
        wait_for(process, lambda before=before: len(completed(folder)) > before)
        time.sleep(chance.uniform(0, 0.3))
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        kills += 1
        found = completed(folder)
        assert kept.items() <= found.items()
        kept = found
        process = start("--resume", folder)
    printed, _ = process.communicate(timeout=240)
    assert process.returncode == 0, printed[-3000:]
    assert kills >= 2
    assert kept.items() <= completed(folder).items()
    assert_whole(folder, 13)


def test_a_search_killed_at_random_tries_the_same_as_one_left_alone(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run("--trials", 10, "--tuner", "random", "--run-dir", whole)
    process = start("--trials", 10, "--tuner", "random", "--sleep-s", 0.1, "--run-dir", killed)
    wait_for(process, lambda: len(completed(killed)) >= 4)
    process.kill()
    process.communicate()
    run("--resume", killed)
    assert completed(killed) == completed(whole)


def test_a_trial_that_killed_its_process_twice_is_recorded_as_failed(tmp_path):
    folder = tmp_path / "search"
    given = ("--trials", 3, "--tuner", "random", "--fail", "kill", "--y", 5, 5, "--shape", "round")
    process = start(*given, "--run-dir", folder)
    for _ in range(8):
        process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        process = start("--resume", folder)
    rows = read_trials(folder)
    assert len(rows) == 3
    assert rows[0]["cause"] == "killed the process twice"  # it begins at x = 0.25
    assert {row["status"] for row in rows} == {"failed", "completed"}


def test_ctrl_c_gives_the_trial_back_without_blame(tmp_path):
    folder = tmp_path / "search"
    process = start("--trials", 3, "--tuner", "random", "--sleep-s", 30, "--run-dir", folder)
    for sitting in range(3):
        begun = sitting + 1
        wait_for(
            process,
            lambda begun=begun: (folder / "trials").exists() and times_run(folder) == {"0": begun},
        )
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 130, printed
        assert not any(state(folder)["deaths"].values())
        process = start("--resume", folder)
    process.kill()
    process.communicate()


def test_no_trial_begins_after_the_time_is_up_and_more_time_goes_on(tmp_path):
    folder = tmp_path / "search"
    run(
        "--trials", 200, "--tuner", "random", "--sleep-s", 0.1, "--seconds", 1, "--run-dir", folder
    )  # fmt: skip
    rows = read_trials(folder)
    assert 1 <= len(rows) < 12
    assert json.loads((folder / "search.json").read_text())["status"] == "complete"

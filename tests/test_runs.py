import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from affectkeras import files, runs
from affectkeras.errors import UserError


@dataclasses.dataclass(frozen=True)
class Config:
    data_dir: Path | None = None
    removal: tuple[Literal["none", "bdr"], ...] = ("none", "bdr")
    dropout: tuple[float, float] = (0.6, 0.8)
    epochs: int = 31
    group_pattern: str | None = None


def test_a_run_keeps_its_settings_and_gives_them_back(tmp_path):
    config = Config(data_dir=Path("faces"), removal=("bdr",), epochs=3)
    run = runs.create_run("sfew_resnet", config, tmp_path / "run")
    assert runs.restore_config(Config, runs.open_run(run, "sfew_resnet")) == config
    assert runs.restore_config(Config, runs.open_run(run)) == config


def test_the_default_folder_is_named_by_recipe_and_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = runs.create_run("sfew_resnet", Config())
    second = runs.create_run("sfew_resnet", Config())
    assert first.parent == second.parent == Path("runs/sfew_resnet")
    assert first != second
    assert time.strptime(first.name, "%Y%m%d-%H%M%S")


def test_a_folder_that_holds_something_is_refused(tmp_path):
    runs.create_run("sfew_resnet", Config(), tmp_path)
    with pytest.raises(UserError, match="is not empty: a new run needs a new folder.*--resume"):
        runs.create_run("sfew_resnet", Config(), tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be made: .*another --run-dir"):
        runs.create_run("sfew_resnet", Config(), tmp_path / "file" / "run")


def test_resuming_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UserError, match="there is no folder"):
        runs.open_run(tmp_path / "nowhere")


def test_resuming_a_folder_that_is_no_run_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"is no run: it holds no config\.json"):
        runs.open_run(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"recipe": "x"}'])
def test_resuming_a_damaged_run_is_an_error(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read as a run's settings"):
        runs.open_run(tmp_path)


def test_resuming_a_complete_run_is_an_error(tmp_path):
    run = runs.create_run("sfew_resnet", Config(), tmp_path / "run")
    runs.write_json(run / "result.json", {})
    with pytest.raises(UserError, match="is complete. Read its report.html"):
        runs.open_run(run)


def test_resuming_another_recipes_run_is_an_error(tmp_path):
    run = runs.create_run("sfew_resnet", Config(), tmp_path / "run")
    with pytest.raises(UserError, match="is a run of sfew_resnet, not of pamap2"):
        runs.open_run(run, "pamap2")


def test_settings_of_another_version_are_named():
    saved = {"recipe": "sfew_resnet", "config": {"epochs": 3, "momentum": 0.9}}
    with pytest.raises(UserError, match="differ in the settings .*dropout.*momentum"):
        runs.restore_config(Config, saved)


def test_a_second_lock_on_a_run_is_refused_at_once(tmp_path):
    with runs.lock_run(tmp_path):
        refused = pytest.raises(UserError, match="is in use by another process")
        with refused, runs.lock_run(tmp_path):
            pass
    with runs.lock_run(tmp_path):
        pass


def test_a_lock_holds_against_another_process_and_ends_with_it(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from affectkeras import runs\n"
        "with runs.lock_run(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    root = Path(runs.__file__).parents[1]
    other = subprocess.Popen(
        [sys.executable, "-c", code, os.fspath(tmp_path)], stdout=subprocess.PIPE, cwd=root
    )
    try:
        assert other.stdout.readline() == b"held\n"
        refused = pytest.raises(UserError, match="is in use by another process")
        with refused, runs.lock_run(tmp_path):
            pass
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with runs.lock_run(tmp_path):
        pass


def test_json_holds_numpy_paths_and_no_nan(tmp_path):
    value = {
        "count": np.int64(3),
        "shares": np.array([0.5, np.nan]),
        "path": Path("a/b"),
        "pair": (1, float("inf")),
        "good": np.bool_(True),
        "config": Config(),
        7: None,
    }
    runs.write_json(tmp_path / "x.json", value)
    found = json.loads((tmp_path / "x.json").read_text(), parse_constant=pytest.fail)
    assert found["count"] == 3
    assert found["shares"] == [0.5, None]
    assert found["path"] == "a/b"
    assert found["pair"] == [1, None]
    assert found["good"] is True
    assert found["config"]["dropout"] == [0.6, 0.8]
    assert found["7"] is None


def test_json_refuses_what_it_has_no_form_for(tmp_path):
    with pytest.raises(TypeError, match="JSON has no form for set"):
        runs.write_json(tmp_path / "x.json", {"a": {1}})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "x.json"
    runs.write_json(path, {"old": 1})

    def write_half():
        with files.atomic_file(path) as file:
            file.write(b'{"new": ')
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_written_files_follow_the_umask(tmp_path):
    runs.write_json(tmp_path / "x.json", {})
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "x.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_that_cannot_be_written_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="could not be written: No such file or directory"):
        runs.write_json(tmp_path / "missing" / "x.json", {})


def test_csv_gives_back_words_and_numbers_as_they_were(tmp_path):
    frame = pd.DataFrame(
        {
            "group": ["007", "NA", "None"],
            "example_id": ["a,b.png", 'say "x".png', "new\nline.png"],
            "p_Happy": [0.1 + 0.2, 1 / 3, np.nan],
            "seed": [0, 1, 2],
        }
    )
    runs.write_csv(tmp_path / "x.csv", frame)
    found = runs.read_csv(tmp_path / "x.csv")
    assert found["group"].tolist() == ["007", "NA", "None"]
    assert found["example_id"].tolist() == frame["example_id"].tolist()
    assert found["seed"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found["p_Happy"], frame["p_Happy"])


def test_parts_are_joined_by_seed_then_arm_whatever_the_order_of_making(tmp_path):
    for seed, arm in [(10, "bdr"), (2, "none"), (2, "bdr")]:
        part = runs.part_dir(tmp_path, seed, arm)
        runs.write_csv(part / "history.csv", pd.DataFrame({"arm": [arm], "seed": [seed]}))
        if arm == "bdr":
            runs.write_csv(part / "removals.csv", pd.DataFrame({"seed": [seed]}))
        runs.finish_part(part)
    runs.merge_parts(tmp_path)
    history = runs.read_csv(tmp_path / "history.csv")
    assert list(zip(history["seed"], history["arm"], strict=True)) == [
        (2, "bdr"),
        (2, "none"),
        (10, "bdr"),
    ]
    assert runs.read_csv(tmp_path / "removals.csv")["seed"].tolist() == [2, 10]
    assert not (tmp_path / "scores.csv").exists()


def test_an_unfinished_part_is_not_joined(tmp_path):
    runs.finish_part(runs.part_dir(tmp_path, 0, "none"))
    runs.part_dir(tmp_path, 0, "bdr")
    with pytest.raises(ValueError, match="parts still to be finished: .'seed-0-bdr'"):
        runs.merge_parts(tmp_path)


def test_parts_with_differing_columns_are_not_joined(tmp_path):
    for arm, columns in [("a", {"x": [1]}), ("b", {"y": [1]})]:
        part = runs.part_dir(tmp_path, 0, arm)
        runs.write_csv(part / "scores.csv", pd.DataFrame(columns))
        runs.finish_part(part)
    with pytest.raises(ValueError, match="has other columns than"):
        runs.merge_parts(tmp_path)
    assert not (tmp_path / "scores.csv").exists()


def test_a_finished_part_keeps_its_facts_and_drops_its_checkpoint(tmp_path):
    part = runs.part_dir(tmp_path, 1, "bdr")
    (part / "checkpoint.npz").write_bytes(b"state")
    assert not runs.is_done(part)
    runs.finish_part(part, {"train_s": 2.5})
    assert runs.is_done(part)
    assert runs.part_facts(part) == {"train_s": 2.5}
    assert not (part / "checkpoint.npz").exists()


def test_an_arm_that_cannot_name_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Received: arm='\.\./x'"):
        runs.part_dir(tmp_path, 0, "../x")


def test_the_environment_names_versions_backend_and_commit(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    found = runs.environment()
    assert found["backend"] == "jax"
    assert found["numpy"] == np.__version__
    assert found["cpus"] >= 1
    assert json.dumps(found)


def test_runs_and_results_import_neither_keras_nor_tensorflow():
    code = (
        "import sys, affectkeras.runs, affectkeras.results, affectkeras.evaluation.leakage\n"
        "affectkeras.runs.environment()\n"
        "print(sorted({'keras', 'tensorflow', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(runs.__file__).parents[1],
    )
    assert done.stdout == "[]\n"


@dataclasses.dataclass(frozen=True)
class Resumable:
    """Settings of a recipe."""

    epochs: int = 3
    resume: Path | None = None


def test_a_new_run_has_settled_settings_and_no_folder_yet(capsys):
    run, config = runs.take_up(
        "one", Resumable(), lambda config: Resumable(epochs=5), lambda config: [f"{config.epochs}!"]
    )
    assert (run, config.epochs) == (None, 5)
    assert capsys.readouterr().out == "*** 5!\n"


def test_a_run_is_taken_up_under_its_own_settings(tmp_path, capsys):
    folder = runs.create_run("one", Resumable(epochs=7), tmp_path / "run")
    given = Resumable(epochs=1, resume=folder)
    run, config = runs.take_up("one", given, None, lambda config: ["sample"])
    assert (run, config.epochs) == (folder, 7)
    assert capsys.readouterr().out == "*** sample\n"


def test_a_run_of_another_recipe_is_not_taken_up(tmp_path):
    folder = runs.create_run("one", Resumable(), tmp_path / "run")
    with pytest.raises(UserError, match="is a run of one, not of two"):
        runs.take_up("two", Resumable(resume=folder), None, list)

import dataclasses
import subprocess
import sys
import time

import pytest

from affectkeras.command_line import run_command, run_recipe
from affectkeras.errors import UserError


def run(*arguments, **options):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def exit_status(command):
    with pytest.raises(SystemExit) as ended:
        run_command(command)
    return ended.value.code


def fail(error):
    raise error


def test_a_command_ends_with_the_status_it_returns():
    assert exit_status(lambda: 1) == 1
    assert exit_status(lambda: None) == 0
    assert exit_status(lambda: {"metrics": 1}) == 0


def test_a_user_error_is_one_line_and_status_2(capsys):
    assert exit_status(lambda: fail(UserError("faces.zip: fetch it again."))) == 2
    assert capsys.readouterr() == ("", "error: faces.zip: fetch it again.\n")


def test_an_interrupted_command_ends_with_130(capsys):
    assert exit_status(lambda: fail(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


def test_a_closed_pipe_ends_quietly():
    code = (
        "from affectkeras.command_line import run_command\n"
        "run_command(lambda: [print('x' * 1000) for _ in range(10_000)])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_a_terminal_that_knows_only_ascii_ends_nothing():
    code = "from affectkeras.command_line import run_command as r; r(lambda: print('4 × 4'))"
    done = run("-c", code, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout) == (0, "4 \\xd7 4\n")


@dataclasses.dataclass(frozen=True)
class Config:
    epochs: int = 31  # over all stages (paper: 31)


def recipe_main(config):
    print(config.epochs)
    return {"epochs": config.epochs}


def test_a_recipe_reads_its_config_from_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["recipe", "--epochs", "3"])
    with pytest.raises(SystemExit) as ended:
        run_recipe(recipe_main, Config)
    assert ended.value.code == 0
    assert capsys.readouterr().out == "3\n"


def test_a_recipes_help_shows_its_docstring_and_comments(monkeypatch, capsys):
    monkeypatch.setattr(sys.modules[__name__], "__doc__", "Faces on a backbone.")
    monkeypatch.setattr(sys, "argv", ["recipe", "--help"])
    with pytest.raises(SystemExit) as ended:
        run_recipe(recipe_main, Config)
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert "Faces on a backbone." in out
    assert "over all stages (paper: 31)" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["doctor", "predict", "ledger"]),
        (["doctor", "--help"], ["[NAME]", "[DIR]", "--group-pattern REGEX"]),
        (["ledger", "--help"], ["RUNS_DIR", "--out FILE"]),
        (["predict", "--help"], ["RUN", "FILE [FILE ...]", "--batch-size"]),
    ],
)
def test_help_is_there_at_once(arguments, words):
    code = "import sys, runpy\nsys.argv[0] = 'affectkeras'\ntry:\n"
    code += "    runpy.run_module('affectkeras', run_name='__main__')\n"
    code += "except SystemExit as ended:\n    assert ended.code == 0\n"
    code += "assert not {'tensorflow', 'keras', 'pandas'} & set(sys.modules)\n"
    began = time.perf_counter()
    done = run("-c", code, *arguments)
    # Under a second on an idle machine; what it must never do is wait for TensorFlow.
    assert time.perf_counter() - began < 10
    assert (done.returncode, done.stderr) == (0, "")
    for word in words:
        assert word in done.stdout


def test_mistakes_on_the_command_line_end_with_status_2():
    for arguments, message in [
        (["doctor", "sfw", "."], "error: Unknown data set 'sfw'"),
        (["doctor", "sfew", "nowhere"], "error: nowhere: "),
        (["predict", "run"], "error: predict needs at least one file"),
        (["ledger", "nowhere"], "error: nowhere: there is no such folder."),
        (["diagnose"], "diagnose"),
    ]:
        done = run("-m", "affectkeras", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr

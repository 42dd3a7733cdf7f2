import sys

import pytest

from affectkeras.demo import sample
from affectkeras.errors import UserError

RECIPE = """
import pathlib, sys
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
assert sys.argv[1] == "--quick"
run = pathlib.Path(options["--run-dir"])
run.mkdir()
(run / "model").write_text(str(run))
print("learning")
if pathlib.Path("fail").exists():
    sys.exit("out of luck")
(run / "result.json").write_text("{}")
counter = pathlib.Path("trained")
counter.write_text(counter.read_text() + "x" if counter.exists() else "x")
"""


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
    (tmp_path / "small_recipe.py").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)  # where `python -m` looks first
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sample, "RECIPE", "small_recipe")
    return tmp_path


def test_the_sample_model_is_trained_once(recipe, capfd):
    first = sample.sample_run()
    assert (first / "model").exists()
    assert first.is_relative_to(recipe / "cache" / "demo")
    assert sample.sample_run() == first
    assert (recipe / "trained").read_text() == "x"
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "Training a small sample model (about two minutes, only this once) …\n"
    assert not list((recipe / "cache" / "demo").glob("training-*"))


def test_a_training_that_failed_says_why_and_leaves_nothing(recipe):
    (recipe / "fail").touch()
    with pytest.raises(RuntimeError, match="learning\nout of luck"):
        sample.sample_run()
    assert not [path for path in (recipe / "cache" / "demo").iterdir() if path.is_dir()]
    (recipe / "fail").unlink()
    assert (sample.sample_run() / "result.json").exists()


def test_without_the_recipes_a_run_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "recipes", None)
    with pytest.raises(UserError, match="Give a run folder, or install the whole project"):
        sample.sample_run()

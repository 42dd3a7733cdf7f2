"""What the command line names stays, also where it is the default."""

import dataclasses
from pathlib import Path

import pytest

from affectkeras import given
from affectkeras.face_settings import with_quick_sizes
from affectkeras.given import is_unset, options_of, remember_named, without_option


@dataclasses.dataclass(frozen=True)
class Settings:
    data_dir: Path | None = None
    batch_size: int = 64
    epochs: int = 31
    cache: bool = True
    quick: bool = False


@pytest.fixture(autouse=True)
def _nothing_named():
    yield
    given._named.clear()


def test_options_are_read_from_words():
    words = ["faces", "--batch-size", "64", "--epochs=7", "--no-cache", "-1"]
    assert options_of(words) == {"batch_size", "epochs", "no_cache"}


def test_a_default_that_was_asked_for_is_kept_in_a_quick_run():
    sizes = {"batch_size": 32, "epochs": 7}
    assert with_quick_sizes(Settings(), sizes).batch_size == 32
    remember_named(options_of(["--quick", "--batch-size", "64"]))
    settings = with_quick_sizes(Settings(quick=True), sizes)
    assert (settings.batch_size, settings.epochs) == (64, 7)
    # The next command line is another.
    remember_named(options_of(["--quick"]))
    assert with_quick_sizes(Settings(), sizes).batch_size == 32


def test_a_switch_that_was_named_either_way_is_set():
    assert is_unset(Settings(), "cache")
    assert not is_unset(Settings(cache=False), "cache")
    remember_named(options_of(["--no-cache"]))
    assert not is_unset(Settings(), "cache")


@pytest.mark.parametrize(
    "words",
    [
        ["--run-dir", "there", "--quick"],
        ["--run-dir=there", "--quick"],
        ["--run_dir", "there", "--quick"],
        ["--quick", "--run-dir", "there"],
        ["--quick"],
    ],
)
def test_an_option_is_taken_out_with_its_value(words):
    assert without_option(words, "--run-dir") == ["--quick"]

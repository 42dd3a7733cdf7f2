"""Settings before a run: sizes filled in, and what is refused."""

import dataclasses
from pathlib import Path

import pytest

from affectkeras.errors import UserError
from affectkeras.given import remember_named
from affectkeras.settling import (
    check_data_dir,
    check_lists,
    check_positive,
    check_shares,
    fill_unset,
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is read of a recipe's settings."""

    data_dir: Path | None = None
    dataset: str = "sfew"
    epochs: int = 31
    batch_size: float | None = 16
    seconds: tuple[float, ...] | float = (2.0, 5.0)
    dropout: float = 0.5


@pytest.fixture
def named():
    yield remember_named
    remember_named(())


def test_the_first_layer_that_names_a_field_counts_and_given_fields_stay(named):
    layers = {"epochs": 1, "batch_size": 8}, {"epochs": 2, "dropout": 0.1}
    found = fill_unset(Settings(seconds=(1.0,)), *layers)
    assert found == Settings(epochs=1, batch_size=8, dropout=0.1, seconds=(1.0,))
    assert fill_unset(Settings(epochs=5), *layers).epochs == 5
    named(("epochs",))  # the default, asked for by name
    assert fill_unset(Settings(), *layers) == Settings(batch_size=8, dropout=0.1)
    assert fill_unset(Settings()) == Settings()


def test_a_folder_that_is_not_there_or_holds_something_else_is_refused(tmp_path):
    check_data_dir(Settings())
    with pytest.raises(UserError, match=r"--data-dir .*nowhere: there is nothing"):
        check_data_dir(Settings(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="SFEW"):
        check_data_dir(Settings(tmp_path))
    with pytest.raises(UserError, match="PAMAP2"):
        check_data_dir(Settings(tmp_path), "pamap2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "--epochs must be above 0. Received: 0"),
        ({"epochs": float("nan")}, "--epochs must be above 0. Received: nan"),
        ({"batch_size": -1}, "--batch-size must be above 0. Received: -1"),
        ({"seconds": (5.0, -2.0)}, "--seconds must be above 0. Received: -2.0"),
        ({"seconds": ()}, "--seconds must name at least one, none twice. Received: none"),
        (
            {"seconds": (5.0, 2.0, 5.0)},
            "--seconds must name at least one, none twice. Received: 5.0 2.0 5.0",
        ),
        ({"dropout": 1}, "--dropout must be from 0 to below 1. Received: 1"),
        ({"dropout": -0.1}, "--dropout must be from 0 to below 1. Received: -0.1"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_option(changes, message):
    def check(settings):
        check_positive(settings, "epochs", "batch_size", "seconds", "no_such_field")
        check_lists(settings, "seconds", "no_such_field")
        check_shares(settings, "dropout", "no_such_field")

    check(Settings(batch_size=None, seconds=5.0, dropout=0))
    with pytest.raises(UserError) as raised:
        check(Settings(**changes))
    assert str(raised.value) == message

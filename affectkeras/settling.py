"""What recipes do with settings before a run: fill sizes in, and refuse what cannot be."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from affectkeras.datasets import reader
from affectkeras.errors import UserError
from affectkeras.given import is_unset


def option_of(field: str) -> str:
    """Return the option that sets a field: `--batch-size` of `batch_size`."""
    return "--" + field.replace("_", "-")


def fill_unset(config, *layers: Mapping[str, Any]):
    """Return the settings with sizes for the fields that were not given.

    Args:
        config: a recipe's `Config`, as given.
        layers: sizes by field; the first that names a field counts.
    """
    sizes = {name: value for layer in reversed(layers) for name, value in layer.items()}
    unset = {name: value for name, value in sizes.items() if is_unset(config, name)}
    return dataclasses.replace(config, **unset)


def check_data_dir(config, dataset: str | None = None) -> None:
    """Raise `UserError` for a folder that is not there, or not laid out as its data set is.

    Args:
        config: a recipe's `Config`; without a `data_dir` nothing is checked.
        dataset: whose layout the folder must have; absent: the one that the settings name.
    """
    if config.data_dir is None:
        return
    if not config.data_dir.exists():
        raise UserError(f"--data-dir {config.data_dir}: there is nothing. Give the folder.")
    reader(dataset or config.dataset).find(config.data_dir)


def check_positive(config, *fields: str) -> None:
    """Raise `UserError` for a number, or one of several, that is not above 0.

    Args:
        config: a recipe's `Config`; fields that it lacks, or that are None, are not checked.
        fields: their names.
    """
    for name in fields:
        values = getattr(config, name, None)
        for value in values if isinstance(values, tuple) else (values,):
            if value is not None and not value > 0:  # NaN is not, either
                raise UserError(f"{option_of(name)} must be above 0. Received: {value}")


def check_shares(config, *fields: str) -> None:
    """Raise `UserError` for a number that is not from 0 to below 1; arguments as above."""
    for name in fields:
        share = getattr(config, name, 0)
        if not 0 <= share < 1:
            raise UserError(f"{option_of(name)} must be from 0 to below 1. Received: {share}")


def check_lists(config, *fields: str) -> None:
    """Raise `UserError` for a list that is empty or names one twice; arguments as above.

    A field that holds one value is no list.
    """
    for name in fields:
        values = getattr(config, name, None)
        if isinstance(values, tuple) and not 0 < len(values) == len(set(values)):
            told = " ".join(map(str, values)) or "none"
            raise UserError(
                f"{option_of(name)} must name at least one, none twice. Received: {told}"
            )

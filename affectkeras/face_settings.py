"""What the settings of recipes on faces have in common."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from affectkeras.datasets import reader
from affectkeras.errors import UserError
from affectkeras.given import is_unset

SAME_FILMS = "frames of one film stand on both sides of the split"


def check_data_dir(config) -> None:
    """Raise `UserError` for a folder that is not there, or not laid out as its data set is."""
    if config.data_dir is None:
        return
    if not config.data_dir.exists():
        raise UserError(f"--data-dir {config.data_dir}: there is nothing. Give the folder.")
    reader(config.dataset).find(config.data_dir)


def with_quick_sizes(config, sizes: Mapping[str, Any]):
    """Return the settings of a quick run: asked for by `--quick`, or as there is no data.

    Args:
        config: a recipe's `Config`, as given.
        sizes: for fields that were not given.
    """
    if not config.quick and config.data_dir is not None:
        return config
    unset = [name for name in sizes if is_unset(config, name)]
    return dataclasses.replace(config, quick=True, **{name: sizes[name] for name in unset})


def face_banners(config, quick: str, leak: str = SAME_FILMS) -> list[str]:
    """Return what must stand wherever the figures of such a run are shown.

    Args:
        config: a recipe's `Config`.
        quick: what is small in a quick run.
        leak: how the published protocol leaks.
    """
    weights = getattr(config, "weights", ())
    said = {
        "Sample data: rendered faces. The figures say nothing about people.": not config.data_dir,
        f"Quick run: {quick}.": config.quick,
        f"Protocol paper: {leak}. It leaks, as published; do not quote it as generalisation.": (
            config.protocol == "paper"
        ),
        "Random initial weights: nothing was pretrained.": (
            "none" in ((weights,) if isinstance(weights, str) else weights)
        ),
    }
    return [text for text, holds in said.items() if holds]

"""What the settings of recipes on faces have in common."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from affectkeras.settling import fill_unset

SAME_FILMS = "frames of one film stand on both sides of the split"


def with_quick_sizes(config, sizes: Mapping[str, Any]):
    """Return the settings of a quick run: asked for by `--quick`, or as there is no data.

    Args:
        config: a recipe's `Config`, as given.
        sizes: for fields that were not given.
    """
    if not config.quick and config.data_dir is not None:
        return config
    return fill_unset(dataclasses.replace(config, quick=True), sizes)


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

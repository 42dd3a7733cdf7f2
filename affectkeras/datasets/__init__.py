"""Readers: one module per data set, from the raw folder as its owner gave it to an `ExampleTable`.

Every module has `LAYOUT` (a drawing of the folder it expects), `find(folder)` and `read(folder)`,
and where classes are told `CLASS_NAMES`.
"""

import importlib
from types import ModuleType

from affectkeras.errors import UserError

NAMES = (
    *("sfew", "ferplus", "fer2013", "rafdb", "affectnet", "anu_stress"),
    *("aff_wild", "aff_wild2", "afew"),
    *("k_emocon", "pamap2", "stress_predict", "wesad", "empatica_e4"),
    *("cifar10", "image_folder"),
)
TABLES = ("sfew_features",)  # of numbers that others computed, without the recordings


def reader(name: str) -> ModuleType:
    """Return the module that reads the data set `name`.

    Raises:
        UserError: when no data set has that name; the message lists those there are.
    """
    if name not in (*NAMES, *TABLES):
        known = ", ".join((*NAMES, *TABLES))
        raise UserError(
            f"Unknown data set {name!r}. Known: {known}. For any other folder of "
            "labelled images use image_folder."
        )
    return importlib.import_module(f"affectkeras.datasets.{name}")

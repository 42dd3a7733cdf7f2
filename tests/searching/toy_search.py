"""A search over the recipe that trains nothing."""

import dataclasses
import os
import signal
import time
from pathlib import Path

from affectkeras.errors import UserError
from affectkeras.searching.search import run_search
from affectkeras.searching.study import Measured, Study
from tests.searching import toy_recipe as recipe


def space(hp, config):
    """Return the settings of a trial."""
    return dataclasses.replace(
        config,
        x=hp.Float("x", 0.0, 1.0),
        y=(hp.Int("y.0", 0, 9), hp.Int("y.1", 0, 9)),
        shape=hp.Choice("shape", ("round", "flat")),
    )


def prepare(config):
    """Return what trials share."""
    if config.fail == "begin":
        raise UserError("there is no hill here. Give another.")
    return "shared"


def measure(config, data, part: Path) -> Measured:
    """Return the height, or fail as asked; note that the trial was run."""
    with open(part / "ran.txt", "a") as file:
        file.write(f"{os.getpid()} {config.x} {config.y}\n")
    (part / "threads.txt").write_text(os.environ.get("TF_NUM_INTRAOP_THREADS", "all"))
    time.sleep(config.sleep_s)
    if config.x < 0.5:
        if config.fail == "raise":
            raise ValueError("too far west\nsecond line")
        if config.fail == "memory":
            raise MemoryError
        if config.fail == "nan":
            return Measured(float("nan"))
        if config.fail == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
    history = [{"epoch": 1, "height": recipe.height(config)}]
    return Measured(recipe.height(config), {"parameters": 1000 * config.x}, history)


STUDY = Study(recipe, space, prepare, measure, objective="height")

if __name__ == "__main__":
    run_search(STUDY, __spec__.name)

"""A recipe that trains nothing: searches over it take milliseconds a trial."""

import dataclasses
import json
from pathlib import Path

from affectkeras import runs
from affectkeras.errors import UserError


@dataclasses.dataclass(frozen=True)
class Config:
    """Find the top of a hill."""

    data_dir: Path | None = None  # nothing is read
    x: float = 0.25  # east
    y: tuple[int, int] = (2, 3)  # north, both feet
    shape: str = "round"  # of the hill
    epochs: int = 9  # steps
    sleep_s: float = 0.0  # of a trial
    fail: str = ""  # what trials with x below 0.5 do: raise, memory, nan, kill
    run_dir: Path | None = None  # where to write
    resume: Path | None = None  # go on
    quick: bool = False  # nothing is smaller


def settle(config: Config) -> Config:
    """Return the settings of a new run."""
    if config.epochs < 1:
        raise UserError(f"--epochs must be above 0. Received: {config.epochs}")
    return config


def banners(config: Config) -> list[str]:
    """Return what must be said."""
    return ["A hill, no faces."]


def height(config: Config) -> float:
    """Return the height at a place, at most 1."""
    north = sum(abs(foot - 5) for foot in config.y) / 20
    return 1 - (config.x - 0.7) ** 2 - north - (config.shape == "flat") * 0.5


def main(config: Config) -> dict:
    """Write a result."""
    config = runs.restore_config(Config, runs.open_run(config.resume, "toy_recipe"))
    result = {"height": height(config), "x": config.x, "y": list(config.y)}
    (config.run_dir / "result.json").write_text(json.dumps(result))
    return result

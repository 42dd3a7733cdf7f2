"""How a search goes: its options on the command line, and which of the recipe's were given."""

import dataclasses
import typing
from collections.abc import Collection, Sequence
from typing import Literal

from affectkeras.errors import UserError
from affectkeras.given import options_of

QUICK_TRIALS = 4
Kind = Literal["random", "bayesian", "hyperband", "grid"]


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """How to search. Options of the recipe that are given are kept, all others are searched."""

    tuner: Kind = "bayesian"  # keras-tuner's oracle that proposes what to try
    trials: int = 20  # most trainings; of a quick search 4
    seconds: float | None = None  # no trial begins after so many seconds of searching
    workers: int = 0  # processes on this machine that train side by side; 0: this one alone
    chief: str | None = None  # host:port where workers of other machines find this search
    worker: str | None = None  # host:port of a chief to work for; needs --resume FOLDER, shared
    search_seed: int = 0  # of what is proposed
    keep_models: int = 10  # models of so many best trials are kept
    tensorboard: bool = False  # write for TensorBoard's HParams, too


def settle_search(settings: SearchSettings, given: Sequence[str], quick: bool) -> SearchSettings:
    """Return the settings of a new search.

    Raises:
        UserError: for settings that no search can have.
    """
    if quick and "search.trials" not in given:
        settings = dataclasses.replace(settings, trials=QUICK_TRIALS)
    for name, least in (("trials", 1), ("workers", 0), ("search_seed", 0), ("keep_models", 1)):
        if getattr(settings, name) < least:
            option = "--" + name.replace("_", "-")
            received = getattr(settings, name)
            raise UserError(f"{option} must be at least {least}. Received: {received}")
    if settings.seconds is not None and not settings.seconds > 0:
        raise UserError(f"--seconds must be above 0. Received: {settings.seconds}")
    for name in ("chief", "worker"):
        if getattr(settings, name) is not None:
            split_address(getattr(settings, name), f"--{name}")
    return settings


def split_address(address: str, option: str) -> tuple[str, int]:
    """Return host and port of `host:port`, or raise `UserError`."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"{option} must be host:port, such as 10.0.0.5:4000. Received: {address}")
    return host, int(port)


def without_clashes(config: type) -> type:
    """Return the recipe's settings with `--recipe-NAME` for options that a search has itself."""
    import tyro

    own = {field.name for field in dataclasses.fields(SearchSettings)}
    clashing = [field for field in dataclasses.fields(config) if field.name in own]
    if not clashing:
        return config
    hints = typing.get_type_hints(config)
    fields = [
        (
            field.name,
            typing.Annotated[
                hints[field.name],
                tyro.conf.arg(
                    name=f"recipe-{field.name}".replace("_", "-"),
                    help=f"the recipe's --{field.name.replace('_', '-')}",
                ),
            ],
            dataclasses.field(default=field.default),
        )
        for field in clashing
    ]
    return dataclasses.make_dataclass(config.__name__, fields, bases=(config,), frozen=True)


def given_options(config: type, arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the recipe's and the search's own fields that stand on the command line.

    Args:
        config: the recipe's settings.
        arguments: the words of the command line.

    Returns:
        Names of the recipe's fields as they are, of the search's own after `search.`.
    """
    options = options_of(arguments)
    own = [field.name for field in dataclasses.fields(SearchSettings)]
    names = [field.name for field in dataclasses.fields(config)]
    said = {name: f"recipe_{name}" if name in own else name for name in names}
    said |= {f"search.{name}": name for name in own}
    return tuple(name for name, option in said.items() if {option, f"no_{option}"} & options)


def command_line(config, searched: Collection[str] = ()) -> list[str]:
    """Return the options that give a recipe these settings in a folder of its own.

    Args:
        config: the settings.
        searched: fields that are told also where they are the default: a quick run has others.
    """
    options = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        told = field.name in searched or value != field.default
        if field.name in ("run_dir", "resume") or not told:
            continue
        option = field.name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{option}" if value else f"--no-{option}")
        else:
            values = value if isinstance(value, tuple) else (value,)
            options += [f"--{option}", *map(str, values)]
    return options

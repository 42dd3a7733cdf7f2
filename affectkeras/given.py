"""Which settings the command line names: sizes of quick and sample runs leave those alone."""

from collections.abc import Collection, Iterable, Sequence

_named: set[str] = set()


def options_of(arguments: Iterable[str]) -> set[str]:
    """Return the names of the options among words: `batch_size` for `--batch-size=64`."""
    return {
        word.partition("=")[0].lstrip("-").replace("-", "_")
        for word in arguments
        if word.startswith("--")
    }


def without_option(words: Sequence[str], option: str) -> list[str]:
    """Return the words of a command line without an option and its value.

    Args:
        option: such as `--run-dir`; tyro takes it with underscores as well.
    """
    names = {option, "--" + option.removeprefix("--").replace("-", "_")}
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in names:
            skip = True
        elif word.partition("=")[0] not in names:
            kept.append(word)
    return kept


def remember_named(names: Collection[str]) -> None:
    """Keep the names of the fields that this program's command line gives."""
    _named.clear()
    _named.update(names)


def is_unset(config, name: str) -> bool:
    """Return whether a field has its default and nobody asked for just that.

    Args:
        config: a recipe's `Config`.
        name: of a field.
    """
    named = {name, f"no_{name}"} & _named
    return not named and getattr(config, name) == getattr(type(config), name)

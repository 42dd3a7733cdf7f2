"""What every command has in common: how it ends, and what it says when it cannot go on."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from affectkeras.errors import UserError
from affectkeras.given import options_of, remember_named

INTERRUPTED = 128 + 2  # as shells report a program that ended by SIGINT
PIPE_CLOSED = 128 + 13  # SIGPIPE


def run_command(command: Callable[[], object]) -> NoReturn:
    """Call `command` and end the program with its exit status.

    The status is what the command returns where that is a whole number, else 0. A `UserError`
    becomes one line on standard error and status 2; Ctrl-C ends with 130; a reader that closes the
    pipe (`| head`) ends it quietly with 141. Every other exception is a defect of ours and keeps
    its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows only ASCII shows \\xd7 for × instead of ending the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = command()
        sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Python would complain once more when it flushes standard output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)
    sys.exit(status if isinstance(status, int) else 0)


def run_recipe(main: Callable, config: type) -> NoReturn:
    """Read a recipe's `Config` from the command line and run its `main` with it.

    The help text is the docstring of the recipe's module and the comments beside the fields.
    """
    import tyro

    description = sys.modules[main.__module__].__doc__
    module = sys.modules[main.__module__].__spec__.name
    remember_named(options_of(sys.argv[1:]))
    run_command(lambda: main(tyro.cli(config, prog=f"python -m {module}", description=description)))

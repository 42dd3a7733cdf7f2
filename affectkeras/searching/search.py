"""A search from its command line to its report and the run of what it found."""

import contextlib
import dataclasses
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields

from affectkeras import runs
from affectkeras.command_line import run_command
from affectkeras.errors import UserError
from affectkeras.files import write_json
from affectkeras.given import remember_named
from affectkeras.searching import folder as search_folder
from affectkeras.searching.session import (
    Progress,
    Search,
    begin_search,
    build_oracle_of,
    of_environment,
    open_search,
    write_facts,
)
from affectkeras.searching.settings import (
    SearchSettings,
    command_line,
    given_options,
    split_address,
    without_clashes,
)
from affectkeras.searching.study import Choice, Study, best_trial, trial_config
from affectkeras.searching.supervisor import (
    CHIEF,
    SUPERVISED,
    die_with_supervisor,
    free_port,
    supervise,
)

BEST = "best"
TERMINATED = 128 + 15  # as shells report a program that ended by SIGTERM


def run_search(study: Study, module: str, arguments: Sequence[str] | None = None) -> None:
    """Read a search's command line, run it and end the program.

    Args:
        study: what is searched.
        module: the script's `__spec__.name`.
        arguments: the words to read; absent: those that the program was started with.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    run_command(lambda: _main(study, module, arguments))


def _main(study: Study, module: str, arguments: list[str]) -> dict | None:
    import tyro

    config_class, one_level = without_clashes(study.recipe.Config), tyro.conf.OmitArgPrefixes
    command = dataclasses.make_dataclass(
        "Command",
        [
            ("search", one_level[SearchSettings], dataclasses.field(default=SearchSettings())),
            ("config", one_level[config_class], dataclasses.field(default=config_class())),
        ],
        frozen=True,
    )
    said = tyro.cli(
        command, prog=f"python -m {module}", description=sys.modules["__main__"].__doc__
    )
    values = {field.name: getattr(said.config, field.name) for field in fields(config_class)}
    said = dataclasses.replace(said, config=study.recipe.Config(**values))
    given = given_options(config_class, arguments)
    remember_named(given)
    _import_quietly()
    if os.environ.get(SUPERVISED):
        die_with_supervisor()
        return _take_part(open_search(study, module, said, given))
    said = dataclasses.replace(said, search=of_environment(said.search))
    if said.search.worker is not None:
        search = open_search(study, module, said, given)
        return _join(search, *split_address(said.search.worker, "--worker"))
    if said.config.resume is None:
        search = begin_search(study, module, said, given)
    else:
        search = open_search(study, module, said, given)
    return carry_out(search)


def carry_out(search: Search) -> dict:
    """Search, run the best settings as the recipe does, and write the report."""
    settings = search.settings
    with runs.lock_run(search.folder), _terminated_politely():
        write_facts(search, "unfinished")
        print(f"search folder: {search.folder}", flush=True)
        _say_where_it_stands(search)
        if settings.workers or settings.chief:
            place = ("127.0.0.1", free_port())
            if settings.chief:
                place = split_address(settings.chief, "--chief")
            supervise(search.module, search.folder, settings.workers, place)
        else:
            _search_alone(search)
        return finish_search(search)


def _say_where_it_stands(search: Search) -> None:
    """Say what is done already, and where workers print, before the long silence of an import."""
    settings, rows = search.settings, search_folder.read_trials(search.folder)
    ended = sum(row["ended"] is not None for row in rows)
    if ended:
        print(f"{ended} of {settings.trials} trials have ended: they are not run again", flush=True)
    if settings.workers:
        print(
            f"{settings.workers} workers start; while they work they print to "
            f"{search.folder / 'logs'}",
            flush=True,
        )


def finish_search(search: Search) -> dict:
    """Make the run of the best settings, the plots and the report; return `search.json`."""
    from affectkeras.searching.report import write_search_report

    study, rows = search.study, search_folder.read_trials(search.folder)
    if best_trial(rows, study.direction) is None:
        causes = sorted({row["cause"] for row in rows}) or ["none was begun"]
        write_facts(search, "unfinished")
        raise UserError(
            f"no trial of {search.folder} was completed: {'; '.join(causes)[:600]}. The folders "
            "below trials/ hold the tracebacks."
        )
    choice = _choose(search, rows)
    write_facts(search, "unfinished", choice)
    make_best(search, choice)
    search_folder.drop_leftovers(search.folder)
    facts = write_facts(search, "complete", choice)
    write_search_report(search.folder)
    best = facts["best"]
    print(f"best of {len(rows)} trials: {best['trial']}, {study.objective} {best['objective']:.4f}")
    print(choice.words)
    print(f"report: {search.folder / 'report.html'}")
    return facts


def make_best(search: Search, choice: Choice) -> None:
    """Run the recipe with the chosen settings in `best/`, going on where it was cut off.

    It is the recipe's own run in every way, and the first that reads test rows.
    """
    place = search.folder / BEST
    if (place / "result.json").exists():
        return
    if not (place / "config.json").exists():
        config, searched = chosen_config(search, choice)
        config = dataclasses.replace(config, run_dir=place)
        runs.create_run(search.study.name, config, place)
        saved = runs.open_run(place)
        # The command of this run is the recipe's, not the search's.
        saved["command"] = [search.study.name, *command_line(config, searched)]
        write_json(place / "config.json", saved)
    print(f"trial {choice.trial} as a run of {search.study.name}: {place}", flush=True)
    search.study.recipe.main(type(search.config)(resume=place))


def chosen_config(search: Search, choice: Choice) -> tuple:
    """Return the recipe's settings of the chosen trial, and which of them were searched."""
    oracle = build_oracle_of(search, sitting=None)
    trial = oracle.get_trial(choice.trial)
    found = trial_config(search.study, trial.hyperparameters, search.config, search.fixed)
    searched = {name.partition(".")[0] for name in trial.hyperparameters.values}
    return dataclasses.replace(found, **choice.changes), searched


def _import_quietly() -> None:
    """Import keras-tuner, and with it TensorFlow, as `quiet.start_tensorflow` would."""
    from affectkeras.quiet import quiet_start

    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with quiet_start():
        import keras_tuner  # noqa: F401


def _search_alone(search: Search) -> None:
    from affectkeras.searching.trials import run_trials

    oracle = build_oracle_of(search, sitting=secrets.token_hex(8))
    if not oracle.over:
        oracle.on_end = Progress(search)
        run_trials(oracle, *_of(search), "main")


def _take_part(search: Search) -> None:
    """Be what the supervisor started this process for: the chief or a worker."""
    role = os.environ["KERASTUNER_TUNER_ID"]
    host, port = os.environ["KERASTUNER_ORACLE_IP"], int(os.environ["KERASTUNER_ORACLE_PORT"])
    if role != CHIEF:
        _work(search, "127.0.0.1" if host == "0.0.0.0" else host, port, role)
        return
    from affectkeras.searching.chief import serve

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # workers give back what they had begun
    oracle = build_oracle_of(search, sitting=os.environ[SUPERVISED])
    oracle.on_end = Progress(search)
    serve(oracle, host, port)


def _join(search: Search, host: str, port: int) -> None:
    """Be a worker that the user started, unless it comes too late."""
    from affectkeras.searching.chief import chief_answers

    state = search_folder.read_state(search.folder)
    if not chief_answers(host, port):
        if state is not None and state["over"]:
            raise UserError(
                f"the search in {search.folder} has no trial left. For more, start its chief again "
                "with --resume and more --trials, then this worker."
            )
        print(f"no chief answers at {host}:{port} yet: it is waited for, ten minutes", flush=True)
    _work(search, host, port, _own_name())


def _work(search: Search, host: str, port: int, tuner_id: str) -> None:
    from affectkeras.searching.chief import RemoteOracle
    from affectkeras.searching.trials import run_trials

    oracle = RemoteOracle(host, port, tuner_id)
    with oracle.alive(), _terminated_politely():
        run_trials(oracle, *_of(search), tuner_id)


def _of(search: Search) -> tuple:
    return search.study, search.config, search.fixed, search.folder


def _own_name() -> str:
    """Return a worker's name that tells its machine, and that no other process has."""
    import platform
    import time

    return f"{platform.node()}-{os.getpid()}#{time.time_ns()}"


def _choose(search: Search, rows: list[dict]) -> Choice:
    if search.study.choose is not None:
        return search.study.choose(search.folder, rows)
    best = best_trial(rows, search.study.direction)
    return Choice(best["trial"], words=f"Trial {best['trial']} has the best objective.")


@contextlib.contextmanager
def _terminated_politely():
    """Let SIGTERM end the process as Ctrl-C does: what it had begun goes back."""

    def stop(*_):
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

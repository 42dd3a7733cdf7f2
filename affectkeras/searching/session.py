"""A search that is going on: begun or taken up again, what its folder says of it, its oracle."""

import dataclasses
import json
import os
from dataclasses import fields
from pathlib import Path

from affectkeras import runs
from affectkeras.errors import UserError
from affectkeras.searching import folder as search_folder
from affectkeras.searching.settings import SearchSettings, settle_search, split_address
from affectkeras.searching.study import Choice, Study, best_trial, trial_config


@dataclasses.dataclass(frozen=True)
class Search:
    """A search that is going on.

    Args:
        study: what is searched.
        module: its script, as `python -m` takes it.
        config: the recipe's settings that it starts from.
        settings: how it goes.
        fixed: the recipe's fields that the user gave.
        folder: where it lies.
    """

    study: Study
    module: str
    config: object
    settings: SearchSettings
    fixed: tuple[str, ...]
    folder: Path


def of_environment(settings: SearchSettings) -> SearchSettings:
    """Return the settings with the part that keras-tuner's variables give this process."""
    role = os.environ.get("KERASTUNER_TUNER_ID")
    if role is None or "KERASTUNER_ORACLE_IP" not in os.environ:
        return settings
    place = f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ.get('KERASTUNER_ORACLE_PORT')}"
    split_address(place, "KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT")
    return dataclasses.replace(settings, **{"chief" if "chief" in role else "worker": place})


def begin_search(study: Study, module: str, said, given) -> Search:
    """Return a new search in a folder of its own."""
    config = study.recipe.settle(said.config)
    settings = settle_search(said.search, given, getattr(config, "quick", False))
    kept = {field.name for field in fields(config)} - {"run_dir", "resume"}
    fixed = tuple(name for name in given if name in kept)
    build_space(study, config, fixed, settings)  # refused before there is a folder
    for text in study.banners(config):
        print(f"*** {text}")
    place = runs.create_run(f"search_{study.name}", config, config.run_dir)
    search = Search(study, module, config, settings, fixed, place)
    write_facts(search, "unfinished")
    return search


def open_search(study: Study, module: str, said, given) -> Search:
    """Return a search that was begun, with more trials or time where they are given.

    Raises:
        UserError: when there is none, or it is complete.
    """
    place = said.config.resume
    if place is None:
        raise UserError(
            "--worker needs --resume FOLDER: the search's folder, shared with the chief."
        )
    facts = search_folder.read_search(place)
    if facts["status"] == "complete":
        raise UserError(
            f"--resume: the search in {place} is complete. Read its report.html, or start a new "
            "one without --resume."
        )
    config = runs.restore_config(type(said.config), runs.open_run(place, f"search_{study.name}"))
    settings = SearchSettings(**facts["settings"])
    changed = {
        name: getattr(said.search, name)
        for name in ("trials", "seconds", "workers", "chief", "tensorboard")
        if f"search.{name}" in given or name == "chief" and said.search.chief is not None
    }
    settings = settle_search(dataclasses.replace(settings, **changed), ("search.trials",), False)
    return Search(study, module, config, settings, tuple(facts["fixed"]), Path(place))


def build_space(study: Study, config, fixed, settings: SearchSettings):
    """Return keras-tuner's `HyperParameters` with the whole space.

    Raises:
        UserError: when nothing is left to search.
    """
    import keras_tuner

    space = keras_tuner.HyperParameters()
    trial_config(study, space, config, fixed)
    if not space.space:
        raise UserError("every setting that could be searched was given. Leave some of them away.")
    if settings.tuner == "hyperband" and any(hp.name == "epochs" for hp in space.space):
        raise UserError("--tuner hyperband chooses the epochs itself: give --epochs, the most.")
    return space


def write_facts(search: Search, status: str, choice: Choice | None = None) -> dict:
    """Write `search.json` and return it."""
    rows = search_folder.read_trials(search.folder)
    study = search.study
    best = best_trial(rows, study.direction) if choice is None else _row(rows, choice.trial)
    first = _row(rows, min((row["trial"] for row in rows), default=""))
    facts = {
        "search": study.name,
        "status": status,
        "objective": {"name": study.objective, "direction": study.direction, "on": "validation"},
        "settings": dataclasses.asdict(search.settings),
        "fixed": list(search.fixed),
        "banners": study.banners(search.config),
        "notes": list(study.notes),
        "command": json.loads((search.folder / "config.json").read_text("utf-8"))["command"],
        "module": search.module,
        "trials": {
            name: sum(row["status"] == name for row in rows) for name in ("completed", "failed")
        },
        "first_is_default": search.settings.tuner != "hyperband",
        "first": first,
        "best": best,
        "choice": None if choice is None else dataclasses.asdict(choice),
    }
    search_folder.write_search(search.folder, facts)
    return facts


def build_oracle_of(search: Search, sitting: str | None):
    import keras_tuner

    from affectkeras.searching.oracles import build_oracle

    study, settings = search.study, search.settings
    return build_oracle(
        settings,
        keras_tuner.Objective(study.objective, study.direction),
        build_space(study, search.config, search.fixed, settings),
        epochs=getattr(search.config, "epochs", None),
        folder=search.folder,
        sitting=sitting,
        seconds=settings.seconds,
        keep_models=settings.keep_models,
    )


class Progress:
    """Says after every trial how the search stands, and keeps what a trial leaves.

    Args:
        search: the search.
    """

    def __init__(self, search: Search):
        self._search = search

    def __call__(self, rows: list[dict], name: str, running: int) -> None:
        study, settings = self._search.study, self._search.settings
        row, best = _row(rows, name), best_trial(rows, study.direction)
        ended = sum(one["ended"] is not None for one in rows)
        found = row["cause"] if row["status"] == "failed" else f"{row['objective']:.4f}"
        so_far = "" if best is None else f", best {best['objective']:.4f} (trial {best['trial']})"
        taken = "" if row["seconds"] is None else f" in {row['seconds']:.1f} s by {row['worker']}"
        print(
            f"trial {name} ({ended} of {settings.trials}): {study.objective} {found}{taken}"
            f"{so_far}",
            flush=True,
        )
        if settings.tensorboard:
            from affectkeras.searching.tensorboard import write_trial

            write_trial(self._search.folder, row, study.objective)


def _row(rows: list[dict], name: str) -> dict | None:
    return next((row for row in rows if row["trial"] == name), None)

"""The runs that stand in the ledger: which result files count, and which of their figures.

Only complete runs on real data and at full size count.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from affectkeras.comparing.claims import Claim, figure_of
from affectkeras.comparing.honest import LEAKY_PROTOCOLS
from affectkeras.errors import UserError
from affectkeras.wording import absent

# Data sets that their owners give out on a signed agreement only, without - and _.
LICENCE_GATED = frozenset(
    {"affectnet", "affwild", "affwild2", "anustress", "kemocon", "rafdb", "sfew"}
)
# Where several honest protocols were run, the strictest stands in the ledger.
OWNERS_SPLIT = "official"


@dataclasses.dataclass(frozen=True)
class Found:
    """Result files, sorted into those that count and those that do not.

    Args:
        runs: `(name, result)` of complete, full-size runs on real data.
        set_aside: `(name, recipe, reason)` of the others; recipe is empty where it is unknown.
    """

    runs: list[tuple[str, dict]]
    set_aside: list[tuple[str, str, str]]


@dataclasses.dataclass(frozen=True)
class Ours:
    """A figure of one of our runs: `value`, `sd` over seeds and 95 % interval `low` to `high`.

    Of a mean over subjects `sd` is over subjects, and the interval draws subjects anew. `sd`, `low`
    and `high` are None where the run has none.
    """

    run: str
    protocol: str
    leaky: bool
    model: str
    value: float
    sd: float | None
    low: float | None
    high: float | None
    n: int
    seeds: int


def find_results(runs_dir: Path, recipes: Iterable[str]) -> Found:
    """Read every `result.json` below a folder, at any depth.

    Raises:
        UserError: when there is no such folder, or no result in it.
    """
    folder = Path(runs_dir)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder. Give the one that holds the runs.")
    paths = sorted(folder.rglob("result.json"))
    if not paths:
        raise UserError(
            f"{folder} holds no result.json at any depth. Give the folder that holds the run "
            "folders; an unfinished run has no result yet."
        )
    read, unreadable = [], []
    for path in paths:
        name = path.parent.relative_to(folder).as_posix()
        name = folder.resolve().name if name == "." else name
        try:
            read.append((name, json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:
            unreadable.append((name, "", f"unreadable: {error}"))
    found = sort_results(read, recipes)
    return Found(found.runs, sorted([*found.set_aside, *unreadable]))


def sort_results(results: Iterable[tuple[str, dict]], recipes: Iterable[str]) -> Found:
    """Sort results `(name, content)` into those that count and those set aside, with the reason."""
    recipes, runs, set_aside = set(recipes), [], []
    for name, result in results:
        reason = _why_set_aside(result, recipes)
        if reason:
            recipe = result.get("recipe") if isinstance(result, dict) else None
            set_aside.append((name, recipe if isinstance(recipe, str) else "", reason))
        else:
            runs.append((name, result))
    return Found(runs, set_aside)


def figures_of(recipe: str, claim: Claim, found: Found) -> list[Ours]:
    """Return the claim's metric in every run of its recipe on its data, whatever the protocol."""
    figures = []
    for name, result in found.runs:
        if result["recipe"] != recipe:
            continue
        part = result["arms"].get(claim.arm, {}).get(claim.split, {})
        metric, model = figure_of(part, claim.metric), _model(result)
        if result["dataset"]["name"] != claim.dataset or absent(metric.get("mean")):
            continue
        if claim.model and model != claim.model:
            continue
        protocol = result["protocol"]["name"]
        passed = result.get("leakage", {}).get("passed", True)
        low, high = metric.get("ci95") or (None, None)
        figures.append(
            Ours(
                name,
                protocol,
                protocol in LEAKY_PROTOCOLS or not passed,
                model,
                *(metric["mean"], metric.get("sd"), low, high),
                part["n"],
                len(metric.get("per_seed") or part.get("seeds") or [0]),
            )
        )
    return figures


def choose(figures: list[Ours]) -> Ours | None:
    """Return the figure that counts: never chosen by its value."""
    # The strictest protocol, the most seeds; of equals the last, as runs are named by their time.
    return max(
        figures, key=lambda one: (one.protocol != OWNERS_SPLIT, one.seeds, one.run), default=None
    )


def counted(reasons: Sequence[str]) -> str:
    """Return reasons with how often each occurs, such as `2 quick, 1 not complete`."""
    return ", ".join(f"{times} {reason}" for reason, times in Counter(reasons).items())


def why_not_run(recipe: str, claim: Claim, found: Found, *, honest: bool = False) -> str:
    """Say why the ledger has no figure of ours."""
    runs = [result for _, result in found.runs if result["recipe"] == recipe]
    here = [result for result in runs if result["dataset"]["name"] == claim.dataset]
    protocols = sorted({one["protocol"]["name"] for one in here})
    if honest:
        wanted = [one for one in protocols if one not in LEAKY_PROTOCOLS]
    else:
        wanted = [one for one in protocols if one == claim.protocol]
    if wanted:
        what = f"{claim.metric} of arm {claim.arm}"
        what += f" with {claim.model}" if claim.model else ""
        return f"not run: no run under {' or '.join(wanted)} has the {claim.split} {what}"
    if here:
        return f"not run under this protocol, only under {' and '.join(protocols)}"
    reasons = [reason for _, of, reason in found.set_aside if of == recipe]
    gated = claim.dataset.replace("_", "").replace("-", "").lower() in LICENCE_GATED
    why = ["the data is licence-gated"] if gated else []
    if reasons:
        why.append(f"only runs that do not count were found ({counted(reasons)})")
    return f"not run: {'; '.join(why) or 'no run on this data was found'}"


def _model(result: dict) -> str:
    return result.get("served", "").removesuffix(f"-{result.get('served_arm', '')}")


def _why_set_aside(result: dict, recipes: set[str]) -> str:
    """Return why a result does not count; empty where it does."""
    if not isinstance(result, dict):
        return "no result: it holds no JSON object"
    if result.get("status") != "complete":
        return "not complete"
    for name in ("dataset", "protocol", "arms"):
        part = result.get(name)
        if not isinstance(part, dict) or (name != "arms" and "name" not in part):
            return f"no result: it lacks a whole `{name}`"
    recipe = result.get("recipe")
    if not isinstance(recipe, str) or recipe not in recipes:
        return f"of a recipe that is not installed: {recipe}"
    marks = {"quick": "quick", "sample": "on sample data"}
    return " ".join(words for key, words in marks.items() if result["dataset"].get(key))

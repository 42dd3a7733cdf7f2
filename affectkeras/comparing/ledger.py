"""The ledger: every published figure, what its number of rows allows, and ours beside it.

A figure measured under a protocol that leaks is never shown without the word, and the honest
protocol's figure stands beside it.
"""

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping, Sequence

from affectkeras.comparing.claims import SHARES, Claim
from affectkeras.comparing.honest import LEAKY_PROTOCOLS
from affectkeras.comparing.ledger_runs import Found, Ours, choose, figures_of, why_not_run
from affectkeras.errors import UserError
from affectkeras.evaluation.proportions import difference_interval, wilson_interval

QUOTED = "not ours: the paper quotes another work"
# A published figure betrays its count of right rows where rounding moves it less than this.
COUNT_TOLERANCE = 0.05


@dataclasses.dataclass(frozen=True)
class LedgerRow:
    """A published figure and ours.

    Args:
        recipe: the module that repeats it.
        claim: the figure as published.
        interval: the 95 % interval that its n allows (Wilson); None for other metrics than
            accuracy, and where n is not told.
        count: how many of the n rows were right, where the published digits tell.
        same: ours on the same data and protocol, or why there is none.
        honest: ours on the same data under a protocol that does not leak, or why there is none.
        verdict: in plain words.
        notes: what else a reader must know.
    """

    recipe: str
    claim: Claim
    interval: tuple[float, float] | None
    count: int | None
    same: Ours | str
    honest: Ours | str
    verdict: str
    notes: str

    @property
    def leaky(self) -> bool:
        """Whether the figure was published under a protocol that leaks."""
        return self.claim.protocol in LEAKY_PROTOCOLS


def recipe_claims(package: str) -> dict[str, Sequence[Claim]]:
    """Import every module of an installed package and return `CLAIMS` by module name.

    Raises:
        UserError: when there is no such package.
    """
    try:
        folder = importlib.import_module(package).__path__
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise UserError(
            f"The package {package} with the published figures is not installed. Install the "
            "project with it: pip install ."
        ) from None
    names = sorted(module.name for module in pkgutil.iter_modules(folder))
    modules = {name: importlib.import_module(f"{package}.{name}") for name in names}
    return {name: module.CLAIMS for name, module in modules.items() if hasattr(module, "CLAIMS")}


def make_ledger(claims: Mapping[str, Sequence[Claim]], found: Found) -> list[LedgerRow]:
    """Return a row per published figure.

    Args:
        claims: recipe → its published figures.
        found: the runs to set beside them.
    """
    return [
        _row(recipe, claim, [one for one in of_recipe if _is_beside(one, claim)], found)
        for recipe, of_recipe in claims.items()
        for claim in of_recipe
    ]


def _row(recipe: str, claim: Claim, beside: list[Claim], found: Found) -> LedgerRow:
    interval = None
    if claim.metric == "accuracy" and claim.n is not None:
        interval = wilson_interval(claim.value, claim.n)
    same = honest = QUOTED
    if claim.arm:
        ours = figures_of(recipe, claim, found)
        same = choose([one for one in ours if one.protocol == claim.protocol])
        honest = choose([one for one in ours if not one.leaky])
        if same is not None and not same.leaky:
            honest = same
        same = same or why_not_run(recipe, claim, found)
        honest = honest or why_not_run(recipe, claim, found, honest=True)
    return LedgerRow(
        recipe,
        claim,
        interval,
        _count(claim, beside),
        same,
        honest,
        "; ".join([*_against_ours(claim, interval, same, honest), *_against_table(claim, beside)]),
        "; ".join(_notes(claim, beside)),
    )


def _is_beside(one: Claim, claim: Claim) -> bool:
    """Whether two figures of one table are of the same kind and number of rows."""
    keys = ("source", "dataset", "split", "metric", "n", "protocol")
    return claim.n is not None and all(getattr(one, key) == getattr(claim, key) for key in keys)


def _against_ours(claim: Claim, interval, same: Ours | str, honest: Ours | str) -> list[str]:
    """Say where ours lies beside the published figure."""
    if not claim.arm:
        return ["not tested"]
    said = []
    for figure, name in ((same, "ours"), (honest, "ours on the honest protocol")):
        if isinstance(figure, str) or (figure is same and said):
            continue
        name += " (leaky)" if figure.leaky else ""
        if interval is None:
            difference = figure_words(claim, figure.value - claim.value)
            unit = " points" if claim.metric in SHARES else ""
            said.append(
                f"{name} differs by {difference}{unit}, and no interval tells whether by chance"
            )
            continue
        low, high = interval
        place = "below" if figure.value < low else "above" if figure.value > high else "inside"
        said.append(f"{name} lies {place} the published figure's interval")
    return said or ["not tested"]


def _against_table(claim: Claim, beside: list[Claim]) -> list[str]:
    """Say whether the paper's own figures of one table and n can be told apart.

    `beside` holds the claim itself too.
    """
    others = [one for one in beside if one is not claim]
    if claim.metric != "accuracy" or not others:
        return []
    spans = [difference_interval(claim.value, one.value, claim.n, claim.n) for one in others]
    apart = [low > 0 or high < 0 for low, high in spans]
    if len(others) == 1:
        one, other = sorted([claim, others[0]], key=lambda it: -it.value)
        low, high = difference_interval(one.value, other.value, claim.n, claim.n)
        can = "can" if apart[0] else "cannot"
        return [
            f"published {digits(one)} and {digits(other)} % on {claim.n} rows {can} be told apart "
            f"(95 % interval of the difference: {percents(low)} to {percents(high)} points)"
        ]
    alike = apart.count(False)
    return [
        f"cannot be told apart from {alike} of the {len(others)} other figures of {claim.source} "
        f"on {claim.n} rows"
    ]


def _notes(claim: Claim, beside: list[Claim]) -> list[str]:
    notes = [claim.note] if claim.note else []
    counts = [_count(one, beside) for one in beside]
    if len(counts) > 1 and None not in counts:
        notes.append(f"all {len(counts)} figures of {claim.source} are multiples of 1/{claim.n}")
    if claim.n is None:
        notes.append("n is not told: no interval")
    return notes


def _count(claim: Claim, beside: list[Claim]) -> int | None:
    """Return how many rows were right, where the published digits tell it."""
    if claim.metric != "accuracy" or claim.n is None:
        return None
    # 0.4 may stand for 40.00 %: the table's other figures show how many digits it gives.
    places = max(len(f"{one.value:.10g}".partition(".")[2]) for one in beside)
    tolerance = claim.n * 0.5 * 10.0**-places
    count = round(claim.value * claim.n)
    tells = tolerance < COUNT_TOLERANCE and abs(claim.value * claim.n - count) <= tolerance + 1e-9
    return count if tells else None


def digits(claim: Claim) -> str:
    """Return a published figure with the digits it was published with, shares in percent."""
    return f"{claim.value * (100 if claim.metric in SHARES else 1):.6g}"


def percents(share: float) -> str:
    """Return a share in percent with one decimal."""
    return f"{100 * share:.1f}".replace("-", "\N{MINUS SIGN}")


def figure_words(claim: Claim, value: float) -> str:
    """Return one of our figures as the claim's metric is written."""
    if claim.metric in SHARES:
        return percents(value)
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")

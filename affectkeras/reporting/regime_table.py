"""Which regime of transfer a run had, and where it stands in the lecture's table."""

import html

from affectkeras.reporting.html_page import Cell, paragraph, table

NAMES = {
    "head": "head: the head over a frozen backbone",
    "last-blocks": "last-blocks: the last blocks of the backbone too",
    "all": "all: every layer, from the pretrained weights on",
    "scratch": "scratch: every layer, from random weights on",
}


def transfer(result: dict) -> str:
    """Show the four fields, this run's among them, and the numbers behind the choice.

    Args:
        result: of a run; `regime` in it is what `transfer.regime_choice.explain_regime` returns.
    """
    found = result.get("regime") or {}
    if not found:
        return ""
    given = "chosen by --regime auto" if found["asked"] == "auto" else "as the settings say"
    words = f"Trained was {NAMES[found['chosen']]} ({given})."
    if found["chosen"] != found["automatic"]:
        words += f" --regime auto would choose {found['automatic']}."
    return (
        paragraph(words)
        + _fields(found)
        + "".join(paragraph(reason) for reason in found["reasons"])
        + _parameters(found)
    )


def _fields(found: dict) -> str:
    def field(size, similarity):
        text = html.escape(found["fields"][size][similarity])
        here = (size, similarity) == (found["size"], found["similarity"])
        return Cell(f"<strong>▸ {text} (this run)</strong>" if here else text)

    rows = [
        [f"{size} training data", field(size, "high"), field(size, "low")]
        for size in ("large", "small")
    ]
    header = ["", "pretraining much alike", "pretraining little alike"]
    note = "The lecture's table of when to transfer what."
    if found["similarity"] == "none":
        note += " This run stands outside it: nothing was pretrained."
    return table(header, rows) + paragraph(note, "note")


def _parameters(found: dict) -> str:
    rows = [
        [name, f"{count:,}", f"{count / found['examples']:,.0f}"]
        for name, count in found["parameters"].items()
    ]
    order = list(found["parameters"])
    chosen = "all" if found["chosen"] == "scratch" else found["chosen"]
    return table(
        ["regime", "trained parameters", "per training example"],
        rows,
        (1, 2),
        [order.index(chosen)],
    )

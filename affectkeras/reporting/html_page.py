"""A plain page of tables and figures that needs nothing beside itself."""

import html
from collections.abc import Iterable, Sequence

_STYLE = """
:root { --ink: #1d2430; --faint: #5c6675; --line: #dfe3e8; --accent: #0b5cad; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #f4f5f7;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.2rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: .6rem 0 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 .7rem; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
.subtitle { color: var(--faint); margin: 0 0 1rem; }
.banner { background: #fff4d6; border-left: 5px solid #d99a00; border-radius: 4px;
  padding: .55rem .9rem; margin: .5rem 0; font-weight: 600; }
section { background: white; border: 1px solid var(--line); border-radius: 8px;
  padding: 1rem 1.1rem; margin: 1rem 0; }
nav { font-size: .9rem; margin: .8rem 0; line-height: 1.9; }
nav a { color: var(--accent); text-decoration: none; margin-right: .9rem; white-space: nowrap; }
.wide { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .92rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .32rem .7rem .32rem 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--faint); }
thead th { white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.text { overflow-wrap: anywhere; min-width: 7rem; }
tr.strong td { font-weight: 600; }
.good { color: #0a7a3d; } .bad { color: #b3261e; font-weight: 600; }
figure { margin: .9rem 0; } figure img { max-width: 100%; height: auto; display: block; }
figcaption, .note { color: var(--faint); font-size: .88rem; }
pre { background: #f4f5f7; border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem;
  overflow-x: auto; font-size: .88rem; }
details summary { cursor: pointer; color: var(--accent); margin: .5rem 0; }
footer { color: var(--faint); font-size: .85rem; }
@media print { body { background: white; } section { break-inside: avoid-page; } }
"""


class Cell(str):
    """Text that is HTML already and is not escaped again."""


def page(title: str, subtitle: str, banners: Sequence[str], sections: Sequence[str]) -> str:
    """Return a whole document.

    Args:
        title, subtitle, banners: plain text.
        sections: HTML from `section`.
    """
    warnings = "".join(f'<div class="banner">{html.escape(text)}</div>' for text in banners)
    links = " ".join(
        f'<a href="#{_anchor(name)}">{html.escape(name)}</a>'
        for name in (_section_title(part) for part in sections)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{html.escape(title)}</h1><p class="subtitle">{html.escape(subtitle)}</p>'
        f"{warnings}<nav>{links}</nav>{''.join(sections)}"
        "<footer>Written by affectkeras from the files in this run folder.</footer>"
        "</main></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Return a section, or nothing when none of its parts (HTML) holds anything."""
    if not any(parts):
        return ""
    return f'<section id="{_anchor(title)}"><h2>{html.escape(title)}</h2>{"".join(parts)}</section>'


def table(
    header: Sequence[str],
    rows: Iterable[Sequence],
    numbers: Iterable[int] = (),
    strong: Iterable[int] = (),
) -> str:
    """Return a table.

    Args:
        header: plain text.
        rows: plain values, or `Cell` for what is HTML already. `None` becomes a dash.
        numbers: columns to align on the right.
        strong: the rows to stress.
    """
    numbers, strong = set(numbers), set(strong)

    def cells(row, tag):
        kinds = ["number" if i in numbers else "text" for i in range(len(row))]
        return "".join(
            f'<{tag} class="{kind}">{_cell(value)}</{tag}>'
            for kind, value in zip(kinds, row, strict=True)
        )

    body = "".join(
        ('<tr class="strong">' if number in strong else "<tr>") + cells(row, "td") + "</tr>"
        for number, row in enumerate(rows)
    )
    head = f"<thead><tr>{cells(header, 'th')}</tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'


def paragraph(text: str, kind: str = "") -> str:
    """Return plain text as a paragraph of a style (`note`, `good`, `bad`)."""
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"


def preformatted(text: str) -> str:
    """Return plain text as a block in which nothing is wrapped."""
    return f"<pre>{html.escape(text)}</pre>"


def folded(title: str, content: str) -> str:
    """Return HTML content that is shown on a click."""
    return f"<details><summary>{html.escape(title)}</summary>{content}</details>"


def _cell(value) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, Cell) else html.escape(str(value))


def _anchor(title: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower())


def _section_title(part: str) -> str:
    return html.unescape(part.split("<h2>", 1)[1].split("</h2>", 1)[0])

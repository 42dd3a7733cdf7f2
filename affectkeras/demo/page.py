"""The page itself: where a file goes in, the progress of its analysis, and the player."""

import html
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from affectkeras.demo.analysis import Analyse, Progress, follow_analysis
from affectkeras.demo.results import Results
from affectkeras.demo.uploads import Limits

WEB = Path(__file__).resolve().parent / "web"
TITLE = "affectkeras: affect in a video, frame by frame"
# Fonts that lie on the machine: Gradio's own would be fetched.
_FONTS = ("system-ui", "Segoe UI", "Helvetica Neue", "Liberation Sans", "sans-serif")
_MONO = ("ui-monospace", "Menlo", "DejaVu Sans Mono", "monospace")
_HEAD = (
    '<link rel="stylesheet" href="/player/player.css">'
    '<script src="/player/charts.js"></script><script src="/player/player.js"></script>'
    '<script src="/player/intake.js"></script>'
)


def theme() -> gr.themes.Base:
    """Return a plain theme whose fonts lie on the machine."""
    return gr.themes.Base(
        primary_hue="neutral", neutral_hue="stone", font=list(_FONTS), font_mono=list(_MONO)
    )


def build_page(
    analyse: Analyse, *, results: Results, limits: Limits | None = None, note: str = ""
) -> gr.Blocks:
    """Return the page.

    Args:
        analyse: the analysis of a video, such as `analyse_video` with its model.
        results: where uploads and what is made of them are kept.
        limits: what an upload may be at most.
        note: what must be said of the model, such as that it is a sample.
    """
    limits = limits or Limits()

    def announce(page: gr.Request, given: gr.EventData) -> str:
        """Stop what the page had before, at once, though the queue may be busy with it."""
        results.begin(page.session_hash, str(given.upload), str(given.name)[:200])
        return _bar(Progress(0.0, "Waiting for an earlier analysis"))

    def work(page: gr.Request) -> Iterator[tuple]:
        job = results.take(page.session_hash)
        if job is None:  # an earlier call of this page has taken the latest upload already
            yield gr.skip(), gr.skip()
            return
        for state in follow_analysis(job, results.uploads, analyse, limits):
            if isinstance(state, Progress):
                yield _bar(state), gr.skip()
            elif job.replaced.is_set():
                yield gr.skip(), gr.skip()
            elif state:
                yield _problem(state), ""
            else:
                yield "", f"/results/{job.token}/"

    def leave(page: gr.Request) -> None:
        results.end(page.session_hash)

    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(_heading(note, limits), apply_default_css=False)
        intake = _part("Intake", bytes=limits.bytes, seconds=limits.minutes * 60)
        status = gr.HTML("", elem_id="status", apply_default_css=False)
        address = gr.Textbox(visible="hidden", container=False)
        _part("Player")
        private = {"api_visibility": "private", "trigger_mode": "multiple"}
        given = intake.submit(
            announce, None, status, concurrency_limit=None, show_progress="hidden", **private
        )
        worked = given.then(
            work,
            None,
            [status, address],
            concurrency_limit=1,
            concurrency_id="analysis",
            show_progress="hidden",
            **private,
        )
        worked.then(
            None, address, None, js="(address) => window.affectkerasPlayer.open(address)", **private
        )
        blocks.unload(leave)
    return blocks


def _part(name: str, **props) -> gr.HTML:
    """Return a part of the page that is a file of HTML and a function `start<Name>`."""
    return gr.HTML(
        "",
        html_template=(WEB / f"{name.lower()}.html").read_text(encoding="utf-8"),
        js_on_load=f"window.affectkeras{name} = start{name}(element, props, trigger);",
        head=_HEAD,
        apply_default_css=False,
        **props,
    )


def _bar(progress: Progress) -> str:
    share = f"{progress.share:.0%}"
    return (
        f'<div class="progress" role="status"><p>{html.escape(progress.words)}<b>{share}</b></p>'
        f'<progress max="1" value="{progress.share:.4f}"></progress></div>'
    )


def _problem(text: str) -> str:
    return f'<p class="problem" role="alert">{html.escape(text)}</p>'


def _heading(note: str, limits: Limits) -> str:
    shown = f'<p class="note" id="note">{html.escape(note)}</p>' if note else ""
    return (
        '<header class="heading"><div><p class="mark">affectkeras</p>'
        "<h1>Affect in a video, frame by frame</h1></div>"
        '<p class="privacy">Nothing leaves this machine. A file may be up to '
        f"{limits.minutes:g} minutes long and {limits.megabytes:g} MB large. It is deleted once it "
        "is analysed, the result when you leave the page and at the latest an hour later.</p>"
        f"</header>{shown}"
    )

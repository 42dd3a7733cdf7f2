"""The command `demo`: a page on this machine that shows what a model reads in a video.

Only this machine reaches it, it reaches nothing else, and nothing of it stays when it ends.
"""

import asyncio
import contextlib
import functools
import importlib.util
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import filelock

from affectkeras.demo.analysis import Analyse
from affectkeras.demo.results import Results
from affectkeras.demo.uploads import Limits
from affectkeras.errors import UserError

ADDRESS = "127.0.0.1"
KEPT_S = 3600  # of what was made of an upload while its page stays open
_LOOK_EVERY_S = 60
_PREFIX = "affectkeras-demo-"
_NEW_S = 60  # a folder this new may belong to a server that is just starting


def demo_command(
    run: Path | None = None, *, port: int = 0, open_browser: bool = False, limits: Limits
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        run: a run folder; None: a sample model, trained once.
        port: 0: any that is free.
        open_browser: whether to open the page in the browser.
        limits: what an upload may be at most.

    Raises:
        UserError: when gradio is missing, the port is taken or the run cannot be used.
    """
    if importlib.util.find_spec("gradio") is None:
        raise UserError("demo needs gradio, which is missing. pip install 'affectkeras[demo]'")
    with listening_socket(port) as listener:  # a taken port is told before a model is trained
        notes = []
        if run is None:
            from affectkeras.demo.sample import sample_run

            run, notes = sample_run(), ["Sample model, trained on this machine."]
        from affectkeras.video_analysis import analyse_video, load_video_model

        print(f"Loading {run} …", flush=True)
        model = load_video_model(run)
        analyse = functools.partial(analyse_video, model)
        note = " ".join([*notes, model.note]).strip()
        serve(analyse, listener, note=note, open_browser=open_browser, limits=limits)


def serve(
    analyse: Analyse,
    listener: socket.socket,
    *,
    note: str = "",
    open_browser: bool = False,
    limits: Limits | None = None,
) -> None:
    """Serve the page until Ctrl-C or SIGTERM, then delete everything uploaded and made of it.

    Args:
        analyse: the analysis of a video, such as `analyse_video` with its model.
        listener: a socket of this machine that listens.
        note: what must be said of the model.
        open_browser: whether to open the page in the browser.
        limits: what an upload may be at most.
    """
    limits = limits or Limits()
    with private_folder() as folder:
        results = Results(folder)
        # Faces that were found are kept in the cache: here only as long as the server runs.
        os.environ["AFFECTKERAS_CACHE"] = str(results.cache)
        application = build_server(analyse, results, limits, note=note)
        import uvicorn

        class Server(uvicorn.Server):
            async def shutdown(self, sockets=None):
                # A page that is open holds connections: that they end is no error to print.
                logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
                await super().shutdown(sockets)

        config = uvicorn.Config(
            application,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        address = f"http://{ADDRESS}:{listener.getsockname()[1]}"
        print(f"The page is at {address} (Ctrl-C ends it and deletes what was uploaded).")
        sys.stdout.flush()
        if open_browser:
            webbrowser.open(address)
        # uvicorn repeats the signal that ended it; the folder must go even so.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        with contextlib.suppress(KeyboardInterrupt):
            Server(config).run(sockets=[listener])
        results.end_all()
    print("Ended; what was uploaded is deleted.")


def build_server(analyse: Analyse, results: Results, limits: Limits, *, note: str = ""):
    """Return the ASGI application: the page, its scripts and the results, behind the guard."""
    _keep_gradio_quiet(results.uploads)
    import fastapi
    import gradio
    from fastapi.responses import FileResponse, PlainTextResponse
    from fastapi.staticfiles import StaticFiles

    from affectkeras.demo.guard import Guard
    from affectkeras.demo.page import WEB, build_page, theme

    @contextlib.asynccontextmanager
    async def delete_old_meanwhile(_):
        task = asyncio.create_task(_delete_old(results))
        yield
        task.cancel()

    app = fastapi.FastAPI(
        lifespan=delete_old_meanwhile, docs_url=None, redoc_url=None, openapi_url=None
    )

    @app.get("/results/{token}/{name}")
    def result(token: str, name: str):
        found = results.find(token, name)
        if found is None:
            return PlainTextResponse("This result is no longer here.", status_code=404)
        return FileResponse(found, headers={"cache-control": "no-store"})

    app.mount("/player", StaticFiles(directory=WEB))
    gradio.mount_gradio_app(
        app,
        build_page(analyse, results=results, limits=limits, note=note),
        path="/",
        server_name=ADDRESS,
        footer_links=[],
        run_history=False,
        max_file_size=limits.bytes,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
    )
    return Guard(app, limits.bytes)


async def _delete_old(results: Results) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        await asyncio.to_thread(results.delete_old, KEPT_S)


def _keep_gradio_quiet(uploads: Path) -> None:
    """Set, before gradio is imported, where it lays uploads down and that it tells nobody of us."""
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


@contextlib.contextmanager
def listening_socket(port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens on this machine only.

    Raises:
        UserError: when the port is taken or not allowed.
    """
    if not 0 <= port < 65536:
        raise UserError(f"--port must be in [0, 65535]. Received: {port}")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
        except OSError as error:
            raise UserError(
                f"--port {port}: cannot be used: {error.strerror}. Choose another, or leave it out."
            ) from error
        listener.listen()
        yield listener


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a new folder that only this user reads and that is deleted in the end.

    What servers left behind that were killed is deleted too.
    """
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        _delete_unused(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = filelock.FileLock(folder / "lock")
    try:
        with lock:
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _delete_unused(folder: Path) -> None:
    """Delete a folder of ours whose server no longer runs."""
    try:
        if folder.stat().st_uid != os.getuid() or time.time() - folder.stat().st_mtime < _NEW_S:
            return
        with filelock.FileLock(folder / "lock", timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
    except (filelock.Timeout, OSError):
        pass  # in use, or gone meanwhile

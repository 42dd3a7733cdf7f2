"""What the demo's server answers to: its own page on this machine, and nothing else.

Gradio's server can do much more than the page needs (hand out files, fetch addresses, run calls of
an API). Here only what the page asks for gets through; above all no route that reads files.
"""

from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Names under which a browser reaches this machine itself. Another name that leads here is how a
# foreign page would try to read ours (DNS rebinding).
LOOPBACK = ("127.0.0.1", "localhost", "::1")

_GET = ("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json")
_GET_BELOW = ("/static/", "/assets/", "/player/", "/results/", "/gradio_api/heartbeat/")
_GET_API = ("queue/data", "startup-events", "info", "theme.css", "app_id")
_POST_API = ("queue/join", "upload", "cancel", "reset")
_UPLOAD = "/gradio_api/upload"
# What surrounds the file in an upload: boundaries, names.
_FORM_BYTES = 64 * 1024

# The browser itself then refuses every address but this server's. Gradio's page needs inline
# scripts and styles, and builds functions out of text.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; connect-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-dns-prefetch-control": "off",
}


def refusal(method: str, path: str, headers: Headers, most_bytes: int) -> tuple[int, str] | None:
    """Return status and reason where a request is not answered, else None.

    Args:
        method: of the request.
        path: as it was decoded from the address.
        headers: of the request.
        most_bytes: of an uploaded file.
    """
    host = headers.get("host", "")
    if _host_name(f"//{host}") not in LOOPBACK:
        return 421, "This page is only served under 127.0.0.1 and localhost."
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return 403, "Requests of other pages are not answered."
    if (
        headers.get("sec-fetch-site") == "cross-site"
        and headers.get("sec-fetch-mode") != "navigate"
    ):
        return 403, "Requests of other pages are not answered."
    if not _is_known(method, path):
        return 404, "There is nothing here."
    return _upload_refusal(headers, most_bytes) if path == _UPLOAD else None


def _is_known(method: str, path: str) -> bool:
    if ".." in Path(path).parts:
        return False
    api = path.removeprefix("/gradio_api/") if path.startswith("/gradio_api/") else None
    if method in ("GET", "HEAD"):
        return path in _GET or path.startswith(_GET_BELOW) or api in _GET_API
    return method == "POST" and api in _POST_API


def _upload_refusal(headers: Headers, most_bytes: int) -> tuple[int, str] | None:
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return 411, "An upload must tell its length."
    if int(length) > most_bytes + _FORM_BYTES:
        return 413, f"The file is larger than the {most_bytes / 1e6:g} MB allowed."
    return None


def _host_name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


class Guard:
    """An ASGI application around another that lets through what `refusal` has nothing against.

    Args:
        app: the application.
        most_bytes: of an uploaded file.
    """

    def __init__(self, app: ASGIApp, most_bytes: int):
        self.app, self.most_bytes = app, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no part of the page opens a WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        refused = refusal(scope["method"], scope["path"], Headers(scope=scope), self.most_bytes)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if refused is None:
            await self.app(scope, receive, send_with_headers)
        else:
            response = PlainTextResponse(refused[1], status_code=refused[0])
            await response(scope, receive, send_with_headers)

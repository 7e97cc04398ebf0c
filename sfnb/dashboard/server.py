"""
The dashboard's server: one page, its files, one WebSocket.

Three locks, since whoever reaches it may drive backups: it listens on the loopback address only; each request names
this machine as its Host, so a web page whose name was pointed here (DNS rebinding) is refused; and each carries a
cookie that only the address with the token gives.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import logging
import re
import secrets
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from sfnb.addresses import LOOPBACK_HOSTS
from sfnb.dashboard.pages import Page
from sfnb.dashboard.parts import PartMaker
from sfnb.errors import SfnbError
from sfnb.ui import screen

STATIC = files("sfnb.dashboard") / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    # Plotly puts style rules in by script; styles can load nothing, since no source is allowed.
    "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

MESSAGE_BYTES = 1_000_000
"""The longest message that a page may send."""

REFUSED = "Open the address that `sfnb dashboard` printed: it holds the key to this page."


class Guarded(RequestHandler):
    """Lets in who comes by this machine's name and has the key."""

    def initialize(self, key: Key, makes: PartMaker) -> None:
        self.key = key
        self.makes = makes

    def prepare(self) -> None:
        host = urlsplit(f"//{self.request.host}").hostname
        if host not in LOOPBACK_HOSTS:
            raise HTTPError(403, reason="Host not allowed")
        if not self.is_let_in():
            raise HTTPError(403, reason="Key missing")

    def is_let_in(self) -> bool:
        """Whether this browser has been given the key."""
        return self.key.fits(self.get_cookie(self.key.cookie, ""))

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(REFUSED if status_code == 403 else f"{status_code}: {self._reason}")


class Key:
    """What opens the page: a token in the address that the command prints, then a cookie."""

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self.cookie = f"sfnb-{port}"
        # The address is in the browser's history; the cookie is not to be made from it by a look.
        self.value = secrets.token_urlsafe(32)

    def fits(self, value: str | None) -> bool:
        return hmac.compare_digest((value or "").encode(), self.value.encode())

    def is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self.token.encode())


class PageHandler(Guarded):
    """The page itself, whatever its address; its script asks what to show."""

    def is_let_in(self) -> bool:
        return super().is_let_in() or self.key.is_token(self.get_query_argument("token", ""))

    def get(self) -> None:
        if self.get_query_argument("token", None) is not None:
            # Lax, not Strict: the command opens a file that leads here, which counts as another site. Lax is
            # sent when a person goes to the page, never by another site's frame, script or WebSocket.
            self.set_cookie(
                self.key.cookie, self.key.value, httponly=True, samesite="Lax", path="/"
            )
            # The token leaves the address bar, so that it is in no bookmark and on no picture of the screen.
            self.redirect(self.request.path)
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish((STATIC / "page.html").read_text("utf-8"))


class ReportHandler(Guarded):
    """An org's usage report, one file to keep or to send."""

    async def get(self, name: str) -> None:
        try:
            loop = asyncio.get_running_loop()
            text = await loop.run_in_executor(None, self.makes.report, name)
        except SfnbError as err:
            self.set_status(404)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(str(err))
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        self.set_header("Content-Disposition", f'attachment; filename="usage-{plain}.html"')
        self.finish(text)


class FileHandler(Guarded):
    """Scripts and styles. None of them holds anything of an org."""

    def get(self, name: str) -> None:
        found = _file(name)
        if found is None:
            raise HTTPError(404)
        content, kind, digest = found
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Content-Encoding", "gzip")
        self.set_header("Vary", "Accept-Encoding")
        self.set_header("Etag", f'"{digest}"')
        if self.check_etag_header():
            self.set_status(304)
            self.finish()
            return
        self.finish(content)


@cache
def _file(name: str) -> tuple[bytes, str, str] | None:
    """One of our files, packed; its kind; its digest."""
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    if name == "style.css":
        text = _of_report("page.css") + screen.styles() + (STATIC / "page.css").read_text("utf-8")
    elif name == "plotly.js":
        from sfnb.report.plotly_script import packed_library

        return packed_library(), kind, hashlib.sha256(packed_library()).hexdigest()[:20]
    elif found := re.fullmatch(r"([a-z_]+)\.js", name):
        own, shared = STATIC / name, screen.STATIC / name
        if own.is_file():
            charts = _of_report("chart.js") if found[1] == "usage" else ""
            text = screen.module(found[1], charts + own.read_text("utf-8"))
        elif shared.is_file():
            text = screen.script(found[1])
        else:
            return None
    else:
        return None
    packed = gzip.compress(text.encode(), 6, mtime=0)
    return packed, kind, hashlib.sha256(packed).hexdigest()[:20]


def _of_report(name: str) -> str:
    """A file that the dashboard shares with the report."""
    return (files("sfnb.report") / name).read_text("utf-8")


class Socket(Guarded, WebSocketHandler):
    """The page's connection: JSON both ways."""

    def open(self) -> None:
        loop = IOLoop.current()

        def send(message: dict[str, Any]) -> None:
            loop.add_callback(self._write, json.dumps(message))

        self._page = Page(self.makes, send)

    def on_message(self, message: str | bytes) -> None:
        try:
            heard = json.loads(message)
        except ValueError:
            self.close(1003, "not JSON")
            return
        if isinstance(heard, dict):
            self._page.hear(heard)

    def on_close(self) -> None:
        if hasattr(self, "_page"):
            self._page.close()

    async def _write(self, text: str) -> None:
        try:
            await self.write_message(text)
        except WebSocketClosedError:
            logging.getLogger("sfnb.dashboard").debug("the page was closed meanwhile")


async def serve(makes: PartMaker, *, port: int, ready: Callable[[str], None]) -> None:
    """
    Serve until the task is cancelled.

    Args:
        port: 0 lets the system choose.
        ready: called with the address, token included, when it can be opened.

    Raises:
        OSError: the port is taken.
    """
    (listener,) = bind_sockets(port, "127.0.0.1")
    number = listener.getsockname()[1]
    key = Key(number)
    options = {"key": key, "makes": makes}
    app = Application(
        [
            (r"/static/([a-z_]+\.(?:js|css))", FileHandler, options),
            (r"/socket", Socket, options),
            (r"/org/([^/]+)/report\.html", ReportHandler, options),
            (r"/(?:[a-z_-]+|org/.*)?", PageHandler, options),
        ],
        websocket_max_message_size=MESSAGE_BYTES,
        websocket_ping_interval=20,
        log_function=_log,
    )
    server = HTTPServer(app, max_body_size=MESSAGE_BYTES)
    server.add_sockets([listener])
    try:
        ready(f"http://127.0.0.1:{number}/?token={key.token}")
        await asyncio.Event().wait()
    finally:
        server.stop()
        await server.close_all_connections()


def _log(handler: RequestHandler) -> None:
    """Only what went wrong, and never the query, which may hold the token."""
    if handler.get_status() >= 500:
        logging.getLogger("sfnb.dashboard").error(
            "%s %s: %s", handler.request.method, handler.request.path, handler.get_status()
        )

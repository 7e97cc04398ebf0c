"""
A server between sfnb and a demo org that speaks Salesforce's API with habits of its own.

It passes each call on and changes the answer: what other implementations of the API, gateways and
proxies do, and what a client must not mind or must notice.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import requests

Headers = dict[str, str]
Shape = Callable[[str, Any], Any]
"""Changes a JSON answer, given its path; answers inside a composite call come with theirs."""


@dataclass(frozen=True)
class Sent:
    """
    An answer as it goes over the wire.

    Args:
        length: what its head announces, where that is not the body's length.
    """

    status: int
    headers: Headers
    body: bytes
    length: int | None = None


NO_COMPOSITE = Sent(
    404,
    {"content-type": "application/json;charset=UTF-8"},
    b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]',
)


@dataclass(frozen=True)
class Habits:
    """
    What the server does its own way.

    Args:
        shape: changes each JSON answer.
        headers: changes the headers of an answer.
        text: changes the body's text as it is sent, given its content type.
        asks: headers that are added to what is asked of the org.
        is_chunked: bodies are sent in chunks, without a length.
        before: called before each call is passed on, with its path and query.
        has_composite: composite calls are taken; else each query comes by itself.
        last: changes an answer as it is about to be sent, given its path and query.
        protocol: of HTTP. With ``HTTP/1.0`` each answer ends with its connection, and has no length.
    """

    shape: Shape = lambda _path, value: value
    headers: Callable[[Headers], Headers] = dict
    text: Callable[[str, str], str] = lambda _kind, text: text
    asks: Mapping[str, str] = field(default_factory=dict)
    is_chunked: bool = False
    before: Callable[[str], None] = lambda _path: None
    has_composite: bool = True
    last: Callable[[str, Sent], Sent] = lambda _path, sent: sent
    protocol: str = "HTTP/1.1"


class OddServer:
    """Serves until it is closed; a context manager."""

    def __init__(self, url: str, habits: Habits) -> None:
        self._there = url
        self._habits = habits
        self._session = requests.Session()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)
        self._session.close()

    def answer(self, method: str, path: str, asked: Headers, body: bytes) -> requests.Response:
        """What the org says."""
        passed = {n: v for n, v in asked.items() if n.lower() not in ("host", "connection")}
        if path.endswith("/composite"):
            body = self._composite_asked(body)
        return requests.request(
            method,
            self._there + path,
            headers=passed | dict(self._habits.asks),
            data=body,
            timeout=60,
            allow_redirects=False,
        )

    def _composite_asked(self, body: bytes) -> bytes:
        asked = json.loads(body)
        for one in asked.get("compositeRequest", ()):
            one["httpHeaders"] = {**(one.get("httpHeaders") or {}), **self._habits.asks}
        return json.dumps(asked).encode()

    def shaped(self, path: str, kind: str, content: bytes) -> bytes:
        """The body of an answer, the habits applied."""
        text = content.decode()
        if "json" in kind and text:
            value = json.loads(text)
            if path.endswith("/composite") and isinstance(value, dict):
                for one in value.get("compositeResponse", ()):
                    one["body"] = self._habits.shape("", one["body"])
            value = self._habits.shape(path, value)
            text = json.dumps(value, ensure_ascii=False)
        return self._habits.text(kind, text).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = server._habits.protocol

            def log_message(self, *_args: Any) -> None:
                pass

            def _pass_on(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = self.rfile.read(length)
                if self.path.endswith("/composite") and not server._habits.has_composite:
                    self._send(NO_COMPOSITE)
                    return
                server._habits.before(self.path)
                said = server.answer(self.command, self.path, dict(self.headers.items()), asked)
                kind = said.headers.get("Content-Type", "")
                is_text = "json" in kind or "csv" in kind
                path = self.path.partition("?")[0]
                body = server.shaped(path, kind, said.content) if is_text else said.content
                own = {"content-length", "transfer-encoding", "connection", "content-encoding"}
                kept = {n: v for n, v in said.headers.items() if n.lower() not in own}
                kept = server._habits.headers(kept)
                self._send(server._habits.last(self.path, Sent(said.status_code, kept, body)))

            def _send(self, sent: Sent) -> None:
                self.send_response_only(sent.status)
                for name, value in sent.headers.items():
                    self.send_header(name, value)
                if server._habits.is_chunked and sent.body:
                    self.send_header("transfer-encoding", "chunked")
                    self.end_headers()
                    for start in range(0, len(sent.body), 4096):
                        piece = sent.body[start : start + 4096]
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.write(b"0\r\n\r\n")
                    return
                if self.protocol_version == "HTTP/1.0":
                    self.end_headers()
                    self.wfile.write(sent.body)
                    self.close_connection = True
                    return
                length = len(sent.body) if sent.length is None else sent.length
                self.send_header("content-length", str(length))
                self.end_headers()
                self.wfile.write(sent.body)
                self.close_connection |= length != len(sent.body)

            do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = _pass_on  # noqa: N815

        return Handler

"""
The HTTP side: a thread for each connection, HTTP/1.1 with keep-alive, TLS or not on the same port.

A connection's first byte shows whether it is TLS, so one port serves both: some clients insist on
https whatever the address says.
"""

from __future__ import annotations

import contextlib
import gzip
import ipaddress
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from sfnb_demo.server.exchange import Exchange
from sfnb_demo.server.sending import Sender, truncated
from sfnb_demo.server.wire import Request, Response

MOST_BODY_BYTES = 160 * 1024 * 1024
MOST_HEAD_BYTES = 16_384
"""URI and headers together (Salesforce limits cheat sheet); more is 414 or 431 from the edge."""

IDLE_S = 300.0
_TLS_HANDSHAKE = b"\x16"


class Listener(ThreadingHTTPServer):
    """Listens on 127.0.0.1 only."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = sys.platform != "win32"
    request_queue_size = 128

    def __init__(
        self,
        answer: Callable[[Request], Exchange],
        port: int,
        tls: ssl.SSLContext,
        *,
        has_gzip: bool,
        now_s: Callable[[], float],
    ) -> None:
        self.answer = answer
        self.now_s = now_s
        self.has_gzip = has_gzip
        self.tls = tls
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            connection = self._maybe_tls(request)
        except OSError:  # the client left, or its TLS handshake failed: there is nobody to answer
            self.shutdown_request(request)
            return
        with self._open_lock:
            self._open.add(connection)
        try:
            super().process_request_thread(connection, client_address)
        finally:
            with self._open_lock:
                self._open.discard(connection)

    def close_connections(self) -> None:
        """Close all open connections, so that their threads end."""
        with self._open_lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up. Anything else is a bug here, and is shown."""
        if not isinstance(sys.exception(), (OSError, TimeoutError)):
            super().handle_error(request, client_address)

    def _maybe_tls(self, connection: socket.socket) -> socket.socket:
        connection.settimeout(IDLE_S)
        if connection.recv(1, socket.MSG_PEEK) != _TLS_HANDSHAKE:
            return connection
        return self.tls.wrap_socket(connection, server_side=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server: Listener
    connection: socket.socket
    _names: ClassVar[dict[str, str]] = {}

    def setup(self) -> None:
        super().setup()
        is_tls = isinstance(self.connection, ssl.SSLSocket)
        self._scheme = "https" if is_tls else "http"

    def _serve(self) -> None:
        head_bytes = len(self.path) + sum(len(k) + len(v) + 4 for k, v in self.headers.items())
        if len(self.path) > MOST_HEAD_BYTES:
            self._refuse(414, b"<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>")
            return
        if head_bytes > MOST_HEAD_BYTES:
            self._refuse(
                431, b"<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>"
            )
            return
        if not _is_loopback_host(self.headers.get("host", "")):
            # A web page whose own name points at 127.0.0.1 must not reach the org.
            self._refuse(421, b"<h1>Misdirected Request</h1>")
            return
        body = self._read_body()
        if body is None:
            return
        request = Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            base_url=f"{self._scheme}://{self.headers.get('host')}",
        )
        exchange = self.server.answer(request)
        self._send(request, exchange)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's signature
        """Nothing: the org keeps its own log."""

    def _read_body(self) -> bytes | None:
        """The body, by length or in chunks; None if it was refused."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return self._read_chunks()
        try:
            length = int(self.headers.get("content-length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= MOST_BODY_BYTES:
            self._refuse(413, b"<h1>Bad Message 413</h1>")
            return None
        body = self.rfile.read(length) if length else b""
        return self._unpacked(body)

    def _read_chunks(self) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        while True:
            try:
                length = int(self.rfile.readline(64).partition(b";")[0], 16)
            except ValueError:
                length = -1
            size += length
            if length < 0 or size > MOST_BODY_BYTES:
                self._refuse(400, b"<h1>Bad Message 400</h1>")
                return None
            if length == 0:
                while self.rfile.readline(1024).strip():
                    pass
                return self._unpacked(b"".join(parts))
            parts.append(self.rfile.read(length))
            self.rfile.readline(8)

    def _unpacked(self, body: bytes) -> bytes | None:
        if self.headers.get("content-encoding", "").lower() != "gzip":
            return body
        try:
            return gzip.decompress(body)
        except (OSError, EOFError):
            self._refuse(400, b"<h1>Bad Message 400</h1>")
            return None

    def _refuse(self, status: int, page: bytes) -> None:
        """
        An HTML page as the edge sends it. The connection closes, since the request was not read to
        its end.
        """
        self.close_connection = True
        response = Response(status, page, "text/html", {"Connection": "close"})
        self._sender().send(response, is_packed=False)

    def _send(self, request: Request, exchange: Exchange) -> None:
        sender = self._sender()
        if exchange.damage in ("cut", "half_body"):
            self.close_connection = True
            if exchange.damage == "half_body":
                sender.send_half(exchange.response)
            sender.cut(is_rude=exchange.damage == "cut")
            return
        response = exchange.response
        if exchange.damage == "truncated_csv":
            response = truncated(response)
        is_packed = self.server.has_gzip and _wants_gzip(request.headers.get("accept-encoding", ""))
        sender.send(response, is_packed=is_packed)

    def _sender(self) -> Sender:
        return Sender(
            self.connection,
            can_chunk=self.request_version != "HTTP/1.0",
            is_head=self.command == "HEAD",
            now_s=self.server.now_s(),
        )


def _is_loopback_host(host: str) -> bool:
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    name = name.strip("[]")
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _wants_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        name, _, quality = part.strip().partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def tls_context(certificate_file: str) -> ssl.SSLContext:
    """TLS with the server's certificate; the file holds the key and the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file)
    return context

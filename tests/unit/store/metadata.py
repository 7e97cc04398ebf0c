"""Metadata servers as clouds have them, on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol


class Metadata(Protocol):
    """Starts a server that answers with these headers; its address."""

    def __call__(self, headers: dict[str, str], status: int = 200) -> str: ...


@contextmanager
def metadata_servers() -> Iterator[Metadata]:
    """A factory of them; they end with the block."""
    with ExitStack() as stack:

        def start(headers: dict[str, str], status: int = 200) -> str:
            class Answer(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

                def log_message(self, *_: object) -> None:
                    """The test's output stays its own."""

            server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return f"127.0.0.1:{server.server_address[1]}"

        yield start


def closed() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"

"""A page that tells whoever watches the service whether it is well."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sfnb.errors import CallerError

Health = Callable[[], tuple[bool, dict[str, Any]]]
"""Whether all is well, and what the page says."""


@contextmanager
def health_page(host: str, port: int, health: Health) -> Iterator[str]:
    """
    Serve ``/healthz`` within the block; its address. 200 when well, else 503.

    Raises:
        CallerError: the port is taken, or not one of this machine's.
    """

    class Page(BaseHTTPRequestHandler):
        server_version, sys_version = "sfnb", ""
        timeout = 10

        def do_GET(self) -> None:
            if self.path.split("?")[0] != "/healthz":
                self._answer(404, {"ok": False, "error": "there is only /healthz"})
                return
            is_well, said = health()
            self._answer(200 if is_well else 503, said)

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """A probe every few seconds is no news."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # Two services on one port would each answer for the other on some systems.
        allow_reuse_port = False

    try:
        server = Server((host, port), Page)
    except (OSError, OverflowError) as err:
        why = getattr(err, "strerror", None) or str(err)
        raise CallerError(
            f"the health page cannot use port {port} of {host} ({why}); give another --port."
        ) from err
    thread = threading.Thread(target=server.serve_forever, name="sfnb-health", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}/healthz"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

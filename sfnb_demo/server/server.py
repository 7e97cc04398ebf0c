"""A running demo org, composed: the org, what serves its calls, two ports, a ready file, an end."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from sfnb_demo.data.database import Database
from sfnb_demo.server.certificates import write_private
from sfnb_demo.server.exchange import Exchanger
from sfnb_demo.server.listener import Listener, tls_context
from sfnb_demo.server.options import Options
from sfnb_demo.server.org import DemoOrg

POLL_S = 0.05
"""How often a listener looks whether it is to end."""


class DemoServer:
    """
    A demo org that answers on two ports of 127.0.0.1 until ``close``.

    Both ports speak TLS and plain HTTP; there are two so that both addresses look natural.

    Args:
        folder: its work folder: keys, job results, log files.
        port, https_port: 0 lets the system choose.
    """

    def __init__(
        self,
        options: Options,
        folder: Path,
        *,
        port: int = 0,
        https_port: int = 0,
        database: Database | None = None,
    ) -> None:
        self.org = DemoOrg(options, folder, database=database)
        self._exchanger = Exchanger(self.org)
        self._doors = threading.Lock()
        self._tls = tls_context(str(self.org.keys.server_file))
        self._listeners = [self._listener(port), self._listener(https_port)]
        self.url = f"http://127.0.0.1:{self._listeners[0].port}"
        self.https_url = f"https://localhost:{self._listeners[1].port}"
        self.org.base_urls = [self.url, self.https_url]
        self._session = self.org.sessions.open(self.org.sessions.admin, self.org.sessions.app)
        self._refresh_token = self.org.sessions.refresh_token(
            self.org.sessions.admin, self.org.sessions.app, token=options.refresh_token
        )
        self._threads = self._serving()
        self.org.close_doors = self.refuse_connections_for

    def __enter__(self) -> DemoServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering; calls in flight are cut."""
        self.org.stopping.set()
        with self._doors:
            self._stop_listening()
        self.org.close()

    def refuse_connections(self) -> None:
        """Close both ports, as an org that cannot be reached; calls in flight are cut."""
        with self._doors:
            self._stop_listening()

    def accept_connections(self) -> None:
        """Open both ports again, at the same addresses."""
        with self._doors:
            if not self._threads and not self.org.stopping.is_set():
                self._listeners = [self._listener(listener.port) for listener in self._listeners]
                self._threads = self._serving()

    def refuse_connections_for(self, seconds: float) -> None:
        """Close both ports for so many real seconds, in the background."""

        def away() -> None:
            self.refuse_connections()
            self.org.stopping.wait(seconds)
            self.accept_connections()

        threading.Thread(target=away, daemon=True).start()

    def _listener(self, port: int) -> Listener:
        return Listener(
            self._exchanger.exchange,
            port,
            self._tls,
            has_gzip=self.org.options.has_gzip,
            now_s=self.org.clock.now_s,
        )

    def _serving(self) -> list[threading.Thread]:
        threads = [
            threading.Thread(target=listener.serve_forever, args=(POLL_S,), daemon=True)
            for listener in self._listeners
        ]
        for thread in threads:
            thread.start()
        return threads

    def _stop_listening(self) -> None:
        if not self._threads:
            return
        # Each waits for the end of its listener's poll, so both wait at once.
        ends = [threading.Thread(target=listener.shutdown) for listener in self._listeners]
        for end in ends:
            end.start()
        for end in ends:
            end.join()
        for listener in self._listeners:
            listener.server_close()
            listener.close_connections()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def ready(self) -> dict[str, Any]:
        """What a client needs to connect. It holds secrets, but the org has nothing to protect."""
        sessions, keys = self.org.sessions, self.org.keys
        return {
            "url": self.url,
            "https_url": self.https_url,
            "ca_file": str(keys.ca_file.resolve()),
            "org_id": sessions.organization.id,
            "username": sessions.admin.username,
            "password": sessions.password,
            "security_token": sessions.security_token,
            "client_id": sessions.app.client_id,
            "client_secret": sessions.app.client_secret,
            "jwt_private_key_file": str(keys.jwt_private_file.resolve()),
            "refresh_token": self._refresh_token,
            "access_token": self._session.token,
            # Every user has the same password.
            "limited_username": sessions.limited.username if sessions.limited else "",
            "pid": os.getpid(),
            "control_token": self.org.control_token,
        }

    def write_ready(self, path: Path) -> None:
        """Write the ready file, whole or not at all. Only its owner may read it."""
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        write_private(part, json.dumps(self.ready(), indent=2).encode())
        part.replace(path)

"""A running demo org: its listeners, its ready file, its end."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from sfnb_demo.data.database import Database
from sfnb_demo.server.certificates import write_private
from sfnb_demo.server.listener import Listener, tls_context
from sfnb_demo.server.options import Options
from sfnb_demo.server.org import DemoOrg


class DemoServer:
    """
    A demo org that answers on two ports of 127.0.0.1, from its making until ``close``.

    Either port speaks TLS and plain HTTP; two are opened so that both addresses read naturally.

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
        tls = tls_context(str(self.org.keys.server_file))
        self._listeners = [Listener(self.org, port, tls), Listener(self.org, https_port, tls)]
        self.url = f"http://127.0.0.1:{self._listeners[0].port}"
        self.https_url = f"https://localhost:{self._listeners[1].port}"
        self.org.base_urls = [self.url, self.https_url]
        self._session = self.org.sessions.open(self.org.sessions.admin, self.org.sessions.app)
        self._refresh_token = self.org.sessions.refresh_token(
            self.org.sessions.admin, self.org.sessions.app, token=options.refresh_token
        )
        self._threads = [
            threading.Thread(target=listener.serve_forever, args=(0.1,), daemon=True)
            for listener in self._listeners
        ]
        for thread in self._threads:
            thread.start()

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
        """Stop answering; what was under way is cut."""
        self.org.stopping.set()
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()
            listener.close_connections()
        for thread in self._threads:
            thread.join()
        self.org.close()

    def ready(self) -> dict[str, Any]:
        """What a client needs to know of it; holds secrets, of an org that holds none."""
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
            "pid": os.getpid(),
            "control_token": self.org.control_token,
        }

    def write_ready(self, path: Path) -> None:
        """Write the ready file, whole or not at all; only its owner may read it."""
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        write_private(part, json.dumps(self.ready(), indent=2).encode())
        part.replace(path)

"""A TCP proxy that is as far away as a server in another building, and counts round trips."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

READY = b"Z\0\0\0\5"
"""PostgreSQL's ReadyForQuery but for its last byte, the transaction's status; it ends an answer."""


class SlowLink:
    """
    What goes through arrives ``delay_s`` later, in each direction.

    Attributes:
        port: where it listens, on 127.0.0.1.
        trips: how often the server said that it had answered all and is ready for more. What leaves
            in one go may arrive in pieces and be answered so; that is one trip, however busy the
            machine.
    """

    def __init__(self, port: int, delay_s: float) -> None:
        self._target = ("127.0.0.1", port)
        self._delay_s = delay_s
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.trips = 0
        self._last_trip: int | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def cut_after(self, trips: int) -> None:
        """Cut the connection when the client sends again after so many more trips."""
        self._last_trip = self.trips + trips

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(self._target)
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._carry(client, server, is_request=True)
                self._carry(server, client, is_request=False)

    def _carry(self, source: socket.socket, target: socket.socket, *, is_request: bool) -> None:
        """Two threads for one direction: one that reads, one that sends what is due."""
        due: queue.Queue[tuple[float, bytes]] = queue.Queue()

        def read() -> None:
            end = b""
            with contextlib.suppress(OSError):
                while data := source.recv(1 << 16):
                    end = (end + data[-6:])[-6:]
                    if is_request:
                        if self._last_trip is not None and self.trips >= self._last_trip:
                            break
                    elif end.startswith(READY):
                        with self._lock:
                            self.trips += 1
                    due.put((time.perf_counter() + self._delay_s, data))
            due.put((0.0, b""))

        def send() -> None:
            with contextlib.suppress(OSError):
                while True:
                    at_s, data = due.get()
                    if not data:
                        target.shutdown(socket.SHUT_WR)
                        return
                    time.sleep(max(at_s - time.perf_counter(), 0.0))
                    target.sendall(data)

        for work in (read, send):
            threading.Thread(target=work, daemon=True).start()


@contextmanager
def slow_link(port: int, delay_s: float) -> Iterator[SlowLink]:
    """A link to a port of this machine."""
    link = SlowLink(port, delay_s)
    try:
        yield link
    finally:
        link.close()

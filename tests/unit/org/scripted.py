"""A scripted HTTP server: it answers what a test has written, in order, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """
    One answer.

    Args:
        cut: closes the connection after so many bytes of the body (0: before the status line).
        pieces: the body in pieces, without a length, until they end or nobody reads any more.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    pieces: Iterable[bytes] | None = None
    sent: int = 0
    """Bytes of the pieces that the other side has taken."""

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedOrg:
    """Answers by path: the list of a path is used up in order, its last answer again and again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        self.deciders: dict[str, Callable[[Asked], Answer]] = {}
        self.hold: threading.Event | None = None
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def decide(self, path: str, decider: Callable[[Asked], Answer]) -> None:
        self.deciders[path] = decider

    def wait_for(self, path: str, count: int) -> None:
        """Until so many calls of the path have arrived."""
        with self._lock:
            assert self._arrived.wait_for(lambda: self.paths().count(path) >= count, timeout=30)

    def paths(self) -> list[str]:
        return [asked.path.split("?")[0] for asked in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _next(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            self._arrived.notify_all()
            if decider := self.deciders.get(asked.path.split("?")[0]):
                return decider(asked)
            scripted = self.answers.get(asked.path.split("?")[0])
            if not scripted:
                return Answer(
                    404,
                    [
                        {
                            "errorCode": "NOT_FOUND",
                            "message": "The requested resource does not exist",
                        }
                    ],
                )
            return scripted.pop(0) if len(scripted) > 1 else scripted[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = script._next(
                    Asked(self.command, self.path, dict(self.headers.items()), body)
                )
                if script.hold is not None and "/limits" not in self.path:
                    script.hold.wait(30)
                if answer.cut == 0:
                    self.close_connection = True
                    return
                if answer.pieces is not None:
                    self._send_pieces(answer)
                    return
                content = answer.content
                self.send_response(answer.status)
                headers = {
                    "Content-Type": "application/json;charset=UTF-8",
                    "Content-Length": str(len(content)),
                }
                for name, value in (headers | answer.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: answer.cut])
                if answer.cut is not None:
                    self.close_connection = True

            def _send_pieces(self, answer: Answer) -> None:
                self.close_connection = True
                self.send_response(answer.status)
                headers = {"Content-Type": "application/json", "Connection": "close"}
                for name, value in (headers | answer.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for piece in answer.pieces or ():
                        self.wfile.write(piece)
                        answer.sent += len(piece)
                except OSError:
                    answer.pieces = ()  # nobody reads any more, as the test expects

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815  the library's names

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        return Handler


LIMITS = {
    "DailyApiRequests": {"Max": 1000, "Remaining": 990, "Some App": {"Max": 0, "Remaining": 0}},
    "DailyBulkApiBatches": {"Max": 15000, "Remaining": 15000},
    "DailyBulkV2QueryJobs": {"Max": 10000, "Remaining": 9999},
    "DailyBulkV2QueryFileStorageMB": {"Max": 976562, "Remaining": 976562},
}
ORG_ID = "00D7Q00000DemoXUAR"
TOKEN = "00D7Q00000DemoX!AQ4AQFakeSession.Value_1"
DATA = "/services/data/v66.0"

"""
How an answer is sent: chunked as Salesforce does, packed for clients that ask, cut where a fault
says so.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from http import HTTPStatus

from sfnb_demo.server.wire import Body, Response, Slice, body_blocks, body_length, whole_body

_GZIP_FROM_BYTES = 2048
_BLOCK_BYTES = 1 << 20
# struct linger: on, wait 0 s. Windows has shorts in it.
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Sender:
    """
    Sends the answer to one request.

    Args:
        can_chunk: the client speaks HTTP/1.1. Salesforce sends every body chunked, without a length
            (all recorded answers that have a body).
        is_head: send the head alone.
        now_s: the org's time, which every answer tells in its ``Date``.
    """

    def __init__(
        self, connection: socket.socket, *, can_chunk: bool, is_head: bool, now_s: float
    ) -> None:
        self._now_s = now_s
        self._connection = connection
        self._can_chunk = can_chunk
        self._is_head = is_head

    def send(self, response: Response, *, is_packed: bool) -> None:
        """Send it whole; ``is_packed`` where the client takes gzip."""
        headers, body = dict(response.headers), response.body
        is_fit = body_length(body) >= _GZIP_FROM_BYTES and "Content-Encoding" not in headers
        if not (is_packed and is_fit):
            self._send(response, headers, body)
            return
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        if isinstance(body, bytes):
            self._send(response, headers, gzip.compress(body, compresslevel=1, mtime=0))
        elif self._can_chunk:
            self._send_stream(response, headers, _packed(body_blocks(body)))
        else:
            self._send(response, headers, b"".join(_packed(body_blocks(body))))

    def send_half(self, response: Response) -> None:
        """A head, and half of the body that it promises."""
        body = whole_body(response.body)
        half = body[: len(body) // 2]
        if self._can_chunk:
            head = self._head(response, {**response.headers, "Transfer-Encoding": "chunked"})
            self._connection.sendall(head + _chunk_start(len(body)) + half)
        else:
            head = self._head(response, {**response.headers, "Content-Length": str(len(body))})
            self._connection.sendall(head + half)

    def cut(self, *, is_rude: bool = True) -> None:
        """Close the connection; rudely is with a reset, as when a machine on the way dies."""
        with contextlib.suppress(OSError):
            if is_rude:
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                self._connection.shutdown(socket.SHUT_WR)

    def _send(self, response: Response, headers: dict[str, str], body: Body) -> None:
        is_bodiless = response.status in (204, 304)
        length = body_length(body)
        is_chunked = self._can_chunk and length > 0 and not is_bodiless
        if is_chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif not is_bodiless:
            headers["Content-Length"] = str(length)
        head = self._head(response, headers)
        if is_bodiless or self._is_head:
            self._connection.sendall(head)
            return
        parts: tuple[bytes | Slice, ...] = (body,) if isinstance(body, bytes) else body
        self._send_parts(head, parts, is_chunked=is_chunked)

    def _send_parts(self, head: bytes, parts: Iterable[bytes | Slice], *, is_chunked: bool) -> None:
        """Head and small parts in one write; files by sendfile, where the socket knows it."""
        waiting = head
        for part in parts:
            length = len(part) if isinstance(part, bytes) else part.length
            if not length:  # an empty chunk would end the answer
                continue
            before, after = (_chunk_start(length), b"\r\n") if is_chunked else (b"", b"")
            waiting += before
            if isinstance(part, bytes) and len(waiting) + length <= _BLOCK_BYTES:
                waiting += part + after
                continue
            self._connection.sendall(waiting)
            if isinstance(part, bytes):
                self._connection.sendall(part)
            else:
                with part.path.open("rb") as file:
                    self._connection.sendfile(file, part.offset, part.length)
            waiting = after
        self._connection.sendall(waiting + (b"0\r\n\r\n" if is_chunked else b""))

    def _head(self, response: Response, headers: dict[str, str]) -> bytes:
        known = response.status in HTTPStatus._value2member_map_
        reason = HTTPStatus(response.status).phrase if known else ""
        date = formatdate(self._now_s, usegmt=True)
        lines = [f"HTTP/1.1 {response.status} {reason}", f"Date: {date}", "Server: sfdcedge"]
        if response.content_type:
            lines.append(f"Content-Type: {response.content_type}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _send_stream(
        self, response: Response, headers: dict[str, str], blocks: Iterator[bytes]
    ) -> None:
        """A body whose length is not known before it has been sent."""
        head = self._head(response, headers | {"Transfer-Encoding": "chunked"})
        if self._is_head:
            self._connection.sendall(head)
            return
        waiting = head
        for block in blocks:
            self._connection.sendall(waiting + _chunk_start(len(block)) + block)
            waiting = b"\r\n"
        self._connection.sendall(waiting + b"0\r\n\r\n")


def _chunk_start(length: int) -> bytes:
    return f"{length:x}\r\n".encode()


def _packed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks as one gzip stream; no block is empty."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packing:
        for block in blocks:
            packing.write(block)
            if out.tell() >= _BLOCK_BYTES // 4:
                yield out.getvalue()
                out.seek(0)
                out.truncate()
    yield out.getvalue()


def truncated(response: Response) -> Response:
    """Two thirds of the body, ending in the middle of a record, with a head that fits it."""
    whole = whole_body(response.body)
    cut = len(whole) * 2 // 3
    while cut > 1 and whole[cut - 1 : cut] in (b"\n", b"\r"):
        cut -= 1
    return Response(response.status, whole[:cut], response.content_type, response.headers)

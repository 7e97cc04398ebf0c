"""Bodies of answers, read within bounds: no more than an org sends, and never whole first."""

from __future__ import annotations

import io
from typing import Any

import requests
import urllib3

from sfnb.clock import Clock
from sfnb.errors import ObjectError, TransientError
from sfnb.org.charset import utf8_of

MAX_JSON_BYTES = 512 << 20
"""Salesforce's own limits keep a JSON answer below 60 MB."""

MAX_PAGE_BYTES = 4 << 30
"""A page of 250,000 rows of the widest object has 1 to 2 GB."""

MAX_REFUSAL_BYTES = 1 << 20
"""Of a refusal only the message is of interest; the rest is left on the wire."""

MAX_RATIO = 200
RATIO_FROM_BYTES = 256 << 20
"""From this size on a body may be 200 times what came over the wire. gzip could reach 1,000."""

SLOWEST_BYTES_PER_S = 1024
SLOW_FROM_S = 600.0
"""From ten minutes on a body must have come faster than this: no line is slower."""

_CHUNK_BYTES = 1 << 16


class BodyTooLarge(ObjectError):
    """A body is larger than any that an org sends. The next try would be the same."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="ANSWER_TOO_LARGE")


class BodyStream(io.RawIOBase):
    """
    The decoded bytes of a body as they arrive. For one thread.

    Raises:
        TransientError: on reading: the connection broke, the body ended before its length, or it
            comes too slowly.
        BodyTooLarge: on reading: it is beyond the bounds.
    """

    def __init__(
        self,
        response: requests.Response,
        *,
        what: str,
        clock: Clock,
        max_bytes: int = MAX_PAGE_BYTES,
    ) -> None:
        super().__init__()
        self._raw: Any = response.raw
        self._what = what
        self._clock = clock
        self._max_bytes = max_bytes
        self._started_s = clock.monotonic()
        self.bytes_read = 0
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and len(length) <= 18 and int(length) > max_bytes:
            raise self._too_large()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = _CHUNK_BYTES if size is None or size < 0 else size
        data = self._read(wanted)
        if size is not None and size >= 0:
            return data
        pieces = [data]
        while pieces[-1]:
            pieces.append(self._read(_CHUNK_BYTES))
        return b"".join(pieces)

    def readall(self) -> bytes:
        return self.read(-1)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        try:
            data: bytes = self._raw.read(size, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as err:
            raise TransientError(
                f"{self._what} broke off after {self.bytes_read:,} bytes ({type(err).__name__})."
            ) from err
        self.bytes_read += len(data)
        self._check()
        return data

    def _check(self) -> None:
        if self.bytes_read > self._max_bytes:
            raise self._too_large()
        # Decoding goes on in small steps, so a bomb is noticed long before it has filled memory.
        if self.bytes_read > RATIO_FROM_BYTES and self.bytes_read > MAX_RATIO * self._raw.tell():
            raise self._too_large()
        seconds = self._clock.monotonic() - self._started_s
        if seconds > SLOW_FROM_S and self.bytes_read < seconds * SLOWEST_BYTES_PER_S:
            raise TransientError(
                f"{self._what} arrives too slowly: {self.bytes_read:,} bytes in {seconds:,.0f} s."
            )

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"{self._what} is larger than any that an org sends. Check whether a proxy changes "
            "answers."
        )


def read_body(response: requests.Response, *, what: str, clock: Clock) -> None:
    """
    Read the body of an answer into ``response.content``; of a refusal only the beginning.

    Raises:
        TransientError, BodyTooLarge: see ``BodyStream``.
        TransientError, ObjectError: it is not in the encoding that it declares, see ``charset``.
    """
    stream = BodyStream(response, what=what, clock=clock, max_bytes=MAX_JSON_BYTES)
    enough = MAX_REFUSAL_BYTES if response.status_code >= 300 else MAX_JSON_BYTES + 1
    pieces: list[bytes] = []
    try:
        while stream.bytes_read < enough and (data := stream.read(_CHUNK_BYTES)):
            pieces.append(data)
    finally:
        # A body that was read whole has given its connection back already; any other is cut off.
        response.close()
    # What requests itself would set after reading; it offers no other way to bound a body.
    response._content = b"".join(pieces)
    if response.status_code < 300:
        response._content = utf8_of(response._content, response.headers)
    response._content_consumed = True  # type: ignore[attr-defined]

"""
A record with its file in one request, streamed (REST guide, Insert or Update Blob Data).

As JSON, a file's Base64 would have to fit into memory and into the 50 MB of a request.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from sfnb.errors import AnswerLost
from sfnb.org.client import OrgClient
from sfnb.org.writing.calls import WriteOptions, row_result, write_json

ENTITY_PARTS = {"ContentVersion": "entity_content", "Document": "entity_document"}
"""The name of the part with the record's values; of other objects it is free (REST guide)."""


class MultipartBody:
    """
    The body of one request, read piece by piece from its file.

    ``requests`` asks for the length before it reads, so from then on reading begins anew: a call
    that is repeated after a new login sends all of it again.

    Args:
        open_file: opens the file at its beginning.
        size: of the file in bytes.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        open_file: Callable[[], BinaryIO],
        size: int,
        *,
        part: str,
        field: str,
        name: str,
    ) -> None:
        boundary = f"sfnb-{secrets.token_hex(16)}"
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"\r\n'
            f"Content-Type: application/json\r\n\r\n{json.dumps(dict(values))}\r\n"
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; '
            f'filename="{_header_safe(name)}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._open = open_file
        self._size = size
        self._pieces: list[BinaryIO] = []

    def __len__(self) -> int:
        self.close()
        self._pieces = [io.BytesIO(self._head), self._open(), io.BytesIO(self._tail)]
        return len(self._head) + self._size + len(self._tail)

    def read(self, size: int = -1) -> bytes:
        while self._pieces:
            if content := self._pieces[0].read(size if size >= 0 else 1 << 20):
                return content
            self._pieces.pop(0).close()
        return b""

    def close(self) -> None:
        for piece in self._pieces:
            with suppress(OSError):
                piece.close()
        self._pieces = []


def _header_safe(name: str) -> str:
    """A file's name that cannot end its header; the record has the real one."""
    kept = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return kept[:200] or "file"


def upload(
    org: OrgClient, object_name: str, body: MultipartBody, options: WriteOptions
) -> tuple[str, str, str]:
    """
    Create a record with its file; its Id, or empty with the org's code and message.

    Cost: 1 API call.

    Raises:
        AnswerLost: the org may have created it.
        ObjectError: it was refused as a whole, with its code.
    """
    try:
        answer = write_json(
            org,
            "POST",
            f"sobjects/{object_name}",
            data=body,
            headers={**options.headers, "Content-Type": body.content_type},
        )
    finally:
        body.close()
    result = row_result(answer if isinstance(answer, Mapping) else {})
    if result.state == "unknown":
        raise AnswerLost(f"{object_name}: the answer to an upload names no record.")
    return result.record_id, result.code, result.message

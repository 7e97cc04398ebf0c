"""A record with its file in one request: ``multipart/form-data`` (REST guide, Insert Blob Data)."""

from __future__ import annotations

import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from sfnb_demo.errors import ApiError


def read_multipart(content_type: str, body: bytes) -> dict[str, Any]:
    """
    The record: its JSON part, and the bytes of its file under the name of that part.

    Raises:
        ApiError: for a body without both parts.
    """
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    values: dict[str, Any] | None = None
    files: dict[str, Any] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        payload = part.get_payload(decode=True)
        data = payload if isinstance(payload, bytes) else b""
        name = part.get_param("name", header="content-disposition")
        if part.get_content_type() == "application/json":
            try:
                values = json.loads(data)
            except ValueError as err:
                raise ApiError("JSON_PARSER_ERROR", f"The JSON part: {err}", 400) from err
        elif name:
            files[str(name)] = data
    if not isinstance(values, dict) or not files:
        message_text = "Multipart message must include a non-binary part first"
        raise ApiError("INVALID_MULTIPART_REQUEST", message_text, 400)
    return {**values, **files}

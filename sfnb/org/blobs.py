"""Bodies of base64 fields (REST guide, SObject Blob Get): one call each, streamed."""

from __future__ import annotations

from typing import Any

import requests

from sfnb.errors import TransientError
from sfnb.org.bodies import BodyStream
from sfnb.org.client import OrgClient
from sfnb.org.refusals import refusal_of

MAX_BODY_BYTES = 2 << 30
"""The largest file that Salesforce takes (REST guide, Insert or Update Blob Data)."""

_CHUNK_BYTES = 1 << 18


def blob_path(object_name: str, record_id: str, field: str) -> str:
    """Where the body of a record's base64 field is, below the API version."""
    return f"sobjects/{object_name}/{record_id}/{field}"


def image_path(object_name: str, record_id: str, field: str, refid: str) -> str:
    """Where an image of a rich-text field is (REST guide, Rich Text Image Retrieval)."""
    return f"sobjects/{object_name}/{record_id}/richTextImageFields/{field}/{refid}"


def _judge(response: requests.Response, what: str) -> BaseException | None:
    """A good answer may be a web page, because a file may be one."""
    if response.status_code == 200:
        return None
    return refusal_of(response.status_code, response.headers, response.content, what=what)


def fetch_blob(org: OrgClient, path: str, sink: Any, *, size: int | None) -> None:
    """
    Stream a body into ``sink``, tried once. What came is not compared with anything here.

    Args:
        size: what it should have, in bytes; None: not known. A body that grows beyond it is cut off.

    Cost: 1 API call.

    Raises:
        TransientError: the connection broke, or a web page came in place of a file of unknown size.
        ObjectError: the org refuses: the record is gone, or the user may not read it.
    """
    what = path.rpartition("sobjects/")[2]
    response = org.request("GET", path, stream=True, judge=_judge, what=what)
    with response:
        # Salesforce sends any file as application/octet-stream; a page comes from elsewhere.
        if size is None and response.headers.get("Content-Type", "").startswith("text/html"):
            raise TransientError(f"{what}: received a web page instead of a file.")
        most = MAX_BODY_BYTES if size is None else min(size + 1, MAX_BODY_BYTES)
        body = BodyStream(response, what=what, clock=org.clock, max_bytes=MAX_BODY_BYTES)
        while body.bytes_read < most and (chunk := body.read(_CHUNK_BYTES)):
            sink.write(chunk)

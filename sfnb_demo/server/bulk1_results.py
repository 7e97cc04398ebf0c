"""Results of Bulk API 1 batches as JSON and XML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from sfnb_demo.server.refusals import ASYNC_NAMESPACE
from sfnb_demo.server.wire import json_bytes

Pages = Iterator[list[dict[str, Any]]]


def json_rows(pages: Pages) -> Iterator[bytes]:
    separator = b"["
    for rows in pages:
        for row in rows:
            yield separator + json_bytes(row)
            separator = b","
    yield b"]" if separator == b"," else b"[]"


def xml_rows(pages: Pages) -> Iterator[bytes]:
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?><queryResult xmlns="{ASYNC_NAMESPACE}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    ).encode()
    for rows in pages:
        for row in rows:
            yield f'<records xsi:type="sObject">{_xml_fields(row)}</records>'.encode()
    yield b"</queryResult>"


# XML 1.0 has no other control characters.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def xml_text(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return escape(_NOT_IN_XML.sub("", text), {"\r": "&#13;"})


def _xml_fields(row: dict[str, Any]) -> str:
    parts = [f"<type>{escape(row['attributes']['type'])}</type>"] if "attributes" in row else []
    for name, value in row.items():
        if name == "attributes":
            continue
        if value is None:
            parts.append(f'<{name} xsi:nil="true"/>')
        elif isinstance(value, dict):
            parts.append(f'<{name} xsi:type="sObject">{_xml_fields(value)}</{name}>')
        else:
            parts.append(f"<{name}>{xml_text(value)}</{name}>")
    return "".join(parts)

"""
Answers that are too large or too deep for a careless client; they cost the org next to no memory.
"""

from __future__ import annotations

import gzip

from sfnb_demo.server.wire import CSV_TYPE, JSON_TYPE, Response

FORMS = ("line", "gzip", "deep", "header")
_MB = 1 << 20
_BLOCK = b"a" * _MB


def oversize(form: str, size: float, *, is_csv: bool) -> Response:
    """
    One such answer, status 200.

    Args:
        form: ``line``: ``size`` MB in one line; ``gzip``: ``size`` MB packed to about a thousandth;
            ``deep``: JSON nested ``size`` levels; ``header``: one header of ``size`` KB.
        is_csv: write it as a CSV result page, else as a JSON answer.
    """
    content_type = CSV_TYPE if is_csv else JSON_TYPE
    before, after = (
        (b'"Id"\n"', b'"\n') if is_csv else (b'{"records":[{"Id":"', b'"}],"done":true}')
    )
    if form == "deep":
        return Response(200, b"[" * int(size) + b"]" * int(size), JSON_TYPE)
    if form == "header":
        return Response(200, b"{}", JSON_TYPE, {"X-Long": "a" * int(size * 1024)})
    if form == "gzip":
        # Members of a gzip file may follow one another: one packed block is sent again and again.
        parts = (_packed(before), *[_packed(_BLOCK * 16)] * max(int(size / 16), 1), _packed(after))
        return Response(200, parts, content_type, {"Content-Encoding": "gzip"})
    return Response(200, (before, *[_BLOCK] * int(size), after), content_type)


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)

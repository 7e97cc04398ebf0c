"""
Texts in another encoding than UTF-8: what an answer declares (``Content-Type``) is used.

Salesforce sends UTF-8 and says so. Gateways and other servers may not.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Protocol

from sfnb.errors import ObjectError, TransientError
from sfnb.org.secrets import clean

_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:+-]{1,40})""", re.IGNORECASE)
_IS_TEXT = re.compile(
    r"^\s*(?:text/(?!html)|application/(?:[\w.-]+\+)?(?:json|xml|csv))", re.IGNORECASE
)
_AS_IT_IS = ("utf-8", "utf-8-sig", "ascii")


class Readable(Protocol):
    """Bytes as they arrive."""

    def read(self, size: int = -1, /) -> bytes: ...


def declared_charset(headers: Mapping[str, str]) -> str:
    """
    Python's name of the encoding that an answer declares; empty: UTF-8, none, or it is no text of
    an org (a web page, a file).

    Raises:
        ObjectError: nobody here knows it.
    """
    kind = headers.get("Content-Type", "")
    found = _CHARSET.search(kind) if _IS_TEXT.match(kind) else None
    if found is None:
        return ""
    try:
        known = codecs.lookup(found[1])
        "".encode(known.name)  # base64 and others are no encodings of text
    except LookupError as err:
        raise ObjectError(
            f"an answer is in the encoding {clean(found[1])}, which is not known here. Check "
            "whether a proxy changes answers.",
            code="CHARSET",
        ) from err
    return "" if known.name in _AS_IT_IS else known.name


def utf8_of(body: bytes, headers: Mapping[str, str]) -> bytes:
    """
    A whole text in UTF-8, whatever its answer declares.

    Raises:
        TransientError: it is not in the encoding that it declares.
        ObjectError: see ``declared_charset``.
    """
    charset = declared_charset(headers)
    return Utf8Stream.converted(body, charset) if charset else body


def utf8_stream(stream: Readable, headers: Mapping[str, str]) -> Readable:
    """As ``utf8_of``, of a text as it arrives."""
    charset = declared_charset(headers)
    return Utf8Stream(stream, charset) if charset else stream


class Utf8Stream:
    """A text that arrives in one encoding and is read in UTF-8. For one thread."""

    def __init__(self, stream: Readable, charset: str) -> None:
        self._stream = stream
        self._charset = charset
        self._decoder = codecs.getincrementaldecoder(charset)()
        self._is_over = False

    def read(self, size: int = -1, /) -> bytes:
        """About ``size`` bytes, more or fewer; empty at the end only."""
        while not self._is_over:
            data = self._stream.read(size)
            self._is_over = not data
            try:
                text = self._decoder.decode(data, final=self._is_over)
            except UnicodeError as err:
                raise _not_in(self._charset) from err
            if text:
                return text.encode("utf-8", "surrogatepass")
        return b""

    @staticmethod
    def converted(body: bytes, charset: str) -> bytes:
        """A whole text."""
        try:
            return body.decode(charset).encode("utf-8", "surrogatepass")
        except UnicodeError as err:
            raise _not_in(charset) from err


def _not_in(charset: str) -> TransientError:
    return TransientError(f"an answer is not in the encoding that it declares ({charset}).")

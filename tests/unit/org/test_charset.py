"""Texts in the encoding that their answer declares."""

from __future__ import annotations

import io

import pytest

from sfnb.errors import ObjectError, TransientError
from sfnb.org.charset import declared_charset, utf8_of, utf8_stream

TEXT = 'a,"Ünï 😀"\n'


def kind(value: str) -> dict[str, str]:
    return {"Content-Type": value}


@pytest.mark.parametrize("charset", ["utf-16", "UTF-16LE", "utf-32", "utf-8", "gb18030"])
def test_a_text_is_read_as_it_declares_itself(charset: str) -> None:
    """Whole, or in pieces that cut a letter in two."""
    sent, headers = TEXT.encode(charset), kind(f'text/csv; charset="{charset}"')
    assert utf8_of(sent, headers).decode() == TEXT
    stream, pieces = utf8_stream(io.BytesIO(sent), headers), list[bytes]()
    while piece := stream.read(3):
        pieces.append(piece)
    assert b"".join(pieces).decode() == TEXT


@pytest.mark.parametrize(
    "said",
    ["", "text/csv", "application/json;charset=UTF-8", "text/csv; charset=us-ascii",
     "application/octet-stream; charset=utf-16", "text/html; charset=klingon"],
)  # fmt: skip
def test_utf8_and_what_is_no_text_stay_as_they_are(said: str) -> None:
    """A file's bytes are its own, whatever its type says."""
    assert declared_charset(kind(said)) == ""


def test_what_cannot_be_read_is_a_sentence() -> None:
    """An encoding that nobody knows, and a text that is not in the one it declares."""
    for name in ("klingon", "base64"):
        with pytest.raises(ObjectError, match=f"encoding {name}, which is not known"):
            utf8_of(b"", kind(f"application/json; charset={name}"))
    headers = kind("text/csv; charset=utf-16le")
    with pytest.raises(TransientError, match="not in the encoding that it declares"):
        utf8_of(b"abc", headers)
    with pytest.raises(TransientError, match="not in the encoding that it declares"):
        utf8_stream(io.BytesIO(b"\x00\xd8"), headers).read(2)

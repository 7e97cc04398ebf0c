"""
The answers recorded from real orgs, which lie beside the checkout in ``shared/recorded``.

Where they are not, the tests that need them are skipped and say so. ``SFNB_RECORDED`` names another place.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest
import requests
from requests.structures import CaseInsensitiveDict

ROOT = Path(__file__).parents[3]


def folder() -> Path | None:
    """Where the corpus is: beside the checkout, or beside a folder that holds it."""
    named = os.environ.get("SFNB_RECORDED")
    places = [Path(named)] if named else [p / "shared" / "recorded" for p in ROOT.parents]
    return next((place for place in places if (place / "index.json").is_file()), None)


FOLDER = folder()
needs_corpus = pytest.mark.skipif(
    FOLDER is None, reason="no shared/recorded beside the checkout (or SFNB_RECORDED)"
)


@dataclass(frozen=True)
class Recorded:
    """One recorded answer; the exchange's head where it was recorded with one."""

    name: str
    kind: str
    path: Path = field(repr=False)

    @cached_property
    def text(self) -> bytes:
        """The file's bytes, unpacked."""
        content = self.path.read_bytes()
        return gzip.decompress(content) if self.path.suffix == ".gz" else content

    @cached_property
    def exchange(self) -> dict[str, object]:
        """Method, path, status, headers and body; empty for a file that is a body itself."""
        return dict(json.loads(self.text)) if self.name.endswith(".exchange.json") else {}

    @property
    def body(self) -> bytes:
        return str(self.exchange["body"]).encode() if self.exchange else self.text

    @property
    def status(self) -> int:
        return int(str(self.exchange.get("status", 200)))

    @property
    def headers(self) -> CaseInsensitiveDict[str]:
        headers = self.exchange.get("headers", {})
        assert isinstance(headers, dict)
        return CaseInsensitiveDict({str(k): str(v) for k, v in headers.items()})

    def response(self, status: int | None = None) -> requests.Response:
        """The answer as the HTTP library gives it."""
        return response(self.body, status or self.status, self.headers)


def response(
    body: bytes, status: int = 200, headers: CaseInsensitiveDict[str] | None = None
) -> requests.Response:
    """An answer that has arrived whole."""
    made = requests.Response()
    made.status_code = status
    made.headers = headers if headers is not None else CaseInsensitiveDict()
    made.url = "https://acme.my.salesforce.com/x"
    made._content = body
    return made


def recorded(*kinds: str) -> Iterator[Recorded]:
    """The files of these kinds, of all where none is named, in the order of the index."""
    if FOLDER is None:
        return
    for entry in json.loads((FOLDER / "index.json").read_text("utf-8")):
        if not kinds or entry["kind"] in kinds:
            yield Recorded(entry["file"], entry["kind"], FOLDER / entry["file"])

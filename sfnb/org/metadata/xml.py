"""
Reading an XML answer as it arrives: elements become dicts, one element's text goes to a file.

Nothing of the answer is believed: no document type (so no entities), bounded depth, bounded texts,
bounded number of elements.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any
from xml.parsers import expat

from sfnb.errors import TransientError

MAX_DEPTH = 40
MAX_ELEMENTS = 5_000_000
MAX_TEXT_CHARS = 1 << 20
_BLOCK_CHARS = 1 << 16

Tree = dict[str, list[Any]]
"""An element: its children by local name, each a text or a tree again."""


class XmlReader:
    """
    Parses chunks of one document.

    Args:
        sink: takes the decoded bytes of ``streamed``; None: such an element is dropped.
        streamed: local name of an element that holds Base64.
    """

    def __init__(self, *, sink: Any = None, streamed: str = "zipFile") -> None:
        self._sink = sink
        self._streamed = streamed
        self._stack: list[tuple[str, Tree, list[str]]] = []
        self._root: Tree = {}
        self._elements = 0
        self._chars = 0
        self._is_streaming = False
        self._encoded = ""
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.buffer_size = _BLOCK_CHARS
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def read(self, chunks: Iterable[bytes]) -> Tree:
        """
        The document.

        Raises:
            TransientError: it is no XML that an org would send, or it broke off.
        """
        try:
            for chunk in chunks:
                self._parser.Parse(chunk, False)
            self._parser.Parse(b"", True)
        except (expat.ExpatError, LookupError, ValueError) as err:  # also an unknown encoding
            raise TransientError(f"expected XML, received something else ({err}).") from err
        return self._root

    def _doctype(self, *_: object) -> None:
        raise TransientError("received XML with a document type, which no org sends.")

    def _start(self, name: str, _attributes: object) -> None:
        self._elements += 1
        if len(self._stack) >= MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise TransientError("received XML that is nested deeper or is longer than an org's.")
        local = name.rpartition(" ")[2]
        self._is_streaming = local == self._streamed
        self._chars = 0
        self._stack.append((local, {}, []))

    def _text(self, text: str) -> None:
        if self._is_streaming:
            self._decode(text)
            return
        self._chars += len(text)
        if self._chars > MAX_TEXT_CHARS:
            raise TransientError("received XML with a longer text than an org sends.")
        if self._stack:
            self._stack[-1][2].append(text)

    def _decode(self, text: str, *, is_last: bool = False) -> None:
        self._encoded += "".join(text.split())
        whole = len(self._encoded) if is_last else len(self._encoded) // 4 * 4
        if self._sink is not None and whole:
            self._sink.write(base64.b64decode(self._encoded[:whole], validate=True))
        self._encoded = self._encoded[whole:]

    def _end(self, _name: str) -> None:
        local, children, texts = self._stack.pop()
        if self._is_streaming:
            self._decode("", is_last=True)
            self._is_streaming = False
        value: Any = children or "".join(texts).strip()
        parent = self._stack[-1][1] if self._stack else self._root
        parent.setdefault(local, []).append(value)


def child(tree: Any, *path: str) -> Any:
    """The first element at a path; an empty text where there is none."""
    for name in path:
        found = tree.get(name) if isinstance(tree, dict) else None
        tree = found[0] if found else ""
    return tree


def children(tree: Any, name: str) -> list[Any]:
    """All elements of that name."""
    return list(tree.get(name, [])) if isinstance(tree, dict) else []


def text(tree: Any, name: str) -> str:
    """The text of the first element of that name; empty where there is none."""
    found = child(tree, name)
    return found if isinstance(found, str) else ""

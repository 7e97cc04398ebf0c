"""Contents of metadata files: zips whose members are named by their SHA-256, never changed."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, NamedTuple, Self

from sfnb.errors import StoreError
from sfnb.store.files import Files
from sfnb.store.translating import translated

PACKS = "metadata"


class StoredFile(NamedTuple):
    """Where the content of one file is."""

    sha256: str
    size: int
    pack: str


def pack_path(name: str) -> str:
    """Where a pack is, from the org's folder."""
    return f"{PACKS}/{name}"


class PackWriter:
    """
    Writes new contents into one pack. It appears whole when ``close`` returns, or not at all.

    Args:
        known: contents that the store has already, by their SHA-256.
    """

    def __init__(self, files: Files, name: str, known: Mapping[str, StoredFile]) -> None:
        self._files = files
        self._name = name
        self._known = dict(known)
        self._stack = ExitStack()
        self._pack: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, err, trace)

    def put(self, content: bytes) -> StoredFile:
        """Where the content is, or will be when the pack is closed."""
        sha256 = sha256_of(content)
        if sha256 not in self._known:
            if self._pack is None:
                sink: Any = self._stack.enter_context(self._files.open_new(pack_path(self._name)))
                # Into a stream that cannot be rewound, as an upload is.
                self._pack = self._stack.enter_context(
                    zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED)
                )
            self._pack.writestr(sha256, content)
            self._known[sha256] = StoredFile(sha256, len(content), self._name)
        return self._known[sha256]


DAMAGE = (KeyError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
"""What zipfile raises for a zip with another byte in it, wherever that is."""


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class PackReader:
    """Contents of packs. Keeps the last pack open; close it."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._name = ""
        self._pack: zipfile.ZipFile | None = None

    def read(self, stored: StoredFile) -> bytes:
        """
        The content of a file.

        Raises:
            StoreError: it is missing or damaged.
        """
        what = f"{self._files.uri(pack_path(stored.pack))}: {stored.sha256}"
        with translated(f"read {what}"):
            try:
                if self._name != stored.pack or self._pack is None:
                    self.close()
                    source = self._files.open_input(pack_path(stored.pack))
                    self._pack, self._name = zipfile.ZipFile(source), stored.pack
                content = self._pack.read(stored.sha256)
            except FileNotFoundError as err:
                raise StoreError(f"{what} is missing.") from err
            except DAMAGE as err:
                raise StoreError(f"{what} is damaged.") from err
        if sha256_of(content) != stored.sha256:
            raise StoreError(f"{what} is damaged.")
        return content

    def close(self) -> None:
        if self._pack is not None:
            self._pack.close()
        self._pack = None

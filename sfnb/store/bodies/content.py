"""The contents of bodies: one file each, named by its SHA-256, never changed."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from sfnb.errors import CallerError, StoreError
from sfnb.store.files import (
    BLOCK_BYTES,
    FILE_MODE,
    NEW_FILE,
    TEMPORARY,
    Files,
    check_folder_of,
    make_folder,
    sync_folder,
)
from sfnb.store.sinks import HashingSink
from sfnb.store.translating import translated

FOLDER = "bodies"
DAMAGED = f"{FOLDER}/damaged"
EMPTY_SHA256 = hashlib.sha256().hexdigest()


def content_path(sha256: str) -> str:
    """Where a content is, from the org's folder."""
    return f"{FOLDER}/{sha256[:2]}/{sha256}"


def is_content(path: str) -> bool:
    """Whether a path from the org's folder is that of a content."""
    return path == content_path(path.rpartition("/")[2])


def sizes(files: Files) -> Iterator[tuple[str, int]]:
    """SHA-256 (by its name) and size in bytes of every content in the store."""
    for folder in files.names(FOLDER, folders=True):
        if len(folder) == 2:
            for path, size in files.walk(f"{FOLDER}/{folder}").items():
                yield path.rpartition("/")[2], size


class ReceivedBody(HashingSink):
    """
    A body on its way to the disk: counted and hashed, not yet part of the store.

    ``keep`` makes it a content. A body that is not kept leaves nothing.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.is_kept = False

    def write(self, content: Any) -> int:
        self._md5.update(content)
        return super().write(content)

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    def keep(self) -> None:
        """The body is what it should be."""
        self.is_kept = True


class Contents:
    """The contents of one org's bodies. Safe for threads: each body has a file of its own."""

    def __init__(self, files: Files) -> None:
        self._files = files

    @contextmanager
    def receive(self) -> Iterator[ReceivedBody]:
        """
        A sink for one body. When the block ends well and the body was kept, it is a content of the
        store, durable on disk; in any other case nothing is left.

        Raises:
            StoreError: the disk is full, or cannot be written.
        """
        with translated(f"write a file's body to {self._files.root}"):
            folder = self._files.local / FOLDER if self._files.local else None
            if folder is None:
                with tempfile.TemporaryFile() as spooled:
                    body = ReceivedBody(spooled)
                    yield body
                    self._upload(body, spooled)
                return
            make_folder(folder)
            temporary = folder / f"{TEMPORARY}{secrets.token_hex(12)}"
            try:
                with os.fdopen(os.open(temporary, NEW_FILE, FILE_MODE), "wb") as file:
                    with self._files.sealing(file, FOLDER) as sink:
                        body = ReceivedBody(sink)
                        yield body
                    if body.is_kept:
                        file.flush()
                        os.fsync(file.fileno())
                if body.is_kept:
                    self._place(temporary, body.sha256)
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()

    def _place(self, temporary: Path, sha256: str) -> None:
        assert self._files.local is not None  # noqa: S101 - only called for folders
        final = self._files.local / content_path(sha256)
        make_folder(final.parent)
        # Also where it is held already: a damaged one of the same name is mended so.
        temporary.replace(final)
        sync_folder(final.parent)

    def _upload(self, body: ReceivedBody, spooled: BinaryIO) -> None:
        if not body.is_kept:
            return
        spooled.seek(0)
        with self._files.open_new(content_path(body.sha256)) as sink:
            while block := spooled.read(BLOCK_BYTES):
                sink.write(block)

    def has(self, sha256: str) -> bool:
        """Whether the content is there. Cost: one look at the disk."""
        return self._files.has(content_path(sha256))

    def set_aside(self, sha256: str) -> None:
        """Move a content that is not what its name says out of the way, so that a backup heals it."""
        with translated(f"move {self._files.uri(content_path(sha256))}"):
            if self._files.local is not None:
                make_folder(self._files.local / DAMAGED)
            self._files.filesystem.move(content_path(sha256), f"{DAMAGED}/{sha256}")

    def write_to(self, sha256: str, target: Path) -> int:
        """
        Write a content to a file that does not exist yet, whole or not at all; its size in bytes.

        Raises:
            CallerError: the file exists, is a folder, or is in a folder that does not exist.
            StoreError: the content is missing or damaged, or the file cannot be written.
        """
        if target.exists():
            raise CallerError(f"{target} exists already. Choose another name.")
        check_folder_of(target)
        temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(6)}")
        with translated(f"write {target}"):
            try:
                with temporary.open("xb") as file:
                    sink = HashingSink(file)
                    with self._open(sha256) as source:
                        shutil.copyfileobj(source, sink, BLOCK_BYTES)
                    if sink.sha256 != sha256:
                        raise StoreError(
                            f"{self._files.uri(content_path(sha256))} is damaged: it is not what was "
                            "received. The next backup fetches the body again."
                        )
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()
        return sink.size_bytes

    @contextmanager
    def _open(self, sha256: str) -> Iterator[Any]:
        path = content_path(sha256)
        if not self._files.has(path):
            raise StoreError(
                f"{self._files.uri(path)} is missing. The next backup fetches the body again."
            )
        with self._files.filesystem.open_input_stream(path) as source:
            yield source

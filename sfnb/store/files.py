"""Where a store's bytes are: a folder, ``s3://``, ``gs://`` or ``az://``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from sfnb.errors import CallerError
from sfnb.store.azure import azure_filesystem
from sfnb.store.encoding import decode, encode
from sfnb.store.folders import FILE_MODE as FILE_MODE  # noqa: PLC0414 - the store finds these here
from sfnb.store.folders import NEW_FILE as NEW_FILE  # noqa: PLC0414
from sfnb.store.folders import TEMPORARY as TEMPORARY  # noqa: PLC0414
from sfnb.store.folders import link_new, temporary_beside
from sfnb.store.folders import make_folder as make_folder  # noqa: PLC0414
from sfnb.store.folders import sync_folder as sync_folder  # noqa: PLC0414
from sfnb.store.google import google_filesystem
from sfnb.store.sealing import Cipher, SealingSink, is_open
from sfnb.store.sinks import HashingSink
from sfnb.store.translating import translated
from sfnb.store.uploads import Uploads

BLOCK_BYTES = 1 << 20


def check_folder_of(target: Path) -> None:
    """
    Raises:
        CallerError: the folder in which somebody wants this file does not exist.
    """
    if not target.parent.is_dir():
        raise CallerError(f"there is no folder {target.parent}. Make it, or name another.")


def _filesystem(root: str) -> tuple[pafs.FileSystem, str]:
    """The file system behind a URL, and the path in it. Credentials come from the environment."""
    parts = urlsplit(root)
    path = f"{parts.netloc}{parts.path}".rstrip("/")
    if parts.scheme in ("az", "abfs", "abfss"):
        return azure_filesystem(), path
    if parts.scheme == "gs":
        return google_filesystem(os.environ), path
    if parts.scheme == "s3":
        found, _ = pafs.FileSystem.from_uri(root)
        return found, path
    raise CallerError(f"a store is a folder or an s3://, gs:// or az:// address, not {root!r}.")


class Files:
    """
    The files below one root. Paths are relative, with ``/``. Holds nothing that changes, so threads
    may share it.

    A file is whole and durable once it is put: on a local disk by a temporary name, fsync and a
    rename; in an object store because an upload becomes visible only when it is finished.
    ``tests/contracts/test_storage.py`` holds each kind of storage to this.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        filesystem: pafs.FileSystem | None = None,
        cipher: Cipher | None = None,
    ) -> None:
        self.root = os.fspath(root)
        self.cipher = cipher
        self.local: Path | None = None
        self._uploads: Uploads | None = None
        if filesystem is not None:
            self._fs = filesystem
        elif "://" in self.root:
            with translated(f"open the store {self.root}"):
                found, path = _filesystem(self.root)
                self._fs = pafs.SubTreeFileSystem(path, found)
                self._uploads = Uploads(self.root)
        else:
            self.local = Path(self.root).expanduser().absolute()
            self.root = str(self.local)
            self._fs = pafs.SubTreeFileSystem(self.local.as_posix(), pafs.LocalFileSystem())
        if cipher is not None and filesystem is None:
            self._fs = cipher.seen(self._fs)

    def __repr__(self) -> str:
        return f"Files({self.root!r})"

    @property
    def filesystem(self) -> pafs.FileSystem:
        return self._fs

    def uri(self, path: str) -> str:
        """The address under which Delta opens it."""
        return str(self.local / path) if self.local else f"{self.root.rstrip('/')}/{path}"

    def below(self, path: str) -> Files:
        """The same files, seen from a folder deeper."""
        if self.local:
            return Files(self.local / path, cipher=self.cipher)
        inner = pafs.SubTreeFileSystem(path, self._fs)
        deeper = Files(self.uri(path), filesystem=inner, cipher=self.cipher)
        if self._uploads is not None:
            deeper._uploads = Uploads(deeper.root)
        return deeper

    def read(self, path: str) -> bytes | None:
        """The whole file, or None if it does not exist."""
        with translated(f"read {self.uri(path)}"):
            try:
                if self.local:
                    content = (self.local / path).read_bytes()
                    if self.cipher is None or is_open(path):
                        return content
                    return self.cipher.opened(content, path)
                with self._fs.open_input_stream(path) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

    def read_json(self, path: str) -> dict[str, Any] | None:
        """The content of a file written by ``put_json``, or None if it does not exist."""
        text = self.read(path)
        return None if text is None else decode(text, self.uri(path))

    def names(self, path: str, *, folders: bool = False) -> list[str]:
        """
        Names of the files (or folders) in a folder, sorted; none if the folder is not there.

        Unfinished files are not among them.
        """
        with translated(f"list {self.uri(path)}"):
            if self.local:
                try:
                    with os.scandir(self.local / path) as entries:
                        found = [e.name for e in entries if e.is_dir() == folders]
                except FileNotFoundError:
                    return []
            else:
                wanted = pafs.FileType.Directory if folders else pafs.FileType.File
                infos = self._fs.get_file_info(pafs.FileSelector(path, allow_not_found=True))
                found = [i.base_name for i in infos if i.type == wanted]
            return sorted(name for name in found if not name.startswith(TEMPORARY))

    def walk(self, path: str) -> dict[str, int]:
        """Every file below a folder: its path from the root, and its size in bytes."""
        with translated(f"list {self.uri(path)}"):
            infos = self._fs.get_file_info(
                pafs.FileSelector(path, allow_not_found=True, recursive=True)
            )
            return {i.path: int(i.size) for i in infos if i.type == pafs.FileType.File}

    def open_input(self, path: str) -> pa.NativeFile:
        """A file for Arrow to read from. The caller closes it and translates its errors."""
        return self._fs.open_input_file(path)

    def digest(self, path: str) -> tuple[int, str] | None:
        """Size in bytes and SHA-256 of a file, or None if it does not exist."""
        with translated(f"read {self.uri(path)}"):
            try:
                size_bytes, hashed = 0, hashlib.sha256()
                with self._fs.open_input_stream(path) as stream:
                    while block := stream.read(BLOCK_BYTES):
                        size_bytes += len(block)
                        hashed.update(block)
            except FileNotFoundError:
                return None
            return size_bytes, hashed.hexdigest()

    def written_at(self, path: str) -> datetime | None:
        """When a file was written, by the place's clock; None: it is not there."""
        with translated(f"look at {self.uri(path)}"):
            info = self._fs.get_file_info(path)
            return info.mtime if info.type == pafs.FileType.File else None

    def has(self, path: str) -> bool:
        with translated(f"look at {self.uri(path)}"):
            return bool(self._fs.get_file_info(path).type == pafs.FileType.File)

    def put(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all, replacing an older one."""
        with self.open_new(path) as sink:
            sink.write(content)

    def put_new(self, path: str, content: bytes) -> bool:
        """
        Write a file whole, unless there is one: of two that try at once, one does. False: there
        was one.
        """
        with translated(f"write {self.uri(path)}"):
            try:
                is_sealed = self.cipher is not None and not is_open(path)
                written = self.cipher.sealed(content) if self.cipher and is_sealed else content
                if self._uploads is not None:
                    self._uploads.put(path, written, is_new=True)
                elif self.local is not None:
                    self._put_new_here(self.local / path, written)
                elif self.has(path):
                    return False  # a file system of Arrow's, which has no condition
                else:
                    self.put(path, content)
            except FileExistsError:
                # The store may have done it and its answer was lost: then it is ours after all.
                return self._uploads is not None and self.read(path) == content
        return True

    def put_new_json(
        self, path: str, content: Mapping[str, Any], *, indent: int | None = None
    ) -> bool:
        """As ``put_new``, for JSON."""
        return self.put_new(path, encode(content, indent=indent))

    def _put_new_here(self, final: Path, content: bytes) -> None:
        make_folder(final.parent)
        temporary = temporary_beside(final)
        try:
            with os.fdopen(os.open(temporary, NEW_FILE, FILE_MODE), "wb") as file:
                HashingSink(file).write(content)
                file.flush()
                os.fsync(file.fileno())
            link_new(temporary, final)
            sync_folder(final.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def refuse_lossy(self) -> None:
        """
        Refuse a place where two writers could overwrite each other. Cost: three requests, once.

        Raises:
            StoreError: a bucket without conditional puts; or it cannot be written.
        """
        if self._uploads is not None:
            with translated(f"write {self.root}"):
                self._uploads.refuse_lossy()

    def keeps_old_versions(self) -> bool:
        """See ``Uploads.keeps_old_versions``; False on a disk."""
        with translated(f"write {self.root}"):
            return self._uploads is not None and self._uploads.keeps_old_versions()

    def put_json(self, path: str, content: Mapping[str, Any], *, indent: int | None = None) -> None:
        self.put(path, encode(content, indent=indent))

    @contextmanager
    def open_new(self, path: str) -> Iterator[HashingSink]:
        """
        A sink that becomes the file at ``path`` when the block ends well, durable on disk.

        Otherwise nothing is left; after a kill, a file named ``.tmp-…`` beside it.
        """
        with translated(f"write {self.uri(path)}"):
            if self.local is None:
                opened = self._uploads.open if self._uploads is not None else self._upload
                with opened(path) as stream, self.sealing(stream, path) as sink:
                    yield HashingSink(sink)
                return
            final = self.local / path
            make_folder(final.parent)
            temporary = temporary_beside(final)
            try:
                with os.fdopen(os.open(temporary, NEW_FILE, FILE_MODE), "wb") as file:
                    with self.sealing(file, path) as sink:
                        yield HashingSink(sink)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(final)
                sync_folder(final.parent)
            except BaseException:
                # A full disk or a pause in the middle of a page: the half file is of no use.
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise

    @contextmanager
    def sealing(self, stream: Any, path: str) -> Iterator[Any]:
        """A sink into a stream that is to become the file at this path: sealed if files here are."""
        if self.cipher is None or is_open(path):
            yield stream
            return
        sink = SealingSink(stream, self.cipher)
        yield sink
        sink.finish()

    def make_private(self, folder: str) -> None:
        """Close a folder's files, which another library has made, to other users."""
        if self.local is None:
            return
        with translated(f"write {self.uri(folder)}"), os.scandir(self.local / folder) as entries:
            for entry in entries:
                if entry.stat().st_mode & 0o077:
                    Path(entry.path).chmod(FILE_MODE)

    def delete(self, path: str) -> None:
        """Delete a file, if it is there."""
        with translated(f"delete {self.uri(path)}"), suppress(FileNotFoundError):
            self._fs.delete_file(path)

    def delete_folder(self, path: str) -> None:
        """Delete a folder with all that is in it, if it is there."""
        with translated(f"delete {self.uri(path)}"), suppress(FileNotFoundError):
            self._fs.delete_dir(path)

    @contextmanager
    def _upload(self, path: str) -> Iterator[pa.NativeFile]:
        """A stream into a file system of Arrow's; the file is deleted when the block ends badly."""
        try:
            stream = self._fs.open_output_stream(path)
        except FileNotFoundError:
            # Object stores have no folders; the others want them made first.
            self._fs.create_dir(path.rpartition("/")[0], recursive=True)
            stream = self._fs.open_output_stream(path)
        try:
            with stream:
                yield stream
        except BaseException:
            # Arrow cannot abandon an upload: closing it made the half file visible.
            with suppress(OSError):
                self._fs.delete_file(path)
            raise

    def sync(self, paths: Iterable[str]) -> None:
        """Make files of one folder durable, and private, that another library has written."""
        if self.local is None:
            return
        folder = None
        for path in paths:
            with translated(f"write {self.uri(path)}"):
                # Windows flushes only what is open for writing.
                with (self.local / path).open("r+b") as file:
                    os.fsync(file.fileno())
                (self.local / path).chmod(FILE_MODE)
                folder = (self.local / path).parent
        if folder is not None:
            sync_folder(folder)

"""
The form of a file in an encrypted store, and how it is written and read. See docs/format.md.

A file is a head (eight letters, a salt of its own) and chunks of 64 KB, each sealed by AES-256-GCM
under a key that is derived for this file alone. A chunk's nonce has its number and whether it is the
last one, so none can be left out, put elsewhere or cut off without notice. What a file holds can be
read from any place, and its size follows from the sealed one, so whoever reads through
``SealedFiles`` sees the file as it was before.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.fs as pafs

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"sfnbenc1"
SALT_BYTES = 16
HEAD_BYTES = len(MAGIC) + SALT_BYTES
CHUNK_BYTES = 64 << 10
TAG_BYTES = 16
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES

OPEN = ("_delta_log", "_encryption.json")
"""Names that are never sealed: Delta's own library reads and writes its log. Nor are empty locks."""

DAMAGED = "is not what was sealed: it is damaged, was changed, or is of another store"


def is_open(path: str) -> bool:
    """Whether the file at this path stays as it is, in an encrypted store, too."""
    return any(name in OPEN or name.endswith(".lock") for name in path.split("/"))


def plain_size(sealed_bytes: int) -> int:
    """How much a sealed file holds, by its size."""
    body = max(sealed_bytes - HEAD_BYTES, TAG_BYTES)
    chunks = -(-body // SEALED_CHUNK_BYTES)
    return max(body - chunks * TAG_BYTES, 0)


class Cipher:
    """
    Seals and opens the files of one store. Holds nothing that changes; threads may share it.

    Args:
        root: of the store.
        key: 32 bytes.
    """

    def __init__(self, root: str, key: bytes) -> None:
        self.root = root
        self._key = key

    def __repr__(self) -> str:
        return f"Cipher({self.root!r})"  # P7

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a key does not travel: whoever needs it finds its own")

    def of_file(self, salt: bytes) -> AESGCM:
        # Only an encrypted store needs the library.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return AESGCM(HKDF(SHA256(), 32, salt, b"sfnb-file").derive(self._key))

    def sealed(self, content: bytes) -> bytes:
        """A whole file."""
        out = io.BytesIO()
        sink = SealingSink(out, self)
        sink.write(content)
        sink.finish()
        return out.getvalue()

    def opened(self, content: bytes, name: str) -> bytes:
        """
        What a whole file holds.

        Raises:
            OSError: it is damaged.
        """
        return OpenedFile(pa.BufferReader(content), self, name).read()

    def seen(self, filesystem: pafs.FileSystem) -> pafs.FileSystem:
        """The same files, as they were before they were sealed."""
        return pafs.PyFileSystem(SealedFiles(filesystem, self))


class SealingSink:
    """A binary file that seals what is written into another one. The file is whole after ``finish``."""

    def __init__(self, stream: Any, cipher: Cipher) -> None:
        salt = os.urandom(SALT_BYTES)
        self._stream = stream
        self._cipher = cipher.of_file(salt)
        self._left = bytearray()
        self._number = 0
        stream.write(MAGIC + salt)

    def write(self, content: Any) -> int:
        size = memoryview(content).nbytes
        self._left += content
        # The last chunk is not known before the end, so one whole chunk waits.
        if len(self._left) > CHUNK_BYTES:
            whole = (len(self._left) - 1) // CHUNK_BYTES * CHUNK_BYTES
            for begin in range(0, whole, CHUNK_BYTES):
                self._put(bytes(self._left[begin : begin + CHUNK_BYTES]), is_last=False)
            del self._left[:whole]
        return size

    def finish(self) -> None:
        self._put(bytes(self._left), is_last=True)
        self._left.clear()

    def _put(self, chunk: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._number, is_last=is_last)
        self._stream.write(self._cipher.encrypt(nonce, chunk, None))
        self._number += 1


class OpenedFile(io.RawIOBase):
    """
    What a sealed file holds, readable from any place. A file whose chunks are not as they were
    sealed is an OSError.

    Args:
        source: the sealed file, which is closed with this one.
        name: for messages.
    """

    def __init__(self, source: pa.NativeFile, cipher: Cipher, name: str) -> None:
        super().__init__()
        self._source, self._name = source, name
        sealed_bytes = source.size()
        self._size = plain_size(sealed_bytes)
        self._chunks = max(-(-self._size // CHUNK_BYTES), 1)
        head = source.read_at(HEAD_BYTES, 0) if sealed_bytes >= HEAD_BYTES + TAG_BYTES else b""
        if head[: len(MAGIC)] != MAGIC:
            source.close()
            raise OSError(f"{name} {DAMAGED}")
        self._cipher = cipher.of_file(head[len(MAGIC) :])
        self._at = 0
        self._kept: tuple[int, bytes] = (-1, b"")

    def read(self, size: int | None = -1) -> bytes:
        end = self._size if size is None or size < 0 else min(self._at + size, self._size)
        if self._at >= end > 0:
            return b""
        first, last = self._at // CHUNK_BYTES, max(end - 1, 0) // CHUNK_BYTES
        found = self._open_chunks(first, last)
        begin = self._at - first * CHUNK_BYTES
        content = found[begin : begin + end - self._at]
        self._at = end
        return content

    def readinto(self, buffer: Any) -> int:
        content = self.read(memoryview(buffer).nbytes)
        buffer[: len(content)] = content
        return len(content)

    def _open_chunks(self, first: int, last: int) -> bytes:
        from cryptography.exceptions import InvalidTag

        if first == last == self._kept[0]:
            return self._kept[1]
        sealed = self._source.read_at(
            (last - first + 1) * SEALED_CHUNK_BYTES, HEAD_BYTES + first * SEALED_CHUNK_BYTES
        )
        opened = []
        for number in range(first, last + 1):
            begin = (number - first) * SEALED_CHUNK_BYTES
            nonce = _nonce(number, is_last=number == self._chunks - 1)
            chunk = sealed[begin : begin + SEALED_CHUNK_BYTES]
            try:
                opened.append(self._cipher.decrypt(nonce, chunk, None))
            except (InvalidTag, ValueError) as err:
                raise OSError(f"{self._name} {DAMAGED}") from err
        self._kept = last, opened[-1]
        return b"".join(opened)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def size(self) -> int:
        return self._size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()


class SealedFiles(pafs.FileSystemHandler):  # type: ignore[misc]  # Arrow has no types
    """A file system of sealed files, as Arrow and the store see them: open, in size and content."""

    def __init__(self, inner: pafs.FileSystem, cipher: Cipher) -> None:
        self._inner, self._cipher = inner, cipher

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SealedFiles) and self._inner == other._inner

    __hash__ = None  # type: ignore[assignment]

    def get_type_name(self) -> str:
        return "sealed"

    def normalize_path(self, path: str) -> str:
        return str(self._inner.normalize_path(path))

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        return [_opened_info(info) for info in self._inner.get_file_info(list(paths))]

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        return [_opened_info(info) for info in self._inner.get_file_info(selector)]

    def open_input_file(self, path: str) -> pa.NativeFile:
        source = self._inner.open_input_file(path)
        return source if is_open(path) else pa.PythonFile(OpenedFile(source, self._cipher, path))

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.open_input_file(path)

    def open_output_stream(self, path: str, metadata: object) -> pa.NativeFile:
        raise NotImplementedError("the store writes through Files.open_new")

    def open_append_stream(self, path: str, metadata: object) -> pa.NativeFile:
        raise NotImplementedError("nothing is appended to a file of the store")

    def create_dir(self, path: str, recursive: bool) -> None:
        self._inner.create_dir(path, recursive=recursive)

    def delete_dir(self, path: str) -> None:
        self._inner.delete_dir(path)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        self._inner.delete_dir_contents(path, missing_dir_ok=missing_dir_ok)

    def delete_root_dir_contents(self) -> None:
        raise NotImplementedError("a store is not emptied")

    def delete_file(self, path: str) -> None:
        self._inner.delete_file(path)

    def move(self, src: str, dest: str) -> None:
        self._inner.move(src, dest)

    def copy_file(self, src: str, dest: str) -> None:
        self._inner.copy_file(src, dest)


def _opened_info(info: pafs.FileInfo) -> pafs.FileInfo:
    if info.type != pafs.FileType.File or is_open(info.path):
        return info
    size = plain_size(int(info.size))
    return pafs.FileInfo(info.path, info.type, size=size, mtime_ns=info.mtime_ns)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])

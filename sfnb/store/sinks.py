"""A sink that knows what went through it."""

from __future__ import annotations

import hashlib
from typing import Any


class HashingSink:
    """
    A binary file, as far as Arrow needs one, that counts and hashes what is written through it.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        self.closed = False

    def write(self, content: Any) -> int:
        self._stream.write(content)
        self._hash.update(content)
        size = memoryview(content).nbytes
        self.size_bytes += size
        return size

    def tell(self) -> int:
        return self.size_bytes

    def flush(self) -> None:
        """Nothing is buffered here; the file is flushed once, when it is whole."""

    def close(self) -> None:
        """Arrow closes its sink, but the file stays open until it is synced."""
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

"""Moving a file within an org's folder, on any kind of storage."""

from __future__ import annotations

from sfnb.store.files import Files

BLOCK_BYTES = 1 << 20


def move(files: Files, path: str, target: str) -> None:
    """
    The file at another place. Killed in between, it is at both.

    Raises:
        StoreError: it cannot be read or written.
    """
    with files.open_input(path) as source, files.open_new(target) as sink:
        while block := source.read(BLOCK_BYTES):
            sink.write(block)
    files.delete(path)

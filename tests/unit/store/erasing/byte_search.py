"""Looks for values in every file of a folder: in bytes, in JSON's and UTF-16's spelling, in pages."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq


def found_in(folder: Path, values: Iterable[str]) -> list[str]:
    """Files that have one of the values, and which."""
    needles = [(value, spelled) for value in values for spelled in set(spellings(value))]
    return sorted(
        {
            f"{path.relative_to(folder)}: {value}"
            for path in folder.rglob("*")
            if path.is_file()
            for content in contents(path)
            for value, spelled in needles
            if spelled in content
        }
    )


def spellings(value: str) -> Iterator[bytes]:
    yield value.encode()
    yield value.encode("utf-16-le")
    yield value.encode("utf-16-be")
    quoted = json.dumps(value)[1:-1]
    yield quoted.encode()
    yield json.dumps(quoted)[1:-1].encode()


def contents(path: Path) -> Iterator[bytes]:
    """The file's bytes, and what is compressed in it."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".parquet" and raw[:4] == b"PAR1":  # in a sealed store it is none
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield repr(batch.to_pylist()).encode()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif raw[:2] == b"\x1f\x8b":
        yield gzip.decompress(raw)

"""
The zip of a retrieve, read safely: nothing is unpacked to a path that the org names.

A name is believed only when it is a plain relative path. What a member says of its size is compared
with what comes out, and all members together are bounded: a zip of 39 MB may hold 400 MB (Metadata
API guide, retrieve limits).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from sfnb.errors import ObjectError

MAX_FILES = 20_000
MAX_BYTES = 1 << 30
ROOT = "unpackaged/"

_PLAIN = re.compile(r"[^\x00-\x1f\\:*?\"<>|]+")


class BadArchive(ObjectError):
    """The zip is none, or not one that an org makes."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="BAD_ARCHIVE")


def safe_path(name: str) -> str | None:
    """The path below the package's root; None for a name that could lead elsewhere. Pure."""
    path = name.removeprefix(ROOT)
    parts = path.split("/")
    if not _PLAIN.fullmatch(path) or any(part in ("", ".", "..") for part in parts):
        return None
    if any(part != part.strip(" ") or part.endswith(".") for part in parts):
        return None
    return path


def read_archive(source: IO[bytes], refused: list[str]) -> Iterator[tuple[str, bytes]]:
    """
    Path and content of each file, one at a time in memory.

    Args:
        refused: takes the names of files that are left out: dangerous ones, and one name's second
            file.

    Raises:
        BadArchive: it is no zip, or unpacks beyond all bounds.
    """
    total, seen = 0, set[str]()
    try:
        with zipfile.ZipFile(source) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if len(members) > MAX_FILES:
                raise BadArchive(
                    f"a retrieve brought {len(members):,} files, more than any may have."
                )
            for member in members:
                path = safe_path(member.filename)
                if path is None or path in seen:
                    refused.append(ascii(member.filename)[1:-1][:120])
                    continue
                seen.add(path)
                with archive.open(member) as opened:
                    content = opened.read(MAX_BYTES - total + 1)
                total += len(content)
                if total > MAX_BYTES:
                    raise BadArchive("a retrieve unpacks to more than any may.")
                yield path, content
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as err:
        raise BadArchive(f"a retrieve brought a zip that cannot be read ({err}).") from err

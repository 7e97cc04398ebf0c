"""The metadata of a snapshot, file by file, and written out as the Metadata API lays it out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from sfnb.errors import CallerError
from sfnb.store.metadata.canonical import merged
from sfnb.store.metadata.packs import PackReader
from sfnb.store.metadata.record import MetadataRecord, latest_record
from sfnb.store.translating import translated

if TYPE_CHECKING:
    from sfnb.store.snapshots import Snapshot, Snapshots


def metadata_of(snapshots: Snapshots, snapshot: Snapshot) -> MetadataRecord:
    """
    The org's metadata as of a snapshot: its own, else that of the newest snapshot before it.

    Raises:
        CallerError: neither it nor an older one has any.
        StoreError: what there is is damaged.
    """
    ids = [one for one in snapshots if one <= snapshot.id]
    record = latest_record(snapshot.files, ids)
    if record is None:
        raise CallerError(
            f"no snapshot up to {snapshot.id} has metadata. `sfnb backup` without --objects and "
            "--no-metadata takes it."
        )
    return record


def contents(snapshot: Snapshot, record: MetadataRecord) -> Iterator[tuple[str, bytes]]:
    """
    Path and content of each file, those of one pack together.

    Raises:
        StoreError: a content is missing or damaged.
    """
    reader = PackReader(snapshot.files)
    try:
        for path, stored in sorted(record.files.items(), key=lambda item: (item[1].pack, item[0])):
            others = record.variants.get(path, ())
            content = reader.read(stored)
            yield (
                path,
                merged([content, *(reader.read(one) for one in others)]) if others else content,
            )
    finally:
        reader.close()


def write_metadata(snapshot: Snapshot, record: MetadataRecord, folder: Path) -> int:
    """
    Write all files and a ``package.xml`` into a folder that is new or empty; how many files.

    Raises:
        CallerError: the folder has something in it, or cannot be made.
        StoreError: a content is missing or damaged, or the folder cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CallerError(f"{folder} is not empty. Name a new folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        why = err.strerror or err
        raise CallerError(f"{folder} cannot be made: {why}. Name another folder.") from err
    count, taken = 0, set[str]()
    with translated(f"write {folder}"):
        for path, content in contents(snapshot, record):
            target = folder.joinpath(*distinct(path, taken).split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            count += 1
        (folder / "package.xml").write_text(package_xml(record), encoding="utf-8", newline="\n")
    return count + 1


def distinct(path: str, taken: set[str]) -> str:
    """
    The path, or with a number where a file system could take it for one that was written before.

    Names that differ in case or in their Unicode form only are one name to macOS and Windows. Pure
    but for ``taken``, which keeps what was given.
    """
    stem, dot, ending = path.rpartition(".")
    found, number = path, 2
    while (key := unicodedata.normalize("NFC", found).casefold()) in taken:
        found = f"{stem}~{number}.{ending}" if dot and "/" not in ending else f"{path}~{number}"
        number += 1
    taken.add(key)
    return found


def package_xml(record: MetadataRecord) -> str:
    """The package that asks for exactly these components."""
    types = "".join(
        "    <types>\n"
        + "".join(f"        <members>{escape(name)}</members>\n" for name in sorted(names))
        + f"        <name>{escape(kind)}</name>\n    </types>\n"
        for kind, names in sorted(record.components.items())
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Package xmlns="http://soap.sforce.com/2006/04/metadata">\n'
        f"{types}    <version>{escape(record.api_version)}</version>\n</Package>\n"
    )

"""The metadata of snapshots: its records can be read, and every content is what its name says."""

from __future__ import annotations

from collections.abc import Iterator

from sfnb.errors import StoreError
from sfnb.store.encoding import is_as_encoded
from sfnb.store.files import TEMPORARY, Files
from sfnb.store.formats import NewerFormat
from sfnb.store.metadata.packs import PACKS, PackReader, StoredFile, pack_path
from sfnb.store.metadata.record import pieces_folder, read_record, read_record_at, record_path
from sfnb.store.verify.findings import Finding


def metadata_paths(files: Files, snapshot: str) -> set[str]:
    """The files that a snapshot's metadata may have in its folder."""
    folder = pieces_folder(snapshot)
    pieces = {f"{folder}/{n}" for n in files.names(folder) if not n.startswith(TEMPORARY)}
    return {record_path(snapshot), *pieces}


def check_metadata(files: Files, snapshots: list[str], *, quick: bool = False) -> Iterator[Finding]:
    """
    What is wrong with the metadata of these snapshots.

    Args:
        quick: look whether packs are there only.

    Cost: reads every content once, unless ``quick``.
    """
    wanted: dict[StoredFile, str] = {}
    for snapshot in snapshots:
        yield from _records(files, snapshot, wanted)
    packs = {pack_path(name) for name in files.names(PACKS) if not name.startswith(TEMPORARY)}
    reader = PackReader(files)
    try:
        for stored, snapshot in sorted(wanted.items(), key=lambda item: item[0].pack):
            path = pack_path(stored.pack)
            if path not in packs:
                yield Finding("missing", "a file of the metadata is missing", snapshot, path=path)
            elif not quick:
                try:
                    reader.read(stored)
                except StoreError as err:
                    yield Finding("digest", str(err), snapshot, path=path)
    finally:
        reader.close()
    for path in sorted(packs - {pack_path(stored.pack) for stored in wanted}):
        yield Finding(
            "orphan", "metadata that nothing names, left by an interrupted backup", path=path
        )


def _records(files: Files, snapshot: str, wanted: dict[StoredFile, str]) -> Iterator[Finding]:
    for path in sorted(metadata_paths(files, snapshot)):
        try:
            record = read_record_at(files, path, snapshot)
            if path == record_path(snapshot):
                read_record(files, snapshot)  # what it refers to is there
        except NewerFormat:
            raise
        except StoreError as err:
            yield Finding("damaged", str(err), snapshot, path=path)
            continue
        if record is None:
            continue
        text = files.read(path)
        if text is not None and not is_as_encoded(text):
            why = "this file is spelled otherwise than it was written"
            yield Finding("digest", why, snapshot, path=path)
        for stored in (
            *record.files.values(),
            *(v for some in record.variants.values() for v in some),
        ):
            wanted.setdefault(stored, snapshot)

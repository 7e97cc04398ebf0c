"""A store whose plans, manifests, bodies and metadata are to be harmed, and the harm: all checksums right."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sfnb.store.bodies.content import Contents
from sfnb.store.bodies.index import Entry as Body
from sfnb.store.bodies.index import IndexWriter
from sfnb.store.metadata.packs import PackWriter
from sfnb.store.metadata.record import MetadataRecord, put_record, record_path
from sfnb.store.paths import manifest_path, summary_path
from sfnb.store.settling.base import Unchanged
from sfnb.store.tables import OrgStore
from tests.store_forger import Entry, ForgedLog, forge
from tests.store_samples import a_plan, a_store, a_writer, rows

ONE, TWO, THREE = (a_plan(number=number).snapshot for number in (1, 2, 3))
CONTENT = b"the body of a file"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def a_whole_store(root: Path) -> OrgStore:
    """
    Two sealed snapshots with metadata and bodies, Contact unchanged in the second; a third that has
    begun.
    """
    store = a_store(root)
    for number in (1, 2):
        writer = a_writer(store, "Account", "Contact", number=number)
        for name in ("Account", "Contact")[: 3 - number]:
            part = writer.write_part(name, [rows(0, 10, name=f"v{number}")])
            writer.commit(name, [part], {}, is_done=True)
        if number == 2:
            writer.unchanged({"Contact": Unchanged()})
        put_files(store, writer.snapshot, number)
        writer.seal()
    writer = a_writer(store, "Account", "Contact", number=3)
    writer.commit("Account", writer.write_parts("Account", [rows(0, 4)]), {}, is_done=False)
    writer.unchanged({"Contact": Unchanged()})
    return store


def put_files(store: OrgStore, snapshot: str, number: int) -> None:
    """A body, and metadata of two files, one of them in two variants."""
    with Contents(store.files).receive() as body:
        body.write(CONTENT)
        body.keep()
    index = IndexWriter(store.files, snapshot)
    held = Body("Attachment", f"00P{number}", "Body", "v", len(CONTENT), "", SHA256, "held")
    index.add([held])
    index.close()
    with PackWriter(store.files, f"{snapshot}.zip", {}) as packs:
        files = {name: packs.put(f"<{name}>".encode()) for name in ("a.xml", "b.xml")}
    with PackWriter(store.files, f"{snapshot}-variants.zip", {}) as packs:
        other = packs.put(b"<variant/>")
    put_record(
        store.files,
        MetadataRecord(snapshot, "2026-11-02", "66.0", files=files, variants={"a.xml": [other]}),
    )


Harm = Callable[[Path], object]


def forged(path: str, change: Callable[[Entry], object]) -> Harm:
    """A file that says something else, its checksum right."""
    return lambda root: forge(root / path, change)


def sets(path: str, **values: Any) -> Harm:
    return forged(path, lambda content: content.update(values))


def line_of(name: str, **values: Any) -> Harm:
    """The manifest of the second snapshot says something else of an object; its summary agrees."""

    def harm(root: Path) -> None:
        def change(content: Entry) -> None:
            line = content["objects"][name]
            before = {n: line.get(n, 0) for n in ("rows", "deleted")}
            line.update(values)
            for n, was in before.items():
                if n in values:
                    forge(
                        root / summary_path(TWO),
                        lambda summary, n=n, was=was: summary.update(
                            {n: summary[n] + values[n] - was}
                        ),
                    )

        forge(root / manifest_path(TWO), change)

    return harm


def without_line(root: Path) -> None:
    forge(root / manifest_path(TWO), lambda content: content["objects"].pop("Contact"))


def gone(path: str) -> Harm:
    return lambda root: (root / path).unlink()


def garbled(path: str) -> Harm:
    return lambda root: (root / path).write_text("{")


def longer(path: str) -> Harm:
    return lambda root: (root / path).write_bytes((root / path).read_bytes() + b"x")


def flipped(path: str, place: int = -1) -> Harm:
    def harm(root: Path) -> None:
        content = bytearray((root / path).read_bytes())
        content[place] ^= 1
        (root / path).write_bytes(content)

    return harm


def copied(path: str, to: str) -> Harm:
    return lambda root: (root / to).write_bytes((root / path).read_bytes())


def commit_spelled_otherwise(root: Path) -> None:
    log = ForgedLog(a_store(root.parent))
    log.path(1).write_bytes(log.path(1).read_bytes() + b"\n")


def pack_with(name_of: Callable[[str], str], content: bytes | None) -> Harm:
    """The first pack, its members under other names or with another content."""

    def harm(root: Path) -> None:
        path = root / "metadata" / f"{ONE}.zip"
        with zipfile.ZipFile(path) as pack:
            members = {name: pack.read(name) for name in pack.namelist()}
        with zipfile.ZipFile(path, "w") as pack:
            for name, was in members.items():
                pack.writestr(name_of(name), was if content is None else content)

    return harm


def metadata_unchanged_since_another(root: Path) -> None:
    """The record refers to a snapshot that has none; the seal vouches for it."""
    sets(record_path(TWO), unchanged_since=THREE)(root)
    sha256 = hashlib.sha256((root / record_path(TWO)).read_bytes()).hexdigest()
    sets(manifest_path(TWO), metadata_sha256=sha256)(root)

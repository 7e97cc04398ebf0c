"""Records that hang on others by a cascading lookup, and their files, as far as they are stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pyarrow.compute as pc

from sfnb.errors import CallerError
from sfnb.store.files import Files
from sfnb.store.parts import text_array
from sfnb.store.proof import ID
from sfnb.store.snapshots import Snapshots
from sfnb.store.states.everything import every_version

LINK, DOCUMENT = "ContentDocumentLink", "ContentDocument"

PERSON_PREFIX = "005"
"""Of users. Each file is linked to its owner, too (Object Reference, ContentDocumentLink)."""

Roots = Mapping[str, Mapping[str, frozenset[str]]]
"""By object and Id, the Ids of the records that it goes with."""


def closure(files: Files, object_name: str, ids: Collection[str], *, with_children: bool) -> Roots:
    """
    The records themselves and, with them, what hangs on them in any stored version.

    Children are known by the describes that the snapshots have (REST guide, sObject Describe:
    ``cascadeDelete`` of childRelationships). A file goes when every record that it is linked to goes;
    links to users do not count, since each file has one to its owner.

    Cost: reads two columns of each object that can be a child; no calls.
    """
    found: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for one in ids:
        found[object_name][one] = {one}
    if with_children:
        level = {object_name: {one: {one} for one in ids}}
        while level:
            level = _below(files, level, found)
    return {
        name: {one: frozenset(roots) for one, roots in records.items()}
        for name, records in found.items()
    }


def _below(
    files: Files,
    level: Mapping[str, Mapping[str, set[str]]],
    found: dict[str, dict[str, set[str]]],
) -> dict[str, dict[str, set[str]]]:
    new: dict[str, dict[str, set[str]]] = defaultdict(dict)

    def add(name: str, one: str, roots: set[str]) -> None:
        known = found[name].setdefault(one, set())
        if roots - known:
            known |= roots
            new[name][one] = set(known)

    for parent, records in level.items():
        for child, field in children_of(files, parent):
            for one, parent_id in _references(files, child, field, records):
                add(child, one, records[parent_id])
    if LINK in new:
        for document, roots in _documents(files, found[LINK]).items():
            add(DOCUMENT, document, roots)
    return dict(new)


def children_of(files: Files, object_name: str) -> list[tuple[str, str]]:
    """Objects that are stored and have a cascading lookup to one, and the field."""
    stored = {name.lower(): name for name in files.names("records", folders=True)}
    described = _describe(files, object_name)
    found = []
    for entry in described.get("childRelationships") or ():
        child = stored.get(str(entry.get("childSObject") or "").lower())
        if child and entry.get("field") and entry.get("cascadeDelete") is True:
            found.append((child, str(entry["field"])))
    return list(dict.fromkeys(found))


def _describe(files: Files, object_name: str) -> Mapping[str, Any]:
    try:
        return dict(Snapshots(files).latest(object_name).describe(object_name))
    except (CallerError, KeyError):
        return {}


def _references(
    files: Files, child: str, field: str, parents: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Ids of children that refer to some parents in any version, and the parent."""
    rows = every_version(files, child)
    if not {field, ID} <= set(rows.columns.names):
        return
    wanted = text_array(sorted(parents))
    for batch in rows.batches([ID, field]):
        own = batch.filter(pc.is_in(batch.column(field), value_set=wanted))
        yield from zip(own.column(ID).to_pylist(), own.column(field).to_pylist(), strict=True)


def _documents(files: Files, links: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Documents all of whose links go, but for those to users; and the records they go with."""
    rows = every_version(files, LINK)
    fields = [ID, "ContentDocumentId", "LinkedEntityId"]
    if not set(fields) <= set(rows.columns.names):
        return {}
    going: dict[str, set[str]] = defaultdict(set)
    staying: set[str] = set()
    for batch in rows.batches(fields):
        columns = [batch.column(batch.schema.names.index(name)).to_pylist() for name in fields]
        for link, document, entity in zip(*columns, strict=True):
            if link in links:
                going[document] |= links[link]
            elif not str(entity).startswith(PERSON_PREFIX):
                staying.add(document)
    return {one: roots for one, roots in going.items() if one not in staying}

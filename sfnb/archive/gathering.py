"""
Reading trees: chosen records and all that goes with them, level by level, some roots at a time.

The same reading is done twice: first for the store, and right before the deletion to see whether
anything has changed or come along.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sfnb.archive.comparing import (
    STAMP,
    Values,
    compared_fields,
    core_fields,
    digest_of,
    plain_rows,
)
from sfnb.archive.describes import Describes
from sfnb.archive.relations import DOCUMENT, LINK, PERSON_PREFIX, SIZE_FIELDS, VERSION, Relation
from sfnb.archive.trees import Member, Trees
from sfnb.errors import JobError, ObjectError
from sfnb.model import ObjectSchema
from sfnb.org.arrow import arrow_schema
from sfnb.org.client import OrgClient
from sfnb.restore.present import IDS_PER_QUERY, PresentReader, slices
from sfnb.restore.rows_files import read_parquet
from sfnb.restore.wanted import Wanted
from sfnb.store.files import Files

ROOTS_AT_ONCE = IDS_PER_QUERY
MOST_LEVELS = 12
"""Deeper than Salesforce lets details be nested (3), with lookups that cascade on top."""


@dataclass
class Gatherer:
    """
    Reads trees. Rows go to Parquet files; what is kept in memory is Ids and digests.

    Args:
        only_ids: for a plan: nothing but Ids, parents and sizes of files is read.
        sees_all_files: otherwise something out of the user's sight may show a document, and none
            goes.

    Attributes:
        singly: relations of which the org takes one parent at a time.
    """

    client: OrgClient
    describes: Describes
    job_id: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    only_ids: bool = False
    sees_all_files: bool = True
    singly: set[Relation] = field(default_factory=set)

    def root_ids(self, schema: ObjectSchema, where: str, files: Files, folder: str) -> list[str]:
        """
        The Ids that a condition matches, in their order. Archived activities are among them.

        Cost: 1 API call for 2,000; above 10,000 a Bulk query.
        """
        condition = f"({where})" + (" AND IsDeleted = false" if schema.has("IsDeleted") else "")
        wanted = Wanted(_only(schema, ("Id",)), condition, f"{folder}/roots.parquet")
        self._read(files, folder, [wanted])
        return sorted(
            record_id
            for batch in read_parquet(files, [wanted.path])
            for record_id in batch.column("Id").to_pylist()
        )

    def gather(
        self,
        root_name: str,
        roots: Sequence[str],
        files: Files,
        folder: str,
        *,
        with_deleted: bool = False,
    ) -> Trees:
        """
        These roots, at most ``ROOTS_AT_ONCE``, with all that goes with them. What was read before
        the job paused is not read twice.

        Args:
            with_deleted: those in the recycle bin, too, and without the documents of files.

        Cost: 1 API call for five of the object's relations, again for each level that has records;
        more where there are more than 2,000 rows of one.

        Raises:
            JobError: something that would go with the records cannot be read.
        """
        trees = Trees(tuple(roots), with_deleted)
        self._by_ids(trees, root_name, roots, files, f"{folder}/0")
        for member in trees.members:
            trees.above.setdefault(member, set())
        level = {root_name: {i for i in roots if i in trees.members}}
        for depth in range(1, MOST_LEVELS):
            level = self._below(trees, level, files, f"{folder}/{depth}")
            if not level:
                break
        if not with_deleted:
            self._documents(trees, files, f"{folder}/files")
        return trees

    def emptied(
        self, going: Mapping[str, Iterable[str]], files: Files, folder: str
    ) -> Iterator[tuple[str, Relation, str]]:
        """
        What refers to records that go, and would lose that: the object of the records, the lookup,
        and the Id of each record that has it. What the org refuses to show is left out.

        Args:
            going: by object, Ids.

        Cost: 1 API call for five lookups to 400 records; more where they have over 2,000 rows.
        """
        asked = [
            (name, one, sorted(ids)) for name, ids in going.items() for one in self.emptied_by(name)
        ]
        schemas = self.describes.of({one.child for _, one, _ in asked})
        queries = {
            number: self._queries(one, ids, schemas, f"{folder}/{number}")
            for number, (_, one, ids) in enumerate(asked)
        }
        failed = self._try(files, folder, [q for some in queries.values() for q in some])
        for number, some in queries.items():
            name, one, _ = asked[number]
            for query in some:
                for row in _rows(files, query.path) if query.path not in failed else ():
                    if row.get("IsDeleted") is not True:
                        yield name, one, row["Id"]

    def emptied_by(self, name: str) -> list[Relation]:
        """See ``Describes.emptied_by``; without those of which the org takes one parent at a time."""
        found = self.describes.emptied_by(name)
        refused = self.describes.refused(one.child for one in found)
        return [one for one in found if one.child not in refused and one not in self.singly]

    # one level

    def _below(
        self, trees: Trees, level: Mapping[str, set[str]], files: Files, folder: str
    ) -> dict[str, set[str]]:
        """Read what goes with the records of one level; the new ones."""
        asked: list[tuple[Relation, list[str]]] = []
        for name in sorted(level):
            asked += [(one, sorted(level[name])) for one in self.describes.relations(name)]
        refused = self.describes.refused(one.child for one, _ in asked)
        schemas = self.describes.of(one.child for one, _ in asked if one.child not in refused)
        queries: dict[int, list[Wanted]] = {}
        failed: dict[str, str] = {}
        for number, (one, parents) in enumerate(asked):
            if one.child in refused:
                self._unread(trees, one, parents, refused[one.child])
            else:
                queries[number] = self._queries(one, parents, schemas, f"{folder}/{number}")
        failed |= self._try(files, folder, [q for some in queries.values() for q in some])
        for number in [n for n, some in queries.items() if any(q.path in failed for q in some)]:
            one, parents = asked[number]
            if one not in self.singly:
                # Vote and its like take no list of parents (Object Reference): one at a time.
                self.singly.add(one)
                queries[number] = self._queries(one, parents, schemas, f"{folder}/{number}-singly")
                failed |= self._try(files, folder, queries[number])
            if whys := [failed[q.path] for q in queries[number] if q.path in failed]:
                self._unread(trees, one, parents, whys[0])
                del queries[number]
        new: dict[str, set[str]] = {}
        for number, some in queries.items():
            one, schema = asked[number][0], schemas[asked[number][0].child]
            for query in some:
                for record_id, parent in self._note(trees, schema, query.path, files, one):
                    if record_id not in trees.above:
                        new.setdefault(one.child, set()).add(record_id)
                    trees.above.setdefault(record_id, set()).add(parent)
        return new

    def _queries(
        self, one: Relation, parents: Sequence[str], schemas: Mapping[str, ObjectSchema], path: str
    ) -> list[Wanted]:
        """The queries that read what goes with these parents by one relation."""
        columns = self._columns(schemas[one.child], one.field)
        if one in self.singly:
            conditions = [f"{one.field} = '{parent}'" for parent in parents]
        else:
            conditions = [
                f"{one.field} IN ({','.join(map(repr, some))})"
                for some in slices(parents, IDS_PER_QUERY)
            ]
        return [Wanted(columns, where, f"{path}-{n}.parquet") for n, where in enumerate(conditions)]

    def _unread(self, trees: Trees, one: Relation, parents: Iterable[str], why: str) -> None:
        """Nobody knows what would go with these records, so they stay."""
        message = f"{one.child} records that would go with it cannot be read: {why}"
        trees.unread |= dict.fromkeys(parents, message)

    def _by_ids(
        self, trees: Trees, name: str, ids: Iterable[str], files: Files, folder: str
    ) -> None:
        schema = self.describes.of([name])[name]
        wanted = [
            Wanted(
                self._columns(schema),
                f"Id IN ({','.join(map(repr, some))})",
                f"{folder}/{n}.parquet",
            )
            for n, some in enumerate(slices(sorted(ids), IDS_PER_QUERY))
        ]
        self._read(files, folder, wanted)
        for one in wanted:
            for _ in self._note(trees, schema, one.path, files, None):
                pass

    def _note(
        self,
        trees: Trees,
        schema: ObjectSchema,
        path: str,
        files: Files,
        by: Relation | None,
        *,
        only: Container[str] | None = None,
    ) -> Iterator[tuple[str, str]]:
        """Note the living records of a file, those of some parents or all; each with its parent."""
        name, is_any = schema.name, False
        for batch in read_parquet(files, [path]):
            fields = compared_fields(schema, batch.schema.names)
            core = core_fields(fields)
            for row in plain_rows(batch):
                is_deleted = row.get("IsDeleted") is True
                if is_deleted and not trees.with_deleted:
                    continue
                if by is not None and only is not None and row[by.field] not in only:
                    continue
                is_any, record_id = True, row["Id"]
                if record_id not in trees.members:
                    size = row.get(SIZE_FIELDS.get(name, ""))
                    trees.members[record_id] = Member(
                        name,
                        record_id,
                        digest_of(row, fields),
                        digest_of(row, core),
                        bytes=int(size or 0),
                        is_deleted=is_deleted,
                        stamp_us=row.get(STAMP) or 0,
                    )
                if by is not None:
                    trees.members[record_id].is_first |= by.is_restricting
                    yield record_id, row[by.field]
                else:
                    yield record_id, ""
        if is_any:
            trees.paths.setdefault(name, []).append(path)

    # files

    def _documents(self, trees: Trees, files: Files, folder: str) -> None:
        """
        The documents that are linked to one tree and to people alone: they go with it. Others stay
        in the org, where something else shows them.
        """
        links = [m.id for m in trees.members.values() if m.object_name == LINK]
        if not links or not self.sees_all_files:
            return
        documents = {
            row["ContentDocumentId"]
            for path in trees.paths[LINK]
            for row in _rows(files, path)
            if row["Id"] in trees.members
        }
        schemas = self.describes.of((LINK, DOCUMENT, VERSION))
        others: dict[str, set[str]] = {}
        paths = self._referring(
            schemas[LINK], "ContentDocumentId", documents, files, f"{folder}-links"
        )
        for path in paths:
            for row in _rows(files, path):
                if row.get("IsDeleted") is not True:
                    others.setdefault(row["ContentDocumentId"], set()).add(row["LinkedEntityId"])
        tree_of = trees.roots_of()
        alone = {}
        for document, entities in others.items():
            records = {e for e in entities if not e.startswith(PERSON_PREFIX)}
            roots = [tree_of.get(record, set()) for record in records]
            if roots and set.intersection(*roots):
                alone[document] = records
        if not alone:
            return
        self._by_ids(trees, DOCUMENT, alone, files, f"{folder}-documents")
        going = {d: records for d, records in alone.items() if d in trees.members}
        for document, records in going.items():
            trees.above[document] = set(records)
        versions = self._referring(
            schemas[VERSION], "ContentDocumentId", going, files, f"{folder}-versions"
        )
        for schema, some in ((schemas[VERSION], versions), (schemas[LINK], paths)):
            by = Relation(schema.name, "ContentDocumentId")
            for path in some:
                for record_id, document in self._note(trees, schema, path, files, by, only=going):
                    trees.above.setdefault(record_id, set()).add(document)

    def _referring(
        self, schema: ObjectSchema, name: str, ids: Iterable[str], files: Files, folder: str
    ) -> list[str]:
        wanted = [
            Wanted(
                self._columns(schema, name),
                f"{name} IN ({','.join(map(repr, some))})",
                f"{folder}/{n}.parquet",
            )
            for n, some in enumerate(slices(sorted(ids), IDS_PER_QUERY))
        ]
        self._read(files, folder, wanted)
        return [one.path for one in wanted]

    # asking

    def _columns(self, schema: ObjectSchema, *needed: str) -> ObjectSchema:
        if not self.only_ids:
            return schema
        links = ("ContentDocumentId", "LinkedEntityId") if schema.name == LINK else ()
        return _only(schema, ("Id", "IsDeleted", SIZE_FIELDS.get(schema.name, ""), *links, *needed))

    def _read(self, files: Files, folder: str, wanted: Sequence[Wanted]) -> None:
        failed = self._try(files, folder, wanted)
        for one in wanted:
            if one.path in failed:
                raise JobError(
                    f"nothing is archived: {one.name} cannot be read: {failed[one.path]}"
                )

    def _try(self, files: Files, folder: str, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Read rows into their files; by path of those that the org refuses, why."""
        reader = PresentReader(self.client, files, folder, self.job_id, self.stop)
        found = reader.read(_readable(wanted))
        return {path: str(err) for path, err in found.items() if isinstance(err, ObjectError)}


def _readable(wanted: Sequence[Wanted]) -> list[Wanted]:
    """Compounds are read by their parts, and bodies apart from their records."""
    return [
        replace(one, schema=_only(one.schema, arrow_schema(one.schema).names)) for one in wanted
    ]


def _only(schema: ObjectSchema, names: Iterable[str]) -> ObjectSchema:
    kept = set(names)
    return ObjectSchema(schema.name, tuple(f for f in schema.fields if f.name in kept), schema.raw)


def _rows(files: Files, path: str) -> Iterator[dict[str, Any]]:
    for batch in read_parquet(files, [path]):
        yield from plain_rows(batch)


def rows_by_id(files: Files, paths: Iterable[str], ids: set[str]) -> dict[str, Values]:
    """The rows of these records as they were read."""
    return {row["Id"]: row for path in paths for row in _rows(files, path) if row["Id"] in ids}

"""
The target's records that stand for the snapshot's: asked of the target, matched by ``matching``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sfnb.errors import CallerError, ObjectError
from sfnb.model import FieldInfo, ObjectSchema
from sfnb.org.arrow import query_page
from sfnb.restore.choice import holder_of
from sfnb.restore.describes import WriteObject
from sfnb.restore.matching import (
    STANDARD_KEYS,
    Matches,
    key_by,
    match_record_types,
    match_rows,
    sandbox_users,
)
from sfnb.restore.present import PresentReader
from sfnb.restore.rows_files import read_parquet
from sfnb.restore.standard.rules import rule_of
from sfnb.restore.wanted import Wanted, with_fields
from sfnb.store.snapshots import Snapshot

Known = tuple[WriteObject, WriteObject, ObjectSchema, str]
"""An object's describes in the source and in the target, its schema there, and a folder for answers."""

TYPES = {"IsActive": "boolean", "IsStandard": "boolean"}


@dataclass
class Counterparts:
    """
    Who stands for whom.

    Attributes:
        earlier: what earlier restores of this source have made in this target; whether it is still
            there is not known.
        matches: of another org, what was found there.
    """

    earlier: Mapping[str, str] = field(default_factory=dict)
    matches: Matches = field(default_factory=Matches)
    _done: set[str] = field(default_factory=set)

    def match_types(self, source: WriteObject, target: WriteObject) -> None:
        """Record types, by developer name. Cost: none, describes name them."""
        match_record_types(source, target, self.matches)

    def match_setup(self, reader: PresentReader, snapshot: Snapshot) -> None:
        """
        Users by user name, groups and queues by type and developer name, the standard price book.

        Cost: 1 API call; in an org of more than 10,000 users a Bulk query.
        """
        held = {n: has for n in STANDARD_KEYS if (has := holder_of(snapshot, n)) is not None}
        wanted: list[Wanted] = []
        for name, holder in held.items():
            columns = set(holder.columns(name).names)
            fields = [f for f in STANDARD_KEYS[name] if f in columns]
            schema = ObjectSchema(
                name,
                tuple(
                    FieldInfo(f, TYPES.get(f, "string"))
                    for f in ("Id", *fields, *(["IsActive"] if name == "User" else []))
                ),
            )
            wanted.append(Wanted(schema, "", f"{reader.folder}/{name}-keys.parquet", is_all=False))
        found = reader.read(wanted)
        for one in wanted:
            if isinstance(found[one.path], ObjectError):
                continue  # its records have no counterpart, which the plan names record by record
            key = STANDARD_KEYS[one.name]
            old = list(_rows(held[one.name].rows(one.name).batches(["Id", *key])))
            new = [
                row
                for row in _rows(read_parquet(reader.files, [one.path]))
                if row.get("IsActive") is not False or one.name != "User"
            ]
            match_rows(self.matches, old, new, key_by(key))
            if one.name == "User":
                sandbox_users(old, new, self.matches)

    def match_keys(
        self, reader: PresentReader, snapshot: Snapshot, objects: Sequence[Known]
    ) -> None:
        """
        Records by unique external ids, then those of standard objects that are there once by what
        they connect; and what earlier restores have made, where it is still there.

        Cost: 1 API call for five objects of up to 2,000 records; a Bulk query for each larger one.
        Nothing for objects without a key.
        """
        objects = [known for known in objects if known[1].name not in self._done]
        self._done |= {known[1].name for known in objects}
        unique: list[tuple[Known, list[str], Wanted]] = []
        for known in objects:
            _, target, schema, folder = known
            columns = set(snapshot.columns(target.name).names)
            keys = [key.name for key in target.unique_keys if key.name in columns]
            natural = [
                f for f in rule_of(target.name).natural_key if f in columns and schema.has(f)
            ]
            if not keys and not natural and not self._made_of(target):
                continue
            only = with_fields(schema, ["Id", *keys, *natural])
            path = f"{folder}/{target.name}-keys.parquet"
            unique.append((known, keys, Wanted(only, "", path, is_all=False)))
        found = reader.read([wanted for *_, wanted in unique])
        readable = [u for u in unique if not isinstance(found[u[2].path], ObjectError)]
        for (_, target, *_), keys, wanted in readable:
            self._still_there(reader, target, wanted)
            for key in keys:
                match_rows(
                    self.matches,
                    _rows(snapshot.rows(target.name).batches(["Id", key])),
                    _rows(read_parquet(reader.files, [wanted.path])),
                    key_by((key,), is_exact=target.fields[key].is_case_sensitive),
                )
        for (_, target, *_), _, wanted in readable:
            self._match_natural(reader, snapshot, target, wanted)

    def _made_of(self, target: WriteObject) -> set[str]:
        return {o for o in self.earlier if o.startswith(target.prefix)} if target.prefix else set()

    def _still_there(self, reader: PresentReader, target: WriteObject, wanted: Wanted) -> None:
        made = self._made_of(target)
        if made:
            alive = {row["Id"] for row in _rows(read_parquet(reader.files, [wanted.path]))}
            for old_id in made:
                if self.earlier[old_id] in alive:
                    self.matches.add(old_id, self.earlier[old_id])

    def _match_natural(
        self, reader: PresentReader, snapshot: Snapshot, target: WriteObject, wanted: Wanted
    ) -> None:
        """By what a record connects, where the org allows one of each; its parents are matched."""
        names = {f.name for f in wanted.schema.fields}
        fields = [f for f in rule_of(target.name).natural_key if f in names]
        if not fields:
            return
        pairs = self.matches.pairs

        def key_of(row: Mapping[str, Any], *, is_old: bool) -> tuple[Any, ...] | None:
            values = [row.get(name) for name in fields]
            if not any(values):
                return None
            if is_old:
                values = [
                    pairs.get(str(v), None) if v and target.fields[n].is_reference else v
                    for n, v in zip(fields, values, strict=True)
                ]
            # A record with a parent that is not there has no counterpart either.
            old = [row.get(name) for name in fields]
            if any(o and not v for o, v in zip(old, values, strict=True)):
                return None
            return tuple(values)

        match_rows(
            self.matches,
            _marked(_rows(snapshot.rows(target.name).batches(["Id", *fields]))),
            _rows(read_parquet(reader.files, [wanted.path])),
            lambda row: key_of(row, is_old="old" in row),
        )


def find_owner(reader: PresentReader, username: str) -> str:
    """
    The Id of the user who is to own what has no owner. Cost: 1 API call.

    Raises:
        CallerError: the org has no such active user.
    """
    quoted = username.replace("\\", "\\\\").replace("'", "\\'")
    soql = f"SELECT Id, IsActive FROM User WHERE Username = '{quoted}'"  # noqa: S608 - quoted
    (body,) = reader.query([("User", soql, False)])
    if isinstance(body, ObjectError):
        raise body
    columns = pa.schema([("Id", pa.string()), ("IsActive", pa.bool_())])
    rows = query_page(body, columns).batch.to_pylist()
    if len(rows) != 1 or rows[0]["IsActive"] is False:
        raise CallerError(f"the org has no active user {username}; name another with --owner.")
    return str(rows[0]["Id"])


def _rows(batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


def _marked(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield row | {"old": True}

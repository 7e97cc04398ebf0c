"""Records of a random schema, made by API; damage to them; and the truth about them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfnb_demo.data.schema import COMPOUND_TYPES, ObjectDef
from sfnb_demo.server.server import DemoServer
from sfnb_demo.soql.names import quote
from tests.conftest import RunningOrg
from tests.restore_campaign.schemas import Object, random_value

V = "/services/data/v66.0"
Row = dict[str, Any]
Key = tuple[str, str]
"""Object and Id."""
_DERIVED = {"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"}


# --- making ---------------------------------------------------------------------------------------


def make_records(org: RunningOrg, objects: Sequence[Object], chance: random.Random) -> None:
    """Five to forty records of each object, with circles where the schema allows them."""
    known: dict[str, list[str]] = defaultdict(list)
    known["Account"] = [r["Id"] for r in _query(org, "SELECT Id FROM Account LIMIT 9")]
    for one in objects:
        for _ in range(chance.randint(1, 3)):
            rows = [_new(one, n, known, chance) for n in range(chance.randint(3, 14))]
            made = save(org, "POST", one.name, [row for row in rows if row is not None])
            known[one.name] += [r["id"] for r in made]
    for one in objects:
        changes = [_circle(one, i, known, chance) for i in known[one.name]]
        save(org, "PATCH", one.name, [row for row in changes if len(row) > 1])


def save(org: RunningOrg, method: str, name: str, rows: list[Row]) -> list[Row]:
    """Write records by collections; all must be taken."""
    done: list[Row] = []
    for start in range(0, len(rows), 200):
        some = [{"attributes": {"type": name}, **row} for row in rows[start : start + 200]]
        answer = org.send(method, f"{V}/composite/sobjects", json={"records": some})
        assert answer.ok, answer.text
        done += answer.json()
    assert all(r["success"] for r in done), [r for r in done if not r["success"]][:3]
    return done


def _query(org: RunningOrg, soql: str) -> list[Row]:
    return list(org.get(f"{V}/query", params={"q": soql}).json()["records"])


def _new(
    one: Object, number: int, known: dict[str, list[str]], chance: random.Random
) -> Row | None:
    row: Row = {"Name": f"{one.name[:3]} {chance.randint(0, 5)}"}
    row |= {name: random_value(chance, name) for name in one.plain}
    if one.has_key and chance.random() < 0.9:
        row["Key__c"] = f"k{len(known[one.name])}-{number}-{chance.randint(0, 10**9)}"
    for ref in one.references:
        parents = [i for target in ref.targets for i in known[target]]
        if parents and (ref.is_mandatory or chance.random() < 0.7):
            row[ref.name] = chance.choice(parents)
        elif ref.is_mandatory:
            return None
    return row


def _circle(one: Object, record_id: str, known: dict[str, list[str]], chance: random.Random) -> Row:
    """Point some lookups anywhere, also back, and to the record itself."""
    row: Row = {"Id": record_id}
    for ref in one.references:
        parents = [i for target in ref.targets for i in known[target]]
        if ref.kind == "clear" and parents and chance.random() < 0.5:
            row[ref.name] = chance.choice(parents)
    return row


# --- damage ---------------------------------------------------------------------------------------


def damage(org: RunningOrg, names: Sequence[str], chance: random.Random) -> list[str]:
    """What people and apps do to records between a backup and a restore; what was done, in words."""
    done: list[str] = []
    for _ in range(chance.randint(2, 6)):
        name = chance.choice(names)
        do = chance.choice(("delete", "delete", "hard_delete", "change", "change", "undelete"))
        rows = chance.randint(1, 8)
        result = org.control("rows", {"do": do, "object": name, "rows": rows})
        count = sum(int(one["rows"]) for one in result.get("done", [result]))
        done.append(f"{do} {count} {name}")
        org.control("clock", {"advance_minutes": 1})
    if chance.random() < 0.3:
        name = chance.choice(names)
        org.control("rows", {"do": "purge", "object": name})
        done.append(f"purge {name}")
    return done


# --- the truth ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """Living rows as the demo org holds them: by object and Id, their restorable values."""

    rows: dict[Key, Row]
    references: dict[str, frozenset[str]]
    updateable: dict[str, frozenset[str]]

    def of(self, name: str) -> dict[str, Row]:
        return {i: row for (obj, i), row in self.rows.items() if obj == name}


def read_truth(server: DemoServer, names: Iterable[str]) -> Truth:
    """Straight from the demo org's tables."""
    database = server.org.database
    rows: dict[Key, Row] = {}
    references: dict[str, frozenset[str]] = {}
    updateable: dict[str, frozenset[str]] = {}
    for name in names:
        obj = database.catalog.objects[name]
        fields = restorable(obj)
        columns = ", ".join(quote(f) for f in ["Id", *fields])
        alive = ' WHERE NOT "IsDeleted"' if obj.has("IsDeleted") else ""
        sql = f"SELECT {columns} FROM {quote(name)}{alive}"
        for row in database.storage.arrow(sql).to_pylist():
            rows[name, row.pop("Id")] = row
        references[name] = frozenset(f.name for f in obj.stored if f.type == "reference")
        updateable[name] = frozenset(f.name for f in obj.stored if f.is_updateable)
    return Truth(rows, references, updateable)


def gone_parents(server: DemoServer, before: Truth) -> dict[tuple[str, str], set[str]]:
    """
    By object and field, Ids that records refer to, whose own records nobody has backed up and the org
    no longer has: no restore can bring those references back.
    """
    kept = {i for _, i in before.rows}
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (name, _), row in before.rows.items():
        for field in before.references[name]:
            if (value := row.get(field)) and value not in kept and not _is_alive(server, value):
                found[name, field].add(value)
    return found


def _is_alive(server: DemoServer, record_id: str) -> bool:
    database = server.org.database
    for obj in database.catalog.by_prefix(record_id):
        if obj.is_queryable:
            alive = ' AND NOT "IsDeleted"' if obj.has("IsDeleted") else ""
            sql = f'SELECT 1 FROM {quote(obj.name)} WHERE "Id" = ?{alive}'
            if database.storage.rows(sql, [record_id]):
                return True
    return False


def restorable(obj: ObjectDef) -> list[str]:
    """The fields that can be written at all, of those that have a column."""
    return [
        f.name
        for f in obj.stored
        if (f.is_createable or f.is_updateable)
        and not f.is_calculated
        and f.type not in COMPOUND_TYPES
        and f.name not in _DERIVED
    ]


@dataclass(frozen=True)
class Difference:
    lost: list[str]
    doubled: list[str]
    changed: list[str]


def compare(
    before: Truth,
    after: Truth,
    new_ids: Mapping[str, str | None],
    *,
    refused: Collection[Key] = (),
    ignored: Collection[Key] = (),
) -> Difference:
    """
    Each record of ``before`` must be there once, with its values, except those that are ``refused``;
    nothing else may be there but what is ``ignored``. An Id whose new one is None is left empty.
    """
    lost, changed = [], []
    seen: dict[Key, Key] = {}
    for (name, old), wanted in before.rows.items():
        new = new_ids.get(old, old) or old
        row = after.rows.get((name, new))
        if row is None:
            if (name, old) not in refused:
                lost.append(f"{name} {old} (as {new})")
            continue
        seen[name, new] = name, old
        for field, value in wanted.items():
            if new == old and field not in before.updateable[name]:
                continue  # what cannot be updated is restored in a new record only
            expected = new_ids.get(value, value) if field in before.references[name] else value
            if row[field] != expected and (name, old) not in refused:
                changed.append(f"{name} {old} {field}: {row[field]!r}, was {expected!r}")
    objects = {name for name, _ in before.rows}
    doubled = [
        f"{name} {i}"
        for name, i in after.rows
        if name in objects and (name, i) not in seen and (name, i) not in ignored
    ]
    return Difference(lost, doubled, changed)

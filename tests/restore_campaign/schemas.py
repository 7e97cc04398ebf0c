"""A random schema: objects that refer to each other in every way that an admin can set up."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

NAMES = ("Alpha__c", "Beta__c", "Gamma__c", "Delta__c", "Epsilon__c", "Zeta__c")
PLAIN: dict[str, dict[str, Any]] = {
    "Text__c": {"type": "string"},
    "Long__c": {"type": "textarea"},
    "Choice__c": {"type": "picklist", "values": ["One", "Two", "Three, four"]},
    "Many__c": {"type": "multipicklist", "values": ["a", "b", "c d"]},
    "Flag__c": {"type": "boolean"},
    "Amount__c": {"type": "double"},
    "Money__c": {"type": "currency"},
    "Day__c": {"type": "date"},
    "Moment__c": {"type": "datetime"},
    "Clock__c": {"type": "time"},
    "Mail__c": {"type": "email"},
}
TEXTS = (
    "plain", "#N/A", 'quoted "twice"', "line\nbreak", "CR\r\nLF", "comma, semicolon;", "'apostrophe'",
    "日本語", "tab\there", " leading", "trailing ", "=1+1", "NULL", "true", "00012", "\\N", "😀", "x" * 200,
)  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """One lookup of an object: ``kind`` is detail, required, cascade, clear, fixed (not updateable)."""

    name: str
    targets: tuple[str, ...]
    kind: str

    @property
    def is_mandatory(self) -> bool:
        return self.kind in ("detail", "required")

    @property
    def is_updateable(self) -> bool:
        return self.kind not in ("detail", "fixed")

    def entry(self, owner: str) -> dict[str, Any]:
        """As ``/control/schema`` takes it."""
        flags = {
            "detail": {"is_detail": True},
            "required": {"is_required": True},
            "cascade": {"on_delete": "cascade"},
            "clear": {},
            "fixed": {"is_updateable": False},
        }[self.kind]
        field = {"field": self.name, "type": "reference", "refs": list(self.targets), **flags}
        return {"do": "add_field", "object": owner, **field}


@dataclass
class Object:
    name: str
    plain: list[str] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    has_key: bool = False


def random_schema(chance: random.Random) -> list[Object]:
    """Objects in an order in which each mandatory parent stands before its children."""
    objects = [Object(name) for name in NAMES[: chance.randint(2, len(NAMES))]]
    for place, one in enumerate(objects):
        one.plain = chance.sample(list(PLAIN), chance.randint(2, 5))
        one.has_key = chance.random() < 0.5
        earlier = [o.name for o in objects[:place]]
        later = [o.name for o in objects[place:]]
        if earlier and chance.random() < 0.4:
            one.references.append(Reference("Master__c", (chance.choice(earlier),), "detail"))
        if earlier and chance.random() < 0.4:
            some = chance.sample(earlier, min(len(earlier), chance.choice((1, 1, 2))))
            one.references.append(Reference("Needed__c", tuple(some), "required"))
        if chance.random() < 0.5:
            kind = chance.choice(("clear", "fixed"))
            one.references.append(Reference("Parent__c", (one.name,), kind))
        if chance.random() < 0.6:
            one.references.append(Reference("Friend__c", (chance.choice(later),), "clear"))
        if earlier and chance.random() < 0.3:
            one.references.append(Reference("Pulled__c", (chance.choice(earlier),), "cascade"))
        if chance.random() < 0.4:
            targets = chance.sample([o.name for o in objects], min(len(objects), 3))
            if chance.random() < 0.5:
                targets.append("Account")
            one.references.append(Reference("Any__c", tuple(targets), "clear"))
        if chance.random() < 0.3:
            one.references.append(Reference("Account__c", ("Account",), "clear"))
    return objects


def entries(objects: list[Object]) -> list[dict[str, Any]]:
    """What to post to ``/control/schema``."""
    made: list[dict[str, Any]] = []
    for one in objects:
        fields = [{"field": name, **PLAIN[name]} for name in one.plain]
        if one.has_key:
            key = {"type": "string", "length": 40, "is_unique": True, "is_external_id": True}
            fields.append({"field": "Key__c", **key})
        made.append({"do": "add_object", "object": one.name, "fields": fields})
    made += [ref.entry(one.name) for one in objects for ref in one.references]
    return made


def random_value(chance: random.Random, field_name: str) -> Any:
    """A value for one of ``PLAIN``, as REST takes it; sometimes none."""
    kind = PLAIN[field_name]["type"]
    if kind == "boolean":
        return chance.random() < 0.5
    if chance.random() < 0.2:
        return None
    if kind in ("string", "textarea"):
        return chance.choice(TEXTS)
    if kind == "picklist":
        return chance.choice(PLAIN[field_name]["values"])
    if kind == "multipicklist":
        some = chance.sample(PLAIN[field_name]["values"], chance.randint(1, 3))
        return ";".join(sorted(some))
    return {
        "double": lambda: chance.choice((0, -1.5, 1e-7, 123456789.123456, 9007199254740993, 0.1)),
        "currency": lambda: round(chance.uniform(-1e6, 1e6), 2),
        "date": lambda: chance.choice(("1900-01-01", "2026-03-29", "2024-02-29", "4000-12-31")),
        "datetime": lambda: chance.choice(("2026-03-29T01:30:00Z", "1999-12-31T23:59:59Z")),
        "time": lambda: "05:12:03.000Z",
        "email": lambda: f"a{chance.randint(0, 9)}@example.com",
    }[kind]()

"""
A parsed SOQL statement as frozen values. ``at`` is always the offset in the text, for error frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Path:
    """``Account.Owner.Name``."""

    names: tuple[str, ...]
    at: int = 0

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Call:
    """``COUNT(Id)``, ``FIELDS(ALL)``, ``CALENDAR_YEAR(CreatedDate)``; ``name`` in upper case."""

    name: str
    argument: Path | Call | None
    at: int = 0

    def __str__(self) -> str:
        return f"{self.name}({self.argument or ''})"


Operand = Path | Call


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the SELECT list."""

    what: Path | Call | Query | None
    alias: str | None = None
    at: int = 0

    @property
    def is_typeof(self) -> bool:
        return self.what is None


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word as a value: ``TODAY``, ``LAST_N_DAYS:30``, a currency literal, a mistake."""

    name: str
    count: int | None = None
    at: int = 0


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: Ids, ints and doubles are each read differently."""

    text: str


Value = str | bool | None | date | datetime | Number | Word


@dataclass(frozen=True, slots=True)
class Condition:
    """``operand op value``; for the set operators ``value`` is a tuple or a query."""

    operand: Operand
    op: Literal["=", "!=", "<", "<=", ">", ">=", "LIKE", "IN", "NOT IN", "INCLUDES", "EXCLUDES"]
    value: Value | tuple[Value, ...] | Query


@dataclass(frozen=True, slots=True)
class Junction:
    """Several expressions with ``AND`` or ``OR`` between them."""

    op: Literal["AND", "OR"]
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    part: Expression


Expression = Condition | Junction | Negation


@dataclass(frozen=True, slots=True)
class Ordering:
    operand: Operand
    is_descending: bool = False
    has_nulls_first: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """One statement or subquery; ``text`` is the whole statement it stands in."""

    items: tuple[Item, ...]
    object: str
    text: str
    alias: str | None = None
    where: Expression | None = None
    group_by: tuple[Operand, ...] = ()
    having: Expression | None = None
    order_by: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int | None = None
    is_all_rows: bool = False
    object_at: int = 0

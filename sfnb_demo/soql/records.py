"""Turns columns into Salesforce's JSON records."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sfnb_demo.soql.plan import Children, Compound, Leaf, Node

Record = dict[str, Any]
Columns = Sequence[Sequence[Any]]
FetchChildren = Callable[[Children, list[str]], dict[str, Record]]
"""From a subquery and the parents' Ids to the result of each parent that has rows."""


def build(
    node: Node, columns: Columns, size: int, *, path: str, fetch: FetchChildren
) -> list[Record | None]:
    """
    The records of one node, one per row; None where a parent is not there.

    Args:
        path: begins the addresses in ``attributes``, ``/services/data/v66.0``.
        fetch: reads the rows of subqueries, once per call.
    """
    ids: Sequence[Any] = columns[node.id] if node.id >= 0 else [None] * size
    keys = ["attributes", *node.entries]
    values: list[Sequence[Any]] = [_attributes(node, ids, columns, size, path)]
    for entry in node.entries.values():
        match entry:
            case Leaf():
                values.append(_leaf(entry, columns))
            case Compound():
                values.append(_compound(entry, columns, size))
            case Node():
                values.append(build(entry, columns, size, path=path, fetch=fetch))
            case Children():
                found = fetch(entry, [i for i in ids if i is not None])
                values.append([found.get(i) for i in ids])
    if node.id < 0:
        return [dict(zip(keys, row, strict=True)) for row in zip(*values, strict=True)]
    return [
        None if i is None else dict(zip(keys, row, strict=True))
        for i, row in zip(ids, zip(*values, strict=True), strict=True)
    ]


def _leaf(entry: Leaf, columns: Columns) -> Sequence[Any]:
    column = columns[entry.column]
    if not entry.is_json:
        return column
    return [None if text is None else json.loads(text) for text in column]


def _attributes(
    node: Node, ids: Sequence[Any], columns: Columns, size: int, path: str
) -> list[Record]:
    if node.id < 0:
        return [{"type": "AggregateResult"} for _ in range(size)]
    types = columns[node.type] if node.type is not None else [node.name] * size
    return [
        {"type": node.name, "url": f"{path}/sobjects/{t}/{i}"}
        for t, i in zip(types, ids, strict=True)
    ]


def _compound(entry: Compound, columns: Columns, size: int) -> list[Record | None]:
    keys = [key for key, _ in entry.parts]
    parts = [columns[c] if c >= 0 else [None] * size for _, c in entry.parts]
    return [
        None if all(v is None for v in row) else dict(zip(keys, row, strict=True))
        for row in zip(*parts, strict=True)
    ]

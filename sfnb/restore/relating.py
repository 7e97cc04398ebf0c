"""
What the planned records refer to: is it there, will it be there, in which order, or not at all.

Works on the tables of ``workspace``; the order itself is decided in ``order``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sfnb.restore.order import Edges, order
from sfnb.restore.workspace import Workspace

CASE_PREFIX = "500"
MADE_WITH_EMAIL = "made_with_email"
"""Why a task is found instead of made; its ``parent`` is the e-mail."""


def unknown_parents(workspace: Workspace) -> list[tuple[str, str, str]]:
    """
    Ids that planned records refer to and that no planned record has, not asked for yet; each with an
    object and a field that refer to it.
    """
    return [
        (parent, name, field)
        for parent, name, field in workspace.all(
            # The field is that of the least object: so SQLite takes a column beside min().
            "select l.parent, min(c.object), l.field from links l join rows c using (old_id) "
            "left join rows p on p.old_id = l.parent left join standing s on s.id = l.parent "
            "where p.old_id is null and s.id is null "
            "and c.action in ('create', 'undelete', 'update') group by 1 order by 1"
        )
    ]


def give_owner(workspace: Workspace, owner_id: str) -> None:
    """Records whose owner is not there, or no longer active, get this one."""
    workspace.make(
        "orphans",
        "select l.old_id from links l join standing s "
        "on s.id = l.parent where l.field = 'OwnerId' and not s.is_usable",
    )
    workspace.run("insert into given select old_id, 'OwnerId', ? from orphans", [owner_id])
    workspace.run(
        "delete from links where field = 'OwnerId' and old_id in (select old_id from orphans)"
    )


def settle_missing(workspace: Workspace) -> None:
    """
    Give up references to what is not there and is not restored, and records that cannot be without
    them; again, until nothing changes.
    """
    while True:
        missing = (
            "select l.old_id, l.field, l.kind from links l join rows c using (old_id) "
            "left join rows p on p.old_id = l.parent left join standing s on s.id = l.parent "
            "where c.action in ('create', 'undelete', 'update') "
            "and not exists (select 1 from left_out o where o.old_id = l.old_id and o.field = l.field) "
            "and (p.action = 'refuse' and p.target_id = '' or p.action = 'skip' and p.target_id = '' "
            "or (p.old_id is null and s.is_usable = false))"
        )
        workspace.make("missing", missing)
        if not workspace.one("select count(*) from missing"):
            return
        workspace.run(
            "insert into left_out select old_id, field, false from missing where kind <> 'required'"
        )
        # A record in the bin comes back with what it had: nothing has to be sent for that.
        workspace.run(
            "insert into left_out select m.old_id, m.field, false from missing m join rows r "
            "using (old_id) where m.kind = 'required' and r.action = 'undelete'"
        )
        workspace.run(
            "update rows set action = 'refuse', reason = 'parent_missing', field = m.field "
            "from (select old_id, min(field) as field from missing where kind = 'required' "
            "group by old_id) m where rows.old_id = m.old_id and rows.action <> 'undelete'"
        )


def skip_emptied(workspace: Workspace) -> None:
    """Changes of which nothing is left, since what they refer to is not there, are not sent."""
    touched = (
        "select * from rows where action = 'update' "
        "and old_id in (select old_id from left_out where not is_later)"
    )
    empty = [(row.old_id,) for row in workspace.planned(touched) if not row.values]
    workspace.make_empty("empty", "old_id text")
    workspace.insert("empty", ("old_id",), empty)
    workspace.run(
        "update rows set action = 'skip', reason = 'parent_missing' "
        "where old_id in (select old_id from empty)"
    )


def tasks_after_emails(workspace: Workspace) -> None:
    """
    The org makes the task of an e-mail that is not on a case, and takes none for it (object reference,
    EmailMessage, ActivityId): such tasks come after their e-mails, and are found instead of made.
    """
    workspace.make(
        "emails",
        "select r.old_id, l.parent as task from rows r "
        "join links l on l.old_id = r.old_id and l.field = 'ActivityId' "
        "left join links p on p.old_id = r.old_id and p.field = 'ParentId' "
        "where r.object = 'EmailMessage' and r.action = 'create' "
        f"and coalesce(substr(p.parent, 1, 3), '') <> '{CASE_PREFIX}'",
        index="old_id",
    )
    of_emails = "old_id in (select old_id from emails)"
    workspace.run(f"delete from links where field = 'ActivityId' and {of_emails}")
    # Without a value: the field is not sent.
    workspace.run("insert into given (old_id, field) select old_id, 'ActivityId' from emails")
    workspace.run(
        f"update rows set reason = '{MADE_WITH_EMAIL}', parent = e.old_id from emails e "
        "where rows.old_id = e.task and rows.action = 'create'"
    )
    workspace.run(
        "insert into links (old_id, field, parent, kind) select r.old_id, '', r.parent, 'required' "
        f"from rows r where r.reason = '{MADE_WITH_EMAIL}'"
    )


def standard_prices_first(workspace: Workspace, pricebooks: Sequence[str]) -> None:
    """
    A price waits for the standard price of its product (STANDARD_PRICE_NOT_DEFINED; object reference,
    PricebookEntry), as a child does for its parent.

    Args:
        pricebooks: Ids in the snapshot of the standard price book.
    """
    workspace.make_empty("standard_pricebooks", "id text")
    workspace.insert("standard_pricebooks", ("id",), [(book,) for book in pricebooks])
    prices = (
        "select r.old_id, o.parent as product, f.value as currency, "
        "b.parent in (select id from standard_pricebooks) as is_standard from rows r "
        "join links o on o.old_id = r.old_id and o.field = 'Product2Id' "
        "join links b on b.old_id = r.old_id and b.field = 'Pricebook2Id' "
        "left join facts f on f.old_id = r.old_id and f.field = 'CurrencyIsoCode' "
        "where r.object = 'PricebookEntry' and r.action = 'create'"
    )
    workspace.run(
        "insert into links (old_id, field, parent, kind) "
        f"select c.old_id, 'Product2Id', p.old_id, 'required' from ({prices}) c join ({prices}) p "
        "on c.product = p.product and c.currency is p.currency "
        "where p.is_standard and not c.is_standard"
    )


@dataclass(frozen=True)
class Placed:
    """Where new records go: the number of levels, and what the order has refused."""

    levels: int
    circles: int


def place_creates(workspace: Workspace) -> Placed:
    """
    Give each record that is made its level, in a table ``placed (old_id, level)``. Objects that do not
    refer to each other in a circle have one level each; within a circle of objects levels are of rows.
    """
    workspace.make(
        "edges",
        "select l.old_id as child, l.parent, l.field, l.kind, "
        "c.object as child_object, p.object as parent_object "
        "from links l join rows c on c.old_id = l.old_id join rows p on p.old_id = l.parent "
        "where c.action = 'create' and p.action = 'create' and not exists "
        "(select 1 from left_out o where o.old_id = l.old_id and o.field = l.field)",
    )
    objects = [
        r[0]
        for r in workspace.all(
            "select distinct object from rows where action = 'create' order by 1"
        )
    ]
    pairs = workspace.all("select distinct child_object, parent_object from edges")
    groups = object_groups(objects, [(c, p) for c, p in pairs])
    workspace.make_empty("placed", "old_id text primary key, level integer")
    level = circles = 0
    for group in groups:
        names = ", ".join(f"'{name}'" for name in group)
        is_circle = len(group) > 1 or any(c == p == group[0] for c, p in pairs)
        if not is_circle:
            workspace.run(
                f"insert into placed select old_id, {level} from rows "
                f"where action = 'create' and object in ({names})"
            )
            level += 1
            continue
        depth, stuck = _place_rows(workspace, names, level)
        level += depth
        circles += stuck
    return Placed(level, circles)


def _place_rows(workspace: Workspace, names: str, level: int) -> tuple[int, int]:
    """Levels of the rows of one circle of objects; how many levels, and rows in uncuttable circles."""
    workspace.make(
        "nodes",
        "select row_number() over (order by old_id) - 1 as n, old_id from rows "
        f"where action = 'create' and object in ({names})",
        index="old_id",
    )
    count = int(workspace.one("select count(*) from nodes"))
    workspace.make(
        "inner_edges",
        "select row_number() over (order by c.n, p.n, e.field) - 1 as place, c.n as child, "
        "p.n as parent, e.child as child_id, e.field, e.kind from edges e "
        "join nodes c on c.old_id = e.child join nodes p on p.old_id = e.parent",
    )
    numbers = workspace.each(
        "select child, parent, kind <> 'required', kind = 'cuttable' from inner_edges order by place"
    )
    edges = np.fromiter((n for row in numbers for n in row), np.int64).reshape(-1, 4).T
    flags = edges[2:].astype(np.bool_)
    found = order(count, Edges(edges[0].copy(), edges[1].copy(), flags[0], flags[1]))
    workspace.make_empty("numbered", "n integer primary key, level integer")
    workspace.insert("numbered", ("n", "level"), enumerate(found.levels))
    workspace.run(
        f"insert into placed select old_id, level + {level} from nodes join numbered using (n) "
        "where level >= 0"
    )
    workspace.run(
        "update rows set action = 'refuse', reason = 'parent_missing', field = e.field from "
        "(select child_id, min(field) as field from inner_edges join numbered on n = child "
        "where level < 0 group by child_id) e where rows.old_id = e.child_id"
    )
    for places, is_later in ((found.cut, "true"), (found.dropped, "false")):
        workspace.make_empty("given_up", "place integer primary key")
        workspace.insert("given_up", ("place",), ((place,) for place in places))
        workspace.run(
            f"insert into left_out select child_id, field, {is_later} from inner_edges "
            "join given_up using (place)"
        )
    return max(found.levels, default=-1) + 1, len(found.circles)


def object_groups(objects: list[str], pairs: list[tuple[str, str]]) -> list[list[str]]:
    """
    Objects in the order in which their records are made; those that refer to each other in a circle
    are in one group.

    Args:
        pairs: child and parent, of references that there are.
    """
    number = {name: n for n, name in enumerate(objects)}
    parents: dict[str, set[str]] = {name: set() for name in objects}
    for child, parent in pairs:
        if child != parent:
            parents[child].add(parent)
    reach = {name: _reached(name, parents) for name in objects}
    groups: list[list[str]] = []
    for name in objects:
        group = sorted(
            {name} | {o for o in reach[name] if name in reach[o]}, key=number.__getitem__
        )
        if group not in groups:
            groups.append(group)
    # A group comes after all that its members reach outside of it.
    return sorted(
        groups, key=lambda g: (len(set().union(*(reach[n] for n in g)) - set(g)), number[g[0]])
    )


def _reached(name: str, parents: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(parents[name])
    while waiting:
        at = waiting.pop()
        if at not in seen:
            seen.add(at)
            waiting += parents[at]
    return seen


Ask = Callable[[Mapping[str, list[str]]], Mapping[str, bool]]
"""Ids by object → by Id, whether a new record may refer to it."""

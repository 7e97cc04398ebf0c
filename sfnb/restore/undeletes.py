"""Which records are taken out of the recycle bin, and which come back with another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfnb.restore.describes import WriteObject
from sfnb.restore.relating import object_groups
from sfnb.restore.workspace import Workspace


def place_undeletes(workspace: Workspace, targets: Mapping[str, WriteObject]) -> None:
    """
    Mark the records that come back with their parents, and give the others a level: a table
    ``undeletes (old_id, level)``. References of theirs to records that are made are left for later, or
    for good where only a new record's can be set.
    """
    cascades = {
        (child, field)
        for target in targets.values()
        for child, field in target.cascades
        if child in targets
    }
    cascades |= {
        (name, f.name) for name, t in targets.items() for f in t.references if f.is_master_detail
    }
    workspace.make_empty("cascades", "object text, field text")
    workspace.insert("cascades", ("object", "field"), sorted(cascades))
    _expect_children(workspace)
    _make_lost_details(workspace, targets)
    workspace.run(
        "update rows set parent = m.parent from (select l.old_id, min(l.parent) as parent "
        "from links l join rows c on c.old_id = l.old_id join rows p on p.old_id = l.parent "
        "join cascades x on x.object = c.object and x.field = l.field "
        "where c.action = 'undelete' and p.action = 'undelete' group by 1) m "
        "where rows.old_id = m.old_id"
    )
    fixed = [(n, f.name) for n, t in targets.items() for f in t.references if not f.is_updateable]
    workspace.make_empty("fixed", "object text, field text")
    workspace.insert("fixed", ("object", "field"), fixed)
    workspace.run(
        "insert into left_out select l.old_id, l.field, x.field is null from links l "
        "join rows c on c.old_id = l.old_id join rows p on p.old_id = l.parent "
        "left join fixed x on x.object = c.object and x.field = l.field "
        "where c.action = 'undelete' and p.action = 'create'"
    )
    objects = [
        row[0]
        for row in workspace.all(
            "select distinct object from rows where action = 'undelete' order by 1"
        )
    ]
    pairs = workspace.all(
        "select distinct c.object, p.object from links l join rows c on c.old_id = l.old_id "
        "join rows p on p.old_id = l.parent where c.action = 'undelete' and p.action = 'undelete' "
        "and c.object <> p.object"
    )
    workspace.make_empty("undeletes", "old_id text primary key, level integer")
    for level, group in enumerate(object_groups(objects, [(c, p) for c, p in pairs])):
        names = ", ".join(f"'{name}'" for name in group)
        workspace.run(
            f"insert into undeletes select old_id, {level} from rows "
            f"where action = 'undelete' and object in ({names})"
        )


def _make_lost_details(workspace: Workspace, targets: Mapping[str, WriteObject]) -> None:
    """
    Records in the bin whose master is made anew are made anew as well: no org brings a detail back
    without its master.
    """
    workspace.make_empty("details", "object text, field text")
    workspace.insert(
        "details",
        ("object", "field"),
        [(n, f.name) for n, t in targets.items() for f in t.references if f.is_master_detail],
    )
    lost = _linked("details", "c.action = 'undelete' and p.action = 'create'")
    while workspace.all(f"select count(*) from ({lost})") != [(0,)]:
        workspace.run(f"update rows set action = 'create', target_id = '' where old_id in ({lost})")


def lost_for_good(workspace: Workspace) -> Sequence[tuple[str, str, int]]:
    """Object, field and rows of references that come back from the bin to what has a new Id by then."""
    return workspace.all(
        "select c.object, l.field, count(*) from links l join rows c on c.old_id = l.old_id "
        "join rows p on p.old_id = l.parent "
        "join fixed x on x.object = c.object and x.field = l.field "
        "where c.action = 'undelete' and p.action = 'create' group by 1, 2 order by 1, 2"
    )


def _expect_children(workspace: Workspace) -> None:
    """
    Records in the bin whose object takes no undelete come back with their parents all the same: they
    are expected, and made only if they did not come. Never both.
    """
    with_parent = _linked(
        "cascades", "c.action = 'create' and c.target_id <> '' and p.action = 'undelete'"
    )
    while workspace.all(f"select count(*) from ({with_parent})") != [(0,)]:
        workspace.run(f"update rows set action = 'undelete' where old_id in ({with_parent})")
    workspace.run("update rows set target_id = '' where action = 'create'")


def _linked(lookups: str, condition: str) -> str:
    """SQL of the Ids of records ``c`` that refer to records ``p`` by one of these lookups."""
    return (
        "select l.old_id from links l join rows c on c.old_id = l.old_id "
        "join rows p on p.old_id = l.parent "
        f"join {lookups} x on x.object = c.object and x.field = l.field where {condition}"
    )

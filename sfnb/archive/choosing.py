"""From a condition to the trees that go: reading, capping, holds. Nothing is written in the org."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sfnb.archive.folder import JobFolder, Kept, Selection
from sfnb.archive.gathering import ROOTS_AT_ONCE, Gatherer
from sfnb.archive.request import ArchiveRequest
from sfnb.archive.results import Tally
from sfnb.archive.trees import Member, Trees
from sfnb.errors import CallerError, JobError, ObjectError
from sfnb.model import ObjectSchema
from sfnb.org.answers import text_of
from sfnb.org.client import OrgClient
from sfnb.restore.present import PresentReader, slices
from sfnb.store.files import Files

HeldOf = Callable[[str, Sequence[str]], Mapping[str, str]]
"""Of an object's records those that are on hold, by Id, and why."""


def check_condition(client: OrgClient, schema: ObjectSchema, where: str, job_id: str = "") -> int:
    """
    How many records a condition matches. Cost: 1 API call.

    Raises:
        CallerError: the org refuses the condition.
    """
    flag = " AND IsDeleted = false" if schema.has("IsDeleted") else ""
    soql = f"SELECT COUNT() FROM {schema.name} WHERE ({where}){flag}"  # noqa: S608 - SOQL
    reader = PresentReader(client, Files("."), "", job_id)
    (found,) = reader.counts([(schema.name, soql, True)])
    if isinstance(found, ObjectError):
        raise CallerError(f"the org refuses this condition: {found}")
    return found


def still_matching(
    client: OrgClient, schema: ObjectSchema, where: str, ids: Sequence[str], job_id: str = ""
) -> set[str]:
    """
    Those of some records, at most ``ROOTS_AT_ONCE``, that the condition still matches. What it asks
    may be a formula or a parent's field, which changes without a change of the record.

    Cost: 1 API call.

    Raises:
        JobError: the org refuses the condition now.
    """
    condition = f"({where}) AND Id IN ({','.join(map(repr, ids))})"
    if schema.has("IsDeleted"):
        condition += " AND IsDeleted = false"
    query = (schema.name, f"SELECT Id FROM {schema.name} WHERE {condition}", True)  # noqa: S608
    reader = PresentReader(client, Files("."), "", job_id)
    try:
        (rows,) = reader.rows([query])
    except ObjectError as err:
        raise JobError(f"the org refuses the condition now, so nothing more goes: {err}") from err
    return {text_of(row.get("Id")) for row in rows}


def select(
    gatherer: Gatherer, schema: ObjectSchema, request: ArchiveRequest, files: Files, folder: str
) -> Selection:
    """The records that the condition matches now, no more than the cap. Cost: see ``root_ids``."""
    ids = gatherer.root_ids(schema, request.where, files, folder)
    return Selection(schema.name, tuple(ids[: request.max_rows]), tuple(ids[request.max_rows :]))


def groups_of(selection: Selection) -> list[Sequence[str]]:
    """The roots, so many at a time."""
    return list(slices(selection.roots, ROOTS_AT_ONCE))


@dataclass(frozen=True)
class Group:
    """
    Args:
        found: by root, what goes with it, itself first.
        paths: by object, the files that have the rows.
        new: what goes and was in no group before.
    """

    found: Mapping[str, list[Member]]
    paths: Mapping[str, list[str]]
    new: Sequence[Member]


@dataclass
class Choosing:
    """
    The trees of a selection, taken group by group, and what is known of them so far.

    Args:
        held_of: see `HeldOf`.

    Attributes:
        going: what goes, each record once. ``seen``: its Ids.
        kept: what stays, and why.
    """

    gatherer: Gatherer
    selection: Selection
    held_of: HeldOf
    going: Tally = field(default_factory=Tally)
    kept: list[Kept] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def take(self, group: int, files: Files, folder: str) -> Group:
        """Read one group and count it. Cost: see ``Gatherer.gather``."""
        roots = groups_of(self.selection)[group]
        trees = self.gatherer.gather(self.selection.object_name, roots, files, folder)
        found = {root: [trees.members[i] for i in ids] for root, ids in trees.by_root().items()}
        held = [*on_hold(found, self.held_of), *not_known(trees)]
        self.kept += held
        stays = {one.id for one in held}
        new: list[Member] = []
        for root, members in found.items():
            if root not in stays:
                own = [m for m in members if m.id not in self.seen]
                self.seen.update(m.id for m in own)
                new += own
        self.going.add(new)
        return Group(found, trees.paths, new)

    def keep_over(self, message: str = "") -> None:
        """Note the records that the run's cap leaves out; call it after the last group."""
        self.kept += [
            Kept(self.selection.object_name, one, "over_max_rows", message)
            for one in self.selection.over
            if one not in self.seen
        ]


def not_known(trees: Trees) -> list[Kept]:
    """The roots of which nobody knows what would go with them."""
    return [
        Kept(trees.members[root].object_name, root, "not_verified", why)
        for root, why in trees.unknown().items()
    ]


def on_hold(trees: Mapping[str, Iterable[Member]], held_of: HeldOf) -> list[Kept]:
    """
    Of these trees the roots that stay because something that would go with them is on hold, and
    what that is.
    """
    by_object: dict[str, set[str]] = {}
    for members in trees.values():
        for member in members:
            by_object.setdefault(member.object_name, set()).add(member.id)
    held: dict[str, str] = {}
    for name, ids in by_object.items():
        held |= held_of(name, sorted(ids))
    if not held:
        return []
    return list(_kept_by_hold(trees, held))


def _kept_by_hold(trees: Mapping[str, Iterable[Member]], held: Mapping[str, str]) -> Iterator[Kept]:
    for root, members in trees.items():
        tree = {m.id: m for m in members}
        found = [m for i, m in tree.items() if i in held]
        for member in found:
            yield Kept(member.object_name, member.id, "on_hold", held[member.id])
        if found and root not in held:
            first = found[0]
            message = f"{first.object_name} {first.id}, which would go with it, is on hold"
            yield Kept(tree[root].object_name, root, "on_hold", message)


def going_of(
    folder: JobFolder, selection: Selection, kept: Iterable[Kept]
) -> Iterator[tuple[int, dict[str, list[Member]]]]:
    """Group by group, the trees of the roots that go."""
    stays = {one.id for one in kept}
    for group in range(len(groups_of(selection))):
        yield group, {r: t for r, t in folder.trees(group).items() if r not in stays}


def not_verified(
    trees: Iterable[Mapping[str, Sequence[Member]]], wrong: Mapping[str, str]
) -> list[Kept]:
    """
    Of trees that would go the records that are not whole in the store, and the roots that stay for
    them.

    Args:
        wrong: by Id, what is wrong with a record.
    """
    found: list[Kept] = []
    for each in trees:
        for root, members in each.items():
            bad = [m for m in members if m.id in wrong]
            found += [Kept(m.object_name, m.id, "not_verified", wrong[m.id]) for m in bad]
            if bad and all(m.id != root for m in bad):
                why = f"{bad[0].object_name} {bad[0].id}: {wrong[bad[0].id]}"
                found.append(Kept(members[0].object_name, root, "not_verified", why))
    return found

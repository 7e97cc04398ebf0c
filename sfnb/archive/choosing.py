"""From a condition to the trees that go: reading, capping, holds. Nothing is written in the org."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sfnb.archive.folder import JobFolder, Kept, Selection
from sfnb.archive.gathering import ROOTS_AT_ONCE, Gatherer
from sfnb.archive.request import ArchiveRequest
from sfnb.archive.trees import Member, Trees
from sfnb.errors import CallerError, ObjectError
from sfnb.model import ObjectSchema
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


def select(
    gatherer: Gatherer, schema: ObjectSchema, request: ArchiveRequest, files: Files, folder: str
) -> Selection:
    """The records that the condition matches now, no more than the cap. Cost: see ``root_ids``."""
    ids = gatherer.root_ids(schema, request.where, files, folder)
    return Selection(schema.name, tuple(ids[: request.max_rows]), tuple(ids[request.max_rows :]))


def groups_of(selection: Selection) -> list[Sequence[str]]:
    """The roots, so many at a time."""
    return list(slices(selection.roots, ROOTS_AT_ONCE))


@dataclass
class Choosing:
    """
    The trees of a selection, group by group.

    Args:
        held_of: see `HeldOf`.
    """

    gatherer: Gatherer
    selection: Selection
    held_of: HeldOf

    def gather(
        self, group: int, files: Files, folder: str
    ) -> tuple[dict[str, list[Member]], Trees]:
        """One group's trees. Cost: see ``Gatherer.gather``."""
        roots = groups_of(self.selection)[group]
        trees = self.gatherer.gather(self.selection.object_name, roots, files, folder)
        found = {root: [trees.members[i] for i in ids] for root, ids in trees.by_root().items()}
        return found, trees

    def on_hold(self, trees: Mapping[str, Iterable[Member]]) -> list[Kept]:
        """
        Of these trees the roots that stay because something that would go with them is on hold,
        and what that is.
        """
        return on_hold(trees, self.held_of)


def not_known(trees: Trees) -> list[Kept]:
    """The roots of which nobody knows what would go with them."""
    return [
        Kept(trees.members[root].object_name, root, "not_verified", why)
        for root, why in trees.unknown().items()
    ]


def on_hold(trees: Mapping[str, Iterable[Member]], held_of: HeldOf) -> list[Kept]:
    """See ``Choosing.on_hold``."""
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

"""What metadata the org has, by its own lists."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil

from sfnb.backup.metadata.package import (
    FOLDERS,
    NEVER_LISTED,
    VALUE_SETS,
    Member,
    folder_queries,
    list_queries,
    spellings,
)
from sfnb.errors import ObjectError, OrgUnavailable, TransientError
from sfnb.org.answers import count_of, mapping_of, text_of
from sfnb.org.client import OrgClient
from sfnb.org.metadata.api import (
    LIST_QUERIES,
    Component,
    MetadataType,
    describe_types,
    list_components,
)
from sfnb.org.tooling import query_all
from sfnb.store.metadata.record import Missing


@dataclass
class Listing:
    """
    The org's components.

    Args:
        optional: members that an org may lack; nobody misses them.
        problems: types whose list could not be had.
        versions: of each flow the numbers and states of its versions: ``Reminder-2 Draft``.
        notes: what need not worry anybody, in sentences.
    """

    components: list[Component] = field(default_factory=list)
    optional: set[Member] = field(default_factory=set)
    problems: list[Missing] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def members(self) -> list[Member]:
        """
        What to ask for, in a fixed order: each component under every name that it may have, so that
        profiles come with all that they speak of. A name that the org does not know costs nothing.
        """
        listed = {(c.type, name) for c in self.components if c.full_name for name in spellings(c)}
        return sorted(listed | self.optional)

    @property
    def digest(self) -> str:
        """Equal for two listings that say the same. A date that does not move may hide a change."""
        lines = sorted(f"{c.type}|{c.full_name}|{c.id}|{c.modified_at}" for c in self.components)
        lines += [f"{kind}|{name}" for kind, name in sorted(self.optional)]
        text = "\n".join([*lines, *sorted(self.versions)])
        return hashlib.sha256(text.encode()).hexdigest()


def fetch_listing(org: OrgClient, tick: Callable[[], None]) -> Listing:
    """
    All components of the org.

    Cost: 1 API call for the types, 1 for each three types, 1 for each three folders, 1 for the
    versions of flows; more where a list is refused, since it is then asked for alone.

    Raises:
        ObjectError: the org has no Metadata API for this user, or none in this version.
    """
    types = org.retrying(lambda: describe_types(org))
    if not types:
        # An API older than the version it is asked in answers with success, and with nothing in it.
        message = f"The org says that it has no metadata in API version {org.api_version}."
        raise ObjectError(message, code="NO_TYPES")
    listing = Listing()
    first = _listed(org, list_queries(types), listing, tick)
    of_folder = {folder: kind for kind, folder in FOLDERS.items()}
    folders: dict[str, list[str]] = {}
    for query, components in first:
        kind = of_folder.get(query[0]) or _folder_kind(query[0], types)
        if kind:
            # A folder is a member of its own; without it, its sharing is lost.
            folders.setdefault(kind, []).extend(c.full_name for c in components)
            listing.components += [_as(c, kind) for c in components]
        else:
            listing.components += components
    for _, components in _listed(org, folder_queries(types, folders), listing, tick):
        listing.components += components
    known = {one.name for one in types}
    listing.optional = {(k, n) for k in NEVER_LISTED if k in known for n in VALUE_SETS}
    if FLOW in known:
        _add_flow_versions(org, listing)
    return listing


def _add_flow_versions(org: OrgClient, listing: Listing) -> None:
    """
    The versions of each listed flow, as members of their own: a flow's plain name brings the one
    that runs, or the newest (Metadata API guide, Flow). Those of packages cannot be retrieved.
    """
    try:
        rows = query_all(
            org, "SELECT Id, VersionNumber, Status, Definition.DeveloperName FROM Flow"
        )
    except OrgUnavailable:
        raise
    except (ObjectError, TransientError) as err:
        listing.notes.append(f"The versions of flows beside the running ones are not known: {err}")
        return
    listed = {c.full_name for c in listing.components if c.type == FLOW and not c.namespace}
    for row in rows:
        name = text_of(mapping_of(row.get("Definition")).get("DeveloperName"))
        number = count_of(row.get("VersionNumber"))
        if name in listed and number is not None:
            listing.optional.add((FLOW, f"{name}-{number}"))
            listing.versions.append(f"{name}-{number} {text_of(row.get('Status'))}")


FLOW = "Flow"

RETRIEVE_CALLS = 3
"""A retrieve of a few thousand components: its start, and two polls."""


def first_metadata_calls(org: OrgClient) -> int | None:
    """
    About what the first metadata of an org will cost; None: the org does not tell. Cost: 1 API call.
    """
    try:
        types = org.retrying(lambda: describe_types(org))
    except OrgUnavailable:
        raise
    except TransientError:
        return None
    except ObjectError:
        return 1  # the backup will hear the same, and no more
    # Most orgs have about three folders of a kind; each has its own list.
    lists = ceil(len(list_queries(types)) / LIST_QUERIES)
    folders = sum(one.in_folder for one in types)
    versions = sum(one.name == FLOW for one in types)
    return 1 + lists + folders + versions + RETRIEVE_CALLS


def _folder_kind(name: str, types: Sequence[MetadataType]) -> str:
    kind = name.removesuffix("Folder")
    return next((one.name for one in types if one.in_folder and one.name == kind), "")


def _as(component: Component, kind: str) -> Component:
    return Component(
        kind,
        component.full_name,
        component.file_name,
        component.id,
        component.modified_at,
        component.modified_by,
        component.namespace,
    )


def _listed(
    org: OrgClient, queries: Sequence[Member], listing: Listing, tick: Callable[[], None]
) -> list[tuple[Member, list[Component]]]:
    """The components of each query. A query that fails is tried again alone, and then named."""
    found: list[tuple[Member, list[Component]]] = []
    waiting = [list(queries[n : n + LIST_QUERIES]) for n in range(0, len(queries), LIST_QUERIES)]
    while waiting:
        tick()
        some = waiting.pop(0)
        try:
            components = org.retrying(partial(list_components, org, some))
        except OrgUnavailable:
            raise
        except (ObjectError, TransientError) as err:
            if len(some) > 1:
                waiting[:0] = [[one] for one in some]
            else:
                listing.problems.append(Missing(some[0][0], some[0][1] or "*", str(err)[:500]))
            continue
        for query in some:
            wanted = _accepts(query)
            found.append((query, [c for c in components if wanted(c)]))
    return found


def _accepts(query: Member) -> Callable[[Component], bool]:
    """Which of the components of one answer belong to a query: the answer does not say."""
    kind, folder = query
    kinds = {kind, kind.removesuffix("Folder")} | {k for k, f in FOLDERS.items() if f == kind}

    def accepts(component: Component) -> bool:
        if component.type not in kinds:
            return False
        return not folder or component.full_name.startswith(f"{folder}/")

    return accepts

"""Which components to ask for, under which names, and how to cut them into retrieves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from sfnb.org.metadata.api import Component, MetadataType

MAX_MEMBERS = 5_000
"""
Components in one retrieve. It may have 10,000 files (Metadata API guide, retrieve limits); half of
them have a second file beside them, and an object counts with its parts.
"""

MAX_BYTES = 200 << 20
"""Of one retrieve, by the sizes of the last run: half of the 400 MB that it may unpack to."""

FOLDERS: Mapping[str, str] = {
    "Report": "ReportFolder",
    "Dashboard": "DashboardFolder",
    "Document": "DocumentFolder",
    "EmailTemplate": "EmailFolder",
}
"""
What lists the folders of a type; that of EmailTemplate has an irregular name (Metadata API guide).
"""

UNFILED = "unfiled$public"
"""The folder of reports and templates that is in no list of folders, and is no component itself."""

HAVE_UNFILED = ("Report", "EmailTemplate")

TOGETHER = frozenset({"Profile"})
"""A profile has permissions only for the components in the same retrieve (Metadata API guide)."""

NEVER_LISTED = ("StandardValueSet",)
"""listMetadata gives none of them, and ``*`` is refused; their names are in the guide."""

VALUE_SETS = tuple(
    name
    for name in """
    AccountContactMultiRoles AccountContactRole AccountOwnership AccountRating AccountType
    AssetStatus CampaignMemberStatus CampaignStatus CampaignType CaseContactRole CaseOrigin
    CasePriority CaseReason CaseStatus CaseType ContactRole ContractContactRole
    ContractStatus EntitlementType EventSubject EventType FiscalYearPeriodName
    FiscalYearPeriodPrefix FiscalYearQuarterName FiscalYearQuarterPrefix IdeaMultiCategory
    IdeaStatus IdeaThemeStatus Industry LeadSource LeadStatus OpportunityCompetitor
    OpportunityStage OpportunityType OrderStatus OrderType PartnerRole Product2Family
    QuantityUnitOfMeasure QuestionOrigin1 QuickTextCategory QuickTextChannel QuoteStatus
    RoleInTerritory2 SalesTeamRole Salutation ServiceContractApprovalStatus
    SocialPostClassification SocialPostEngagementLevel SocialPostReviewedStatus
    SolutionStatus TaskPriority TaskStatus TaskSubject TaskType WorkOrderLineItemStatus
    WorkOrderPriority WorkOrderStatus
    """.split()  # noqa: SIM905 - sixty names read best as a text
)
"""StandardValueSet names (Metadata API guide). An org without a feature lacks its sets."""

Member = tuple[str, str]
"""A type and a full name."""

TRAIL = "SetupAuditTrail"
"""A row for each change of the org's set-up, for at least 180 days (object reference)."""

NOT_IN_TRAIL = ("Report", "Dashboard", "Document", "EmailTemplate", "Folder", "ListView")
"""Objects whose records are metadata that users change outside of set-up."""


def is_set_up_changed(
    changes: Callable[[str], tuple[str, int, int] | None], since: str, has: Collection[str]
) -> bool | None:
    """
    Whether the records that a backup has just read show a change of the org's set-up.

    Args:
        changes: of an object, the snapshot before, how many records are new, changed or gone since,
            and how many there are; None: not read, or not by its changes.
        since: the snapshot that has the metadata of the org's lists.
        has: the objects of the org that can be read.

    Returns:
        None: they do not tell: an object that the org has was not read, the trail has no row at all,
            or the changes are those since a later snapshot.
    """
    found = [changes(name) for name in (TRAIL, *NOT_IN_TRAIL) if name in has]
    read = [one for one in found if one is not None]
    if TRAIL not in has or len(read) < len(found) or not read[0][2]:
        return None
    if any(before > since for before, _, _ in read):
        return None
    return any(touched for _, touched, _ in read)


def due(
    last_at: datetime | None, now: datetime, *, days: float, is_changed: bool | None
) -> Literal["no", "list", "all"]:
    """
    What to do today: nothing, look at the lists, or read all.

    Args:
        last_at: when all was read last; None: never.
        is_changed: whether somebody has changed the org's set-up since then; None: not known.
    """
    if last_at is None or now - last_at >= timedelta(days=days):
        return "all"
    return "no" if is_changed is False else "list"


def spellings(component: Component) -> tuple[str, ...]:
    """
    The names under which retrieve may know a component; the listed one first.

    listMetadata leaves the package's namespace out of the second part of some names: a packaged
    layout ``Account-ns__Sales Layout`` is listed as ``Account-Sales Layout`` (reported for layouts,
    custom metadata and quick actions).
    """
    name, namespace = component.full_name, component.namespace
    if not namespace:
        return (name,)
    mark = "-" if component.type == "Layout" else "."
    head, sign, tail = name.partition(mark)
    prefix = f"{namespace}__"
    if not sign:
        return (name,) if name.startswith(prefix) else (name, prefix + name)
    if tail.startswith(prefix):
        return (name,)
    return name, f"{head}{sign}{prefix}{tail}"


def list_queries(types: Iterable[MetadataType]) -> list[Member]:
    """What to list first: each type, and the folders of those that have some."""
    return [
        (FOLDERS.get(one.name, f"{one.name}Folder") if one.in_folder else one.name, "")
        for one in types
        if one.name not in NEVER_LISTED
    ]


def folder_queries(
    types: Iterable[MetadataType], folders: Mapping[str, Sequence[str]]
) -> list[Member]:
    """What to list next: the content of each folder, by its type."""
    found = []
    for one in types:
        if one.in_folder:
            names = list(folders.get(one.name, ()))
            if one.name in HAVE_UNFILED and UNFILED not in names:
                names.append(UNFILED)
            found += [(one.name, name) for name in names]
    return found


def cut(
    members: Sequence[Member],
    sizes: Mapping[Member, int],
    *,
    max_members: int = MAX_MEMBERS,
    max_bytes: int = MAX_BYTES,
) -> list[list[Member]]:
    """
    The members in as few packages as the limits allow; profiles in each of them.

    Args:
        sizes: in bytes, from the last run, where they are known.
    """
    shared = [one for one in members if one[0] in TOGETHER]
    others = [one for one in members if one[0] not in TOGETHER]
    room = max(1, max_members - len(shared))
    packages: list[list[Member]] = [[]]
    size = 0
    for one in others:
        if packages[-1] and (len(packages[-1]) >= room or size + sizes.get(one, 0) > max_bytes):
            packages.append([])
            size = 0
        packages[-1].append(one)
        size += sizes.get(one, 0)
    return [[*package, *shared] for package in packages if package or shared]


def halves(members: Sequence[Member]) -> list[list[Member]]:
    """Two smaller packages, profiles in both; of profiles alone, some of them each."""
    shared = [one for one in members if one[0] in TOGETHER]
    others = [one for one in members if one[0] not in TOGETHER]
    if len(others) < 2:
        if not others or not shared:
            middle = (len(members) + 1) // 2
            return [list(members[:middle]), list(members[middle:])]
        return [others, shared]
    middle = (len(others) + 1) // 2
    return [[*others[:middle], *shared], [*others[middle:], *shared]]


def package_of(members: Iterable[Member]) -> dict[str, list[str]]:
    """The members by type, each once."""
    found: dict[str, list[str]] = {}
    for kind, name in dict.fromkeys(members):
        found.setdefault(kind, []).append(name)
    return found


def is_too_large(code: str, message: str) -> bool:
    """Whether a failed retrieve may work in smaller pieces."""
    text = f"{code} {message}".lower()
    return any(
        word in text
        for word in ("limit_exceeded", "too many files", "too large", "maximum size", "exceeded")
    )


def owners(paths: Iterable[str], components: Iterable[Component]) -> dict[str, Member]:
    """
    Whose each file is. A component has its main file, the ``-meta.xml`` beside it, or, where it is
    a bundle, all below its folder.
    """
    mains = {c.file_name.removeprefix("unpackaged/"): (c.type, c.full_name) for c in components}
    found = {}
    for path in paths:
        above = path.removesuffix("-meta.xml")
        while above not in mains and "/" in above:
            above = above.rpartition("/")[0]
        if above in mains or path in mains:
            found[path] = mains.get(path) or mains[above]
    return found

"""
The planning of a restore: what the snapshot has, what the org has, what follows.

It writes nothing to the org. What the org has answered is kept in the job's folder, so a planning that
was interrupted asks for the rest only; everything else is computed anew from the store.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sfnb.errors import ObjectError, OrgUnavailable, TransientError
from sfnb.org.answers import json_of
from sfnb.org.client import OrgClient
from sfnb.restore.automation.listing import Early
from sfnb.restore.automation.planned import with_automation, written_objects
from sfnb.restore.choice import (
    SETUP_OBJECTS,
    check_fields,
    choose,
    objects_with,
    prefixes_of,
    standard_pricebooks,
)
from sfnb.restore.compact import IdSet
from sfnb.restore.counterparts import Counterparts, find_owner
from sfnb.restore.drafting import Amend
from sfnb.restore.files.planned import (
    CALLS_A_TEXT,
    may_show_pictures,
    picture_warning,
    planned_files,
    planned_pictures,
)
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.gathering import Gathering
from sfnb.restore.matching import earlier_ids
from sfnb.restore.parents import living, parent_queries, returning
from sfnb.restore.plan import ACTIONS, Counts, End, Refusal, RestorePlan
from sfnb.restore.plan_findings import (
    account_teams,
    email_tasks,
    keys_of,
    refusals_of,
    written_twice,
)
from sfnb.restore.present import PresentReader
from sfnb.restore.relating import (
    give_owner,
    place_creates,
    settle_missing,
    skip_emptied,
    standard_prices_first,
    tasks_after_emails,
    unknown_parents,
)
from sfnb.restore.request import RestoreRequest
from sfnb.restore.storage import FEW_RECORDS, room_for
from sfnb.restore.undeletes import place_undeletes
from sfnb.restore.waves import WaveWriter, price_of
from sfnb.restore.workspace import Workspace
from sfnb.store.giving_back import give_back_memory
from sfnb.store.snapshots import Snapshot


@dataclass
class Planning:
    """
    One restore's planning. ``run`` may be called again after a pause: it goes on.

    Args:
        client: the target.
        source, target: the two ends; they are of one org unless ``--to`` names another.
        amend: mended values, from a rejects file.
    """

    client: OrgClient
    snapshot: Snapshot
    source: End
    target: End
    request: RestoreRequest
    folder: RestoreFolder
    job_id: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    amend: Amend | None = None

    def run(self) -> RestorePlan:
        """
        The plan, written to the job's folder.

        Cost: 1 API call for 25 objects' describes, 1 for two objects of which little has changed, 1
        for 2,000 records that are looked up by their Ids.

        Raises:
            CallerError: nothing of the snapshot is meant.
            QuotaSignal, StopSignal, OrgUnavailable: the job has to pause.
        """
        if (plan := self.folder.plan()) is not None:
            return plan
        with Workspace() as workspace:
            planning = _Planning(self, workspace)
            plan = planning.run()
        give_back_memory()
        plan = with_automation(
            plan, self.client, job_id=self.job_id, stop=self.stop, early=planning.early
        )
        for name in written_objects(plan):
            self.folder.write_describe(name, planning.describe_of(name))
        self.folder.write_plan(plan)
        self.folder.files.delete_folder(self.folder.planning_path)
        return plan


class _Planning:
    """What one run of the planning knows so far."""

    def __init__(self, asked: Planning, workspace: Workspace) -> None:
        self._asked = asked
        self._request = asked.request
        self._workspace = workspace
        self._prefixes = prefixes_of(asked.snapshot)
        self._reader = PresentReader(
            asked.client,
            asked.folder.files,
            f"{asked.folder.planning_path}/present",
            asked.job_id,
            asked.stop,
        )
        self._known = Gathering(
            asked.client,
            asked.snapshot,
            asked.request,
            self._reader,
            workspace,
            asked.amend,
            is_other_org=asked.source.org_id != asked.target.org_id,
            prefixes=self._prefixes,
            counterparts=Counterparts(earlier_ids(asked.folder, asked.source.org_id)),
        )
        self._rounds = 0
        self._matched: dict[str, str] = {}
        self._owner = ""

    @property
    def early(self) -> Early | None:
        """Lists of automation that came along with the first describes."""
        return self._known.objects.early

    def describe_of(self, name: str) -> Mapping[str, Any]:
        """The target's describe answer."""
        return self._known.objects.describe_of(name)

    def run(self) -> RestorePlan:
        choice = choose(self._known.manifest, self._prefixes, self._request)
        self._known.warnings += choice.warnings
        if self._request.fields:
            snapshot = self._asked.snapshot
            columns = {n for name in choice.objects for n in snapshot.columns(name).names}
            check_fields(self._request.fields, columns)
        if self._request.owner:
            self._owner = find_owner(self._reader, self._request.owner)
        self._known.gather(choice)
        while needed := self._settle_parents():
            self._known.add(needed)
        tasks_after_emails(self._workspace)
        settle_missing(self._workspace)
        place_undeletes(self._workspace, self._known.objects.targets)
        if "PricebookEntry" in self._known.objects.targets:
            standard_prices_first(self._workspace, standard_pricebooks(self._asked.snapshot))
        place_creates(self._workspace)
        # The order may have refused records that others need.
        settle_missing(self._workspace)
        skip_emptied(self._workspace)
        return self._plan()

    # -- parents -----------------------------------------------------------------------------------------------------

    def _settle_parents(self) -> dict[str, set[str]]:
        """
        Find out whether the records that the planned ones refer to are there. With children, those
        that are not are restored, too: they are returned, by object. Cost: 1 call for 2,000.
        """
        by_object: dict[str, list[str]] = {}
        for record_id, child, field_name in unknown_parents(self._workspace):
            by_object.setdefault(self._object_of(record_id, child, field_name), []).append(
                record_id
            )
        self._rounds += 1
        if self._known.is_other_org:
            alive, unclear = self._matched_parents(by_object), set[str]()
        else:
            # What nobody can name an object of is sent as it is: the org knows its own Ids.
            by_object.pop("", None)
            alive, unclear = self._living_parents(by_object)
        needed: dict[str, set[str]] = {}
        if self._request.children:
            complete = self._known.objects.complete()
            for name, ids in by_object.items():
                gone = set(ids) - alive if name in complete and name not in unclear else set()
                if gone and name not in SETUP_OBJECTS:
                    needed[name] = gone
        if not self._known.is_other_org:
            alive |= self._returning(by_object, alive, needed)
        rows = [(i, i in alive or name in unclear) for name, ids in by_object.items() for i in ids]
        self._workspace.insert("standing", ("id", "is_usable"), rows)
        if self._owner:
            give_owner(self._workspace, self._owner)
        return needed

    def _returning(
        self,
        by_object: Mapping[str, list[str]],
        alive: set[str],
        needed: Mapping[str, set[str]],
    ) -> set[str]:
        """Of these Ids, those that come back with a record that is undeleted. Cost: `returning`."""
        gone = {n: set(ids) - alive - needed.get(n, set()) for n, ids in by_object.items() if n}
        gone = {name: ids for name, ids in gone.items() if ids}
        if not gone:
            return set()
        query = "select target_id, object from rows where action = 'undelete'"
        undeleted: dict[str, str] = dict(self._workspace.all(query))
        return returning(
            self._reader, gone, undeleted, self._known.objects.targets, str(self._rounds)
        )

    def _object_of(self, record_id: str, child: str, field_name: str) -> str:
        """The object of an Id that a field refers to; empty: nobody knows."""
        if name := self._prefixes.get(record_id[:3]):
            return name
        target = self._known.objects.targets.get(child)
        found = target.fields.get(field_name) if target is not None else None
        names = found.reference_to if found is not None else ()
        if len(names) > 1:
            names = objects_with(self._asked.snapshot, record_id[:3], names)
        if len(names) == 1:
            self._prefixes[record_id[:3]] = names[0]
        return self._prefixes.get(record_id[:3], "")

    def _matched_parents(self, by_object: Mapping[str, list[str]]) -> set[str]:
        """Of these Ids, those whose records have a counterpart in the other org."""
        self._known.match_parents([name for name in by_object if name])
        matches = self._known.counterparts.matches
        found = {i for ids in by_object.values() for i in ids if i in matches.pairs}
        self._matched |= {i: matches.pairs[i] for i in found - matches.ambiguous}
        return found - matches.ambiguous

    def _living_parents(self, by_object: Mapping[str, list[str]]) -> tuple[set[str], set[str]]:
        """
        Of these Ids, those whose records a new one may refer to, and the objects that cannot be
        asked. A record that an earlier restore has made stands for the first one.
        """
        earlier = self._known.counterparts.earlier
        ids = {i for some in by_object.values() for i in some}
        read = self._known.prefetched
        there, unclear = living(self._reader, read)
        left = {i for i in ids - there if not any(i in one.where for one in read)}
        left |= {earlier[i] for i in ids - there if i in earlier}
        wanted = parent_queries(self._reader, self._prefixes, left, str(self._rounds))
        more, also_unclear = living(self._reader, wanted)
        there, unclear = there | more, unclear | also_unclear
        stand_ins = {i: earlier[i] for i in ids if i not in there and earlier.get(i) in there}
        self._matched |= stand_ins
        return there | stand_ins.keys(), unclear

    # -- the plan ----------------------------------------------------------------------------------------------------

    def _plan(self) -> RestorePlan:
        workspace, asked = self._workspace, self._asked
        is_stopped = self._request.on_conflict == "fail" and self._known.conflicts > 0
        writer = WaveWriter(workspace, asked.folder, self._known.objects.targets)
        waves = [] if is_stopped else writer.write_all()
        objects: dict[str, Counts] = {}
        for name, action, rows in workspace.all(
            "select object, action, count(*) from rows group by 1, 2 order by 1, 2"
        ):
            if action in ACTIONS:
                objects[name] = objects.get(name, Counts()).plus(action, rows)
        skips = dict(
            workspace.all(
                "select reason, count(*) from rows where action = 'skip' group by 1 order by 1"
            )
        )
        self._write_matched()
        for (name,) in workspace.all("select distinct object from rows where action = 'refuse'"):
            query = f"select * from rows r where action = 'refuse' and object = '{name}'"  # noqa: S608
            asked.folder.write_rows(asked.folder.refused_path(name), workspace.planned(query))
        pictures = {} if is_stopped else self._pictures()
        files = {} if is_stopped else self._files(pictures)
        price = dict(price_of(waves))
        price["api"] += files.get("calls", 0)
        return RestorePlan(
            source=asked.source,
            target=asked.target,
            options=self._request.as_json(),
            waves=tuple(waves),
            objects=objects,
            refusals=(
                *refusals_of(workspace, self._known.refused),
                *(() if is_stopped else self._room(objects)),
            ),
            skips=skips,
            not_written=self._known.not_written,
            keys=keys_of(workspace, self._known.objects.targets),
            written_twice=written_twice(workspace),
            warnings=(
                *self._known.warnings,
                *account_teams(workspace, self._known.objects.targets),
                *email_tasks(workspace),
            ),
            files=files,
            price=price,
            preparation_calls=self._reader.calls,
            is_stopped=is_stopped,
        )

    def _pictures(self) -> dict[str, tuple[int, int]]:
        """Records and pictures in their rich texts, by object, of what is made anew."""
        snapshot, workspace = self._asked.snapshot, self._workspace
        names = workspace.all("select distinct object from rows where action = 'create' order by 1")
        query = "select old_id from rows where action = 'create' and object = ?"
        created = {
            name: IdSet(old_id for (old_id,) in workspace.each(query, [name]))
            for (name,) in names
            if may_show_pictures(snapshot, name)
        }
        return planned_pictures(snapshot, created)

    def _files(self, pictures: Mapping[str, tuple[int, int]]) -> dict[str, int]:
        """The bodies that are sent. Cost: see `planned_files`."""
        if not self._request.files:
            self._known.warnings += [picture_warning(n, *found) for n, found in pictures.items()]
            return {}
        written = self._workspace.all(
            "select old_id, action from rows where action in ('create', 'update', 'undelete')"
        )
        asked = self._asked
        files = planned_files(
            asked.snapshot, self._reader, asked.folder, self._request, dict(written)
        )
        shown = sum(count for _, count in pictures.values())
        calls = shown + sum(CALLS_A_TEXT * rows for rows, _ in pictures.values())
        return files | {"pictures": shown, "calls": files["calls"] + calls}

    def _room(self, objects: Mapping[str, Counts]) -> list[Refusal]:
        """What the org has no room for. Cost: 1 API call where many records are made."""
        created = {name: counts.create for name, counts in objects.items() if counts.create}
        if sum(created.values()) < FEW_RECORDS:
            return []
        try:
            answer = self._reader.get(self._asked.client.data_path("limits"), "the limits")
            return room_for(json_of(answer, what="the limits"), created)
        except OrgUnavailable:
            raise
        except (ObjectError, TransientError):
            return []  # a user who may not see it; the org refuses row by row what has no room

    def _write_matched(self) -> None:
        """The records that are there under another Id: where the id map begins."""
        by_object: dict[str, dict[str, str]] = {}
        if self._known.is_other_org:
            # Record types, users and others that no row was made for.
            self._matched = {**self._known.counterparts.matches.pairs, **self._matched}
        for old_id, target_id in self._matched.items():
            name = self._prefixes.get(old_id[:3], "Other")
            by_object.setdefault(name, {})[old_id] = target_id
        for name, old_id, target_id in self._workspace.all(
            "select object, old_id, target_id from rows where target_id not in ('', old_id)"
        ):
            by_object.setdefault(name, {})[old_id] = target_id
        for name, pairs in sorted(by_object.items()):
            self._asked.folder.write_matched(name, sorted(pairs.items()))

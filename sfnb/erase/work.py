"""An erasure as a kind of work: the FACE of this room."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfnb.erase.certificate import certificate, write_certificate
from sfnb.erase.plan import plan_erase
from sfnb.erase.request import EraseRequest
from sfnb.erase.traces import clear_traces
from sfnb.errors import JobError
from sfnb.holds.book import HoldBook, held_by
from sfnb.holds.question import holds_of
from sfnb.jobs import events
from sfnb.jobs.summary import iso
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import JobState, JobWarning, ObjectState
from sfnb.state.audit import current_user
from sfnb.store.erasing.elsewhere import notes_path, put_notes, read_notes
from sfnb.store.erasing.manifests import restate_manifests
from sfnb.store.erasing.run import erase, left
from sfnb.store.states.everything import stores_of
from sfnb.store.tables import OrgStore

OLD_VERSIONS = (
    "the bucket keeps old versions of files, which sfnb cannot remove: the records are still in "
    "those. Delete the noncurrent versions, or let a lifecycle rule do it; the certificate is not "
    "verified."
)


@dataclass
class EraseWork:
    """
    Erases records from everything that is stored of an org. Implements `sfnb.jobs.work.Work`.

    Sends no call of its own. Each step can be repeated, so a kill costs nothing but time.

    Args:
        home: SFNB_HOME, whose files may have the records, too.
    """

    context: JobContext
    store: OrgStore
    home: Path
    _notes: dict[str, Any] = field(default_factory=dict)
    _asked: tuple[str, ...] | None = None

    def _request(self) -> EraseRequest:
        return EraseRequest.of(self.context.state.jobs.get(self.context.job_id).options)

    def prepare(self) -> None:
        """Plan, and keep the plan: which records go must not depend on what is gone already."""
        context, path = self.context, notes_path(self.context.job_id)
        kept = read_notes(self.store.files, path)
        if kept is None:
            plan = plan_erase(context.state, self.store, self._request())
            kept = {
                "ids": {name: list(some) for name, some in plan.ids.items()},
                "absent": list(plan.not_stored),
                **plan.as_json(),
            }
            put_notes(self.store.files, path, kept)
        self._notes = kept
        keys = ("records", "files", "snapshots", "not_stored", "refused")
        found = {key: kept[key] for key in keys if key in kept}
        context.state.jobs.add_outcome(context.job_id, **found)
        expected: dict[str, int | None] = {name: len(some) for name, some in kept["ids"].items()}
        now = context.clock.now()
        context.tell(events.JobPlanned(context.job_id, now, "", expected, {}))

    def run(self, tick: Tick) -> None:
        """Erase, store by store, and look whether anything is left."""
        context, ids = self.context, self._notes["ids"]
        jobs = context.state.jobs

        def guard() -> None:
            tick()
            self._refuse_new_holds()

        def may_touch(job_id: str) -> bool:
            found = [job for job in jobs.find(self.store.org_id) if job.job_id == job_id]
            return not found or found[0].state.is_final

        def tell(name: str, rows: int) -> None:
            jobs.set_object(context.job_id, name, ObjectState.COMPLETE, rows, 0)
            now = context.clock.now()
            context.tell(
                events.ObjectProgress(
                    context.job_id, now, name, ObjectState.COMPLETE, rows, rows, 0
                )
            )

        found: list[str] = []
        for files in stores_of(self.store.files):
            guard()
            there = {name.lower(): name for name in files.names("records", folders=True)}
            own = {there[n.lower()]: some for n, some in ids.items() if n.lower() in there}
            erase(files, own, context.clock, may_touch=may_touch, tell=tell, tick=guard)
            found += left(files, own)
        if found:
            raise JobError(
                f"{len(found)} files still name an erased record, among them {found[0]}. "
                "Resume the job; if it stays so, please report it."
            )

    def _refuse_new_holds(self) -> None:
        """A hold that was added since the plan beats it, also in the middle of it."""
        state, org_id = self.context.state, self.store.org_id
        listed = tuple(hold.hold_id for hold in HoldBook(state.database).holds(org_id))
        if listed == self._asked:
            return
        holds = holds_of(state, self.store)
        for name, some in self._notes["ids"].items():
            for one, hold in holds.of(name, some).items():
                raise JobError(
                    f"{name} {one} was put on hold since this erasure was planned: {held_by(hold)}. "
                    "What is not erased yet stays. Cancel the job, and begin another one without it."
                )
        self._asked = listed

    def finish(self) -> JobState:
        """Write the certificate, forget the Ids, and say whether something was refused."""
        context, notes, request = self.context, self._notes, self._request()
        every = [one for some in notes["ids"].values() for one in some]
        absent = set(notes.get("absent") or ())
        erased = {name: set(some) - absent for name, some in notes["ids"].items()}
        has_erased = any(erased.values())
        is_versioned = bool(every) and self.store.files.keeps_old_versions()
        path = Path(request.certificate or self.home / "certificates" / f"{context.job_id}.json")
        if has_erased:
            content = certificate(
                org_id=self.store.org_id,
                job_id=context.job_id,
                erased_at=iso(context.clock.now()) or "",
                by=current_user(),
                ids=erased,
                files=notes["files"],
                snapshots=notes["snapshots"],
                verified=not is_versioned,
            )
            write_certificate(path, content)
        hashed = [hashlib.sha256(one.encode()).hexdigest() for one in every]
        options = {**request.as_json(), "ids": [], "ids_sha256": hashed}
        context.state.jobs.update(context.job_id, options=options, rows=notes["records"])
        traces = clear_traces(self.home, context.state.database, every)
        warnings = [
            JobWarning("left_by_a_person", "", f"{path} names one").as_json() for path in traces
        ]
        if is_versioned:
            warnings.append(JobWarning("old_versions", "", OLD_VERSIONS).as_json())
        context.state.jobs.add_outcome(
            context.job_id, certificate=str(path) if has_erased else None, warnings=warnings
        )
        self.store.files.delete(notes_path(context.job_id))
        is_whole = not notes["refused"] and not is_versioned
        return JobState.COMPLETED if is_whole else JobState.COMPLETED_WITH_ERRORS

    def abandon(self) -> str:
        """What is erased stays erased; the seals are brought in line with it."""
        return abandon(self.store, self.context.job_id)


def abandon(store: OrgStore, job_id: str) -> str:
    """Give up an erasure that is running nowhere; what could not be tidied up, or empty."""
    notes = read_notes(store.files, notes_path(job_id))
    if notes is not None:
        for files in stores_of(store.files):
            there = set(files.names("records", folders=True))
            restate_manifests(files, {name: () for name in notes["ids"] if name in there})
        store.files.delete(notes_path(job_id))
    return ""

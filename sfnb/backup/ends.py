"""The end of an object's reading: settled against the state before it, or noted as unchanged."""

from __future__ import annotations

from dataclasses import replace

from sfnb.backup.change_run import is_small, is_witnessed, out_of_sight
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.proving import proof_notes
from sfnb.backup.readers.steps import Commit, Settle, Unchanged
from sfnb.errors import StoreError
from sfnb.store.progress import NOTHING
from sfnb.store.settling.base import Unchanged as Said
from sfnb.store.settling.outcome import Settled
from sfnb.store.writer import Writer


class Ends:
    """Ends objects in the store. Only the deciding thread calls it."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._unchanged: dict[str, Said] = {}

    def full(self, run: ObjectRun, step: Commit) -> str:
        """
        All rows are read: why they cannot be what the org has, or empty when the object is complete.
        """
        if problem := self._vanished(run, step):
            return problem

        def settle(*, afresh: bool) -> Settled:
            return self._writer.settle(
                run.name,
                step.parts,
                step.cursor,
                mode="full",
                org_count=step.org_count,
                watermark=run.started_at or None,
                afresh=afresh,
            )

        try:
            settled = settle(afresh=run.is_afresh)
        except StoreError as err:
            # All rows are here. If it is the state before that cannot be read, the object begins
            # afresh; if the store cannot be written, this fails as well, and ends the job.
            settled = settle(afresh=True)
            run.note(f"What older snapshots have of it cannot be read: {err}")
        return self._settled(run, settled, "full")

    def _vanished(self, run: ObjectRun, step: Commit) -> str:
        """
        Absence is no deletion: where far fewer rows are left than before, and the org's statistic
        does not say so, this user may have lost the right to see them.
        """
        base = self._writer.base(run.name)
        if base is None:
            return ""
        alive = run.progress.rows + sum(part.rows for part in step.parts)
        binned = run.progress.deleted + sum(part.deleted for part in step.parts)
        lost = base.rows + base.deleted - alive - binned
        if is_small(lost, base.rows) or is_witnessed(lost, base.rows, run.record_count):
            return ""
        run.warnings["partial_visibility"] = out_of_sight(lost, base.rows)
        return run.warnings["partial_visibility"]

    def changes(self, run: ObjectRun, step: Settle) -> str:
        """The changes are read: what does not agree, or empty when the object is complete."""
        # A sweep that nothing was committed for has no cursor; its moment is the org's, too.
        cursor = {"started_at": run.started_at, **run.cursor}
        settled = self._writer.settle(
            run.name,
            (),
            cursor,
            mode="columns" if step.refresh else "changes",
            fields=step.refresh,
            gone=step.gone,
            org_count=step.org_count,
            watermark=step.watermark,
            org_digest=step.org_digest,
            swept=step.org_digest is not None,
        )
        return self._settled(run, settled, "incremental")

    def _settled(self, run: ObjectRun, settled: Settled, mode: str) -> str:
        if settled.proof.problem:
            return settled.proof.problem
        run.progress = settled.progress
        run.warnings.pop("count_mismatch", None)
        run.note(*proof_notes(settled.proof))
        run.outcome = {
            "mode": mode,
            "added": settled.added,
            "changed": settled.changed,
            "deleted": settled.deleted,
            "refreshed": settled.refreshed,
            "org_count": settled.proof.org_count,
            "our_count": settled.progress.rows + settled.progress.deleted,
            # A full reading compares all Ids with those that were stored, and has the org's count.
            "ids_match": True if mode == "full" else settled.ids_match,
        }
        return ""

    def unchanged(self, run: ObjectRun, step: Unchanged) -> None:
        """Nothing has changed. Call ``flush`` before anybody may rely on it."""
        change = run.change
        assert change is not None  # noqa: S101 - only changes can be none
        self._unchanged[run.name] = Said(step.watermark, step.org_count)
        run.progress = replace(NOTHING, rows=change.alive, deleted=change.binned, is_done=True)
        run.outcome = {
            "mode": "incremental",
            "added": 0,
            "changed": 0,
            "deleted": 0,
            "org_count": step.org_count,
            "our_count": change.alive + change.binned,
            "ids_match": None,
        }

    def flush(self) -> None:
        """Write down what is unchanged: one file for all objects since the last time."""
        if self._unchanged:
            self._writer.unchanged(self._unchanged)
            self._unchanged = {}

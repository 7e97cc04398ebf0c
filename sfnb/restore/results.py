"""A restore in numbers: records by what became of them. Pure, but for reading the job's folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from sfnb.restore.folder import RestoreFolder
from sfnb.restore.outcomes import Outcomes
from sfnb.restore.plan import RestorePlan
from sfnb.restore.wave_rows import WaveRows


@dataclass(frozen=True, slots=True)
class Restored:
    """
    Records by what became of them, counted as in the plan: each one once.

    Args:
        unfinished: rows that were refused of records that were written all the same, such as a
            reference that could not be filled; not in the JSON, but in the rejects file.
    """

    created: int = 0
    updated: int = 0
    undeleted: int = 0
    skipped: int = 0
    refused: int = 0
    unfinished: int = 0

    @property
    def written(self) -> int:
        return self.created + self.updated + self.undeleted

    def as_json(self) -> dict[str, int]:
        return {name: count for name, count in asdict(self).items() if name != "unfinished"}


def restored_of(plan: RestorePlan, outcomes: Outcomes, object_name: str | None = None) -> Restored:
    """
    What became of the plan's records, of all objects or one.

    A reference that is filled later counts with the record that it belongs to; a record that is
    updated by two waves counts once by the plan's number.
    """
    names = [object_name] if object_name is not None else list(plan.objects)
    created = undeleted = refused = unfinished = 0
    updated: Counter[str] = Counter()
    not_updated: Counter[str] = Counter()
    for wave in plan.waves:
        if wave.object_name not in names:
            continue
        made = outcomes.has(wave.number, "create")
        changed = outcomes.has(wave.number, "update")
        back = outcomes.has(wave.number, "undelete")
        created += made.done if made else 0
        undeleted += back.done if back else 0
        refused += len(made.refusals) if made else 0
        if changed and wave.kind == "update":
            updated[wave.object_name] += changed.done
            not_updated[wave.object_name] += len(changed.refusals)
        elif changed:
            unfinished += len(changed.refusals)
    planned = {name: plan.objects[name] for name in names if name in plan.objects}
    done = {name: min(count, planned[name].update) for name, count in updated.items()}
    for name, count in not_updated.items():
        # The rest are rows of records that the run has created itself.
        of_living = min(count, planned[name].update - done.get(name, 0))
        refused += of_living
        unfinished += count - of_living
    return Restored(
        created,
        sum(done.values()),
        undeleted,
        sum(counts.skip for counts in planned.values()),
        refused + sum(counts.refuse for counts in planned.values()),
        unfinished,
    )


def created_rows(
    folder: RestoreFolder, plan: RestorePlan, outcomes: Outcomes
) -> Iterator[tuple[str, str, str]]:
    """Object, old Id and new Id of each record that was created."""
    for wave in plan.waves:
        made = outcomes.has(wave.number, "create")
        if made is None or not made.done:
            continue
        old_ids = WaveRows(folder, wave).old_ids()
        for place in made.done_places():
            yield wave.object_name, old_ids[place], made.ids[place]

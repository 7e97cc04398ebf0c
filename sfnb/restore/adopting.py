"""
Records that are there already when a restore comes to make them: what the org makes together with
another record, and what it refuses as a double. They are found by their key, changed where they differ,
and their new Ids are kept; none is made twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from sfnb.errors import ObjectError, OrgUnavailable, TransientError
from sfnb.org.answers import text_of
from sfnb.org.ids import to18
from sfnb.restore.changes import mending
from sfnb.restore.journal import Done, Outcome, Refused
from sfnb.restore.lookup import QUERIES_PER_CALL, parts
from sfnb.restore.plan import Wave
from sfnb.restore.relating import MADE_WITH_EMAIL
from sfnb.restore.sending import DOUBLES, Item
from sfnb.restore.standard.rules import rule_of
from sfnb.restore.wave_rows import WaveRows

if TYPE_CHECKING:
    from sfnb.restore.wave_run import WaveRun

KEYS_PER_QUERY = 100
NOT_MADE = "NOT_MADE"
"""The code of a record that the org should have made by itself, and has not."""

AMBIGUOUS = "AMBIGUOUS_MATCH"

Found = Mapping[int, list[Mapping[str, Any]]]


@dataclass
class Adopting:
    """The records of one run that are found instead of made."""

    run: WaveRun
    _tried: set[tuple[int, int]] = field(default_factory=set)

    def companions(self, wave: Wave, places: Sequence[int]) -> Sequence[int]:
        """
        Find what the org has made together with other records; the places that are left to be sent.

        Cost: 1 API call for 500 of them, and what is sent to change them.
        """
        if not places or not (reasons := WaveRows(self.run.folder, wave).reasons()):
            return places
        rule = rule_of(wave.object_name)
        by_email = [place for place in places if reasons.get(place) == MADE_WITH_EMAIL]
        by_key = [place for place in places if place in reasons and place not in set(by_email)]
        looks = [(items, self._of_emails(wave, items)) for items in self._groups(wave, by_email)]
        looks += [
            (items, self._found(wave, rule.made_key, items)) for items in self._groups(wave, by_key)
        ]
        left = {place for place in places if place not in reasons}
        for items, found in looks:
            self._take(wave, items, found, is_fixed=rule.is_made_fixed)
            if found is None:
                continue
            missing = [item.place for item in items if not found.get(item.place)]
            if rule.is_made_perhaps:
                left.update(missing)
                continue
            why = "the org has not made it ({})."
            noted = [(p, Refused(NOT_MADE, why.format(reasons[p]))) for p in missing]
            self.run.note(wave, "create", noted)
        return sorted(left)

    def _of_emails(self, wave: Wave, items: Sequence[Item]) -> Found | None:
        """By place, the task that the org has made for the row's e-mail. Cost: 2 calls for 200."""
        run, lookup = self.run, self.run.sender.lookup
        target = run.target_of(wave.object_name)
        emails = {item.place: run.ids.of(item.row.with_parent) for item in items}
        try:
            made = lookup.by_id("EmailMessage", sorted(set(emails.values())), ("ActivityId",))
            tasks = {
                place: text_of(made[email].get("ActivityId"))
                for place, email in emails.items()
                if email in made
            }
            ids = sorted({task for task in tasks.values() if task})
            columns = ["IsDeleted", *(name for name in wave.columns if target.has(name))]
            found = lookup.by_id(wave.object_name, ids, columns) if ids else {}
        except OrgUnavailable:
            raise
        except (TransientError, ObjectError) as err:
            self._unread(wave, items, err)
            return None
        return {place: [found[task]] for place, task in tasks.items() if task in found}

    def _unread(self, wave: Wave, items: Sequence[Item], err: Exception) -> None:
        why = Refused(NOT_MADE, f"whether it is there cannot be read: {err}")
        self.run.note(wave, "create", [(item.place, why) for item in items])

    def doubles(self, wave: Wave) -> None:
        """
        Find what the org refused since it is there already, by what tells such records apart.

        Cost: none without such refusals; else 1 API call for 500.
        """
        rule = rule_of(wave.object_name)
        if not rule.natural_key:
            return
        refusals = self.run.outcomes.of(wave.number, "create", wave.rows).refusals
        places = sorted(
            place
            for place, refused in refusals.items()
            if refused.code in DOUBLES and (wave.number, place) not in self._tried
        )
        self._tried |= {(wave.number, place) for place in places}
        for items in self._groups(wave, places):
            self._take(wave, items, self._found(wave, rule.natural_key, items), is_fixed=False)

    def _groups(self, wave: Wave, places: Sequence[int]) -> Iterator[list[Item]]:
        """Rows as one call looks them up."""
        source = self.run.items(wave, "create", places)
        while group := list(islice(source, KEYS_PER_QUERY * QUERIES_PER_CALL)):
            yield group

    def _found(self, wave: Wave, key: Sequence[str], items: Sequence[Item]) -> Found | None:
        """
        By place, the living records that have the row's key; None: the org does not tell, and the
        rows are refused.
        """
        target = self.run.target_of(wave.object_name)
        key = [name for name in key if target.has(name)]
        flag = ["IsDeleted"] if target.has("IsDeleted") else []
        columns = [*flag, *key, *(n for n in wave.columns if target.has(n) and n not in key)]
        keyed = [item for item in items if any(item.values.get(name) for name in key)]
        conditions = [
            " OR ".join(dict.fromkeys(_condition(item.values, key) for item in some))
            for some in parts(keyed, KEYS_PER_QUERY)
        ]
        lookup = self.run.sender.lookup
        try:
            records = list(lookup.together(wave.object_name, columns, conditions)) if keyed else []
        except OrgUnavailable:
            raise
        except (TransientError, ObjectError) as err:
            self._unread(wave, items, err)
            return None
        alive = [record for record in records if record.get("IsDeleted") is not True]
        return _by_place(keyed, alive, key)

    def _take(
        self, wave: Wave, items: Sequence[Item], found: Found | None, *, is_fixed: bool
    ) -> None:
        """Change the records that were found, then keep their Ids."""
        if found is None:
            return
        target = self.run.target_of(wave.object_name)
        policy = self.run.plan.options.get("on_conflict", "overwrite")
        changes: list[Item] = []
        noted: list[tuple[int, Outcome]] = []
        for item in items:
            records = found.get(item.place, [])
            if len(records) > 1:
                why = Refused(AMBIGUOUS, "two records of the org may be this one.")
                noted.append((item.place, why))
            elif records:
                record_id = to18(text_of(records[0].get("Id")))
                noted.append((item.place, Done(record_id)))
                differing = (
                    {} if is_fixed else dict(mending(item.values, records[0], target, policy))
                )
                if differing:
                    changes.append(Item(item.place, item.row, record_id, differing))
        # First the values: killed in between, the next run finds the records again and compares.
        self.run.collections.send(wave, "update", changes)
        self.run.note(wave, "create", noted)


def _condition(values: Mapping[str, Any], key: Iterable[str]) -> str:
    texts = [f"{name} = '{values[name]}'" for name in key if values.get(name)]
    return f"({' AND '.join(texts)})"


def _by_place(
    items: Sequence[Item], records: Sequence[Mapping[str, Any]], key: Sequence[str]
) -> Found:
    """Each row with the records that have all that its key says. Pure."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    indexes: dict[tuple[str, ...], dict[tuple[Any, ...], list[Mapping[str, Any]]]] = {}
    for item in items:
        names = tuple(name for name in key if item.values.get(name))
        if names not in indexes:
            index = indexes[names] = defaultdict(list)
            for record in records:
                index[tuple(record.get(name) for name in names)].append(record)
        found[item.place] = indexes[names].get(tuple(item.values[n] for n in names), [])
    return found

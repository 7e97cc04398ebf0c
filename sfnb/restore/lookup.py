"""
What became of rows whose answer was lost: asked of the org before anything is sent again.

Updates and undeletes are read by their Ids. A created record is found by a unique external id, else
by its content among the records that changed since the batch was sent and that no other batch made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote_plus

from sfnb.errors import ObjectError, OrgUnavailable, StopSignal, TransientError
from sfnb.jobs.work import JobContext, Tick
from sfnb.org.answers import json_of, text_of
from sfnb.org.composite import SubRequest, fetch_composite
from sfnb.org.ids import is_api_name, is_record_id, to18
from sfnb.org.rows import all_rows
from sfnb.restore.changes import is_same
from sfnb.restore.journal import AGAIN, Batch, Done, Outcome, Refused
from sfnb.restore.plan import Wave

if TYPE_CHECKING:
    from sfnb.restore.sending import Item

T = TypeVar("T")

IDS_PER_QUERY = 200
QUERIES_PER_CALL = 5
KEYS_PER_QUERY = 100
PAGE_ROWS = 2_000

SETTLE_S = 60.0
"""
A call whose answer was lost may still be at work: nothing of it is seen before it ends. Apex and the
database have 10 s of CPU time and more of waiting (Apex guide, limits).
"""

LOOKS_S = (0.0, 5.0, 20.0, SETTLE_S)
"""The batch's age at which it is looked for, as long as nothing of it is found."""

ENOUGH = 0.6
"""The share of a row's values that a record must have to be taken for it, where automation changed some."""

UNKNOWN_OUTCOME = "OUTCOME_UNKNOWN"
"""The code of a row that may have been written; it is not sent again."""


@dataclass
class Lookup:
    """
    Finds lost rows of one job.

    Args:
        keys: by object, a unique external id.
        claimed: whether a record was made by another batch of this job.
    """

    context: JobContext
    keys: Mapping[str, str]
    claimed: Callable[[str], bool]
    tick: Tick
    settle_s: float = SETTLE_S
    _fields: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def find(
        self, batch: Batch, wave: Wave, items: Sequence[Item], *, is_over: bool = False
    ) -> list[Outcome]:
        """
        Each row's outcome: done, to be sent again, or refused where the org's answers tell nothing.

        Args:
            is_over: whoever worked on the batch has ended; nothing can appear later.

        Cost: 1 API call for 100 or 200 rows, 1 for 2,000 changed records; again while nothing of a
        batch is found, until it is a minute old.
        """
        try:
            if batch.act == "undelete":
                return self._undeleted(wave, items)
            if batch.act == "update":
                return self._updated(wave, items)
            return self._created(batch, wave, items, is_over=is_over)
        except OrgUnavailable:
            raise
        except (TransientError, ObjectError) as err:
            # The org is there and tells nothing of these rows, however often it is asked. Waiting
            # does not change that, and what nobody knows is not sent again.
            message = f"the answer was lost, and what became of it cannot be read: {err}"
            return [Refused(UNKNOWN_OUTCOME, message)] * len(items)

    # by Id

    def _undeleted(self, wave: Wave, items: Sequence[Item]) -> list[Outcome]:
        ids = [item.target_id for item in items]
        found = self.by_id(wave.object_name, ids, ("IsDeleted",))
        alive = {one for one, record in found.items() if record.get("IsDeleted") is False}
        return [Done(one) if one in alive else AGAIN for one in ids]

    def _updated(self, wave: Wave, items: Sequence[Item]) -> list[Outcome]:
        columns = sorted({name for item in items for name in item.values})
        found = self.by_id(wave.object_name, [item.target_id for item in items], columns)
        return [
            Done(item.target_id) if _has(found.get(item.target_id), item.values) else AGAIN
            for item in items
        ]

    def by_id(
        self, object_name: str, ids: Sequence[str], columns: Sequence[str]
    ) -> dict[str, Mapping[str, Any]]:
        """Records by Id, those in the recycle bin too. Cost: 1 API call for 200."""
        found: dict[str, Mapping[str, Any]] = {}
        groups = [f"Id IN ({_texts(some)})" for some in parts(ids, IDS_PER_QUERY)]
        if len(groups) == 1:
            records = self._records(object_name, columns, groups[0])
            return {_id_of(record): record for record in records}
        for five in parts(groups, QUERIES_PER_CALL):
            for record in self.together(object_name, columns, five):
                found[_id_of(record)] = record
        return found

    def together(
        self, object_name: str, columns: Sequence[str], conditions: Sequence[str]
    ) -> Iterator[Mapping[str, Any]]:
        """What up to five queries of few rows give, in one call."""
        org = self.context.client
        paths = [
            org.data_path(f"queryAll?q={quote_plus(_soql(object_name, columns, where))}")
            for where in conditions
        ]
        parts = fetch_composite(org, [SubRequest(f"q{n}", path) for n, path in enumerate(paths)])
        for where, part in zip(conditions, parts, strict=True):
            try:
                if (refused := part.refusal(object_name)) is not None:
                    raise refused
                first = json_of(part.body, what=object_name)
                yield from all_rows(
                    first, lambda path: org.fetch_json("GET", path), what=object_name
                )
            except (ObjectError, TransientError):  # it alone is sent again
                yield from self._records(object_name, columns, where)

    # created

    def _created(
        self, batch: Batch, wave: Wave, items: Sequence[Item], *, is_over: bool
    ) -> list[Outcome]:
        key = self.keys.get(wave.object_name, "")
        has_key = bool(key) and all(isinstance(i.values.get(key), str) for i in items)
        began_at = datetime.fromisoformat(batch.at)
        for age_s in self._looks(has_key=has_key, is_over=is_over):
            if not is_over:
                self._wait_until(began_at, age_s)
            found = (
                self._by_key(wave, items, key) if has_key else self._by_content(batch, wave, items)
            )
            # Rows of one call are committed together: one that is seen says that it has ended.
            if any(outcome != AGAIN for outcome in found):
                break
        return found

    def _looks(self, *, has_key: bool, is_over: bool) -> tuple[float, ...]:
        """The ages of a batch at which it is looked for."""
        # With a unique key a row that is written late cannot be written twice: the org refuses the
        # second one, and `doubles` finds the first.
        last_s = min(self.settle_s, LOOKS_S[1]) if has_key else self.settle_s
        return (last_s,) if is_over else (*(s for s in LOOKS_S if s < last_s), last_s)

    def doubles(self, wave: Wave, items: Sequence[Item], since: str) -> list[Outcome | None]:
        """
        Of rows that the org refuses as doubles: those that this job itself has written, though the
        answer was lost; None: the other record is somebody else's.

        Args:
            since: the org's time before the job's first call that wrote.

        Cost: 1 API call for 100 rows.
        """
        key = self.keys.get(wave.object_name, "")
        outcomes: list[Outcome | None] = [None] * len(items)
        if not key or not all(isinstance(i.values.get(key), str) for i in items):
            return outcomes
        columns = sorted({name for item in items for name in item.values if is_api_name(name)})
        began_at = datetime.fromisoformat(since)
        for some in parts(range(len(items)), KEYS_PER_QUERY):
            texts = _texts(str(items[at].values[key]) for at in some)
            names = ("SystemModstamp", *columns)
            found = {
                text_of(record.get(key)).casefold(): record
                for record in self._records(wave.object_name, names, f"{key} IN ({texts})")
            }
            for at in some:
                record = found.get(str(items[at].values[key]).casefold())
                if record is None or self.claimed(_id_of(record)):
                    continue
                is_new = _moment(record.get("SystemModstamp")) >= began_at
                if is_new and _share(items[at].values, record) >= ENOUGH:
                    outcomes[at] = Done(_id_of(record))
        return outcomes

    def written_late(self, batch: Batch, wave: Wave, items: Sequence[Item]) -> list[str]:
        """
        New records like these rows that none of the job's answers named: a batch that was sent
        again, since nothing of it was to be seen, may have been written after all. Cost: 1 API call
        for 2,000 changed records.
        """
        if self.keys.get(wave.object_name):
            return []
        found = self._by_content(batch, wave, items)
        return [outcome.record_id for outcome in found if isinstance(outcome, Done)]

    def _by_key(self, wave: Wave, items: Sequence[Item], key: str) -> list[Outcome]:
        found: dict[str, str] = {}
        for some in parts(items, KEYS_PER_QUERY):
            texts = _texts(str(item.values[key]) for item in some)
            for record in self._records(wave.object_name, (key,), f"{key} IN ({texts})"):
                found[text_of(record.get(key)).casefold()] = _id_of(record)
        outcomes: list[Outcome] = []
        for item in items:
            record_id = found.get(str(item.values[key]).casefold(), "")
            outcomes.append(Done(record_id) if record_id else AGAIN)
        return outcomes

    def _by_content(self, batch: Batch, wave: Wave, items: Sequence[Item]) -> list[Outcome]:
        columns = sorted({name for item in items for name in item.values if is_api_name(name)})
        at = datetime.fromisoformat(batch.at).astimezone(UTC)
        since = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        # A record that is made with an old CreatedDate is new by its SystemModstamp alone.
        is_dated = any("CreatedDate" in item.values for item in items)
        where = f"{'SystemModstamp' if is_dated else 'CreatedDate'} >= {since}"
        candidates = {
            record_id: record
            for record in self._records(wave.object_name, columns, where)
            if not self.claimed(record_id := _id_of(record))
        }
        return matched([item.values for item in items], candidates)

    def _wait_until(self, began_at: datetime, age_s: float) -> None:
        """Until the batch is so old by the org's clock."""
        clock = self.context.clock
        # The batch's moment is the org's; its clock may be behind ours, and then a batch that was
        # just sent would look old.
        left_s = age_s - max((self._now() - began_at).total_seconds(), 0.0)
        until_s = clock.monotonic() + min(left_s, age_s)
        while (rest_s := until_s - clock.monotonic()) > 0:
            if clock.wait(min(rest_s, 0.5), self.context.stop):
                raise StopSignal("pause")
            self.tick()

    def _now(self) -> datetime:
        """The org's time as its last answer gave it; ours where it tells none."""
        try:
            return self.context.client.org_now()
        except ObjectError:
            return self.context.clock.now() - timedelta(hours=1)

    # queries

    def _records(
        self, object_name: str, columns: Sequence[str], where: str
    ) -> list[Mapping[str, Any]]:
        """
        Records by a condition, in the order of their Ids; deleted ones too. A record that an answer
        leaves out would be written a second time, so each answer is proven.
        """
        org, soql = self.context.client, _soql(object_name, columns, where)

        def once() -> list[Mapping[str, Any]]:
            first = org.fetch_json("GET", "queryAll", params={"q": soql})
            return all_rows(first, lambda path: org.fetch_json("GET", path), what=object_name)

        return org.retrying(once)


def _id_of(record: Mapping[str, Any]) -> str:
    """
    A record's Id, 18 characters.

    Raises:
        TransientError: what was answered is no record.
    """
    record_id = record.get("Id")
    if not is_record_id(record_id):
        raise TransientError("an answer has a record without an Id.")
    return to18(str(record_id))


def _moment(value: object) -> datetime:
    """A moment of the org; what is none is long ago."""
    try:
        return datetime.fromisoformat(text_of(value))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The values, so many at a time."""
    return (values[start : start + size] for start in range(0, len(values), size))


def _soql(object_name: str, columns: Sequence[str], where: str) -> str:
    names = ",".join(dict.fromkeys(("Id", *columns)))
    return f"SELECT {names} FROM {object_name} WHERE {where} ORDER BY Id"  # noqa: S608 - SOQL


def matched(
    rows: Sequence[Mapping[str, Any]], candidates: Mapping[str, Mapping[str, Any]]
) -> list[Outcome]:
    """
    Which candidate each row became. Pure.

    Equal content first; equal rows may take each other's record. Then records of which automation
    changed a part, best first; where two are equally good for a row, nobody knows which it is, and
    the row is not sent again.
    """
    outcomes: list[Outcome] = [AGAIN] * len(rows)
    columns = sorted({name for row in rows for name in row})
    by_content: dict[str, list[str]] = {}
    for record_id, record in candidates.items():
        by_content.setdefault(_content(record, columns), []).append(record_id)
    left = []
    free = dict(candidates)
    for at, row in enumerate(rows):
        same = by_content.get(_content(row, columns)) if len(row) == len(columns) else None
        if not same:
            same = None
            left.append(at)
            continue
        record_id = same.pop()
        del free[record_id]
        outcomes[at] = Done(record_id)
    for at in left:
        scored = sorted(((_share(rows[at], r), i) for i, r in free.items()), reverse=True)
        good = [(share, record_id) for share, record_id in scored if share >= ENOUGH]
        if not good:
            continue
        if len(good) > 1 and good[0][0] == good[1][0] and good[0][0] < 1:
            message = "the answer was lost, and several new records are like this one."
            outcomes[at] = Refused(UNKNOWN_OUTCOME, message)
            continue
        outcomes[at] = Done(good[0][1])
        del free[good[0][1]]
    return outcomes


def _share(row: Mapping[str, Any], record: Mapping[str, Any]) -> float:
    """The share of the row's values that the record has."""
    names = [name for name, value in row.items() if value not in (None, "")]
    if not names:
        return 0.0
    same = sum(_same(row[name], record.get(name)) for name in names)
    return same / len(names)


def _has(record: Mapping[str, Any] | None, values: Mapping[str, Any]) -> bool:
    return record is not None and all(_same(v, record.get(name)) for name, v in values.items())


def _same(one: Any, other: Any) -> bool:
    return is_same(_plain(one), _plain(other))


def _plain(value: Any) -> Any:
    """Salesforce trims text and keeps LF alone."""
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value


def _content(record: Mapping[str, Any], columns: Iterable[str]) -> str:
    return json.dumps([_canonical(record.get(name)) for name in columns], ensure_ascii=False)


def _canonical(value: Any) -> Any:
    """One spelling for what is the same to Salesforce; see ``changes.is_same``."""
    value = _plain(value)
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and len(value) >= 19 and value[10:11] == "T":
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else value
    return value


def _texts(values: Iterable[str]) -> str:
    """A list of SOQL texts (SOQL guide, quoted string escape sequences)."""
    escaped = (v.replace("\\", "\\\\").replace("'", "\\'") for v in values)
    return ",".join(f"'{one}'" for one in escaped)

"""
The org's own log of API calls: EventLogFile, event type ApiTotalUsage, one CSV row for each call.

Daily files appear the day after, hourly ones (with Event Monitoring) after three to six hours. A
further file may follow with what arrived late (Object Reference, EventLogFile). Columns change by
release, so the header row is read, and a missing column is empty.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from sfnb.errors import ObjectError
from sfnb.org.answers import MOST, count_of, mapping_of, mappings_of, text_of
from sfnb.org.arrow.csv import Readable, header_names, whole_records
from sfnb.org.bodies import BodyStream
from sfnb.org.charset import utf8_stream
from sfnb.org.client import OrgClient
from sfnb.org.ids import is_record_id
from sfnb.org.secrets import clean
from sfnb.usage.store.values import Caller, EventFile, EventTally, minute_number

COLUMNS = (
    "TIMESTAMP", "TIMESTAMP_DERIVED", "REQUEST_ID", "API_FAMILY", "API_RESOURCE", "CLIENT_NAME", "CONNECTED_APP_ID",
    "CONNECTED_APP_NAME", "COUNTS_AGAINST_API_LIMIT", "ENTITY_NAME", "USER_ID", "USER_NAME",
)  # fmt: skip
"""Of ApiTotalUsage, what is used here; the others are not even parsed."""

WHO = (
    "CONNECTED_APP_NAME",
    "CONNECTED_APP_ID",
    "CLIENT_NAME",
    "USER_NAME",
    "USER_ID",
    "API_FAMILY",
    "ENTITY_NAME",
)
TRUE = [b"1", b"true", b"True", b"TRUE"]
SFNB_CLIENT = "sfnb/"

BLOCK_BYTES = 4_000_000
"""Parsed at a time; memory stays flat, whatever the file's length."""

MAX_GROUPS = 200_000
"""Combinations of hour and caller kept before they are summed up again."""

MAX_CALLERS = 500
"""Callers of one file that are kept by name; the others are summed up as one without a name."""

UNNAMED = Caller("(all others)", "(all others)", "", "", is_sfnb=False)
SEPARATOR = b"\x1f"

MAX_PAGES = 1000
"""Of 2,000 files each: an org keeps at most 365 days of hourly files."""


def fetch_event_files(org: OrgClient, since: datetime) -> list[EventFile]:
    """
    The ApiTotalUsage files created since then, oldest first.

    Cost: 1 API call for 2,000 files; 1 more in an org without hourly files.

    Raises:
        ObjectError: the user may not see them, or the org does not keep them.
    """
    try:
        return _fetch_files(org, since, "Interval, Sequence, ")
    except ObjectError as err:
        if err.code != "INVALID_FIELD":
            raise
        # Orgs without hourly logs lack the fields Interval and Sequence: their files are daily
        # ones.
        return _fetch_files(org, since, "")


def _fetch_files(org: OrgClient, since: datetime, more_fields: str) -> list[EventFile]:
    soql = (
        f"SELECT Id, LogDate, LogFileLength, {more_fields}CreatedDate "  # noqa: S608 - SOQL of our own
        "FROM EventLogFile "
        f"WHERE EventType = 'ApiTotalUsage' AND CreatedDate >= {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} "
        "ORDER BY CreatedDate, Id"
    )
    found: list[EventFile] = []
    answer = org.fetch_json("GET", "query", params={"q": soql})
    for _ in range(MAX_PAGES):
        files, following = parse_event_files(answer)
        found += files
        if not following:
            return found
        answer = org.fetch_json("GET", following)
    raise ObjectError("the list of event log files does not end.", code="ENDLESS")


def parse_event_files(answer: object) -> tuple[list[EventFile], str]:
    """
    The files in one query answer, and where the next page is; pure.

    Raises:
        ObjectError: it is no list of files.
    """
    listed = mapping_of(answer)
    if not isinstance(listed.get("records"), list):
        raise ObjectError("the answer is no list of event log files.", code="NO_RECORDS")
    is_done = listed.get("done", True) is True
    following = "" if is_done else text_of(listed.get("nextRecordsUrl"))
    if not is_done and not following:
        raise ObjectError("the list of event log files is cut off.", code="NO_RECORDS")
    return [_event_file(record) for record in mappings_of(listed["records"])], following


def fetch_tally(org: OrgClient, file: EventFile, *, seen: bytes = b"") -> EventTally:
    """
    What one file holds, read as a stream. Cost: 1 API call.

    Args:
        seen: row hashes of files of the same hour that were read before; their rows are left out.

    Raises:
        ObjectError: the file is gone, or is no CSV.
    """

    def once() -> EventTally:
        path = f"sobjects/EventLogFile/{quote(file.file_id, safe='')}/LogFile"
        response = org.request("GET", path, stream=True)
        try:
            stream = BodyStream(response, what="an event log file", clock=org.clock)
            return tally_events(utf8_stream(stream, response.headers), file, seen=seen)
        except pa.ArrowException as err:
            raise ObjectError(
                f"event log file {file.file_id}: is no CSV of events ({type(err).__name__})."
            ) from err
        finally:
            response.close()

    return org.retrying(once)


def tally_events(stream: Readable, file: EventFile, *, seen: bytes = b"") -> EventTally:
    """
    A file's calls by hour and caller, and by minute.

    Read block by block: a million lines take seconds, in flat memory. A row whose time cannot be
    read counts at the file's beginning. Hashes of rows are kept for hourly files only.

    Raises:
        TransientError: the file ended within a record.
        ObjectError: its header cannot be read.
        pyarrow.ArrowException: it is no CSV.
    """
    tally = _Tally(file, np.frombuffer(seen, dtype=np.uint64))
    names: list[str] = []
    # Not Arrow's streaming reader: its thread goes on reading when a damaged file ends ours, and has
    # crashed the process.
    for records in whole_records(stream, chunk=BLOCK_BYTES):
        rows = records
        if not names:
            header, _, rows = records.partition(b"\n")
            names = header_names(header) if header.strip() else []
            if not names:
                break
        if rows.strip():
            tally.add(_table_of(rows, names))
    return tally.result()


def _table_of(rows: bytes, names: list[str]) -> pa.Table:
    """Whole records, as columns of bytes: a name that is no UTF-8 must not cost us the file."""
    return csv.read_csv(
        pa.BufferReader(pa.py_buffer(rows)),
        read_options=csv.ReadOptions(
            column_names=names, block_size=len(rows) + 1, use_threads=False
        ),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            include_columns=list(COLUMNS),
            include_missing_columns=True,
            column_types=dict.fromkeys(COLUMNS, pa.binary()),
            strings_can_be_null=False,
        ),
    )


@dataclass
class _Tally:
    """
    Sums over a file's blocks. ``groups`` and ``minutes`` are summed up again when they grow long.
    """

    file: EventFile
    seen: npt.NDArray[np.uint64]
    rows: int = 0
    groups: list[pa.Table] = field(default_factory=list)
    minutes: list[pa.Table] = field(default_factory=list)
    hashes: list[npt.NDArray[np.uint64]] = field(default_factory=list)

    def add(self, rows: pa.Table) -> None:
        rows = pa.table({name: _filled(rows[name]) for name in COLUMNS})
        if self.file.interval == "Hourly":
            hashes = _row_hashes(rows)
            is_new = ~np.isin(hashes, self.seen)
            self.hashes.append(hashes[is_new])
            rows = rows.filter(pa.array(is_new))
        if not rows.num_rows:
            return
        self.rows += rows.num_rows
        counted = rows["COUNTS_AGAINST_API_LIMIT"]
        # Empty: the column is missing or says nothing. Then the call is taken to count.
        counts = pc.or_(pc.is_in(counted, pa.array(TRUE)), pc.equal(counted, b""))
        minute = pc.binary_slice(_timestamps(rows), 0, 12)
        is_sfnb = pc.starts_with(rows["CLIENT_NAME"], SFNB_CLIENT.encode())
        number = pc.cast(counts, pa.int64())
        table = pa.table(
            {
                "minute": minute,
                "hour": pc.binary_slice(minute, 0, 10),
                "who": pc.binary_join_element_wise(*(rows[name] for name in WHO), SEPARATOR),
                "calls": number,
                "free": pc.subtract(1, number),
                "own": pc.multiply(number, pc.cast(is_sfnb, pa.int64())),
            }
        )
        self.groups.append(_summed(table, ["hour", "who"], ["calls", "free"]))
        self.minutes.append(_summed(table, ["minute"], ["calls", "own"]))
        if sum(part.num_rows for part in self.groups) > MAX_GROUPS:
            self.groups = [
                _summed(pa.concat_tables(self.groups), ["hour", "who"], ["calls", "free"])
            ]
        if len(self.minutes) > 100:
            self.minutes = [_summed(pa.concat_tables(self.minutes), ["minute"], ["calls", "own"])]

    def result(self) -> EventTally:
        hashes = np.concatenate(self.hashes).tobytes() if self.hashes else b""
        if not self.groups:
            return EventTally(self.rows, row_hashes=hashes)
        minutes: Counter[int] = Counter()
        own: Counter[int] = Counter()
        for row in _summed(
            pa.concat_tables(self.minutes), ["minute"], ["calls", "own"]
        ).to_pylist():
            number = self._minute(row["minute"])
            minutes[number] += row["calls"]
            own[number] += row["own"]
        groups = _summed(pa.concat_tables(self.groups), ["hour", "who"], ["calls", "free"])
        names = _most_frequent(groups)
        callers = [_caller(name) for name in names.to_pylist()]
        # Where a name is in the list; null: not among the most frequent.
        groups = groups.append_column("caller", pc.index_in(groups["who"], names))
        hours: dict[tuple[int, Caller], tuple[int, int]] = {}
        for row in _summed(groups, ["hour", "caller"], ["calls", "free"]).to_pylist():
            caller = callers[row["caller"]] if row["caller"] is not None else UNNAMED
            key = (self._minute(row["hour"] + b"00") // 60, caller)
            calls, free = hours.get(key, (0, 0))
            hours[key] = (calls + row["calls"], free + row["free"])
        by_minute = {number: (calls, own[number]) for number, calls in minutes.items()}
        return EventTally(self.rows, hours, by_minute, hashes)

    def _minute(self, text: bytes) -> int:
        try:
            return minute_number(
                datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M").replace(tzinfo=UTC)
            )
        except ValueError:
            return minute_number(self.file.log_at)


def _filled(column: Any) -> Any:
    filled = pc.fill_null(pc.cast(column, pa.binary()), b"")
    # The separator within a name would make one name two.
    return pc.replace_substring(filled, SEPARATOR, b" ").combine_chunks()


def _timestamps(rows: pa.Table) -> Any:
    """
    ``yyyyMMddHHmmss…`` of each row: TIMESTAMP, or TIMESTAMP_DERIVED (ISO) where that is empty.
    """
    derived = pc.replace_substring_regex(
        pc.cast(rows["TIMESTAMP_DERIVED"], pa.string()), r"[-:T]", ""
    )
    plain = rows["TIMESTAMP"]
    return pc.if_else(pc.equal(plain, b""), pc.cast(derived, pa.binary()), plain)


def _summed(table: pa.Table, keys: list[str], values: list[str]) -> pa.Table:
    found = table.group_by(keys, use_threads=False).aggregate([(name, "sum") for name in values])
    return found.select([*keys, *(f"{name}_sum" for name in values)]).rename_columns(
        [*keys, *values]
    )


def _row_hashes(rows: pa.Table) -> npt.NDArray[np.uint64]:
    """A number for each row. Rows of one request, time, resource and object are one call."""
    import pandas as pd

    texts = pc.binary_join_element_wise(
        rows["REQUEST_ID"], rows["TIMESTAMP"], rows["API_RESOURCE"], rows["ENTITY_NAME"], SEPARATOR
    )
    values = np.asarray(texts.to_numpy(zero_copy_only=False), dtype=object)
    hashes: npt.NDArray[np.uint64] = pd.util.hash_array(values, categorize=False)
    return hashes


def _most_frequent(groups: pa.Table) -> Any:
    """The names of the ``MAX_CALLERS`` callers with the most calls, counted or not."""
    sums = _summed(groups, ["who"], ["calls", "free"])
    total = sums.append_column("total", pc.add(sums["calls"], sums["free"]))
    return (
        total.sort_by([("total", "descending"), ("who", "ascending")])["who"]
        .slice(0, MAX_CALLERS)
        .combine_chunks()
    )


def _caller(who: bytes) -> Caller:
    texts = dict(
        zip(
            WHO,
            (clean(part.decode("utf-8", errors="replace"))[:255] for part in who.split(SEPARATOR)),
            strict=True,
        )
    )
    client = texts["CLIENT_NAME"]
    return Caller(
        app=texts["CONNECTED_APP_NAME"] or texts["CONNECTED_APP_ID"] or re.split("/", client)[0],
        user=texts["USER_NAME"] or texts["USER_ID"],
        family=texts["API_FAMILY"][:64],
        entity=texts["ENTITY_NAME"],
        is_sfnb=client.startswith(SFNB_CLIENT),
    )


def _event_file(record: Mapping[str, Any]) -> EventFile:
    file_id = text_of(record.get("Id"))
    if not is_record_id(file_id):
        raise ObjectError("an event log file has no Id.", code="NO_RECORDS")
    return EventFile(
        file_id=file_id,
        interval="Hourly" if record.get("Interval") == "Hourly" else "Daily",
        log_at=parse_moment(record.get("LogDate")),
        sequence=count_of(record.get("Sequence")) or 0,
        created_at=parse_moment(record.get("CreatedDate")),
        bytes=_bytes_of(record.get("LogFileLength")),
    )


def _bytes_of(value: object) -> int:
    # Salesforce describes the length as a double.
    return int(value) if isinstance(value, int | float) and 0 <= value < MOST else 0


def parse_moment(value: object) -> datetime:
    """
    A moment as REST writes it: ``2026-11-09T00:00:00.000+0000``.

    Raises:
        ObjectError: it is none.
    """
    try:
        return datetime.fromisoformat(text_of(value)).astimezone(UTC)
    except (ValueError, OverflowError) as err:
        raise ObjectError("an event log file has no time.", code="NO_RECORDS") from err


def unread(listed: list[EventFile], known: dict[str, EventFile]) -> Iterator[EventFile]:
    """
    The files worth reading, oldest first: none that was read before, none that a daily file
        replaces.
    """
    newest: dict[int, EventFile] = {}
    for file in sorted([*known.values(), *listed], key=lambda one: one.created_at):
        if file.interval == "Daily":
            newest[file.log_hour] = file
    for file in sorted(listed, key=lambda one: (one.created_at, one.log_at, one.sequence)):
        daily = newest.get(file.log_hour // 24 * 24)
        if file.file_id not in known and (daily is None or daily.file_id == file.file_id):
            yield file

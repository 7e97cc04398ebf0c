"""The tables. A change here comes with a new revision in ``migrations/versions``."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from sfnb.state.moment import Moment

metadata = MetaData()

OrgId = String(18)
ApiName = String(16)

limits = Table(
    "limits",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("api", ApiName, primary_key=True),
    Column("percent", Integer, nullable=False),
)

reserves = Table(
    "reserves",  # the limit percents of restores, where they have their own
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("api", ApiName, primary_key=True),
    Column("percent", Integer, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),  # as it was hashed, to the letter
    Column("org", Text, nullable=False),
    Column("org_id", OrgId, nullable=False),
    Column("api", ApiName, nullable=False),
    Column("who", Text, nullable=False),
    Column("old", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    # Whose limit: empty: the org's ordinary one; "restore".
    Column("limit_of", String(32), nullable=False, server_default=""),
    # What was done: "limit", or one of `sfnb.model.AUDIT_KINDS`; the other columns: state/audit.py.
    Column("kind", String(32), nullable=False, server_default="limit"),
    Column("action", String(32), nullable=False, server_default=""),
    Column("subject", Text, nullable=False, server_default=""),
    Column("details", Text, nullable=False, server_default=""),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)

holds = Table(
    "holds",  # what must neither be pruned, archived nor erased
    metadata,
    Column("hold_id", String(32), primary_key=True),
    Column("org", Text, nullable=False),
    Column("org_id", OrgId, nullable=False, index=True),
    Column("object", String(255), nullable=False),
    Column("condition", Text, nullable=True),  # null: all records, or those of hold_records
    Column("is_whole", Boolean, nullable=False),  # all records of the object
    Column("reason", Text, nullable=False),
    Column("records", BigInteger, nullable=False),  # how many when it was added
    Column("who", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

hold_records = Table(
    "hold_records",
    metadata,
    Column("hold_id", String(32), primary_key=True),
    Column("record_id", String(18), primary_key=True),
)

team = Table(
    "team",  # nobody in it: everybody is an admin
    metadata,
    Column("user", String(255), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("since", Moment, nullable=False),
)

gates = Table(
    "gates",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column(
        "last_number", BigInteger, nullable=False
    ),  # of the tickets given out; also the row everyone locks first
    Column("last_probe_at", Moment, nullable=True),
)

gauges = Table(
    "gauges",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("api", ApiName, primary_key=True),
    Column("used", BigInteger, nullable=False),
    Column("max", BigInteger, nullable=False),
    Column("own", BigInteger, nullable=False),
    Column("since", Moment, nullable=True),
    Column("heard_from", Moment, nullable=True),
    Column("read_at", Moment, nullable=True),
    Column("is_known", Boolean, nullable=False),
    Column("missing_at", Moment, nullable=True),
)

recent = Table(
    "recent",  # what the gate adds to a reading that is old: the last half hour, call by call
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("api", ApiName, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("units", BigInteger, nullable=False),  # that calls of ours spent that ended then
    Column(
        "reported", BigInteger, nullable=False
    ),  # the highest number that arrived then; -1: none
    sqlite_with_rowid=False,
)

tickets = Table(
    "tickets",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("api", Integer, nullable=False),
    Column("bulk", Integer, nullable=False),
    Column("bulk2", Integer, nullable=False),
    Column("bulk2_mb", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_started_s", BigInteger, nullable=False),
    Column("taken_at", Moment, nullable=False),
    Column("job_id", String(64), nullable=False),
    Column("object", String(255), nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("api", ApiName, primary_key=True),
    Column("minute_at", Moment, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("max", BigInteger, nullable=False),
    Column("source", String(8), nullable=False),
)

calls = Table(
    "calls",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("api", ApiName, primary_key=True),
    Column("minute_at", Moment, primary_key=True),
    Column("job_id", String(64), primary_key=True),  # empty: no job's
    Column("object", String(255), primary_key=True),  # empty: no object's
    Column("calls", BigInteger, nullable=False),
)
Index("calls_by_job", calls.c.job_id)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("org", Text, nullable=False),
    Column("org_id", OrgId, nullable=False),
    Column("state", String(32), nullable=False),
    Column("snapshot", String(64), nullable=True),
    Column("objects", JSON(none_as_null=True), nullable=True),  # null: all objects
    Column("options", JSON, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=True),
    Column("rows", BigInteger, nullable=False),
    Column("error", Text, nullable=True),
    Column("wanted", String(16), nullable=True),
    Column(
        "lease_token", String(32), nullable=True
    ),  # null: free; empty: created here, not running yet
    Column("lease_host", Text, nullable=True),
    Column("lease_pid", Integer, nullable=True),
    Column("lease_pid_started_s", BigInteger, nullable=True),
    Column("lease_until", Moment, nullable=True),
    Column(
        "outcome", JSON(none_as_null=True), nullable=True
    ),  # what it found out, see jobs.Outcome
)
Index("jobs_by_org", jobs.c.org_id)

job_objects = Table(
    "job_objects",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("object", String(255), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("message", Text, nullable=True),
    Column("outcome", JSON(none_as_null=True), nullable=True),  # counts of an incremental backup
)

job_pauses = Table(
    "job_pauses",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String(64), nullable=False, index=True),
    Column("api", ApiName, nullable=False),
    Column("at", Moment, nullable=False),
    Column("resumed_at", Moment, nullable=True),
    Column("used", BigInteger, nullable=False),
    Column("max", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

sample_hours = Table(
    "sample_hours",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("api", ApiName, primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),  # hours since 1970, UTC
    Column("minute", Integer, nullable=False),  # of the sample within the hour, 0 to 59
    Column("used", BigInteger, nullable=False),
    Column("max", BigInteger, nullable=False),
    # Half the size: the rows live in the index itself (SQLite; PostgreSQL does not know the
    # option).
    sqlite_with_rowid=False,
)

event_reads = Table(
    "event_reads",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("tried_at", Moment, nullable=False),
    Column("read_at", Moment, nullable=True),  # when it last worked
    Column("bookmark_at", Moment, nullable=True),  # CreatedDate of the newest file that was read
    Column("problem", Text, nullable=False),  # why it did not work; empty: it did
)

report_reads = Table(
    "report_reads",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("tried_at", Moment, nullable=False),
    Column("read_at", Moment, nullable=True),  # when it last worked
    Column("problem", Text, nullable=False),  # why it did not work; empty: it did
)

user_days = Table(
    "user_days",
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column(
        "day", String(10), primary_key=True
    ),  # a calendar day, ISO; Salesforce does not say of which time zone
    Column("user", String(255), primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column(
        "is_whole", Boolean, nullable=False
    ),  # the day had ended everywhere when the report was read
)

event_files = Table(
    "event_files",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("org_id", OrgId, nullable=False),
    Column("file_id", String(18), nullable=False),
    Column("interval", String(8), nullable=False),  # Daily or Hourly
    Column(
        "log_hour", Integer, nullable=False
    ),  # hours since 1970, UTC: where the file's hour or day begins
    Column("sequence", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("read_at", Moment, nullable=False),
    Column("is_superseded", Boolean, nullable=False),
    Column("row_hashes", LargeBinary, nullable=True),  # of an hourly file, until its day is read
    UniqueConstraint("org_id", "file_id", name="event_files_by_id"),
)

event_actors = Table(
    "event_actors",
    metadata,
    Column("actor", Integer, primary_key=True, autoincrement=True),
    Column("org_id", OrgId, nullable=False),
    Column("app", String(255), nullable=False),
    Column("user", String(255), nullable=False),
    Column("family", String(64), nullable=False),
    Column("entity", String(255), nullable=False),
    Column("is_sfnb", Boolean, nullable=False),
    UniqueConstraint(
        "org_id", "app", "user", "family", "entity", "is_sfnb", name="event_actors_by_name"
    ),
)

event_hours = Table(
    "event_hours",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # of the file
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("actor", Integer, primary_key=True, autoincrement=False),
    Column("calls", Integer, nullable=False),  # that count against the allowance
    Column("free_calls", Integer, nullable=False),
    sqlite_with_rowid=False,
)

event_minutes = Table(
    "event_minutes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("minute", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("calls", Integer, nullable=False),  # that count, sfnb's included
    Column("own_calls", Integer, nullable=False),  # those of them whose client is sfnb
    sqlite_with_rowid=False,
)

job_events = Table(
    "job_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("told", JSON, nullable=False),
)
Index("job_events_by_job", job_events.c.job_id, job_events.c.id)

schedule_entries = Table(
    "schedule_entries",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("cron", Text, nullable=False),
    Column("tz", String(64), nullable=False),
    Column("command", JSON, nullable=False),  # the words after `sfnb`
    Column("added_at", Moment, nullable=False),
    Column("settled_until", Moment, nullable=False),  # due times up to here have their line
)

schedule_runs = Table(
    "schedule_runs",  # one line for each due time: the key sees to that, whoever is quicker
    metadata,
    Column("name", String(64), primary_key=True),
    Column("due_at", Moment, primary_key=True),
    Column("command", JSON, nullable=False),  # as it was then
    Column("claimed_at", Moment, nullable=False),
    Column("started_at", Moment, nullable=True),
    Column("ended_at", Moment, nullable=True),
    Column("exit_code", Integer, nullable=True),  # null while it runs
    Column("job_id", String(64), nullable=True),
    Column("note", Text, nullable=False),
    Column("covered_by", Moment, nullable=True),  # due time of the run that caught this one up
    Column("is_open", Boolean, nullable=False),  # it runs, or is to be tried again
    Column("again_at", Moment, nullable=True),  # when it is tried again; null: it runs
    Column("attempts", Integer, nullable=False),
    Column("interruptions", Integer, nullable=False),
    # Whose it is: of the service until the command's process has taken it.
    Column("token", String(32), nullable=True),
    Column("host", Text, nullable=True),
    Column("pid", Integer, nullable=True),
    Column("pid_started_s", BigInteger, nullable=True),
    Column("until", Moment, nullable=True),
)
Index("schedule_runs_open", schedule_runs.c.is_open)
Index("schedule_runs_token", schedule_runs.c.token)

locks = Table(
    "locks",  # what only one process may do at a time, on whatever host
    metadata,
    Column("name", String(255), primary_key=True),
    Column("token", String(32), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_started_s", BigInteger, nullable=False),
    Column("taken_at", Moment, nullable=False),
    Column("until", Moment, nullable=False),
)

notices = Table(
    "notices",  # what is to be sent, once
    metadata,
    Column("source", String(128), primary_key=True),  # what it is about: the same thing, one notice
    Column("at", Moment, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("org", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("claimed_at", Moment, nullable=True),
    Column("tries", Integer, nullable=False),
    Column("sent_at", Moment, nullable=True),
)
Index("notices_by_sent", notices.c.sent_at)

notice_marks = Table(
    "notice_marks",  # how far each source has been read
    metadata,
    Column("source", String(32), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

checks = Table(
    "checks",  # what the last `sfnb verify` of each org found
    metadata,
    Column("org_id", OrgId, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("damage", Integer, nullable=False),
    Column("finding", Text, nullable=False),
)

"""The first tables: limits and audit log, gauges and tickets, usage, jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "limits",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("api", sa.String(16), primary_key=True),
        sa.Column("percent", sa.Integer(), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("org_id", sa.String(18), nullable=False),
        sa.Column("api", sa.String(16), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("old", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    # The head is there before the first line, so that the first two writers already wait for each other.
    op.execute(
        sa.text("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, :hash)").bindparams(
            hash="0" * 64
        )
    )
    op.create_table(
        "gates",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("last_probe_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_table(
        "gauges",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("api", sa.String(16), primary_key=True),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("max", sa.BigInteger(), nullable=False),
        sa.Column("own", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(8), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_number", sa.BigInteger(), nullable=False),
        sa.Column("own_number", sa.BigInteger(), nullable=False),
        sa.Column("is_known", sa.Boolean(), nullable=False),
        sa.Column("missing_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_table(
        "tickets",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("api", sa.Integer(), nullable=False),
        sa.Column("bulk", sa.Integer(), nullable=False),
        sa.Column("bulk2", sa.Integer(), nullable=False),
        sa.Column("bulk2_mb", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("pid_started_s", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("object", sa.String(255), nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("api", sa.String(16), primary_key=True),
        sa.Column("minute_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("max", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
    )
    op.create_table(
        "calls",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("api", sa.String(16), primary_key=True),
        sa.Column("minute_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("job_id", sa.String(64), primary_key=True),
        sa.Column("object", sa.String(255), primary_key=True),
        sa.Column("calls", sa.BigInteger(), nullable=False),
    )
    op.create_index("calls_by_job", "calls", ["job_id"])
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("org_id", sa.String(18), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("snapshot", sa.String(64), nullable=True),
        sa.Column("objects", sa.JSON(), nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("wanted", sa.String(16), nullable=True),
        sa.Column("lease_token", sa.String(32), nullable=True),
        sa.Column("lease_host", sa.Text(), nullable=True),
        sa.Column("lease_pid", sa.Integer(), nullable=True),
        sa.Column("lease_pid_started_s", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("jobs_by_org", "jobs", ["org_id"])
    op.create_table(
        "job_objects",
        sa.Column("job_id", sa.String(64), primary_key=True),
        sa.Column("object", sa.String(255), primary_key=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
    )
    op.create_table(
        "job_pauses",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("api", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("max", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_index("ix_job_pauses_job_id", "job_pauses", ["job_id"])

"""Usage history: hourly samples for a year, and what the event log reports about each call."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "sample_hours",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("api", sa.String(16), primary_key=True),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("max", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_reads",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bookmark_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
    )
    op.create_table(
        "event_files",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("org_id", sa.String(18), nullable=False),
        sa.Column("file_id", sa.String(18), nullable=False),
        sa.Column("interval", sa.String(8), nullable=False),
        sa.Column("log_hour", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_superseded", sa.Boolean(), nullable=False),
        sa.Column("row_hashes", sa.LargeBinary(), nullable=True),
        sa.UniqueConstraint("org_id", "file_id", name="event_files_by_id"),
    )
    op.create_table(
        "event_actors",
        sa.Column("actor", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("org_id", sa.String(18), nullable=False),
        sa.Column("app", sa.String(255), nullable=False),
        sa.Column("user", sa.String(255), nullable=False),
        sa.Column("family", sa.String(64), nullable=False),
        sa.Column("entity", sa.String(255), nullable=False),
        sa.Column("is_sfnb", sa.Boolean(), nullable=False),
        sa.UniqueConstraint(
            "org_id", "app", "user", "family", "entity", "is_sfnb", name="event_actors_by_name"
        ),
    )
    op.create_table(
        "event_hours",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("actor", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("free_calls", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_minutes",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("minute", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("own_calls", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )

"""What an org's own usage report told: calls by user and calendar day."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "report_reads",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
    )
    op.create_table(
        "user_days",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("user", sa.String(255), primary_key=True),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
    )

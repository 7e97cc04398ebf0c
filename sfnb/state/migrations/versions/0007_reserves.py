"""Limit percents of restores, and whose limit a line of the audit log is about."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "reserves",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("api", sa.String(16), primary_key=True),
        sa.Column("percent", sa.Integer(), nullable=False),
    )
    with op.batch_alter_table("audit") as audit:
        audit.add_column(sa.Column("kind", sa.String(32), nullable=False, server_default=""))

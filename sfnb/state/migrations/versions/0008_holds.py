"""Lines of the audit log that are not about limits, and holds."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # What was called `kind` said whose limit a line is about. The hashes of those lines keep to
    # that name: see `digest` in sfnb/state/audit.py.
    with op.batch_alter_table("audit") as audit:
        audit.alter_column("kind", new_column_name="limit_of")
    with op.batch_alter_table("audit") as audit:
        audit.add_column(sa.Column("kind", sa.String(32), nullable=False, server_default="limit"))
        audit.add_column(sa.Column("action", sa.String(32), nullable=False, server_default=""))
        audit.add_column(sa.Column("subject", sa.Text(), nullable=False, server_default=""))
        audit.add_column(sa.Column("details", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "holds",
        sa.Column("hold_id", sa.String(32), primary_key=True),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("org_id", sa.String(18), nullable=False, index=True),
        sa.Column("object", sa.String(255), nullable=False),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "hold_records",
        sa.Column("hold_id", sa.String(32), primary_key=True),
        sa.Column("record_id", sa.String(18), primary_key=True),
    )

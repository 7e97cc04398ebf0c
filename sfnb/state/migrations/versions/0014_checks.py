"""What the last verify of each org found."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "checks",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("damage", sa.Integer(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
    )

"""What a job found out, whole and by object: counts of changes, changes of the schema, warnings."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for table in ("jobs", "job_objects"):
        with op.batch_alter_table(table) as altered:
            altered.add_column(sa.Column("outcome", sa.JSON(none_as_null=True), nullable=True))

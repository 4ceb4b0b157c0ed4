"""Keep what the wallets of an incident move in the matching of a round."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    with op.batch_alter_table("incident") as table:
        table.add_column(sa.Column("money_at_risk", sa.Text()))
        table.add_column(sa.Column("money_json", sa.Text()))
        table.add_column(sa.Column("assessed", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("incident") as table:
        for column in ("assessed", "money_json", "money_at_risk"):
            table.drop_column(column)

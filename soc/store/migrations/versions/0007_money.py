"""Keep what the wallets of an incident move in a round, and how long detectors take."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply this revision."""
    with op.batch_alter_table("incident") as table:
        table.add_column(sa.Column("money_at_risk", sa.Text()))
        table.add_column(sa.Column("money_json", sa.Text()))
        table.add_column(sa.Column("assessed", MOMENT))
    op.create_table(
        "incident_money",
        sa.Column("incident", NUMBER, sa.ForeignKey("incident.id"), primary_key=True),
        sa.Column("told_json", sa.Text(), nullable=False),
    )
    op.create_table(
        "detector_timing",
        sa.Column("hour", MOMENT, nullable=False),
        sa.Column("detector", sa.String(), nullable=False),
        sa.Column("took_ms", NUMBER, nullable=False),
        sa.Column("windows", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("hour", "detector", "took_ms"),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("detector_timing")
    op.drop_table("incident_money")
    with op.batch_alter_table("incident") as table:
        for column in ("assessed", "money_json", "money_at_risk"):
            table.drop_column(column)

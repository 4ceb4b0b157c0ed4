"""Keep experiments."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "experiment",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("arms_json", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("guardrails_json", sa.Text(), nullable=False),
        sa.Column("looks_json", sa.Text(), nullable=False),
        sa.Column("units", NUMBER, nullable=False),
        sa.Column("baseline", sa.Float()),
        sa.Column("minimal_effect", sa.Float()),
        sa.Column("alpha", sa.Float(), nullable=False),
        sa.Column("power", sa.Float(), nullable=False),
        sa.Column("salt", sa.String(), nullable=False),
        sa.Column("taken_json", sa.Text(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("started", MOMENT),
        sa.Column("stopped", MOMENT),
        sa.Column("reason", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("experiment")

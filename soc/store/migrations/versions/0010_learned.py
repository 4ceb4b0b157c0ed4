"""Keep models that were learned."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "learned_model",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("schema_digest", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("card_json", sa.Text(), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("promoted", MOMENT),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.UniqueConstraint("task", "version"),
    )
    op.create_index("ix_learned_model_task", "learned_model", ["task"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("learned_model")

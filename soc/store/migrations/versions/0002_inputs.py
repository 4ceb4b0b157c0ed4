"""Remember what webhooks brought, and how far each source has come; bind tokens to sources."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "hook_seen",
        sa.Column("hook", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hook", "digest"),
    )
    with op.batch_alter_table("hook_seen", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hook_seen_at"), ["at"], unique=False)

    op.create_table(
        "source_state",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("day_events", NUMBER, nullable=False),
        sa.Column("refused", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("source", sa.String(), nullable=True))


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_column("source")

    op.drop_table("source_state")
    with op.batch_alter_table("hook_seen", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_hook_seen_at"))

    op.drop_table("hook_seen")

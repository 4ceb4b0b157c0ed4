"""Say of each effect who agreed, what obeys it and why it ended; stop response; tell platforms."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
TEXTS = {
    "details_json": "",
    "approvers_json": "[]",
    "lift_reason": "",
    "receipt": "",
}
"""What effects that are there already say."""


def upgrade() -> None:
    """Apply this revision."""
    with op.batch_alter_table("effect", schema=None) as batch_op:
        for name, default in TEXTS.items():
            column = sa.Column(name, sa.Text(), nullable=False, server_default=default)
            batch_op.add_column(column)
        batch_op.add_column(sa.Column("verified", MOMENT, nullable=True))
    with op.batch_alter_table("effect", schema=None) as batch_op:
        for name in TEXTS:
            batch_op.alter_column(name, server_default=None)

    with op.batch_alter_table("edge", schema=None) as batch_op:
        batch_op.add_column(sa.Column("drift", NUMBER, nullable=False, server_default="0"))
    with op.batch_alter_table("edge", schema=None) as batch_op:
        batch_op.alter_column("drift", server_default=None)

    op.create_table(
        "edge_webhook",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("attempts", NUMBER, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("claimed_until", MOMENT, nullable=True),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "response_stop",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "entity_label",
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("incident", NUMBER, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"]),
        sa.PrimaryKeyConstraint("entity", "label"),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("entity_label")
    op.drop_table("response_stop")
    op.drop_table("edge_webhook")
    with op.batch_alter_table("edge", schema=None) as batch_op:
        batch_op.drop_column("drift")
    with op.batch_alter_table("effect", schema=None) as batch_op:
        batch_op.drop_column("verified")
        for name in reversed(TEXTS):
            batch_op.drop_column(name)

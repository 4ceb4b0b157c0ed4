"""Runs of runs, of schedules and of people; approvals that escalate; undo by another action."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _added() -> dict[str, tuple[sa.Column[object], ...]]:
    return {
        "run": (
            sa.Column("mode", sa.String(), nullable=False, server_default="live"),
            sa.Column("parameters_json", sa.Text(), nullable=False, server_default="{}"),
            sa.Column("outputs_json", sa.Text(), nullable=True),
            sa.Column("parent", NUMBER, nullable=True),
            sa.Column("parent_path", sa.String(), nullable=True),
        ),
        "step": (sa.Column("wake_at", MOMENT, nullable=True),),
        "approval": (
            sa.Column("four_eyes", sa.Boolean(), nullable=False, server_default=sa.true()),
            sa.Column("on_timeout", sa.String(), nullable=False, server_default="reject"),
            sa.Column("escalate_json", sa.Text(), nullable=False, server_default="[]"),
            sa.Column("escalated", MOMENT, nullable=True),
        ),
        "playbook_version": (
            sa.Column("author", sa.String(), nullable=True),
            sa.Column("signer", sa.String(), nullable=True),
            sa.Column("signature", sa.Text(), nullable=True),
        ),
    }


def upgrade() -> None:
    """Apply this revision."""
    for table, columns in _added().items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                batch_op.add_column(column)
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_foreign_key("fk_run_parent", "run", ["parent"], ["id"])
        batch_op.create_index(batch_op.f("ix_run_parent"), ["parent"], unique=False)
        batch_op.create_index("ix_run_state_wake_at", ["state", "wake_at"], unique=False)
    op.create_table(
        "schedule",
        sa.Column("playbook", sa.String(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("due", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("playbook"),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("schedule")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index("ix_run_state_wake_at")
        batch_op.drop_index(batch_op.f("ix_run_parent"))
        batch_op.drop_constraint("fk_run_parent", type_="foreignkey")
    for table, columns in reversed(_added().items()):
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in reversed(columns):
                batch_op.drop_column(column.name)

"""Let incidents be merged, split, taken up again, and have tasks and files."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply this revision."""
    with op.batch_alter_table("incident") as table:
        table.add_column(sa.Column("tlp", sa.String(), nullable=False, server_default="amber"))
        table.add_column(sa.Column("pap", sa.String(), nullable=False, server_default="green"))
        table.add_column(sa.Column("acknowledged", MOMENT))
        table.add_column(sa.Column("resolved", MOMENT))
        table.add_column(sa.Column("reopened", NUMBER, nullable=False, server_default="0"))
        table.add_column(sa.Column("merged_into", NUMBER))
        table.create_foreign_key("fk_incident_merged_into", "incident", ["merged_into"], ["id"])
        table.create_index("ix_incident_merged_into", ["merged_into"])
    op.execute("UPDATE incident SET resolved = closed")
    with op.batch_alter_table("incident_entity") as table:
        table.add_column(sa.Column("by", sa.String(), nullable=False, server_default="soc"))
        table.add_column(
            sa.Column("ignored", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("incident_note") as table:
        table.add_column(sa.Column("replaces", NUMBER))
        table.create_foreign_key("fk_note_replaces", "incident_note", ["replaces"], ["id"])
        table.create_unique_constraint("uq_note_replaces", ["replaces"])
    _moves()
    _tasks_and_files()
    _requests()


def downgrade() -> None:
    """Take this revision back."""
    for name in ("request_key", "saved_view", "file_body", "incident_file", "incident_task"):
        op.drop_table(name)
    op.drop_table("alert_move")
    with op.batch_alter_table("incident_note") as table:
        table.drop_constraint("uq_note_replaces", type_="unique")
        table.drop_constraint("fk_note_replaces", type_="foreignkey")
        table.drop_column("replaces")
    with op.batch_alter_table("incident_entity") as table:
        table.drop_column("ignored")
        table.drop_column("by")
    with op.batch_alter_table("incident") as table:
        table.drop_index("ix_incident_merged_into")
        table.drop_constraint("fk_incident_merged_into", type_="foreignkey")
        for column in ("merged_into", "reopened", "resolved", "acknowledged", "pap", "tlp"):
            table.drop_column(column)


def _moves() -> None:
    op.create_table(
        "alert_move",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("act", NUMBER, index=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("alert", NUMBER, sa.ForeignKey("alert.id"), nullable=False, index=True),
        sa.Column("source", NUMBER, sa.ForeignKey("incident.id"), index=True),
        sa.Column("target", NUMBER, sa.ForeignKey("incident.id"), index=True),
        sa.Column("joined_by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("undone", MOMENT),
    )


def _tasks_and_files() -> None:
    op.create_table(
        "incident_task",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("incident", NUMBER, sa.ForeignKey("incident.id"), nullable=False, index=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("assignee", sa.String()),
        sa.Column("due", MOMENT),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("changed", MOMENT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
    )
    op.create_table(
        "incident_file",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("incident", NUMBER, sa.ForeignKey("incident.id"), nullable=False, index=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
    )
    op.create_table(
        "file_body",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )


def _requests() -> None:
    op.create_table(
        "saved_view",
        sa.Column("owner", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_table(
        "request_key",
        sa.Column("who", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("status", NUMBER),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False, index=True),
    )

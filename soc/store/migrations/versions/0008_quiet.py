"""Hold suppressions, imported lists, and the clocks of incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply this revision."""
    _suppressions()
    _clocks()
    _lists()


def _suppressions() -> None:
    op.create_table(
        "suppression",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("rule", sa.String(), nullable=True),
        sa.Column("entity", sa.String(), nullable=True),
        sa.Column("field", sa.String(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("ended", MOMENT, nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("seen", sa.String(), nullable=False),
        sa.Column("backtest_json", sa.Text(), nullable=False),
        sa.Column("findings", NUMBER, nullable=False),
        sa.Column("alerts", NUMBER, nullable=False),
        sa.Column("last_hit", MOMENT, nullable=True),
        sa.Column("reviewed", MOMENT, nullable=True),
        sa.Column("warned", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_suppression_until", "suppression", ["until"], unique=False)
    op.create_table(
        "suppression_hit",
        sa.Column("suppression", NUMBER, nullable=False),
        sa.Column("alert", NUMBER, nullable=False),
        sa.Column("findings", NUMBER, nullable=False),
        sa.Column("first", MOMENT, nullable=False),
        sa.Column("last", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"]),
        sa.ForeignKeyConstraint(["suppression"], ["suppression.id"]),
        sa.PrimaryKeyConstraint("suppression", "alert"),
    )
    op.create_index("ix_suppression_hit_alert", "suppression_hit", ["alert"], unique=False)


def _clocks() -> None:
    op.create_table(
        "incident_pause",
        sa.Column("incident", NUMBER, nullable=False),
        sa.Column("began", MOMENT, nullable=False),
        sa.Column("ended", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"]),
        sa.PrimaryKeyConstraint("incident", "began"),
    )
    # What rests has done so since its last change, as far as anybody knows.
    op.execute(
        "INSERT INTO incident_pause (incident, began) "
        "SELECT id, changed FROM incident WHERE state NOT IN ('new', 'in_progress')"
    )
    op.create_table(
        "clock_breach",
        sa.Column("incident", NUMBER, nullable=False),
        sa.Column("clock", sa.String(), nullable=False),
        sa.Column("due", MOMENT, nullable=False),
        sa.Column("told", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"]),
        sa.PrimaryKeyConstraint("incident", "clock"),
    )
    op.create_table(
        "incident_opening",
        sa.Column("incident", NUMBER, nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("monitor", sa.Boolean(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("storm", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"]),
        sa.PrimaryKeyConstraint("incident"),
    )
    op.create_index("ix_incident_opening_rule_at", "incident_opening", ["rule", "at"])


def _lists() -> None:
    op.create_table(
        "indicator_list",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("imported", MOMENT, nullable=False),
        sa.Column("imported_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "indicator",
        sa.Column("list", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("is_network", sa.Boolean(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("expires", MOMENT, nullable=True),
        sa.Column("added", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["list"], ["indicator_list.name"]),
        sa.PrimaryKeyConstraint("list", "kind", "value"),
    )
    op.create_index("ix_indicator_subject", "indicator", ["subject"], unique=False)
    op.create_index("ix_indicator_is_network", "indicator", ["is_network"], unique=False)


def downgrade() -> None:
    """Take this revision back."""
    for table in (
        "indicator",
        "indicator_list",
        "incident_opening",
        "clock_breach",
        "incident_pause",
        "suppression_hit",
        "suppression",
    ):
        op.drop_table(table)

"""Answer the console's questions from indexes."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

QUEUE = ["state", "monitor", "operations", "severity", "owner", "created", "acknowledged"]


def upgrade() -> None:
    """Apply this revision."""
    op.create_index("ix_incident_queue", "incident", [*QUEUE, "resolved", "merged_into"])
    op.create_index("ix_incident_severity", "incident", ["severity", "id"])
    op.create_index("ix_audit_object", "audit", ["object"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_audit_object", "audit")
    op.drop_index("ix_incident_severity", "incident")
    op.drop_index("ix_incident_queue", "incident")

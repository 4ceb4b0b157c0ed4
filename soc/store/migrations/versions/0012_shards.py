"""Keep shards, and how far each detector has read in each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "shard",
        sa.Column("shard", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("home", sa.String(), nullable=False, unique=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("fence", NUMBER, nullable=False),
        sa.Column("upto", NUMBER, nullable=False),
        sa.Column("complete", MOMENT),
    )
    with op.batch_alter_table("detector_window") as table:
        table.add_column(sa.Column("marks", sa.Text(), nullable=False, server_default="{}"))
    window = sa.table("detector_window", sa.column("marks"), sa.column("hwm"))
    written = sa.literal('{"0":') + sa.cast(window.c.hwm, sa.String()) + sa.literal("}")
    op.execute(sa.update(window).where(window.c.hwm > 0).values(marks=written))
    with op.batch_alter_table("detector_window") as table:
        table.drop_column("hwm")


def downgrade() -> None:
    """Take this revision back: what other shards than the first one have is read no more."""
    with op.batch_alter_table("detector_window") as table:
        table.add_column(sa.Column("hwm", NUMBER, nullable=False, server_default="0"))
        table.drop_column("marks")
    op.drop_table("shard")

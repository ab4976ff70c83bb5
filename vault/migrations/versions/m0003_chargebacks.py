"""Chargebacks that the networks told of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chargebacks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("acknowledged", sa.Text()),
        sa.Column("opened_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "acknowledged IN ('open', 'won', 'lost')", name=op.f("chargebacks_acknowledged")
        ),
        sa.CheckConstraint("state IN ('open', 'won', 'lost')", name=op.f("chargebacks_state")),
        sa.PrimaryKeyConstraint("id", "merchant_id", name=op.f("chargebacks_pkey")),
    )
    op.create_index(
        "chargebacks_to_tell",
        "chargebacks",
        ["opened_at"],
        unique=False,
        postgresql_where=sa.text("acknowledged IS DISTINCT FROM state"),
    )


def downgrade() -> None:
    op.drop_table("chargebacks")

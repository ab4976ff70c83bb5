"""The ledger's postings as a list of balance transactions: by time, in milliseconds."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# As models/tables/ledger.py says it.
_ID = (
    "encode(set_byte(uuid_send(source_id), 15,"
    " get_byte(uuid_send(source_id), 15) # length(kind)), 'hex'::text)::uuid"
)
_KINDS = "'capture', 'refund', 'refund_failure', 'dispute', 'dispute_reversal'"


def upgrade() -> None:
    # A change of type rewrites the table and fires no trigger: what was posted stands.
    op.execute("ALTER TABLE ledger_postings ALTER COLUMN created_at TYPE timestamptz(3)")
    op.create_index(
        "ledger_postings_of_balance",
        "ledger_postings",
        ["merchant_id", "livemode", "created_at", sa.text(f"({_ID})")],
        postgresql_where=sa.text(f"position = 0 AND kind IN ({_KINDS})"),
    )


def downgrade() -> None:
    op.drop_index("ledger_postings_of_balance", "ledger_postings")
    op.execute("ALTER TABLE ledger_postings ALTER COLUMN created_at TYPE timestamptz")

"""The database refuses an operation that a payment's state or authorisation does not allow."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_RULES = {
    "operation_within_authorized": "operation_amount BETWEEN 1 AND amount_authorized",
    "operation_fits_status": "operation IS NULL OR status = 'authorized' AND operation <> 'reverse'"
    " OR status IN ('cancelled', 'failed') AND operation = 'reverse'",
}


def upgrade() -> None:
    # Checked afterwards, so that no payment waits while the table is read.
    for name, rule in _RULES.items():
        op.execute(f"ALTER TABLE payments ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
        op.execute(f"ALTER TABLE payments VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    for name in _RULES:
        op.drop_constraint(name, "payments")

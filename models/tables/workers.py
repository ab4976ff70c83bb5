"""Who does what one worker does for all."""

import sqlalchemy as sa

from models.tables.base import METADATA, MOMENT

WORKER_LEASES = sa.Table(
    "worker_leases",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    # A process number (PAYMINT_PROCESS_NUMBER).
    sa.Column("holder", sa.Integer, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
)

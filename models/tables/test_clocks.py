"""The clocks that merchants move in test mode."""

import sqlalchemy as sa

from models.tables.base import METADATA, MOMENT, created, identifier, tenant

TEST_CLOCKS = sa.Table(
    "test_clocks",
    METADATA,
    identifier(nullable=False),
    *tenant(),
    sa.Column("frozen_time", MOMENT, nullable=False),
    created(),
    # One business has one clock.
    sa.PrimaryKeyConstraint("merchant_id", "livemode"),
    sa.CheckConstraint("NOT livemode", name="clocks_move_in_test_mode_only"),
)

"""What the tables of the main house are made of."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

METADATA = sa.MetaData()
MOMENT = sa.TIMESTAMP(timezone=True)
ZERO = sa.text("0")
ONE: sa.ColumnElement[int] = sa.literal_column("1", sa.Integer)
# In a table's `info`: expressions that lists filter by, beside the columns.
FILTERS = "filters"
# In a table's `info`: what breaks ties in lists, where it is not the column `id`: the name of
# another column, or an expression.
TIE = "tie"
# In a table's `info`: what every list narrows it to, where that is not all, and what lists
# show beside its columns.
ONLY = "only"
BESIDE = "beside"


def identifier(name: str = "id", **options: Any) -> sa.Column[Any]:
    """A column that holds a UUID."""
    return sa.Column(name, UUID(as_uuid=True), **options)


def tenant() -> list[sa.Column[Any]]:
    """Whose row it is: merchant and mode, named by every query."""
    return [
        sa.Column("merchant_id", UUID(as_uuid=True), nullable=False),
        sa.Column("livemode", sa.Boolean, nullable=False),
    ]


def created() -> sa.Column[Any]:
    """The moment a row was made."""
    return sa.Column("created_at", MOMENT, nullable=False)


def revision() -> sa.Column[Any]:
    """How often the row was changed, plus one: what `If-Match` compares."""
    return sa.Column("revision", sa.Integer, nullable=False, server_default=sa.text("1"))


def amount(name: str) -> sa.Column[Any]:
    """A sum in minor units, zero at first."""
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=ZERO)


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    """A column takes one of these texts."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")

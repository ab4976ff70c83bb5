"""Pieces of which coalesced statements are made.

Statements are compiled to text at import, so constants are written into them and only
what changes from call to call is a parameter.
"""

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from runtime.database import compile_sql

ROWS_PER_STATEMENT = 256

SqlType = sa.types.TypeEngine[Any]

ID: SqlType = sa.Uuid()
TEXT: SqlType = sa.Text()
FLAG: SqlType = sa.Boolean()
NUMBER: SqlType = sa.Integer()
MOMENT: SqlType = sa.TIMESTAMP(timezone=True)


def word(text: str) -> sa.ColumnElement[str]:
    """A constant text of the program's own, written into the statement."""
    assert text.replace("_", "").isalnum()
    return sa.literal_column(f"'{text}'", sa.Text)


def seconds(count: int) -> sa.ColumnElement[object]:
    """A constant span of time."""
    return sa.literal_column(f"interval '{int(count)} seconds'")


def rows_of(**columns: SqlType) -> sa.CTE:
    """The batch of a coalesced statement: its one parameter `rows`, a JSON array.

    The limit takes nothing away.  Being a subquery, it makes the planner expect few rows,
    so that a plan made while the tables are empty looks rows up by their keys too.
    """
    rows = sa.func.json_to_recordset(sa.bindparam("rows", type_=JSON())).table_valued(
        *(sa.column(name, kind) for name, kind in columns.items()), name="row"
    )
    expected_few = sa.select(sa.literal_column(str(ROWS_PER_STATEMENT))).scalar_subquery()
    return sa.select(rows.render_derived(with_types=True)).limit(expected_few).cte("asked")


def text_of(statement: sa.sql.ClauseElement) -> bytes:
    """A statement's text as a lane of a coalescer runs it."""
    return compile_sql(statement).text.encode()


def batch(rows: Sequence[Any]) -> str:
    """The parameter `rows` of a coalesced statement, from named tuples of its columns."""
    return orjson.dumps([row._asdict() for row in rows]).decode()

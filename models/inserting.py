"""The plain insert of one row."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from runtime.database import Statement, compile_sql


def insert_row(table: sa.Table, *left_out: str) -> Statement:
    """Insert one row, a parameter for every column but those left out."""
    return compile_sql(
        insert(table).values(
            {
                column.name: sa.bindparam(column.name, type_=column.type)
                for column in table.c
                if column.name not in left_out
            }
        )
    )

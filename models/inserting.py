"""The plain insert of one row."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from runtime.database import Statement, compile_sql


def insert_row(table: sa.Table, *left_out: str, answered: bool = False) -> Statement:
    """Insert one row, a parameter for every column but those left out.

    `answered`: the statement answers the whole row, its defaults too.
    """
    inserting = insert(table).values(
        {
            column.name: sa.bindparam(column.name, type_=column.type)
            for column in table.c
            if column.name not in left_out
        }
    )
    return compile_sql(inserting.returning(*table.c) if answered else inserting)

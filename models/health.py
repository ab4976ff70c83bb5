"""Does the database answer?"""

import sqlalchemy as sa

from runtime.database import Database, DatabaseUnavailable, compile_sql

_ONE = compile_sql(sa.select(sa.literal_column("1").label("one")))


async def database_answers(database: Database) -> bool:
    """True when a statement ran."""
    try:
        async with database.reading() as transaction:
            await transaction.one(_ONE)
    except DatabaseUnavailable:
        return False
    return True

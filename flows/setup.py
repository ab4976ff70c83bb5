"""`python -m flows.setup`: what a new database needs once; prints the operator's key."""

import asyncio
import os
import sys

import orjson
from argon2 import PasswordHasher

from domain import api_keys
from flows.authentication import ARGON2_MEMORY_KIB, ARGON2_TIME_COST
from models import accounts
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.ids import uuid7


async def create_platform_key(database: Database) -> str:
    """Make an operator's key; its text is given here and never again."""
    key_id = uuid7()
    key = api_keys.compose_platform(key_id, os.urandom(api_keys.SECRET_BYTES))
    hasher = PasswordHasher(
        time_cost=ARGON2_TIME_COST, memory_cost=ARGON2_MEMORY_KIB, parallelism=1
    )
    async with database.transaction() as transaction:
        await transaction.run(
            accounts.INSERT_PLATFORM_KEY,
            id=key_id,
            secret_hash=hasher.hash(key),
            display=api_keys.display(key),
            created_at=SystemClock().now(),
        )
    return key


async def _main() -> None:
    database = Database(os.environ["DATABASE_URL"])
    await database.open()
    try:
        key = await create_platform_key(database)
    finally:
        await database.close()
    sys.stdout.write(orjson.dumps({"platform_key": key}).decode() + "\n")


if __name__ == "__main__":
    asyncio.run(_main())

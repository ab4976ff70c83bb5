"""What OAuth needs done by itself: keys rotated, and what has ended forgotten."""

import argparse
import asyncio
import sys
from datetime import timedelta

from adapters.settings import Settings
from flows.house import House, open_house
from flows.signing_keys import make_signing_key, rotate_when_due
from models.announcing import announce_all
from models.oauth_grants import delete_ended

# For whoever looks into why a code was refused.
ENDED_IS_KEPT = timedelta(days=1)


async def keep_oauth(house: House) -> int:
    """Rotate the signing key when it is 90 days old; forget codes and tokens that ended."""
    await rotate_when_due(house.database, house.seals, house.clock)
    async with house.database.transaction() as transaction:
        await delete_ended(transaction, house.clock.now() - ENDED_IS_KEPT)
    return 0


async def rotate_signing_key(house: House, *, at_once: bool) -> list[str]:
    """Make the next signing key: for after an hour, or `at_once`, where one may be known.

    Answers the names of all keys, in the order in which they sign.
    """
    found = await make_signing_key(house.database, house.seals, house.clock, at_once=at_once)
    async with house.database.transaction() as transaction:
        await announce_all(transaction)
    return [row["id"].hex for row in found]


async def _main(*, at_once: bool) -> None:
    house = await open_house(Settings.from_environment())
    try:
        names = await rotate_signing_key(house, at_once=at_once)
    finally:
        await house.close()
    sys.stdout.write("\n".join(names) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Rotate the key that signs access tokens.")
    parser.add_argument("command", choices=["rotate"])
    parser.add_argument("--at-once", action="store_true", help="where others may know the key")
    asyncio.run(_main(at_once=parser.parse_args().at_once))

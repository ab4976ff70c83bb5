"""What OAuth needs done by itself: keys rotated, and what has ended forgotten."""

from datetime import timedelta

from flows.house import House
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

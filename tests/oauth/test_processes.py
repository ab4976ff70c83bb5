"""What several processes must agree on: revocation, records in Valkey, signing keys."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
import redis

from adapters.keys import Seals, file_provider
from domain.ids import from_text
from domain.refusals import Unauthenticated
from flows.house import House
from flows.oauth_upkeep import keep_oauth, rotate_signing_key
from flows.signing_keys import PUBLISHED_BEFORE, SigningKeys, make_signing_key, rotate_when_due
from models.data_keys import DataKeyStore
from models.migrate import migrate
from runtime.database import Database
from tests.cluster import Cluster
from tests.oauth.forging import parts_of
from tests.oauth.partner import Partner, Person, in_house
from tests.shop import told
from tests.workers.house import MovableClock

# A second is promised, and a busy machine may add to it; what is remembered lives for longer.
SECOND = 3.0
GLANCE_SECONDS = 0.02
LISTENS_SECONDS = 10.0


async def code_of(house: House, token: str) -> str | None:
    """How a process refuses a token; None when it does not."""
    try:
        await house.tokens.authenticate(token)
    except Unauthenticated as refusal:
        return refusal.code
    return None


def test_the_other_process_refuses_within_a_second(partner: Partner) -> None:
    tokens = partner.grant()

    async def work(house: House) -> float:
        assert await code_of(house, tokens["access_token"]) is None
        await asyncio.to_thread(partner.revoke, tokens["refresh_token"])
        began = time.monotonic()
        while await code_of(house, tokens["access_token"]) is None:
            assert time.monotonic() - began < SECOND
            await asyncio.sleep(GLANCE_SECONDS)
        assert await code_of(house, tokens["access_token"]) == "access_token_revoked"
        return time.monotonic() - began

    assert in_house(partner.shop, work) < SECOND


def test_records_in_valkey_are_sealed_and_believed_only_when_new(
    partner: Partner, person: Person
) -> None:
    token = partner.grant()["access_token"]
    _, claims = parts_of(token)
    merchant, grant = from_text("mch", claims["merchant"]), from_text("grt", claims["grant"])
    assert merchant is not None and grant is not None
    name = f"oauth:{{{merchant.hex}}}:{grant.hex}"
    valkey = redis.Redis.from_url(partner.shop.environment["paymint-api"]["REDIS_URL"])
    clock = MovableClock()

    async def work(house: House) -> None:
        records = house.token_records
        # When it begins to listen it believes nothing that was read before by the clock it has
        # then: only after that may the clock be moved.
        async with asyncio.timeout(LISTENS_SECONDS):
            await house.announcements.listening()
        # What was read before this process listened is not believed, whatever it says.
        assert await code_of(house, token) is None
        assert await records.read(merchant, grant) is None
        clock.advance(timedelta(seconds=6))
        house.tokens.forget_all()
        clock.advance(timedelta(seconds=6))
        assert await code_of(house, token) is None
        async with asyncio.timeout(LISTENS_SECONDS):
            while not (found := await records.read(merchant, grant)):
                await asyncio.sleep(GLANCE_SECONDS)
        assert (found["id"], found["merchant_id"]) == (grant, merchant)
        assert found["revoked_at"] is None
        sealed = valkey.get(name)
        assert isinstance(sealed, bytes)
        assert grant.hex.encode() not in sealed and b"merchant" not in sealed
        # Another's record, or an altered one, is none.
        valkey.set(name, sealed[:-6] + b"AAAA==")
        assert await records.read(merchant, grant) is None
        valkey.set(name, sealed)
        assert await records.read(merchant, grant) is not None
        records.forget(merchant)
        assert await records.read(merchant, grant) is None
        clock.advance(timedelta(minutes=2))
        assert await records.read(merchant, grant) is None

    in_house(partner.shop, work, clock)
    valkey.delete(name)


def test_tokens_of_the_old_key_are_good_after_a_rotation(partner: Partner) -> None:
    shop = partner.shop
    before = partner.grant()["access_token"]
    old = jwt.get_unverified_header(before)["kid"]

    async def rotate(house: House) -> list[str]:
        assert await keep_oauth(house) == 0
        return await rotate_signing_key(house, at_once=True)

    names = in_house(shop, rotate)
    published = {key["kid"] for key in told(shop.http.get("/.well-known/jwks.json"), 200)["keys"]}
    assert published >= {old, names[-1]}
    after = partner.grant()["access_token"]
    assert jwt.get_unverified_header(after)["kid"] == names[-1] != old
    for token in (before, after):
        assert partner.use(token).status_code == 200


@pytest.fixture
def database_url(cluster: Cluster) -> str:
    url = cluster.database()
    migrate(url)
    return url


class Desk:
    """Signing keys in a database of their own, under a clock that moves."""

    def __init__(self, url: str, directory: Path) -> None:
        self.clock = MovableClock()
        self.database = Database(url)
        self.seals = Seals(DataKeyStore(self.database), file_provider(directory), self.clock)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        await self.database.open()
        try:
            yield
        finally:
            await self.database.close()

    def ring(self) -> SigningKeys:
        """The keys as a process that begins now sees them."""
        return SigningKeys(self.database, self.seals, self.clock)

    async def published(self) -> list[str]:
        return [key["kid"] for key in await self.ring().published()]

    async def rotate(self) -> int:
        return await rotate_when_due(self.database, self.seals, self.clock)


def test_the_life_of_a_signing_key(database_url: str, tmp_path: Path) -> None:
    async def live() -> None:
        desk = Desk(database_url, tmp_path)
        async with desk.opened():
            # Processes that begin together agree on one key.
            first, *others = await asyncio.gather(*(desk.ring().current() for _ in range(4)))
            assert {each.kid for each in others} == {first.kid}
            assert await desk.rotate() == 0
            desk.clock.advance(timedelta(days=90, seconds=1))
            assert await desk.rotate() == 1
            # The next one is published, and waits; nobody makes a third.
            old, new = await desk.published()
            assert (await desk.ring().current()).kid == old == first.kid
            assert await desk.rotate() == 0
            await make_signing_key(desk.database, desk.seals, desk.clock)
            assert await desk.published() == [old, new]
            desk.clock.advance(PUBLISHED_BEFORE)
            assert (await desk.ring().current()).kid == new
            # Tokens of the old one are good for half an hour more, and it is published for an hour.
            desk.clock.advance(timedelta(minutes=59))
            assert await desk.published() == [old, new]
            desk.clock.advance(timedelta(minutes=1, seconds=1))
            assert await desk.published() == [new]
            assert await desk.ring().public(old) is None
            # A key that may be known to others is replaced at once, and forgotten in time.
            await make_signing_key(desk.database, desk.seals, desk.clock, at_once=True)
            assert (await desk.ring().current()).kid not in (old, new)

    asyncio.run(live())

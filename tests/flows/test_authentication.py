"""The ring of keys: proven once, read again every minute, never hashed for a guess."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

import pytest
from argon2 import PasswordHasher

import flows.authentication as authentication
from domain import api_keys
from domain.callers import Caller
from domain.refusals import Refusal
from flows.authentication import ROW_FRESH_SECONDS, KeyRing
from runtime.clock import Clock, SystemClock
from runtime.database import Database, Row
from runtime.ids import uuid7

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class MovableClock(SystemClock):
    """Moves when it is told to."""

    ahead: float = 0.0

    def monotonic(self) -> float:
        return 1000.0 + self.ahead


@dataclass
class Rows:
    """A database of one key; counts how often it was read."""

    row: Row | None = None
    reads: int = 0

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["Rows"]:
        yield self


@dataclass
class Desk:
    """A ring with one key on it."""

    text: str
    rows: Rows
    clock: MovableClock
    ring: KeyRing

    async def ask(self, text: str | None = None) -> Caller:
        return await self.ring.authenticate(text or self.text)

    async def refused(self, text: str | None = None) -> str:
        with pytest.raises(Refusal) as refusal:
            await self.ask(text)
        return refusal.value.code


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    merchant, key = uuid7(1), uuid7(2)
    text = compose(merchant, key)
    row = {
        "id": key,
        "merchant_id": merchant,
        "livemode": False,
        "secret_hash": CHEAP.hash(text),
        "display": "sk_test_...aaaa",
        "scopes": ["merchant:admin"],
        "expires_at": None,
        "revoked_at": None,
        "suspended_at": None,
        "ip_allowlist": None,
        "merchant_status": "pending_review",
        "merchant_terminated_at": None,
        "api_version": "2025-09-15",
        "frozen_time": None,
        "rate_limit_multiplier": 3,
    }
    rows, clock = Rows(row), MovableClock()

    async def read_key(transaction: Rows, merchant_id: UUID, key_id: UUID) -> Row | None:
        rows.reads += 1
        found = rows.row
        return found if found is not None and key_id == found["id"] else None

    monkeypatch.setattr(authentication, "read_key", read_key)
    return Desk(text, rows, clock, KeyRing(cast(Database, rows), cast(Clock, clock)))


def compose(merchant: UUID, key: UUID, kind: api_keys.Kind = "secret") -> str:
    """A test key in the product's own spelling."""
    parsed = api_keys.ParsedKey(kind, False, merchant, key)
    return api_keys.compose(parsed, bytes(range(api_keys.SECRET_BYTES)))


def test_a_key_is_proven_once_and_then_remembered(desk: Desk) -> None:
    async def thrice() -> list[Caller]:
        first = await asyncio.gather(desk.ask(), desk.ask())
        return [*first, await desk.ask()]

    callers = asyncio.run(thrice())
    assert [caller.merchant_status for caller in callers] == ["pending_review"] * 3
    assert [caller.api_version for caller in callers] == ["2025-09-15"] * 3
    assert [caller.rate_limit_multiplier for caller in callers] == [3] * 3
    assert desk.rows.reads == 1


def test_the_key_that_was_used_longest_ago_is_forgotten_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchant, ids = uuid7(1), [uuid7(number) for number in range(10, 13)]
    texts = {each: compose(merchant, each) for each in ids}

    async def read_key(transaction: Rows, merchant_id: UUID, key_id: UUID) -> Row:
        desk.rows.reads += 1
        assert desk.rows.row is not None
        return {**desk.rows.row, "id": key_id, "secret_hash": CHEAP.hash(texts[key_id])}

    monkeypatch.setattr(authentication, "read_key", read_key)
    monkeypatch.setattr(authentication, "REMEMBERED_KEYS", 2)
    often, seldom, new = texts.values()

    async def asked() -> list[int]:
        reads = []
        for text in (often, seldom, often, new, often, seldom):
            await desk.ask(text)
            reads.append(desk.rows.reads)
        return reads

    assert asyncio.run(asked()) == [1, 2, 2, 3, 3, 4]


def test_a_key_whose_merchant_changed_is_read_again_at_once(desk: Desk) -> None:
    async def revoked() -> str:
        caller = await desk.ask()
        assert desk.rows.row is not None
        desk.rows.row["revoked_at"] = desk.clock.now()
        desk.ring.forget(uuid7(3))
        await desk.ask()
        desk.ring.forget(caller.merchant_id)
        return await desk.refused()

    assert asyncio.run(revoked()) == "api_key_revoked"
    assert desk.rows.reads == 2


def test_a_row_that_an_announcement_overtook_is_not_believed_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row was read before the change committed, and the announcement came meanwhile."""
    reading = vars(authentication)["read_key"]

    async def overtaken(transaction: Rows, merchant_id: UUID, key_id: UUID) -> Row | None:
        row: Row | None = await reading(transaction, merchant_id, key_id)
        desk.ring.forget(merchant_id)
        return row

    async def asked_thrice() -> int:
        monkeypatch.setattr(authentication, "read_key", overtaken)
        await desk.ask()
        monkeypatch.setattr(authentication, "read_key", reading)
        await desk.ask()
        await desk.ask()
        return desk.rows.reads

    assert asyncio.run(asked_thrice()) == 2


def test_a_refused_key_is_not_hashed_again_and_comes_back_when_it_may(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes on asking with a suspended key must not keep the hashing threads busy."""
    hashed: list[str] = []
    verify = PasswordHasher.verify

    def counted(hasher: PasswordHasher, stored: str, text: str) -> bool:
        hashed.append(stored)
        return bool(verify(hasher, stored, text))

    monkeypatch.setattr(PasswordHasher, "verify", counted)

    async def asked() -> tuple[list[str], Caller]:
        assert desk.rows.row is not None
        desk.rows.row["suspended_at"] = desk.clock.now()
        codes = [await desk.refused() for _ in range(5)]
        desk.rows.row["suspended_at"] = None
        desk.ring.forget(desk.rows.row["merchant_id"])
        return codes, await desk.ask()

    codes, caller = asyncio.run(asked())
    assert codes == ["api_key_suspended"] * 5
    assert caller.key_display == "sk_test_...aaaa"
    assert (len(hashed), desk.rows.reads) == (1, 2)


def test_everything_is_read_again_when_announcements_may_have_been_missed(desk: Desk) -> None:
    async def missed() -> int:
        await desk.ask()
        desk.ring.forget_all()
        await desk.ask()
        await desk.ask()
        return desk.rows.reads

    assert asyncio.run(missed()) == 2


def test_a_key_expires_while_its_row_is_remembered(desk: Desk) -> None:
    async def expired() -> str:
        assert desk.rows.row is not None
        desk.rows.row["expires_at"] = desk.clock.now() + timedelta(milliseconds=300)
        await desk.ask()
        await asyncio.sleep(0.4)
        return await desk.refused()

    assert asyncio.run(expired()) == "api_key_expired"
    assert desk.rows.reads == 1


def test_a_revoked_key_is_refused_within_a_minute(desk: Desk) -> None:
    async def revoked() -> str:
        await desk.ask()
        assert desk.rows.row is not None
        desk.rows.row["revoked_at"] = desk.clock.now()
        await desk.ask()
        desk.clock.ahead += ROW_FRESH_SECONDS + 1
        return await desk.refused()

    assert asyncio.run(revoked()) == "api_key_revoked"
    assert ROW_FRESH_SECONDS <= 60


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"revoked_at": SystemClock().now()}, "api_key_revoked"),
        ({"expires_at": SystemClock().now()}, "api_key_expired"),
        ({"suspended_at": SystemClock().now()}, "api_key_suspended"),
        ({"livemode": True}, "api_key_invalid"),
        ({"secret_hash": None}, "api_key_invalid"),
        ({"secret_hash": CHEAP.hash("another")}, "api_key_invalid"),
    ],
)
def test_a_key_whose_row_forbids_it(desk: Desk, change: Row, code: str) -> None:
    assert desk.rows.row is not None
    desk.rows.row.update(change)
    assert asyncio.run(desk.refused()) == code


def test_a_key_of_another_shape_is_not_even_looked_up(desk: Desk) -> None:
    async def guesses() -> list[str]:
        return [
            await desk.refused(text)
            for text in ("sk_test_", desk.text + "a", desk.text[:-1], "sk_test_" + "*" * 73, "key")
        ]

    assert set(asyncio.run(guesses())) == {"api_key_invalid"}
    assert desk.rows.reads == 0


def test_a_key_that_nobody_has_is_refused_without_hashing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashed(*arguments: object) -> bool:
        raise AssertionError("a guess was hashed")

    monkeypatch.setattr(PasswordHasher, "verify", hashed)
    assert asyncio.run(desk.refused(compose(uuid7(1), uuid7(9)))) == "api_key_invalid"
    assert desk.rows.reads == 1


def test_a_publishable_key_is_forbidden_here(desk: Desk) -> None:
    text = compose(uuid7(1), uuid7(2), "publishable")
    assert asyncio.run(desk.refused(text)) == "key_kind_forbidden"


def test_a_caller_shows_no_secret(desk: Desk) -> None:
    caller = asyncio.run(desk.ask())
    assert desk.text not in repr(caller)
    assert caller.key_display == "sk_test_...aaaa"

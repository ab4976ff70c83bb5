"""The token door in both versions, by a clock that the test puts where it wants it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
import uvloop

from contract.operations import Operation, compile_operations
from runtime.clock import SystemClock
from runtime.room import Room
from tests.document import DOCUMENT
from tests.vault.house import House
from tests.vault.merchant import Merchant, card, merchant
from vault.door.desk import Desk
from vault.door.limiting import DoorLimits
from vault.door.tokens import Entrance, TokenDoor
from vault.store.audit import AuditTrail
from vault.store.keys import PublishableKey

OLD, PRESENT = "2025-09-15", "2026-04-01"
MID_LIFE = datetime(2026, 10, 1, tzinfo=UTC)
BROWNOUT = datetime(2027, 2, 1, 15, tzinfo=UTC)
SUNSET = datetime(2027, 4, 1, tzinfo=UTC)


@dataclass
class StandingClock(SystemClock):
    """A clock that stands where it was put."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


@dataclass
class OneKey:
    """A desk that knows every key as this merchant's."""

    key: PublishableKey

    async def admit(self, authorization: str | None) -> tuple[str, PublishableKey]:
        return "pk_test_known", self.key


@pytest.fixture(scope="module")
def operation() -> Operation:
    return compile_operations(DOCUMENT, "vault")["create_token"]


def asked(
    served: House, operation: Operation, moment: datetime, *requests: dict[str, Any]
) -> list[httpx.Response]:
    """The answers to these requests, each given by its headers and its body."""

    async def scenario() -> list[httpx.Response]:
        async with merchant(served) as payer:
            audit = AuditTrail(served.database_url)
            transport = httpx.ASGITransport(app=cast(Any, opened(payer, audit)))
            async with httpx.AsyncClient(transport=transport, base_url="http://vault") as client:
                answers = [await client.post("/v1/tokens", **request) for request in requests]
            await audit.close()
            return answers

    def opened(payer: Merchant, audit: AuditTrail) -> TokenDoor:
        desk = cast(Desk, OneKey(payer.key))
        limits = DoorLimits(SystemClock(), multiplier=1, processes=1, proxies=())
        entrance = Entrance(limits, Room(100), audit)
        return TokenDoor(payer.tokenising, desk, entrance, operation, StandingClock(moment))

    return uvloop.run(scenario())


def request(version: str | None, **headers: str) -> dict[str, Any]:
    named = {} if version is None else {"Paymint-Version": version}
    return {"json": card(), "headers": named | headers}


def test_a_token_in_both_versions(served: House, operation: Operation) -> None:
    again = {"Idempotency-Key": "019d7cd4-507b-7c91-ad3e-8f2b6c0d5a48"}
    old, new = asked(served, operation, MID_LIFE, request(OLD, **again), request(PRESENT, **again))
    assert (old.status_code, new.status_code) == (201, 201)
    assert old.json().keys() == {"object", "id", "data", "livemode", "created_at"}
    assert old.json()["data"]["last_four"] == new.json()["last_four"] == "4242"
    assert old.headers["paymint-version"] == OLD and old.headers["deprecation"] == "@1775001600"
    assert new.headers["paymint-version"] == PRESENT and "deprecation" not in new.headers
    # The same key from another version is the same request.
    assert old.json()["id"] == new.json()["id"]
    assert new.headers["idempotent-replayed"] == "true"


def test_without_a_header_the_door_answers_in_the_present(
    served: House, operation: Operation
) -> None:
    (answer,) = asked(served, operation, SUNSET, request(None))
    assert answer.status_code == 201 and answer.headers["paymint-version"] == PRESENT


@pytest.mark.parametrize(
    ("moment", "version", "status", "code"),
    [
        (MID_LIFE, "2026-04-02", 400, "api_version_unknown"),
        (BROWNOUT, OLD, 410, "api_version_brownout"),
        (SUNSET, OLD, 410, "api_version_removed"),
        (SUNSET - timedelta(milliseconds=1), OLD, 201, None),
    ],
)
def test_a_version_that_is_not_served(
    served: House,
    operation: Operation,
    moment: datetime,
    version: str,
    status: int,
    code: str | None,
) -> None:
    (answer,) = asked(served, operation, moment, request(version))
    assert answer.status_code == status
    assert answer.json().get("error", {}).get("code") == code
    assert answer.headers["cache-control"] == "no-store"

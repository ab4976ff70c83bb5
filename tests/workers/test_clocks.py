"""After any moves of a clock, nothing that waits is lost, early or late."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import uvloop

from contract import relay
from domain import moments
from flows import test_clocks as flow
from flows.authorisation_expiry import end_expired_authorisations
from models.deliveries import EndedAttempt, record_attempts
from models.delivery_leases import Look, lease_deliveries
from runtime.coalescer import Lane
from runtime.ids import uuid7
from tests.workers.house import Bench, Place, bench, resume_due_payments

SEEDS = (1, 2, 3)
STEPS = 60
DELAY = timedelta(minutes=5)
WEEK = timedelta(days=7)
SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=30)
ROOM = 64

Scenario = Callable[[Bench], Awaitable[None]]


def played(place: Place, scenario: Scenario) -> None:
    async def run() -> None:
        async with bench(place) as built:
            # What the machine takes is no time that goes by.
            built.clock.stop()
            await scenario(built)

    uvloop.run(run())


async def freeze(built: Bench, at: datetime) -> str:
    reply = await flow.create_test_clock(built.house, built.asking, moments.to_text(at))
    return str(reply.resource["id"])


async def advance(built: Bench, clock: str, to: datetime) -> None:
    await flow.advance_test_clock(built.house, built.asking, clock, moments.to_text(to))


async def delete(built: Bench, clock: str) -> None:
    await flow.delete_test_clock(built.house, built.asking, clock)


async def authorised(built: Bench, expires_at: datetime) -> UUID:
    """A held payment as the statement of an approval leaves it."""
    payment_id = uuid7()
    await built.rows(
        "INSERT INTO payments (id, merchant_id, livemode, amount, currency, status, capture,"
        " payment_method_id, is_token, metadata, idempotency_key, attempt_id, network,"
        " amount_authorized, created_at, expires_at)"
        " VALUES (%(id)s, %(merchant)s, %(mode)s, 10000, 'usd', 'authorized', false, %(id)s, false,"
        " '{}', %(id)s, %(id)s, 'visa', 10000, now(), %(expires_at)s) RETURNING id",
        id=payment_id,
        merchant=built.merchant_id,
        mode=built.livemode,
        expires_at=expires_at,
    )
    return payment_id


async def ended(built: Bench) -> set[UUID]:
    """Which payments are being cancelled."""
    while await end_expired_authorisations(built.house):
        pass
    rows = await built.rows("SELECT id FROM payments WHERE operation = 'cancel'")
    return {row["id"] for row in rows}


class Model:
    """What should be: how much business time each payment has still to wait."""

    def __init__(self, built: Bench, seed: int) -> None:
        self._built = built
        self._chance = random.Random(seed)
        self._clock: tuple[str, datetime] | None = None
        self._left: dict[UUID, timedelta] = {}
        self._over: set[UUID] = set()

    async def play(self) -> None:
        for _ in range(STEPS):
            step = self._chance.choice([self._pass, self._hold, self._freeze, self._move])
            await self._chance.choice([step, step, step, self._delete])()
            assert await ended(self._built) == self._over

    def _span(self) -> timedelta:
        return timedelta(seconds=self._chance.randrange(1, 8 * 86400))

    def _business(self) -> datetime:
        return self._built.clock.now() if self._clock is None else self._clock[1]

    def _elapse(self, span: timedelta) -> None:
        """Business time goes on."""
        self._left = {payment: left - span for payment, left in self._left.items()}
        over = {payment for payment, left in self._left.items() if left <= timedelta(0)}
        self._over |= over
        for payment in over:
            del self._left[payment]

    async def _pass(self) -> None:
        """Wall time goes on."""
        span = self._span()
        self._built.clock.advance(span)
        if self._clock is None:
            self._elapse(span)

    async def _hold(self) -> None:
        self._left[await authorised(self._built, self._business() + WEEK)] = WEEK

    async def _freeze(self) -> None:
        if self._clock is None:
            span = self._span()
            at = self._built.clock.now() + span
            self._clock = await freeze(self._built, at), at
            self._elapse(span)

    async def _move(self) -> None:
        if self._clock is not None:
            span = self._span()
            clock, at = self._clock
            # A clock far behind may be moved and still stand behind the wall clock.
            self._clock = clock, at + span
            await advance(self._built, clock, at + span)
            self._elapse(span)

    async def _delete(self) -> None:
        if self._clock is not None:
            await delete(self._built, self._clock[0])
            self._clock = None


@pytest.mark.parametrize("seed", SEEDS)
def test_any_moves_of_a_clock(place: Place, seed: int) -> None:
    async def scenario(built: Bench) -> None:
        await Model(built, seed).play()

    print(f"seed {seed}")
    played(place, scenario)


def test_live_payments_expire_by_the_wall_clock(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        await freeze(built, built.clock.now() + WEEK)
        built.livemode = True
        payment = await authorised(built, built.clock.now() + WEEK)
        assert await ended(built) == set()
        built.clock.advance(WEEK)
        assert await ended(built) == {payment}

    played(place, scenario)


def test_what_is_written_while_its_clock_moves_is_caught_up_with(place: Place) -> None:
    """A statement that read the clock before it moved, and was written after."""

    async def scenario(built: Bench) -> None:
        start = built.clock.now() + SECOND
        clock = await freeze(built, start)
        await advance(built, clock, start + 2 * WEEK)
        payment = await authorised(built, start + WEEK)
        assert await ended(built) == set()
        assert await flow.catch_up_with_clocks(built.house) == 1
        assert await flow.catch_up_with_clocks(built.house) == 0
        assert await ended(built) == {payment}

    played(place, scenario)


def test_what_was_not_caught_up_with_is_due_when_its_clock_is_deleted(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        start = built.clock.now() + SECOND
        clock = await freeze(built, start + 2 * WEEK)
        payment = await authorised(built, start + WEEK)
        await delete(built, clock)
        assert await ended(built) == {payment}

    played(place, scenario)


def test_a_reversal_that_the_network_declines_is_asked_for_again_after_an_hour(
    place: Place,
) -> None:
    async def scenario(built: Bench) -> None:
        start = built.clock.now() + SECOND
        payment = await authorised(built, start)
        clock = await freeze(built, start)
        declined = relay.Decision(outcome="declined", network="visa")
        approved = relay.Decision(outcome="approved", network="visa")
        for answer, hours in ((declined, 1), (approved, 0)):
            assert await end_expired_authorisations(built.house) == 1
            built.vault.answers = [relay.Resolution(state="never_begun"), answer]
            assert await resume_due_payments(built.house) == 1
            assert await end_expired_authorisations(built.house) == 0
            built.clock.advance(timedelta(days=1))
            assert await end_expired_authorisations(built.house) == 0
            if hours:
                await advance(built, clock, start + timedelta(hours=hours))
        assert [type(asked) for asked in built.vault.asked] == [relay.Resolve, relay.Reverse] * 2
        (row,) = await built.rows("SELECT * FROM payments")
        assert (row["id"], row["status"], row["expires_at"]) == (payment, "cancelled", None)
        told = await built.rows("SELECT type FROM events ORDER BY sequence")
        assert [row["type"] for row in told] == ["payment.cancel_failed", "payment.cancelled"]

    played(place, scenario)


def failed(built: Bench, event_id: UUID, endpoint_id: UUID, lease: datetime) -> EndedAttempt:
    now = built.clock.now()
    return EndedAttempt(
        event_id=event_id,
        endpoint_id=endpoint_id,
        merchant_id=built.merchant_id,
        lease=lease,
        attempt=1,
        attempted_at=now,
        duration_ms=1,
        status_code=500,
        error=None,
        state="pending",
        next_attempt_at=now + DELAY,
        ended_at=now,
        succeeded=False,
        alert_id=uuid7(),
    )


async def leased(built: Bench) -> datetime | None:
    """Until when the one due delivery was taken; None when none is due."""
    now = built.clock.now()
    lane = Lane(built.house.settings.database_url, 0)
    (found,) = await lease_deliveries(lane, [Look(now, now + LEASE, ROOM, {}, (), None)])
    await lane.close()
    return now + LEASE if found.rows else None


async def failed_attempt(built: Bench) -> None:
    """One event whose first attempt was made, failed and recorded."""
    endpoint_id, event_id = await built.endpoint("http://127.0.0.1:9/"), await built.event()
    lease = await leased(built)
    assert lease is not None
    lane = Lane(built.house.settings.database_url, 0)
    assert await record_attempts(lane, [failed(built, event_id, endpoint_id, lease)]) == [True]
    await lane.close()


def test_a_failure_waits_from_where_the_clock_stands(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        start = built.clock.now() + WEEK
        clock = await freeze(built, start)
        await failed_attempt(built)
        (row,) = await built.deliveries()
        assert row["next_attempt_at"] == start + DELAY
        built.clock.advance(2 * WEEK)
        assert await leased(built) is None
        await advance(built, clock, start + DELAY - SECOND)
        assert await leased(built) is None
        await advance(built, clock, start + DELAY)
        assert await leased(built) is not None
        assert await leased(built) is None

    played(place, scenario)


def test_a_lost_lease_runs_out_by_the_wall_clock(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        await freeze(built, built.clock.now() + SECOND)
        await built.endpoint("http://127.0.0.1:9/")
        await built.event()
        assert await leased(built) is not None
        assert await leased(built) is None
        built.clock.advance(LEASE)
        assert await leased(built) is not None

    played(place, scenario)


def test_a_deletion_waits_for_what_is_being_reckoned_with_the_clock(place: Place) -> None:
    """Else a failure would be written in the time of a clock that is gone."""

    async def scenario(built: Bench) -> None:
        start = built.clock.now() + WEEK
        clock = await freeze(built, start)
        endpoint_id, event_id = await built.endpoint("http://127.0.0.1:9/"), await built.event()
        lease = await leased(built)
        assert lease is not None
        lane = Lane(built.house.settings.database_url, 0)
        await lane.rows(b"BEGIN", {})
        await record_attempts(lane, [failed(built, event_id, endpoint_id, lease)])
        deleting = asyncio.create_task(delete(built, clock))
        # An advance is not held up, and this is not a wait for the deletion behind it.
        assert not (await asyncio.wait([deleting], timeout=0.5))[0]
        await lane.rows(b"COMMIT", {})
        await deleting
        await lane.close()
        (row,) = await built.deliveries()
        left = row["next_attempt_at"] - built.clock.now()
        assert left == DELAY

    played(place, scenario)


def test_an_advance_holds_nobody_up(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        start = built.clock.now() + WEEK
        clock = await freeze(built, start)
        endpoint_id, event_id = await built.endpoint("http://127.0.0.1:9/"), await built.event()
        lease = await leased(built)
        assert lease is not None
        lane = Lane(built.house.settings.database_url, 0)
        await lane.rows(b"BEGIN", {})
        await record_attempts(lane, [failed(built, event_id, endpoint_id, lease)])
        async with asyncio.timeout(2):
            await advance(built, clock, start + WEEK)
        await lane.rows(b"COMMIT", {})
        await lane.close()
        assert await flow.catch_up_with_clocks(built.house) == 1
        assert await leased(built) is not None

    played(place, scenario)

"""Disputes: opened once however often they are told, expired by the merchant's own clock."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import uvloop

from adapters.vault_door import Unknown, Unsent
from contract import relay
from domain.refusals import Unprocessable
from flows.dispute_intake import take_in_chargebacks
from flows.dispute_progress import ASK_AGAIN, LEASE, lease_due_disputes, move_on
from flows.disputes import submit_evidence
from models import counting
from models.payment_changes import lock_payment
from models.payment_reads import PaymentKey
from runtime.database import Row
from tests.workers.house import Bench, Place, bench
from tests.workers.test_refunds import captured_payment, payment_row, refund_of

AMOUNT, REFUNDED = 10_000, 1_000
DONE = relay.Done()
OVERDUE = timedelta(days=16)

Scenario = Callable[[Bench], Awaitable[None]]


def played(place: Place, scenario: Scenario) -> None:
    async def run() -> None:
        async with bench(place) as built:
            await scenario(built)

    uvloop.run(run())


def chargeback_of(built: Bench, payment_id: UUID, **fields: Any) -> relay.Chargeback:
    values: dict[str, Any] = {
        "id": uuid4(),
        "merchant_id": built.merchant_id,
        "livemode": False,
        "payment_id": payment_id,
        "amount": AMOUNT,
        "currency": "usd",
        "reason": "fraudulent",
        "state": "open",
        "opened_at_ms": built.clock.unix_ms(),
    }
    return relay.Chargeback(**(values | fields))


def news(*chargebacks: relay.Chargeback) -> relay.ChargebackNews:
    return relay.ChargebackNews(chargebacks=list(chargebacks))


async def take_in(built: Bench, *answers: relay.Answer | Exception) -> int:
    """One round of the worker, with this script of the vault's."""
    built.vault.answers = list(answers)
    return await take_in_chargebacks(built.house)


async def opened(built: Bench, refunded: int = 0) -> Row:
    """The dispute of a new captured payment."""
    payment_id = await captured_payment(built, refunded)
    assert await take_in(built, news(chargeback_of(built, payment_id)), DONE) == 1
    (row,) = await built.rows("SELECT * FROM disputes WHERE payment_id = %(id)s", id=payment_id)
    return row


async def rows(built: Bench) -> list[Row]:
    return await built.rows("SELECT * FROM disputes")


async def reread(built: Bench, dispute: Row) -> Row:
    (row,) = await built.rows("SELECT * FROM disputes WHERE id = %(id)s", id=dispute["id"])
    return row


async def move_due(built: Bench) -> int:
    due = await lease_due_disputes(built.house, 10)
    for dispute in due:
        await move_on(built.house, dispute)
    return len(due)


async def events(built: Bench) -> list[tuple[str, int, str]]:
    found = await built.rows("SELECT * FROM events ORDER BY sequence, id")
    return [(row["type"], row["sequence"], row["object"]["status"]) for row in found]


async def counted(built: Bench) -> dict[str, int]:
    kept = {}
    async with built.house.database.transaction() as transaction:
        for status in ("needs_response", "under_review", "won", "lost"):
            kept[status] = await counting.total(
                transaction, built.merchant_id, False, "disputes", status
            )
    return {status: count for status, count in kept.items() if count}


async def answer(built: Bench, dispute: Row, text: str = "winning_evidence") -> None:
    identifier = "dsp_" + dispute["id"].hex
    await submit_evidence(built.house, built.asking, identifier, {"text": text})


async def freeze(built: Bench, moment: datetime) -> None:
    """The merchant's test clock stands at `moment`; what it passes is due now."""
    await built.rows(
        "INSERT INTO test_clocks (id, merchant_id, livemode, frozen_time, created_at)"
        " VALUES (%(id)s, %(id)s, false, %(moment)s, now())"
        " ON CONFLICT (merchant_id, livemode) DO UPDATE SET frozen_time = excluded.frozen_time"
        " RETURNING id",
        id=built.merchant_id,
        moment=moment,
    )
    await built.rows(
        "UPDATE disputes SET work_at = least(work_at, %(now)s) WHERE work_at <= %(moment)s"
        " RETURNING id",
        now=built.clock.now(),
        moment=moment,
    )


def test_a_chargeback_that_is_told_twice_is_one_dispute(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        payment_id = await captured_payment(built, 0)
        chargeback = chargeback_of(built, payment_id, amount=4000)
        lost_on_the_way = (news(chargeback), Unknown("timed out"))
        assert await take_in(built, *lost_on_the_way) == 0
        assert await take_in(built, news(chargeback), Unsent("no link")) == 0
        assert await take_in(built, news(chargeback), DONE) == 1
        (dispute,) = await rows(built)
        assert (dispute["amount"], dispute["status"]) == (4000, "needs_response")
        assert (await payment_row(built, payment_id))["amount_disputed"] == 4000
        assert await events(built) == [("dispute.created", 1, "needs_response")]
        assert await counted(built) == {"needs_response": 1}
        last = built.vault.asked[-1]
        assert isinstance(last, relay.AcknowledgeChargeback)
        assert (last.chargeback_id, last.state) == (chargeback.id, "open")

    played(place, scenario)


@pytest.mark.parametrize(("refunded", "amount"), [(0, AMOUNT), (3000, 7000), (9999, 1)])
def test_a_dispute_is_for_what_is_left(place: Place, refunded: int, amount: int) -> None:
    async def scenario(built: Bench) -> None:
        dispute = await opened(built, refunded)
        assert dispute["amount"] == amount
        payment = await payment_row(built, dispute["payment_id"])
        assert (payment["amount_refunded"], payment["amount_disputed"]) == (refunded, amount)

    played(place, scenario)


def test_where_nothing_is_left_there_is_no_dispute(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        payment_id = await captured_payment(built, AMOUNT)
        unknown = chargeback_of(built, uuid4())
        told = news(chargeback_of(built, payment_id), unknown)
        assert await take_in(built, told, DONE, DONE) == 2
        assert await rows(built) == [] and await events(built) == []
        assert (await payment_row(built, payment_id))["amount_disputed"] == 0

    played(place, scenario)


def test_a_payment_that_is_held_keeps_no_other_chargeback_waiting(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        held, free = [await captured_payment(built, 0) for _ in range(2)]
        told = news(chargeback_of(built, held), chargeback_of(built, free))
        async with built.house.database.transaction() as transaction:
            assert await lock_payment(transaction, PaymentKey(held, built.merchant_id, False))
            assert await take_in(built, told, DONE) == 1
        assert [row["payment_id"] for row in await rows(built)] == [free]
        assert await take_in(built, told, DONE, DONE) == 2
        assert {row["payment_id"] for row in await rows(built)} == {held, free}

    played(place, scenario)


def test_a_chargeback_waits_for_refunds_for_a_day(place: Place) -> None:
    """Who refunds a little again and again does not keep it away for longer."""

    async def scenario(built: Bench) -> None:
        payment_id = await captured_payment(built, REFUNDED)
        chargeback = chargeback_of(built, payment_id)
        for amount in (REFUNDED // 2, REFUNDED // 2):
            await refund_of(built, payment_id, amount)
            assert await take_in(built, news(chargeback)) == 0
            built.clock.advance(timedelta(hours=13))
        assert await take_in(built, news(chargeback), DONE) == 1
        assert [row["amount"] for row in await rows(built)] == [AMOUNT - REFUNDED]

    played(place, scenario)


def test_a_chargeback_waits_for_the_answer_to_its_capture(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        payment_id = await captured_payment(built, 0)
        chargeback = chargeback_of(built, payment_id)
        change = "UPDATE payments SET status = %(status)s, amount_captured = %(captured)s"
        await built.rows(change + " RETURNING id", status="authorized", captured=0)
        assert await take_in(built, news(chargeback)) == 0
        assert await rows(built) == []
        await built.rows(change + " RETURNING id", status="captured", captured=AMOUNT)
        assert await take_in(built, news(chargeback), DONE) == 1
        assert len(await rows(built)) == 1

    played(place, scenario)


@pytest.mark.parametrize(("outcome", "disputed"), [("won", 0), ("lost", AMOUNT)])
def test_an_outcome_counts_once(place: Place, outcome: str, disputed: int) -> None:
    async def scenario(built: Bench) -> None:
        payment_id = await captured_payment(built, 0)
        chargeback = chargeback_of(built, payment_id)
        assert await take_in(built, news(chargeback), DONE) == 1
        (dispute,) = await rows(built)
        await answer(built, dispute)
        decided = msgspec.structs.replace(chargeback, state=outcome)
        other = "lost" if outcome == "won" else "won"
        for told in (decided, decided, msgspec.structs.replace(chargeback, state=other)):
            assert await take_in(built, news(told), DONE) == 1
        dispute = await reread(built, dispute)
        assert (dispute["status"], dispute["work_at"]) == (outcome, None)
        assert (await payment_row(built, payment_id))["amount_disputed"] == disputed
        assert await counted(built) == {outcome: 1}
        assert await events(built) == [
            ("dispute.created", 1, "needs_response"),
            ("dispute.updated", 2, "under_review"),
            ("dispute.closed", 3, outcome),
        ]

    played(place, scenario)


def test_an_outcome_that_comes_first_opens_and_ends(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        payment_id = await captured_payment(built, 0)
        chargeback = chargeback_of(built, payment_id, state="lost")
        assert await take_in(built, news(chargeback), DONE) == 1
        assert await counted(built) == {"lost": 1}
        kinds = [kind for kind, _, _ in await events(built)]
        assert kinds == ["dispute.created", "dispute.closed"]

    played(place, scenario)


def test_evidence_goes_to_the_network_once_it_can(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        dispute = await opened(built)
        await answer(built, dispute, "A photograph.")
        built.vault.asked.clear()
        refused = relay.Rejected(code="chargeback_unknown")
        built.vault.answers = [Unsent("no link"), refused, DONE]
        for _ in range(3):
            assert await move_due(built) == 1
            assert await move_due(built) == 0
            built.clock.advance(ASK_AGAIN)
        asked = built.vault.asked[0]
        assert isinstance(asked, relay.Represent)
        assert (asked.chargeback_id, asked.text) == (dispute["chargeback_id"], "A photograph.")
        waiting = await reread(built, dispute)
        assert (waiting["status"], waiting["work_at"]) == ("under_review", None)
        built.clock.advance(OVERDUE)
        assert await move_due(built) == 0

    played(place, scenario)


def test_what_a_dead_worker_had_leased_is_taken_up(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        dispute = await opened(built)
        await answer(built, dispute)
        assert len(await lease_due_disputes(built.house, 10)) == 1
        built.clock.advance(LEASE - ASK_AGAIN)
        assert await move_due(built) == 0
        built.clock.advance(ASK_AGAIN)
        built.vault.answers = [DONE]
        assert await move_due(built) == 1
        assert (await reread(built, dispute))["work_at"] is None

    played(place, scenario)


def test_an_unanswered_dispute_is_lost(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        dispute = await opened(built)
        built.clock.advance(dispute["evidence_due_by"] - built.clock.now() - ASK_AGAIN)
        assert await move_due(built) == 0
        built.clock.advance(ASK_AGAIN)
        with pytest.raises(Unprocessable, match="dispute_unexpected_state"):
            await answer(built, dispute)
        assert await move_due(built) == 1
        lost = await reread(built, dispute)
        assert (lost["status"], lost["work_at"]) == ("lost", None)
        assert lost["closed_at"] >= lost["evidence_due_by"]
        payment = await payment_row(built, dispute["payment_id"])
        assert (payment["status"], payment["amount_disputed"]) == ("captured", AMOUNT)
        assert (await events(built))[-1] == ("dispute.closed", 2, "lost")
        assert await counted(built) == {"lost": 1}

    played(place, scenario)


def test_the_merchants_own_clock_decides(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        frozen = built.clock.now() + timedelta(days=30)
        await freeze(built, frozen)
        dispute = await opened(built)
        assert dispute["created_at"] == frozen
        # The machine's clock alone brings nothing about.
        built.clock.advance(timedelta(days=60))
        assert await move_due(built) == 0
        await freeze(built, dispute["evidence_due_by"] - ASK_AGAIN)
        assert await move_due(built) == 0
        await freeze(built, dispute["evidence_due_by"])
        assert await move_due(built) == 1
        lost = await reread(built, dispute)
        assert (lost["status"], lost["closed_at"]) == ("lost", lost["evidence_due_by"])

    played(place, scenario)


def test_a_clock_that_stands_holds_no_evidence_back(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        await freeze(built, built.clock.now() - timedelta(days=3))
        dispute = await opened(built)
        await answer(built, dispute)
        built.vault.answers = [Unsent("no link"), DONE]
        assert await move_due(built) == 1
        built.clock.advance(ASK_AGAIN)
        assert await move_due(built) == 1
        assert (await reread(built, dispute))["work_at"] is None
        due = await built.rows("SELECT next_attempt_at FROM webhook_deliveries")
        assert all(row["next_attempt_at"] <= built.clock.now() for row in due)

    played(place, scenario)


def test_a_dispute_that_was_called_too_early_waits_on(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        dispute = await opened(built)
        early = {**dispute, "work_at": built.clock.now()}
        await built.rows("UPDATE disputes SET work_at = now() RETURNING id")
        await move_on(built.house, early)
        waiting = await reread(built, dispute)
        assert (waiting["status"], waiting["work_at"]) == (
            "needs_response",
            dispute["evidence_due_by"],
        )

    played(place, scenario)


def test_another_mode_has_no_such_dispute(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        dispute = await opened(built)
        live = replace(built, livemode=True)
        identifier = "dsp_" + dispute["id"].hex
        with pytest.raises(Exception, match="resource_missing"):
            await submit_evidence(built.house, live.asking, identifier, {"text": "x"})
        in_live_mode = chargeback_of(built, dispute["payment_id"], livemode=True)
        assert await take_in(built, news(in_live_mode), DONE) == 1
        assert len(await rows(built)) == 1

    played(place, scenario)

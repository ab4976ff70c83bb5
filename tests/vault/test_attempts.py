"""Attempts are begun once, decided once, fenced for good."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
import uvloop

from adapters.vault_door import Unknown
from contract import relay
from runtime.ids import uuid7
from tests.vault.house import House
from tests.vault.merchant import Merchant, merchant

SILENT_AFTER_APPROVING = "4000009900000020"
SILENT_BEFORE_DECIDING = "4000009900000012"
DECLINES = "4000000000009995"
REFUND_FAILS = "4000000000005126"
REFUND_SLOW = "4000000000007726"

Scenario = Callable[[Merchant], Awaitable[None]]


def played(house: House, scenario: Scenario) -> None:
    async def run() -> None:
        async with merchant(house) as payer:
            await scenario(payer)

    uvloop.run(run())


def approvals(house: House, payment_id: UUID) -> int:
    return sum(
        line.payment == payment_id.hex and line.decision == "approved" for line in house.journal()
    )


def replaced(request: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(request, **fields)


async def approved(payer: Merchant, number: str, **fields: Any) -> UUID:
    """The payment of an approved authorisation."""
    request = payer.authorise(await payer.token(number), **fields)
    answer = await payer.door.call(request)
    assert isinstance(answer, relay.Decision) and answer.outcome == "approved"
    return request.payment_id


def test_one_attempt_asked_fifty_times_is_put_to_the_network_once(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        request = payer.authorise(await payer.token())
        answers = await asyncio.gather(*[payer.door.call(request) for _ in range(50)])
        assert all(answer == answers[0] for answer in answers)
        assert isinstance(answers[0], relay.Decision) and answers[0].outcome == "approved"
        assert await payer.door.call(request) == answers[0]
        assert approvals(served, request.payment_id) == 1

    played(served, scenario)


def test_a_token_goes_to_one_payment_only(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        token_id = await payer.token()
        requests = [payer.authorise(token_id) for _ in range(20)]
        answers = await asyncio.gather(*[payer.door.call(request) for request in requests])
        assert sum(isinstance(answer, relay.Decision) for answer in answers) == 1
        assert answers.count(relay.Rejected(code="token_already_used")) == 19
        winner = requests[[isinstance(answer, relay.Decision) for answer in answers].index(True)]
        again = replaced(winner, attempt_id=uuid7())
        assert isinstance(await payer.door.call(again), relay.Decision)

    played(served, scenario)


def test_what_never_began_is_fenced(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        request = payer.authorise(await payer.token())
        assert await payer.resolve(request.attempt_id) == relay.Resolution(state="never_begun")
        assert await payer.door.call(request) == relay.Rejected(code="attempt_fenced")
        assert await payer.resolve(request.attempt_id) == relay.Resolution(state="never_begun")
        assert approvals(served, request.payment_id) == 0
        # The token was not spent on it.
        other = replaced(request, attempt_id=uuid7(), payment_id=uuid7())
        assert isinstance(await payer.door.call(other), relay.Decision)

    played(served, scenario)


def test_begin_and_fence_at_once_agree(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        method_id = await payer.method()
        requests = [payer.authorise(method_id) for _ in range(100)]
        calls = [payer.door.call(request) for request in requests]
        fences = [payer.resolve(request.attempt_id) for request in requests]
        answers, resolutions = await asyncio.gather(asyncio.gather(*calls), asyncio.gather(*fences))
        for answer, resolution in zip(answers, resolutions, strict=True):
            assert isinstance(resolution, relay.Resolution)
            fenced = answer == relay.Rejected(code="attempt_fenced")
            assert fenced == (resolution.state == "never_begun")

    played(served, scenario)


def test_a_decline_is_stored_and_resolved(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        request = payer.authorise(await payer.token(DECLINES))
        answer = await payer.door.call(request)
        assert isinstance(answer, relay.Decision)
        assert (answer.outcome, answer.code) == ("declined", "card_declined")
        assert answer.decline_code == "insufficient_funds"
        resolution = await payer.resolve(request.attempt_id)
        assert resolution == relay.Resolution(state="decided", decision=answer)

    played(served, scenario)


def test_an_approval_that_was_not_heard_is_found_by_inquiry(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        request = payer.authorise(await payer.token(SILENT_AFTER_APPROVING))
        with pytest.raises(Unknown):
            await payer.door.call(request, timeout_seconds=1.0)
        resolution = await payer.resolve(request.attempt_id)
        assert isinstance(resolution, relay.Resolution) and resolution.decision is not None
        assert resolution.decision.outcome == "approved"
        assert approvals(served, request.payment_id) == 1

    played(served, scenario)


def test_what_the_network_never_decided_is_given_up_when_it_is_old(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        request = payer.authorise(await payer.token(SILENT_BEFORE_DECIDING))
        with pytest.raises(Unknown):
            await payer.door.call(request, timeout_seconds=1.0)
        assert await payer.resolve(request.attempt_id) == relay.Resolution(state="undecided")
        # The vault waits 4 s for the network; then nobody is at it any more.
        await asyncio.sleep(4.2)
        assert await payer.resolve(request.attempt_id) == relay.Resolution(state="undecided")
        with psycopg.connect(served.database_url) as connection:
            connection.execute(
                "UPDATE attempts SET created_at = now() - interval '11 s' WHERE id = %s",
                (request.attempt_id,),
            )
        assert await payer.resolve(request.attempt_id) == relay.Resolution(state="never_begun")
        assert await payer.door.call(request) == relay.Rejected(code="attempt_fenced")

    played(served, scenario)


def test_capture_and_refunds_stay_within_the_approval(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        payment_id = await approved(payer, "5555555555554444", amount=10_000)

        async def ask(kind: Any, **fields: Any) -> Any:
            scope = {**payer.scope, "attempt_id": uuid7(), "payment_id": payment_id}
            return await payer.door.call(kind(**scope, **fields))

        money = {"currency": "usd", "refund_id": uuid7()}
        too_early = await ask(relay.Refund, amount=1, **money)
        captured = await ask(relay.Capture, amount=8_000, currency="usd")
        twice = await ask(relay.Capture, amount=1, currency="usd")
        refunds = [await ask(relay.Refund, amount=amount, **money) for amount in (5_000, 3_001)]
        last = await ask(relay.Refund, amount=3_000, **money)
        outcomes = [too_early, captured, twice, *refunds, last]
        assert [answer.outcome for answer in outcomes] == [
            "declined",
            "approved",
            "declined",
            "approved",
            "declined",
            "approved",
        ]
        assert captured.network == "mastercard" and captured.network_reference

    played(served, scenario)


def test_a_reversal_gives_back_the_approval(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        payment_id = await approved(payer, "378282246310005")
        scope = {**payer.scope, "payment_id": payment_id}
        reversal = relay.Reverse(**scope, attempt_id=uuid7())
        first = await payer.door.call(reversal)
        assert isinstance(first, relay.Decision) and first.outcome == "approved"
        assert await payer.door.call(reversal) == first
        capture = relay.Capture(**scope, attempt_id=uuid7(), amount=1000, currency="usd")
        late = await payer.door.call(capture)
        assert isinstance(late, relay.Decision) and late.outcome == "declined"

    played(served, scenario)


def test_slow_refunds_are_pending_and_settle(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        refunds = []
        for number in (REFUND_SLOW, REFUND_FAILS):
            payment_id = await approved(payer, number, capture=True)
            refund = relay.Refund(
                **payer.scope,
                attempt_id=uuid7(),
                payment_id=payment_id,
                refund_id=uuid7(),
                amount=1000,
                currency="usd",
            )
            answer = await payer.door.call(refund)
            assert isinstance(answer, relay.Decision) and answer.outcome == "pending"
            early = await payer.resolve(refund.attempt_id)
            assert early == relay.Resolution(state="decided", decision=answer)
            refunds.append(refund)
        await asyncio.sleep(3.1)
        settled = []
        for refund in refunds:
            resolution = await payer.resolve(refund.attempt_id)
            assert isinstance(resolution, relay.Resolution) and resolution.decision is not None
            settled.append(resolution.decision.outcome)
        assert settled == ["approved", "declined"]

    played(served, scenario)


def test_nothing_is_found_in_another_mode_or_at_another_merchant(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        method_id = await payer.method()
        request = payer.authorise(method_id)
        live = replaced(request, livemode=True)
        assert await payer.door.call(live) == relay.Rejected(code="livemode_mismatch")
        foreign = replaced(request, merchant_id=uuid7())
        assert await payer.door.call(foreign) == relay.Rejected(code="instrument_unknown")
        await payer.door.call(request)
        capture = relay.Capture(
            **{**payer.scope, "merchant_id": uuid7()},
            attempt_id=uuid7(),
            payment_id=request.payment_id,
            amount=1000,
            currency="usd",
        )
        assert await payer.door.call(capture) == relay.Rejected(code="payment_unknown")

    played(served, scenario)

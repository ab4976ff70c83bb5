"""Answers lost between the vault and a network: what is asked again, and what never is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
import uvloop

from contract import relay
from runtime.ids import uuid7
from tests.vault.house import House
from tests.vault.till import Till, open_till
from vault.networks.breaker import OPENS_FROM_CALLS, REST_SECONDS
from vault.outcomes import CallUndecided
from vault.store.attempts import Chargeable, beginning_of

OPERATIONS = ("capture", "reverse", "refund")
UNDECIDED = relay.Resolution(state="undecided")
AWAY = relay.Rejected(code="network_unavailable")


def played(house: House, scenario: Callable[[Till], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_till(house) as till:
            await scenario(till)

    uvloop.run(run())


async def follow_up(till: Till, operation: str) -> Any:
    """A request to go on with a payment that was approved."""
    asked = await till.authorisation(sale=operation == "refund")
    assert isinstance(await till.charge(asked), relay.Decision)
    scope: dict[str, Any] = {**till.scope, "attempt_id": uuid7(), "payment_id": asked.payment_id}
    if operation == "reverse":
        return relay.Reverse(**scope)
    money: dict[str, Any] = {"amount": 1000, "currency": "usd"}
    if operation == "capture":
        return relay.Capture(**scope, **money)
    return relay.Refund(**scope, **money, refund_id=uuid7())


async def is_lost(till: Till, request: Chargeable) -> None:
    with pytest.raises(CallUndecided):
        await till.charge(request)


def age(house: House, attempt_id: UUID, old: str = "1 hour") -> None:
    """The attempt is so old that nobody is at it any more."""
    with psycopg.connect(house.database_url) as connection:
        connection.execute(
            "UPDATE attempts SET created_at = now() - %s::interval WHERE id = %s",
            (old, attempt_id),
        )


def another_attempt(request: relay.Authorise) -> relay.Authorise:
    return msgspec.structs.replace(request, attempt_id=uuid7())


def kinds(till: Till, payment_id: UUID) -> list[str]:
    return [line.kind for line in till.lines(payment_id)]


async def answered_once(till: Till, request: Any, operation: str) -> None:
    """Asked for again it is answered, always the same, and the network has done it once."""
    first = await till.charge(request)
    assert isinstance(first, relay.Decision) and first.outcome == "approved"
    assert await till.charge(request) == first
    assert await till.resolve(request.attempt_id) == relay.Resolution(
        state="decided", decision=first
    )
    assert kinds(till, request.payment_id)[1:] == [operation]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_call_that_never_arrived_is_made_again(operation: str, served: House) -> None:
    async def scenario(till: Till) -> None:
        request = await follow_up(till, operation)
        till.network.calls_lost = {operation}
        for _ in range(3):
            await is_lost(till, request)
        # However old it is, no other attempt may take its place: it could still arrive.
        age(served, request.attempt_id)
        assert await till.resolve(request.attempt_id) == UNDECIDED
        till.network.calls_lost = set()
        await answered_once(till, request, operation)

    played(served, scenario)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_call_whose_answer_was_lost_is_made_again(operation: str, served: House) -> None:
    async def scenario(till: Till) -> None:
        request = await follow_up(till, operation)
        till.network.answers_lost = {operation}
        for _ in range(3):
            await is_lost(till, request)
        till.network.answers_lost = set()
        await answered_once(till, request, operation)

    played(served, scenario)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_vault_that_is_lost_before_it_asks_is_followed_by_another(
    operation: str, served: House
) -> None:
    async def scenario(till: Till) -> None:
        request = await follow_up(till, operation)
        begun = await till.attempts.begin(beginning_of(request))
        assert begun["begun_now"]
        async with open_till(served, till.merchant_id) as other:
            await answered_once(other, request, operation)

    played(served, scenario)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_vaults_at_once_do_it_once(operation: str, served: House) -> None:
    async def scenario(till: Till) -> None:
        async with open_till(served, till.merchant_id) as other:
            request = await follow_up(till, operation)
            tills = [till, other] * 5
            answers = await asyncio.gather(*(each.charge(request) for each in tills))
            assert all(answer == answers[0] for answer in answers)
            await answered_once(other, request, operation)

    played(served, scenario)


@pytest.mark.parametrize("arrived", [False, True])
def test_an_authorisation_is_never_made_again(arrived: bool, served: House) -> None:
    async def scenario(till: Till) -> None:
        request = await till.authorisation()
        lost = till.network.answers_lost if arrived else till.network.calls_lost
        lost.add("authorise")
        await is_lost(till, request)
        lost.clear()
        await is_lost(till, request)
        assert kinds(till, request.payment_id) == ["authorise"] * arrived
        age(served, request.attempt_id)
        wanted = "decided" if arrived else "never_begun"
        assert (await till.resolve(request.attempt_id)).state == wanted
        assert kinds(till, request.payment_id) == ["authorise"] * arrived

    played(served, scenario)


async def open_the_circuit(till: Till) -> None:
    """The network goes silent for so many that it is not asked any more."""
    till.network.calls_lost = {"authorise", *OPERATIONS}
    for _ in range(OPENS_FROM_CALLS):
        request = await till.authorisation()
        try:
            if await till.charge(request) == AWAY:
                return
        except CallUndecided:
            pass
    assert await till.charge(await till.authorisation()) == AWAY


def close_the_circuit(till: Till) -> None:
    till.network.calls_lost = set()
    till.breakers_clock.seconds += REST_SECONDS


def test_an_authorisation_that_is_not_sent_keeps_its_code(served: House) -> None:
    """It is withdrawn; the next attempt of the same payment has all that the first had."""

    async def scenario(till: Till) -> None:
        await open_the_circuit(till)
        request = await till.authorisation()
        assert await till.charge(request) == AWAY
        assert (await till.resolve(request.attempt_id)).state == "never_begun"
        close_the_circuit(till)
        assert await till.charge(request) == relay.Rejected(code="attempt_fenced")
        answer = await till.charge(another_attempt(request))
        assert isinstance(answer, relay.Decision)
        assert (answer.outcome, answer.cvc_check) == ("approved", "pass")
        assert kinds(till, request.payment_id) == ["authorise"]

    played(served, scenario)


def test_a_code_is_gone_once_it_was_sent(served: House) -> None:
    async def scenario(till: Till) -> None:
        request = await till.authorisation()
        till.network.calls_lost = {"authorise"}
        await is_lost(till, request)
        till.network.calls_lost = set()
        age(served, request.attempt_id)
        assert (await till.resolve(request.attempt_id)).state == "never_begun"
        answer = await till.charge(another_attempt(request))
        assert isinstance(answer, relay.Decision) and answer.cvc_check == "unavailable"

    played(served, scenario)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_not_sent_is_done_later_under_the_same_attempt(
    operation: str, served: House
) -> None:
    async def scenario(till: Till) -> None:
        request = await follow_up(till, operation)
        await open_the_circuit(till)
        for _ in range(3):
            assert await till.charge(request) == AWAY
        assert await till.resolve(request.attempt_id) == UNDECIDED
        assert kinds(till, request.payment_id)[1:] == []
        close_the_circuit(till)
        await answered_once(till, request, operation)

    played(served, scenario)


@pytest.mark.parametrize("operation", ["authorise", "capture", "reverse"])
def test_what_a_network_is_still_at_is_not_decided(operation: str, served: House) -> None:
    """Only a refund may be pending: anything else is asked about until it is said."""

    async def scenario(till: Till) -> None:
        authorises = operation == "authorise"
        request = await (till.authorisation() if authorises else follow_up(till, operation))
        till.network.in_progress = {operation}
        await is_lost(till, request)
        age(served, request.attempt_id)
        assert await till.resolve(request.attempt_id) == UNDECIDED
        till.network.in_progress = set()
        found = await till.resolve(request.attempt_id)
        assert found.decision is not None and found.decision.outcome == "approved"
        assert kinds(till, request.payment_id)[-1] == operation

    played(served, scenario)


def test_a_token_that_was_spent_for_nothing_is_had_again_under_its_key(served: House) -> None:
    """The commit that spent it was lost to the vault: the main house took the payment back."""

    async def scenario(till: Till) -> None:
        key = uuid7()
        lost = msgspec.structs.replace(await till.authorisation(sale=True), spent_for=key)
        assert (await till.attempts.begin(beginning_of(lost)))["begun_now"]
        others = msgspec.structs.replace(another_attempt(lost), payment_id=uuid7())
        for other in (None, uuid7()):
            refused = await till.charge(msgspec.structs.replace(others, spent_for=other))
            assert refused == relay.Rejected(code="token_already_used")
        again = [
            msgspec.structs.replace(another_attempt(lost), payment_id=others.payment_id)
            for _ in range(2)
        ]
        first = await till.charge(again[0])
        assert isinstance(first, relay.Decision)
        assert (first.outcome, first.cvc_check) == ("approved", "pass")
        assert await till.charge(again[0]) == first
        assert kinds(till, lost.payment_id) == []
        assert kinds(till, others.payment_id) == ["sale"]

    played(served, scenario)


def test_what_was_decided_or_is_no_authorisation_is_not_given_up(served: House) -> None:
    async def scenario(till: Till) -> None:
        asked = await till.authorisation()
        decision = await till.charge(asked)
        scope: dict[str, Any] = {**till.scope, "payment_id": asked.payment_id}
        capture = relay.Capture(**scope, attempt_id=uuid7(), amount=1000, currency="usd")
        till.network.calls_lost = {"capture", "inquire"}
        await is_lost(till, capture)
        for request in (asked, capture):
            age(served, request.attempt_id)
        decided = await till.resolve(asked.attempt_id, give_up=True)
        assert (decided.state, decided.decision) == ("decided", decision)
        assert (await till.resolve(capture.attempt_id, give_up=True)).state == "undecided"

    played(served, scenario)

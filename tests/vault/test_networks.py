"""One suite for both kinds of card network: in this process, and spoken to in ISO 8583."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from contract import relay
from runtime.clock import SystemClock
from runtime.ids import uuid7
from tests.vault.networks import (
    Kind,
    approved,
    of,
    reversal,
)
from tests.vault.test_network_faults import FAILING, SILENCES, SLOW
from tests.vault.test_simulator import card, charge, order
from vault.networks.behaviours import PUBLISHED_CARDS
from vault.networks.iso8583.link import Patience
from vault.networks.network import (
    Network,
)
from vault.networks.outages import Outage

SUCCEEDS = "4242424242424242"
IN_FLIGHT = 300
# Everything here is answered, and no test waits for a silence.
PATIENT = Patience(answer_seconds=30.0)
TOLD_SECONDS = 20.0
LONG_TEXT = "the parcel was handed over, winning_evidence; " + "ünïcödé 包裹 " * 4000


Told = tuple[str, str | None, str | None]
APPROVED: Told = ("approved", None, None)
DECLINED: Told = ("declined", "card_declined", "generic_decline")
CARDS: dict[str, tuple[str, Told]] = {
    SUCCEEDS: ("visa", APPROVED),
    "4000056655665556": ("visa", APPROVED),
    "5555555555554444": ("mastercard", APPROVED),
    "2223003122003222": ("mastercard", APPROVED),
    "5200828282828210": ("mastercard", APPROVED),
    "5105105105105100": ("mastercard", APPROVED),
    "378282246310005": ("amex", APPROVED),
    "371449635398431": ("amex", APPROVED),
    "4000000000000002": ("visa", DECLINED),
    "4000000000000341": ("visa", DECLINED),
    "4000000000009995": ("visa", ("declined", "card_declined", "insufficient_funds")),
    "4000000000009987": ("visa", ("declined", "card_declined", "lost_card")),
    "4000000000009979": ("visa", ("declined", "card_declined", "stolen_card")),
    "4000000000006975": ("visa", ("declined", "card_declined", "card_velocity_exceeded")),
    "4000000000000069": ("visa", ("declined", "expired_card", "expired_card")),
    "4000000000000127": ("visa", ("declined", "incorrect_cvc", "incorrect_cvc")),
    "4000000000000119": ("visa", ("declined", "processing_error", "processing_error")),
    "4000000000000259": ("visa", APPROVED),
    "4000000000002685": ("visa", APPROVED),
    "4000000000007726": ("visa", APPROVED),
    "4000000000005126": ("visa", APPROVED),
    "4000009900000061": ("faultnet", APPROVED),
}


def test_every_published_card_is_asked_of_both_kinds() -> None:
    assert {*CARDS, *SILENCES, *FAILING, SLOW} == PUBLISHED_CARDS


@pytest.mark.parametrize("number", CARDS)
@pytest.mark.parametrize("sale", [False, True])
def test_the_published_numbers(kind: Kind, number: str, sale: bool) -> None:
    name, told = CARDS[number]

    async def scenario(network: Network) -> None:
        asked = order(network=name)
        decision = await network.authorise(asked, charge(card(number), sale=sale))
        assert (decision.outcome, decision.code, decision.decline_code) == told
        assert decision.network == name
        assert (decision.network_reference is None) == (decision.outcome == "declined")
        assert await network.inquire(name, asked.attempt_id) == decision
        assert await network.authorise(asked, charge(card(number), sale=sale)) == decision
        assert kind.lines(asked.payment_id) == [("sale" if sale else "authorise", told[0])]

    kind.play(scenario, PATIENT)


@pytest.mark.parametrize(
    ("number", "cvc", "check"),
    [(SUCCEEDS, "123", "pass"), (SUCCEEDS, None, "unavailable"), ("4000000000000127", "1", "fail")],
)
def test_what_is_said_of_the_cvc(kind: Kind, number: str, cvc: str | None, check: str) -> None:
    async def scenario(network: Network) -> None:
        decision = await network.authorise(order(), charge(card(number), cvc))
        assert decision.cvc_check == check

    kind.play(scenario, PATIENT)


def test_an_unknown_attempt_is_nothing(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        assert await network.inquire("visa", uuid7()) is None

    kind.play(scenario, PATIENT)


def test_capture_and_refunds_stay_within_the_approval(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        first, approval = await approved(network, amount=10_000)
        too_early = await network.refund(of(first, amount=1), approval)
        too_much = await network.capture(of(first, amount=10_001), approval)
        capture = of(first, amount=8_000)
        captured = await network.capture(capture, approval)
        assert await network.capture(capture, approval) == captured
        twice = await network.capture(of(first, amount=1), approval)
        refunds = [
            await network.refund(of(first, amount=amount), approval)
            for amount in (5_000, 3_001, 3_000)
        ]
        outcomes = [each.outcome for each in (too_early, too_much, captured, twice, *refunds)]
        assert outcomes == [
            *("declined", "declined", "approved", "declined"),
            *("approved", "declined", "approved"),
        ]
        assert (too_early.code, too_early.decline_code) == ("processing_error", None)

    kind.play(scenario, PATIENT)


def test_a_reversal_gives_back_the_approval_once(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        first, approval = await approved(network, amount=500)
        asked = reversal(first)
        decision = await network.reverse(asked, approval)
        assert decision.outcome == "approved"
        again = reversal(first, attempt_id=asked.attempt_id, repeated=True)
        assert await network.reverse(again, approval) == decision
        late = await network.capture(of(first, amount=500), approval)
        assert late.outcome == "declined"
        wanted = [("authorise", "approved"), ("reverse", "approved"), ("capture", "declined")]
        assert kind.lines(first.payment_id) == wanted

    kind.play(scenario, PATIENT)


def test_a_repeat_of_a_reversal_that_never_arrived_reverses(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        first, approval = await approved(network)
        decision = await network.reverse(reversal(first, repeated=True), approval)
        assert decision.outcome == "approved"

    kind.play(scenario, PATIENT)


@pytest.mark.parametrize(
    ("number", "settled", "code"),
    [("4000000000007726", "approved", None), ("4000000000005126", "declined", "refund_failed")],
)
def test_slow_refunds_are_pending_and_settle(
    kind: Kind, number: str, settled: str, code: str | None
) -> None:
    async def scenario(network: Network) -> None:
        sale = order()
        approval = await network.authorise(sale, charge(card(number), sale=True))
        refund = of(sale)
        decision = await network.refund(refund, approval)
        assert decision.outcome == "pending"
        assert await network.inquire("visa", refund.attempt_id) == decision
        await asyncio.sleep(3.1)
        found = await network.inquire("visa", refund.attempt_id)
        assert found is not None and (found.outcome, found.code) == (settled, code)

    kind.play(scenario, PATIENT)


def test_each_of_many_in_flight_gets_its_own_answer(kind: Kind) -> None:
    numbers = {"approved": SUCCEEDS, "declined": "4000000000009995"}

    async def scenario(network: Network) -> None:
        kind.misbehave(visa=Outage(delay_seconds=0.1))
        outcomes = list(numbers) * (IN_FLIGHT // 2)
        orders = [order(amount=100 + number) for number in range(IN_FLIGHT)]
        decisions = await asyncio.gather(
            *(
                network.authorise(asked, charge(card(numbers[outcome])))
                for asked, outcome in zip(orders, outcomes, strict=True)
            )
        )
        assert [decision.outcome for decision in decisions] == outcomes
        for asked, decision in zip(orders, decisions, strict=True):
            own = f"sim_{asked.attempt_id.hex}"
            assert decision.network_reference in (own, None)

    kind.play(scenario, PATIENT)


@asynccontextmanager
async def charged_back(network: Network, number: str) -> AsyncIterator[relay.Chargeback]:
    """A chargeback of a sale with this card, once it was told."""
    sale = order(amount=1000)
    await network.authorise(sale, charge(card(number), sale=True))
    yield await told(network, lambda each: each.payment_id == sale.payment_id)


async def told(network: Network, wanted: Callable[[relay.Chargeback], bool]) -> relay.Chargeback:
    clock = SystemClock()
    ends = clock.monotonic() + TOLD_SECONDS
    while clock.monotonic() < ends:
        for chargeback in network.chargebacks():
            if wanted(chargeback):
                return chargeback
        await asyncio.sleep(0.05)
    raise AssertionError("not told")


async def untold(network: Network, chargeback: relay.Chargeback) -> None:
    """Wait until nothing of it is told any more."""
    async with asyncio.timeout(TOLD_SECONDS):
        while chargeback.id in {each.id for each in network.chargebacks()}:
            await asyncio.sleep(0.05)


def represented(chargeback: relay.Chargeback, text: str) -> relay.Represent:
    return relay.Represent(
        request_id="req_test",
        merchant_id=chargeback.merchant_id,
        livemode=False,
        chargeback_id=chargeback.id,
        text=text,
        receipt_url=None,
        shipping_tracking=None,
        customer_communication=None,
    )


@pytest.mark.parametrize(("text", "state"), [(LONG_TEXT, "won"), ("losing_evidence", "lost")])
def test_a_chargeback_is_told_until_heard_and_decided_by_evidence(
    kind: Kind, text: str, state: str
) -> None:
    async def scenario(network: Network) -> None:
        async with charged_back(network, "4000000000000259") as opened:
            assert (opened.state, opened.reason, opened.amount) == ("open", "fraudulent", 1000)
            network.heard([opened])
            await network.represent("visa", opened, represented(opened, text))
            await network.represent("visa", opened, represented(opened, text))
            decided = await told(
                network, lambda each: each.id == opened.id and each.state != "open"
            )
            assert decided.state == state
            network.heard([decided])
            await untold(network, opened)
            lines = [line for line, _ in kind.lines(opened.payment_id)]
            assert lines == ["sale", "chargeback", "representment"]

    kind.play(scenario, PATIENT)


def test_the_sandbox_opens_and_decides_chargebacks(kind: Kind) -> None:
    async def scenario(network: Network) -> None:
        sale = order(amount=1000)
        await network.authorise(sale, charge(card(SUCCEEDS), sale=True))
        asked = relay.OpenChargeback(
            request_id="ünïcödé",
            merchant_id=sale.merchant_id,
            livemode=False,
            chargeback_id=uuid7(),
            payment_id=sale.payment_id,
            amount=600,
            reason="unrecognized",
        )
        opened = await network.charge_back("visa", asked)
        assert opened is not None and (opened.id, opened.amount) == (asked.chargeback_id, 600)
        assert await network.charge_back("visa", asked) == opened
        assert opened in network.chargebacks()
        await network.rule("visa", opened, True)
        await network.rule("visa", opened, False)
        states = {each.state for each in network.chargebacks() if each.id == opened.id}
        assert states == {"open", "won"}

    kind.play(scenario, PATIENT)

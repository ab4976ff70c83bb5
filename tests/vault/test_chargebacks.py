"""Chargebacks of the simulated networks: opened once, told until heard, decided by evidence."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import uvloop

from adapters.vault_door import NoAnswer
from contract import relay
from runtime.clock import SystemClock
from runtime.ids import uuid7
from tests.cluster import Cluster
from tests.vault.house import House, house
from tests.vault.merchant import Merchant, merchant
from tests.vault.test_simulator import card, charge, order
from vault.networks.behaviours import ALL_NETWORKS
from vault.networks.chargebacks import CLAIMED_AFTER_MS, DECIDED_AFTER_MS
from vault.networks.issuers import Issuers
from vault.networks.journal import Journal
from vault.networks.network import Order
from vault.networks.outages import Outages
from vault.networks.simulator import SimulatedNetworks
from vault.settings import Latency

FRAUDULENT = "4000000000000259"
NOT_RECEIVED = "4000000000002685"
ORDINARY = "4242424242424242"
TOLD_SECONDS = 20.0
LIMIT = 100

Scenario = Callable[[Merchant], Awaitable[None]]


class MovedClock(SystemClock):
    """The machine's clock, moved forward by a test."""

    moved_ms = 0

    def unix_ms(self) -> int:
        return super().unix_ms() + self.moved_ms


class Books:
    """The networks over one journal, opened as often as a test likes."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "journal.jsonl"
        self.clock = MovedClock()

    def open(self) -> SimulatedNetworks:
        issuers = Issuers(Journal(self._path), ALL_NETWORKS, self.clock)
        return SimulatedNetworks(issuers, Latency(0, 0), Outages(self._path.parent))

    def claims(self) -> int:
        return sum(line.kind == "chargeback" for line in Journal(self._path).news())


def sold(networks: SimulatedNetworks, number: str = FRAUDULENT, amount: int = 1000) -> Order:
    """A sale that was approved."""
    sale = order(amount=amount)
    asyncio.run(networks.authorise(sale, charge(card(number), sale=True)))
    return sale


def evidence(chargeback: relay.Chargeback, text: str) -> relay.Represent:
    return relay.Represent(
        **scope_of(chargeback),
        chargeback_id=chargeback.id,
        text=text,
        receipt_url=None,
        shipping_tracking=None,
        customer_communication=None,
    )


def scope_of(chargeback: relay.Chargeback) -> dict[str, Any]:
    return {
        "request_id": "req_test",
        "merchant_id": chargeback.merchant_id,
        "livemode": chargeback.livemode,
    }


@pytest.mark.parametrize(
    ("number", "reason"),
    [(FRAUDULENT, "fraudulent"), (NOT_RECEIVED, "product_not_received"), (ORDINARY, None)],
)
def test_the_dispute_cards_are_charged_back_after_a_while(
    tmp_path: Path, number: str, reason: str | None
) -> None:
    books = Books(tmp_path)
    networks = books.open()
    sale = sold(networks, number)
    assert networks.chargebacks() == []
    books.clock.moved_ms = CLAIMED_AFTER_MS
    told = networks.chargebacks()
    assert [(each.payment_id, each.amount, each.reason, each.state) for each in told] == (
        [(sale.payment_id, 1000, reason, "open")] if reason else []
    )
    assert networks.chargebacks() == told
    networks.heard(told)
    assert networks.chargebacks() == []


def test_only_what_is_captured_and_not_refunded_is_charged_back(tmp_path: Path) -> None:
    books = Books(tmp_path)
    networks = books.open()

    async def partly() -> None:
        held = order(amount=1000)
        approval = await networks.authorise(held, charge(card(FRAUDULENT)))
        same: dict[str, Any] = {"payment_id": held.payment_id, "merchant_id": held.merchant_id}
        await networks.capture(order(amount=700, **same), approval)
        await networks.refund(order(amount=300, **same), approval)
        await networks.authorise(order(amount=900), charge(card(FRAUDULENT)))
        returned = order(amount=500)
        approval = await networks.authorise(returned, charge(card(FRAUDULENT), sale=True))
        await networks.refund(order(amount=500, payment_id=returned.payment_id), approval)

    asyncio.run(partly())
    books.clock.moved_ms = CLAIMED_AFTER_MS
    assert [each.amount for each in networks.chargebacks()] == [400]


def test_a_restart_neither_loses_nor_doubles_a_chargeback(tmp_path: Path) -> None:
    books = Books(tmp_path)
    sold(books.open())
    books.clock.moved_ms = CLAIMED_AFTER_MS
    told = books.open().chargebacks()
    assert len(told) == 1 and books.claims() == 1
    # Another process tells the same until it has heard that it was heard.
    assert books.open().chargebacks() == told
    assert books.claims() == 1


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("winning_evidence: signed by the payer", "won"),
        ("losing_evidence", "lost"),
        ("a photograph of the parcel", None),
    ],
)
def test_evidence_decides_by_its_text(tmp_path: Path, text: str, state: str | None) -> None:
    books = Books(tmp_path)
    networks = books.open()
    sold(networks)
    books.clock.moved_ms = CLAIMED_AFTER_MS
    opened = networks.chargebacks()
    networks.heard(opened)
    for _ in range(2):
        asyncio.run(networks.represent("visa", opened[0], evidence(opened[0], text)))
    assert networks.chargebacks() == []
    books.clock.moved_ms += DECIDED_AFTER_MS
    decided = [each.state for each in networks.chargebacks()]
    assert decided == ([state] if state else [])
    if state is None:
        asyncio.run(networks.rule("visa", opened[0], True))
        assert [each.state for each in networks.chargebacks()] == ["won"]
    again = {each.state for each in books.open().chargebacks()}
    assert again == {"open", state or "won"}


def played(served: House, scenario: Scenario) -> None:
    async def run() -> None:
        async with merchant(served) as payer:
            await scenario(payer)

    uvloop.run(run())


async def bought(payer: Merchant, number: str = ORDINARY) -> UUID:
    request = payer.authorise(await payer.token(number), capture=True)
    answer = await payer.door.call(request)
    assert isinstance(answer, relay.Decision) and answer.outcome == "approved"
    return request.payment_id


async def news(payer: Merchant) -> list[relay.Chargeback]:
    """What is told of this merchant's payments."""
    answer = await payer.door.call(relay.ListChargebacks(request_id="req_test", limit=LIMIT))
    assert isinstance(answer, relay.ChargebackNews)
    return [each for each in answer.chargebacks if each.merchant_id == payer.id]


async def count(payer: Merchant) -> int:
    """How many chargebacks are told; none by a vault that is not back yet."""
    try:
        return len(await news(payer))
    except NoAnswer:
        return 0


async def told(payer: Merchant, state: str) -> relay.Chargeback:
    async with asyncio.timeout(TOLD_SECONDS):
        while not (found := [each for each in await news(payer) if each.state == state]):
            await asyncio.sleep(0.05)
    return found[0]


def heard(chargeback: relay.Chargeback) -> relay.AcknowledgeChargeback:
    return relay.AcknowledgeChargeback(
        **scope_of(chargeback), chargeback_id=chargeback.id, state=chargeback.state
    )


def test_the_door_tells_until_it_is_acknowledged(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        payment_id = await bought(payer, FRAUDULENT)
        chargeback = await told(payer, "open")
        assert (chargeback.payment_id, chargeback.amount) == (payment_id, 1000)
        assert await news(payer) == [chargeback]
        assert await payer.door.call(heard(chargeback)) == relay.Done()
        assert await news(payer) == []
        assert await payer.door.call(evidence(chargeback, "winning_evidence")) == relay.Done()
        won = await told(payer, "won")
        assert (won.id, won.opened_at_ms) == (chargeback.id, chargeback.opened_at_ms)
        # A late word about the state before does not hide the one after.
        await payer.door.call(heard(chargeback))
        assert await news(payer) == [won]
        await payer.door.call(heard(won))
        assert await news(payer) == []

    played(served, scenario)


def test_a_payment_that_was_drawn_on_a_hold_is_disputed_as_any_other(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        hold_id = uuid7()
        hold = payer.authorise(await payer.token(FRAUDULENT), payment_id=hold_id, amount=5000)
        assert isinstance(await payer.door.call(hold), relay.Decision)
        draw = relay.Capture(
            **payer.scope,
            attempt_id=uuid7(),
            payment_id=uuid7(),
            amount=1000,
            currency="usd",
            hold_id=hold_id,
        )
        assert isinstance(await payer.door.call(draw), relay.Decision)
        chargeback = await told(payer, "open")
        assert (chargeback.payment_id, chargeback.amount) == (draw.payment_id, 1000)
        assert await payer.door.call(evidence(chargeback, "winning_evidence")) == relay.Done()
        assert (await told(payer, "won")).id == chargeback.id

    played(served, scenario)


def test_the_longest_evidence_passes_the_door(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        await bought(payer, FRAUDULENT)
        chargeback = await told(payer, "open")
        longest = relay.Represent(
            **scope_of(chargeback),
            chargeback_id=chargeback.id,
            text="\U0001f4e6" * 20_000,
            receipt_url="https://" + "x" * 2040,
            shipping_tracking="\U0001f4e6" * 500,
            customer_communication="\U0001f4e6" * 20_000,
        )
        assert await payer.door.call(longest) == relay.Done()

    played(served, scenario)


def test_the_sandbox_opens_and_decides_at_once(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        opening = relay.OpenChargeback(
            **payer.scope,
            chargeback_id=uuid7(),
            payment_id=await bought(payer),
            amount=600,
            reason="other",
        )
        opened = await payer.door.call(opening)
        assert isinstance(opened, relay.Chargeback)
        assert (opened.id, opened.amount, opened.reason) == (opening.chargeback_id, 600, "other")
        assert await payer.door.call(opening) == opened
        assert await told(payer, "open") == opened
        rest = relay.OpenChargeback(
            **payer.scope,
            chargeback_id=uuid7(),
            payment_id=opening.payment_id,
            amount=1000,
            reason="other",
        )
        claimed = await payer.door.call(rest)
        assert isinstance(claimed, relay.Chargeback) and claimed.amount == 400
        none_left = relay.OpenChargeback(
            **payer.scope,
            chargeback_id=uuid7(),
            payment_id=rest.payment_id,
            amount=1,
            reason="other",
        )
        assert await payer.door.call(none_left) == relay.Rejected(code="nothing_to_charge_back")
        ruling = {**payer.scope, "chargeback_id": opened.id}
        lost = msgspec.structs.replace(opened, state="lost")
        # The first decision stands.
        for won in (False, True):
            assert await payer.door.call(relay.RuleOnChargeback(**ruling, won=won)) == lost
        assert [each for each in await news(payer) if each.id == opened.id] == [lost]

    played(served, scenario)


def test_nobody_reaches_another_merchants_chargeback(served: House) -> None:
    async def scenario(payer: Merchant) -> None:
        payment_id = await bought(payer, FRAUDULENT)
        chargeback = await told(payer, "open")
        unknown = relay.Rejected(code="chargeback_unknown")
        stranger: dict[str, Any] = {
            "request_id": "req_test",
            "merchant_id": uuid7(),
            "livemode": False,
        }
        live: dict[str, Any] = {**payer.scope, "livemode": True}
        for scope in (stranger, live):
            theirs = {
                **scope,
                "text": "winning_evidence",
                "receipt_url": None,
                "shipping_tracking": None,
                "customer_communication": None,
            }
            asked = relay.Represent(**theirs, chargeback_id=chargeback.id)
            assert await payer.door.call(asked) == unknown
            acknowledged = relay.AcknowledgeChargeback(
                **scope, chargeback_id=chargeback.id, state="open"
            )
            assert await payer.door.call(acknowledged) == relay.Done()
        ruling = relay.RuleOnChargeback(**stranger, chargeback_id=chargeback.id, won=True)
        assert await payer.door.call(ruling) == unknown
        opening = relay.OpenChargeback(
            **stranger, chargeback_id=uuid7(), payment_id=payment_id, amount=1, reason="other"
        )
        assert await payer.door.call(opening) == relay.Rejected(code="nothing_to_charge_back")
        assert await news(payer) == [chargeback]

    played(served, scenario)


def test_a_killed_vault_forgets_no_chargeback(tmp_path: Path, cluster: Cluster) -> None:
    with house(tmp_path, cluster) as built:
        built.start()

        async def buy(payer: Merchant) -> None:
            for _ in range(5):
                await bought(payer, NOT_RECEIVED)
            # Before the networks claim anything, and nobody is told anything.
            built.processes[0].kill()
            built.processes[0].wait()
            built.start()
            async with asyncio.timeout(TOLD_SECONDS):
                while await count(payer) < 5:
                    await asyncio.sleep(0.1)
            await asyncio.sleep(1.0)
            assert len(await news(payer)) == 5

        played(built, buy)
        claims = [line for line in built.journal() if line.kind == "chargeback"]
        assert len(claims) == len({line.payment for line in claims}) == 5

"""The simulated networks: published numbers, books that survive, answers that repeat."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contract import relay
from domain.card_numbers import AcceptedBrand
from runtime.clock import SystemClock
from runtime.ids import uuid7
from runtime.masked import Masked
from vault.instruments import (
    BankAccount,
    Card,
    Secret,
    Wallet,
    from_plaintext,
    to_plaintext,
)
from vault.networks.behaviours import ALL_NETWORKS, network_of
from vault.networks.issuers import Issuers
from vault.networks.journal import Journal
from vault.networks.network import Charge, Order
from vault.networks.outages import Outages
from vault.networks.simulator import SimulatedNetworks
from vault.settings import Latency, parse_latency


def card(number: str, brand: AcceptedBrand = "visa") -> Card:
    return Card(Masked(number), 12, 2040, brand)


def bank(account: str) -> BankAccount:
    return BankAccount("US", "usd", "110000000", Masked(account))


def wallet(payload: str) -> Wallet:
    return Wallet("apple_pay", Masked(payload))


def order(attempt_id: UUID | None = None, **fields: Any) -> Order:
    values: dict[str, Any] = {
        "attempt_id": attempt_id or uuid7(),
        "merchant_id": uuid7(),
        "payment_id": uuid7(),
        "livemode": False,
        "network": "visa",
        "amount": 1000,
        "currency": "usd",
    }
    return Order(**(values | fields))


def networks(directory: Path, latency: str = "0") -> SimulatedNetworks:
    simulator = directory / "simulator"
    issuers = Issuers(Journal(simulator / "journal.jsonl"), ALL_NETWORKS, SystemClock())
    return SimulatedNetworks(issuers, parse_latency(latency), Outages(simulator))


def charge(secret: Secret, cvc: str | None = "123", sale: bool = False) -> Charge:
    return Charge(secret, Masked(cvc) if cvc else None, sale)


@pytest.mark.parametrize(
    ("secret", "outcome", "code", "decline_code"),
    [
        # A number of the range of faults that has no fault.
        (card("4000009900000004"), "declined", "processing_error", "processing_error"),
        (bank("000123456789"), "approved", None, None),
        (bank("000111111116"), "declined", "bank_account_declined", "invalid_account"),
        (wallet("wallet_ok"), "approved", None, None),
        (wallet("wallet_expired"), "declined", "wallet_expired", "wallet_expired"),
    ],
)
def test_the_published_numbers(
    tmp_path: Path, secret: Secret, outcome: str, code: str | None, decline_code: str | None
) -> None:
    decision = asyncio.run(networks(tmp_path).authorise(order(), charge(secret)))
    assert (decision.outcome, decision.code, decision.decline_code) == (
        outcome,
        code,
        decline_code,
    )
    assert (decision.network_reference is None) == (outcome == "declined")


def test_networks_by_instrument() -> None:
    assert network_of(card("4242424242424242")) == "visa"
    assert network_of(card("5555555555554444", "mastercard")) == "mastercard"
    assert network_of(card("4000009900000012")) == "faultnet"
    assert network_of(bank("000123456789")) == "bank"
    assert network_of(wallet("wallet_ok")) == "wallet"


def test_a_repeated_attempt_is_answered_the_same_also_after_a_restart(tmp_path: Path) -> None:
    asked = order()

    async def ask() -> relay.Decision:
        return await networks(tmp_path).authorise(asked, charge(card("4242424242424242")))

    first = asyncio.run(ask())
    assert asyncio.run(ask()) == first
    assert asyncio.run(networks(tmp_path).inquire("visa", asked.attempt_id)) == first
    lines = (tmp_path / "simulator" / "journal.jsonl").read_text().splitlines()
    assert len(lines) == 1
    line = json.loads(lines[0])
    assert line["last_four"] == "4242" and line["decision"] == "approved"
    assert "4242424242424242" not in lines[0]


def test_two_processes_share_their_books(tmp_path: Path) -> None:
    async def scenario() -> None:
        one, two = networks(tmp_path), networks(tmp_path)
        sale = order(amount=500)
        approval = await one.authorise(sale, charge(card("4242424242424242"), sale=True))
        assert await two.inquire("visa", sale.attempt_id) == approval
        for asked, where, outcome in [(300, two, "approved"), (201, one, "declined")]:
            refund = order(payment_id=sale.payment_id, amount=asked)
            assert (await where.refund(refund, approval)).outcome == outcome

    asyncio.run(scenario())


def test_an_unknown_attempt_and_a_torn_line_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "simulator" / "journal.jsonl"

    async def scenario() -> None:
        before = networks(tmp_path)
        assert await before.inquire("visa", uuid7()) is None
        asked = order()
        await before.authorise(asked, charge(card("4242424242424242")))
        with path.open("ab") as torn:
            torn.write(b'{"at": 12, "kind": "auth')
        after = networks(tmp_path)
        decision = await after.inquire("visa", asked.attempt_id)
        assert decision is not None and decision.outcome == "approved"
        # What is written behind a torn line is no part of it.
        again = order()
        decision = await after.authorise(again, charge(card("4242424242424242")))
        assert await networks(tmp_path).inquire("visa", again.attempt_id) == decision

    asyncio.run(scenario())


def test_latency_is_kept(tmp_path: Path) -> None:
    slow = networks(tmp_path, "40-60")
    for asked in (slow.authorise(order(), charge(card("4242424242424242"))), slow.echo("visa")):
        began = time.monotonic()
        asyncio.run(asked)
        assert 0.04 <= time.monotonic() - began < 5.0


@pytest.mark.parametrize("text", ["", "-5", "9-3", "x", "1-2-3"])
def test_a_latency_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_latency(text)


def test_latencies() -> None:
    assert parse_latency("80") == Latency(80, 80)
    assert parse_latency("40-120") == Latency(40, 120)


@pytest.mark.parametrize(
    "secret", [card("4242424242424242"), bank("000123456789"), wallet("wallet_ok")]
)
def test_instruments_survive_their_plaintext(secret: Secret) -> None:
    assert from_plaintext(to_plaintext(secret)) == secret
    assert "4242424242424242" not in repr(secret) and "000123456789" not in repr(secret)

"""A card number goes when nobody needs it any more, shown by search (PCI DSS 4.0.1 req. 3.2.1).

Each number is sealed before: the search finds it.  Then its time passes, or its method goes,
and neither the seal nor the number nor the CVC is anywhere.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from domain.ids import from_text
from models.card_erasure import lease_erasures
from runtime.database import Database
from tests.serving import eventually
from tests.shop import Merchant, Shop, told
from tests.tenancy.searching import files, held_by_valkey, rows_with, tables
from vault.store.instruments import InstrumentStore

# Luhn-valid, used by no other test; the last stays silent, so that its payment is pending.
UNUSED, USED, DETACHED, DELETED = (
    "4916338506082832",
    "4539578763621486",
    "4532015112830366",
    "4556015886206505",
)
SILENT = "4000009900000012"
# Four digits that are no merchant category code: these are found in tables, too.
CVC = "2718"
AMEX = "346827630435344"
ERASED_SECONDS = 40.0


def sealed(shop: Shop, instrument: str) -> bytes | None:
    """What the vault has sealed of an instrument."""
    identifier = from_text("tok", instrument) or from_text("pm", instrument)
    with shop.database("paymint-vault") as connection:
        row = connection.execute(
            "SELECT ciphertext FROM instruments WHERE id = %s", [identifier]
        ).fetchone()
    assert row is not None
    return None if row[0] is None else bytes(row[0])


def let_its_time_pass(shop: Shop, token: str) -> None:
    """The token's own moment comes, and then the vault's own sweep."""
    with shop.database("paymint-vault") as connection:
        late = "UPDATE instruments SET expires_at = now() - interval '1 s' WHERE id = %s"
        assert connection.execute(late, [from_text("tok", token)]).rowcount == 1
    asyncio.run(_sweep(shop.environment["paymint-vault"]["VAULT_DATABASE_URL"]))


async def _sweep(url: str) -> None:
    database = Database(url)
    await database.open()
    try:
        await InstrumentStore(database).erase_overdue()
    finally:
        await database.close()


def nothing_is_left(shop: Shop, seal: bytes, *secrets: str) -> None:
    """Neither the sealed number nor what it seals: both databases, Valkey, every file."""
    for process in ("paymint-vault", "paymint-api"):
        with shop.database(process) as connection:
            for table, _ in tables(connection):
                for text in (seal.hex(), *secrets):
                    assert rows_with(connection, table, text, without="") == 0, (table, text)
    held = held_by_valkey(shop)
    assert not [text for text in (*secrets, seal.hex()) if text.encode() in held]
    for path in files(shop):
        if path.parent.name == "log" or path.suffix in (".json", ".jsonl"):
            content = path.read_bytes()
            assert not [text for text in (*secrets, seal.hex()) if text.encode() in content], path


def taken(shop: Shop, instrument: str) -> bytes:
    """The seal, which the search must find as long as it is there."""
    seal = sealed(shop, instrument)
    assert seal is not None
    with shop.database("paymint-vault") as connection:
        assert rows_with(connection, "instruments", seal.hex(), without="") == 1
    return seal


def test_of_a_token_that_was_not_used(shop: Shop, merchant: Merchant) -> None:
    token = merchant.tokenise(UNUSED)
    seal = taken(shop, token)
    let_its_time_pass(shop, token)
    assert sealed(shop, token) is None
    nothing_is_left(shop, seal, UNUSED)
    assert merchant.pay_answer(token).status_code == 422


def test_a_token_lives_fifteen_minutes_and_a_used_one_thirty(
    shop: Shop, merchant: Merchant
) -> None:
    token = merchant.tokenise(USED)
    assert _minutes(shop, token) == 15
    merchant.pay(token)
    assert _minutes(shop, token) == 30


def _minutes(shop: Shop, token: str) -> int:
    with shop.database("paymint-vault") as connection:
        row = connection.execute(
            "SELECT round(extract(epoch FROM expires_at - now()) / 60) FROM instruments"
            " WHERE id = %s",
            [from_text("tok", token)],
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_of_a_token_that_was_paid_with(shop: Shop, merchant: Merchant) -> None:
    token = merchant.tokenise(USED)
    seal = taken(shop, token)
    payment = merchant.pay(token)["id"]
    let_its_time_pass(shop, token)
    assert sealed(shop, token) is None
    nothing_is_left(shop, seal, USED)
    # Money goes back by the network's reference, without the number.
    merchant.refund(payment)


def test_of_a_token_whose_code_was_given(shop: Shop, merchant: Merchant) -> None:
    """PCI DSS 4.0.1 req. 3.3.1: the code is nowhere from the authorisation on."""
    token = merchant.tokenise(AMEX, cvc=CVC)
    seal = taken(shop, token)
    merchant.pay(token)
    let_its_time_pass(shop, token)
    assert sealed(shop, token) is None
    nothing_is_left(shop, seal, AMEX, f'"{CVC}"', f'"cvc": {CVC}')


def saved(merchant: Merchant, number: str) -> tuple[str, str, str]:
    """(customer, method, path) of a card that was saved."""
    customer = merchant.customer()["id"]
    method = told(merchant.save_card(customer, number), 201)["id"]
    return customer, method, f"/v1/customers/{customer}/payment_methods/{method}"


def test_of_a_method_that_was_detached(shop: Shop, merchant: Merchant) -> None:
    _, method, path = saved(merchant, DETACHED)
    seal = taken(shop, method)
    payment = merchant.pay(method)["id"]
    told(merchant.ask("DELETE", path), 200)
    assert eventually(lambda: sealed(shop, method) is None, ERASED_SECONDS)
    nothing_is_left(shop, seal, DETACHED)
    merchant.refund(payment)


def test_of_every_method_of_a_customer_that_was_deleted(shop: Shop, merchant: Merchant) -> None:
    customer, first, _ = saved(merchant, DELETED)
    second = told(merchant.save_card(customer, DETACHED), 201)["id"]
    seals = [taken(shop, method) for method in (first, second)]
    told(merchant.ask("DELETE", f"/v1/customers/{customer}"), 200)
    gone = eventually(
        lambda: not any(sealed(shop, method) for method in (first, second)), ERASED_SECONDS
    )
    assert gone
    for seal in seals:
        nothing_is_left(shop, seal, DELETED, DETACHED)


def test_a_pending_payment_keeps_the_number_until_it_has_ended(
    shop: Shop, merchant: Merchant
) -> None:
    _, method, path = saved(merchant, SILENT)
    payment = told(merchant.pay_answer(method), 202)["id"]
    told(merchant.ask("DELETE", path), 200)
    due = asyncio.run(_due(shop))
    assert from_text("pm", method) not in due
    assert sealed(shop, method) is not None
    told(merchant.act(payment, "cancel", key=str(uuid4())), 200)
    assert eventually(lambda: sealed(shop, method) is None, ERASED_SECONDS)


async def _due(shop: Shop) -> set[UUID]:
    """The methods whose number would be erased an hour from now."""
    database = Database(shop.environment["paymint-api"]["DATABASE_URL"])
    await database.open()
    now = datetime.now(UTC) + timedelta(hours=1)
    try:
        async with database.transaction() as transaction:
            rows: list[dict[str, Any]] = await lease_erasures(
                transaction, now, timedelta(0) - timedelta(hours=1), 1000
            )
        return {row["id"] for row in rows}
    finally:
        await database.close()

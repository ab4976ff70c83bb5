"""Each kind of payment method from its token to a payment: cards, bank accounts, wallets."""

from typing import Any

import httpx
import pytest

from domain.ids import from_text
from tests.shop import EXPIRY_YEAR, Merchant, Shop, card, error, told

BANK = {
    "type": "bank_account",
    "bank_account": {
        "country": "US",
        "currency": "usd",
        "routing_number": "110000000",
        "account_number": "000123456789",
    },
}
WALLET = {"type": "wallet", "wallet": {"provider": "apple_pay", "payload": "wallet_ok"}}
_SEALED = b"SELECT exp_month, exp_year, state FROM instruments WHERE id = %s"
_SAVED = b"""SELECT count(*) FROM instruments
    WHERE merchant_id = %s AND state = 'saved' AND ciphertext IS NOT NULL"""


def bank(**changes: str) -> dict[str, Any]:
    return {"type": "bank_account", "bank_account": {**BANK["bank_account"], **changes}}  # type: ignore[dict-item]


def token(merchant: Merchant, body: dict[str, Any]) -> str:
    return str(told(merchant.token_answer(body), 201)["id"])


def save(merchant: Merchant, customer: str, body: dict[str, Any]) -> httpx.Response:
    attach = {"type": body["type"], "token": token(merchant, body)}
    return merchant.ask("POST", f"/v1/customers/{customer}/payment_methods", attach)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            card("378282246310005"),
            {"brand": "amex", "last_four": "0005", "exp_month": 12, "exp_year": EXPIRY_YEAR},
        ),
        (BANK, {"brand": None, "last_four": "6789", "exp_month": None, "exp_year": None}),
        (WALLET, {"brand": None, "last_four": None, "exp_month": None, "exp_year": None}),
    ],
    ids=["card", "bank_account", "wallet"],
)
def test_every_type_is_saved_shown_charged_and_detached(
    merchant: Merchant, body: dict[str, Any], shown: dict[str, Any]
) -> None:
    customer = merchant.customer()["id"]
    saved = told(save(merchant, customer, body), 201)
    assert saved["type"] == body["type"]
    assert {name: saved[name] for name in shown} == shown
    path = f"/v1/customers/{customer}/payment_methods"
    assert merchant.get(f"{path}/{saved['id']}") == saved
    assert told(save(merchant, customer, body), 200)["id"] == saved["id"]
    page = merchant.get(path)
    assert (page["data"], page["total_count"]) == ([saved], 1)
    payment = merchant.pay(saved["id"])
    assert (payment["status"], payment["customer_id"]) == ("captured", customer)
    assert merchant.pay(token(merchant, body))["status"] == "captured"
    told(merchant.ask("DELETE", f"{path}/{saved['id']}"), 200)
    assert merchant.get(path)["total_count"] == 0


def test_a_bank_account_is_a_sale_in_its_own_currency(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    saved = told(save(merchant, customer, BANK), 201)["id"]
    for instrument in (saved, token(merchant, BANK)):
        held = merchant.pay_answer(instrument, capture=False)
        assert error(held) == (422, "capture_not_supported", "capture")
        foreign = merchant.pay_answer(instrument, currency="eur")
        assert error(foreign) == (422, "currency_mismatch", "currency")
        assert merchant.pay(instrument)["currency"] == "usd"
    euros = bank(currency="eur", account_number="000999999999")
    saved = told(save(merchant, customer, euros), 201)["id"]
    assert error(merchant.pay_answer(saved))[1] == "currency_mismatch"
    assert merchant.pay(saved, currency="eur")["status"] == "captured"


def test_a_bank_and_a_wallet_decline(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    declining = {
        "bank_account_declined": bank(account_number="000111111116"),
        "wallet_expired": {"type": "wallet", "wallet": {**_wallet(), "payload": "wallet_expired"}},
    }
    for code, body in declining.items():
        for instrument in (told(save(merchant, customer, body), 201)["id"], token(merchant, body)):
            assert error(merchant.pay_answer(instrument))[:2] == (402, code)


def _wallet() -> dict[str, str]:
    return {"provider": "google_pay"}


def test_methods_are_listed_and_counted_by_type(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    for body in (card(), card("5555555555554444"), BANK, WALLET):
        told(save(merchant, customer, body), 201)
    told(save(merchant, merchant.customer()["id"], card()), 201)
    path = f"/v1/customers/{customer}/payment_methods"
    assert merchant.get(path)["total_count"] == 4
    for kind, count in (("card", 2), ("bank_account", 1), ("wallet", 1)):
        page = merchant.get(path, type=kind, limit=1)
        assert [row["type"] for row in page["data"]] == [kind]
        assert (page["total_count"], page["has_more"]) == (count, count > 1)
    assert error(merchant.ask("GET", path, params={"type": "cash"})) == (
        400,
        "parameter_invalid_enum",
        "type",
    )
    cursor = merchant.get(path, type="card", limit=1)["next_cursor"]
    other = merchant.ask("GET", path, params={"starting_after": cursor})
    assert error(other) == (400, "invalid_cursor", "starting_after")


def test_a_renewed_card_is_charged_with_its_new_expiry(shop: Shop, merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    saved = told(merchant.save_card(customer), 201)["id"]
    told(merchant.save_card(customer, exp_month=7, exp_year=EXPIRY_YEAR + 2), 200)
    with shop.database("paymint-vault") as connection:
        row = connection.execute(_SEALED, [from_text("pm", saved)]).fetchone()
        kept = connection.execute(_SAVED, [from_text("mch", merchant.id)]).fetchone()
    assert row == (7, EXPIRY_YEAR + 2, "saved")
    assert kept == (1,), "the vault keeps one copy of a number that is saved once"
    assert merchant.pay(saved)["status"] == "captured"


def test_fingerprints_are_equal_within_a_merchant_only(merchant: Merchant, rival: Merchant) -> None:
    for body in (card(), BANK, WALLET):
        mine = {
            told(save(merchant, merchant.customer()["id"], body), 201)["fingerprint"]
            for _ in range(2)
        }
        theirs = told(save(rival, rival.customer()["id"], body), 201)["fingerprint"]
        assert len(mine) == 1 and theirs not in mine
